/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-timeout.h"

#include "loop-task-private.h"

/**
 * LoopTimeout:
 *
 * A limit to how long a part of a task may take. It begins where it is made, with
 * [func@timeout] or [ctor@Timeout.at], and ends with [method@Timeout.exit]. When time is
 * up meanwhile the task is cancelled, and `exit` turns that error into
 * %G_IO_ERROR_TIMED_OUT:
 *
 * ```c
 * g_autoptr (LoopTimeout) timeout = loop_timeout (loop, 2.5);
 * gboolean success = ask (&error) && read_answer (&error);
 *
 * if (!loop_timeout_exit (timeout, &error) || !success)
 *   return FALSE;
 * ```
 *
 * Timeouts nest; each one recognises its own cancellation, and leaves alone one that came
 * from elsewhere.
 */

struct _LoopTimeout
{
  GObject parent_instance;

  LoopTask *task;
  LoopTimerHandle *timer; /* ours */
  gint64 when;
  guint n_cancels; /* of the task, when it began */
  gboolean is_expired;
  gboolean has_ended;
};

G_DEFINE_FINAL_TYPE (LoopTimeout, loop_timeout, G_TYPE_OBJECT)

static void
cancel_timer (LoopTimeout *self)
{
  g_autoptr (LoopTimerHandle) timer = g_steal_pointer (&self->timer);

  if (timer != NULL)
    loop_timer_handle_cancel (timer);
}

static void
expire (gpointer data)
{
  LoopTimeout *self = data;

  self->is_expired = TRUE;
  loop_future_cancel (LOOP_FUTURE (self->task));
}

static void
start_timer (LoopTimeout *self)
{
  LoopEventLoop *loop = LOOP_FUTURE (self->task)->loop;

  cancel_timer (self);
  if (!loop->is_closed)
    self->timer = loop_timer_handle_ref (loop_event_loop_schedule_at (loop, self->when, expire, self, NULL, "timeout"));
}

static void
loop_timeout_dispose (GObject *object)
{
  LoopTimeout *self = LOOP_TIMEOUT (object);

  cancel_timer (self);
  g_clear_object (&self->task);

  G_OBJECT_CLASS (loop_timeout_parent_class)->dispose (object);
}

static void
loop_timeout_class_init (LoopTimeoutClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_timeout_dispose;
}

static void
loop_timeout_init (LoopTimeout *self)
{
}

static LoopTimeout *
begin (LoopEventLoop *loop, gint64 when)
{
  LoopTask *task = loop_event_loop_get_current_task (loop);
  LoopTimeout *self;

  if (task == NULL)
    {
      g_critical ("A timeout is for use inside a task");
      return NULL;
    }

  self = g_object_new (LOOP_TYPE_TIMEOUT, NULL);
  self->task = g_object_ref (task);
  self->n_cancels = task->n_cancels;
  self->when = when;
  start_timer (self);

  return self;
}

/**
 * loop_timeout:
 * @loop: the event loop whose task is running
 * @delay: seconds from now; infinite for none yet
 *
 * Begins a limit for the task that is running.
 *
 * Returns: (transfer full) (nullable): the timeout, to be ended with [method@Timeout.exit];
 *   %NULL with a critical message outside of tasks
 */
LoopTimeout *
loop_timeout (LoopEventLoop *loop, double delay)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (!isnan (delay), NULL);

  return begin (loop, loop_clock_after (delay));
}

/**
 * loop_timeout_at: (constructor)
 * @loop: the event loop whose task is running
 * @when: a time on the clock of [method@EventLoop.time]; infinite for none yet
 *
 * As [func@timeout], with a time.
 *
 * Returns: (transfer full) (nullable): the timeout
 */
LoopTimeout *
loop_timeout_at (LoopEventLoop *loop, double when)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (!isnan (when), NULL);

  return begin (loop, loop_clock_from_seconds (when));
}

/**
 * loop_timeout_when:
 * @self: a timeout
 *
 * Gets when time is up, on the clock of [method@EventLoop.time].
 *
 * Returns: seconds; infinite for never
 */
double
loop_timeout_when (LoopTimeout *self)
{
  g_return_val_if_fail (LOOP_IS_TIMEOUT (self), 0.0);

  return self->when == LOOP_NEVER ? INFINITY : loop_clock_to_seconds (self->when);
}

/**
 * loop_timeout_expired:
 * @self: a timeout
 *
 * Tells whether time was up before the timeout ended.
 *
 * Returns: %TRUE if it was
 */
gboolean
loop_timeout_expired (LoopTimeout *self)
{
  g_return_val_if_fail (LOOP_IS_TIMEOUT (self), FALSE);

  return self->is_expired;
}

/**
 * loop_timeout_reschedule:
 * @self: a timeout that has neither expired nor ended
 * @when: a time on the clock of [method@EventLoop.time]; infinite for never
 *
 * Moves the limit.
 */
void
loop_timeout_reschedule (LoopTimeout *self, double when)
{
  g_return_if_fail (LOOP_IS_TIMEOUT (self));
  g_return_if_fail (!isnan (when));
  g_return_if_fail (!self->has_ended);
  g_return_if_fail (!self->is_expired);

  self->when = loop_clock_from_seconds (when);
  start_timer (self);
}

/**
 * loop_timeout_exit:
 * @self: a timeout
 * @error: (inout) (optional) (nullable): the error with which what it limits has ended, if
 *   any: it is replaced when it comes from this timeout
 *
 * Ends the timeout.
 *
 * Returns: %FALSE if time was up and what it limits was cancelled for it, with @error set
 *   to %G_IO_ERROR_TIMED_OUT; else %TRUE, with @error as it was
 */
gboolean
loop_timeout_exit (LoopTimeout *self, GError **error)
{
  gboolean is_ours;

  g_return_val_if_fail (LOOP_IS_TIMEOUT (self), TRUE);

  if (self->has_ended)
    return TRUE;

  self->has_ended = TRUE;
  cancel_timer (self);
  if (!self->is_expired)
    return TRUE;

  /* With another request to cancel, it is not for us to say that the task goes on. */
  is_ours = loop_task_uncancel (self->task) <= self->n_cancels;
  if (!is_ours || error == NULL || !g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return TRUE;

  g_clear_error (error);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "Time was up");

  return FALSE;
}
