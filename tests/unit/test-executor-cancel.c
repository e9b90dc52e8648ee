/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "executor-check.h"

/* A job that waits can be cancelled. One that runs cannot, but its future can. */

START_TEST (test_queued)
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
  ck_assert_uint_eq (loop_thread_pool_executor_get_queue_depth (executor), 3);

  /* From the middle and from the end. */
  ck_assert (loop_future_cancel (futures[2]));
  ck_assert (loop_future_cancel_with_message (futures[3], "not wanted"));
  ck_assert (!loop_future_cancel (futures[2]));
  ck_assert (loop_future_cancelled (futures[2]));
  ck_assert_uint_eq (loop_thread_pool_executor_get_queue_depth (executor), 1);
  for (int i = 2; i < 4; i++)
    {
      ck_assert_int_eq (jobs[i].n_freed, 1);
      ck_assert_ptr_eq (jobs[i].freed_in, g_thread_self ());
    }
  check_error (futures[3], G_IO_ERROR, G_IO_ERROR_CANCELLED, "not wanted");

  gate_open (&gate);
  check_number (futures[0], 0);
  check_number (futures[1], 1);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
  run_once (loop);
  for (int i = 0; i < 4; i++)
    {
      ck_assert_int_eq (jobs[i].n_freed, 1);
      ck_assert_int_eq (jobs[i].ran_in != NULL, i < 2);
      g_object_unref (futures[i]);
    }
}
END_TEST

/* The first of the queue, and the only one. */
START_TEST (test_queued_alone)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  Gate gate = { .is_open = FALSE };
  Job jobs[3] = { { .gate = &gate }, { .number = 1 }, { .number = 2 } };
  g_autoptr (LoopFuture) running G_GNUC_UNUSED = submit_job (loop, executor, &jobs[0]);
  g_autoptr (LoopFuture) queued = submit_job (loop, executor, &jobs[1]);
  g_autoptr (LoopFuture) later = NULL;

  gate_await (&gate, 1);
  ck_assert (loop_future_cancel (queued));
  ck_assert_uint_eq (loop_thread_pool_executor_get_queue_depth (executor), 0);
  later = submit_job (loop, executor, &jobs[2]);
  gate_open (&gate);
  check_number (later, 2);
  ck_assert_ptr_null (jobs[1].ran_in);
}
END_TEST

START_TEST (test_running)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  Gate gate = { .is_open = FALSE };
  Job job = { .gate = &gate, .number = 1 };
  g_autoptr (LoopFuture) future = submit_job (loop, executor, &job);

  gate_await (&gate, 1);
  ck_assert (loop_future_cancel (future));
  ck_assert (loop_future_cancelled (future));
  run_once (loop);
  ck_assert_int_eq (job.n_freed, 0);

  gate_open (&gate);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
  run_once (loop);
  ck_assert (loop_future_cancelled (future));
  ck_assert_int_eq (job.n_freed, 1);
  ck_assert_ptr_eq (job.freed_in, g_thread_self ());
}
END_TEST

/* Its result has come, but the loop has not looked yet. */
START_TEST (test_completed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  Job job = { .number = 1 };
  g_autoptr (LoopFuture) future = submit_job (loop, executor, &job);

  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
  ck_assert (!loop_future_done (future));
  ck_assert (loop_future_cancel (future));
  ck_assert_int_eq (job.n_freed, 0);
  run_once (loop);
  ck_assert_int_eq (job.n_freed, 1);
  ck_assert (loop_future_cancelled (future));
}
END_TEST

/* Somebody else sets the result first. */
START_TEST (test_result_set)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  Job job = { .number = 1 };
  g_autoptr (LoopFuture) future = submit_job (loop, executor, &job);
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  g_value_set_int (&value, 2);
  ck_assert (loop_future_set_result (future, &value, NULL));
  ck_assert (!loop_future_cancel (future));
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
  run_once (loop);
  check_number (future, 2);
  ck_assert_int_eq (job.n_freed, 1);
}
END_TEST

/* Cancelling and running race: each job either ran and was completed, or was withdrawn. */

#ifdef LOOP_WITH_TSAN
#define N_RACES 500
#else
#define N_RACES 5000
#endif

START_TEST (test_race)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (2, NULL);
  g_autofree Job *jobs = g_new0 (Job, N_RACES);
  int n_run = 0;

  for (int i = 0; i < N_RACES; i++)
    {
      g_autoptr (LoopFuture) future = submit_job (loop, executor, &jobs[i]);

      if (i % 7 == 0)
        run_once (loop);
      for (volatile int spin = 0; spin < i % 997; spin++)
        ;
      if (!loop_future_done (future))
        ck_assert (loop_future_cancel (future));
    }
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
  run_once (loop);
  for (int i = 0; i < N_RACES; i++)
    {
      ck_assert_int_eq (jobs[i].n_freed, 1);
      n_run += jobs[i].ran_in != NULL;
    }
  ck_assert_int_gt (n_run, 0);
}
END_TEST

LOOP_TEST_MAIN ("executor-cancel",
                test_queued,
                test_queued_alone,
                test_running,
                test_completed,
                test_result_set,
                test_race)
