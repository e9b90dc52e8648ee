/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-event-loop-private.h"
#include "loop-sleep.h"
#include "loop-task.h"

START_TEST (test_sleeps)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  double begun = loop_event_loop_time (loop);
  g_autoptr (LoopFuture) future = loop_sleep (loop, 0.03);

  ck_assert (!loop_future_done (future));
  ck_assert (loop_event_loop_run_until_complete (loop, future, NULL, NULL));
  ck_assert_double_ge (loop_event_loop_time (loop) - begun, 0.0299);
}
END_TEST

/* Zero and less: one iteration, as short as it is. */
START_TEST (test_lets_others_have_their_turn)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) zero = loop_sleep (loop, 0.0);
  g_autoptr (LoopFuture) negative = loop_sleep (loop, -INFINITY);

  ck_assert (!loop_future_done (zero));
  run_once (loop);
  ck_assert (loop_future_done (zero));
  ck_assert (loop_future_done (negative));
}
END_TEST

START_TEST (test_cancelled)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_sleep (loop, 1000.0);
  g_autoptr (LoopFuture) short_one = loop_sleep (loop, 0.0);

  ck_assert_uint_eq (loop->timers.length, 1);
  ck_assert (loop_future_cancel_with_message (future, "wake up"));
  ck_assert_uint_eq (loop->timers.length, 0);
  ck_assert_str_eq (loop_future_get_cancel_message (future), "wake up");
  ck_assert (!loop_future_cancel (future));

  ck_assert (loop_future_cancel (short_one));
  run_once (loop);
  ck_assert (loop_future_cancelled (short_one));
}
END_TEST

/* The timer keeps it: nobody else needs to. */
START_TEST (test_dropped)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *future = loop_sleep (loop, 0.001);

  g_object_add_weak_pointer (G_OBJECT (future), (gpointer *) &future);
  g_object_unref (future);
  ck_assert_ptr_nonnull (future);
  run_for (loop, 0.01);
  ck_assert_ptr_null (future);

  /* And a loop that is closed lets go of it. */
  future = loop_sleep (loop, 1000.0);
  g_object_add_weak_pointer (G_OBJECT (future), (gpointer *) &future);
  g_object_unref (future);
  loop_event_loop_close (loop);
  ck_assert_ptr_null (future);
}
END_TEST

START_TEST (test_bad_delays)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) nan = loop_sleep (loop, NAN);
  g_autoptr (LoopFuture) never = loop_sleep (loop, INFINITY);
  g_autoptr (LoopFuture) closed = NULL;

  check_failed (nan, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  run_for (loop, 0.01);
  ck_assert (!loop_future_done (never));

  loop_event_loop_close (loop);
  closed = loop_sleep (loop, 1.0);
  check_failed (closed, LOOP_ERROR, LOOP_ERROR_CLOSED);
}
END_TEST

static gboolean
sleep_in_fiber (GValue *result, gpointer user_data, GError **error)
{
  return loop_await_result (loop_sleep (user_data, 0.01), NULL, error);
}

START_TEST (test_thousands_in_fibers)
{
  enum
  {
    N = 3000
  };
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func (g_object_unref);

  for (int i = 0; i < N; i++)
    g_ptr_array_add (tasks, loop_event_loop_spawn (loop, sleep_in_fiber, loop, NULL));
  for (int i = 0; i < N; i++)
    ck_assert (loop_event_loop_run_until_complete (loop, tasks->pdata[i], NULL, NULL));
}
END_TEST

LOOP_TEST_MAIN ("sleep",
                test_sleeps,
                test_lets_others_have_their_turn,
                test_cancelled,
                test_dropped,
                test_bad_delays,
                test_thousands_in_fibers)
