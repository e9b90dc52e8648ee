/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-lock.h"
#include "loop-sleep.h"
#include "loop-task.h"
#include "loop-wait-for.h"

/* One has it at a time, in the order in which they came; and nobody has it who does not know. */

static LoopEventLoop *loop;
static LoopLock *lock;

static void
set_up (void)
{
  loop = loop_event_loop_new ();
  lock = loop_lock_new (loop);
}

static void
tear_down (void)
{
  ck_assert_uint_eq (G_OBJECT (lock)->ref_count, 1);
  g_object_unref (lock);
  g_object_unref (loop);
}

/* Takes the lock, which is free. */
static void
take (void)
{
  g_autoptr (LoopFuture) future = loop_lock_acquire (lock);

  ck_assert (loop_future_done (future));
}

static void
release (void)
{
  ck_assert (loop_lock_release (lock, NULL));
}

static gboolean
enter (GValue *result, gpointer user_data, GError **error)
{
  double timeout = user_data != NULL ? *(double *) user_data : -1.0;
  g_autoptr (LoopFuture) future = loop_lock_acquire (lock);

  if (!loop_await_result (timeout >= 0.0 ? loop_wait_for (future, timeout) : g_object_ref (future), NULL, error))
    return FALSE;

  note_step ('i');
  release ();

  return TRUE;
}

START_TEST (test_free)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LoopFuture) future = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  set_up ();
  ck_assert (!loop_lock_locked (lock));
  future = loop_lock_acquire (lock);
  ck_assert (loop_future_result (future, &value, NULL));
  ck_assert (g_value_get_boolean (&value));
  ck_assert (loop_lock_locked (lock));
  release ();
  ck_assert (!loop_lock_locked (lock));
  ck_assert (!loop_lock_release (lock, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
  g_clear_object (&future);
  tear_down ();
}
END_TEST

START_TEST (test_in_order)
{
  LoopFuture *futures[5];

  set_up ();
  for (int i = 0; i < 5; i++)
    futures[i] = loop_lock_acquire (lock);
  for (int i = 0; i < 5; i++)
    {
      for (int j = 0; j < 5; j++)
        ck_assert_int_eq (loop_future_done (futures[j]), j <= i);
      ck_assert (loop_lock_locked (lock));
      release ();
    }
  ck_assert (!loop_lock_locked (lock));
  for (int i = 0; i < 5; i++)
    g_object_unref (futures[i]);
  tear_down ();
}
END_TEST

/* Between a release and the next one's turn nobody comes in. */
START_TEST (test_handed_over)
{
  g_autoptr (LoopFuture) first = NULL;
  g_autoptr (LoopFuture) second = NULL;

  set_up ();
  take ();
  first = loop_lock_acquire (lock);
  release ();
  second = loop_lock_acquire (lock);
  ck_assert (loop_future_done (first));
  ck_assert (!loop_future_done (second));
  release ();
  ck_assert (loop_future_done (second));
  release ();
  g_clear_object (&first);
  g_clear_object (&second);
  tear_down ();
}
END_TEST

START_TEST (test_cancel_while_waiting)
{
  LoopFuture *futures[3];

  set_up ();
  take ();
  for (int i = 0; i < 3; i++)
    futures[i] = loop_lock_acquire (lock);
  ck_assert (loop_future_cancel_with_message (futures[1], "bored"));
  ck_assert_str_eq (loop_future_get_cancel_message (futures[1]), "bored");
  ck_assert (!loop_future_cancel (futures[1]));
  ck_assert (loop_future_cancel (futures[0]));
  release ();
  ck_assert (loop_future_done (futures[2]));
  ck_assert (!loop_future_cancel (futures[2]));
  release ();
  ck_assert (!loop_lock_locked (lock));
  for (int i = 0; i < 3; i++)
    g_object_unref (futures[i]);
  tear_down ();
}
END_TEST

/* Cancels a fiber that waits for the lock, @n_iterations after it was given to it. */
static void
check_cancel_after_grant (double *timeout, int n_iterations)
{
  g_autoptr (LoopTask) first = NULL;
  g_autoptr (LoopTask) second = NULL;

  set_up ();
  take ();
  first = loop_event_loop_spawn (loop, enter, timeout, NULL);
  second = loop_event_loop_spawn (loop, enter, NULL, NULL);
  run_once (loop);
  release ();
  while (n_iterations-- > 0)
    run_once (loop);
  ck_assert (loop_future_cancel (LOOP_FUTURE (first)));
  ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (second), NULL, NULL));
  ck_assert (loop_future_cancelled (LOOP_FUTURE (first)));
  check_steps ("i");
  ck_assert (!loop_lock_locked (lock));
  g_clear_object (&first);
  g_clear_object (&second);
  tear_down ();
}

static double very_long = 1000.0;
static double brief = 0.002;

START_TEST (test_cancel_after_grant) { check_cancel_after_grant (NULL, 0); }
END_TEST

/* The wait has not been told yet. */
START_TEST (test_cancel_after_grant_of_wait_for) { check_cancel_after_grant (&very_long, 0); }
END_TEST

/* The wait is done, and the fiber has not been told yet. */
START_TEST (test_cancel_after_end_of_wait_for) { check_cancel_after_grant (&very_long, 1); }
END_TEST

START_TEST (test_time_out)
{
  g_autoptr (LoopTask) first = NULL;
  g_autoptr (LoopTask) second = NULL;

  set_up ();
  take ();
  first = loop_event_loop_spawn (loop, enter, &brief, NULL);
  second = loop_event_loop_spawn (loop, enter, NULL, NULL);
  loop_event_loop_run_until_complete (loop, LOOP_FUTURE (first), NULL, NULL);
  check_failed (LOOP_FUTURE (first), G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  release ();
  ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (second), NULL, NULL));
  ck_assert (!loop_lock_locked (lock));
  g_clear_object (&first);
  g_clear_object (&second);
  tear_down ();
}
END_TEST

/* A done callback may have used it: that the future is gone says nothing. */
START_TEST (test_future_freed_after_grant)
{
  set_up ();
  take ();
  g_object_unref (loop_lock_acquire (lock));
  release ();
  run_once (loop);
  ck_assert (loop_lock_locked (lock));
  release ();
  ck_assert (!loop_lock_locked (lock));
  tear_down ();
}
END_TEST

/* As somebody may do with any future. */
START_TEST (test_result_set_by_others)
{
  g_autoptr (LoopFuture) first = NULL;
  g_autoptr (LoopFuture) second = NULL;

  set_up ();
  take ();
  first = loop_lock_acquire (lock);
  second = loop_lock_acquire (lock);
  set_int (first, 1);
  release ();
  ck_assert (loop_future_done (second));
  release ();
  ck_assert (!loop_lock_locked (lock));
  g_clear_object (&first);
  g_clear_object (&second);
  tear_down ();
}
END_TEST

/* Nobody can hand it over any more. */
START_TEST (test_lock_freed)
{
  LoopLock *weak;
  g_autoptr (LoopTask) task = NULL;

  set_up ();
  weak = lock;
  g_object_add_weak_pointer (G_OBJECT (lock), (gpointer *) &weak);
  take ();
  task = loop_event_loop_spawn (loop, enter, NULL, NULL);
  run_once (loop);
  g_object_unref (lock);
  ck_assert_ptr_null (weak);
  run_once (loop);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
  g_object_unref (loop);
}
END_TEST

static gpointer
unref_in_thread (gpointer object)
{
  g_object_unref (object);

  return NULL;
}

static void
free_lock_elsewhere (gpointer data)
{
  LoopFuture *future = data;

  g_thread_join (g_thread_new ("unref", unref_in_thread, lock));
  /* Here it is not for that thread to end it. */
  ck_assert (!loop_future_done (future));
}

START_TEST (test_lock_freed_by_thread)
{
  g_autoptr (LoopFuture) future = NULL;

  set_up ();
  take ();
  future = loop_lock_acquire (lock);
  loop_event_loop_call_soon (loop, free_lock_elsewhere, future, NULL);
  ck_assert (!loop_event_loop_run_until_complete (loop, future, NULL, NULL));
  ck_assert (loop_future_cancelled (future));
  g_object_unref (loop);
}
END_TEST

START_TEST (test_loop_closed)
{
  g_autoptr (LoopFuture) waiting = NULL;
  g_autoptr (LoopFuture) late = NULL;
  g_autoptr (LoopTask) task = NULL;

  set_up ();
  take ();
  waiting = loop_lock_acquire (lock);
  task = loop_event_loop_spawn (loop, enter, NULL, NULL);
  run_once (loop);
  loop_check_expect_warning ("*pending*");
  ck_assert (loop_event_loop_close (loop));
  late = loop_lock_acquire (lock);
  check_failed (late, LOOP_ERROR, LOOP_ERROR_CLOSED);
  ck_assert (!loop_future_done (waiting));
  release ();
  ck_assert (loop_future_done (waiting));
  g_clear_object (&waiting);
  g_clear_object (&task);
  tear_down ();
}
END_TEST

/* A fiber that is closed where it waits does not stand in the way. */
START_TEST (test_fiber_closed)
{
  LoopCoroutine *coroutine;
  LoopFuture *awaited = NULL;
  g_auto (GValue) result = G_VALUE_INIT;

  set_up ();
  take ();
  coroutine = LOOP_COROUTINE (loop_fiber_new (enter, NULL, NULL));
  ck_assert_int_eq (loop_coroutine_send (coroutine, &awaited, &result, NULL), LOOP_COROUTINE_AWAITING);
  loop_coroutine_close (coroutine);
  ck_assert (loop_future_cancelled (awaited));
  release ();
  ck_assert (!loop_lock_locked (lock));
  g_object_unref (awaited);
  g_object_unref (coroutine);
  tear_down ();
}
END_TEST

enum
{
  N_TASKS = 50,
  N_ROUNDS = 40
};

static int n_inside;
static int n_entered;
static guint n_cancelled;

static gboolean
contend (GValue *result, gpointer user_data, GError **error)
{
  for (int i = 0; i < N_ROUNDS; i++)
    {
      gboolean success;

      if (!loop_await_result (loop_lock_acquire (lock), NULL, error))
        return FALSE;
      ck_assert_int_eq (n_inside++, 0);
      n_entered++;
      success = (i + GPOINTER_TO_INT (user_data)) % 3 > 0 || loop_await_result (loop_sleep (loop, 0.0), NULL, error);
      n_inside--;
      release ();
      if (!success)
        return FALSE;
    }

  return TRUE;
}

static void
run_contention (gboolean cancel_some)
{
  LoopTask *tasks[N_TASKS];
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);

  set_up ();
  for (int i = 0; i < N_TASKS; i++)
    tasks[i] = loop_event_loop_spawn (loop, contend, GINT_TO_POINTER (i), NULL);

  for (int i = 0; cancel_some && i < N_TASKS - 5; i++)
    {
      for (int n = g_rand_int_range (rand, 0, 4); n > 0; n--)
        run_once (loop);
      n_cancelled += loop_future_cancel (LOOP_FUTURE (tasks[g_rand_int_range (rand, 0, N_TASKS)]));
    }

  for (int i = 0; i < N_TASKS; i++)
    {
      loop_event_loop_run_until_complete (loop, LOOP_FUTURE (tasks[i]), NULL, NULL);
      g_object_unref (tasks[i]);
    }
  ck_assert (!loop_lock_locked (lock));
  tear_down ();
}

START_TEST (test_contention)
{
  run_contention (FALSE);
  ck_assert_int_eq (n_entered, N_TASKS * N_ROUNDS);
}
END_TEST

START_TEST (test_contention_and_cancels)
{
  run_contention (TRUE);
  ck_assert_uint_gt (n_cancelled, 10);
}
END_TEST

LOOP_TEST_MAIN ("lock",
                test_free,
                test_in_order,
                test_handed_over,
                test_cancel_while_waiting,
                test_cancel_after_grant,
                test_cancel_after_grant_of_wait_for,
                test_cancel_after_end_of_wait_for,
                test_time_out,
                test_future_freed_after_grant,
                test_result_set_by_others,
                test_lock_freed,
                test_lock_freed_by_thread,
                test_loop_closed,
                test_fiber_closed,
                test_contention,
                test_contention_and_cancels)
