/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-task-private.h"

/**
 * LoopTask:
 *
 * A coroutine that a loop drives, and the future of what it returns.
 *
 * The coroutine begins in the next iteration of the loop. Whenever it waits for a future
 * the loop goes on with other things, and with the coroutine in the iteration after that
 * future is done. It runs in one thread, that of the loop.
 *
 * [method@Future.cancel] of a task cancels the future that it waits for, or has the
 * coroutine fail with %G_IO_ERROR_CANCELLED when it goes on: so it can clean up, and may
 * even go on in spite of it. The task is cancelled once the coroutine has ended with that
 * error.
 *
 * The loop keeps a task alive that is to run, and so does a future for which it waits. A
 * task that is still pending when it is freed, or when its loop is closed, is reported to
 * the exception handler, and its coroutine is closed.
 */
G_DEFINE_FINAL_TYPE (LoopTask, loop_task, LOOP_TYPE_FUTURE)

static void step (LoopTask *self, const GError *exception);

static void
run_step (gpointer data)
{
  step (data, NULL);
}

static void
schedule_step (LoopTask *self)
{
  loop_event_loop_schedule (self->parent_instance.loop, run_step, g_object_ref (self), g_object_unref,
                            self->coroutine_name != NULL ? self->coroutine_name : "task");
}

/* Takes @waiter. */
static void
set_waiter (LoopTask *self, LoopFuture *waiter, guint64 callback)
{
  LoopEventLoop *loop = self->parent_instance.loop;
  LoopFuture *previous;

  loop_event_loop_enter (loop);
  previous = self->waiter;
  self->waiter = waiter;
  loop_event_loop_leave (loop);

  self->waiter_callback = callback;
  if (previous != NULL)
    g_object_unref (previous);
}

static LoopCoroutine *
steal_coroutine (LoopTask *self)
{
  LoopEventLoop *loop = self->parent_instance.loop;
  LoopCoroutine *coroutine;

  loop_close_hook_remove (&self->close_hook);
  loop_event_loop_enter (loop);
  coroutine = g_steal_pointer (&self->coroutine);
  loop_event_loop_leave (loop);

  return coroutine;
}

/* Returns: (nullable): the task that was the current one */
static LoopTask *
begin_step (LoopTask *self)
{
  LoopEventLoop *loop = self->parent_instance.loop;
  LoopFuture *waiter;
  LoopTask *outer;

  loop_event_loop_enter (loop);
  waiter = g_steal_pointer (&self->waiter);
  outer = loop->current_task;
  loop->current_task = self;
  loop_event_loop_leave (loop);

  self->waiter_callback = 0;
  if (waiter != NULL)
    g_object_unref (waiter);

  return outer;
}

static void
end_step (LoopEventLoop *loop, LoopTask *outer)
{
  loop_event_loop_enter (loop);
  loop->current_task = outer;
  loop_event_loop_leave (loop);
}

/* What the task waited for is done. The coroutine looks itself at how. */
static void
wake_up (LoopFuture *future, gpointer data)
{
  LoopTask *self = data;

  if (self->waiter == future)
    step (self, NULL);
}

/* Waits for @future, whose reference is ours, or tells the coroutine why it cannot. */
static void
await (LoopTask *self, LoopFuture *future)
{
  LoopFuture *base = LOOP_FUTURE (self);
  g_autoptr (GError) error = NULL;

  if (future == base)
    g_set_error_literal (&error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "A task cannot await itself");
  else if (future->loop != base->loop)
    g_set_error_literal (&error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                         "The future that a task awaits belongs to a different event loop");

  if (error != NULL)
    {
      g_object_unref (future);
      step (self, error);
      return;
    }

  set_waiter (self, future, loop_future_add_waiter (future, base, wake_up, g_object_ref (self), g_object_unref));

  if (self->must_cancel && loop_future_cancel_with_message (future, base->cancel_message))
    self->must_cancel = FALSE;
}

static void
finish_returned (LoopTask *self, GValue *result)
{
  LoopFuture *base = LOOP_FUTURE (self);

  if (self->must_cancel)
    {
      /* It was asked to stop, and had nothing more to wait for. */
      self->must_cancel = FALSE;
      loop_future_finish_cancelled (base, NULL);
      return;
    }

  loop_future_fulfil_value (base, result);
}

static void
finish_raised (LoopTask *self, GError *exception)
{
  LoopFuture *base = LOOP_FUTURE (self);

  if (g_error_matches (exception, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      loop_future_finish_cancelled (base, NULL);
      g_error_free (exception);
      return;
    }

  loop_future_fail (base, exception);
}

static GError *
make_cancelled_error (LoopTask *self)
{
  const char *message = LOOP_FUTURE (self)->cancel_message;

  return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, message != NULL ? message : "The task was cancelled");
}

/* Lets the coroutine go on until it waits or ends. Whoever calls it has a reference. */
static void
step (LoopTask *self, const GError *exception)
{
  LoopFuture *base = LOOP_FUTURE (self);
  LoopEventLoop *loop = base->loop;
  g_autoptr (GError) cancelled = NULL;
  g_auto (GValue) result = G_VALUE_INIT;
  LoopFuture *awaited = NULL;
  GError *error = NULL;
  LoopCoroutineStatus status;
  LoopTask *outer;

  /* It may have been closed with its loop. */
  if (!loop_future_is_pending (base) || self->coroutine == NULL)
    return;

  if (self->must_cancel)
    {
      self->must_cancel = FALSE;
      exception = cancelled = make_cancelled_error (self);
      /* The coroutine will not know that what it waited for has come all the same. */
      if (self->waiter != NULL && !loop_future_is_pending (self->waiter))
        loop_future_give_back (self->waiter);
    }

  outer = begin_step (self);
  if (exception != NULL)
    status = loop_coroutine_throw (self->coroutine, exception, &awaited, &result, &error);
  else
    status = loop_coroutine_send_through (self->coroutine_iface, self->coroutine, &awaited, &result, &error);
  end_step (loop, outer);

  switch (status)
    {
    case LOOP_COROUTINE_AWAITING:
      if (awaited != NULL)
        await (self, awaited);
      else
        schedule_step (self);
      break;

    case LOOP_COROUTINE_RETURNED:
      g_object_unref (steal_coroutine (self));
      finish_returned (self, &result);
      break;

    case LOOP_COROUTINE_RAISED:
    default:
      if (error == NULL)
        g_set_error (&error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "Coroutine %s failed without an error",
                     loop_coroutine_get_name (self->coroutine));
      g_object_unref (steal_coroutine (self));
      finish_raised (self, error);
    }
}

static void
set_n_cancels (LoopTask *self, guint n_cancels)
{
  LoopEventLoop *loop = self->parent_instance.loop;

  loop_event_loop_enter (loop);
  self->n_cancels = n_cancels;
  loop_event_loop_leave (loop);
}

static gboolean
loop_task_cancel (LoopFuture *base, const char *message)
{
  LoopTask *self = LOOP_TASK (base);

  if (!loop_future_is_pending (base))
    return FALSE;

  set_n_cancels (self, self->n_cancels + 1);
  loop_future_set_cancel_message (base, message);

  /* What it waits for may be a task as well, and go on in spite of it. */
  if (self->waiter != NULL && loop_future_cancel_with_message (self->waiter, message))
    return TRUE;

  self->must_cancel = TRUE;

  return TRUE;
}

static LoopExceptionContext *
make_pending_report (LoopTask *self)
{
  g_autofree char *message = g_strdup_printf ("Task %s (%s) was destroyed but it is pending", loop_task_get_name (self),
                                              loop_coroutine_get_name (self->coroutine));
  LoopExceptionContext *context = loop_exception_context_new (message, NULL);

  loop_exception_context_take_source_traceback (context, loop_traceback_to_string (LOOP_FUTURE (self)->node.id));

  return context;
}

static void
unref_coroutine (gpointer coroutine)
{
  loop_coroutine_close (coroutine);
  g_object_unref (coroutine);
}

/* Ends the coroutine without a word to whoever waits for the task. */
static void
abandon (LoopTask *self)
{
  LoopCoroutine *coroutine = steal_coroutine (self);

  set_waiter (self, NULL, 0);
  if (coroutine != NULL)
    loop_event_loop_bury (LOOP_FUTURE (self)->loop, coroutine, unref_coroutine);
}

static void
loop_closed (LoopCloseHook *hook)
{
  LoopTask *self = (LoopTask *) ((char *) hook - G_STRUCT_OFFSET (LoopTask, close_hook));
  g_autoptr (LoopTask) keep G_GNUC_UNUSED = g_object_ref (self);
  LoopFuture *waiter = self->waiter != NULL ? g_object_ref (self->waiter) : NULL;
  LoopExceptionContext *report = make_pending_report (self);

  loop_exception_context_set_future (report, LOOP_FUTURE (self));
  loop_event_loop_report (LOOP_FUTURE (self)->loop, report);
  if (waiter != NULL)
    {
      loop_future_remove_done_callback (waiter, self->waiter_callback);
      g_object_unref (waiter);
    }
  abandon (self);
  loop_future_finish_cancelled (LOOP_FUTURE (self), "The event loop was closed");
}

static void
loop_task_dispose (GObject *object)
{
  LoopTask *self = LOOP_TASK (object);
  LoopFuture *base = LOOP_FUTURE (object);

  /* First this: whatever thread it is, an inspector may be looking at the coroutine. */
  if (self->coroutine != NULL)
    loop_event_loop_unregister (base->loop, base->kind, &base->node);

  if (self->coroutine != NULL && loop_event_loop_is_elsewhere (base->loop))
    {
      /* The loop cannot be asked for anything but this. */
      loop_event_loop_bury (base->loop, g_steal_pointer (&self->coroutine), unref_coroutine);
    }
  else if (self->coroutine != NULL)
    {
      loop_event_loop_report_freed (base->loop, make_pending_report (self), base);
      abandon (self);
    }

  G_OBJECT_CLASS (loop_task_parent_class)->dispose (object);
}

static void
loop_task_finalize (GObject *object)
{
  LoopTask *self = LOOP_TASK (object);

  g_clear_object (&self->waiter);
  g_free (self->name);

  G_OBJECT_CLASS (loop_task_parent_class)->finalize (object);
}

static void
loop_task_class_init (LoopTaskClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = loop_task_dispose;
  object_class->finalize = loop_task_finalize;

  klass->parent_class.cancel = loop_task_cancel;
}

static void
loop_task_init (LoopTask *self)
{
  LOOP_FUTURE (self)->kind = LOOP_REGISTRY_TASKS;
  self->close_hook.closed = loop_closed;
}

/**
 * loop_task_new:
 * @loop: an event loop
 * @coroutine: a coroutine that was not begun
 *
 * Makes a task, without asking the loop's task factory: this is what a factory calls.
 *
 * Returns: (transfer full): the task
 */
LoopTask *
loop_task_new (LoopEventLoop *loop, LoopCoroutine *coroutine)
{
  static guint64 n_tasks;
  LoopTask *self;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (LOOP_IS_COROUTINE (coroutine), NULL);

  /* Once it is set up, an inspector may be looking. */
  self = g_object_new (LOOP_TYPE_TASK, NULL);
  self->coroutine = g_object_ref (coroutine);
  self->coroutine_iface = LOOP_COROUTINE_GET_IFACE (coroutine);
  self->number = __atomic_add_fetch (&n_tasks, 1, __ATOMIC_RELAXED);
  if (loop_event_loop_is_timed (loop))
    self->coroutine_name = g_intern_string (loop_coroutine_get_name (coroutine));
  loop_future_set_up (LOOP_FUTURE (self), loop, "task");

  loop_event_loop_add_close_hook (loop, &self->close_hook);
  schedule_step (self);

  return self;
}

/**
 * loop_event_loop_create_task:
 * @self: an event loop
 * @coroutine: a coroutine that was not begun
 *
 * Has the loop drive a coroutine: through the task factory, if one is set.
 *
 * Returns: (transfer full) (nullable): the task; %NULL with a critical message if the loop is
 *   closed or the factory made none
 */
LoopTask *
loop_event_loop_create_task (LoopEventLoop *self, LoopCoroutine *coroutine)
{
  GError *error = NULL;
  LoopTask *task;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (LOOP_IS_COROUTINE (coroutine), NULL);

  if (!loop_event_loop_check_usable (self, &error))
    {
      loop_report_misuse (G_STRFUNC, error);
      return NULL;
    }

  if (self->task_factory == NULL)
    return loop_task_new (self, coroutine);

  task = ((LoopTaskFactory) self->task_factory) (self, coroutine, self->task_factory_data);
  g_return_val_if_fail (LOOP_IS_TASK (task), NULL);

  return task;
}

/**
 * loop_event_loop_spawn: (skip)
 * @self: an event loop
 * @func: (scope notified) (closure user_data) (destroy notify): the function to run
 * @user_data: data for @func
 * @notify: frees @user_data once @func has returned or will not be called
 *
 * Runs a function in a fiber, as a task.
 *
 * Returns: (transfer full) (nullable): the task; as for [method@EventLoop.create_task]
 */
LoopTask *
loop_event_loop_spawn (LoopEventLoop *self, LoopFiberFunc func, gpointer user_data, GDestroyNotify notify)
{
  g_autoptr (LoopFiber) fiber = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (func != NULL, NULL);

  fiber = loop_fiber_new (func, user_data, notify);

  return loop_event_loop_create_task (self, LOOP_COROUTINE (fiber));
}

/**
 * loop_event_loop_set_task_factory:
 * @self: an event loop
 * @factory: (nullable) (scope notified) (closure user_data) (destroy notify): the function that
 *   makes the loop's tasks, or %NULL for [ctor@Task.new]
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Sets what makes the tasks of [method@EventLoop.create_task].
 */
void
loop_event_loop_set_task_factory (LoopEventLoop *self,
                                  LoopTaskFactory factory,
                                  gpointer user_data,
                                  GDestroyNotify notify)
{
  gpointer old_data;
  GDestroyNotify old_notify;

  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));

  old_data = self->task_factory_data;
  old_notify = self->task_factory_notify;
  self->task_factory = (gpointer) factory;
  self->task_factory_data = user_data;
  self->task_factory_notify = notify;
  loop_destroy_user_data (old_data, old_notify);
}

/**
 * loop_event_loop_get_task_factory: (skip)
 * @self: an event loop
 * @user_data: (out) (optional): return location for the factory's data
 *
 * Gets the factory that [method@EventLoop.set_task_factory] set.
 *
 * Returns: (nullable): the factory, or %NULL if there is none
 */
LoopTaskFactory
loop_event_loop_get_task_factory (LoopEventLoop *self, gpointer *user_data)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);

  if (user_data != NULL)
    *user_data = self->task_factory_data;

  return (LoopTaskFactory) self->task_factory;
}

/**
 * loop_event_loop_get_current_task:
 * @self: an event loop
 *
 * Gets the task whose coroutine is running.
 *
 * Returns: (transfer none) (nullable): the task, or %NULL outside of tasks
 */
LoopTask *
loop_event_loop_get_current_task (LoopEventLoop *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);

  return self->current_task;
}

/**
 * loop_event_loop_all_tasks:
 * @self: an event loop
 *
 * Gets the tasks of the loop that are not done. The loop's own thread only.
 *
 * Returns: (transfer container) (element-type LoopTask): the tasks, the oldest first
 */
GPtrArray *
loop_event_loop_all_tasks (LoopEventLoop *self)
{
  GPtrArray *tasks;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);

  tasks = g_ptr_array_new_with_free_func (g_object_unref);
  LOOP_REGISTRY_FOREACH (&self->registry, LOOP_REGISTRY_TASKS, node)
    {
      LoopTask *task = loop_task_from_node (node);

      if (loop_future_is_pending (LOOP_FUTURE (task)))
        g_ptr_array_add (tasks, g_object_ref (task));
    }

  return tasks;
}

/**
 * loop_task_get_coroutine:
 * @self: a task
 *
 * Gets the coroutine that the task drives.
 *
 * Returns: (transfer none) (nullable): the coroutine, or %NULL once it has ended
 */
LoopCoroutine *
loop_task_get_coroutine (LoopTask *self)
{
  g_return_val_if_fail (LOOP_IS_TASK (self), NULL);

  return self->coroutine;
}

/**
 * loop_task_get_name:
 * @self: a task
 *
 * Gets the name of the task: `Task-1`, `Task-2` and so on if none was set.
 *
 * Returns: (transfer none): the name
 */
const char *
loop_task_get_name (LoopTask *self)
{
  g_return_val_if_fail (LOOP_IS_TASK (self), NULL);

  if (self->name == NULL)
    loop_task_set_name (self, NULL);

  return self->name;
}

/**
 * loop_task_set_name:
 * @self: a task
 * @name: (nullable): a name, or %NULL for one that is made of the task's number
 *
 * Gives the task a name for messages.
 */
void
loop_task_set_name (LoopTask *self, const char *name)
{
  LoopEventLoop *loop;
  char *new_name;
  char *old_name;

  g_return_if_fail (LOOP_IS_TASK (self));

  loop = LOOP_FUTURE (self)->loop;
  new_name = name != NULL ? g_strdup (name) : g_strdup_printf ("Task-%" G_GUINT64_FORMAT, self->number);

  /* An inspector may be reading it. */
  loop_event_loop_enter (loop);
  old_name = self->name;
  self->name = new_name;
  loop_event_loop_leave (loop);
  g_free (old_name);
}

/**
 * loop_task_cancelling:
 * @self: a task
 *
 * Gets how often the task was asked to cancel itself, less the times that
 * [method@Task.uncancel] was called.
 *
 * Returns: the number of requests
 */
guint
loop_task_cancelling (LoopTask *self)
{
  g_return_val_if_fail (LOOP_IS_TASK (self), 0);

  return self->n_cancels;
}

/**
 * loop_task_uncancel:
 * @self: a task
 *
 * Takes back one request to cancel. For code that has called [method@Future.cancel] on
 * its own behalf, such as a timeout, and has seen the coroutine fail of it. When no
 * request is left, a cancellation that was not delivered yet will not be.
 *
 * Returns: the number of requests that are left
 */
guint
loop_task_uncancel (LoopTask *self)
{
  g_return_val_if_fail (LOOP_IS_TASK (self), 0);

  if (self->n_cancels > 0)
    {
      set_n_cancels (self, self->n_cancels - 1);
      if (self->n_cancels == 0)
        self->must_cancel = FALSE;
    }

  return self->n_cancels;
}
