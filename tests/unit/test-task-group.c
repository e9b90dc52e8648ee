/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-sleep.h"
#include "loop-task-group.h"

/* Tasks of which none is left behind. Each test is a fiber. */

static LoopEventLoop *loop;
static LoopTask *parent;
static int n_ended;

static void
run_in_fiber (LoopFiberFunc func)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) tasks = NULL;

  loop = loop_event_loop_new ();
  parent = loop_event_loop_spawn (loop, func, NULL, NULL);
  ck_assert_msg (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (parent), NULL, &error), "%s",
                 error != NULL ? error->message : "");
  tasks = loop_event_loop_all_tasks (loop);
  ck_assert_uint_eq (tasks->len, 0);
  g_object_unref (parent);
  g_object_unref (loop);
}

static gboolean
nap (double delay, GError **error)
{
  return loop_await_result (loop_sleep (loop, delay), NULL, error);
}

static gboolean
nap_for (GValue *result, gpointer user_data, GError **error)
{
  gboolean success = nap (*(double *) user_data, error);

  n_ended++;

  return success;
}

static gboolean
fail_after (GValue *result, gpointer user_data, GError **error)
{
  if (!nap (*(double *) user_data, error))
    return FALSE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "missing");

  return FALSE;
}

static double brief = 0.002;
static double briefer = 0.001;
static double very_long = 1000.0;

static void
spawn (LoopTaskGroup *group, LoopFiberFunc func, double *delay)
{
  g_autoptr (LoopTask) task = loop_task_group_spawn (group, func, delay, NULL);

  ck_assert_ptr_nonnull (task);
}

static gboolean
waits_for_all (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTaskGroup) group = loop_task_group_new (loop);

  for (int i = 0; i < 5; i++)
    spawn (group, nap_for, i % 2 == 0 ? &brief : &briefer);
  ck_assert_int_eq (n_ended, 0);
  ck_assert (loop_task_group_exit (group, error));
  ck_assert_int_eq (n_ended, 5);

  return TRUE;
}

START_TEST (test_waits_for_all) { run_in_fiber (waits_for_all); }
END_TEST

static gboolean
empty (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTaskGroup) group = loop_task_group_new (loop);
  g_autoptr (LoopFiber) fiber = loop_fiber_new (nap_for, &brief, NULL);
  g_autoptr (GError) ended = NULL;

  ck_assert (loop_task_group_exit (group, error));
  ck_assert_ptr_null (loop_task_group_create_task (group, LOOP_COROUTINE (fiber), &ended));
  ck_assert (g_error_matches (ended, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));

  return TRUE;
}

START_TEST (test_empty) { run_in_fiber (empty); }
END_TEST

/* While it waits in exit. */
static gboolean
one_fails (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTaskGroup) group = loop_task_group_new (loop);
  g_autoptr (GError) failed = NULL;

  spawn (group, nap_for, &very_long);
  spawn (group, fail_after, &brief);
  spawn (group, nap_for, &very_long);
  ck_assert (!loop_task_group_exit (group, &failed));
  ck_assert (g_error_matches (failed, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
  ck_assert_str_eq (failed->message, "missing");
  ck_assert_int_eq (n_ended, 2);
  ck_assert_uint_eq (loop_task_group_get_errors (group)->len, 1);
  ck_assert_uint_eq (loop_task_cancelling (parent), 0);

  return nap (0.001, error);
}

START_TEST (test_one_fails) { run_in_fiber (one_fails); }
END_TEST

/* While the one who made the group is busy with something else. */
static gboolean
one_fails_meanwhile (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTaskGroup) group = loop_task_group_new (loop);
  g_autoptr (GError) failed = NULL;

  spawn (group, nap_for, &very_long);
  spawn (group, fail_after, &brief);
  ck_assert (!nap (1000.0, &failed));
  ck_assert (g_error_matches (failed, G_IO_ERROR, G_IO_ERROR_CANCELLED));
  ck_assert (!loop_task_group_exit (group, &failed));
  ck_assert (g_error_matches (failed, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
  ck_assert_uint_eq (loop_task_cancelling (parent), 0);

  return nap (0.001, error);
}

START_TEST (test_one_fails_meanwhile) { run_in_fiber (one_fails_meanwhile); }
END_TEST

static gboolean
several_fail (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTaskGroup) group = loop_task_group_new (loop);
  g_autoptr (GError) failed = NULL;
  double at_once = 0.0;

  for (int i = 0; i < 3; i++)
    spawn (group, fail_after, &at_once);
  ck_assert (!loop_task_group_exit (group, &failed));
  ck_assert_uint_eq (loop_task_group_get_errors (group)->len, 3);
  ck_assert_str_eq (failed->message, "missing (and 2 more errors in the task group)");

  return TRUE;
}

START_TEST (test_several_fail) { run_in_fiber (several_fail); }
END_TEST

/* What followed the group's beginning has failed: nobody is waited for longer than needed. */
static gboolean
body_fails (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTaskGroup) group = loop_task_group_new (loop);
  g_autoptr (GError) failed = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NO_SPACE, "full");

  spawn (group, nap_for, &very_long);
  ck_assert (nap (0.001, error));
  ck_assert (!loop_task_group_exit (group, &failed));
  ck_assert (g_error_matches (failed, G_IO_ERROR, G_IO_ERROR_NO_SPACE));
  ck_assert_int_eq (n_ended, 1);

  return TRUE;
}

START_TEST (test_body_fails) { run_in_fiber (body_fails); }
END_TEST

static void
cancel_parent (gpointer data)
{
  loop_future_cancel (LOOP_FUTURE (parent));
}

/* Cancelled from outside: so are all, and it stays so. */
static gboolean
cancelled (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTaskGroup) group = loop_task_group_new (loop);
  g_autoptr (GError) failed = NULL;

  spawn (group, nap_for, &very_long);
  loop_event_loop_call_later (loop, 0.002, cancel_parent, NULL, NULL);
  ck_assert (!loop_task_group_exit (group, &failed));
  ck_assert (g_error_matches (failed, G_IO_ERROR, G_IO_ERROR_CANCELLED));
  ck_assert_int_eq (n_ended, 1);
  ck_assert_uint_eq (loop_task_cancelling (parent), 1);

  return TRUE;
}

START_TEST (test_cancelled) { run_in_fiber (cancelled); }
END_TEST

/* One task that is cancelled is its own affair. */
static gboolean
one_cancelled (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopTaskGroup) group = loop_task_group_new (loop);
  g_autoptr (LoopTask) task = loop_task_group_spawn (group, nap_for, &very_long, NULL);

  spawn (group, nap_for, &brief);
  ck_assert (nap (0.001, error));
  ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
  ck_assert (loop_task_group_exit (group, error));
  ck_assert_int_eq (n_ended, 2);

  return TRUE;
}

START_TEST (test_one_cancelled) { run_in_fiber (one_cancelled); }
END_TEST

START_TEST (test_outside_of_tasks)
{
  g_autoptr (LoopEventLoop) idle_loop = loop_event_loop_new ();

  loop_check_expect_critical ("*inside a task*");
  ck_assert_ptr_null (loop_task_group_new (idle_loop));
}
END_TEST

LOOP_TEST_MAIN ("task-group",
                test_waits_for_all,
                test_empty,
                test_one_fails,
                test_one_fails_meanwhile,
                test_several_fail,
                test_body_fails,
                test_cancelled,
                test_one_cancelled,
                test_outside_of_tasks)
