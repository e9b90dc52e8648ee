/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-barrier.h"
#include "loop-sleep.h"
#include "loop-task.h"

enum
{
  N = 3
};

static LoopEventLoop *loop;
static LoopBarrier *barrier;
static LoopFuture *futures[N];

static void
set_up (guint parties)
{
  loop = loop_event_loop_new ();
  barrier = loop_barrier_new (loop, parties);
}

static void
tear_down (void)
{
  for (int i = 0; i < N; i++)
    g_clear_object (&futures[i]);
  ck_assert_uint_eq (G_OBJECT (barrier)->ref_count, 1);
  g_object_unref (barrier);
  g_object_unref (loop);
}

START_TEST (test_all_pass)
{
  set_up (N);
  ck_assert_uint_eq (loop_barrier_get_parties (barrier), N);
  for (int round = 0; round < 3; round++)
    {
      for (int i = 0; i < N; i++)
        {
          ck_assert_uint_eq (loop_barrier_get_n_waiting (barrier), (guint) i);
          futures[i] = loop_barrier_wait (barrier);
          ck_assert (!loop_future_done (futures[0]) || i == N - 1);
        }
      ck_assert_uint_eq (loop_barrier_get_n_waiting (barrier), 0);
      for (int i = 0; i < N; i++)
        {
          ck_assert_int_eq (get_int (futures[i]), i);
          g_clear_object (&futures[i]);
        }
    }
  tear_down ();
}
END_TEST

START_TEST (test_of_one)
{
  set_up (1);
  futures[0] = loop_barrier_wait (barrier);
  ck_assert_int_eq (get_int (futures[0]), 0);
  tear_down ();
}
END_TEST

/* One who is cancelled leaves; the others still wait for as many as before, and have different numbers. */
START_TEST (test_cancel)
{
  g_autoptr (LoopFuture) cancelled = NULL;

  set_up (N);
  cancelled = loop_barrier_wait (barrier);
  futures[0] = loop_barrier_wait (barrier);
  ck_assert (loop_future_cancel (cancelled));
  ck_assert_uint_eq (loop_barrier_get_n_waiting (barrier), 1);
  ck_assert (!loop_barrier_is_broken (barrier));
  futures[1] = loop_barrier_wait (barrier);
  ck_assert (!loop_future_done (futures[0]));
  futures[2] = loop_barrier_wait (barrier);
  for (int i = 0; i < N; i++)
    ck_assert_int_eq (get_int (futures[i]), i);
  tear_down ();
}
END_TEST

START_TEST (test_abort)
{
  set_up (N);
  for (int i = 0; i < 2; i++)
    futures[i] = loop_barrier_wait (barrier);
  loop_barrier_abort (barrier);
  futures[2] = loop_barrier_wait (barrier);
  for (int i = 0; i < N; i++)
    {
      check_failed (futures[i], LOOP_ERROR, LOOP_ERROR_BROKEN_BARRIER);
      g_clear_object (&futures[i]);
    }
  ck_assert (loop_barrier_is_broken (barrier));
  ck_assert_uint_eq (loop_barrier_get_n_waiting (barrier), 0);

  loop_barrier_reset (barrier);
  ck_assert (!loop_barrier_is_broken (barrier));
  for (int i = 0; i < N; i++)
    futures[i] = loop_barrier_wait (barrier);
  for (int i = 0; i < N; i++)
    ck_assert_int_eq (get_int (futures[i]), i);
  tear_down ();
}
END_TEST

START_TEST (test_reset)
{
  set_up (N);
  for (int i = 0; i < 2; i++)
    futures[i] = loop_barrier_wait (barrier);
  loop_barrier_reset (barrier);
  for (int i = 0; i < 2; i++)
    {
      check_failed (futures[i], LOOP_ERROR, LOOP_ERROR_BROKEN_BARRIER);
      g_clear_object (&futures[i]);
    }
  ck_assert (!loop_barrier_is_broken (barrier));
  futures[0] = loop_barrier_wait (barrier);
  ck_assert (!loop_future_done (futures[0]));
  ck_assert_uint_eq (loop_barrier_get_n_waiting (barrier), 1);
  tear_down ();
}
END_TEST

/* In each round all are as far as the others. */
static int rounds[N];
static int n_chosen;

static gboolean
work (GValue *result, gpointer user_data, GError **error)
{
  int self = GPOINTER_TO_INT (user_data);

  for (int round = 0; round < 20; round++)
    {
      g_auto (GValue) index = G_VALUE_INIT;

      if (!loop_await_result (loop_sleep (loop, (self + round) % 3 * 0.0003), NULL, error))
        return FALSE;
      rounds[self] = round;
      if (!loop_await_result (loop_barrier_wait (barrier), &index, error))
        return FALSE;
      n_chosen += g_value_get_int (&index) == 0;
      for (int i = 0; i < N; i++)
        ck_assert_int_ge (rounds[i], round);
    }

  return TRUE;
}

START_TEST (test_fibers)
{
  LoopTask *tasks[N];

  set_up (N);
  for (int i = 0; i < N; i++)
    tasks[i] = loop_event_loop_spawn (loop, work, GINT_TO_POINTER (i), NULL);
  for (int i = 0; i < N; i++)
    {
      ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (tasks[i]), NULL, NULL));
      g_object_unref (tasks[i]);
    }
  ck_assert_int_eq (n_chosen, 20);
  tear_down ();
}
END_TEST

START_TEST (test_freed_and_closed)
{
  set_up (N);
  futures[0] = loop_barrier_wait (barrier);
  g_object_unref (barrier);
  ck_assert (loop_future_cancelled (futures[0]));
  barrier = loop_barrier_new (loop, 1);
  ck_assert (loop_event_loop_close (loop));
  futures[1] = loop_barrier_wait (barrier);
  check_failed (futures[1], LOOP_ERROR, LOOP_ERROR_CLOSED);
  loop_check_expect_critical ("*parties > 0*");
  ck_assert_ptr_null (loop_barrier_new (loop, 0));
  tear_down ();
}
END_TEST

LOOP_TEST_MAIN ("barrier",
                test_all_pass,
                test_of_one,
                test_cancel,
                test_abort,
                test_reset,
                test_fibers,
                test_freed_and_closed)
