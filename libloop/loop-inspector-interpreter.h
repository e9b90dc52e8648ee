/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-inspector.h>

G_BEGIN_DECLS

/**
 * LoopInterpreter: (skip)
 * @name: what it is called, such as `Python`
 * @enter: takes the interpreter's lock, and waits for it if it has to
 * @answer: answers a question about a loop, or returns %NULL, with an error or when there is
 *   nothing to say: it does not know the question, or has nothing to do with the loop
 * @leave: lets go of the lock; it gets what @enter has returned
 *
 * What an inspector asks an interpreter whose language has tasks and functions of its own.
 * The three are called one after another, with at most one question at a time, in a thread
 * that is neither the loop's nor the inspector's, but for `cancel`, which is asked in the
 * loop's. Questions, of which there may be more one day, are
 *
 * - `tasks`: an `a{sv}` with the rows, each an `a{sv}`, of the views `tasks`, `futures` and
 *   `awaits`, as arrays;
 * - `stack`: an `a{sv}` with `stack`, an array of `a{sv}` with `function`, `file` and `line`,
 *   of the functions that the loop's thread is in, the innermost first;
 * - `cancel`, with an argument of type `(ts)`, an id and a message or an empty string:
 *   an `a{sv}` with `done`, which is not 0 if the task or future was cancelled.
 *
 * Ids are those of [func@Interpreter.reserve_id].
 */
typedef struct
{
  const char *name;
  int (*enter) (void);
  GVariant *(*answer) (guint64 loop_id, const char *question, GVariant *argument, GError **error);
  void (*leave) (int state);
} LoopInterpreter;

LOOP_AVAILABLE_IN_1_0
void loop_inspector_set_interpreter (const LoopInterpreter *interpreter);

G_END_DECLS
