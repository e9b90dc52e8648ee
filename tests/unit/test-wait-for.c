/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-event-loop-private.h"
#include "loop-shield.h"
#include "loop-sleep.h"
#include "loop-task.h"
#include "loop-wait-for.h"

/* wait_for, which cancels, and shield, which keeps cancellation away. */

START_TEST (test_in_time)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) wait = loop_wait_for (future, 1000.0);

  loop_event_loop_call_soon (loop, set_five, future, NULL);
  ck_assert (loop_event_loop_run_until_complete (loop, wait, NULL, NULL));
  ck_assert_int_eq (get_int (wait), 5);
  ck_assert_uint_eq (loop->timers.length, 0);
}
END_TEST

static void
check_too_late (double timeout)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) wait = loop_wait_for (future, timeout);

  ck_assert (!loop_event_loop_run_until_complete (loop, wait, NULL, NULL));
  check_failed (wait, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  ck_assert (loop_future_cancelled (future));
}

START_TEST (test_too_late)
{
  check_too_late (0.01);
  check_too_late (0.0);
}
END_TEST

/* Takes its time after it was cancelled, and ends as it likes. */
static gboolean
clean_up (GValue *result, gpointer user_data, GError **error)
{
  LoopEventLoop *loop = user_data;

  note_step ('<');
  if (!loop_await_result (loop_sleep (loop, 1000.0), NULL, NULL))
    note_step ('c');
  if (!loop_await_result (loop_sleep (loop, 0.01), NULL, error))
    return FALSE;
  note_step ('>');
  g_value_init (result, G_TYPE_INT);
  g_value_set_int (result, 8);

  return TRUE;
}

START_TEST (test_result_in_spite_of_it)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopTask) task = loop_event_loop_spawn (loop, clean_up, loop, NULL);
  g_autoptr (LoopFuture) wait = loop_wait_for (LOOP_FUTURE (task), 0.01);

  ck_assert (loop_event_loop_run_until_complete (loop, wait, NULL, NULL));
  check_steps ("<c>");
  ck_assert_int_eq (get_int (wait), 8);
}
END_TEST

START_TEST (test_fails)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) wait = loop_wait_for (future, -1.0);

  ck_assert_uint_eq (loop->timers.length, 0);
  loop_check_forbid_warnings ();
  set_not_found (future);
  run_once (loop);
  check_failed (wait, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}
END_TEST

START_TEST (test_cancelled)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) wait = loop_wait_for (future, 1000.0);
  g_autoptr (LoopFuture) done = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) late = loop_wait_for (done, 1000.0);

  ck_assert (loop_future_cancel_with_message (wait, "stop"));
  ck_assert (loop_future_cancelled (future));
  run_once (loop);
  ck_assert (loop_future_cancelled (wait));
  ck_assert_str_eq (loop_future_get_cancel_message (wait), "stop");

  /* The other one is done, but we were not told. */
  set_int (done, 1);
  ck_assert (loop_future_cancel (late));
  ck_assert (loop_future_cancelled (late));
  run_once (loop);
  ck_assert_uint_eq (loop->timers.length, 0);
}
END_TEST

START_TEST (test_bad_timeout)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) wait = loop_wait_for (future, NAN);

  check_failed (wait, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  ck_assert (!loop_future_done (future));
}
END_TEST

START_TEST (test_shield)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) shield = loop_shield (future);
  g_autoptr (LoopFuture) other = loop_shield (future);

  ck_assert (loop_future_cancel (shield));
  ck_assert (loop_future_cancelled (shield));
  ck_assert (!loop_future_done (future));
  set_int (future, 3);
  run_once (loop);
  ck_assert_int_eq (get_int (other), 3);
  ck_assert (loop_future_cancelled (shield));
}
END_TEST

START_TEST (test_shield_of_cancelled)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) shield = loop_shield (future);
  g_autoptr (LoopFuture) done = NULL;

  ck_assert (loop_future_cancel_with_message (future, "inside"));
  run_once (loop);
  ck_assert (loop_future_cancelled (shield));
  ck_assert_str_eq (loop_future_get_cancel_message (shield), "inside");

  done = loop_shield (future);
  ck_assert_ptr_eq (done, future);
}
END_TEST

/* The task that waits is cancelled, and what it waited for goes on. */
static gboolean
await_shield (GValue *result, gpointer user_data, GError **error)
{
  return loop_await_result (loop_shield (user_data), result, error);
}

START_TEST (test_shield_in_task)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopTask) task = loop_event_loop_spawn (loop, await_shield, future, NULL);

  run_once (loop);
  ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
  run_once (loop);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
  ck_assert (!loop_future_done (future));
  set_int (future, 1);
  run_once (loop);
}
END_TEST

LOOP_TEST_MAIN ("wait-for",
                test_in_time,
                test_too_late,
                test_result_in_spite_of_it,
                test_fails,
                test_cancelled,
                test_bad_timeout,
                test_shield,
                test_shield_of_cancelled,
                test_shield_in_task)
