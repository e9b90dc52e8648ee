/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "host.h"

G_BEGIN_DECLS

typedef struct _CtlRequest CtlRequest;

/* A method of org.libloop.Host1. */
typedef struct
{
  const char *name;

  /* On the inspector's thread: takes the parameters apart, or fails with an error. */
  gboolean (*parse) (CtlRequest *self, GVariant *parameters, GError **error);

  /* On the loop's thread. Ends with ctl_request_done() sooner or later, at once if self->error is set. */
  void (*perform) (CtlRequest *self);

  /* On the inspector's thread, or NULL: whether it was done, or failed, without waiting for a loop that is busy. */
  gboolean (*perform_if_busy) (CtlRequest *self);
} CtlHostMethod;

/* Each ends with a name of NULL. */
extern const CtlHostMethod ctl_host_call_methods[];
extern const CtlHostMethod ctl_host_network_methods[];

/* A call of one. */
struct _CtlRequest
{
  gatomicrefcount ref_count;
  int state;
  CtlHost *host;
  const CtlHostMethod *method;
  GMainContext *context; /* the inspector's */
  GDBusMethodInvocation *invocation;
  GSource *deadline;

  /* What was asked for; each method uses a few of these. */
  CtlAction *action;
  CtlWork *work;
  double seconds;
  int signum;
  guint64 id;
  char **words;
  char *place; /* a host or a path */
  guint16 port;
  char *service;                    /* or its name */
  GSocketConnectable *addresses[2]; /* local and remote, or NULL */
  GBytes *data;
  LoopProtocolFactory factory;

  /* What came of it. */
  GVariant *result; /* a tuple, or NULL with an error */
  GError *error;
};

CtlRequest *ctl_request_ref (CtlRequest *self);
void ctl_request_unref (gpointer self);
void ctl_request_done (CtlRequest *self, GVariant *result);
void ctl_request_done_with_id (CtlRequest *self, guint64 id);
void ctl_request_answer (CtlRequest *self, GVariant *state);
void ctl_request_fail (CtlRequest *self);

G_END_DECLS
