/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-task-group.h"

#include "loop-fiber-private.h"
#include "loop-task-private.h"

/**
 * LoopTaskGroup:
 *
 * Tasks that belong together: none of them is left behind. A group is made inside a task,
 * tasks are added to it, and [method@TaskGroup.exit] waits for all of them. When one fails
 * the others are cancelled, and the task that made the group too, in case it is still busy
 * with something else.
 *
 * ```c
 * g_autoptr (LoopTaskGroup) group = loop_task_group_new (loop);
 *
 * g_object_unref (loop_task_group_spawn (group, fetch, first, NULL));
 * g_object_unref (loop_task_group_spawn (group, fetch, second, NULL));
 * if (!loop_task_group_exit (group, &error))
 *   return FALSE;
 * ```
 */

struct _LoopTaskGroup
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopTask *parent;
  GPtrArray *tasks; /* that are not done */
  GPtrArray *errors;
  LoopFuture *all_done; /* while the parent waits for it */
  gboolean is_exiting;
  gboolean is_aborting;
  gboolean has_cancelled_parent;
};

G_DEFINE_FINAL_TYPE (LoopTaskGroup, loop_task_group, G_TYPE_OBJECT)

static void
abort_tasks (LoopTaskGroup *self)
{
  g_autoptr (GPtrArray) tasks = NULL;

  self->is_aborting = TRUE;
  tasks = g_ptr_array_copy (self->tasks, (GCopyFunc) (void (*) (void)) g_object_ref, NULL);
  g_ptr_array_set_free_func (tasks, g_object_unref);
  for (guint i = 0; i < tasks->len; i++)
    loop_future_cancel (tasks->pdata[i]);
}

static void
task_done (LoopFuture *task, gpointer data)
{
  LoopTaskGroup *self = data;

  g_ptr_array_remove (self->tasks, task);
  if (self->tasks->len == 0 && self->all_done != NULL)
    loop_future_fulfil (self->all_done);

  if (task->exception == NULL)
    return;

  task->is_retrieved = TRUE;
  g_ptr_array_add (self->errors, g_error_copy (task->exception));

  if (self->is_aborting || self->has_cancelled_parent || !loop_future_is_pending (LOOP_FUTURE (self->parent)))
    return;

  abort_tasks (self);
  /* It may be anywhere between the group's beginning and its end. */
  if (!self->is_exiting)
    {
      self->has_cancelled_parent = TRUE;
      loop_future_cancel (LOOP_FUTURE (self->parent));
    }
}

static void
loop_task_group_dispose (GObject *object)
{
  LoopTaskGroup *self = LOOP_TASK_GROUP (object);

  g_clear_object (&self->parent);
  g_clear_pointer (&self->tasks, g_ptr_array_unref);
  g_clear_pointer (&self->errors, g_ptr_array_unref);
  g_clear_object (&self->all_done);
  g_clear_object (&self->loop);

  G_OBJECT_CLASS (loop_task_group_parent_class)->dispose (object);
}

static void
loop_task_group_class_init (LoopTaskGroupClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_task_group_dispose;
}

static void
loop_task_group_init (LoopTaskGroup *self)
{
  self->tasks = g_ptr_array_new_with_free_func (g_object_unref);
  self->errors = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);
}

/**
 * loop_task_group_new:
 * @loop: the event loop whose task is running
 *
 * Makes a group that belongs to the task that is running.
 *
 * Returns: (transfer full) (nullable): the group, to be ended with [method@TaskGroup.exit];
 *   %NULL with a critical message outside of tasks
 */
LoopTaskGroup *
loop_task_group_new (LoopEventLoop *loop)
{
  LoopTask *task;
  LoopTaskGroup *self;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);

  task = loop_event_loop_get_current_task (loop);
  if (task == NULL)
    {
      g_critical ("A task group is for use inside a task");
      return NULL;
    }

  self = g_object_new (LOOP_TYPE_TASK_GROUP, NULL);
  self->loop = g_object_ref (loop);
  self->parent = g_object_ref (task);

  return self;
}

/**
 * loop_task_group_create_task:
 * @self: a task group
 * @coroutine: a coroutine that was not begun
 * @error: return location for an error
 *
 * Adds a task that drives @coroutine.
 *
 * Returns: (transfer full) (nullable): the task; %NULL with %LOOP_ERROR_INVALID_STATE when the
 *   group has ended or is being ended because a task has failed
 */
LoopTask *
loop_task_group_create_task (LoopTaskGroup *self, LoopCoroutine *coroutine, GError **error)
{
  LoopTask *task;

  g_return_val_if_fail (LOOP_IS_TASK_GROUP (self), NULL);
  g_return_val_if_fail (LOOP_IS_COROUTINE (coroutine), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (self->is_exiting && self->tasks->len == 0)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "The task group has ended");
      return NULL;
    }

  if (self->is_aborting)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE,
                           "The task group is being ended because a task has failed");
      return NULL;
    }

  if (!loop_event_loop_check_usable (self->loop, error))
    return NULL;

  task = loop_event_loop_create_task (self->loop, coroutine);
  g_ptr_array_add (self->tasks, g_object_ref (task));
  loop_future_add_waiter (LOOP_FUTURE (task), LOOP_FUTURE (self->parent), task_done, g_object_ref (self),
                          g_object_unref);

  return task;
}

/**
 * loop_task_group_spawn: (skip)
 * @self: a task group
 * @func: (scope notified) (closure user_data) (destroy notify): the function to run
 * @user_data: data for @func
 * @notify: frees @user_data once @func has returned or will not be called
 *
 * Adds a task that runs @func in a fiber.
 *
 * Returns: (transfer full) (nullable): the task; %NULL with a critical message when
 *   [method@TaskGroup.create_task] would fail
 */
LoopTask *
loop_task_group_spawn (LoopTaskGroup *self, LoopFiberFunc func, gpointer user_data, GDestroyNotify notify)
{
  g_autoptr (LoopFiber) fiber = NULL;
  GError *error = NULL;
  LoopTask *task;

  g_return_val_if_fail (LOOP_IS_TASK_GROUP (self), NULL);
  g_return_val_if_fail (func != NULL, NULL);

  fiber = loop_fiber_new (func, user_data, notify);
  task = loop_task_group_create_task (self, LOOP_COROUTINE (fiber), &error);
  if (task == NULL)
    loop_report_misuse (G_STRFUNC, error);

  return task;
}

/**
 * loop_task_group_get_errors:
 * @self: a task group
 *
 * Gets the errors of all tasks that have failed, in that order. Those that were cancelled
 * are not among them.
 *
 * Returns: (transfer none) (element-type GError): the errors
 */
GPtrArray *
loop_task_group_get_errors (LoopTaskGroup *self)
{
  g_return_val_if_fail (LOOP_IS_TASK_GROUP (self), NULL);

  return self->errors;
}

static void
set_group_error (LoopTaskGroup *self, GError **error)
{
  const GError *first = self->errors->pdata[0];

  if (self->errors->len == 1)
    g_propagate_error (error, g_error_copy (first));
  else
    g_set_error (error, first->domain, first->code, "%s (and %u more errors in the task group)", first->message,
                 self->errors->len - 1);
}

/**
 * loop_task_group_exit: (skip)
 * @self: a task group
 * @error: (inout) (optional) (nullable): the error with which what followed the group's
 *   beginning has ended, if any, and with which all of it has
 *
 * Ends the group: waits for its tasks, in the fiber that has made it. If there is an error
 * already they are cancelled before.
 *
 * Returns: %TRUE if there was no error and all tasks have returned; %FALSE with the error,
 *   which is that of the first task that failed, with the number of others
 */
gboolean
loop_task_group_exit (LoopTaskGroup *self, GError **error)
{
  g_autoptr (GError) cancelled = NULL;
  g_autoptr (GError) body = NULL;

  g_return_val_if_fail (LOOP_IS_TASK_GROUP (self), FALSE);
  g_return_val_if_fail (loop_event_loop_get_current_task (self->loop) == self->parent, FALSE);

  body = error != NULL ? g_steal_pointer (error) : NULL;
  self->is_exiting = TRUE;

  /* That was us, unless somebody else has asked for it as well. */
  if (self->has_cancelled_parent && loop_task_uncancel (self->parent) == 0 &&
      g_error_matches (body, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_clear_error (&body);

  if (g_error_matches (body, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    cancelled = g_steal_pointer (&body);

  if ((body != NULL || cancelled != NULL) && !self->is_aborting)
    abort_tasks (self);

  while (self->tasks->len > 0)
    {
      GError *interrupted = NULL;

      g_clear_object (&self->all_done);
      self->all_done = loop_future_new (self->loop, "task group");
      if (loop_await (self->all_done, &interrupted))
        continue;

      if (!self->is_aborting)
        abort_tasks (self);
      if (cancelled == NULL)
        cancelled = interrupted;
      else
        g_error_free (interrupted);
      /* Closed, a fiber cannot wait any more. */
      if (loop_fiber_is_closing (loop_fiber_get_current ()))
        break;
    }

  if (body != NULL)
    g_ptr_array_insert (self->errors, 0, g_steal_pointer (&body));

  if (self->errors->len > 0)
    set_group_error (self, error);
  else if (cancelled != NULL)
    g_propagate_error (error, g_steal_pointer (&cancelled));
  else
    return TRUE;

  return FALSE;
}
