/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * Where and when things were made, by their ids, while debug mode is on. From any thread: what is kept
 * here is neither a loop's nor an inspector's, and has a lock of its own, so nobody may look
 * at it under a hold of the guard.
 */
G_GNUC_INTERNAL
void loop_traceback_record (guint64 loop_id, guint64 id);
G_GNUC_INTERNAL
void loop_traceback_record_text (guint64 loop_id, guint64 id, const char *text);
G_GNUC_INTERNAL
void loop_traceback_forget (guint64 id);
G_GNUC_INTERNAL
void loop_traceback_forget_loop (guint64 loop_id);
G_GNUC_INTERNAL
char *loop_traceback_to_string (guint64 id);
G_GNUC_INTERNAL
char *loop_traceback_get_origin (guint64 id);
G_GNUC_INTERNAL
gint64 loop_traceback_get_time (guint64 id);

G_END_DECLS
