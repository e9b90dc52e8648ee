/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A program for the tests of the inspector to look at. Its main thread runs a loop; another thread
 * reads commands from standard input, a line each, and answers each with a line: "ok ..." or
 * "error ...". It ends at the end of its input.
 */

#include "target-network.h"
#include "target-tasks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_LOOPS 16

static GMutex mutex;
static GCond changed;
static gboolean may_run = TRUE;
static gboolean is_over;

static LoopEventLoop *loops[MAX_LOOPS];
static int n_loops;
static LoopInspector *inspector;

/* The loop thread's. */
static gboolean is_churning;
static gboolean is_loading;
static guint n_calls;
static guint n_timers_fired;
static GPtrArray *restless; /* of LoopTimerHandle, to be cancelled */

static void
count_call (gpointer user_data)
{
  __atomic_fetch_add (&n_calls, 1, __ATOMIC_RELAXED);
}

static void
count_timer (gpointer user_data)
{
  n_timers_fired++;
}

static void
block (gpointer user_data)
{
  g_usleep ((gulong) (g_ascii_strtod (user_data, NULL) * G_USEC_PER_SEC));
}

/* How long each took: on a busy machine longer than it was told to. */
static GArray *spins;

static void
spin (gpointer user_data)
{
  gint64 begin = g_get_monotonic_time ();
  double seconds;

  while (g_get_monotonic_time () < begin + GPOINTER_TO_INT (user_data))
    ;

  seconds = (double) (g_get_monotonic_time () - begin) / G_USEC_PER_SEC;
  g_array_append_val (spins, seconds);
}

static char *
command_timers (LoopEventLoop *loop, char **arguments)
{
  guint n = (guint) number (arguments, 1, 1);
  double delay = number (arguments, 2, 3600);
  guint64 first = 0;
  guint64 last = 0;

  for (guint i = 0; i < n; i++)
    {
      LoopTimerHandle *timer = loop_event_loop_call_later (loop, delay + i * 0.001, count_timer, NULL, NULL);

      last = loop_timer_handle_get_id (timer);
      if (first == 0)
        first = last;
      loop_timer_handle_set_name (timer, i % 2 == 0 ? "even" : "odd");
    }

  return g_strdup_printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, first, last);
}

static char *
command_never (LoopEventLoop *loop, char **arguments)
{
  LoopTimerHandle *timer = loop_event_loop_call_later (loop, INFINITY, count_timer, NULL, NULL);

  return g_strdup_printf ("%" G_GUINT64_FORMAT, loop_timer_handle_get_id (timer));
}

/* A timer whose name is given in hexadecimal digits. */
static char *
command_name (LoopEventLoop *loop, char **arguments)
{
  LoopTimerHandle *timer = loop_event_loop_call_later (loop, 3600, count_timer, NULL, NULL);
  g_autoptr (GString) name = g_string_new (NULL);

  for (const char *p = arguments[1]; p[0] != '\0' && p[1] != '\0'; p += 2)
    g_string_append_c (name, (char) (g_ascii_xdigit_value (p[0]) << 4 | g_ascii_xdigit_value (p[1])));
  loop_timer_handle_set_name (timer, name->str);

  return g_strdup_printf ("%" G_GUINT64_FORMAT, loop_timer_handle_get_id (timer));
}

static void
churn (gpointer user_data)
{
  LoopEventLoop *loop = user_data;

  for (guint i = 0; i < restless->len; i += 2)
    loop_timer_handle_cancel (g_ptr_array_index (restless, i));
  g_ptr_array_set_size (restless, 0);

  if (!is_churning)
    return;

  for (int i = 0; i < 100; i++)
    {
      /* Some fire soon, some are in the midst of those that stay. */
      double delay = i % 2 == 0 ? 3600 + g_random_double () * 100 : g_random_double () * 0.01;
      LoopTimerHandle *timer = loop_event_loop_call_later (loop, delay, count_timer, NULL, NULL);

      loop_timer_handle_set_name (timer, "restless");
      g_ptr_array_add (restless, loop_timer_handle_ref (timer));
    }
  loop_event_loop_call_later (loop, 0.001, churn, loop, NULL);
}

static char *
command_churn (LoopEventLoop *loop, char **arguments)
{
  is_churning = number (arguments, 1, 1) != 0;
  if (is_churning)
    churn (loop);

  return g_strdup_printf ("%u", n_timers_fired);
}

static void
load (gpointer user_data)
{
  LoopEventLoop *loop = user_data;

  if (!is_loading)
    return;

  for (int i = 0; i < 50; i++)
    {
      LoopHandle *handle = loop_event_loop_call_soon (loop, count_call, NULL, NULL);
      LoopTimerHandle *timer = loop_event_loop_call_later (loop, i * 0.0001, count_timer, NULL, NULL);

      if (i % 3 == 0)
        loop_handle_cancel (handle);
      if (i % 4 != 0)
        loop_timer_handle_cancel (timer);
    }
  loop_event_loop_call_soon (loop, load, loop, NULL);
}

static char *
command_load (LoopEventLoop *loop, char **arguments)
{
  is_loading = number (arguments, 1, 1) != 0;
  if (is_loading)
    load (loop);

  return g_strdup_printf ("%u", n_calls);
}

static char *
command_block (LoopEventLoop *loop, char **arguments)
{
  LoopHandle *handle = loop_event_loop_call_soon (loop, block, g_strdup (arguments[1]), g_free);

  loop_handle_set_name (handle, "on_read");

  return g_strdup_printf ("%" G_GUINT64_FORMAT, loop_handle_get_id (handle));
}

static char *
command_spin (LoopEventLoop *loop, char **arguments)
{
  guint n = (guint) number (arguments, 2, 1);

  if (spins == NULL)
    spins = g_array_new (FALSE, FALSE, sizeof (double));
  for (guint i = 0; i < n; i++)
    loop_event_loop_call_soon (loop, spin, GINT_TO_POINTER ((int) (number (arguments, 1, 1) * 1000)), NULL);

  return NULL;
}

static char *
command_spins (LoopEventLoop *loop, char **arguments)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; spins != NULL && i < spins->len; i++)
    g_string_append_printf (text, "%s%.6f", i > 0 ? " " : "", g_array_index (spins, double, i));

  return g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
command_soon (LoopEventLoop *loop, char **arguments)
{
  LoopHandle *handle = loop_event_loop_call_soon (loop, count_call, NULL, NULL);

  loop_handle_set_name (handle, "soon");

  return g_strdup_printf ("%" G_GUINT64_FORMAT, loop_handle_get_id (handle));
}

static char *
command_watch (LoopEventLoop *loop, char **arguments)
{
  int fds[2];

  if (pipe (fds) < 0 || !loop_event_loop_add_reader (loop, fds[0], count_call, NULL, NULL))
    return NULL;

  return g_strdup_printf ("%d", fds[0]);
}

static char *
command_debug (LoopEventLoop *loop, char **arguments)
{
  return g_strdup_printf ("%d %g", loop_event_loop_get_debug (loop), loop_event_loop_get_slow_callback_duration (loop));
}

static char *
command_metrics (LoopEventLoop *loop, char **arguments)
{
  g_autoptr (LoopMetrics) metrics = loop_event_loop_get_metrics (loop);

  return g_strdup_printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %.6f %.6f %.6f",
                          loop_metrics_get_iterations (metrics), loop_metrics_get_callbacks (metrics),
                          loop_metrics_get_busy_time (metrics), loop_metrics_get_poll_time (metrics),
                          loop_event_loop_time (loop));
}

static char *
command_close (LoopEventLoop *loop, char **arguments)
{
  return g_strdup_printf ("%d", loop_event_loop_close (loop));
}

/* What is done on the loop's thread. */
static const struct
{
  const char *name;
  Command command;
  gboolean answers_itself;
} loop_commands[] = {
  { "timers", command_timers, FALSE },
  { "never", command_never, FALSE },
  { "name", command_name, FALSE },
  { "churn", command_churn, FALSE },
  { "load", command_load, FALSE },
  { "block", command_block, FALSE },
  { "spin", command_spin, FALSE },
  { "spins", command_spins, FALSE },
  { "soon", command_soon, FALSE },
  { "future", command_future, FALSE },
  { "watch", command_watch, FALSE },
  { "debug", command_debug, FALSE },
  { "serve", command_serve, TRUE },
  { "write", command_write, FALSE },
  { "limits", command_limits, FALSE },
  { "spawn", command_spawn, TRUE },
  { "close", command_close, FALSE },
  { "metrics", command_metrics, FALSE },
  { "graph", command_graph, FALSE },
  { "group", command_group, FALSE },
  { "cycle", command_cycle, FALSE },
  { "fibers", command_fibers, FALSE },
  { "wake", command_wake, FALSE },
  { "deep", command_deep, FALSE },
  { "busy", command_busy, FALSE },
  { "rename", command_rename, FALSE },
  { "stubborn", command_stubborn, FALSE },
  { "wait_for", command_wait_for, FALSE },
  { "jobs", command_jobs, FALSE },
  { "lookups", command_lookups, FALSE },
  { "signal", command_signal, FALSE },
  { "processes", command_processes, FALSE },
  { "churn_tasks", command_churn_tasks, FALSE },
};

static void
answer (const char *text)
{
  printf ("ok%s%s\n", text != NULL ? " " : "", text != NULL ? text : "");
  fflush (stdout);
}

typedef struct
{
  guint index;
  LoopEventLoop *loop;
  char **arguments;
} Request;

static void
run_request (gpointer user_data)
{
  Request *request = user_data;
  g_autofree char *text = loop_commands[request->index].command (request->loop, request->arguments);

  if (!loop_commands[request->index].answers_itself)
    answer (text);
  g_strfreev (request->arguments);
  g_free (request);
}

static LoopEventLoop *
add_loop (LoopEventLoop *loop)
{
  loops[n_loops] = loop;
  __atomic_store_n (&n_loops, n_loops + 1, __ATOMIC_RELEASE);

  return loop;
}

static gpointer
iterate (gpointer user_data)
{
  GMainContext *context = user_data;
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);

  g_main_context_push_thread_default (context);
  g_main_loop_run (main_loop);

  return NULL;
}

static void
fork_child (void)
{
  pid_t pid = fork ();
  int status = -1;

  if (pid == 0)
    exit (0);
  waitpid (pid, &status, 0);
  printf ("ok %d\n", status);
}

static void
start_inspector (const char *access)
{
  g_autoptr (GError) error = NULL;

  g_clear_object (&inspector);
  inspector = loop_inspector_start (
      g_str_equal (access, "read") ? LOOP_INSPECTOR_ACCESS_READ : LOOP_INSPECTOR_ACCESS_CONTROL, &error);
  if (inspector != NULL)
    printf ("ok %s\n", loop_inspector_get_path (inspector));
  else
    printf ("error %d %s\n", error->code, error->message);
}

static void
post (LoopEventLoop *loop, char **arguments)
{
  guint n = (guint) number (arguments, 1, 1);
  guint64 id = 0;

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (LoopHandle) handle = NULL;

      if (!loop_event_loop_call_soon_threadsafe (loop, count_call, NULL, NULL, i == 0 ? &handle : NULL, NULL))
        break;
      if (handle != NULL)
        id = loop_handle_get_id (handle);
    }
  printf ("ok %" G_GUINT64_FORMAT "\n", id);
}

static void
set_running (gboolean run)
{
  g_mutex_lock (&mutex);
  may_run = run;
  g_cond_signal (&changed);
  g_mutex_unlock (&mutex);
}

/* Hold as many descriptors as there may be. */
static void
exhaust_descriptors (void)
{
  struct rlimit limit;
  int fd;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 64;
  setrlimit (RLIMIT_NOFILE, &limit);
  do
    fd = dup (0);
  while (fd >= 0);
  printf ("ok\n");
}

static gboolean
run_here (LoopEventLoop *loop, char **arguments)
{
  const char *name = arguments[0];

  if (g_str_equal (name, "start"))
    start_inspector (arguments[1]);
  else if (g_str_equal (name, "stop"))
    {
      loop_inspector_stop (inspector);
      printf ("ok %s\n", loop_inspector_get_path (inspector) == NULL ? "gone" : "there");
    }
  else if (g_str_equal (name, "new"))
    printf ("ok %" G_GUINT64_FORMAT "\n", loop_event_loop_get_id (add_loop (loop_event_loop_new ())));
  else if (g_str_equal (name, "foreign"))
    {
      GMainContext *context = g_main_context_new ();

      add_loop (loop_event_loop_new_for_context (context));
      g_thread_unref (g_thread_new ("foreign", iterate, context));
      printf ("ok %" G_GUINT64_FORMAT "\n", loop_event_loop_get_id (loops[n_loops - 1]));
    }
  else if (g_str_equal (name, "close-idle"))
    printf ("ok %d\n", loop_event_loop_close (loop));
  else if (g_str_equal (name, "unref"))
    {
      g_clear_object (&loops[--n_loops]);
      printf ("ok\n");
    }
  else if (g_str_equal (name, "fork"))
    fork_child ();
  else if (g_str_equal (name, "undumpable"))
    printf ("ok %d\n", prctl (PR_SET_DUMPABLE, 0));
  else if (g_str_equal (name, "post"))
    post (loop, arguments);
  else if (g_str_equal (name, "count"))
    printf ("ok %u\n", __atomic_load_n (&n_calls, __ATOMIC_RELAXED));
  else if (g_str_equal (name, "run"))
    {
      set_running (TRUE);
      printf ("ok\n");
    }
  else if (g_str_equal (name, "exhaust"))
    exhaust_descriptors ();
  else
    return FALSE;

  fflush (stdout);

  return TRUE;
}

/* A command may be preceded by "@N ": on the Nth loop. */
static void
handle_line (char *line)
{
  g_auto (GStrv) arguments = g_strsplit (g_strchomp (line), " ", -1);
  LoopEventLoop *loop = loops[0];

  if (arguments[0] != NULL && arguments[0][0] == '@')
    {
      loop = loops[atoi (arguments[0] + 1)];
      g_free (arguments[0]);
      memmove (arguments, arguments + 1, g_strv_length (arguments + 1) * sizeof (char *) + sizeof (char *));
    }

  if (arguments[0] == NULL || run_here (loop, arguments))
    return;

  for (guint i = 0; i < G_N_ELEMENTS (loop_commands); i++)
    {
      Request *request;

      if (!g_str_equal (loop_commands[i].name, arguments[0]))
        continue;

      request = g_new (Request, 1);
      *request = (Request) { i, loop, g_steal_pointer (&arguments) };
      loop_event_loop_call_soon_threadsafe (loop, run_request, request, NULL, NULL, NULL);
      return;
    }

  printf ("error no such command\n");
  fflush (stdout);
}

static void
stop_loop (gpointer user_data)
{
  loop_event_loop_stop (user_data);
}

static gpointer
read_commands (gpointer user_data)
{
  char line[4096];

  while (fgets (line, sizeof line, stdin) != NULL)
    handle_line (line);

  g_mutex_lock (&mutex);
  is_over = TRUE;
  g_cond_signal (&changed);
  g_mutex_unlock (&mutex);
  loop_event_loop_call_soon_threadsafe (loops[0], stop_loop, loops[0], NULL, NULL, NULL);

  return NULL;
}

int
main (void)
{
  LoopEventLoop *loop;

  prepare_processes ();
  loop = add_loop (loop_event_loop_new ());
  restless = g_ptr_array_new_with_free_func ((GDestroyNotify) loop_timer_handle_unref);
  printf ("%d %" G_GUINT64_FORMAT "\n", (int) getpid (), loop_event_loop_get_id (loop));
  fflush (stdout);
  g_thread_unref (g_thread_new ("commands", read_commands, NULL));

  /* Once it was stopped, it waits to be told to run again. */
  g_mutex_lock (&mutex);
  while (!is_over)
    {
      if (!may_run)
        {
          g_cond_wait (&changed, &mutex);
          continue;
        }

      may_run = FALSE;
      g_mutex_unlock (&mutex);
      loop_event_loop_run_forever (loop);
      g_mutex_lock (&mutex);
    }
  g_mutex_unlock (&mutex);

  return 0;
}
