/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-sleep.h"

#include "loop-future-private.h"

/* The future of a timer. The timer, or the call that takes its place, keeps it. */
typedef struct
{
  LoopFuture parent_instance;

  LoopHandle *handle; /* the loop's, while it is pending */
} LoopSleepFuture;

typedef struct
{
  LoopFutureClass parent_class;
} LoopSleepFutureClass;

static GType loop_sleep_future_get_type (void);

G_DEFINE_FINAL_TYPE (LoopSleepFuture, loop_sleep_future, LOOP_TYPE_FUTURE)

static void
wake_up (gpointer data)
{
  ((LoopSleepFuture *) data)->handle = NULL;
  loop_future_fulfil (data);
}

static gboolean
loop_sleep_future_cancel (LoopFuture *base, const char *message)
{
  LoopSleepFuture *self = (LoopSleepFuture *) base;

  if (!loop_future_is_pending (base))
    return FALSE;

  g_object_ref (base);
  loop_handle_clear_pending (&self->handle);
  loop_future_finish_cancelled (base, message);
  g_object_unref (base);

  return TRUE;
}

static void
loop_sleep_future_class_init (LoopSleepFutureClass *klass)
{
  klass->parent_class.cancel = loop_sleep_future_cancel;
}

static void
loop_sleep_future_init (LoopSleepFuture *self)
{
}

/**
 * loop_sleep:
 * @loop: an event loop
 * @delay: seconds; 0 and less mean the next iteration of the loop
 *
 * Makes a future that is done after @delay. Cancelling it ends the timer.
 *
 * Returns: (transfer full): the future, which has no result; it has failed with
 *   %G_IO_ERROR_INVALID_ARGUMENT if @delay is not a number, and with %LOOP_ERROR_CLOSED if
 *   the loop is closed
 */
LoopFuture *
loop_sleep (LoopEventLoop *loop, double delay)
{
  LoopSleepFuture *self;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);

  if (isnan (delay))
    g_set_error_literal (&error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The delay of a sleep is not a number");
  else
    loop_event_loop_check_usable (loop, &error);

  if (error != NULL)
    return loop_future_new_failed (loop, "sleep", error);

  self = g_object_new (loop_sleep_future_get_type (), NULL);
  loop_future_set_up (&self->parent_instance, loop, "sleep");
  g_object_ref (self);
  if (delay <= 0.0)
    self->handle = loop_event_loop_schedule (loop, wake_up, self, g_object_unref, "sleep");
  else
    self->handle = (LoopHandle *) loop_event_loop_schedule_at (loop, loop_clock_after (delay), wake_up, self,
                                                               g_object_unref, "sleep");

  return &self->parent_instance;
}
