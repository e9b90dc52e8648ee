/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "output.h"

G_BEGIN_DECLS

/* Where commands come from, if not from the command line itself. */
typedef struct
{
  gboolean is_file;
  char *text; /* commands, or the name of a file ("-": standard input) */
} CtlScript;

typedef struct
{
  CtlFormat format;
  CtlColor color;
  double timeout;
  guint64 loop_id;
  GPtrArray *scripts; /* of CtlScript */
  gboolean is_version_wanted;
  gboolean is_manual_wanted;
  char *completion; /* the shell to print a script for */

  /* Of "loopctl host". */
  char *echo;
  gboolean has_no_shell;
  gboolean is_read_only;
} CtlOptions;

extern const GOptionEntry ctl_option_entries[];
extern const GOptionEntry ctl_host_option_entries[];

CtlOptions *ctl_options_new (void);
void ctl_options_free (CtlOptions *self);
char **ctl_options_parse (CtlOptions *self, char **words, gboolean is_host, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlOptions, ctl_options_free)

G_END_DECLS
