/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "executor-check.h"

#include "loop-error.h"

/* The end of an executor, waited for or not, and of a loop whose jobs are not done. */

#define REFUSAL "Cannot submit a function after the executor was shut down"

START_TEST (test_wait)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (2, NULL);
  Job jobs[21] = { { .number = 0 } };
  LoopFuture *futures[20];
  g_autoptr (LoopFuture) late = NULL;

  for (int i = 0; i < 20; i++)
    futures[i] = submit_job (loop, executor, &jobs[i]);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
  ck_assert_uint_eq (loop_thread_pool_executor_get_n_workers (executor), 0);
  ck_assert_uint_eq (loop_thread_pool_executor_get_queue_depth (executor), 0);
  for (int i = 0; i < 20; i++)
    {
      ck_assert_ptr_nonnull (jobs[i].ran_in);
      check_number (futures[i], 0);
      g_object_unref (futures[i]);
    }

  late = submit_job (loop, executor, &jobs[20]);
  check_error (late, LOOP_ERROR, LOOP_ERROR_CLOSED, REFUSAL);
  ck_assert_int_eq (jobs[20].n_freed, 1);
  ck_assert_ptr_null (jobs[20].ran_in);

  /* Again, and of one that never had a thread. */
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, TRUE);
  g_clear_object (&executor);
  executor = loop_thread_pool_executor_new (2, NULL);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
}
END_TEST

START_TEST (test_no_wait)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  Gate gate = { .is_open = FALSE };
  Job jobs[3] = { { .gate = &gate, .number = 1 }, { .gate = &gate, .number = 2 }, { .number = 3 } };
  g_autoptr (LoopFuture) running = submit_job (loop, executor, &jobs[0]);
  g_autoptr (LoopFuture) queued = submit_job (loop, executor, &jobs[1]);
  g_autoptr (LoopFuture) late = NULL;

  gate_await (&gate, 1);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), FALSE, FALSE);
  late = submit_job (loop, executor, &jobs[2]);
  check_error (late, LOOP_ERROR, LOOP_ERROR_CLOSED, REFUSAL);

  /* What was submitted before is still done. */
  gate_open (&gate);
  check_number (queued, 2);
  check_number (running, 1);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
}
END_TEST

START_TEST (test_cancel_futures)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  Gate gate = { .is_open = FALSE };
  Job jobs[4];
  LoopFuture *futures[4];

  for (int i = 0; i < 4; i++)
    {
      jobs[i] = (Job) { .gate = &gate, .number = i };
      futures[i] = submit_job (loop, executor, &jobs[i]);
    }
  gate_await (&gate, 1);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), FALSE, TRUE);
  ck_assert_uint_eq (loop_thread_pool_executor_get_queue_depth (executor), 0);

  /* One of them also by its owner, before the loop knows. */
  ck_assert (loop_future_cancel (futures[1]));
  run_once (loop);
  for (int i = 1; i < 4; i++)
    {
      ck_assert (loop_future_cancelled (futures[i]));
      ck_assert_int_eq (jobs[i].n_freed, 1);
      ck_assert_ptr_null (jobs[i].ran_in);
      ck_assert_ptr_eq (jobs[i].freed_in, g_thread_self ());
    }

  gate_open (&gate);
  check_number (futures[0], 0);
  for (int i = 0; i < 4; i++)
    g_object_unref (futures[i]);
}
END_TEST

/* The last reference to the executor goes before its jobs are done. */
START_TEST (test_dropped)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopThreadPoolExecutor *executor = loop_thread_pool_executor_new (2, NULL);
  Job jobs[20] = { { .number = 0 } };
  LoopFuture *futures[20];

  for (int i = 0; i < 20; i++)
    futures[i] = submit_job (loop, executor, &jobs[i]);
  g_object_unref (executor);
  for (int i = 0; i < 20; i++)
    {
      check_number (futures[i], 0);
      g_object_unref (futures[i]);
    }
}
END_TEST

static gboolean
shut_down_own (GValue *result, gpointer executor, GError **error)
{
  loop_executor_shutdown (executor, TRUE, FALSE);

  return TRUE;
}

START_TEST (test_from_worker)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopExecutor) executor = LOOP_EXECUTOR (loop_thread_pool_executor_new (2, NULL));
  g_autoptr (LoopFuture) future = NULL;

  loop_check_expect_critical ("*cannot wait for the executor*");
  future = loop_executor_submit (executor, loop, shut_down_own, executor, NULL);
  ck_assert (loop_event_loop_run_until_complete (loop, future, NULL, NULL));
  loop_executor_shutdown (executor, TRUE, FALSE);
}
END_TEST

static gpointer
shut_down (gpointer executor)
{
  loop_executor_shutdown (executor, TRUE, FALSE);

  return NULL;
}

/* Several wait for the same. */
START_TEST (test_several_waiters)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (4, NULL);
  Gate gate = { .is_open = FALSE };
  Job jobs[4];
  LoopFuture *futures[4];
  GThread *threads[3];

  for (int i = 0; i < 4; i++)
    {
      jobs[i] = (Job) { .gate = &gate, .number = i };
      futures[i] = submit_job (loop, executor, &jobs[i]);
    }
  gate_await (&gate, 4);
  for (int i = 0; i < 3; i++)
    threads[i] = g_thread_new ("waiter", shut_down, executor);
  g_usleep (1000);
  ck_assert_uint_eq (loop_thread_pool_executor_get_n_workers (executor), 4);
  gate_open (&gate);
  for (int i = 0; i < 3; i++)
    g_thread_join (threads[i]);
  ck_assert_uint_eq (loop_thread_pool_executor_get_n_workers (executor), 0);
  for (int i = 0; i < 4; i++)
    {
      check_number (futures[i], i);
      g_object_unref (futures[i]);
    }
}
END_TEST

/* --- The loop is closed -------------------------------------------------------------------------- */

START_TEST (test_loop_closed)
{
  LoopEventLoop *loop = loop_event_loop_new ();
  gpointer weak = loop;
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (2, NULL);
  Gate gate = { .is_open = FALSE };
  Job jobs[5] = { { .number = 0 } };
  LoopFuture *futures[5];

  /* One comes back, two run, one of which was cancelled, and two wait. */
  futures[0] = submit_job (loop, executor, &jobs[0]);
  for (int i = 1; i < 5; i++)
    {
      jobs[i].gate = &gate;
      futures[i] = submit_job (loop, executor, &jobs[i]);
    }
  gate_await (&gate, 2);
  ck_assert (loop_future_cancel (futures[1]));

  g_object_add_weak_pointer (G_OBJECT (loop), &weak);
  ck_assert (loop_event_loop_close (loop));
  ck_assert_int_eq (jobs[0].n_freed, 1);
  ck_assert_ptr_eq (jobs[0].freed_in, g_thread_self ());
  for (int i = 0; i < 5; i++)
    {
      ck_assert_int_eq (loop_future_done (futures[i]), i == 1);
      /* It has no job any more. */
      ck_assert_int_eq (loop_future_cancel (futures[i]), i != 1);
      g_object_unref (futures[i]);
    }
  g_object_unref (loop);
  ck_assert_ptr_null (weak);

  /* They run all the same. */
  ck_assert_int_eq (g_atomic_int_get (&jobs[1].n_freed), 0);
  gate_open (&gate);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
  for (int i = 1; i < 5; i++)
    {
      ck_assert_ptr_nonnull (jobs[i].ran_in);
      ck_assert_int_eq (jobs[i].n_freed, 1);
      ck_assert_ptr_eq (jobs[i].freed_in, jobs[i].ran_in);
    }
}
END_TEST

/* Queued jobs of a loop that is no more are cancelled: it is the canceller who frees them. */
START_TEST (test_loop_closed_cancel_futures)
{
  LoopEventLoop *loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  Gate gate = { .is_open = FALSE };
  Job jobs[3] = { { .gate = &gate }, { .gate = &gate }, { .gate = &gate } };

  for (int i = 0; i < 3; i++)
    g_object_unref (submit_job (loop, executor, &jobs[i]));
  gate_await (&gate, 1);
  ck_assert (loop_event_loop_close (loop));
  g_object_unref (loop);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), FALSE, TRUE);
  ck_assert_int_eq (jobs[1].n_freed, 1);
  ck_assert_int_eq (jobs[2].n_freed, 1);
  ck_assert_ptr_null (jobs[2].ran_in);
  gate_open (&gate);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
  ck_assert_int_eq (jobs[0].n_freed, 1);
}
END_TEST

/* Again and again, with workers that complete jobs at that very time. */
START_TEST (test_loop_closed_race)
{
  enum
  {
    N = 50
  };
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (3, NULL);
#ifdef LOOP_WITH_TSAN
  const int n_rounds = 20;
#else
  const int n_rounds = 200;
#endif
  g_autofree Job *jobs = g_new0 (Job, N * n_rounds);

  for (int round = 0; round < n_rounds; round++)
    {
      g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

      for (int i = 0; i < N; i++)
        g_object_unref (submit_job (loop, executor, &jobs[round * N + i]));
      if (round % 2)
        run_once (loop);
      ck_assert (loop_event_loop_close (loop));
    }
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
  for (int i = 0; i < N * n_rounds; i++)
    {
      ck_assert_ptr_nonnull (jobs[i].ran_in);
      ck_assert_int_eq (jobs[i].n_freed, 1);
    }
}
END_TEST

START_TEST (test_closed_before)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  Job jobs[2] = { { .number = 1 }, { .number = 2 } };
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopFuture) with_default = NULL;

  ck_assert (loop_event_loop_close (loop));
  future = submit_job (loop, executor, &jobs[0]);
  with_default = submit_job (loop, NULL, &jobs[1]);
  check_error (future, LOOP_ERROR, LOOP_ERROR_CLOSED, "The event loop is closed");
  check_error (with_default, LOOP_ERROR, LOOP_ERROR_CLOSED, "The event loop is closed");
  ck_assert_int_eq (jobs[0].n_freed, 1);
  ck_assert_int_eq (jobs[1].n_freed, 1);
  ck_assert_uint_eq (loop_thread_pool_executor_get_n_workers (executor), 0);
}
END_TEST

LOOP_TEST_MAIN ("executor-shutdown",
                test_wait,
                test_no_wait,
                test_cancel_futures,
                test_dropped,
                test_from_worker,
                test_several_waiters,
                test_loop_closed,
                test_loop_closed_cancel_futures,
                test_loop_closed_race,
                test_closed_before)
