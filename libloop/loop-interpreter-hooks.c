/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

/**
 * loop_event_loop_set_interpreter_hooks: (skip)
 * @self: an event loop
 * @hooks: (nullable): functions that stay valid for as long as the loop lives, none of them
 *   %NULL; or %NULL for none
 * @user_data: data for the functions
 *
 * Sets what is called when the loop begins and ceases to wait, and when callbacks run. To
 * be called on the loop's thread, or while the loop does not run.
 */
void
loop_event_loop_set_interpreter_hooks (LoopEventLoop *self, const LoopInterpreterHooks *hooks, gpointer user_data)
{
  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));

  self->hooks = hooks;
  self->hooks_data = user_data;
  loop_event_loop_store_debug (self, loop_event_loop_get_debug (self));
}

/**
 * loop_interpreter_peek_observers: (skip)
 *
 * Tells where it is counted who looks at the loops of this process, such as an inspector.
 * The number is 0 most of the time, and may change in any thread. Whoever would make up
 * names for each callback looks at it first: that is one instruction, as often as he likes.
 *
 * Returns: the place of the number, which stays valid
 */
const int *
loop_interpreter_peek_observers (void)
{
  return &loop_event_loop_n_observers;
}

/**
 * loop_interpreter_reserve_id: (skip)
 *
 * Takes an id for something of the interpreter's that inspectors are shown. It is unique in
 * the process, and never used again. From any thread.
 *
 * Returns: the id
 */
guint64
loop_interpreter_reserve_id (void)
{
  return loop_id_reserve (1);
}

/**
 * loop_interpreter_record_traceback: (skip)
 * @loop: an event loop
 * @id: the id of something that belongs to the loop, such as a handle
 * @traceback: a line for each function that was being called, the innermost last
 *
 * Remembers who made a thing, for reports of what goes wrong with it and for inspectors, in
 * the place of the functions of C that libloop finds in debug mode. From any thread.
 */
void
loop_interpreter_record_traceback (LoopEventLoop *loop, guint64 id, const char *traceback)
{
  g_return_if_fail (LOOP_IS_EVENT_LOOP (loop));
  g_return_if_fail (traceback != NULL);

  loop_traceback_record_text (loop->id, id, traceback);
}

/**
 * loop_interpreter_forget_traceback: (skip)
 * @id: an id
 *
 * Forgets what was remembered, when there is no such thing any more. From any thread.
 */
void
loop_interpreter_forget_traceback (guint64 id)
{
  loop_traceback_forget (id);
}
