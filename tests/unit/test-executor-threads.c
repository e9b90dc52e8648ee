/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "executor-check.h"
#include "refuse-threads.h"

#include <sys/prctl.h>

/* How many threads there are, and what they do. */

static void
check_counts (LoopThreadPoolExecutor *executor, guint n_workers, guint n_idle, guint queue_depth)
{
  guint values[3];

  ck_assert_uint_eq (loop_thread_pool_executor_get_n_workers (executor), n_workers);
  ck_assert_uint_eq (loop_thread_pool_executor_get_n_idle (executor), n_idle);
  ck_assert_uint_eq (loop_thread_pool_executor_get_queue_depth (executor), queue_depth);

  g_object_get (executor, "n-workers", &values[0], "n-idle", &values[1], "queue-depth", &values[2], NULL);
  ck_assert_uint_eq (values[0], n_workers);
  ck_assert_uint_eq (values[1], n_idle);
  ck_assert_uint_eq (values[2], queue_depth);
}

START_TEST (test_properties)
{
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (7, "worker");
  g_autoptr (LoopThreadPoolExecutor) plain = g_object_new (LOOP_TYPE_THREAD_POOL_EXECUTOR, NULL);
  g_autoptr (LoopThreadPoolExecutor) other = loop_thread_pool_executor_new (0, NULL);
  g_autofree char *prefix = NULL;
  guint max_workers;

  g_object_get (executor, "max-workers", &max_workers, "thread-name-prefix", &prefix, NULL);
  ck_assert_uint_eq (max_workers, 7);
  ck_assert_str_eq (prefix, "worker");
  check_counts (executor, 0, 0, 0);

  ck_assert_uint_eq (loop_thread_pool_executor_get_max_workers (plain), MIN (32, g_get_num_processors () + 4));
  ck_assert_str_eq (loop_thread_pool_executor_get_thread_name_prefix (plain), "pool-0");
  ck_assert_str_eq (loop_thread_pool_executor_get_thread_name_prefix (other), "pool-1");
}
END_TEST

/* A thread for each job that finds none idle; then jobs wait. */
START_TEST (test_growth)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (3, NULL);
  Gate gate = { .is_open = FALSE };
  Job jobs[5] = { { .gate = &gate, .number = 0 } };
  LoopFuture *futures[5];

  for (int i = 0; i < 5; i++)
    {
      jobs[i] = (Job) { .gate = &gate, .number = i };
      futures[i] = submit_job (loop, executor, &jobs[i]);
      ck_assert_uint_eq (loop_thread_pool_executor_get_n_workers (executor), (guint) MIN (i + 1, 3));
      ck_assert_uint_eq (loop_thread_pool_executor_get_n_idle (executor), 0);
    }
  gate_await (&gate, 3);
  check_counts (executor, 3, 0, 2);

  gate_open (&gate);
  for (int i = 0; i < 5; i++)
    {
      check_number (futures[i], i);
      g_object_unref (futures[i]);
    }
  check_counts (executor, 3, 3, 0);
}
END_TEST

START_TEST (test_reuse)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (8, NULL);
  GThread *thread = NULL;

  for (int i = 0; i < 500; i++)
    {
      Job job = { .number = i };
      g_autoptr (LoopFuture) future = submit_job (loop, executor, &job);

      check_number (future, i);
      ck_assert (thread == NULL || thread == job.ran_in);
      thread = job.ran_in;
      check_counts (executor, 1, 1, 0);
    }
}
END_TEST

/* Idle threads are all to be had at once: none of these jobs returns before the last has begun. */
START_TEST (test_all_at_once)
{
  enum
  {
    N = 16
  };
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (N, NULL);

  for (int round = 0; round < 30; round++)
    {
      Gate gate = { .is_open = FALSE };
      Job jobs[N];
      LoopFuture *futures[N];

      for (int i = 0; i < N; i++)
        {
          jobs[i] = (Job) { .gate = &gate, .number = i };
          futures[i] = submit_job (loop, executor, &jobs[i]);
        }
      gate_await (&gate, N);
      check_counts (executor, N, 0, 0);
      gate_open (&gate);
      for (int i = 0; i < N; i++)
        {
          check_number (futures[i], i);
          g_object_unref (futures[i]);
        }
      check_counts (executor, N, N, 0);
    }
}
END_TEST

static gboolean
get_thread_name (GValue *result, gpointer data, GError **error)
{
  char name[16];

  prctl (PR_GET_NAME, name);
  g_value_init (result, G_TYPE_STRING);
  g_value_set_string (result, name);

  return TRUE;
}

START_TEST (test_names)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (2, "cruncher");
  g_autoptr (LoopFuture) future = loop_executor_submit (LOOP_EXECUTOR (executor), loop, get_thread_name, NULL, NULL);
  g_auto (GValue) name = G_VALUE_INIT;

  ck_assert (loop_event_loop_run_until_complete (loop, future, &name, NULL));
  ck_assert_str_eq (g_value_get_string (&name), "cruncher_0");
}
END_TEST

/* Loops in threads of their own, and one executor for all. */

#ifdef LOOP_WITH_TSAN
#define N_SHARED 300
#else
#define N_SHARED 3000
#endif

typedef struct
{
  LoopThreadPoolExecutor *executor;
  LoopEventLoop *loop;
  int n_submitted;
  int n_done;
} Sharer;

static void
shared_done (LoopFuture *future, gpointer data)
{
  Sharer *self = data;
  g_auto (GValue) result = G_VALUE_INIT;

  ck_assert_ptr_eq (loop_event_loop_get_running (), self->loop);
  if (loop_future_result (future, &result, NULL))
    ck_assert_ptr_eq (g_value_get_pointer (&result), self);
  if (++self->n_done == N_SHARED)
    loop_event_loop_stop (self->loop);
}

static gboolean
return_data (GValue *result, gpointer data, GError **error)
{
  g_value_init (result, G_TYPE_POINTER);
  g_value_set_pointer (result, data);

  return TRUE;
}

static void
submit_some (gpointer data)
{
  Sharer *self = data;

  for (int i = 0; i < 10; i++)
    {
      g_autoptr (LoopFuture) future =
          loop_executor_submit (LOOP_EXECUTOR (self->executor), self->loop, return_data, self, NULL);

      loop_future_add_done_callback (future, shared_done, self, NULL);
      if (i % 5 == 4)
        loop_future_cancel (future);
    }
  self->n_submitted += 10;
  if (self->n_submitted < N_SHARED)
    loop_event_loop_call_soon (self->loop, submit_some, self, NULL);
}

static gpointer
run_sharer (gpointer data)
{
  Sharer *self = data;

  loop_event_loop_call_soon (self->loop, submit_some, self, NULL);
  ck_assert (loop_event_loop_run_forever (self->loop));
  ck_assert (loop_event_loop_close (self->loop));
  g_object_unref (self->loop);

  return NULL;
}

START_TEST (test_shared)
{
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (4, NULL);
  Sharer sharers[3];
  GThread *threads[3];

  for (int i = 0; i < 3; i++)
    {
      sharers[i] = (Sharer) { .executor = executor, .loop = loop_event_loop_new () };
      threads[i] = g_thread_new ("sharer", run_sharer, &sharers[i]);
    }
  for (int i = 0; i < 3; i++)
    {
      g_thread_join (threads[i]);
      ck_assert_int_eq (sharers[i].n_done, N_SHARED);
    }
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
}
END_TEST

/* No thread can be had: the job fails, and the next one after things got better does not. */

START_TEST (test_no_thread)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (2, NULL);
  Gate gate = { .is_open = FALSE };
  Job jobs[3] = { { .number = 1 }, { .gate = &gate, .number = 2 }, { .number = 3 } };
  g_autoptr (LoopFuture) bad = NULL;
  g_autoptr (LoopFuture) good = NULL;
  g_autoptr (LoopFuture) patient = NULL;
  g_autoptr (GError) error = NULL;

  refuse_threads (TRUE);
  bad = submit_job (loop, executor, &jobs[0]);
  refuse_threads (FALSE);
  ck_assert (loop_future_done (bad));
  ck_assert (!loop_future_result (bad, NULL, &error));
  ck_assert_msg (g_error_matches (error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN), "%s", error->message);
  ck_assert_int_eq (jobs[0].n_freed, 1);
  check_counts (executor, 0, 0, 0);

  /* With one thread there already, a job waits for it. */
  good = submit_job (loop, executor, &jobs[1]);
  gate_await (&gate, 1);
  refuse_threads (TRUE);
  patient = submit_job (loop, executor, &jobs[2]);
  refuse_threads (FALSE);
  check_counts (executor, 1, 0, 1);
  gate_open (&gate);
  check_number (good, 2);
  check_number (patient, 3);
}
END_TEST

LOOP_TEST_MAIN ("executor-threads",
                test_properties,
                test_growth,
                test_reuse,
                test_all_at_once,
                test_names,
                test_shared,
                test_no_thread)
