/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-inspector-interpreter.h"

G_BEGIN_DECLS

/* Of a loop's tasks, in pages: all of them are of what was answered for the first. */
#define LOOP_INSPECTOR_TASKS_QUESTION "tasks"
#define LOOP_INSPECTOR_STACK_QUESTION "stack"

/*
 * Asks the interpreter, on the inspector's thread, which waits for a second at most if the
 * interpreter does not let go of its lock.
 *
 * Returns: (nullable): an array of dictionaries; NULL without an error: there is no interpreter
 *   that has to do with the loop
 */
G_GNUC_INTERNAL
GVariant *loop_inspector_ask_interpreter (guint64 loop_id, const char *question, const char *key, GError **error);
G_GNUC_INTERNAL
GVariant *loop_inspector_list_of_interpreter (guint64 loop_id, const char *kind, gboolean is_first, GError **error);
G_GNUC_INTERNAL
void loop_inspector_forget_interpreter (void);

/* On the loop's thread. Returns: whether it has cancelled something */
G_GNUC_INTERNAL
gboolean loop_inspector_cancel_of_interpreter (guint64 loop_id, guint64 id, const char *message);

G_END_DECLS
