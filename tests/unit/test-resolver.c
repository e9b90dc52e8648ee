/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "executor-check.h"
#include "fake-resolver.h"
#include "refuse-threads.h"
#include "sock-check.h"
#include "tcp-check.h"

#include "loop-address-info.h"
#include "loop-resolver-private.h"
#include "loop-thread-pool-private.h"

#include <netdb.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The threads that look up names: nobody waits for them who does not have to. */

#define N_THREADS 8

static LoopFuture *
look_up (LoopEventLoop *loop, const char *name)
{
  return loop_event_loop_getaddrinfo (loop, name, 80, 0, SOCK_STREAM, 0, 0);
}

static void
check_found (LoopFuture *future)
{
  g_autoptr (LoopFuture) done = future;
  g_autoptr (GError) error = NULL;

  sock_finish (done);
  ck_assert_msg (loop_future_result (done, NULL, &error), "%s", error != NULL ? error->message : "");
}

/* C31: whatever the executor is busy with, and however many jobs wait for it. */
START_TEST (test_executor_does_not_starve_it)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (2, NULL);
  Gate gate = { .is_open = FALSE };
  Job jobs[10];
  LoopFuture *futures[10];

  loop_event_loop_set_default_executor (loop, LOOP_EXECUTOR (executor));
  for (int i = 0; i < 10; i++)
    {
      jobs[i] = (Job) { .gate = &gate, .number = i };
      futures[i] = submit_job (loop, NULL, &jobs[i]);
    }
  gate_await (&gate, 2);

  fake_resolver_add ("quick.test", "127.0.0.1");
  check_found (look_up (loop, "quick.test"));
  ck_assert_uint_eq (loop_thread_pool_executor_get_queue_depth (executor), 8);

  gate_open (&gate);
  for (int i = 0; i < 10; i++)
    check_found (futures[i]);
}
END_TEST

/* Fault 21: the name server does not answer. To give up takes no time, and neither does it to close the loop. */
START_TEST (test_black_hole)
{
  LoopEventLoop *loop = loop_event_loop_new ();
  LoopFuture *futures[3 * N_THREADS];
  gint64 begun;

  fake_resolver_add_slow ("slow.test", "127.0.0.1");
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    futures[i] = look_up (loop, "slow.test");
  fake_resolver_wait (N_THREADS);
  run_once (loop);

  /* Of those that run, and of those that wait for a thread. */
  begun = g_get_monotonic_time ();
  for (guint i = 0; i < G_N_ELEMENTS (futures); i += 3)
    {
      ck_assert (loop_future_cancel (futures[i]));
      ck_assert (loop_future_cancelled (futures[i]));
    }
  run_once (loop);
  ck_assert_int_lt (g_get_monotonic_time () - begun, 50 * 1000);

  begun = g_get_monotonic_time ();
  loop_event_loop_close (loop);
  ck_assert_int_lt (g_get_monotonic_time () - begun, 50 * 1000);
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    g_assert_finalize_object (futures[i]);
  g_assert_finalize_object (loop);

  /* What had not begun never does. */
  loop = loop_event_loop_new ();
  fake_resolver_add ("quick.test", "127.0.0.1");
  fake_resolver_release ();
  check_found (look_up (loop, "quick.test"));
  ck_assert_uint_eq (fake_resolver_get_n_lookups (), N_THREADS + 1);
  g_object_unref (loop);
}
END_TEST

/* Those that go on without anybody have nothing of the loop in the end. */
START_TEST (test_descriptors)
{
  guint n_fds;
  LoopEventLoop *loop;

  g_main_context_default ();
  n_fds = tcp_count_fds ();
  loop = loop_event_loop_new ();
  fake_resolver_add_slow ("slow.test", "127.0.0.1");
  for (int i = 0; i < 2 * N_THREADS; i++)
    g_object_unref (look_up (loop, "slow.test"));
  fake_resolver_wait (N_THREADS);
  loop_event_loop_close (loop);
  g_object_unref (loop);
  fake_resolver_release ();
  for (int i = 0; i < 10000 && tcp_count_fds () > n_fds; i++)
    g_usleep (1000);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
}
END_TEST

/* --- Threads ----------------------------------------------------------------------------------- */

/* Fault 11: the lookup fails, keeps nothing of the loop, and the next one does not fail. */
START_TEST (test_no_thread)
{
  LoopEventLoop *loop;
  guint n_fds;

  g_main_context_default ();
  n_fds = tcp_count_fds ();
  loop = loop_event_loop_new ();
  fake_resolver_add ("quick.test", "127.0.0.1");

  for (int i = 0; i < 3; i++)
    {
      g_autoptr (LoopFuture) future = NULL;

      refuse_threads (TRUE);
      future = look_up (loop, "quick.test");
      refuse_threads (FALSE);
      ck_assert (loop_future_done (future));
      check_failed (future, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN);
    }
  g_assert_finalize_object (loop);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);

  loop = loop_event_loop_new ();
  check_found (look_up (loop, "quick.test"));
  g_object_unref (loop);
}
END_TEST

static gboolean
add_one (GValue *result, gpointer user_data, GError **error)
{
  g_atomic_int_inc ((int *) user_data);

  return TRUE;
}

static guint
count_workers (LoopThreadPool *pool)
{
  guint n = 0;
  LoopExecutorDescription description;

  loop_thread_pool_describe (pool, &description);
  for (const LoopExecutorWorker *worker = description.workers; worker != NULL; worker = worker->next)
    n++;

  return n;
}

static void
await_no_thread (LoopThreadPool *pool)
{
  for (int i = 0; i < 10000 && loop_thread_pool_get_counts (pool).n_workers > 0; i++)
    g_usleep (1000);
  ck_assert_uint_eq (loop_thread_pool_get_counts (pool).n_workers, 0);
}

/* A thread that has nothing to do ends after a while, and what comes then gets a new one in its place. */
START_TEST (test_idle_threads_end)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopThreadPool *pool = loop_thread_pool_new (2, "idle");
  int n = 0;

  loop_thread_pool_set_idle_timeout (pool, LOOP_NSEC_PER_SEC / 100);
  for (int round = 0; round < 5; round++)
    {
      LoopFuture *futures[4];

      for (int i = 0; i < 4; i++)
        futures[i] = loop_thread_pool_submit (pool, loop, add_one, &n, NULL);
      for (int i = 0; i < 4; i++)
        check_found (futures[i]);
      await_no_thread (pool);
      ck_assert_uint_eq (loop_thread_pool_get_counts (pool).n_idle, 0);
    }
  ck_assert_int_eq (n, 20);
  ck_assert_uint_le (count_workers (pool), 2);

  loop_thread_pool_shutdown (pool, TRUE, FALSE);
  loop_thread_pool_unref (pool);
}
END_TEST

/* Jobs that come in the moment in which the thread ends are not lost. */
START_TEST (test_idle_race)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopThreadPool *pool = loop_thread_pool_new (1, "race");
  int n = 0;

  loop_thread_pool_set_idle_timeout (pool, 20 * 1000);
  for (int round = 0; round < 2000; round++)
    {
      check_found (loop_thread_pool_submit (pool, loop, add_one, &n, NULL));
      g_usleep ((gulong) (round % 100));
    }
  ck_assert_int_eq (n, 2000);
  await_no_thread (pool);
  ck_assert_uint_eq (count_workers (pool), 1);
  loop_thread_pool_shutdown (pool, TRUE, FALSE);
  loop_thread_pool_unref (pool);
}
END_TEST

/* --- Forks ------------------------------------------------------------------------------------- */

/* Runs @function in a child process, which ends with 0 if that returns. */
static void
run_in_child (void (*function) (gpointer data), gpointer data)
{
  int status = 0;
  pid_t pid = fork ();

  ck_assert_int_ge (pid, 0);
  if (pid == 0)
    {
      alarm (10);
      function (data);
      _exit (0);
    }
  ck_assert_int_eq (waitpid (pid, &status, 0), pid);
  ck_assert_msg (WIFEXITED (status) && WEXITSTATUS (status) == 0, "the child has ended with status %#x", status);
}

static void
look_up_in_child (gpointer data)
{
  LoopEventLoop *parents = data;
  g_autoptr (LoopEventLoop) loop = NULL;

  if (parents != NULL)
    loop_event_loop_close (parents);
  loop = loop_event_loop_new ();
  for (int i = 0; i < 2 * N_THREADS; i++)
    {
      g_autoptr (LoopFuture) future = look_up (loop, "quick.test");

      sock_finish (future);
      if (!loop_future_result (future, NULL, NULL))
        _exit (1);
    }
}

/* TSan lets no child of a process with threads have some, too. */
#ifdef LOOP_WITH_TSAN
#define IS_TSAN TRUE
#else
#define IS_TSAN FALSE
#endif

/* The child has none of the threads, at whatever moment it was made; it gets its own. */
START_TEST (test_fork)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *futures[2 * N_THREADS];

  tcp_skip_unless (!IS_TSAN, "TSan");
  fake_resolver_add ("quick.test", "127.0.0.1");
  fake_resolver_add_slow ("slow.test", "127.0.0.1");

  run_in_child (look_up_in_child, NULL);
  check_found (look_up (loop, "quick.test"));
  /* A thread sleeps. */
  run_in_child (look_up_in_child, NULL);
  /* All are busy, and jobs wait. */
  for (int i = 0; i < 2 * N_THREADS; i++)
    futures[i] = look_up (loop, "slow.test");
  fake_resolver_wait (N_THREADS);
  run_in_child (look_up_in_child, NULL);
  run_in_child (look_up_in_child, loop);

  /* Nothing of it concerns the parent. */
  fake_resolver_release ();
  for (int i = 0; i < 2 * N_THREADS; i++)
    check_found (futures[i]);
  loop_event_loop_close (loop);
}
END_TEST

LOOP_TEST_MAIN ("resolver",
                test_executor_does_not_starve_it,
                test_black_hole,
                test_descriptors,
                test_no_thread,
                test_idle_threads_end,
                test_idle_race,
                test_fork)
