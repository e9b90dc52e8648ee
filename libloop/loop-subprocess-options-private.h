/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-subprocess-options.h"

G_BEGIN_DECLS

struct _LoopSubprocessOptions
{
  GObject parent_instance;

  int fds[3];
  char *executable;
  char *cwd;
  char **env;
  gboolean close_fds;
  gboolean restore_signals;
  gboolean start_new_session;
  int process_group;
  int mask;
  gint64 uid;
  gint64 gid;
  GArray *pass_fds;     /* int */
  GArray *extra_groups; /* guint32; or NULL: those of this process */
};

G_END_DECLS
