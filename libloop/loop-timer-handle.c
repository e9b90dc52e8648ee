/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

/**
 * LoopTimerHandle:
 *
 * A callback that was scheduled with [method@EventLoop.call_later] or
 * [method@EventLoop.call_at].
 *
 * Everything said of [struct@Handle] is true of it. In C, a pointer to it may be cast to
 * one to a `LoopHandle`.
 */
G_DEFINE_BOXED_TYPE (LoopTimerHandle, loop_timer_handle, loop_timer_handle_ref, loop_timer_handle_unref)

/**
 * loop_timer_handle_ref:
 * @self: a timer handle
 *
 * Takes a reference; from any thread.
 *
 * Returns: (transfer full): @self
 */
LoopTimerHandle *
loop_timer_handle_ref (LoopTimerHandle *self)
{
  return (LoopTimerHandle *) loop_handle_ref ((LoopHandle *) self);
}

/**
 * loop_timer_handle_unref:
 * @self: (transfer full): a timer handle
 *
 * Drops a reference; from any thread. The callback still runs if it is pending.
 */
void
loop_timer_handle_unref (LoopTimerHandle *self)
{
  loop_handle_unref ((LoopHandle *) self);
}

/**
 * loop_timer_handle_cancel:
 * @self: a timer handle
 *
 * Cancels the call; it leaves the loop's list of timers at once. See
 * [method@Handle.cancel].
 */
void
loop_timer_handle_cancel (LoopTimerHandle *self)
{
  loop_handle_cancel ((LoopHandle *) self);
}

/**
 * loop_timer_handle_cancelled:
 * @self: a timer handle
 *
 * Tells whether the call was cancelled.
 *
 * Returns: %TRUE if it was cancelled before it ran
 */
gboolean
loop_timer_handle_cancelled (LoopTimerHandle *self)
{
  return loop_handle_cancelled ((LoopHandle *) self);
}

/**
 * loop_timer_handle_when:
 * @self: a timer handle
 *
 * Gets the time at which the callback is to run, on the clock of
 * [method@EventLoop.time].
 *
 * Returns: seconds; infinite for a timer that never fires
 */
double
loop_timer_handle_when (LoopTimerHandle *self)
{
  g_return_val_if_fail (self != NULL, 0.0);

  return self->when == LOOP_NEVER ? INFINITY : loop_clock_to_seconds (self->when);
}

/**
 * loop_timer_handle_get_id:
 * @self: a timer handle
 *
 * Gets the id by which an inspector knows the handle.
 *
 * Returns: the id
 */
guint64
loop_timer_handle_get_id (LoopTimerHandle *self)
{
  return loop_handle_get_id ((LoopHandle *) self);
}

/**
 * loop_timer_handle_set_name:
 * @self: a timer handle
 * @name: (nullable): a name for the callback
 *
 * Gives the callback a name. See [method@Handle.set_name].
 */
void
loop_timer_handle_set_name (LoopTimerHandle *self, const char *name)
{
  loop_handle_set_name ((LoopHandle *) self, name);
}

/**
 * loop_timer_handle_get_name:
 * @self: a timer handle
 *
 * Gets the name that [method@TimerHandle.set_name] gave.
 *
 * Returns: (nullable): the name
 */
const char *
loop_timer_handle_get_name (LoopTimerHandle *self)
{
  return loop_handle_get_name ((LoopHandle *) self);
}

/**
 * loop_timer_handle_describe:
 * @self: a timer handle
 *
 * Describes the handle for a log message.
 *
 * Returns: (transfer full): the description
 */
char *
loop_timer_handle_describe (LoopTimerHandle *self)
{
  return loop_handle_describe ((LoopHandle *) self);
}
