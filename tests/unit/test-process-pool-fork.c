/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process-check.h"

#include "loop-error.h"
#include "loop-signal-watcher.h"
#include "tsan-gio.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* How the zygote and the workers come to be, what they have of their parent, and how they go. */

/* How often fork() is to fail, in all processes of the test; or NULL. */
static int *n_failures;

pid_t
fork (void)
{
  static pid_t (*real) (void);

  if (real == NULL)
    real = (pid_t (*) (void)) dlsym (RTLD_NEXT, "fork");

  if (n_failures != NULL && g_atomic_int_get (n_failures) > 0)
    {
      g_atomic_int_add (n_failures, -1);
      errno = EAGAIN;
      return -1;
    }

  return real ();
}

static void
share_n_failures (void)
{
  n_failures = mmap (NULL, sizeof *n_failures, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert (n_failures != MAP_FAILED);
}

START_TEST (test_fork_fails)
{
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *futures[3];
  LoopFuture *future;

  share_n_failures ();
  pool = make_pool (2);

  /* There is none at all. */
  g_atomic_int_set (n_failures, 1000000);
  for (int i = 0; i < 3; i++)
    futures[i] = call (pool, loop, "add", "(1, 2)");
  for (int i = 0; i < 3; i++)
    {
      check_error (futures[i], G_IO_ERROR, g_io_error_from_errno (EAGAIN),
                   "Cannot fork a worker: Resource temporarily unavailable");
      g_object_unref (futures[i]);
    }
  /* And it did not try for ever. */
  ck_assert_int_gt (g_atomic_int_get (n_failures), 1000000 - 10);

  /* It is tried again, and one worker is enough. */
  g_atomic_int_set (n_failures, 0);
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
  g_atomic_int_set (n_failures, 1000000);
  future = call (pool, loop, "gate", NULL);
  for (int i = 0; i < 3; i++)
    futures[i] = call (pool, loop, "add", "(1, 2)");
  await_gate (1);
  run_for (loop, 0.05);
  ck_assert_int_gt (g_atomic_int_get (n_failures), 1000000 - 10);
  open_gate ();
  check_result (future, "()");
  for (int i = 0; i < 3; i++)
    check_result (futures[i], "3");
}
END_TEST

START_TEST (test_zygote_fork_fails)
{
  g_autoptr (GError) error = NULL;
  int n_fds = count_fds ();

  share_n_failures ();
  g_atomic_int_set (n_failures, 1);
  ck_assert_ptr_null (loop_process_pool_executor_new (1, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, g_io_error_from_errno (EAGAIN)));
  ck_assert_str_eq (error->message, "Cannot start the zygote of a process pool: Resource temporarily unavailable");
  ck_assert_int_eq (count_fds (), n_fds);
}
END_TEST

START_TEST (test_no_descriptors)
{
  struct rlimit before;
  struct rlimit limit;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  int n_fds = count_fds () - 1;

  ck_assert_int_eq (getrlimit (RLIMIT_NOFILE, &before), 0);
  limit = before;

  /* For every number of those that it takes, up to enough for a zygote. */
  for (int n = 0; pool == NULL; n++)
    {
      g_autoptr (GError) error = NULL;

      ck_assert_int_lt (n, 20);
      limit.rlim_cur = n_fds + n;
      ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &limit), 0);
      pool = loop_process_pool_executor_new (1, &error);
      ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &before), 0);
      if (pool == NULL)
        {
          ck_assert_msg (strstr (error->message, "Too many open files") != NULL, "%s", error->message);
          ck_assert_int_eq (count_fds () - 1, n_fds);
          check_no_children ();
        }
    }
  g_clear_object (&pool);
  ck_assert_int_eq (count_fds () - 1, n_fds);

  /* And for a worker. The pool's eventfd is there by then. */
  pool = make_pool (1);
  limit.rlim_cur = count_fds ();
  ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &limit), 0);
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (LoopFuture) future = call (pool, loop, "add", "(1, 2)");

      check_error (future, G_IO_ERROR, g_io_error_from_errno (EMFILE),
                   "Cannot make a socket for a worker: Too many open files");
      limit.rlim_cur++;
      if (i < 2)
        ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &limit), 0);
    }
  ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &before), 0);
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
}
END_TEST

static gpointer
wait_for_gate (gpointer gate)
{
  gate_await (gate, 1);

  return NULL;
}

static GVariant *
nothing (GVariant *parameters, gpointer user_data, GError **error)
{
  return NULL;
}

/* Too late for a zygote, unless there is one. */
START_TEST (test_threads)
{
  Gate gate = { .is_open = FALSE };
  GThread *thread = g_thread_new (NULL, wait_for_gate, &gate);
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;

  ck_assert_ptr_null (loop_process_pool_executor_new (1, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
  ck_assert_msg (
      g_str_has_prefix (error->message,
                        "A process pool forks its zygote before other threads are started, and the process has "),
      "%s", error->message);
  g_clear_error (&error);
  ck_assert (!loop_process_pool_executor_start_zygote (&error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));

  /* One that was made in another way fails when it is used. */
  add_function ("nothing", NULL, nothing);
  pool = g_object_new (LOOP_TYPE_PROCESS_POOL_EXECUTOR, NULL);
  {
    g_autoptr (LoopFuture) future = call (pool, loop, "nothing", NULL);

    ck_assert (loop_future_done (future));
    check_error (future, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, error->message);
  }

  g_mutex_lock (&gate.mutex);
  gate.n_waiting = 1;
  g_cond_broadcast (&gate.changed);
  g_mutex_unlock (&gate.mutex);
  g_thread_join (thread);
  g_clear_object (&pool);
  pool = make_pool (1);
}
END_TEST

START_TEST (test_start_zygote)
{
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Gate gate = { .is_open = FALSE };
  GThread *thread;
  int n_fds = count_fds ();

  g_object_unref (make_pool (1));
  check_no_children ();
  ck_assert (loop_process_pool_executor_start_zygote (NULL));
  ck_assert (loop_process_pool_executor_start_zygote (NULL));
  ck_assert_int_eq (count_fds (), n_fds + 2);
  thread = g_thread_new (NULL, wait_for_gate, &gate);
  pool = make_pool (1);
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
  loop_executor_shutdown (LOOP_EXECUTOR (pool), TRUE, FALSE);
  g_clear_object (&pool);
  pool = make_pool (1);
  check_result (call (pool, loop, "add", "(1, 2)"), "3");

  g_mutex_lock (&gate.mutex);
  gate.n_waiting = 1;
  g_cond_broadcast (&gate.changed);
  g_mutex_unlock (&gate.mutex);
  g_thread_join (thread);
}
END_TEST

START_TEST (test_register)
{
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (GError) error = NULL;

  add_function ("nothing", NULL, nothing);
  ck_assert (!loop_process_pool_executor_register ("nothing", NULL, nothing, step_new ('n'), step_destroy, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_EXISTS));
  ck_assert_str_eq (error->message, "A function “nothing” was registered before");
  check_steps ("N");
  g_clear_error (&error);

  pool = make_pool (1);
  ck_assert (!loop_process_pool_executor_register ("late", NULL, nothing, step_new ('l'), step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_RUNNING));
  ck_assert_str_eq (error->message,
                    "The function “late” is registered too late: the zygote runs already, and will not know it");
  check_steps ("L");

  /* Until the zygote has ended with the last pool. */
  g_clear_object (&pool);
  ck_assert (loop_process_pool_executor_register ("late", NULL, nothing, step_new ('x'), step_destroy, NULL));
  check_steps ("");
}
END_TEST

static GVariant *
describe (GVariant *parameters, gpointer user_data, GError **error)
{
  GVariantBuilder fds;
  sigset_t mask;
  g_autoptr (GDir) dir = NULL;
  const char *name;
  int n_blocked = 0;
  int n_handled = 0;

  g_variant_builder_init (&fds, G_VARIANT_TYPE ("as"));
  dir = g_dir_open ("/proc/self/fd", 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%s", name);
      g_autofree char *target = g_file_read_link (path, NULL);

      if (atoi (name) > 2 && !g_str_has_prefix (target, "/proc/") && !g_str_has_prefix (target, "socket:"))
        g_variant_builder_add (&fds, "s", target);
    }
  sigprocmask (SIG_SETMASK, NULL, &mask);
  for (int signum = 1; signum < SIGRTMIN; signum++)
    {
      struct sigaction action;

      n_blocked += sigismember (&mask, signum) == 1;
      if (sigaction (signum, NULL, &action) == 0)
        n_handled += action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
    }

  return g_variant_new ("(asiibbi)", &fds, n_blocked, n_handled, signal (SIGPIPE, SIG_DFL) == SIG_IGN,
                        getpgrp () == getppid (), (int) read (STDIN_FILENO, &mask, 1));
}

static void
handle_signal (int signum)
{
}

/* Descriptors, signals, its group, its standard input. */
START_TEST (test_inheritance)
{
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  sigset_t mask;
  int fds[2];

  add_function ("describe", NULL, describe);
  ck_assert_int_eq (pipe (fds), 0);
  ck_assert_int_eq (dup2 (fds[0], 200), 200);
  /* Anything that could be read in the place of /dev/null. */
  ck_assert_int_eq (write (fds[1], "x", 1), 1);
  ck_assert_int_eq (dup2 (fds[0], STDIN_FILENO), STDIN_FILENO);
  signal (SIGUSR1, handle_signal);
  signal (SIGCHLD, SIG_IGN);
  signal (SIGPIPE, SIG_IGN);
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGINT, do_nothing, NULL, NULL, NULL));
  sigfillset (&mask);
  sigprocmask (SIG_BLOCK, &mask, NULL);
  pool = make_pool (2);
  sigprocmask (SIG_SETMASK, NULL, &mask);
  ck_assert_int_eq (sigismember (&mask, SIGUSR2), 1);
  sigemptyset (&mask);
  sigprocmask (SIG_SETMASK, &mask, NULL);

  check_result (call (pool, loop, "describe", NULL), "([], 0, 0, true, true, 0)");
}
END_TEST

static void
note_exit (void)
{
  shared->number++;
}

/* What the parent registered with atexit(), and what it has not written yet, is the parent's. */
START_TEST (test_exit)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "loop-test-XXXXXX", NULL);
  g_autofree char *text = NULL;
  FILE *file = fdopen (mkstemp (path), "w");

  g_clear_object (&pool);
  atexit (note_exit);
  fputs ("once", file);
  pool = make_pool (1);
  check_broken (call (pool, loop, "exit", "(3,)"), "*exited with status 3*");
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
  loop_executor_shutdown (LOOP_EXECUTOR (pool), TRUE, FALSE);
  ck_assert_int_eq (shared->number, 0);
  fclose (file);
  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  ck_assert_str_eq (text, "once");
  unlink (path);
}
END_TEST

static GVariant *
nest (GVariant *parameters, gpointer user_data, GError **error)
{
  g_autoptr (LoopProcessPoolExecutor) pool = loop_process_pool_executor_new (1, error);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  if (pool == NULL)
    return NULL;

  future = call (pool, loop, "add", "(1, 2)");
  if (!loop_event_loop_run_until_complete (loop, future, &value, error))
    return NULL;

  return g_value_dup_variant (&value);
}

/* A worker may have a pool. */
START_TEST (test_nested)
{
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add_function ("nest", NULL, nest);
  pool = make_pool (1);
  check_result (call (pool, loop, "nest", NULL), "3");
}
END_TEST

/* A child of the parent's, which has a copy of the pool: it is told so, and does the pool no harm. */
START_TEST (test_forked_copy)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  pid_t pid;
  int status;

  /* ThreadSanitizer forbids a child threads if its parent has any. */
#ifdef LOOP_WITH_TSAN
  return;
#endif

  check_result (call (pool, loop, "add", "(1, 2)"), "3");
  pid = fork ();
  if (pid == 0)
    {
      g_autoptr (LoopEventLoop) own = loop_event_loop_new ();
      g_autoptr (LoopFuture) future = call (pool, own, "add", "(1, 2)");
      LoopProcessPoolExecutor *new_pool;

      check_error (future, LOOP_ERROR, LOOP_ERROR_INVALID_STATE,
                   "A process pool can be used by the process only that has made it");
      loop_executor_shutdown (LOOP_EXECUTOR (pool), TRUE, TRUE);
      g_object_unref (pool);
      new_pool = make_pool (1);
      check_result (call (new_pool, own, "add", "(3, 4)"), "7");
      g_object_unref (new_pool);
      _exit (0);
    }
  ck_assert_int_eq (waitpid (pid, &status, 0), pid);
  ck_assert (WIFEXITED (status));
  ck_assert_int_eq (WEXITSTATUS (status), 0);
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
}
END_TEST

/* A worker that is busy ends with the parent as well, though another child has a copy of its sockets. */
START_TEST (test_parent_ends)
{
  int *pids = mmap (NULL, 3 * sizeof (int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t parent;

  ck_assert_int_eq (prctl (PR_SET_CHILD_SUBREAPER, 1), 0);
  g_object_unref (make_pool (1));
  parent = fork ();
  if (parent == 0)
    {
      LoopProcessPoolExecutor *pool = make_pool (2);
      LoopEventLoop *loop = loop_event_loop_new ();
      pid_t child;

      get_pids (pool, loop, &pids[0], &pids[1]);
      call (pool, loop, "gate", NULL);
      call (pool, loop, "gate", NULL);
      await_gate (2);
      child = fork ();
      if (child > 0)
        g_atomic_int_set (&pids[2], child);
      for (;;)
        pause ();
    }

  for (int i = 0; i < 10000 && g_atomic_int_get (&pids[2]) == 0; i++)
    g_usleep (1000);
  ck_assert_int_gt (pids[2], 0);
  kill (parent, SIGKILL);
  ck_assert_int_eq (waitpid (parent, NULL, 0), parent);
  /* It waits for the workers before it ends. */
  ck_assert_int_eq (waitpid (pids[1], NULL, 0), pids[1]);
  ck_assert_int_eq (kill (pids[0], 0), -1);
  ck_assert_int_eq (errno, ESRCH);
  kill (pids[2], SIGKILL);
  ck_assert_int_eq (waitpid (pids[2], NULL, 0), pids[2]);
  check_no_children ();
}
END_TEST

/* What would have it end in another way, it does not heed. */
START_TEST (test_zygote_signals)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int worker;
  int zygote;

  get_pids (pool, loop, &worker, &zygote);
  kill (zygote, SIGTERM);
  kill (zygote, SIGINT);
  kill (zygote, SIGHUP);
  check_broken (call (pool, loop, "die", "(9,)"), "*Killed*");
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
}
END_TEST

LOOP_TEST_MAIN ("process-pool-fork",
                test_fork_fails,
                test_zygote_fork_fails,
                test_no_descriptors,
                test_threads,
                test_start_zygote,
                test_register,
                test_inheritance,
                test_exit,
                test_nested,
                test_forked_copy,
                test_parent_ends,
                test_zygote_signals)
