/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "executor-check.h"

#include "loop-error.h"

#include <math.h>

/* The executor that a loop has for itself. */

static void
check_complete (LoopFuture *future)
{
  g_autoptr (GError) error = NULL;

  loop_event_loop_run_until_complete (loop_future_get_loop (future), future, NULL, &error);
  ck_assert_msg (error == NULL, "%s", error != NULL ? error->message : "");
}

START_TEST (test_set)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) first = loop_thread_pool_executor_new (1, NULL);
  g_autoptr (LoopThreadPoolExecutor) second = loop_thread_pool_executor_new (1, NULL);
  Job jobs[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
  g_autoptr (LoopFuture) to_first = NULL;
  g_autoptr (LoopFuture) to_second = NULL;
  g_autoptr (LoopFuture) directly = NULL;

  loop_event_loop_set_default_executor (loop, LOOP_EXECUTOR (first));
  to_first = submit_job (loop, NULL, &jobs[0]);
  ck_assert_uint_eq (loop_thread_pool_executor_get_n_workers (first), 1);
  loop_event_loop_set_default_executor (loop, LOOP_EXECUTOR (second));
  to_second = submit_job (loop, NULL, &jobs[1]);
  ck_assert_uint_eq (loop_thread_pool_executor_get_n_workers (second), 1);
  check_number (to_first, 1);
  check_number (to_second, 2);

  /* The loop shuts down the one it has. */
  ck_assert (loop_event_loop_close (loop));
  g_clear_object (&loop);
  loop = loop_event_loop_new ();
  directly = submit_job (loop, second, &jobs[2]);
  check_error (directly, LOOP_ERROR, LOOP_ERROR_CLOSED, "Cannot submit a function after the executor was shut down");
  g_clear_object (&directly);
  directly = submit_job (loop, first, &jobs[2]);
  check_number (directly, 3);
}
END_TEST

START_TEST (test_set_misuse)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);

  loop_check_expect_critical ("*LOOP_IS_EXECUTOR*");
  loop_event_loop_set_default_executor (loop, NULL);
  ck_assert (loop_event_loop_close (loop));
  loop_check_expect_critical ("*closed*");
  loop_event_loop_set_default_executor (loop, LOOP_EXECUTOR (executor));
}
END_TEST

START_TEST (test_shutdown)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (2, NULL);
  Gate gate = { .is_open = FALSE };
  Job jobs[5] = { { .gate = &gate, .number = 0 }, { .gate = &gate, .number = 1 }, { .gate = &gate, .number = 2 } };
  g_autoptr (LoopFuture) shutdown = NULL;
  g_autoptr (LoopFuture) second = NULL;
  g_autoptr (LoopFuture) late = NULL;
  LoopFuture *futures[3];

  loop_event_loop_set_default_executor (loop, LOOP_EXECUTOR (executor));
  for (int i = 0; i < 3; i++)
    futures[i] = submit_job (loop, NULL, &jobs[i]);
  gate_await (&gate, 2);

  shutdown = loop_event_loop_shutdown_default_executor (loop, -1.0);
  second = loop_event_loop_shutdown_default_executor (loop, HUGE_VAL);
  late = submit_job (loop, NULL, &jobs[3]);
  check_error (late, LOOP_ERROR, LOOP_ERROR_CLOSED, "Executor shutdown has been called");
  ck_assert_int_eq (jobs[3].n_freed, 1);

  /* The loop goes on, and the threads too. */
  run_for (loop, 0.02);
  ck_assert (!loop_future_done (shutdown));
  gate_open (&gate);
  check_complete (shutdown);
  check_complete (second);
  ck_assert_uint_eq (loop_thread_pool_executor_get_n_workers (executor), 0);
  for (int i = 0; i < 3; i++)
    {
      ck_assert (loop_future_done (futures[i]));
      check_number (futures[i], i);
      g_object_unref (futures[i]);
    }

  /* For good, whatever is set afterwards; other executors are not concerned. */
  g_clear_object (&shutdown);
  shutdown = loop_event_loop_shutdown_default_executor (loop, 0.0);
  ck_assert (loop_future_done (shutdown));
  check_complete (shutdown);
  g_clear_object (&executor);
  executor = loop_thread_pool_executor_new (1, NULL);
  loop_event_loop_set_default_executor (loop, LOOP_EXECUTOR (executor));
  g_clear_object (&late);
  late = submit_job (loop, NULL, &jobs[3]);
  check_error (late, LOOP_ERROR, LOOP_ERROR_CLOSED, "Executor shutdown has been called");
  g_clear_object (&late);
  late = submit_job (loop, executor, &jobs[4]);
  check_number (late, 0);
}
END_TEST

START_TEST (test_shutdown_unused)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) shutdown = loop_event_loop_shutdown_default_executor (loop, 1.0);
  g_autoptr (LoopFuture) late = NULL;
  Job job = { .number = 1 };

  check_complete (shutdown);
  late = submit_job (loop, NULL, &job);
  check_error (late, LOOP_ERROR, LOOP_ERROR_CLOSED, "Executor shutdown has been called");
}
END_TEST

START_TEST (test_shutdown_in_time)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Job job = { .number = 1 };
  g_autoptr (LoopFuture) future = submit_job (loop, NULL, &job);
  g_autoptr (LoopFuture) shutdown = loop_event_loop_shutdown_default_executor (loop, 3600.0);

  loop_check_forbid_warnings ();
  check_complete (shutdown);
  check_number (future, 1);
}
END_TEST

START_TEST (test_shutdown_timeout)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Gate gate = { .is_open = FALSE };
  Job job = { .gate = &gate, .number = 1 };
  g_autoptr (LoopFuture) future = submit_job (loop, NULL, &job);
  g_autoptr (LoopFuture) shutdown = NULL;
  double start = loop_event_loop_time (loop);

  gate_await (&gate, 1);
  loop_check_expect_warning ("The executor did not finish joining its threads within 0.02 seconds");
  shutdown = loop_event_loop_shutdown_default_executor (loop, 0.02);
  check_complete (shutdown);
  ck_assert (loop_event_loop_time (loop) - start >= 0.02);
  loop_check_assert_expected ();
  ck_assert (!loop_future_done (future));

  /* Nothing was cancelled. */
  gate_open (&gate);
  check_number (future, 1);
  g_clear_object (&shutdown);
  shutdown = loop_event_loop_shutdown_default_executor (loop, -1.0);
  check_complete (shutdown);
}
END_TEST

START_TEST (test_shutdown_cancelled)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Gate gate = { .is_open = FALSE };
  Job job = { .gate = &gate, .number = 1 };
  g_autoptr (LoopFuture) future = submit_job (loop, NULL, &job);
  g_autoptr (LoopFuture) shutdown = loop_event_loop_shutdown_default_executor (loop, 0.01);

  loop_check_forbid_warnings ();
  ck_assert (loop_future_cancel (shutdown));
  run_for (loop, 0.02);
  gate_open (&gate);
  check_number (future, 1);
  g_clear_object (&shutdown);
  shutdown = loop_event_loop_shutdown_default_executor (loop, -1.0);
  check_complete (shutdown);
}
END_TEST

START_TEST (test_shutdown_refused)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) nan_future = loop_event_loop_shutdown_default_executor (loop, NAN);
  g_autoptr (LoopFuture) closed = NULL;
  Job job = { .number = 1 };
  g_autoptr (LoopFuture) future = submit_job (loop, NULL, &job);

  check_error (nan_future, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The timeout of a shutdown is not a number");
  check_number (future, 1);
  ck_assert (loop_event_loop_close (loop));
  closed = loop_event_loop_shutdown_default_executor (loop, 1.0);
  check_error (closed, LOOP_ERROR, LOOP_ERROR_CLOSED, "The event loop is closed");
}
END_TEST

/* --- The loop is closed -------------------------------------------------------------------------- */

/* Closing does not wait. */
START_TEST (test_close)
{
  LoopEventLoop *loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  Gate gate = { .is_open = FALSE };
  Job jobs[2] = { { .gate = &gate }, { .gate = &gate } };

  loop_event_loop_set_default_executor (loop, LOOP_EXECUTOR (executor));
  for (int i = 0; i < 2; i++)
    g_object_unref (submit_job (loop, NULL, &jobs[i]));
  gate_await (&gate, 1);
  ck_assert (loop_event_loop_close (loop));
  g_object_unref (loop);

  ck_assert_int_eq (g_atomic_int_get (&jobs[0].n_freed), 0);
  gate_open (&gate);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
  ck_assert_int_eq (jobs[0].n_freed, 1);
  ck_assert_int_eq (jobs[1].n_freed, 1);
  ck_assert_ptr_nonnull (jobs[1].ran_in);
}
END_TEST

/* While it is being shut down: with the timer pending, then with the done callback as well. */
START_TEST (test_close_in_shutdown)
{
  for (int is_done = 0; is_done < 2; is_done++)
    {
      LoopEventLoop *loop = loop_event_loop_new ();
      g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
      Gate gate = { .is_open = is_done };
      Job job = { .gate = &gate };
      g_autoptr (LoopFuture) shutdown = NULL;

      loop_event_loop_set_default_executor (loop, LOOP_EXECUTOR (executor));
      g_object_unref (submit_job (loop, NULL, &job));
      gate_await (&gate, 1);
      if (is_done)
        {
          shutdown = loop_event_loop_shutdown_default_executor (loop, 1000.0);
          loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
          while (!loop_future_done (shutdown))
            run_once (loop);
        }
      else
        {
          g_object_unref (loop_event_loop_shutdown_default_executor (loop, 1000.0));
        }
      ck_assert (loop_event_loop_close (loop));
      g_object_unref (loop);
      gate_open (&gate);
      loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
      ck_assert_int_eq (job.n_freed, 1);
    }
}
END_TEST

LOOP_TEST_MAIN ("executor-default",
                test_set,
                test_set_misuse,
                test_shutdown,
                test_shutdown_unused,
                test_shutdown_in_time,
                test_shutdown_timeout,
                test_shutdown_cancelled,
                test_shutdown_refused,
                test_close,
                test_close_in_shutdown)
