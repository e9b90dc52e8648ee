/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-gather.h"
#include "loop-sleep.h"

#define N 3

typedef struct
{
  LoopEventLoop *loop;
  LoopFuture *futures[N];
  LoopFuture *gather;
} Fixture;

static void
set_up (Fixture *f, gboolean return_exceptions)
{
  f->loop = loop_event_loop_new ();
  for (int i = 0; i < N; i++)
    f->futures[i] = loop_event_loop_create_future (f->loop);
  f->gather = loop_gather (f->loop, f->futures, N, return_exceptions);
}

static void
tear_down (Fixture *f)
{
  g_object_unref (f->gather);
  for (int i = 0; i < N; i++)
    g_clear_object (&f->futures[i]);
  g_object_unref (f->loop);
}

G_GNUC_BEGIN_IGNORE_DEPRECATIONS

/* A copy of one of the results. */
static void
get_result (LoopFuture *gather, guint n_results, guint index, GValue *copy)
{
  g_auto (GValue) value = G_VALUE_INIT;
  GValueArray *results;

  ck_assert (loop_future_result (gather, &value, NULL));
  results = g_value_get_boxed (&value);
  ck_assert_uint_eq (results->n_values, n_results);
  g_value_init (copy, G_VALUE_TYPE (g_value_array_get_nth (results, index)));
  g_value_copy (g_value_array_get_nth (results, index), copy);
}

G_GNUC_END_IGNORE_DEPRECATIONS

static int
get_int_result (LoopFuture *gather, guint n_results, guint index)
{
  g_auto (GValue) value = G_VALUE_INIT;

  get_result (gather, n_results, index, &value);

  return g_value_get_int (&value);
}

START_TEST (test_in_their_order)
{
  Fixture f;

  set_up (&f, FALSE);
  set_int (f.futures[2], 2);
  set_int (f.futures[0], 0);
  run_once (f.loop);
  ck_assert (!loop_future_done (f.gather));
  set_int (f.futures[1], 1);
  run_once (f.loop);
  for (guint i = 0; i < N; i++)
    ck_assert_int_eq (get_int_result (f.gather, N, i), (int) i);
  tear_down (&f);
}
END_TEST

START_TEST (test_none_and_twice_the_same)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) none = loop_gather (loop, NULL, 0, FALSE);
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  LoopFuture *same[] = { future, future };
  g_autoptr (LoopFuture) twice = loop_gather (loop, same, 2, FALSE);

  ck_assert (loop_future_done (none));
  ck_assert (loop_future_result (none, NULL, NULL));
  set_int (future, 9);
  run_once (loop);
  ck_assert_int_eq (get_int_result (twice, 2, 0), 9);
  ck_assert_int_eq (get_int_result (twice, 2, 1), 9);
}
END_TEST

START_TEST (test_first_error_counts)
{
  Fixture f;

  set_up (&f, FALSE);
  set_not_found (f.futures[1]);
  run_once (f.loop);
  check_failed (f.gather, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  ck_assert (!loop_future_done (f.futures[0]));

  /* A second one is not reported as unseen: that would be a warning. */
  loop_check_forbid_warnings ();
  set_not_found (f.futures[2]);
  run_once (f.loop);
  tear_down (&f);
}
END_TEST

START_TEST (test_one_cancelled)
{
  Fixture f;

  set_up (&f, FALSE);
  ck_assert (loop_future_cancel (f.futures[1]));
  run_once (f.loop);
  ck_assert (loop_future_cancelled (f.gather));
  ck_assert (!loop_future_done (f.futures[0]));
  tear_down (&f);
}
END_TEST

START_TEST (test_errors_as_results)
{
  g_auto (GValue) error = G_VALUE_INIT;
  g_auto (GValue) cancelled = G_VALUE_INIT;
  Fixture f;

  set_up (&f, TRUE);
  set_not_found (f.futures[0]);
  ck_assert (loop_future_cancel (f.futures[1]));
  run_once (f.loop);
  ck_assert (!loop_future_done (f.gather));
  set_int (f.futures[2], 7);
  run_once (f.loop);

  get_result (f.gather, N, 0, &error);
  ck_assert (g_error_matches (g_value_get_boxed (&error), G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
  get_result (f.gather, N, 1, &cancelled);
  ck_assert (g_error_matches (g_value_get_boxed (&cancelled), G_IO_ERROR, G_IO_ERROR_CANCELLED));
  ck_assert_int_eq (get_int_result (f.gather, N, 2), 7);
  tear_down (&f);
}
END_TEST

static void
check_cancel (gboolean return_exceptions)
{
  Fixture f;

  set_up (&f, return_exceptions);
  set_int (f.futures[0], 1);
  ck_assert (loop_future_cancel_with_message (f.gather, "all"));
  ck_assert (loop_future_cancelled (f.futures[1]));
  ck_assert (loop_future_cancelled (f.futures[2]));
  run_once (f.loop);
  ck_assert (loop_future_cancelled (f.gather));
  ck_assert_str_eq (loop_future_get_cancel_message (f.gather), "all");
  ck_assert (!loop_future_cancel (f.gather));
  tear_down (&f);
}

START_TEST (test_cancel_reaches_all)
{
  check_cancel (FALSE);
  check_cancel (TRUE);
}
END_TEST

START_TEST (test_of_another_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) other = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (other);
  g_autoptr (LoopFuture) gather = loop_gather (loop, &future, 1, FALSE);

  check_failed (gather, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}
END_TEST

/* A future that nobody can complete any more counts as cancelled; and nobody waits for ever. */
START_TEST (test_child_freed)
{
  Fixture f;

  set_up (&f, FALSE);
  g_clear_object (&f.futures[1]);
  run_once (f.loop);
  ck_assert (loop_future_cancelled (f.gather));
  tear_down (&f);
}
END_TEST

/* Its children keep it until they are done, and no longer. */
START_TEST (test_dropped)
{
  LoopFuture *gather;
  Fixture f;

  set_up (&f, FALSE);
  gather = f.gather;
  g_object_add_weak_pointer (G_OBJECT (gather), (gpointer *) &gather);
  g_object_unref (f.gather);
  ck_assert_ptr_nonnull (gather);
  for (int i = 0; i < N; i++)
    set_int (f.futures[i], i);
  run_once (f.loop);
  ck_assert_ptr_null (gather);

  f.gather = gather = loop_gather (f.loop, f.futures, 0, FALSE);
  tear_down (&f);
}
END_TEST

START_TEST (test_loop_closed)
{
  Fixture f;

  set_up (&f, FALSE);
  set_int (f.futures[0], 1);
  loop_event_loop_close (f.loop);
  ck_assert (!loop_future_done (f.gather));
  tear_down (&f);
}
END_TEST

START_TEST (test_ten_thousand)
{
  enum
  {
    MANY = 10000
  };
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree LoopFuture **futures = g_new (LoopFuture *, MANY);
  g_autoptr (LoopFuture) gather = NULL;

  for (int i = 0; i < MANY; i++)
    futures[i] = loop_sleep (loop, i % 10 * 0.001);
  gather = loop_gather (loop, futures, MANY, FALSE);
  for (int i = 0; i < MANY; i++)
    g_object_unref (futures[i]);
  ck_assert (loop_event_loop_run_until_complete (loop, gather, NULL, NULL));
}
END_TEST

LOOP_TEST_MAIN ("gather",
                test_in_their_order,
                test_none_and_twice_the_same,
                test_first_error_counts,
                test_one_cancelled,
                test_errors_as_results,
                test_cancel_reaches_all,
                test_of_another_loop,
                test_child_freed,
                test_dropped,
                test_loop_closed,
                test_ten_thousand)
