/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "executor-check.h"

void
gate_open (Gate *gate)
{
  g_mutex_lock (&gate->mutex);
  gate->is_open = TRUE;
  g_cond_broadcast (&gate->changed);
  g_mutex_unlock (&gate->mutex);
}

void
gate_await (Gate *gate, int n)
{
  gint64 deadline = g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND;
  int n_waiting;

  g_mutex_lock (&gate->mutex);
  while (gate->n_waiting < n && g_cond_wait_until (&gate->changed, &gate->mutex, deadline))
    ;
  n_waiting = gate->n_waiting;
  g_mutex_unlock (&gate->mutex);

  ck_assert_int_ge (n_waiting, n);
}

gboolean
run_job (GValue *result, gpointer data, GError **error)
{
  Job *job = data;
  Gate *gate = job->gate;

  job->ran_in = g_thread_self ();
  if (gate != NULL)
    {
      g_mutex_lock (&gate->mutex);
      gate->n_waiting++;
      g_cond_broadcast (&gate->changed);
      while (!gate->is_open)
        g_cond_wait (&gate->changed, &gate->mutex);
      gate->n_passed++;
      g_mutex_unlock (&gate->mutex);
    }

  g_value_init (result, G_TYPE_INT);
  g_value_set_int (result, job->number);

  return TRUE;
}

void
free_job (gpointer data)
{
  Job *job = data;

  job->freed_in = g_thread_self ();
  g_atomic_int_inc (&job->n_freed);
}

LoopFuture *
submit_job (LoopEventLoop *loop, LoopThreadPoolExecutor *executor, Job *job)
{
  return loop_event_loop_run_in_executor (loop, executor != NULL ? LOOP_EXECUTOR (executor) : NULL, run_job, job,
                                          free_job);
}

void
check_number (LoopFuture *future, int expected)
{
  g_autoptr (GError) error = NULL;
  g_auto (GValue) result = G_VALUE_INIT;

  loop_event_loop_run_until_complete (loop_future_get_loop (future), future, &result, &error);
  ck_assert_msg (error == NULL, "%s", error != NULL ? error->message : "");
  ck_assert (G_VALUE_HOLDS_INT (&result));
  ck_assert_int_eq (g_value_get_int (&result), expected);
}

void
check_error (LoopFuture *future, GQuark domain, int code, const char *message)
{
  g_autoptr (GError) error = NULL;

  if (!loop_future_done (future))
    loop_event_loop_run_until_complete (loop_future_get_loop (future), future, NULL, NULL);
  ck_assert (!loop_future_result (future, NULL, &error));
  ck_assert_msg (g_error_matches (error, domain, code), "%s", error->message);
  ck_assert_str_eq (error->message, message);
}
