/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-event-loop-private.h"
#include "loop-wait.h"

#define N 3

typedef struct
{
  LoopEventLoop *loop;
  LoopFuture *futures[N];
  LoopFuture *wait;
} Fixture;

static void
set_up (Fixture *f, double timeout, LoopReturnWhen return_when)
{
  f->loop = loop_event_loop_new ();
  for (int i = 0; i < N; i++)
    f->futures[i] = loop_event_loop_create_future (f->loop);
  f->wait = loop_wait (f->loop, f->futures, N, timeout, return_when);
}

static void
tear_down (Fixture *f)
{
  g_object_unref (f->wait);
  for (int i = 0; i < N; i++)
    g_clear_object (&f->futures[i]);
  g_object_unref (f->loop);
}

/* Which were done: "d.d" for the first and the third. */
static void
check_result (Fixture *f, const char *expected)
{
  g_auto (GValue) value = G_VALUE_INIT;
  LoopWaitResult *result;
  guint n_done = 0;

  ck_assert (loop_future_result (f->wait, &value, NULL));
  result = g_value_get_boxed (&value);
  for (guint i = 0; i < N; i++)
    {
      gboolean is_done = g_ptr_array_find (loop_wait_result_get_done (result), f->futures[i], NULL);
      gboolean is_pending = g_ptr_array_find (loop_wait_result_get_pending (result), f->futures[i], NULL);

      ck_assert_int_eq (is_done, expected[i] == 'd');
      ck_assert_int_eq (is_pending, expected[i] != 'd');
      n_done += is_done ? 1 : 0;
    }
  ck_assert_uint_eq (loop_wait_result_get_done (result)->len, n_done);
  ck_assert_uint_eq (loop_wait_result_get_pending (result)->len, N - n_done);
}

START_TEST (test_all_completed)
{
  Fixture f;

  set_up (&f, -1.0, LOOP_ALL_COMPLETED);
  set_int (f.futures[0], 1);
  set_not_found (f.futures[1]);
  run_once (f.loop);
  ck_assert (!loop_future_done (f.wait));
  ck_assert (loop_future_cancel (f.futures[2]));
  run_once (f.loop);
  check_result (&f, "ddd");
  check_failed (f.futures[1], G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  tear_down (&f);
}
END_TEST

START_TEST (test_first_completed)
{
  Fixture f;

  set_up (&f, -1.0, LOOP_FIRST_COMPLETED);
  set_int (f.futures[1], 1);
  run_once (f.loop);
  check_result (&f, ".d.");
  /* The others are left alone. */
  ck_assert (!loop_future_done (f.futures[0]));
  tear_down (&f);
}
END_TEST

START_TEST (test_first_exception)
{
  Fixture f;

  set_up (&f, -1.0, LOOP_FIRST_EXCEPTION);
  set_int (f.futures[0], 1);
  run_once (f.loop);
  ck_assert (!loop_future_done (f.wait));
  set_not_found (f.futures[2]);
  run_once (f.loop);
  check_result (&f, "d.d");
  check_failed (f.futures[2], G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  tear_down (&f);
}
END_TEST

/* One that was cancelled has not failed. */
START_TEST (test_first_exception_but_cancelled)
{
  Fixture f;

  set_up (&f, -1.0, LOOP_FIRST_EXCEPTION);
  ck_assert (loop_future_cancel (f.futures[0]));
  run_once (f.loop);
  ck_assert (!loop_future_done (f.wait));
  set_int (f.futures[1], 1);
  set_int (f.futures[2], 1);
  run_once (f.loop);
  check_result (&f, "ddd");
  tear_down (&f);
}
END_TEST

START_TEST (test_timeout)
{
  Fixture f;

  set_up (&f, 0.01, LOOP_ALL_COMPLETED);
  set_int (f.futures[0], 1);
  ck_assert (loop_event_loop_run_until_complete (f.loop, f.wait, NULL, NULL));
  check_result (&f, "d..");
  ck_assert (!loop_future_done (f.futures[1]));
  tear_down (&f);
}
END_TEST

START_TEST (test_timer_is_cancelled)
{
  Fixture f;

  set_up (&f, 1000.0, LOOP_FIRST_COMPLETED);
  ck_assert_uint_eq (f.loop->timers.length, 1);
  set_int (f.futures[0], 1);
  run_once (f.loop);
  ck_assert (loop_future_done (f.wait));
  ck_assert_uint_eq (f.loop->timers.length, 0);
  tear_down (&f);
}
END_TEST

START_TEST (test_cancelled)
{
  Fixture f;

  set_up (&f, 1000.0, LOOP_ALL_COMPLETED);
  ck_assert (loop_future_cancel_with_message (f.wait, "no more"));
  ck_assert (loop_future_cancelled (f.wait));
  ck_assert_uint_eq (f.loop->timers.length, 0);
  for (int i = 0; i < N; i++)
    ck_assert (!loop_future_done (f.futures[i]));
  set_int (f.futures[0], 1);
  run_once (f.loop);
  tear_down (&f);
}
END_TEST

START_TEST (test_bad_arguments)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) other = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) foreign = loop_event_loop_create_future (other);
  g_autoptr (LoopFuture) none = loop_wait (loop, NULL, 0, -1.0, LOOP_ALL_COMPLETED);
  g_autoptr (LoopFuture) nan = loop_wait (loop, &future, 1, NAN, LOOP_ALL_COMPLETED);
  g_autoptr (LoopFuture) mixed = loop_wait (loop, &foreign, 1, -1.0, LOOP_ALL_COMPLETED);

  check_failed (none, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  check_failed (nan, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  check_failed (mixed, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}
END_TEST

LOOP_TEST_MAIN ("wait",
                test_all_completed,
                test_first_completed,
                test_first_exception,
                test_first_exception_but_cancelled,
                test_timeout,
                test_timer_is_cancelled,
                test_cancelled,
                test_bad_arguments)
