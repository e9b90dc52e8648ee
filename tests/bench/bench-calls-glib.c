/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Callbacks of GLib's main context */

#include "config.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "bench-util.h"

#define BATCH 1000
#define MAX_PRODUCERS 4
#define IN_FLIGHT 64
#define WORKERS 4

static GMainLoop *main_loop;
static uint64_t goal;
/* Written for each callback: away from what producers read. */
static struct
{
  uint64_t done;
  char padding[120];
} counter __attribute__ ((aligned (128)));
#define done counter.done
static uint64_t started_at;
static uint64_t finished_at;
static BenchRandom rng = BENCH_RANDOM_INIT;

static void
finish (void)
{
  finished_at = bench_now_ns ();
  g_main_loop_quit (main_loop);
}

static gboolean
on_batch_item (gpointer user_data)
{
  guint i;

  (void) user_data;
  if (++done % BATCH != 0)
    return G_SOURCE_REMOVE;
  if (done >= goal)
    finish ();
  else
    for (i = 0; i < BATCH; i++)
      g_idle_add (on_batch_item, NULL);
  return G_SOURCE_REMOVE;
}

static gboolean
on_chain (gpointer user_data)
{
  (void) user_data;
  if (++done >= goal)
    finish ();
  else
    g_idle_add (on_chain, NULL);
  return G_SOURCE_REMOVE;
}

static GThread *producers[MAX_PRODUCERS];
static guint n_producers;

static gboolean
on_item (gpointer user_data)
{
  (void) user_data;
  if (++done == goal)
    finish ();
  return G_SOURCE_REMOVE;
}

static gpointer
produce (gpointer user_data)
{
  uint64_t n = goal / n_producers;
  uint64_t i;

  (void) user_data;
  bench_pin (BENCH_ROLE_DRIVER);
  for (i = 0; i < n; i++)
    g_main_context_invoke (NULL, on_item, &done);
  return NULL;
}

/* From inside the running loop: g_main_context_invoke() on a context that
 * nobody owns would run the callback in the producer. */
static gboolean
on_start_producers (gpointer user_data)
{
  guint i;

  (void) user_data;
  started_at = bench_now_ns ();
  for (i = 0; i < n_producers; i++)
    producers[i] = g_thread_new ("producer", produce, NULL);
  return G_SOURCE_REMOVE;
}

/* executor-64: functions on threads, so many at a time; each that is done is
 * followed by another. */

static GThreadPool *thread_pool;
static uint64_t submitted;

static void
submit (gpointer job)
{
  g_thread_pool_push (thread_pool, job, NULL);
  submitted++;
}

static gboolean
on_work_done (gpointer user_data)
{
  if (++done == goal)
    finish ();
  else if (submitted < goal)
    submit (user_data);
  return G_SOURCE_REMOVE;
}

static void
work (gpointer job, gpointer user_data)
{
  (void) user_data;
  bench_pin_once (BENCH_ROLE_DRIVER);
  g_idle_add (on_work_done, job);
}

static gboolean
on_start_submitting (gpointer user_data)
{
  guint i;

  (void) user_data;
  started_at = bench_now_ns ();
  for (i = 0; i < IN_FLIGHT; i++)
    submit (&submitted);
  return G_SOURCE_REMOVE;
}

static void
prepare_executor (void)
{
  thread_pool = g_thread_pool_new (work, NULL, WORKERS, FALSE, NULL);
  g_idle_add (on_start_submitting, NULL);
}

/* lateness: a source with a ready time in microseconds, which is more exact
 * than g_timeout_add(); the poll still rounds up to milliseconds. */

typedef struct
{
  GSource source;
  uint64_t due;
} LateSource;

static int64_t *lateness;

static gboolean
late_source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  (void) callback;
  (void) user_data;
  lateness[done] = (int64_t) (bench_now_ns () - ((LateSource *) source)->due);
  if (++done == goal)
    finish ();
  return G_SOURCE_REMOVE;
}

static GSourceFuncs late_source_funcs = {
  .dispatch = late_source_dispatch,
};

static void
prepare_lateness (void)
{
  uint64_t i;

  lateness = g_new (int64_t, goal);
  for (i = 0; i < goal; i++)
    {
      GSource *source = g_source_new (&late_source_funcs, sizeof (LateSource));
      guint32 delay_us = 1 + bench_random_below (&rng, 999999);
      uint64_t now = bench_now_ns ();

      ((LateSource *) source)->due = now + delay_us * UINT64_C (1000);
      g_source_set_ready_time (source, g_get_monotonic_time () + delay_us);
      g_source_attach (source, NULL);
      g_source_unref (source);
    }
}

int
main (int argc, char **argv)
{
  const char *mode = argc > 1 ? argv[1] : "";
  const char *scale = argc > 2 ? argv[2] : NULL;
  guint i;

  bench_init (120);
  bench_pin (BENCH_ROLE_MEASURED);
  main_loop = g_main_loop_new (NULL, FALSE);

  if (strcmp (mode, "soon-batch") == 0)
    {
      goal = bench_scaled (scale, 1000) * BATCH;
      for (i = 0; i < BATCH; i++)
        g_idle_add (on_batch_item, NULL);
    }
  else if (strcmp (mode, "soon-chain") == 0)
    {
      goal = bench_scaled (scale, 500000);
      g_idle_add (on_chain, NULL);
    }
  else if (strcmp (mode, "threadsafe-1") == 0 || strcmp (mode, "threadsafe-4") == 0)
    {
      n_producers = strcmp (mode, "threadsafe-1") == 0 ? 1 : 4;
      goal = bench_scaled (scale, 400000);
      goal -= goal % n_producers;
      g_idle_add (on_start_producers, NULL);
    }
  else if (strcmp (mode, "executor-64") == 0)
    {
      goal = MAX (IN_FLIGHT, bench_scaled (scale, 100000));
      prepare_executor ();
    }
  else if (strcmp (mode, "lateness") == 0)
    {
      goal = bench_scaled (scale, 1000);
      prepare_lateness ();
    }
  else
    {
      fprintf (stderr, "usage: bench-calls-glib MODE [SCALE]\n");
      return 2;
    }

  started_at = bench_now_ns ();
  g_main_loop_run (main_loop);
  for (i = 0; i < n_producers; i++)
    g_thread_join (producers[i]);

  if (lateness != NULL)
    bench_report_lateness (mode, lateness, (unsigned int) goal);
  else
    bench_report_ops (mode, done, finished_at - started_at);

  if (thread_pool != NULL)
    g_thread_pool_free (thread_pool, FALSE, TRUE);
  g_main_loop_unref (main_loop);
  g_free (lateness);
  return 0;
}
