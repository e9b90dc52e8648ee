/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "process-check.h"

#include "loop-error.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

Shared *shared;

static GVariant *
add (GVariant *parameters, gpointer user_data, GError **error)
{
  int a;
  int b;

  g_variant_get (parameters, "(ii)", &a, &b);

  return g_variant_new_int32 (a + b);
}

static GVariant *
echo (GVariant *parameters, gpointer user_data, GError **error)
{
  return g_variant_ref (parameters);
}

static GVariant *
refuse (GVariant *parameters, gpointer user_data, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");

  return NULL;
}

static GVariant *
gate (GVariant *parameters, gpointer user_data, GError **error)
{
  g_atomic_int_inc (&shared->n_waiting);
  while (!g_atomic_int_get (&shared->is_open))
    g_usleep (1000);
  g_atomic_int_inc (&shared->n_passed);

  return g_variant_ref (parameters);
}

static GVariant *
pid (GVariant *parameters, gpointer user_data, GError **error)
{
  return g_variant_new ("(ii)", getpid (), getppid ());
}

static GVariant *
die (GVariant *parameters, gpointer user_data, GError **error)
{
  int signum;

  g_variant_get (parameters, "(i)", &signum);
  kill (getpid (), signum);
  g_usleep (G_USEC_PER_SEC);

  return NULL;
}

static GVariant *
end (GVariant *parameters, gpointer user_data, GError **error)
{
  int status;

  g_variant_get (parameters, "(i)", &status);
  exit (status);
}

void
add_function (const char *name, const char *type, LoopProcessFunc func)
{
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_process_pool_executor_register (name, (const GVariantType *) type, func, NULL, NULL, &error),
                 "%s", error != NULL ? error->message : "");
}

LoopProcessPoolExecutor *
make_pool (guint max_workers)
{
  g_autoptr (GError) error = NULL;
  LoopProcessPoolExecutor *pool;

  if (shared == NULL)
    {
      shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
      ck_assert (shared != MAP_FAILED);
      add_function ("add", "(ii)", add);
      add_function ("echo", NULL, echo);
      add_function ("fail", NULL, refuse);
      add_function ("gate", NULL, gate);
      add_function ("pid", NULL, pid);
      add_function ("die", "(i)", die);
      add_function ("exit", "(i)", end);
    }
  pool = loop_process_pool_executor_new (max_workers, &error);
  ck_assert_msg (pool != NULL, "%s", error != NULL ? error->message : "");

  return pool;
}

LoopFuture *
call (LoopProcessPoolExecutor *pool, LoopEventLoop *loop, const char *function, const char *parameters)
{
  return loop_process_pool_executor_submit (pool, loop, function,
                                            parameters != NULL ? g_variant_new_parsed (parameters) : NULL);
}

void
await_gate (int n)
{
  for (int i = 0; i < 10000 && g_atomic_int_get (&shared->n_waiting) < n; i++)
    g_usleep (1000);
  ck_assert_int_ge (g_atomic_int_get (&shared->n_waiting), n);
}

void
open_gate (void)
{
  g_atomic_int_set (&shared->is_open, TRUE);
}

static gboolean
get_result (LoopFuture *future, GValue *value, GError **error)
{
  if (loop_future_done (future))
    return loop_future_result (future, value, error);

  return loop_event_loop_run_until_complete (loop_future_get_loop (future), future, value, error);
}

void
check_result (LoopFuture *future, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  g_autofree char *text = NULL;

  ck_assert_msg (get_result (future, &value, &error), "%s", error != NULL ? error->message : "");
  ck_assert (G_VALUE_HOLDS_VARIANT (&value));
  text = g_variant_print (g_value_get_variant (&value), FALSE);
  ck_assert_str_eq (text, expected);
  g_object_unref (future);
}

void
check_broken (LoopFuture *future, const char *pattern)
{
  g_autoptr (GError) error = NULL;

  ck_assert (!get_result (future, NULL, &error));
  ck_assert_msg (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_BROKEN_PROCESS_POOL), "%s", error->message);
  ck_assert_msg (g_pattern_match_simple (pattern, error->message), "%s", error->message);
  g_object_unref (future);
}

void
get_pids (LoopProcessPoolExecutor *pool, LoopEventLoop *loop, int *worker, int *zygote)
{
  g_autoptr (LoopFuture) future = call (pool, loop, "pid", NULL);
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (get_result (future, &value, NULL));
  g_variant_get (g_value_get_variant (&value), "(ii)", worker, zygote);
}

int
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  int n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;

  return n;
}

void
check_no_children (void)
{
  ck_assert_int_eq (waitpid (-1, NULL, WNOHANG), -1);
  ck_assert_int_eq (errno, ECHILD);
}
