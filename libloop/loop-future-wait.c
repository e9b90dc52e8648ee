/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-future-private.h"

/*
 * The bridge to GIO's way: a GTask that is completed when the future is done. It may be asked
 * for in any thread, and the callback comes there.
 */
typedef struct
{
  LoopCloseHook close_hook;
  GTask *task;        /* until it is completed; keeps the future, which keeps this by its callback */
  LoopFuture *future; /* as long as a cancellation may come */
  guint64 callback;
  gulong cancelled_handler;
} LoopFutureWait;

static void
future_wait_unref (gpointer wait)
{
  g_atomic_rc_box_release (wait);
}

/* Lets go of all that may complete the task. */
static GTask *
steal_task (LoopFutureWait *self)
{
  GTask *task = g_steal_pointer (&self->task);

  if (task == NULL)
    return NULL;

  loop_close_hook_remove (&self->close_hook);
  g_cancellable_disconnect (g_task_get_cancellable (task), self->cancelled_handler);

  return task;
}

static void
complete (LoopFutureWait *self, LoopFuture *future)
{
  g_autoptr (GTask) task = steal_task (self);
  GValue value = G_VALUE_INIT;
  GError *error = NULL;

  if (task == NULL)
    return;

  if (!loop_future_result (future, &value, &error))
    g_task_return_error (task, error);
  else
    g_task_return_value (task, &value);

  if (G_IS_VALUE (&value))
    g_value_unset (&value);
}

static void
future_done (LoopFuture *future, gpointer wait)
{
  complete (wait, future);
}

/* Takes @error. The future is left alone. */
static void
give_up (LoopFutureWait *self, GError *error)
{
  g_autoptr (GTask) task = steal_task (self);

  if (task == NULL)
    {
      g_error_free (error);
      return;
    }

  loop_future_remove_done_callback (self->future, self->callback);
  g_task_return_error (task, error);
}

static void
loop_closed (LoopCloseHook *hook)
{
  LoopFutureWait *self = (LoopFutureWait *) ((char *) hook - G_STRUCT_OFFSET (LoopFutureWait, close_hook));

  give_up (self, g_error_new_literal (LOOP_ERROR, LOOP_ERROR_CLOSED, "The event loop was closed"));
}

static void
handle_cancelled (gpointer wait)
{
  give_up (wait, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "The wait for the future was cancelled"));
}

/* In any thread. When the loop is closed meanwhile, that completes the task. It is never freed before this returns. */
static void
cancelled (GCancellable *cancellable, gpointer data)
{
  LoopFutureWait *self = data;

  loop_event_loop_call_soon_threadsafe (self->future->loop, handle_cancelled, g_atomic_rc_box_acquire (self),
                                        future_wait_unref, NULL, NULL);
}

static void
attach (LoopFutureWait *self)
{
  GCancellable *cancellable = g_task_get_cancellable (self->task);

  self->close_hook.closed = loop_closed;
  loop_event_loop_add_close_hook (self->future->loop, &self->close_hook);
  self->callback =
      loop_future_add_done_callback (self->future, future_done, g_atomic_rc_box_acquire (self), future_wait_unref);
  if (cancellable != NULL)
    self->cancelled_handler =
        g_cancellable_connect (cancellable, G_CALLBACK (cancelled), g_atomic_rc_box_acquire (self), future_wait_unref);
}

/* On the loop's thread. */
static void
begin_wait (gpointer task)
{
  LoopFuture *future = g_task_get_source_object (task);
  LoopFutureWait *self = g_atomic_rc_box_new0 (LoopFutureWait);

  self->task = g_object_ref (task);
  self->future = future;

  if (!loop_future_is_pending (future))
    complete (self, future);
  else if (future->loop->is_closed)
    give_up (self, g_error_new_literal (LOOP_ERROR, LOOP_ERROR_CLOSED, "The event loop is closed"));
  else
    attach (self);

  future_wait_unref (self);
}
/**
 * loop_future_wait_async:
 * @self: a future
 * @cancellable: (nullable): ends the wait, but not what is waited for, which
 *   [method@Future.cancel] does
 * @callback: (scope async): is called when the future is done
 * @user_data: data for @callback
 *
 * Waits for the future as GIO does. It may be called in any thread; @callback comes in the
 * thread-default main context of that thread.
 */
void
loop_future_wait_async (LoopFuture *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  GError *error = NULL;

  g_return_if_fail (LOOP_IS_FUTURE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, loop_future_wait_async);
  g_task_set_name (task, "loop_future_wait");

  if (!loop_event_loop_is_elsewhere (self->loop))
    begin_wait (task);
  else if (!loop_event_loop_call_soon_threadsafe (self->loop, begin_wait, g_object_ref (task), g_object_unref, NULL,
                                                  &error))
    g_task_return_error (task, error);
}

/**
 * loop_future_wait_finish:
 * @self: a future
 * @result: what the callback of [method@Future.wait_async] got
 * @value: (out caller-allocates) (optional): return location for the future's result,
 *   uninitialised, as of [method@Future.result]
 * @error: return location for an error
 *
 * Ends a wait.
 *
 * Returns: (skip): %TRUE, or %FALSE with the error of the future, with
 *   %G_IO_ERROR_CANCELLED if the future or the wait was cancelled, or with
 *   %LOOP_ERROR_CLOSED if the loop was closed
 */
gboolean
loop_future_wait_finish (LoopFuture *self, GAsyncResult *result, GValue *value, GError **error)
{
  GValue ignored = G_VALUE_INIT;
  gboolean success;

  g_return_val_if_fail (LOOP_IS_FUTURE (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  success = g_task_propagate_value (G_TASK (result), value != NULL ? value : &ignored, error);
  if (G_IS_VALUE (&ignored))
    g_value_unset (&ignored);

  return success;
}
