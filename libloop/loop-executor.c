/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-executor.h"

#include "loop-future-private.h"

/**
 * LoopExecutor:
 *
 * Something that runs functions outside the loop's thread, so that the loop need not wait
 * for them. [class@ThreadPoolExecutor] is one; [method@EventLoop.run_in_executor] uses one
 * that each loop makes for itself.
 */
G_DEFINE_INTERFACE (LoopExecutor, loop_executor, G_TYPE_OBJECT)

static void
loop_executor_default_init (LoopExecutorInterface *iface)
{
}

/**
 * loop_executor_submit: (virtual submit)
 * @self: an executor
 * @loop: the event loop of the calling thread
 * @func: (scope notified) (closure user_data) (destroy notify): the function to run
 * @user_data: data for @func
 * @notify: frees @user_data once @func has returned or will not be called
 *
 * Has a function run elsewhere, and its result or error handed to @loop.
 *
 * Cancelling the future keeps a function from being called that is not running yet. One
 * that runs goes on to its end, and what it returns is dropped.
 *
 * @notify is called on the loop's thread, and what the function has returned is freed
 * there; but both on the executor's if the loop was closed meanwhile. Closing a loop stops
 * no functions, those that wait for their turn included.
 *
 * Returns: (transfer full): the future; it has failed with %LOOP_ERROR_CLOSED if the
 *   executor was shut down or the loop is closed, and fails with the error of @func
 */
LoopFuture *
loop_executor_submit (LoopExecutor *self,
                      LoopEventLoop *loop,
                      LoopExecutorFunc func,
                      gpointer user_data,
                      GDestroyNotify notify)
{
  LoopExecutorInterface *iface;
  GError *error = NULL;

  /* Asking GObject whether it has the interface takes a lock; getting the interface does not. */
  g_return_val_if_fail (G_IS_OBJECT (self), NULL);
  iface = LOOP_EXECUTOR_GET_IFACE (self);
  g_return_val_if_fail (iface != NULL, NULL);
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (func != NULL, NULL);

  if (!loop_event_loop_check_usable (loop, &error))
    {
      loop_destroy_user_data (user_data, notify);
      return loop_future_new_failed (loop, "run_in_executor", error);
    }

  return iface->submit (self, loop, func, user_data, notify);
}

/**
 * loop_executor_shutdown: (virtual shutdown)
 * @self: an executor
 * @wait: whether to return only when all functions have returned and all threads have ended
 * @cancel_futures: whether to cancel the futures of functions that are not running yet
 *
 * Makes the executor refuse functions from now on, and end its threads when there is
 * nothing left for them to do. From any thread; futures are cancelled by their loops.
 *
 * To wait without holding up a loop, use [method@EventLoop.shutdown_default_executor].
 */
void
loop_executor_shutdown (LoopExecutor *self, gboolean wait, gboolean cancel_futures)
{
  g_return_if_fail (LOOP_IS_EXECUTOR (self));

  LOOP_EXECUTOR_GET_IFACE (self)->shutdown (self, wait, cancel_futures);
}
