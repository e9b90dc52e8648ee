/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-future.h"

/* run_until_complete: what it returns, and that nothing of one run is left for the next. */

static void
set_result (gpointer future)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_STRING);
  g_value_set_string (&value, "done");
  ck_assert (loop_future_set_result (future, &value, NULL));
}

static void
set_exception (gpointer future)
{
  g_autoptr (GError) exception = g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");

  ck_assert (loop_future_set_exception (future, exception, NULL));
}

static void
cancel (gpointer future)
{
  ck_assert (loop_future_cancel (future));
}

START_TEST (test_result)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_auto (GValue) result = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  loop_event_loop_call_later (loop, 0.001, set_result, future, NULL);
  ck_assert (loop_event_loop_run_until_complete (loop, future, &result, &error));
  ck_assert_ptr_null (error);
  ck_assert_str_eq (g_value_get_string (&result), "done");
  ck_assert (!loop_event_loop_is_running (loop));

  /* Nobody has to want it. */
  ck_assert (loop_event_loop_run_until_complete (loop, future, NULL, NULL));
}
END_TEST

START_TEST (test_done_before)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_auto (GValue) result = G_VALUE_INIT;

  set_result (future);
  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  ck_assert (loop_event_loop_run_until_complete (loop, future, &result, NULL));
  ck_assert_str_eq (g_value_get_string (&result), "done");
  check_steps ("aA");
}
END_TEST

START_TEST (test_exception)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_auto (GValue) result = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  loop_event_loop_call_soon (loop, set_exception, future, NULL);
  ck_assert (!loop_event_loop_run_until_complete (loop, future, &result, &error));
  ck_assert (g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  ck_assert_str_eq (error->message, "no space");
  ck_assert (!G_IS_VALUE (&result));
}
END_TEST

START_TEST (test_cancelled)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (GError) error = NULL;

  loop_event_loop_call_soon (loop, cancel, future, NULL);
  ck_assert (!loop_event_loop_run_until_complete (loop, future, NULL, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED));
}
END_TEST

START_TEST (test_stopped)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (GError) error = NULL;

  loop_event_loop_call_later (loop, 0.001, stop_loop, loop, NULL);
  ck_assert (!loop_event_loop_run_until_complete (loop, future, NULL, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_STOPPED));
  ck_assert (!loop_future_done (future));

  /* Nor does the future stop anything any more. */
  loop_event_loop_call_soon (loop, set_result, future, NULL);
  loop_event_loop_call_later (loop, 0.005, step_run, step_new ('a'), step_destroy);
  run_for (loop, 0.01);
  check_steps ("aA");
}
END_TEST

START_TEST (test_done_and_stopped_at_once)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);

  loop_event_loop_call_soon (loop, set_result, future, NULL);
  loop_event_loop_call_soon (loop, stop_loop, loop, NULL);
  ck_assert (loop_event_loop_run_until_complete (loop, future, NULL, NULL));

  loop_event_loop_call_later (loop, 0.005, step_run, step_new ('a'), step_destroy);
  run_for (loop, 0.01);
  check_steps ("aA");
}
END_TEST

START_TEST (test_stopped_before)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (GError) error = NULL;

  loop_event_loop_stop (loop);
  ck_assert (!loop_event_loop_run_until_complete (loop, future, NULL, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_STOPPED));
}
END_TEST

START_TEST (test_of_another_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) other = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (other);
  g_autoptr (GError) error = NULL;

  set_result (future);
  ck_assert (!loop_event_loop_run_until_complete (loop, future, NULL, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT));
}
END_TEST

START_TEST (test_closed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (GError) error = NULL;

  ck_assert (loop_event_loop_close (loop));
  ck_assert (!loop_event_loop_run_until_complete (loop, future, NULL, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
}
END_TEST

static void
run_inside (gpointer future)
{
  LoopEventLoop *loop = loop_future_get_loop (future);
  g_autoptr (GError) error = NULL;

  note_step ('r');
  ck_assert (!loop_event_loop_run_until_complete (loop, future, NULL, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_RUNNING));
}

START_TEST (test_nested)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);

  set_result (future);
  loop_event_loop_call_soon (loop, run_inside, future, NULL);
  run_once (loop);
  check_steps ("r");
}
END_TEST

/* One loop may not run inside another; the refused one is none the worse for it. */
START_TEST (test_refused_inside_another_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) other = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (other);

  set_result (future);
  loop_event_loop_call_soon (loop, run_inside, future, NULL);
  run_once (loop);
  check_steps ("r");

  loop_event_loop_call_later (other, 0.005, step_run, step_new ('a'), step_destroy);
  run_for (other, 0.01);
  check_steps ("aA");
}
END_TEST

static void
drop_future (gpointer data)
{
  LoopFuture **future = data;

  set_result (*future);
  g_clear_object (future);
}

START_TEST (test_last_reference_goes_in_callback)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *future = loop_event_loop_create_future (loop);
  g_auto (GValue) result = G_VALUE_INIT;

  loop_event_loop_call_soon (loop, drop_future, &future, NULL);
  ck_assert (loop_event_loop_run_until_complete (loop, future, &result, NULL));
  ck_assert_str_eq (g_value_get_string (&result), "done");
  ck_assert_ptr_null (future);
}
END_TEST

LOOP_TEST_MAIN ("run-until-complete",
                test_result,
                test_done_before,
                test_exception,
                test_cancelled,
                test_stopped,
                test_done_and_stopped_at_once,
                test_stopped_before,
                test_of_another_loop,
                test_closed,
                test_nested,
                test_refused_inside_another_loop,
                test_last_reference_goes_in_callback)
