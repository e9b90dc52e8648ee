/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "executor-check.h"

#include "loop-error.h"
#include "loop-exception-context.h"

/* A function in another thread: its result, its error, its data. */

START_TEST (test_result)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  Job job = { .number = 42 };
  g_autoptr (LoopFuture) future = submit_job (loop, executor, &job);

  ck_assert (!loop_future_done (future));
  ck_assert_ptr_eq (loop_future_get_loop (future), loop);
  check_number (future, 42);
  ck_assert_ptr_ne (job.ran_in, g_thread_self ());
  ck_assert_ptr_eq (job.freed_in, g_thread_self ());
  ck_assert_int_eq (job.n_freed, 1);
}
END_TEST

static gboolean
succeed (GValue *result, gpointer data, GError **error)
{
  return TRUE;
}

static gboolean
fail_with_error (GValue *result, gpointer data, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");

  return FALSE;
}

static gboolean
fail_without_error (GValue *result, gpointer data, GError **error)
{
  g_value_init (result, G_TYPE_STRING);
  g_value_set_string (result, "to be freed");

  return FALSE;
}

static gboolean
succeed_with_error (GValue *result, gpointer data, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "to be freed");

  return TRUE;
}

static LoopFuture *
submit (LoopEventLoop *loop, LoopExecutorFunc func)
{
  return loop_event_loop_run_in_executor (loop, NULL, func, NULL, NULL);
}

START_TEST (test_outcomes)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) nothing = submit (loop, succeed);
  g_autoptr (LoopFuture) error = submit (loop, fail_with_error);
  g_autoptr (LoopFuture) no_error = submit (loop, fail_without_error);
  g_autoptr (LoopFuture) both = submit (loop, succeed_with_error);
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) no_value = G_VALUE_INIT;

  ck_assert (loop_event_loop_run_until_complete (loop, nothing, &value, NULL));
  ck_assert_ptr_null (g_value_get_pointer (&value));
  check_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");
  check_error (no_error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "The function of the job failed without an error");
  ck_assert (loop_event_loop_run_until_complete (loop, both, &no_value, NULL));
}
END_TEST

static void
note_report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  ck_assert_str_eq (loop_exception_context_get_exception (context)->message, "no space");
  loop_event_loop_stop (loop);
}

/* Nobody waits for it, but its error is not lost. */
START_TEST (test_forgotten)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_set_exception_handler (loop, note_report, NULL, NULL);
  g_object_unref (submit (loop, fail_with_error));
  ck_assert (loop_event_loop_run_forever (loop));
}
END_TEST

#define N_JOBS 5000

typedef struct
{
  int n_done;
  gint64 sum;
  LoopEventLoop *loop;
} Many;

static void
add_result (LoopFuture *future, gpointer data)
{
  Many *many = data;
  g_auto (GValue) result = G_VALUE_INIT;

  ck_assert (loop_future_result (future, &result, NULL));
  many->sum += g_value_get_int (&result);
  if (++many->n_done == N_JOBS)
    loop_event_loop_stop (many->loop);
}

START_TEST (test_many)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree Job *jobs = g_new0 (Job, N_JOBS);
  Many many = { .loop = loop };

  for (int i = 0; i < N_JOBS; i++)
    {
      g_autoptr (LoopFuture) future = NULL;

      jobs[i].number = i;
      future = submit_job (loop, NULL, &jobs[i]);
      loop_future_add_done_callback (future, add_result, &many, NULL);
    }
  ck_assert (loop_event_loop_run_forever (loop));
  ck_assert_int_eq (many.sum, (gint64) N_JOBS * (N_JOBS - 1) / 2);
  for (int i = 0; i < N_JOBS; i++)
    {
      ck_assert_int_eq (jobs[i].n_freed, 1);
      ck_assert_ptr_eq (jobs[i].freed_in, g_thread_self ());
    }
}
END_TEST

static GString *order;

static gboolean
note_number (GValue *result, gpointer data, GError **error)
{
  g_string_append_printf (order, "%d ", GPOINTER_TO_INT (data));

  return TRUE;
}

START_TEST (test_order)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  g_autoptr (LoopFuture) last = NULL;

  order = g_string_new (NULL);
  for (int i = 0; i < 10; i++)
    {
      g_clear_object (&last);
      last = loop_executor_submit (LOOP_EXECUTOR (executor), loop, note_number, GINT_TO_POINTER (i), NULL);
    }
  ck_assert (loop_event_loop_run_until_complete (loop, last, NULL, NULL));
  ck_assert_str_eq (order->str, "0 1 2 3 4 5 6 7 8 9 ");
  g_string_free (order, TRUE);
}
END_TEST

/* The data of a job may iterate the loop's context while it is freed; other jobs come in then. */

static GMainContext *context;
static int n_nested;

static void
iterate (gpointer data)
{
  n_nested++;
  while (g_main_context_iteration (context, FALSE))
    ;
}

START_TEST (test_notify_iterates)
{
  g_autoptr (LoopEventLoop) loop = NULL;
  LoopFuture *futures[20];
  gboolean is_done = FALSE;

  context = g_main_context_new ();
  loop = loop_event_loop_new_for_context (context);
  for (int i = 0; i < 20; i++)
    futures[i] = loop_event_loop_run_in_executor (loop, NULL, succeed, NULL, iterate);
  while (!is_done)
    {
      g_main_context_iteration (context, TRUE);
      is_done = TRUE;
      for (int i = 0; i < 20; i++)
        is_done &= loop_future_done (futures[i]);
    }
  for (int i = 0; i < 20; i++)
    {
      ck_assert (loop_future_result (futures[i], NULL, NULL));
      g_object_unref (futures[i]);
    }
  for (int i = 0; i < 100 && n_nested < 20; i++)
    g_main_context_iteration (context, FALSE);
  ck_assert_int_eq (n_nested, 20);
  ck_assert (loop_event_loop_close (loop));
  g_main_context_unref (context);
}
END_TEST

/* An executor of somebody else's, which runs everything at once. */

typedef GObject Direct;
typedef GObjectClass DirectClass;

static LoopFuture *
direct_submit (LoopExecutor *self,
               LoopEventLoop *loop,
               LoopExecutorFunc func,
               gpointer user_data,
               GDestroyNotify notify)
{
  LoopFuture *future = loop_event_loop_create_future (loop);
  g_auto (GValue) result = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  if (func (&result, user_data, &error))
    loop_future_set_result (future, &result, NULL);
  else
    loop_future_set_exception (future, error, NULL);
  notify (user_data);

  return future;
}

static void
direct_shutdown (LoopExecutor *self, gboolean wait, gboolean cancel_futures)
{
  note_step (wait ? 'w' : 'n');
  note_step (cancel_futures ? 'c' : 'n');
}

static void
direct_executor_init (LoopExecutorInterface *iface)
{
  iface->submit = direct_submit;
  iface->shutdown = direct_shutdown;
}

GType direct_get_type (void);
G_DEFINE_TYPE_WITH_CODE (Direct,
                         direct,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (LOOP_TYPE_EXECUTOR, direct_executor_init))

static void
direct_class_init (DirectClass *klass)
{
}

static void
direct_init (Direct *self)
{
}

START_TEST (test_interface)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopExecutor) executor = g_object_new (direct_get_type (), NULL);
  Job job = { .number = 7 };
  g_autoptr (LoopFuture) future = loop_event_loop_run_in_executor (loop, executor, run_job, &job, free_job);

  ck_assert_ptr_eq (job.ran_in, g_thread_self ());
  check_number (future, 7);
  loop_executor_shutdown (executor, TRUE, FALSE);
  loop_executor_shutdown (executor, FALSE, TRUE);
  check_steps ("wnnc");

  /* As asyncio, it wants a pool of threads there. */
  loop_check_expect_critical ("*must be a LoopThreadPoolExecutor, which a Direct is not*");
  loop_event_loop_set_default_executor (loop, executor);
}
END_TEST

LOOP_TEST_MAIN ("executor",
                test_result,
                test_outcomes,
                test_forgotten,
                test_many,
                test_order,
                test_notify_iterates,
                test_interface)
