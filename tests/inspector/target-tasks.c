/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "../support/fake-resolver.h"

#include "target-tasks.h"

#include <signal.h>
#include <stdlib.h>

/* All that is made here stays as long as the process, or until it ends by itself. */

#define ID "%" G_GUINT64_FORMAT

static guint64
get_id (gpointer future)
{
  return loop_future_get_id (LOOP_FUTURE (future));
}

static gpointer
spawn (LoopEventLoop *loop, LoopFiberFunc function, gpointer data, const char *name)
{
  LoopTask *task = loop_event_loop_spawn (loop, function, data, NULL);

  if (name != NULL)
    loop_task_set_name (task, name);

  return task;
}

char *
command_future (LoopEventLoop *loop, char **arguments)
{
  return g_strdup_printf (ID, get_id (loop_event_loop_create_future (loop)));
}

static gboolean
wait_for_future (GValue *result, gpointer user_data, GError **error)
{
  return loop_await (user_data, error);
}

/* A parent that gathers two children, which wait for the same future. The ids of all of them, in this order. */
char *
command_graph (LoopEventLoop *loop, char **arguments)
{
  LoopFuture *future = loop_event_loop_create_future (loop);
  LoopFuture *children[] = {
    spawn (loop, wait_for_future, future, "first"),
    spawn (loop, wait_for_future, future, "second"),
  };
  LoopFuture *gather = loop_gather (loop, children, G_N_ELEMENTS (children), FALSE);
  LoopTask *parent = spawn (loop, wait_for_future, gather, "parent");

  return g_strdup_printf (ID " " ID " " ID " " ID " " ID, get_id (parent), get_id (gather), get_id (children[0]),
                          get_id (children[1]), get_id (future));
}

static gboolean
run_group (GValue *result, gpointer user_data, GError **error)
{
  LoopEventLoop *loop = loop_future_get_loop (user_data);
  g_autoptr (LoopTaskGroup) group = loop_task_group_new (loop);

  loop_task_set_name (loop_task_group_spawn (group, wait_for_future, user_data, NULL), "member");

  return loop_task_group_exit (group, error);
}

/* A task with a group of one other. Its id. */
char *
command_group (LoopEventLoop *loop, char **arguments)
{
  return g_strdup_printf (ID, get_id (spawn (loop, run_group, loop_event_loop_create_future (loop), "leader")));
}

static gboolean
wait_for_other (GValue *result, gpointer user_data, GError **error)
{
  LoopFuture **other = user_data;

  return loop_await (*other, error);
}

/* N tasks each of which waits for the next, and the last for the first. Their ids. */
char *
command_cycle (LoopEventLoop *loop, char **arguments)
{
  guint n = (guint) atoi (arguments[1]);
  LoopFuture **tasks = g_new (LoopFuture *, n);
  GString *ids = g_string_new (NULL);

  for (guint i = 0; i < n; i++)
    {
      tasks[i] = spawn (loop, wait_for_other, &tasks[(i + 1) % n], NULL);
      g_string_append_printf (ids, "%s" ID, i > 0 ? " " : "", get_id (tasks[i]));
    }

  return g_string_free (ids, FALSE);
}

static gboolean
sleep_long (GValue *result, gpointer user_data, GError **error)
{
  return loop_await_result (loop_sleep (user_data, 3600), NULL, error);
}

/* N fibers that sleep. The ids of the first and the last. */
char *
command_fibers (LoopEventLoop *loop, char **arguments)
{
  guint n = (guint) atoi (arguments[1]);
  guint64 first = 0;
  guint64 last = 0;

  for (guint i = 0; i < n; i++)
    {
      last = get_id (spawn (loop, sleep_long, loop, NULL));
      if (first == 0)
        first = last;
    }

  return g_strdup_printf (ID " " ID, first, last);
}

/* Does nothing: what was made before has begun when this is answered. */
char *
command_wake (LoopEventLoop *loop, char **arguments)
{
  return NULL;
}

static gboolean
use_stack (GValue *result, gpointer user_data, GError **error)
{
  volatile char buffer[40000];

  for (gsize i = 0; i < sizeof buffer; i += 1000)
    buffer[i] = 1;

  return loop_await (user_data, error);
}

/* A fiber that needs 40,000 bytes of stack. */
char *
command_deep (LoopEventLoop *loop, char **arguments)
{
  return g_strdup_printf (ID, get_id (spawn (loop, use_stack, loop_event_loop_create_future (loop), "deep")));
}

static gboolean
block_in_fiber (GValue *result, gpointer user_data, GError **error)
{
  g_usleep ((gulong) user_data);

  return TRUE;
}

/* A task that blocks the loop for a second, and one that is to run after it. Their ids. */
char *
command_busy (LoopEventLoop *loop, char **arguments)
{
  guint64 id = get_id (spawn (loop, block_in_fiber, (gpointer) G_USEC_PER_SEC, "busy"));

  return g_strdup_printf (ID " " ID, id, get_id (spawn (loop, sleep_long, loop, "next")));
}

/* A task that is called so, with "_" for a space; its id. */
char *
command_rename (LoopEventLoop *loop, char **arguments)
{
  g_autofree char *name = g_strdelimit (g_strdup (arguments[1]), "_", ' ');

  return g_strdup_printf (ID, get_id (spawn (loop, sleep_long, loop, name)));
}

static gboolean
go_on_in_spite (GValue *result, gpointer user_data, GError **error)
{
  for (int i = 0; i < 2; i++)
    {
      g_autoptr (GError) cancelled = NULL;

      loop_await_result (loop_sleep (user_data, 3600), NULL, &cancelled);
    }

  return TRUE;
}

/* A task that the first request to cancel it does not end. */
char *
command_stubborn (LoopEventLoop *loop, char **arguments)
{
  return g_strdup_printf (ID, get_id (spawn (loop, go_on_in_spite, loop, "stubborn")));
}

/* A future that wait_for cancels after 10 ms; its id. */
char *
command_wait_for (LoopEventLoop *loop, char **arguments)
{
  LoopFuture *future = loop_event_loop_create_future (loop);

  loop_wait_for (future, 0.01);

  return g_strdup_printf (ID, get_id (future));
}

static GMutex mutex;
static GCond changed;
static gboolean may_end;

static gboolean
wait_in_thread (GValue *result, gpointer user_data, GError **error)
{
  g_mutex_lock (&mutex);
  while (!may_end)
    g_cond_wait (&changed, &mutex);
  g_mutex_unlock (&mutex);

  return TRUE;
}

/* N jobs for an executor of one thread, until "jobs 0". The ids of the first and the last. */
char *
command_jobs (LoopEventLoop *loop, char **arguments)
{
  static LoopThreadPoolExecutor *executor;
  guint n = (guint) atoi (arguments[1]);
  guint64 first = 0;
  guint64 last = 0;

  if (executor == NULL)
    executor = loop_thread_pool_executor_new (1, "one");
  if (arguments[2] != NULL)
    loop_event_loop_set_default_executor (loop, LOOP_EXECUTOR (executor));

  g_mutex_lock (&mutex);
  may_end = n == 0;
  g_cond_broadcast (&changed);
  g_mutex_unlock (&mutex);

  for (guint i = 0; i < n; i++)
    {
      last = get_id (loop_event_loop_run_in_executor (loop, LOOP_EXECUTOR (executor), wait_in_thread, NULL, NULL));
      if (first == 0)
        first = last;
    }

  return g_strdup_printf (ID " " ID, first, last);
}

/* N lookups of a name that is not found until "lookups 0". The ids of the first and the last. */
char *
command_lookups (LoopEventLoop *loop, char **arguments)
{
  guint n = (guint) atoi (arguments[1]);
  guint64 first = 0;
  guint64 last = 0;

  if (n == 0)
    fake_resolver_release ();
  else
    fake_resolver_add_slow ("slow.test", "127.0.0.1");

  for (guint i = 0; i < n; i++)
    {
      last = get_id (loop_event_loop_getaddrinfo (loop, "slow.test", 80, 0, 0, 0, 0));
      if (first == 0)
        first = last;
    }

  return g_strdup_printf (ID " " ID, first, last);
}

static GVariant *
nap (GVariant *parameters, gpointer user_data, GError **error)
{
  double seconds;

  g_variant_get (parameters, "(d)", &seconds);
  g_usleep ((gulong) (seconds * G_USEC_PER_SEC));

  return g_variant_new ("()");
}

void
prepare_processes (void)
{
  g_autoptr (GError) error = NULL;

  if (!loop_process_pool_executor_register ("nap", G_VARIANT_TYPE ("(d)"), nap, NULL, NULL, &error) ||
      !loop_process_pool_executor_start_zygote (&error))
    g_error ("%s", error->message);
}

/* N jobs of so many seconds for an executor of two processes. The ids of the first and the last. */
char *
command_processes (LoopEventLoop *loop, char **arguments)
{
  static LoopProcessPoolExecutor *executor;
  guint n = (guint) atoi (arguments[1]);
  GVariant *parameters = g_variant_ref_sink (g_variant_new ("(d)", g_ascii_strtod (arguments[2], NULL)));
  guint64 first = 0;
  guint64 last = 0;

  if (executor == NULL)
    executor = loop_process_pool_executor_new (2, NULL);

  for (guint i = 0; i < n; i++)
    {
      last = get_id (loop_process_pool_executor_submit (executor, loop, "nap", parameters));
      if (first == 0)
        first = last;
    }
  g_variant_unref (parameters);

  return g_strdup_printf (ID " " ID, first, last);
}

static void
do_nothing (gpointer user_data)
{
}

/* Has the loop handle a signal, and sends it to the process so often. */
char *
command_signal (LoopEventLoop *loop, char **arguments)
{
  g_autoptr (GError) error = NULL;
  int signum = atoi (arguments[1]);
  int n = atoi (arguments[2]);

  if (!loop_event_loop_add_signal_handler (loop, signum, do_nothing, NULL, NULL, &error))
    g_error ("%s", error->message);
  for (int i = 0; i < n; i++)
    raise (signum);

  return NULL;
}

static gboolean is_churning;

static gboolean
sleep_short (GValue *result, gpointer user_data, GError **error)
{
  return loop_await_result (loop_sleep (user_data, g_random_double () * 0.002), NULL, error);
}

static void
churn (gpointer loop)
{
  for (int i = 0; is_churning && i < 20; i++)
    {
      g_autoptr (LoopTask) task = loop_event_loop_spawn (loop, sleep_short, loop, NULL);

      if (i % 3 == 0)
        loop_task_set_name (task, "restless");
      if (i % 4 == 0)
        loop_future_cancel (LOOP_FUTURE (task));
    }
  if (is_churning)
    loop_event_loop_call_later (loop, 0.001, churn, loop, NULL);
}

/* Whether tasks come and go all the time. */
char *
command_churn_tasks (LoopEventLoop *loop, char **arguments)
{
  is_churning = atoi (arguments[1]) != 0;
  churn (loop);

  return NULL;
}
