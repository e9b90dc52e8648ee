/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process-check.h"

#include "loop-event-loop-private.h"
#include "loop-exception-context.h"
#include "loop-fiber-stack-private.h"
#include "loop-fiber.h"
#include "loop-foreign-exception.h"
#include "loop-inspector-private.h"
#include "loop-process-function-private.h"
#include "loop-task.h"
#include "loop-traceback-private.h"
#include "loop-zygote-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Whatever lock other threads have when the process forks, the child has it to take. Those threads
 * assert nothing through Check, which has a lock of its own.
 */

#define N_FORKS 200
#define SUCCESS 7

/* Seconds after which a child waits for a lock that nobody gives back. */
#define CHILD_TIMEOUT 10

typedef struct
{
  void (*hammer) (gpointer data); /* in other threads, again and again */
  void (*in_child) (gpointer data);
  gpointer data;
  int n_hammered;
  int is_over;
} Forge;

static gpointer
hammer_on (gpointer data)
{
  Forge *self = data;

  while (!__atomic_load_n (&self->is_over, __ATOMIC_RELAXED))
    {
      self->hammer (self->data);
      /* Mutexes are not fair: whoever wants to fork has to have his turn. */
      if (__atomic_add_fetch (&self->n_hammered, 1, __ATOMIC_RELAXED) % 1024 == 0)
        g_usleep (20);
    }

  return NULL;
}

static void
count_report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer n_reports)
{
  ck_assert_str_eq (loop_exception_context_get_message (context), "in the child");
  count_up (n_reports);
}

/* What any child does: its parent's loop is closed, and there is one of its own. */
static void
use_library (LoopEventLoop *copy)
{
  g_autoptr (LoopEventLoop) loop = NULL;
  g_autoptr (LoopExceptionContext) context = loop_exception_context_new ("in the child", NULL);
  int n_reports = 0;

  ck_assert (loop_event_loop_close (copy));

  loop = loop_event_loop_new ();
  loop_event_loop_set_debug (loop, TRUE);
  loop_event_loop_set_slow_callback_duration (loop, 10.0);
  loop_event_loop_set_exception_handler (loop, count_report, &n_reports, NULL);
  loop_event_loop_call_exception_handler (loop, context);
  ck_assert_int_eq (n_reports, 1);

  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('b'), step_destroy, NULL, NULL));
  run_once (loop);
  check_steps ("aAbB");
  ck_assert (loop_event_loop_close (loop));
}

static void
fork_and_check (Forge *forge, LoopEventLoop *loop)
{
  pid_t pid = fork ();
  int status;

  if (pid == 0)
    {
      signal (SIGALRM, SIG_DFL);
      alarm (CHILD_TIMEOUT);
      forge->in_child (forge->data);
      use_library (loop);
      _exit (SUCCESS);
    }

  ck_assert_int_ge (pid, 0);
  while (waitpid (pid, &status, 0) < 0)
    ck_assert_int_eq (errno, EINTR);
  ck_assert_msg (!WIFSIGNALED (status) || WTERMSIG (status) != SIGALRM, "the child waits for a lock");
  ck_assert_msg (WIFEXITED (status) && WEXITSTATUS (status) == SUCCESS, "the child ended with status %#x", status);
}

static void
check_forks (void (*hammer) (gpointer data), void (*in_child) (gpointer data), gpointer data)
{
  Forge forge = { .hammer = hammer, .in_child = in_child, .data = data };
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  GThread *threads[2];

  loop_event_loop_set_debug (loop, TRUE);
  loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("hammer", hammer_on, &forge);
  while (__atomic_load_n (&forge.n_hammered, __ATOMIC_RELAXED) == 0)
    g_usleep (100);

  for (int i = 0; i < N_FORKS; i++)
    fork_and_check (&forge, loop);

  __atomic_store_n (&forge.is_over, TRUE, __ATOMIC_RELAXED);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

/* --- Who made what ---------------------------------------------------------------------------- */

static void
search_tracebacks (gpointer data)
{
  /* It looks at all. */
  loop_traceback_forget_loop (G_MAXUINT64);
}

static void
trace_one (gpointer data)
{
  loop_traceback_record (1, G_MAXUINT64);
  loop_traceback_forget (G_MAXUINT64);
}

START_TEST (test_tracebacks)
{
  for (guint64 i = 0; i < 1000; i++)
    loop_traceback_record (1, G_MAXUINT64 / 2 + i);
  check_forks (search_tracebacks, trace_one, NULL);
  loop_traceback_forget_loop (1);
}
END_TEST

/* --- Symbols ---------------------------------------------------------------------------------- */

/* An address that was not asked for before is looked up in files, with the lock. */
G_GNUC_UNUSED static void
describe_next (gpointer data)
{
  static int n_described;
  char *start = (char *) (gpointer) describe_next;

  g_free (loop_describe_address (start + __atomic_fetch_add (&n_described, 1, __ATOMIC_RELAXED) % 4096));
  g_usleep (100);
}

G_GNUC_UNUSED static void
describe_one (gpointer data)
{
  g_autofree char *name = loop_describe_function ((gpointer) describe_one);

#ifdef HAVE_ELFUTILS_LIBDWFL_H
  ck_assert_str_eq (name, "describe_one");
#else
  ck_assert_ptr_nonnull (name);
#endif
}

START_TEST (test_symbols)
{
/* ThreadSanitizer gives up on a child that starts a thread, as this does. */
#ifndef LOOP_WITH_TSAN
  check_forks (describe_next, describe_one, NULL);
#endif
}
END_TEST

/* --- Fibers ----------------------------------------------------------------------------------- */

static void
take_stack (gpointer data)
{
  LoopFiberStack *stack = loop_fiber_stack_take (NULL);

  g_assert (stack != NULL);
  loop_fiber_stack_give_back (stack);
}

static gboolean
run_fiber (GValue *result, gpointer data, GError **error)
{
  return TRUE;
}

static void
use_fiber (gpointer data)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopTask) task = loop_event_loop_spawn (loop, run_fiber, NULL, NULL);

  ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (task), NULL, NULL));
}

START_TEST (test_fiber_stacks) { check_forks (take_stack, use_fiber, NULL); }
END_TEST

/* --- Exceptions of other languages ------------------------------------------------------------ */

static void
look_exception_up (gpointer data)
{
  loop_foreign_exception_unref (loop_foreign_exception_lookup (GPOINTER_TO_INT (data)));
}

START_TEST (test_foreign_exceptions)
{
  g_autoptr (LoopForeignException) exception = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  exception = loop_foreign_exception_new (&value);
  check_forks (look_exception_up, look_exception_up, GINT_TO_POINTER (loop_foreign_exception_get_code (exception)));
}
END_TEST

/* --- Executors -------------------------------------------------------------------------------- */

static void
count_threads (gpointer pool)
{
  loop_thread_pool_executor_get_n_workers (pool);
}

START_TEST (test_thread_pool)
{
  g_autoptr (LoopThreadPoolExecutor) pool = loop_thread_pool_executor_new (2, NULL);

  check_forks (count_threads, count_threads, pool);
}
END_TEST

static void
count_processes (gpointer pool)
{
  loop_process_pool_executor_get_n_workers (pool);
}

START_TEST (test_process_pool)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (2);

  check_forks (count_processes, count_processes, pool);
}
END_TEST

static void
look_function_up (gpointer data)
{
  g_assert (loop_process_function_lookup ("add", NULL) != NULL);
}

START_TEST (test_process_functions)
{
  g_autoptr (LoopProcessPoolExecutor) pool G_GNUC_UNUSED = make_pool (2);

  check_forks (look_function_up, look_function_up, NULL);
}
END_TEST

static void
look_at_zygote (gpointer data)
{
  loop_zygote_is_running ();
}

START_TEST (test_zygote) { check_forks (look_at_zygote, look_at_zygote, NULL); }
END_TEST

/* --- The inspector ---------------------------------------------------------------------------- */

static void
start_inspector (gpointer data)
{
  g_object_unref (loop_inspector_start (LOOP_INSPECTOR_ACCESS_READ, NULL));
}

/* The child has none any more, and its name of a socket would have to be its own. */
static void
start_no_inspector (gpointer inspector)
{
  g_unsetenv ("XDG_RUNTIME_DIR");
  ck_assert_ptr_null (loop_inspector_start (LOOP_INSPECTOR_ACCESS_READ, NULL));
}

static void
find_extension (gpointer inspector)
{
  g_assert (loop_inspector_find_extension (inspector, "org.example.Nothing") == NULL);
}

static void
check_forks_inspected (void (*hammer) (gpointer data), void (*in_child) (gpointer data))
{
  g_autofree char *runtime_dir = g_dir_make_tmp ("libloop-fork-XXXXXX", NULL);
  g_autofree char *folder = g_build_filename (runtime_dir, "libloop", NULL);
  g_autoptr (LoopInspector) inspector = NULL;

  g_setenv ("XDG_RUNTIME_DIR", runtime_dir, TRUE);
  inspector = loop_inspector_start (LOOP_INSPECTOR_ACCESS_READ, NULL);
  ck_assert_ptr_nonnull (inspector);
  loop_check_await_threads ();
  check_forks (hammer, in_child, inspector);
  loop_inspector_stop (inspector);
  ck_assert_int_eq (g_rmdir (folder), 0);
  ck_assert_int_eq (g_rmdir (runtime_dir), 0);
}

START_TEST (test_inspector) { check_forks_inspected (start_inspector, start_no_inspector); }
END_TEST

START_TEST (test_inspector_extensions) { check_forks_inspected (find_extension, find_extension); }
END_TEST

LOOP_TEST_MAIN_TIMEOUT ("fork-locks",
                        60,
                        test_tracebacks,
                        test_symbols,
                        test_fiber_stacks,
                        test_foreign_exceptions,
                        test_thread_pool,
                        test_process_pool,
                        test_process_functions,
                        test_zygote,
                        test_inspector,
                        test_inspector_extensions)
