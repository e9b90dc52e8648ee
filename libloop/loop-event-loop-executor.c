/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-executor.h"

#include "loop-future-private.h"
#include "loop-thread-pool-executor-private.h"

/* What a loop, and an inspector of it, knows of its default executor: from when it is first spoken of until the loop is closed. */
typedef struct
{
  LoopEventLoop *loop;
  LoopCloseHook hook;
  LoopThreadPoolExecutor *executor; /* or NULL */
  gboolean is_shut_down;            /* for good, whatever executor is set afterwards */
} DefaultExecutor;

static void
publish (LoopEventLoop *loop, DefaultExecutor *self)
{
  loop_event_loop_enter (loop);
  loop->default_executor = self;
  loop_event_loop_leave (loop);
}

/* Takes @executor. */
static void
set_executor (DefaultExecutor *self, LoopThreadPoolExecutor *executor)
{
  LoopThreadPoolExecutor *previous;

  loop_event_loop_enter (self->loop);
  previous = self->executor;
  self->executor = executor;
  loop_event_loop_leave (self->loop);

  if (previous != NULL)
    g_object_unref (previous);
}

gboolean
loop_executor_describe_default (LoopEventLoop *loop, LoopExecutorDescription *description)
{
  DefaultExecutor *self = loop->default_executor;

  if (self == NULL || self->executor == NULL)
    return FALSE;

  loop_thread_pool_executor_describe (self->executor, description);

  return TRUE;
}

static void
default_executor_loop_closed (LoopCloseHook *hook)
{
  DefaultExecutor *self = (DefaultExecutor *) ((char *) hook - G_STRUCT_OFFSET (DefaultExecutor, hook));

  publish (self->loop, NULL);
  if (self->executor != NULL)
    loop_executor_shutdown (LOOP_EXECUTOR (self->executor), FALSE, FALSE);
  g_clear_object (&self->executor);
  g_free (self);
}

/* Of a loop that is open. */
static DefaultExecutor *
get_default_executor (LoopEventLoop *loop)
{
  DefaultExecutor *self = loop->default_executor;

  if (self == NULL)
    {
      self = g_new0 (DefaultExecutor, 1);
      self->loop = loop;
      self->hook.closed = default_executor_loop_closed;
      loop_event_loop_add_close_hook (loop, &self->hook);
      publish (loop, self);
    }

  return self;
}

static LoopFuture *
fail (LoopEventLoop *self, const char *name, GError *error, gpointer user_data, GDestroyNotify notify)
{
  loop_destroy_user_data (user_data, notify);

  return loop_future_new_failed (self, name, error);
}

/**
 * loop_event_loop_run_in_executor:
 * @self: an event loop
 * @executor: (nullable): an executor; %NULL for the loop's default one, which is made when
 *   it is first needed
 * @func: (scope notified) (closure user_data) (destroy notify): the function to run
 * @user_data: data for @func
 * @notify: frees @user_data once @func has returned or will not be called
 *
 * Runs a function in a thread of an executor, while the loop goes on. See
 * [method@Executor.submit].
 *
 * Returns: (transfer full): a future with the result of @func; it has failed with
 *   %LOOP_ERROR_CLOSED if the executor was shut down or the loop is closed, and fails with
 *   the error of @func
 */
LoopFuture *
loop_event_loop_run_in_executor (LoopEventLoop *self,
                                 LoopExecutor *executor,
                                 LoopExecutorFunc func,
                                 gpointer user_data,
                                 GDestroyNotify notify)
{
  DefaultExecutor *ours;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (func != NULL, NULL);

  if (executor != NULL)
    return loop_executor_submit (executor, self, func, user_data, notify);

  if (!loop_event_loop_check_usable (self, &error))
    return fail (self, "run_in_executor", error, user_data, notify);

  ours = get_default_executor (self);
  if (ours->is_shut_down)
    {
      error = g_error_new_literal (LOOP_ERROR, LOOP_ERROR_CLOSED, "Executor shutdown has been called");
      return fail (self, "run_in_executor", error, user_data, notify);
    }

  if (ours->executor == NULL)
    set_executor (ours, loop_thread_pool_executor_new (0, "loop"));

  return loop_executor_submit (LOOP_EXECUTOR (ours->executor), self, func, user_data, notify);
}

/**
 * loop_event_loop_set_default_executor:
 * @self: an event loop
 * @executor: the executor: a [class@ThreadPoolExecutor], anything else is refused with a
 *   critical message
 *
 * Sets the executor that [method@EventLoop.run_in_executor] uses when it is given none. The
 * loop shuts it down when it is closed. One that was set before is not shut down by this.
 */
void
loop_event_loop_set_default_executor (LoopEventLoop *self, LoopExecutor *executor)
{
  GError *error = NULL;

  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));
  g_return_if_fail (LOOP_IS_EXECUTOR (executor));

  if (!LOOP_IS_THREAD_POOL_EXECUTOR (executor))
    g_set_error (&error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "The default executor must be a LoopThreadPoolExecutor, which a %s is not",
                 G_OBJECT_TYPE_NAME (executor));
  else
    loop_event_loop_check_usable (self, &error);

  if (error != NULL)
    {
      loop_report_misuse (G_STRFUNC, error);
      return;
    }

  set_executor (get_default_executor (self), LOOP_THREAD_POOL_EXECUTOR (g_object_ref (executor)));
}

/* What is to be done when the threads have ended, or when it takes them too long. */
typedef struct
{
  guint ref_count; /* the done callback's and the timer's */
  LoopThreadPoolExecutor *executor;
  LoopFuture *future;
  LoopHandle *timer; /* or NULL; it keeps the future */
  double timeout;
} Shutdown;

static void
shutdown_unref (gpointer data)
{
  Shutdown *self = data;

  if (--self->ref_count > 0)
    return;

  g_object_unref (self->executor);
  g_free (self);
}

static void
shutdown_timer_gone (gpointer data)
{
  Shutdown *self = data;
  LoopFuture *future = self->future;

  self->timer = NULL;
  shutdown_unref (self);
  g_object_unref (future);
}

static void
shutdown_done (LoopFuture *future, gpointer user_data)
{
  Shutdown *self = user_data;

  if (self->timer != NULL)
    loop_handle_cancel (self->timer);
  loop_thread_pool_executor_join (self->executor);
}

static void
shutdown_timed_out (gpointer data)
{
  Shutdown *self = data;

  if (!loop_future_is_pending (self->future))
    return;

  g_warning ("The executor did not finish joining its threads within %g seconds", self->timeout);
  loop_future_fulfil (self->future);
}

/**
 * loop_event_loop_shutdown_default_executor:
 * @self: an event loop
 * @timeout: seconds to wait at most; infinite and negative mean as long as it takes
 *
 * Shuts the default executor down, and waits for its threads to end while the loop goes on.
 * From now on [method@EventLoop.run_in_executor] refuses functions for the default executor.
 *
 * If the threads take longer than @timeout, a warning is logged and they are not waited for.
 *
 * Returns: (transfer full): a future, which has no result; it has failed with
 *   %G_IO_ERROR_INVALID_ARGUMENT if @timeout is not a number, and with %LOOP_ERROR_CLOSED if
 *   the loop is closed
 */
LoopFuture *
loop_event_loop_shutdown_default_executor (LoopEventLoop *self, double timeout)
{
  static const char *const name = "shutdown_default_executor";
  g_autoptr (LoopFuture) future = NULL;
  DefaultExecutor *ours;
  Shutdown *shutdown;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);

  if (isnan (timeout))
    g_set_error_literal (&error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The timeout of a shutdown is not a number");
  else
    loop_event_loop_check_usable (self, &error);
  if (error != NULL)
    return loop_future_new_failed (self, name, error);

  ours = get_default_executor (self);
  ours->is_shut_down = TRUE;
  if (ours->executor == NULL)
    {
      future = loop_future_new (self, name);
      loop_future_fulfil (future);
      return g_steal_pointer (&future);
    }

  future = loop_thread_pool_executor_shutdown_async (ours->executor, self, name);
  if (!loop_future_is_pending (future))
    return g_steal_pointer (&future);

  shutdown = g_new0 (Shutdown, 1);
  shutdown->ref_count = 1;
  shutdown->executor = g_object_ref (ours->executor);
  shutdown->future = future;
  shutdown->timeout = timeout;
  loop_future_add_done_callback (future, shutdown_done, shutdown, shutdown_unref);

  if (timeout >= 0.0 && !isinf (timeout))
    {
      shutdown->ref_count++;
      g_object_ref (future);
      shutdown->timer = (LoopHandle *) loop_event_loop_schedule_at (
          self, loop_clock_after (timeout), shutdown_timed_out, shutdown, shutdown_timer_gone, name);
    }

  return g_steal_pointer (&future);
}
