/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-future-private.h"

/**
 * loop_event_loop_create_future:
 * @self: an event loop
 *
 * Makes a future that belongs to the loop.
 *
 * Returns: (transfer full): the future
 */
LoopFuture *
loop_event_loop_create_future (LoopEventLoop *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);

  return loop_future_new (self, NULL);
}

/* It may come when the run that waits for it is over: it is not to stop the next one. */
static void
stop_loop (LoopFuture *future, gpointer user_data)
{
  const gboolean *is_waiting = user_data;

  if (*is_waiting)
    loop_event_loop_stop (future->loop);
}

/**
 * loop_event_loop_run_until_complete:
 * @self: an event loop
 * @future: a future of this loop
 * @result: (out caller-allocates) (optional): return location for the result, uninitialised
 * @error: return location for an error
 *
 * Runs the loop until @future is done, and gets its result.
 *
 * Returns: (skip): %TRUE, or %FALSE with the error of the future, with
 *   %G_IO_ERROR_CANCELLED, with %LOOP_ERROR_STOPPED when the loop was stopped before, or
 *   with an error of [method@EventLoop.run_forever]
 */
gboolean
loop_event_loop_run_until_complete (LoopEventLoop *self, LoopFuture *future, GValue *result, GError **error)
{
  g_autoptr (LoopFuture) keep = NULL;
  gboolean *is_waiting;
  guint64 callback;
  gboolean success;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);
  g_return_val_if_fail (LOOP_IS_FUTURE (future), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (future->loop != self)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                           "The future belongs to a different event loop");
      return FALSE;
    }

  keep = g_object_ref (future);

  if (self->is_closed || loop_event_loop_is_running (self))
    return loop_event_loop_run_forever_full (self, error);

  is_waiting = g_rc_box_new (gboolean);
  *is_waiting = TRUE;
  callback = loop_future_add_done_callback (future, stop_loop, g_rc_box_acquire (is_waiting), g_rc_box_release);
  success = loop_event_loop_run_forever_full (self, error);
  loop_future_remove_done_callback (future, callback);
  *is_waiting = FALSE;
  g_rc_box_release (is_waiting);

  if (!success)
    return FALSE;

  if (loop_future_is_pending (future))
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_STOPPED, "The event loop stopped before the future was done");
      return FALSE;
    }

  return loop_future_result (future, result, error);
}
