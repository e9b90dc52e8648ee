/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-queue.h"
#include "loop-sleep.h"
#include "loop-task.h"
#include "loop-wait-for.h"

static LoopEventLoop *loop;
static LoopQueue *queue;

static void
set_up (guint maxsize)
{
  loop = loop_event_loop_new ();
  queue = loop_queue_new (loop, maxsize);
}

static void
tear_down (void)
{
  ck_assert_uint_eq (G_OBJECT (queue)->ref_count, 1);
  g_object_unref (queue);
  g_object_unref (loop);
}

static LoopFuture *
put (int number)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  g_value_set_int (&value, number);

  return loop_queue_put (queue, &value);
}

static gboolean
put_nowait (int number, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  g_value_set_int (&value, number);

  return loop_queue_put_nowait (queue, &value, error);
}

static int
get_nowait (void)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_queue_get_nowait (queue, &value, NULL));

  return g_value_get_int (&value);
}

static void
put_all (int n)
{
  for (int i = 0; i < n; i++)
    ck_assert (put_nowait (i, NULL));
}

static void
check_shut_down (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LoopFuture) putter = put (1);
  g_autoptr (LoopFuture) getter = loop_queue_get (queue);
  g_auto (GValue) value = G_VALUE_INIT;

  check_failed (putter, LOOP_ERROR, LOOP_ERROR_QUEUE_SHUT_DOWN);
  check_failed (getter, LOOP_ERROR, LOOP_ERROR_QUEUE_SHUT_DOWN);
  ck_assert (!put_nowait (1, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_QUEUE_SHUT_DOWN));
  g_clear_error (&error);
  ck_assert (!loop_queue_get_nowait (queue, &value, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_QUEUE_SHUT_DOWN));
}

START_TEST (test_nowait)
{
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  set_up (3);
  ck_assert_int_eq (loop_queue_get_kind (queue), LOOP_QUEUE_FIFO);
  ck_assert_uint_eq (loop_queue_get_maxsize (queue), 3);
  ck_assert (loop_queue_is_empty (queue));
  ck_assert (!loop_queue_get_nowait (queue, &value, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_QUEUE_EMPTY));
  g_clear_error (&error);

  put_all (3);
  ck_assert_uint_eq (loop_queue_get_size (queue), 3);
  ck_assert (loop_queue_is_full (queue));
  ck_assert (!put_nowait (3, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_QUEUE_FULL));
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq (get_nowait (), i);
  ck_assert (loop_queue_is_empty (queue));

  ck_assert (loop_queue_put_nowait (queue, NULL, NULL));
  ck_assert (loop_queue_get_nowait (queue, &value, NULL));
  ck_assert_ptr_null (g_value_get_pointer (&value));
  tear_down ();
}
END_TEST

START_TEST (test_unlimited)
{
  set_up (0);
  put_all (10000);
  ck_assert (!loop_queue_is_full (queue));
  for (int i = 0; i < 10000; i++)
    ck_assert_int_eq (get_nowait (), i);
  tear_down ();
}
END_TEST

START_TEST (test_lifo)
{
  set_up (0);
  g_object_unref (queue);
  queue = loop_queue_new_lifo (loop, 0);
  ck_assert_int_eq (loop_queue_get_kind (queue), LOOP_QUEUE_LIFO);
  put_all (5);
  for (int i = 4; i >= 0; i--)
    ck_assert_int_eq (get_nowait (), i);
  tear_down ();
}
END_TEST

static int
compare_tens (const GValue *a, const GValue *b, gpointer user_data)
{
  return g_value_get_int (a) / 10 - g_value_get_int (b) / 10;
}

static void
set_up_priority (void)
{
  set_up (0);
  g_object_unref (queue);
  queue = loop_queue_new_priority (loop, 0, compare_tens, step_new ('c'), step_destroy);
}

START_TEST (test_priority)
{
  static const int numbers[] = { 31, 20, 12, 33, 11, 25, 9 };
  static const int sorted[] = { 9, 12, 11, 20, 25, 31, 33 };

  set_up_priority ();
  ck_assert_int_eq (loop_queue_get_kind (queue), LOOP_QUEUE_PRIORITY);
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    ck_assert (put_nowait (numbers[i], NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (sorted); i++)
    ck_assert_int_eq (get_nowait (), sorted[i]);
  put_all (3);
  tear_down ();
  check_steps ("C");
}
END_TEST

START_TEST (test_getters_in_order)
{
  LoopFuture *getters[4];

  set_up (0);
  for (int i = 0; i < 4; i++)
    getters[i] = loop_queue_get (queue);
  ck_assert (loop_future_cancel (getters[1]));
  put_all (4);
  ck_assert_int_eq (get_int (getters[0]), 0);
  ck_assert_int_eq (get_int (getters[2]), 1);
  ck_assert_int_eq (get_int (getters[3]), 2);
  ck_assert_int_eq (get_nowait (), 3);
  for (int i = 0; i < 4; i++)
    g_object_unref (getters[i]);
  tear_down ();
}
END_TEST

START_TEST (test_putters_in_order)
{
  LoopFuture *putters[5];

  set_up (2);
  for (int i = 0; i < 5; i++)
    {
      putters[i] = put (i);
      ck_assert_int_eq (loop_future_done (putters[i]), i < 2);
    }
  ck_assert (loop_future_cancel (putters[3]));
  ck_assert_int_eq (get_nowait (), 0);
  ck_assert (loop_future_done (putters[2]));
  ck_assert (!loop_future_done (putters[4]));
  ck_assert_int_eq (get_nowait (), 1);
  ck_assert (loop_future_done (putters[4]));
  ck_assert_int_eq (get_nowait (), 2);
  ck_assert_int_eq (get_nowait (), 4);
  ck_assert (loop_queue_is_empty (queue));
  for (int i = 0; i < 5; i++)
    g_object_unref (putters[i]);
  tear_down ();
}
END_TEST

static gboolean
get_one (GValue *result, gpointer user_data, GError **error)
{
  return loop_await_result (loop_queue_get (queue), result, error);
}

static gboolean
get_one_in_time (GValue *result, gpointer user_data, GError **error)
{
  return loop_await_result (loop_wait_for (loop_queue_get (queue), 1000.0), result, error);
}

static gboolean
put_seven (GValue *result, gpointer user_data, GError **error)
{
  return loop_await_result (put (7), NULL, error);
}

/* Cancels a fiber that has been given the first of three items. */
static void
check_cancel_after_get (LoopFiberFunc func)
{
  g_autoptr (LoopTask) task = NULL;

  task = loop_event_loop_spawn (loop, func, NULL, NULL);
  run_once (loop);
  put_all (3);
  ck_assert_uint_eq (loop_queue_get_size (queue), 2);
  ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
  run_once (loop);
  run_once (loop);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
  ck_assert_uint_eq (loop_queue_get_size (queue), 3);
}

/* The item is the next one again. */
START_TEST (test_cancel_after_get)
{
  set_up (0);
  check_cancel_after_get (get_one);
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq (get_nowait (), i);
  check_cancel_after_get (get_one_in_time);
  tear_down ();

  set_up_priority ();
  check_cancel_after_get (get_one);
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq (get_nowait (), i);
  tear_down ();
  check_steps ("C");
}
END_TEST

/* Or somebody else's, who waits. */
START_TEST (test_cancel_after_get_with_others)
{
  g_autoptr (LoopTask) first = NULL;
  g_autoptr (LoopTask) second = NULL;

  set_up (0);
  first = loop_event_loop_spawn (loop, get_one, NULL, NULL);
  second = loop_event_loop_spawn (loop, get_one, NULL, NULL);
  run_once (loop);
  put_all (1);
  ck_assert (loop_future_cancel (LOOP_FUTURE (first)));
  ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (second), NULL, NULL));
  ck_assert_int_eq (get_int (LOOP_FUTURE (second)), 0);
  g_clear_object (&first);
  g_clear_object (&second);
  tear_down ();
}
END_TEST

/* What it has put is not in the queue, as it was told. */
START_TEST (test_cancel_after_put)
{
  g_autoptr (LoopTask) task = NULL;
  g_autoptr (LoopFuture) next = NULL;
  g_autoptr (LoopFuture) join = NULL;

  set_up (2);
  put_all (2);
  task = loop_event_loop_spawn (loop, put_seven, NULL, NULL);
  run_once (loop);
  next = put (8);
  ck_assert_int_eq (get_nowait (), 0);
  ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
  run_once (loop);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
  ck_assert (loop_future_done (next));
  ck_assert_int_eq (get_nowait (), 1);
  ck_assert_int_eq (get_nowait (), 8);
  join = loop_queue_join (queue);
  for (int i = 0; i < 3; i++)
    {
      ck_assert (!loop_future_done (join));
      ck_assert (loop_queue_task_done (queue, NULL));
    }
  ck_assert (loop_future_done (join));
  g_clear_object (&task);
  g_clear_object (&next);
  tear_down ();
}
END_TEST

/* Unless somebody has it already. */
START_TEST (test_cancel_after_put_and_get)
{
  g_autoptr (LoopTask) task = NULL;

  set_up (1);
  put_all (1);
  task = loop_event_loop_spawn (loop, put_seven, NULL, NULL);
  run_once (loop);
  ck_assert_int_eq (get_nowait (), 0);
  ck_assert_int_eq (get_nowait (), 7);
  ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
  run_once (loop);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
  ck_assert (loop_queue_is_empty (queue));
  tear_down ();
}
END_TEST

START_TEST (test_join)
{
  g_autoptr (LoopFuture) at_once = NULL;
  g_autoptr (LoopFuture) join = NULL;
  g_autoptr (LoopFuture) cancelled = NULL;
  g_autoptr (GError) error = NULL;

  set_up (0);
  at_once = loop_queue_join (queue);
  ck_assert (loop_future_done (at_once));
  put_all (2);
  join = loop_queue_join (queue);
  cancelled = loop_queue_join (queue);
  ck_assert (loop_future_cancel (cancelled));
  get_nowait ();
  get_nowait ();
  ck_assert (loop_queue_task_done (queue, NULL));
  ck_assert (!loop_future_done (join));
  ck_assert (loop_queue_task_done (queue, NULL));
  ck_assert (loop_future_done (join));
  ck_assert (!loop_queue_task_done (queue, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
  tear_down ();
}
END_TEST

/* What is in it can still be had. */
START_TEST (test_shutdown)
{
  g_autoptr (LoopFuture) putter = NULL;
  g_autoptr (LoopFuture) getter = NULL;

  set_up (2);
  put_all (2);
  putter = put (2);
  loop_queue_shutdown (queue, FALSE);
  check_failed (putter, LOOP_ERROR, LOOP_ERROR_QUEUE_SHUT_DOWN);
  ck_assert_int_eq (get_nowait (), 0);
  getter = loop_queue_get (queue);
  ck_assert_int_eq (get_int (getter), 1);
  check_shut_down ();
  loop_queue_shutdown (queue, FALSE);
  check_shut_down ();
  g_clear_object (&putter);
  g_clear_object (&getter);
  tear_down ();
}
END_TEST

START_TEST (test_shutdown_of_getters)
{
  g_autoptr (LoopFuture) getter = NULL;
  g_autoptr (LoopTask) task = NULL;

  set_up (0);
  getter = loop_queue_get (queue);
  task = loop_event_loop_spawn (loop, get_one, NULL, NULL);
  run_once (loop);
  loop_queue_shutdown (queue, FALSE);
  check_failed (getter, LOOP_ERROR, LOOP_ERROR_QUEUE_SHUT_DOWN);
  run_once (loop);
  check_failed (LOOP_FUTURE (task), LOOP_ERROR, LOOP_ERROR_QUEUE_SHUT_DOWN);
  tear_down ();
}
END_TEST

START_TEST (test_shutdown_at_once)
{
  g_autoptr (LoopFuture) join = NULL;
  g_autoptr (LoopFuture) putter = NULL;

  set_up (3);
  put_all (3);
  putter = put (3);
  get_nowait ();
  join = loop_queue_join (queue);
  loop_queue_shutdown (queue, TRUE);
  ck_assert (loop_queue_is_empty (queue));
  check_shut_down ();
  /* The one that was had is still to be done, and so is the one that came in its place. */
  ck_assert (loop_future_done (putter));
  ck_assert (!loop_future_done (join));
  ck_assert (loop_queue_task_done (queue, NULL));
  ck_assert (loop_future_done (join));
  g_clear_object (&putter);
  tear_down ();
}
END_TEST

/* An item that comes back to a queue that has dropped all others. */
START_TEST (test_cancel_after_get_and_shutdown)
{
  g_autoptr (LoopTask) task = NULL;
  g_autoptr (LoopFuture) join = NULL;

  set_up (0);
  task = loop_event_loop_spawn (loop, get_one, NULL, NULL);
  run_once (loop);
  put_all (2);
  join = loop_queue_join (queue);
  loop_queue_shutdown (queue, TRUE);
  ck_assert (!loop_future_done (join));
  ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
  run_once (loop);
  ck_assert (loop_future_done (join));
  ck_assert (loop_queue_is_empty (queue));
  tear_down ();
}
END_TEST

/* Values are the queue's while they are in it, and a putter's before. */
START_TEST (test_queue_freed)
{
  g_autoptr (GObject) object = g_object_new (G_TYPE_OBJECT, NULL);
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (LoopFuture) putter = NULL;
  g_autoptr (LoopFuture) join = NULL;
  g_autoptr (LoopFuture) getter = NULL;
  g_autoptr (LoopQueue) empty = NULL;

  set_up (1);
  g_value_init (&value, G_TYPE_OBJECT);
  g_value_set_object (&value, object);
  ck_assert (loop_queue_put_nowait (queue, &value, NULL));
  putter = loop_queue_put (queue, &value);
  join = loop_queue_join (queue);
  ck_assert_uint_eq (object->ref_count, 4);
  g_object_unref (queue);
  ck_assert (loop_future_cancelled (putter));
  ck_assert (loop_future_cancelled (join));
  g_clear_object (&putter);
  ck_assert_uint_eq (object->ref_count, 2);

  empty = loop_queue_new (loop, 1);
  getter = loop_queue_get (empty);
  g_clear_object (&empty);
  ck_assert (loop_future_cancelled (getter));
  g_object_unref (loop);
}
END_TEST

START_TEST (test_loop_closed)
{
  g_autoptr (LoopFuture) getter = NULL;
  g_autoptr (LoopFuture) late = NULL;
  g_autoptr (LoopFuture) late_putter = NULL;
  g_autoptr (LoopFuture) late_join = NULL;

  set_up (0);
  getter = loop_queue_get (queue);
  ck_assert (loop_event_loop_close (loop));
  late = loop_queue_get (queue);
  late_putter = put (1);
  late_join = loop_queue_join (queue);
  check_failed (late, LOOP_ERROR, LOOP_ERROR_CLOSED);
  check_failed (late_putter, LOOP_ERROR, LOOP_ERROR_CLOSED);
  check_failed (late_join, LOOP_ERROR, LOOP_ERROR_CLOSED);
  ck_assert (!loop_future_done (getter));
  tear_down ();
}
END_TEST

enum
{
  N_WORKERS = 10,
  N_ITEMS = 1000
};

static int seen[N_ITEMS];

static gboolean
work (GValue *result, gpointer user_data, GError **error)
{
  for (;;)
    {
      g_auto (GValue) value = G_VALUE_INIT;
      int number;
      gboolean success;

      if (!loop_await_result (loop_queue_get (queue), &value, error))
        return FALSE;
      number = g_value_get_int (&value);
      seen[number]++;
      success = number % 3 > 0 || loop_await_result (loop_sleep (loop, 0.0), NULL, error);
      ck_assert (loop_queue_task_done (queue, NULL));
      if (!success)
        return FALSE;
    }
}

static gboolean
produce (GValue *result, gpointer user_data, GError **error)
{
  for (int i = GPOINTER_TO_INT (user_data); i < N_ITEMS; i += 4)
    {
      if (!loop_await_result (put (i), NULL, error))
        return FALSE;
    }

  return TRUE;
}

/* Each item is seen once, although workers are cancelled, some of them when they have just been given one. */
START_TEST (test_contention)
{
  LoopTask *workers[N_WORKERS];
  LoopTask *producers[4];
  g_autoptr (LoopFuture) join = NULL;
  g_autoptr (GRand) rand = g_rand_new_with_seed (11);

  set_up (5);
  for (int i = 0; i < N_WORKERS; i++)
    workers[i] = loop_event_loop_spawn (loop, work, NULL, NULL);
  for (int i = 0; i < 4; i++)
    producers[i] = loop_event_loop_spawn (loop, produce, GINT_TO_POINTER (i), NULL);

  for (int i = 0; i < 60; i++)
    {
      int n = g_rand_int_range (rand, 0, N_WORKERS);

      run_once (loop);
      ck_assert_uint_le (loop_queue_get_size (queue), 5 + N_WORKERS);
      loop_future_cancel (LOOP_FUTURE (workers[n]));
      if (!loop_future_done (LOOP_FUTURE (workers[n])))
        continue;
      g_object_unref (workers[n]);
      workers[n] = loop_event_loop_spawn (loop, work, NULL, NULL);
    }

  for (int i = 0; i < 4; i++)
    {
      ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (producers[i]), NULL, NULL));
      g_object_unref (producers[i]);
    }
  join = loop_queue_join (queue);
  ck_assert (loop_event_loop_run_until_complete (loop, join, NULL, NULL));
  loop_queue_shutdown (queue, FALSE);
  for (int i = 0; i < N_WORKERS; i++)
    {
      ck_assert (!loop_event_loop_run_until_complete (loop, LOOP_FUTURE (workers[i]), NULL, NULL));
      g_object_unref (workers[i]);
    }
  for (int i = 0; i < N_ITEMS; i++)
    ck_assert_int_eq (seen[i], 1);
  tear_down ();
}
END_TEST

LOOP_TEST_MAIN ("queue",
                test_nowait,
                test_unlimited,
                test_lifo,
                test_priority,
                test_getters_in_order,
                test_putters_in_order,
                test_cancel_after_get,
                test_cancel_after_get_with_others,
                test_cancel_after_put,
                test_cancel_after_put_and_get,
                test_join,
                test_shutdown,
                test_shutdown_of_getters,
                test_shutdown_at_once,
                test_cancel_after_get_and_shutdown,
                test_queue_freed,
                test_loop_closed,
                test_contention)
