/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-event-loop-private.h"
#include "loop-sleep.h"
#include "loop-task.h"
#include "loop-timeout.h"

/* A limit to a part of a task. Each test is a fiber. */

static LoopEventLoop *loop;

static void
run_in_fiber (LoopFiberFunc func)
{
  g_autoptr (LoopTask) task = NULL;
  g_autoptr (GError) error = NULL;

  loop = loop_event_loop_new ();
  task = loop_event_loop_spawn (loop, func, NULL, NULL);
  ck_assert_msg (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (task), NULL, &error), "%s",
                 error != NULL ? error->message : "");
  ck_assert_uint_eq (loop->timers.length, 0);
  g_object_unref (loop);
}

static gboolean
nap (double delay, GError **error)
{
  return loop_await_result (loop_sleep (loop, delay), NULL, error);
}

static gboolean
in_time (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTimeout) timeout = loop_timeout (loop, 1000.0);

  ck_assert (nap (0.001, error));
  ck_assert (loop_timeout_exit (timeout, error));
  ck_assert (!loop_timeout_expired (timeout));
  /* Ending it once more does nothing. */
  ck_assert (loop_timeout_exit (timeout, error));

  return TRUE;
}

START_TEST (test_in_time) { run_in_fiber (in_time); }
END_TEST

static gboolean
too_late (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTimeout) timeout = loop_timeout (loop, 0.005);
  g_autoptr (GError) late = NULL;

  ck_assert (!nap (1000.0, &late));
  ck_assert (g_error_matches (late, G_IO_ERROR, G_IO_ERROR_CANCELLED));
  ck_assert (!loop_timeout_exit (timeout, &late));
  ck_assert (g_error_matches (late, G_IO_ERROR, G_IO_ERROR_TIMED_OUT));
  ck_assert (loop_timeout_expired (timeout));
  ck_assert_uint_eq (loop_task_cancelling (loop_event_loop_get_current_task (loop)), 0);

  /* And the task goes on as if nothing had been. */
  return nap (0.001, error);
}

START_TEST (test_too_late) { run_in_fiber (too_late); }
END_TEST

static gboolean
nested (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTimeout) outer = loop_timeout (loop, 0.005);
  g_autoptr (LoopTimeout) inner = loop_timeout (loop, 1000.0);
  g_autoptr (GError) late = NULL;

  ck_assert (!nap (1000.0, &late));
  ck_assert (loop_timeout_exit (inner, &late));
  ck_assert (g_error_matches (late, G_IO_ERROR, G_IO_ERROR_CANCELLED));
  ck_assert (!loop_timeout_exit (outer, &late));
  ck_assert (g_error_matches (late, G_IO_ERROR, G_IO_ERROR_TIMED_OUT));

  return TRUE;
}

START_TEST (test_nested) { run_in_fiber (nested); }
END_TEST

/* Both time is up, and somebody else cancels the task: it stays cancelled. */
static gboolean
cancelled_as_well (GValue *result, gpointer user_data, GError **error)
{
  LoopTask *self = loop_event_loop_get_current_task (loop);
  g_autoptr (LoopTimeout) timeout = loop_timeout (loop, 0.005);
  g_autoptr (GError) late = NULL;

  ck_assert (!nap (1000.0, &late));
  ck_assert (loop_future_cancel (LOOP_FUTURE (self)));
  ck_assert (loop_timeout_exit (timeout, &late));
  ck_assert (g_error_matches (late, G_IO_ERROR, G_IO_ERROR_CANCELLED));
  ck_assert_uint_eq (loop_task_uncancel (self), 0);

  return TRUE;
}

START_TEST (test_cancelled_as_well) { run_in_fiber (cancelled_as_well); }
END_TEST

static gboolean
another_error (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTimeout) timeout = loop_timeout (loop, 0.005);
  g_autoptr (GError) late = NULL;

  ck_assert (!nap (1000.0, NULL));
  g_set_error_literal (&late, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "while cleaning up");
  ck_assert (loop_timeout_exit (timeout, &late));
  ck_assert (g_error_matches (late, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));

  return TRUE;
}

START_TEST (test_another_error) { run_in_fiber (another_error); }
END_TEST

static gboolean
reschedule (GValue *result, gpointer user_data, GError **error)
{
  double now = loop_event_loop_time (loop);
  g_autoptr (LoopTimeout) timeout = loop_timeout_at (loop, INFINITY);
  g_autoptr (GError) late = NULL;

  ck_assert (isinf (loop_timeout_when (timeout)));
  loop_timeout_reschedule (timeout, now + 1000.0);
  ck_assert_double_eq_tol (loop_timeout_when (timeout), now + 1000.0, 1e-6);
  loop_timeout_reschedule (timeout, now);
  ck_assert (!nap (1000.0, &late));
  ck_assert (!loop_timeout_exit (timeout, &late));

  return TRUE;
}

START_TEST (test_reschedule) { run_in_fiber (reschedule); }
END_TEST

/* Dropped without a word, it does not cancel anything later. */
static gboolean
drop (GValue *result, gpointer user_data, GError **error)
{
  g_object_unref (loop_timeout (loop, 0.001));

  return nap (0.01, error);
}

START_TEST (test_dropped) { run_in_fiber (drop); }
END_TEST

START_TEST (test_outside_of_tasks)
{
  g_autoptr (LoopEventLoop) idle_loop = loop_event_loop_new ();

  loop_check_expect_critical ("*inside a task*");
  ck_assert_ptr_null (loop_timeout (idle_loop, 1.0));
}
END_TEST

LOOP_TEST_MAIN ("timeout",
                test_in_time,
                test_too_late,
                test_nested,
                test_cancelled_as_well,
                test_another_error,
                test_reschedule,
                test_dropped,
                test_outside_of_tasks)
