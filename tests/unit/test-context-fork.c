/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "executor-check.h"

#include "loop-error.h"
#include "loop-executor.h"
#include "loop-fd-watcher.h"
#include "loop-future.h"
#include "loop-inspector.h"
#include "loop-signal-watcher.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child of a fork can close its copy of the parent's loop, nothing else, and the parent does not notice. */

/* ThreadSanitizer gives up on a child that starts threads. */
#ifdef LOOP_WITH_TSAN
#define IS_TSAN TRUE
#else
#define IS_TSAN FALSE
#endif

#define SUCCESS 7

typedef struct
{
  LoopEventLoop *loop;
  GMainContext *context;
  int fds[2];
  void (*in_child) (gpointer f);
  int n_calls;
  gboolean is_over;
} Fixture;

static void
set_up (Fixture *f, gboolean is_foreign)
{
  *f = (Fixture) { NULL };
  ck_assert_int_eq (pipe (f->fds), 0);
  f->loop = new_loop (is_foreign, &f->context);
}

static void
tear_down (Fixture *f)
{
  g_object_unref (f->loop);
  g_main_context_unref (f->context);
  close (f->fds[0]);
  close (f->fds[1]);
}

static void
wait_for_success (pid_t pid)
{
  int status;

  while (waitpid (pid, &status, 0) < 0)
    ck_assert_int_eq (errno, EINTR);
  ck_assert_msg (WIFEXITED (status) && WEXITSTATUS (status) == SUCCESS, "the child ended with status %#x", status);
}

/* Has a child do that, which may take 10 seconds. */
static void
fork_and_check (Fixture *f)
{
  pid_t pid = fork ();

  ck_assert_int_ge (pid, 0);
  if (pid == 0)
    {
      alarm (10);
      f->in_child (f);
      _exit (SUCCESS);
    }

  wait_for_success (pid);
}

#define check_refused(error_code, call)                                                                                \
  do                                                                                                                   \
    {                                                                                                                  \
      g_autoptr (GError) error = NULL;                                                                                 \
      ck_assert (!(call));                                                                                             \
      ck_assert_msg (g_error_matches (error, LOOP_ERROR, (error_code)), "%s", error->message);                         \
    }                                                                                                                  \
  while (0)

static void
check_all_refused (Fixture *f, int code)
{
  LoopEventLoop *loop = f->loop;
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);

  check_refused (code, loop_event_loop_run_forever_full (loop, &error));
  check_refused (code, loop_event_loop_run_until_complete (loop, future, NULL, &error));
  check_refused (code, loop_event_loop_call_soon_full (loop, step_run, step_new ('x'), step_destroy, &error) != NULL);
  check_refused (code,
                 loop_event_loop_call_later_full (loop, 0, step_run, step_new ('x'), step_destroy, &error) != NULL);
  check_refused (code,
                 loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('x'), step_destroy, NULL, &error));
  check_refused (code,
                 loop_event_loop_add_reader_full (loop, f->fds[0], step_run, step_new ('x'), step_destroy, &error));
  check_refused (code,
                 loop_event_loop_add_signal_handler (loop, SIGUSR1, step_run, step_new ('x'), step_destroy, &error));
  check_steps ("XXXXX");
}

static void
look_and_close (gpointer data)
{
  Fixture *f = data;

  ck_assert (!loop_event_loop_is_closed (f->loop));
  ck_assert (!loop_event_loop_is_running (f->loop));
  check_all_refused (f, LOOP_ERROR_FORKED);

  /* Whoever iterates its context runs nothing of it. */
  for (int i = 0; i < 3; i++)
    ck_assert (!g_main_context_iteration (f->context, FALSE));
  check_steps ("");

  ck_assert (loop_event_loop_close (f->loop));
  check_steps ("RSPTL");
  ck_assert (loop_event_loop_is_closed (f->loop));
  check_all_refused (f, LOOP_ERROR_CLOSED);
  ck_assert (loop_event_loop_close (f->loop));
  g_object_unref (f->loop);
}

static void
check_copy (gboolean is_foreign)
{
  Fixture f;

  set_up (&f, is_foreign);
  f.in_child = look_and_close;
  loop_event_loop_call_soon (f.loop, step_run, step_new ('s'), step_destroy);
  ck_assert (loop_event_loop_call_soon_threadsafe (f.loop, step_run, step_new ('p'), step_destroy, NULL, NULL));
  loop_event_loop_call_later (f.loop, 0.0, step_run, step_new ('t'), step_destroy);
  loop_event_loop_call_later (f.loop, 100.0, step_run, step_new ('l'), step_destroy);
  ck_assert (loop_event_loop_add_reader (f.loop, f.fds[0], step_run, step_new ('r'), step_destroy));

  fork_and_check (&f);

  run_once (f.loop);
  check_steps ("sSpPtT");
  ck_assert_int_eq (write (f.fds[1], "x", 1), 1);
  run_once (f.loop);
  check_steps ("r");
  tear_down (&f);
  check_steps ("RL");
}

/* What a child does to its copy does not reach what the parent waits for: an epoll set, timers, wakeups. */
static void
touch_all (gpointer data)
{
  Fixture *f = data;

  ck_assert (!loop_event_loop_remove_reader (f->loop, f->fds[0]));
  while (g_main_context_iteration (f->context, FALSE))
    ;
  g_object_unref (f->loop);
  check_steps ("RT");
  close (f->fds[0]);
}

static void
check_parent_waits_on (gboolean is_foreign)
{
  Fixture f;
  double due;

  set_up (&f, is_foreign);
  f.in_child = touch_all;
  due = loop_event_loop_time (f.loop) + 0.1;
  loop_event_loop_call_at (f.loop, due, step_run, step_new ('t'), step_destroy);
  ck_assert (loop_event_loop_add_reader (f.loop, f.fds[0], step_run, step_new ('r'), step_destroy));
  /* The timer is with the kernel, and the reader in its set. */
  while (g_main_context_iteration (f.context, FALSE))
    ;

  fork_and_check (&f);

  while (loop_event_loop_time (f.loop) < due)
    g_main_context_iteration (f.context, TRUE);
  while (g_main_context_iteration (f.context, FALSE))
    ;
  check_steps ("tT");
  ck_assert_int_eq (write (f.fds[1], "x", 1), 1);
  ck_assert (g_main_context_iteration (f.context, FALSE));
  check_steps ("r");
  tear_down (&f);
  check_steps ("R");
}

/* In a callback: neither the rest of the batch nor anything else runs in the child. */
static pid_t forked;

static void
fork_in_callback (gpointer data)
{
  Fixture *f = data;

  f->n_calls++;
  forked = fork ();
  ck_assert_int_ge (forked, 0);
  if (forked == 0)
    {
      alarm (10);
      ck_assert_ptr_null (loop_event_loop_get_running ());
      ck_assert (loop_event_loop_is_running (f->loop));
      check_refused (LOOP_ERROR_RUNNING, loop_event_loop_close_full (f->loop, &error));
      check_refused (LOOP_ERROR_FORKED, loop_event_loop_call_soon_full (f->loop, do_nothing, NULL, NULL, &error));
    }
}

START_TEST (test_in_callback)
{
  Fixture f;
  g_autoptr (GError) error = NULL;

  set_up (&f, FALSE);
  loop_event_loop_call_soon (f.loop, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_soon (f.loop, fork_in_callback, &f, NULL);
  loop_event_loop_call_soon (f.loop, step_run, step_new ('b'), step_destroy);
  loop_event_loop_call_later (f.loop, 0.0, step_run, step_new ('c'), step_destroy);
  loop_event_loop_call_later (f.loop, 0.01, stop_loop, f.loop, NULL);

  if (!loop_event_loop_run_forever_full (f.loop, &error))
    {
      ck_assert_int_eq (forked, 0);
      ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_FORKED));
      check_steps ("aA");
      ck_assert (!loop_event_loop_is_running (f.loop));
      tear_down (&f);
      check_steps ("BC");
      _exit (SUCCESS);
    }

  check_steps ("aAbBcC");
  ck_assert_int_eq (f.n_calls, 1);
  wait_for_success (forked);
  tear_down (&f);
}
END_TEST

/* A source of GLib's, of which there may be one that comes before the loop's in the same iteration. */
static gboolean
fork_in_source (gpointer data)
{
  fork_in_callback (data);

  return G_SOURCE_REMOVE;
}

static void
check_in_other_source (gboolean is_foreign)
{
  GSource *source = g_timeout_source_new (0);
  g_autoptr (GError) error = NULL;
  Fixture f;
  gboolean success;

  set_up (&f, is_foreign);
  g_source_set_callback (source, fork_in_source, &f, NULL);
  g_source_attach (source, f.context);
  g_source_unref (source);
  if (is_foreign)
    {
      g_object_unref (f.loop);
      f.loop = loop_event_loop_new_for_context (f.context);
    }

  loop_event_loop_call_soon (f.loop, step_run, step_new ('b'), step_destroy);
  loop_event_loop_call_later (f.loop, 0.02, stop_loop, f.loop, NULL);
  forked = -1;
  success = loop_event_loop_run_forever_full (f.loop, &error);

  if (forked == 0)
    {
      ck_assert (!success);
      ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_FORKED));
      check_steps (is_foreign ? "" : "bB");
      tear_down (&f);
      check_steps (is_foreign ? "B" : "");
      _exit (SUCCESS);
    }

  ck_assert (success);
  check_steps ("bB");
  wait_for_success (forked);
  tear_down (&f);
}

/* The child has a loop of its own, in the callback of the other, and leaves by exit(). */
static void
run_own_loop (gpointer data)
{
  g_autoptr (LoopEventLoop) own = loop_event_loop_new ();
  Fixture *f = data;

  ck_assert (loop_event_loop_call_soon_threadsafe (own, step_run, step_new ('p'), step_destroy, NULL, NULL));
  loop_event_loop_call_later (own, 0.001, step_run, step_new ('t'), step_destroy);
  ck_assert (loop_event_loop_add_reader (own, f->fds[0], step_run, step_new ('r'), step_destroy));
  run_for (own, 0.005);
  check_steps ("pPtT");
  ck_assert (loop_event_loop_remove_reader (own, f->fds[0]));
  check_steps ("R");
}

static void
fork_for_own_loop (gpointer data)
{
  Fixture *f = data;

  f->in_child = run_own_loop;
  fork_and_check (f);
  note_step ('f');
}

START_TEST (test_own_loop)
{
  Fixture f;

  set_up (&f, FALSE);
  loop_event_loop_call_soon (f.loop, fork_for_own_loop, &f, NULL);
  loop_event_loop_call_soon (f.loop, step_run, step_new ('a'), step_destroy);
  run_for (f.loop, 0.01);
  check_steps ("faA");
  tear_down (&f);
}
END_TEST

/* The loop is busy in a thread that the child does not have. */
static void
count_on (gpointer data)
{
  Fixture *f = data;

  f->n_calls++;
  loop_event_loop_call_soon (f->loop, count_on, f, NULL);
  if (f->n_calls % 16 == 0)
    loop_event_loop_call_later (f->loop, 0.0001, do_nothing, NULL, NULL);
}

static gpointer
run_in_thread (gpointer data)
{
  Fixture *f = data;

  loop_event_loop_call_soon (f->loop, count_on, f, NULL);
  loop_event_loop_run_forever (f->loop);

  return NULL;
}

static gpointer
post_in_thread (gpointer data)
{
  Fixture *f = data;

  while (!__atomic_load_n (&f->is_over, __ATOMIC_RELAXED))
    {
      loop_event_loop_call_soon_threadsafe (f->loop, do_nothing, NULL, NULL, NULL, NULL);
      g_usleep (10);
    }

  return NULL;
}

static void
close_copy (gpointer data)
{
  Fixture *f = data;

  check_refused (LOOP_ERROR_FORKED, loop_event_loop_run_forever_full (f->loop, &error));
  ck_assert (loop_event_loop_close (f->loop));
}

START_TEST (test_other_thread)
{
  GThread *runner;
  GThread *poster;
  Fixture f;

  set_up (&f, FALSE);
  f.in_child = close_copy;
  runner = g_thread_new ("runner", run_in_thread, &f);
  poster = g_thread_new ("poster", post_in_thread, &f);
  for (int i = 0; i < 50; i++)
    fork_and_check (&f);

  __atomic_store_n (&f.is_over, TRUE, __ATOMIC_RELAXED);
  ck_assert (loop_event_loop_call_soon_threadsafe (f.loop, stop_loop, f.loop, NULL, NULL, NULL));
  g_thread_join (poster);
  g_thread_join (runner);
  ck_assert_int_gt (f.n_calls, 50);
  tear_down (&f);
}
END_TEST

/* Threads of executors are not there, either: what waits for them is given up, and there are new ones. */
typedef struct
{
  Fixture fixture;
  LoopThreadPoolExecutor *executor;
  LoopFuture *waiting;
  Job jobs[3];
} Jobs;

static void
close_with_jobs (gpointer data)
{
  Jobs *self = data;
  g_autoptr (LoopEventLoop) own = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = NULL;
  Job job = { .number = 42 };
  LoopExecutor *executor = LOOP_EXECUTOR (self->executor);

  future = loop_event_loop_run_in_executor (own, executor, run_job, &job, free_job);
  check_number (future, 42);
  ck_assert_int_eq (self->jobs[1].n_freed, 0);

  ck_assert (loop_event_loop_close (self->fixture.loop));
  loop_executor_shutdown (executor, TRUE, FALSE);
  ck_assert_int_eq (self->jobs[1].n_freed, 1);
  ck_assert_ptr_null (self->jobs[1].ran_in);
  ck_assert (loop_future_cancel (self->waiting));
}

START_TEST (test_executor)
{
  Gate gate = { 0 };
  Jobs self = { 0 };
  g_autoptr (LoopFuture) first = NULL;
  g_autoptr (LoopFuture) second = NULL;

  if (IS_TSAN)
    return;

  set_up (&self.fixture, FALSE);
  self.executor = loop_thread_pool_executor_new (1, "test");
  self.jobs[0] = (Job) { .gate = &gate, .number = 1 };
  self.jobs[1] = (Job) { .number = 2 };
  first = submit_job (self.fixture.loop, self.executor, &self.jobs[0]);
  gate_await (&gate, 1);
  second = submit_job (self.fixture.loop, self.executor, &self.jobs[1]);
  self.waiting = first;

  self.fixture.in_child = close_with_jobs;
  fork_and_check (&self.fixture);

  gate_open (&gate);
  check_number (first, 1);
  check_number (second, 2);
  g_object_unref (self.executor);
  tear_down (&self.fixture);
}
END_TEST

/* Ends a child that has an inspector: what removes its file is what any program does at its end. */
static void
leave (void)
{
#ifdef LOOP_WITH_ASAN
  /* LeakSanitizer would find what only threads of the parent knew of. */
  g_autoptr (LoopInspector) inspector = loop_inspector_start (LOOP_INSPECTOR_ACCESS_READ, NULL);

  loop_inspector_stop (inspector);
  _exit (SUCCESS);
#else
  exit (SUCCESS);
#endif
}

/* The inspector's file is the parent's, and its thread is not the child's to wait for. */
static void
inspect_child (gpointer data)
{
  g_autoptr (LoopInspector) parents = loop_inspector_start (LOOP_INSPECTOR_ACCESS_READ, NULL);
  g_autofree char *path = g_strdup (loop_inspector_get_path (parents));
  pid_t pid;

  loop_check_await_threads ();
  pid = fork ();
  if (pid == 0)
    {
      g_autoptr (LoopInspector) own = NULL;

      alarm (10);
      ck_assert_ptr_null (loop_inspector_get_path (parents));
      loop_inspector_stop (parents);
      own = loop_inspector_start (LOOP_INSPECTOR_ACCESS_READ, NULL);
      ck_assert_ptr_ne (own, parents);
      ck_assert_str_ne (loop_inspector_get_path (own), path);
      ck_assert (g_file_test (loop_inspector_get_path (own), G_FILE_TEST_EXISTS));
      leave ();
    }

  wait_for_success (pid);
  ck_assert (g_file_test (path, G_FILE_TEST_EXISTS));
  loop_inspector_stop (parents);
  ck_assert (!g_file_test (path, G_FILE_TEST_EXISTS));
}

START_TEST (test_inspector)
{
  g_autofree char *runtime_dir = g_dir_make_tmp ("libloop-fork-XXXXXX", NULL);
  g_autofree char *folder = g_build_filename (runtime_dir, "libloop", NULL);

  if (!IS_TSAN)
    {
      g_setenv ("XDG_RUNTIME_DIR", runtime_dir, TRUE);
      inspect_child (NULL);
      /* The child has left nothing behind. */
      ck_assert_int_eq (g_rmdir (folder), 0);
    }
  ck_assert_int_eq (g_rmdir (runtime_dir), 0);
}
END_TEST

/* A parent that was asked to be inspected has children that are, once they make a loop. */
START_TEST (test_inspector_by_environment)
{
  g_autofree char *runtime_dir = g_dir_make_tmp ("libloop-fork-XXXXXX", NULL);
  g_autofree char *folder = g_build_filename (runtime_dir, "libloop", NULL);
  g_autoptr (LoopInspector) inspector = NULL;
  g_autoptr (LoopEventLoop) loop = NULL;
  pid_t pid;

  if (!IS_TSAN)
    {
      g_setenv ("XDG_RUNTIME_DIR", runtime_dir, TRUE);
      g_setenv ("LOOP_INSPECT", "1", TRUE);
      loop = loop_event_loop_new ();
      loop_check_await_threads ();
      pid = fork ();
      if (pid == 0)
        {
          g_autoptr (LoopEventLoop) own = NULL;
          g_autoptr (GDir) dir = NULL;

          alarm (10);
          own = loop_event_loop_new ();
          dir = g_dir_open (folder, 0, NULL);
          for (int i = 0; i < 2; i++)
            ck_assert_ptr_nonnull (g_dir_read_name (dir));
          leave ();
        }
      wait_for_success (pid);

      inspector = loop_inspector_start (LOOP_INSPECTOR_ACCESS_READ, NULL);
      loop_inspector_stop (inspector);
      ck_assert_int_eq (g_rmdir (folder), 0);
    }
  ck_assert_int_eq (g_rmdir (runtime_dir), 0);
}
END_TEST

/* Each on a context of the loop's own and on a foreign one. */
#define BOTH(name)                                                                                                     \
  START_TEST (test_##name) { check_##name (FALSE); }                                                                   \
  END_TEST                                                                                                             \
  START_TEST (test_##name##_foreign) { check_##name (TRUE); }                                                          \
  END_TEST

BOTH (copy)
BOTH (parent_waits_on)
BOTH (in_other_source)

LOOP_TEST_MAIN ("context-fork",
                test_copy,
                test_copy_foreign,
                test_parent_waits_on,
                test_parent_waits_on_foreign,
                test_in_callback,
                test_in_other_source,
                test_in_other_source_foreign,
                test_own_loop,
                test_other_thread,
                test_executor,
                test_inspector,
                test_inspector_by_environment)
