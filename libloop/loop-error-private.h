/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-error.h"

G_BEGIN_DECLS

G_GNUC_INTERNAL
void loop_set_error_from_errno (GError **error, int saved_errno, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* For the C forms that have no GError parameter: logs a critical message and frees @error. */
G_GNUC_INTERNAL
void loop_report_misuse (const char *function, GError *error);

G_END_DECLS
