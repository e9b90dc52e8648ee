/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process-check.h"

#include "loop-error.h"
#include "tsan-gio.h"

/* The end of a process pool, waited for or not, of a loop whose jobs are not done; and several loops. */

#define REFUSAL "Cannot submit a function after the executor was shut down"

static void
wait_for_no_workers (LoopProcessPoolExecutor *pool)
{
  for (int i = 0; i < 10000 && loop_process_pool_executor_get_n_workers (pool) > 0; i++)
    g_usleep (1000);
  ck_assert_uint_eq (loop_process_pool_executor_get_n_workers (pool), 0);
}

START_TEST (test_wait)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (2);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *futures[20];
  g_autoptr (LoopFuture) late = NULL;

  for (int i = 0; i < 20; i++)
    futures[i] = call (pool, loop, "add", "(1, 2)");
  loop_executor_shutdown (LOOP_EXECUTOR (pool), TRUE, FALSE);
  ck_assert_uint_eq (loop_process_pool_executor_get_n_workers (pool), 0);
  ck_assert_uint_eq (loop_process_pool_executor_get_queue_depth (pool), 0);
  /* The zygote neither. */
  check_no_children ();
  for (int i = 0; i < 20; i++)
    check_result (futures[i], "3");

  late = call (pool, loop, "add", "(1, 2)");
  check_error (late, LOOP_ERROR, LOOP_ERROR_CLOSED, REFUSAL);
  loop_executor_shutdown (LOOP_EXECUTOR (pool), TRUE, TRUE);
}
END_TEST

START_TEST (test_never_used)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (2);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) late = NULL;

  loop_executor_shutdown (LOOP_EXECUTOR (pool), TRUE, TRUE);
  check_no_children ();
  late = call (pool, loop, "add", "(1, 2)");
  check_error (late, LOOP_ERROR, LOOP_ERROR_CLOSED, REFUSAL);
}
END_TEST

START_TEST (test_no_wait)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *running = call (pool, loop, "gate", NULL);
  LoopFuture *queued = call (pool, loop, "add", "(1, 2)");

  await_gate (1);
  loop_executor_shutdown (LOOP_EXECUTOR (pool), FALSE, FALSE);
  ck_assert_uint_eq (loop_process_pool_executor_get_queue_depth (pool), 1);
  open_gate ();
  check_result (running, "()");
  check_result (queued, "3");
  wait_for_no_workers (pool);
}
END_TEST

START_TEST (test_cancel_futures)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *running = call (pool, loop, "gate", NULL);
  LoopFuture *queued[3];

  for (int i = 0; i < 3; i++)
    queued[i] = call (pool, loop, "gate", NULL);
  await_gate (1);
  loop_executor_shutdown (LOOP_EXECUTOR (pool), FALSE, TRUE);
  open_gate ();
  check_result (running, "()");
  for (int i = 0; i < 3; i++)
    {
      ck_assert (loop_future_cancelled (queued[i]));
      g_object_unref (queued[i]);
    }
  ck_assert_int_eq (shared->n_waiting, 1);
}
END_TEST

/* What was submitted is done all the same. */
START_TEST (test_dropped)
{
  LoopProcessPoolExecutor *pool = make_pool (2);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *futures[5];

  for (int i = 0; i < 5; i++)
    futures[i] = call (pool, loop, "gate", NULL);
  await_gate (1);
  g_object_unref (pool);
  open_gate ();
  for (int i = 0; i < 5; i++)
    check_result (futures[i], "()");
}
END_TEST

/* Nobody waits for the results any more, and the next loop has the workers. */
START_TEST (test_loop_closed)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) other = loop_event_loop_new ();
  LoopFuture *futures[4];
  LoopFuture *future;
  g_autoptr (LoopFuture) late = NULL;

  for (int i = 0; i < 4; i++)
    futures[i] = call (pool, loop, "gate", NULL);
  await_gate (1);
  ck_assert (loop_future_cancel (futures[3]));
  future = call (pool, other, "add", "(1, 2)");
  ck_assert (loop_event_loop_close (loop));
  late = call (pool, loop, "add", "(1, 2)");
  check_error (late, LOOP_ERROR, LOOP_ERROR_CLOSED, "The event loop is closed");
  open_gate ();
  check_result (future, "3");
  ck_assert_int_eq (shared->n_passed, 3);
  for (int i = 0; i < 4; i++)
    {
      ck_assert_int_eq (loop_future_done (futures[i]), i == 3);
      g_object_unref (futures[i]);
    }
}
END_TEST

static void
use_and_drop (void)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (3);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *futures[10];

  for (int i = 0; i < 10; i++)
    futures[i] = i % 5 == 4 ? call (pool, loop, "exit", "(1,)") : call (pool, loop, "add", "(1, 2)");
  for (int i = 0; i < 10; i++)
    if (i % 5 == 4)
      check_broken (futures[i], "*");
    else
      check_result (futures[i], "3");
  loop_executor_shutdown (LOOP_EXECUTOR (pool), TRUE, FALSE);
}

/* All at once, with jobs that wait and jobs that run. */
START_TEST (test_everything_dropped)
{
  LoopProcessPoolExecutor *pool;
  LoopEventLoop *loop;
  int n_fds;

  use_and_drop ();
  n_fds = count_fds ();
  pool = make_pool (2);
  loop = loop_event_loop_new ();

  for (int i = 0; i < 50; i++)
    g_object_unref (call (pool, loop, "add", "(1, 2)"));
  loop_event_loop_close (loop);
  g_object_unref (loop);
  g_object_unref (pool);

  for (int i = 0; i < 10000 && count_fds () > n_fds; i++)
    g_usleep (1000);
  ck_assert_int_eq (count_fds (), n_fds);
  check_no_children ();
}
END_TEST

START_TEST (test_no_leaks)
{
  int n_fds;

  use_and_drop ();
  n_fds = count_fds ();
  for (int i = 0; i < 20; i++)
    {
      use_and_drop ();
      ck_assert_int_eq (count_fds (), n_fds);
      check_no_children ();
    }
}
END_TEST

#define N_THREADS 4
#define N_JOBS 200

static gpointer
use_in_thread (gpointer data)
{
  LoopProcessPoolExecutor *pool = data;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *futures[N_JOBS];

  for (int i = 0; i < N_JOBS; i++)
    {
      g_autofree char *text = g_strdup_printf ("(%d, 1000)", i);

      futures[i] = call (pool, loop, "add", text);
    }
  for (int i = 0; i < N_JOBS; i += 7)
    loop_future_cancel (futures[i]);
  for (int i = 0; i < N_JOBS; i++)
    {
      g_autofree char *text = g_strdup_printf ("%d", i + 1000);

      if (i % 7 == 0)
        g_object_unref (futures[i]);
      else
        check_result (futures[i], text);
    }

  return NULL;
}

START_TEST (test_threads)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (3);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  GThread *threads[N_THREADS];

  /* GLib makes a lock for what it knows of types, in a way that ThreadSanitizer does not see. */
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
  for (int i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new (NULL, use_in_thread, pool);
  for (int i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  loop_executor_shutdown (LOOP_EXECUTOR (pool), TRUE, FALSE);
}
END_TEST

LOOP_TEST_MAIN ("process-pool-shutdown",
                test_wait,
                test_never_used,
                test_no_wait,
                test_cancel_futures,
                test_dropped,
                test_loop_closed,
                test_everything_dropped,
                test_no_leaks,
                test_threads)
