/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "arguments.h"
#include "session.h"

G_BEGIN_DECLS

typedef struct _CtlCommand CtlCommand;

/* Runs a command. Its output goes to the session's. */
typedef gboolean (*CtlCommandFunc) (CtlSession *session,
                                    const CtlCommand *command,
                                    CtlArguments *arguments,
                                    GError **error);

/* What a shell can propose for an argument. */
typedef enum
{
  CTL_COMPLETE_NOTHING,
  CTL_COMPLETE_COMMAND,
  CTL_COMPLETE_CALL, /* ids of handles, timers, futures and tasks that can be cancelled */
  CTL_COMPLETE_TASK,
  CTL_COMPLETE_PENDING_TASK,
  CTL_COMPLETE_SERVER,      /* that is not closed */
  CTL_COMPLETE_IDLE_SERVER, /* that does not serve yet */
  CTL_COMPLETE_ANY_SERVER,
  CTL_COMPLETE_TRANSPORT,
  CTL_COMPLETE_SUBPROCESS, /* that runs */
  CTL_COMPLETE_WRITABLE,   /* transports and subprocesses */
  CTL_COMPLETE_CLOSABLE,   /* these and servers */
  CTL_COMPLETE_LOOP,
  CTL_COMPLETE_ON_OFF,
  CTL_COMPLETE_ACTION,
  CTL_COMPLETE_TASK_ACTION,
  CTL_COMPLETE_SERVICE,
  CTL_COMPLETE_ENDPOINT, /* addresses, or a service */
  CTL_COMPLETE_SIGNAL,
  CTL_COMPLETE_CATCHABLE_SIGNAL,
  CTL_COMPLETE_HANDLED_SIGNAL,
} CtlComplete;

typedef enum
{
  CTL_COMMAND_NO_TARGET = 1 << 0, /* needs nobody to talk to */
  CTL_COMMAND_NO_SHELL = 1 << 1,  /* only on a command line, in the place of a target */
  CTL_COMMAND_VIEW = 1 << 2,      /* takes the options of a view, and its columns */
  CTL_COMMAND_HOST = 1 << 3,      /* needs a `loopctl host` */
  CTL_COMMAND_VERBATIM = 1 << 4,  /* after the first argument, nothing is an option */
} CtlCommandFlags;

/* From this come help, completion, shell completion and the manual page. */
struct _CtlCommand
{
  const char *name;
  const char *alias;
  const char *synopsis; /* of the arguments */
  const char *summary;
  const char *help;
  CtlCommandFlags flags;
  guint min_words;
  guint max_words;
  CtlComplete complete[3]; /* of the first arguments */
  const char *const *columns;
  CtlCommandFunc run;
};

extern const CtlCommand ctl_commands[]; /* ends with a name of NULL */

const CtlCommand *ctl_command_find (const char *name);
const CtlCommand *ctl_command_get (const char *name, GError **error);
const CtlCommand *ctl_command_check (char **words, GError **error);
gboolean ctl_command_run (CtlSession *session, char **words, GError **error);

/* For commands that are objects, whose reply in JSON is {"loop": ..., KEY: VALUE}. */
GVariant *ctl_reply_new (GVariant *state, const char *key, GVariant *value);

G_END_DECLS
