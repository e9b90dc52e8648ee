/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Fibers, tasks and processes of libloop */

#include "config.h"

#include <libloop/loop.h>
#include <stdio.h>
#include <string.h>

#include "bench-util.h"

#define ALIVE 1000
#define MANY_ALIVE 10000
#define GATHERED 10000
#define CHAIN 10000
#define IN_FLIGHT 64
#define WORKERS 4

static LoopEventLoop *loop;
static uint64_t goal;
static uint64_t done;
static uint64_t started_at;
static uint64_t finished_at;
static uint64_t resident_before;

static void
finish (void)
{
  finished_at = bench_now_ns ();
  loop_event_loop_stop (loop);
}

static void
spawn (LoopFiberFunc func, gpointer user_data)
{
  g_object_unref (loop_event_loop_spawn (loop, func, user_data, NULL));
}

static void
fulfil (LoopFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  loop_future_set_result (future, &value, NULL);
}

/* fiber-await-ready: nothing to wait for. */

static gboolean
await_ready (GValue *result, gpointer user_data, GError **error)
{
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);

  fulfil (future);
  while (done < goal && loop_await (future, error))
    done++;
  finish ();
  return TRUE;
}

/* fiber-ping-pong: each of two fibers makes a future, fulfils the other's, and waits for its own. */

static LoopFuture *turns[2];

static gboolean
ping_pong (GValue *result, gpointer user_data, GError **error)
{
  int me = GPOINTER_TO_INT (user_data);

  while (done < goal)
    {
      LoopFuture *mine = turns[me] = loop_event_loop_create_future (loop);
      gboolean success;

      done++;
      if (turns[!me] != NULL)
        fulfil (turns[!me]);
      success = loop_await (mine, error);
      g_object_unref (mine);
      if (!success)
        return FALSE;
    }

  /* The other one waits for it still. */
  if (finished_at == 0)
    {
      finish ();
      fulfil (turns[!me]);
    }
  return TRUE;
}

/* fiber-spawn: a thousand fibers which end at once; the last one makes the next thousand. */

static gboolean
run_and_end (GValue *result, gpointer user_data, GError **error)
{
  if (++done % ALIVE != 0)
    return TRUE;
  if (done >= goal)
    finish ();
  else
    for (int i = 0; i < ALIVE; i++)
      spawn (run_and_end, NULL);
  return TRUE;
}

/* fiber-million: ten thousand fibers wait for one future; the last one to end makes the next ten thousand. */

static LoopFuture *gate;
static gboolean is_growing;

static gboolean wait_and_end (GValue *result, gpointer user_data, GError **error);

static void
open_gate (gpointer user_data)
{
  fulfil (gate);
}

static void
spawn_many (gpointer user_data)
{
  g_clear_object (&gate);
  gate = loop_event_loop_create_future (loop);
  for (int i = 0; i < MANY_ALIVE; i++)
    spawn (wait_and_end, NULL);
  /* When all of them wait. */
  loop_event_loop_call_soon (loop, open_gate, NULL, NULL);
}

static gboolean
wait_and_end (GValue *result, gpointer user_data, GError **error)
{
  if (!loop_await (gate, error))
    return FALSE;
  if (++done % MANY_ALIVE != 0)
    return TRUE;
  if (done >= goal)
    finish ();
  else
    loop_event_loop_call_soon (loop, spawn_many, NULL, NULL);
  return TRUE;
}

/* fiber-parked: each waits for a future of its own. */

static LoopFuture **parked;
static uint64_t n_parked;
static uint64_t resident_after;

static void
wake_all (gpointer user_data)
{
  uint64_t i;

  resident_after = bench_resident_bytes ();
  for (i = 0; i < goal; i++)
    fulfil (parked[i]);
}

static gboolean
park (GValue *result, gpointer user_data, GError **error)
{
  if (++n_parked == goal)
    loop_event_loop_call_soon (loop, wake_all, NULL, NULL);
  if (!loop_await (user_data, error))
    return FALSE;
  if (++done == goal)
    finish ();
  return TRUE;
}

static void
prepare_parked (void)
{
  uint64_t i;

  resident_before = bench_resident_bytes ();
  parked = g_new (LoopFuture *, goal);
  for (i = 0; i < goal; i++)
    {
      parked[i] = loop_event_loop_create_future (loop);
      spawn (park, parked[i]);
    }
}

/* task-chain: each task makes the next and waits for it. */

static gboolean
await_next (GValue *result, gpointer user_data, GError **error)
{
  guint depth = GPOINTER_TO_UINT (user_data);

  done++;
  if (depth < CHAIN)
    {
      g_autoptr (LoopTask) next = loop_event_loop_spawn (loop, await_next, GUINT_TO_POINTER (depth + 1), NULL);

      if (!loop_await (LOOP_FUTURE (next), error))
        return FALSE;
    }

  if (depth == 1 && done < goal)
    spawn (await_next, user_data);
  else if (depth == 1)
    finish ();
  return TRUE;
}

/* gather-10k: futures made, gathered and fulfilled, and what gathers them awaited. */

static gboolean
gather_all (GValue *result, gpointer user_data, GError **error)
{
  g_autofree LoopFuture **futures = g_new (LoopFuture *, GATHERED);

  for (; done < goal; done += GATHERED)
    {
      g_autoptr (LoopFuture) all = NULL;

      for (int i = 0; i < GATHERED; i++)
        futures[i] = loop_event_loop_create_future (loop);
      all = loop_gather (loop, futures, GATHERED, FALSE);
      for (int i = 0; i < GATHERED; i++)
        {
          fulfil (futures[i]);
          g_object_unref (futures[i]);
        }
      if (!loop_await (all, error))
        g_error ("%s", (*error)->message);
    }
  finish ();
  return TRUE;
}

/* process-pool-64: functions in processes, so many at a time; each that is done is followed by another. */

static LoopProcessPoolExecutor *pool;
static uint64_t n_submitted;

static GVariant *
do_nothing (GVariant *parameters, gpointer user_data, GError **error)
{
  return g_variant_ref (parameters);
}

static void submit_job (void);

static void
job_done (LoopFuture *future, gpointer user_data)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  if (!loop_future_result (future, &value, &error))
    g_error ("%s", error->message);
  if (++done == goal)
    finish ();
  else if (n_submitted < goal)
    submit_job ();
}

static void
submit_job (void)
{
  g_autoptr (LoopFuture) future =
      loop_process_pool_executor_submit (pool, loop, "do_nothing", g_variant_new ("(u)", (guint32) n_submitted++));

  loop_future_add_done_callback (future, job_done, NULL, NULL);
}

static void
prepare_process_pool (void)
{
  g_autoptr (GError) error = NULL;

  /* The workers are where the zygote is. */
  bench_pin (BENCH_ROLE_DRIVER);
  loop_process_pool_executor_register ("do_nothing", G_VARIANT_TYPE ("(u)"), do_nothing, NULL, NULL, NULL);
  pool = loop_process_pool_executor_new (WORKERS, &error);
  if (pool == NULL)
    g_error ("%s", error->message);
  bench_pin (BENCH_ROLE_MEASURED);
  for (int i = 0; i < IN_FLIGHT; i++)
    submit_job ();
}

static gboolean
prepare (const char *mode, const char *scale)
{
  if (strcmp (mode, "fiber-await-ready") == 0)
    {
      goal = bench_scaled (scale, 20000000);
      spawn (await_ready, NULL);
    }
  else if (strcmp (mode, "fiber-ping-pong") == 0)
    {
      goal = bench_scaled (scale, 2000000);
      spawn (ping_pong, GINT_TO_POINTER (0));
      spawn (ping_pong, GINT_TO_POINTER (1));
    }
  else if (strcmp (mode, "fiber-spawn") == 0)
    {
      goal = bench_scaled (scale, 1000) * ALIVE;
      done = ALIVE - 1;
      spawn (run_and_end, NULL);
    }
  else if (strcmp (mode, "fiber-million") == 0)
    {
      goal = MAX (bench_scaled (scale, 1000000) / MANY_ALIVE, 1) * MANY_ALIVE;
      is_growing = TRUE;
      resident_before = bench_resident_bytes ();
      spawn_many (NULL);
    }
  else if (strcmp (mode, "gather-10k") == 0)
    {
      goal = MAX (bench_scaled (scale, 2000000) / GATHERED, 1) * GATHERED;
      spawn (gather_all, NULL);
    }
  else if (strcmp (mode, "fiber-parked") == 0)
    {
      goal = bench_scaled (scale, 100000);
      prepare_parked ();
    }
  else if (strcmp (mode, "task-chain-10k") == 0)
    {
      goal = bench_scaled (scale, 500000);
      spawn (await_next, GUINT_TO_POINTER (1));
    }
  else if (strcmp (mode, "process-pool-64") == 0)
    {
      goal = MAX (bench_scaled (scale, 100000), IN_FLIGHT);
      prepare_process_pool ();
    }
  else
    return FALSE;
  return TRUE;
}

int
main (int argc, char **argv)
{
  const char *mode = argc > 1 ? argv[1] : "";
  uint64_t i;

  bench_init (120);
  bench_pin (BENCH_ROLE_MEASURED);
  loop = loop_event_loop_new ();

  started_at = bench_now_ns ();
  if (!prepare (mode, argc > 2 ? argv[2] : NULL))
    {
      fprintf (stderr, "usage: bench-tasks-loop MODE [SCALE]\n");
      return 2;
    }

  loop_event_loop_run_forever (loop);

  if (parked != NULL)
    bench_report_memory (mode, done, finished_at - started_at, resident_after - resident_before);
  else if (!is_growing)
    bench_report_ops (mode, done, finished_at - started_at);

  /* Those that were woken last; and the memory of stacks is given back once there is nothing else to do. */
  loop_event_loop_call_later (loop, 0.05, (LoopCallback) loop_event_loop_stop, loop, NULL);
  loop_event_loop_run_forever (loop);
  if (is_growing)
    bench_report_growth (mode, done, finished_at - started_at, bench_peak_resident_bytes () - resident_before,
                         bench_resident_bytes () - resident_before);
  g_clear_object (&gate);
  if (pool != NULL)
    loop_executor_shutdown (LOOP_EXECUTOR (pool), TRUE, FALSE);
  g_clear_object (&pool);
  for (i = 0; parked != NULL && i < goal; i++)
    g_object_unref (parked[i]);
  g_free (parked);
  loop_event_loop_close (loop);
  g_object_unref (loop);
  return 0;
}
