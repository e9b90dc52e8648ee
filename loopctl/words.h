/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

GPtrArray *ctl_words_split (const char *text, GError **error);
char **ctl_words_split_unfinished (const char *text);

gboolean ctl_words_parse_id (const char *text, guint64 *id, GError **error);
gboolean ctl_words_parse_seconds (const char *text, double *seconds, GError **error);

/* Returns: the bytes that a text with escapes as in C means */
GBytes *ctl_words_unescape (const char *text, GError **error);

G_END_DECLS
