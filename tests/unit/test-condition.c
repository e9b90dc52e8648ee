/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-condition.h"
#include "loop-sleep.h"
#include "loop-task.h"
#include "loop-wait-for.h"

/* However the waiting ends, the one who waited has the lock again. */

static LoopEventLoop *loop;
static LoopCondition *condition;
static double very_long = 1000.0;
static double brief = 0.002;

static void
set_up (void)
{
  loop = loop_event_loop_new ();
  condition = loop_condition_new (loop, NULL);
}

static void
tear_down (void)
{
  ck_assert (!loop_condition_locked (condition));
  ck_assert_uint_eq (G_OBJECT (condition)->ref_count, 1);
  g_object_unref (condition);
  g_object_unref (loop);
}

static void
take (void)
{
  g_autoptr (LoopFuture) future = loop_condition_acquire (condition);

  ck_assert (loop_future_done (future));
}

static void
release (void)
{
  ck_assert (loop_condition_release (condition, NULL));
}

static void
notify_some (guint n)
{
  ck_assert (loop_condition_notify (condition, n, NULL));
}

/* Waits as @n futures, none of which has the lock any more. */
static void
wait_as (LoopFuture **futures, int n)
{
  for (int i = 0; i < n; i++)
    {
      take ();
      futures[i] = loop_condition_wait (condition);
      ck_assert (!loop_future_done (futures[i]));
      ck_assert (!loop_condition_locked (condition));
    }
}

static void
unref_all (LoopFuture **futures, int n)
{
  for (int i = 0; i < n; i++)
    g_object_unref (futures[i]);
}

START_TEST (test_notify_in_order)
{
  LoopFuture *futures[4];
  g_autoptr (LoopFuture) other = NULL;

  set_up ();
  wait_as (futures, 4);
  take ();
  notify_some (2);
  other = loop_condition_acquire (condition);
  ck_assert (!loop_future_done (futures[0]));
  release ();
  ck_assert (loop_future_done (futures[0]));
  ck_assert (!loop_future_done (futures[1]));
  release ();
  ck_assert (loop_future_done (futures[1]));
  ck_assert (!loop_future_done (other));
  release ();
  ck_assert (loop_future_done (other));
  ck_assert (loop_condition_notify_all (condition, NULL));
  release ();
  ck_assert (loop_future_done (futures[2]));
  release ();
  ck_assert (loop_future_done (futures[3]));
  release ();
  unref_all (futures, 4);
  g_clear_object (&other);
  tear_down ();
}
END_TEST

START_TEST (test_without_lock)
{
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  set_up ();
  future = loop_condition_wait (condition);
  check_failed (future, LOOP_ERROR, LOOP_ERROR_INVALID_STATE);
  ck_assert (!loop_condition_notify (condition, 1, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
  ck_assert (!loop_condition_notify_all (condition, NULL));
  ck_assert (!loop_condition_release (condition, NULL));
  tear_down ();
}
END_TEST

START_TEST (test_shared_lock)
{
  g_autoptr (LoopLock) lock = NULL;
  g_autoptr (LoopCondition) other = NULL;
  g_autoptr (LoopEventLoop) other_loop = loop_event_loop_new ();
  LoopFuture *future;

  set_up ();
  g_object_unref (condition);
  lock = loop_lock_new (loop);
  condition = loop_condition_new (loop, lock);
  other = loop_condition_new (loop, lock);
  wait_as (&future, 1);
  take ();
  ck_assert (loop_condition_locked (other));
  ck_assert (loop_condition_notify_all (other, NULL));
  release ();
  ck_assert (!loop_future_done (future));
  take ();
  notify_some (1);
  ck_assert (loop_lock_release (lock, NULL));
  ck_assert (loop_future_done (future));
  release ();
  g_object_unref (future);
  loop_check_expect_critical ("*loop_lock_get_loop*");
  ck_assert_ptr_null (loop_condition_new (other_loop, lock));
  tear_down ();
}
END_TEST

/* The lock is free: it is had at once. */
START_TEST (test_cancel_while_waiting)
{
  LoopFuture *futures[2];

  set_up ();
  wait_as (futures, 2);
  ck_assert (loop_future_cancel_with_message (futures[0], "bored"));
  ck_assert (loop_future_cancelled (futures[0]));
  ck_assert_str_eq (loop_future_get_cancel_message (futures[0]), "bored");
  ck_assert (loop_condition_locked (condition));
  /* It was not notified, so nobody is in its place. */
  release ();
  ck_assert (!loop_future_done (futures[1]));
  take ();
  notify_some (1);
  release ();
  ck_assert (loop_future_done (futures[1]));
  release ();
  unref_all (futures, 2);
  tear_down ();
}
END_TEST

/* Somebody has the lock: it is cancelled when it is its turn. */
START_TEST (test_cancel_while_locked)
{
  LoopFuture *futures[2];
  g_autoptr (LoopFuture) other = NULL;

  set_up ();
  wait_as (futures, 2);
  take ();
  ck_assert (loop_future_cancel (futures[0]));
  ck_assert (loop_future_cancel_with_message (futures[0], "again"));
  other = loop_condition_acquire (condition);
  ck_assert (!loop_future_done (futures[0]));
  release ();
  ck_assert (loop_future_cancelled (futures[0]));
  ck_assert_str_eq (loop_future_get_cancel_message (futures[0]), "again");
  ck_assert (!loop_future_done (other));
  release ();
  ck_assert (loop_future_done (other));
  release ();
  ck_assert (!loop_future_done (futures[1]));
  unref_all (futures, 2);
  g_clear_object (&other);
  tear_down ();
}
END_TEST

/* Notified and cancelled: the notification is for the next one. */
START_TEST (test_cancel_after_notify)
{
  LoopFuture *futures[3];

  set_up ();
  wait_as (futures, 3);
  take ();
  notify_some (1);
  ck_assert (loop_future_cancel (futures[0]));
  ck_assert (!loop_future_done (futures[0]));
  release ();
  ck_assert (loop_future_cancelled (futures[0]));
  release ();
  ck_assert (loop_future_done (futures[1]));
  ck_assert (!loop_future_cancelled (futures[1]));
  release ();
  ck_assert (!loop_future_done (futures[2]));
  unref_all (futures, 3);
  tear_down ();
}
END_TEST

static int n_items;

static gboolean
wait_once (GValue *result, gpointer user_data, GError **error)
{
  double timeout = *(double *) user_data;
  gboolean success;

  if (!loop_await_result (loop_condition_acquire (condition), NULL, error))
    return FALSE;

  success = loop_await_result (loop_wait_for (loop_condition_wait (condition), timeout), NULL, error);
  ck_assert (loop_condition_locked (condition));
  note_step (success ? 'w' : '!');
  release ();

  return success;
}

/* A fiber that was notified and has the lock, but was cancelled before it went on. */
static void
check_cancel_after_grant (double timeout)
{
  g_autoptr (LoopTask) first = NULL;
  g_autoptr (LoopTask) second = NULL;

  set_up ();
  first = loop_event_loop_spawn (loop, wait_once, &timeout, NULL);
  second = loop_event_loop_spawn (loop, wait_once, &timeout, NULL);
  run_once (loop);
  run_once (loop);
  take ();
  notify_some (1);
  release ();
  ck_assert (loop_condition_locked (condition));
  ck_assert (loop_future_cancel (LOOP_FUTURE (first)));
  ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (second), NULL, NULL));
  ck_assert (loop_future_cancelled (LOOP_FUTURE (first)));
  check_steps ("!w");
  g_clear_object (&first);
  g_clear_object (&second);
  tear_down ();
}

START_TEST (test_cancel_after_grant) { check_cancel_after_grant (-1.0); }
END_TEST

START_TEST (test_cancel_after_grant_of_wait_for) { check_cancel_after_grant (very_long); }
END_TEST

START_TEST (test_time_out)
{
  g_autoptr (LoopTask) task = NULL;

  set_up ();
  task = loop_event_loop_spawn (loop, wait_once, &brief, NULL);
  loop_event_loop_run_until_complete (loop, LOOP_FUTURE (task), NULL, NULL);
  check_failed (LOOP_FUTURE (task), G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  check_steps ("!");
  g_clear_object (&task);
  tear_down ();
}
END_TEST

static gboolean
has_two (gpointer data)
{
  note_step ('?');
  ck_assert (loop_condition_locked (condition));

  return n_items >= 2;
}

static void
add_item (void)
{
  take ();
  n_items++;
  notify_some (1);
  release ();
  run_once (loop);
}

START_TEST (test_predicate)
{
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopFuture) at_once = NULL;

  set_up ();
  take ();
  future = loop_condition_wait_for (condition, has_two, step_new ('p'), step_destroy);
  check_steps ("?");
  ck_assert (!loop_condition_locked (condition));
  add_item ();
  check_steps ("?");
  ck_assert (!loop_future_done (future));
  ck_assert (!loop_condition_locked (condition));
  add_item ();
  check_steps ("?P");
  ck_assert (loop_future_done (future));
  ck_assert (loop_condition_locked (condition));

  at_once = loop_condition_wait_for (condition, has_two, step_new ('p'), step_destroy);
  ck_assert (loop_future_done (at_once));
  ck_assert (loop_condition_locked (condition));
  check_steps ("?P");
  release ();
  tear_down ();
}
END_TEST

static gboolean
never (gpointer data)
{
  return FALSE;
}

START_TEST (test_predicate_without_lock)
{
  g_autoptr (LoopFuture) future = NULL;

  set_up ();
  future = loop_condition_wait_for (condition, never, step_new ('p'), step_destroy);
  check_failed (future, LOOP_ERROR, LOOP_ERROR_INVALID_STATE);
  check_steps ("P");
  tear_down ();
}
END_TEST

/* It has the lock, and its predicate would be called next. */
START_TEST (test_predicate_cancelled)
{
  g_autoptr (LoopFuture) first = NULL;
  LoopFuture *second;

  set_up ();
  take ();
  first = loop_condition_wait_for (condition, has_two, step_new ('p'), step_destroy);
  wait_as (&second, 1);
  take ();
  notify_some (1);
  release ();
  ck_assert (!loop_future_done (first));
  ck_assert (loop_future_cancel (first));
  ck_assert (loop_future_cancelled (first));
  check_steps ("?P");
  run_once (loop);
  ck_assert (loop_condition_locked (condition));
  /* The notification went to the next one. */
  release ();
  ck_assert (loop_future_done (second));
  release ();
  g_object_unref (second);
  tear_down ();
}
END_TEST

/* Those who wait get the lock and end; and nothing is left over. */
START_TEST (test_condition_freed)
{
  LoopFuture *futures[2];
  g_autoptr (LoopFuture) predicate = NULL;
  g_autoptr (LoopLock) lock = NULL;
  LoopCondition *weak;

  set_up ();
  lock = loop_lock_new (loop);
  g_object_unref (condition);
  condition = loop_condition_new (loop, lock);
  weak = condition;
  g_object_add_weak_pointer (G_OBJECT (condition), (gpointer *) &weak);
  wait_as (futures, 2);
  take ();
  predicate = loop_condition_wait_for (condition, has_two, step_new ('p'), step_destroy);
  take ();
  notify_some (1);
  g_object_unref (condition);
  ck_assert_ptr_null (weak);
  ck_assert (!loop_future_done (futures[1]));
  ck_assert (loop_lock_release (lock, NULL));
  ck_assert (loop_future_done (futures[0]));
  ck_assert (!loop_future_cancelled (futures[0]));
  ck_assert (loop_lock_release (lock, NULL));
  ck_assert (loop_future_cancelled (futures[1]));
  ck_assert (loop_lock_release (lock, NULL));
  ck_assert (loop_future_cancelled (predicate));
  check_steps ("?P");
  ck_assert (loop_lock_release (lock, NULL));
  ck_assert (!loop_lock_locked (lock));
  unref_all (futures, 2);
  g_object_unref (loop);
}
END_TEST

/* With its lock, which can never be had any more. */
START_TEST (test_freed_with_lock)
{
  LoopFuture *futures[2];
  LoopFuture *predicate;

  set_up ();
  wait_as (futures, 2);
  take ();
  predicate = loop_condition_wait_for (condition, has_two, step_new ('p'), step_destroy);
  take ();
  notify_some (1);
  g_object_unref (condition);
  ck_assert (loop_future_cancelled (futures[0]));
  ck_assert (loop_future_cancelled (futures[1]));
  ck_assert (loop_future_cancelled (predicate));
  unref_all (futures, 2);
  g_object_unref (predicate);
  check_steps ("?P");
  g_object_unref (loop);
}
END_TEST

START_TEST (test_loop_closed)
{
  LoopFuture *futures[2];
  g_autoptr (LoopFuture) predicate = NULL;
  g_autoptr (LoopFuture) late = NULL;
  g_autoptr (LoopTask) task = NULL;

  set_up ();
  task = loop_event_loop_spawn (loop, wait_once, &very_long, NULL);
  run_once (loop);
  wait_as (futures, 2);
  take ();
  predicate = loop_condition_wait_for (condition, has_two, step_new ('p'), step_destroy);
  take ();
  ck_assert (loop_condition_notify_all (condition, NULL));
  release ();
  loop_check_expect_warning ("*pending*");
  release ();
  ck_assert (loop_event_loop_close (loop));
  late = loop_condition_wait (condition);
  check_failed (late, LOOP_ERROR, LOOP_ERROR_CLOSED);
  while (loop_condition_locked (condition))
    release ();
  ck_assert (loop_future_cancelled (predicate));
  unref_all (futures, 2);
  g_clear_object (&task);
  tear_down ();
}
END_TEST

enum
{
  N_CONSUMERS = 20,
  N_ITEMS = 500
};

static int n_produced;
static int n_consumed;

static gboolean
is_worth_looking (gpointer data)
{
  return n_items > 0 || n_produced == N_ITEMS;
}

static gboolean
consume (GValue *result, gpointer user_data, GError **error)
{
  gboolean success = TRUE;

  while (success && n_consumed < N_ITEMS)
    {
      if (!loop_await_result (loop_condition_acquire (condition), NULL, error))
        return FALSE;

      if (GPOINTER_TO_INT (user_data) % 2 == 0)
        while (success && !is_worth_looking (NULL))
          success = loop_await_result (loop_condition_wait (condition), NULL, error);
      else
        success = loop_await_result (loop_condition_wait_for (condition, is_worth_looking, NULL, NULL), NULL, error);

      if (success && n_items > 0)
        {
          n_items--;
          n_consumed++;
        }
      release ();
    }

  return success;
}

static gboolean
produce (GValue *result, gpointer user_data, GError **error)
{
  while (n_produced < N_ITEMS)
    {
      if (!loop_await_result (loop_condition_acquire (condition), NULL, error))
        return FALSE;
      n_items++;
      if (++n_produced == N_ITEMS)
        ck_assert (loop_condition_notify_all (condition, NULL));
      else
        notify_some (1);
      release ();
      if (n_produced % 7 == 0 && !loop_await_result (loop_sleep (loop, 0.0), NULL, error))
        return FALSE;
    }

  return TRUE;
}

/* Each item is consumed, although consumers are cancelled all the time: no notification is lost. */
START_TEST (test_contention)
{
  LoopTask *consumers[N_CONSUMERS];
  g_autoptr (LoopTask) producer = NULL;
  g_autoptr (GRand) rand = g_rand_new_with_seed (5);

  set_up ();
  for (int i = 0; i < N_CONSUMERS; i++)
    consumers[i] = loop_event_loop_spawn (loop, consume, GINT_TO_POINTER (i), NULL);
  producer = loop_event_loop_spawn (loop, produce, NULL, NULL);
  for (int i = 0; i < N_CONSUMERS - 4; i++)
    {
      run_once (loop);
      loop_future_cancel (LOOP_FUTURE (consumers[g_rand_int_range (rand, 0, N_CONSUMERS)]));
    }
  ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (producer), NULL, NULL));
  for (int i = 0; i < N_CONSUMERS; i++)
    {
      loop_event_loop_run_until_complete (loop, LOOP_FUTURE (consumers[i]), NULL, NULL);
      g_object_unref (consumers[i]);
    }
  ck_assert_int_eq (n_consumed, N_ITEMS);
  g_clear_object (&producer);
  tear_down ();
}
END_TEST

LOOP_TEST_MAIN ("condition",
                test_notify_in_order,
                test_without_lock,
                test_shared_lock,
                test_cancel_while_waiting,
                test_cancel_while_locked,
                test_cancel_after_notify,
                test_cancel_after_grant,
                test_cancel_after_grant_of_wait_for,
                test_time_out,
                test_predicate,
                test_predicate_without_lock,
                test_predicate_cancelled,
                test_condition_freed,
                test_freed_with_lock,
                test_loop_closed,
                test_contention)
