/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Exit codes, those of psql; but for the first they are also the codes of CTL_ERROR. */
typedef enum
{
  CTL_EXIT_OK,
  CTL_EXIT_USAGE,      /* loopctl was called in the wrong way, or failed by itself */
  CTL_EXIT_CONNECTION, /* the target cannot be reached, or went away */
  CTL_EXIT_FAILED,     /* the target refused or failed a command */
} CtlExit;

#define CTL_ERROR (ctl_error_quark ())

GQuark ctl_error_quark (void);

CtlExit ctl_error_get_exit (const GError *error);
const char *ctl_error_get_name (const GError *error);
char *ctl_error_get_message (const GError *error);

/* Sets CTL_ERROR with CTL_EXIT_USAGE; returns FALSE, so that it can be returned. */
gboolean ctl_usage_error (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

G_END_DECLS
