/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A socket in the directory of inspectors, behind which somebody listens. */
typedef struct
{
  char *path;
  char *program; /* as the kernel knows it, NULL if it does not */
  guint pid;     /* as the name says, 0 if it does not */
} CtlEndpoint;

GPtrArray *ctl_directory_scan (GError **error);
char *ctl_directory_resolve (const char *target, GError **error);
char *ctl_program_of (guint pid);

G_END_DECLS
