/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-semaphore.h"
#include "loop-sleep.h"
#include "loop-task.h"

static LoopEventLoop *loop;
static LoopSemaphore *semaphore;

static void
set_up (guint value)
{
  loop = loop_event_loop_new ();
  semaphore = loop_semaphore_new_bounded (loop, value);
}

static void
tear_down (void)
{
  ck_assert_uint_eq (G_OBJECT (semaphore)->ref_count, 1);
  g_object_unref (semaphore);
  g_object_unref (loop);
}

static void
release (void)
{
  ck_assert (loop_semaphore_release (semaphore, NULL));
}

START_TEST (test_counts)
{
  LoopFuture *futures[5];

  set_up (2);
  for (int i = 0; i < 5; i++)
    {
      ck_assert_int_eq (loop_semaphore_locked (semaphore), i >= 2);
      futures[i] = loop_semaphore_acquire (semaphore);
      ck_assert_int_eq (loop_future_done (futures[i]), i < 2);
    }
  ck_assert_uint_eq (loop_semaphore_get_value (semaphore), 0);

  /* In the order in which they came, without the one who is gone. */
  ck_assert (loop_future_cancel (futures[2]));
  release ();
  ck_assert (loop_future_done (futures[3]));
  ck_assert (!loop_future_done (futures[4]));
  ck_assert_uint_eq (loop_semaphore_get_value (semaphore), 0);
  release ();
  ck_assert (loop_future_done (futures[4]));
  release ();
  release ();
  ck_assert_uint_eq (loop_semaphore_get_value (semaphore), 2);
  for (int i = 0; i < 5; i++)
    g_object_unref (futures[i]);
  tear_down ();
}
END_TEST

START_TEST (test_bound)
{
  g_autoptr (LoopSemaphore) unbounded = NULL;
  g_autoptr (GError) error = NULL;

  set_up (1);
  ck_assert (!loop_semaphore_release (semaphore, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
  ck_assert_uint_eq (loop_semaphore_get_value (semaphore), 1);

  unbounded = loop_semaphore_new (loop, 1);
  ck_assert (loop_semaphore_release (unbounded, NULL));
  ck_assert_uint_eq (loop_semaphore_get_value (unbounded), 2);
  tear_down ();
}
END_TEST

static int n_inside;
static int n_entered;
static int max_inside;

static gboolean
enter (GValue *result, gpointer user_data, GError **error)
{
  gboolean success;

  if (!loop_await_result (loop_semaphore_acquire (semaphore), NULL, error))
    return FALSE;
  n_entered++;
  n_inside++;
  max_inside = MAX (max_inside, n_inside);
  success = loop_await_result (loop_sleep (loop, GPOINTER_TO_INT (user_data) % 3 * 0.0005), NULL, error);
  n_inside--;
  release ();

  return success;
}

START_TEST (test_cancel_after_grant)
{
  g_autoptr (LoopTask) first = NULL;
  g_autoptr (LoopTask) second = NULL;
  g_autoptr (LoopFuture) taken = NULL;

  set_up (1);
  taken = loop_semaphore_acquire (semaphore);
  first = loop_event_loop_spawn (loop, enter, NULL, NULL);
  second = loop_event_loop_spawn (loop, enter, NULL, NULL);
  run_once (loop);
  release ();
  ck_assert (loop_future_cancel (LOOP_FUTURE (first)));
  ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (second), NULL, NULL));
  ck_assert (loop_future_cancelled (LOOP_FUTURE (first)));
  ck_assert_int_eq (n_entered, 1);
  ck_assert_uint_eq (loop_semaphore_get_value (semaphore), 1);
  g_clear_object (&taken);
  g_clear_object (&first);
  g_clear_object (&second);
  tear_down ();
}
END_TEST

/* Nobody is there to take it. */
START_TEST (test_cancel_after_grant_of_last)
{
  g_autoptr (LoopTask) task = NULL;

  set_up (0);
  g_object_unref (semaphore);
  semaphore = loop_semaphore_new (loop, 0);
  task = loop_event_loop_spawn (loop, enter, NULL, NULL);
  run_once (loop);
  release ();
  ck_assert_uint_eq (loop_semaphore_get_value (semaphore), 0);
  ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
  run_once (loop);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
  ck_assert_uint_eq (loop_semaphore_get_value (semaphore), 1);
  tear_down ();
}
END_TEST

START_TEST (test_contention)
{
  enum
  {
    N = 200
  };
  LoopTask *tasks[N];
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);
  int n_cancelled = 0;

  set_up (7);
  for (int i = 0; i < N; i++)
    tasks[i] = loop_event_loop_spawn (loop, enter, GINT_TO_POINTER (i), NULL);
  for (int i = 0; i < 20; i++)
    {
      run_once (loop);
      n_cancelled += loop_future_cancel (LOOP_FUTURE (tasks[g_rand_int_range (rand, 0, N)]));
    }
  for (int i = 0; i < N; i++)
    {
      loop_event_loop_run_until_complete (loop, LOOP_FUTURE (tasks[i]), NULL, NULL);
      g_object_unref (tasks[i]);
    }
  ck_assert_int_gt (n_cancelled, 5);
  ck_assert_int_ge (n_entered, N - n_cancelled);
  ck_assert_int_eq (max_inside, 7);
  ck_assert_uint_eq (loop_semaphore_get_value (semaphore), 7);
  tear_down ();
}
END_TEST

START_TEST (test_freed_and_closed)
{
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopFuture) late = NULL;

  set_up (0);
  future = loop_semaphore_acquire (semaphore);
  g_object_unref (semaphore);
  ck_assert (loop_future_cancelled (future));
  semaphore = loop_semaphore_new (loop, 1);
  ck_assert (loop_event_loop_close (loop));
  late = loop_semaphore_acquire (semaphore);
  check_failed (late, LOOP_ERROR, LOOP_ERROR_CLOSED);
  ck_assert_uint_eq (loop_semaphore_get_value (semaphore), 1);
  tear_down ();
}
END_TEST

LOOP_TEST_MAIN ("semaphore",
                test_counts,
                test_bound,
                test_cancel_after_grant,
                test_cancel_after_grant_of_last,
                test_contention,
                test_freed_and_closed)
