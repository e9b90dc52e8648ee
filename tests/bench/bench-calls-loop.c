/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Callbacks and timers of libloop */

#include "config.h"

#include <libloop/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "bench-util.h"

#define BATCH 1000
#define CHUNK 100
#define MAX_PRODUCERS 4
#define IN_FLIGHT 64
#define WORKERS 4

static LoopEventLoop *loop;
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
  loop_event_loop_stop (loop);
}

/* soon-batch: 1000 callbacks scheduled, then run; the last one schedules the
 * next thousand. */

static void on_batch_item (gpointer user_data);

static void
schedule_batch (void)
{
  guint i;

  for (i = 0; i < BATCH; i++)
    loop_event_loop_call_soon (loop, on_batch_item, NULL, NULL);
}

static void
on_batch_item (gpointer user_data)
{
  if (++done % BATCH != 0)
    return;
  if (done >= goal)
    finish ();
  else
    schedule_batch ();
}

/* soon-chain: each callback schedules the next. */

static void
on_chain (gpointer user_data)
{
  if (++done >= goal)
    finish ();
  else
    loop_event_loop_call_soon (loop, on_chain, NULL, NULL);
}

/* later-cancel and timer-restart, a chunk of operations per iteration.  A
 * timer that fires clears its place: a borrowed handle does not outlive it. */

static LoopTimerHandle **timers;
static uint64_t n_timers;

static void
on_timer (gpointer user_data)
{
  LoopTimerHandle **place = user_data;

  *place = NULL;
}

static void
schedule_timer (LoopTimerHandle **place)
{
  *place = loop_event_loop_call_later (loop, bench_random_delay_ms (&rng) / 1e3, on_timer, place, NULL);
}

static void
on_later_cancel (gpointer user_data)
{
  LoopTimerHandle *timer;
  guint i;

  for (i = 0; i < CHUNK; i++)
    {
      schedule_timer (&timer);
      loop_timer_handle_cancel (timer);
    }
  if ((done += CHUNK) >= goal)
    finish ();
  else
    loop_event_loop_call_soon (loop, on_later_cancel, NULL, NULL);
}

static void
on_timer_restart (gpointer user_data)
{
  guint i;

  for (i = 0; i < CHUNK; i++)
    {
      LoopTimerHandle **place = &timers[bench_random_below (&rng, (guint32) n_timers)];

      if (*place != NULL)
        loop_timer_handle_cancel (*place);
      schedule_timer (place);
    }
  if ((done += CHUNK) >= goal)
    finish ();
  else
    loop_event_loop_call_soon (loop, on_timer_restart, NULL, NULL);
}

static void
prepare_timers (uint64_t live, LoopCallback callback)
{
  uint64_t i;

  n_timers = live;
  timers = g_new0 (LoopTimerHandle *, n_timers);
  for (i = 0; i < n_timers; i++)
    schedule_timer (&timers[i]);
  loop_event_loop_call_soon (loop, callback, NULL, NULL);
}

/* threadsafe: producers post callbacks from threads of their own. */

static GThread *producers[MAX_PRODUCERS];
static guint n_producers;

static void
on_item (gpointer user_data)
{
  if (++done == goal)
    finish ();
}

static gpointer
produce (gpointer user_data)
{
  uint64_t n = goal / n_producers;
  uint64_t i;

  bench_pin (BENCH_ROLE_DRIVER);
  for (i = 0; i < n; i++)
    loop_event_loop_call_soon_threadsafe (loop, on_item, &done, NULL, NULL, NULL);
  return NULL;
}

static void
on_start_producers (gpointer user_data)
{
  guint i;

  started_at = bench_now_ns ();
  for (i = 0; i < n_producers; i++)
    producers[i] = g_thread_new ("producer", produce, NULL);
}

static void
prepare_threadsafe (guint threads)
{
  n_producers = threads;
  goal -= goal % threads;
  loop_event_loop_call_soon (loop, on_start_producers, NULL, NULL);
}

/* executor-64: functions on threads, so many at a time; each that is done is
 * followed by another. */

static LoopExecutor *executor;
static uint64_t submitted;

static gboolean
work (GValue *result, gpointer user_data, GError **error)
{
  bench_pin_once (BENCH_ROLE_DRIVER);
  return TRUE;
}

static void on_work_done (LoopFuture *future, gpointer user_data);

static void
submit (void)
{
  LoopFuture *future = loop_event_loop_run_in_executor (loop, executor, work, NULL, NULL);

  loop_future_add_done_callback (future, on_work_done, NULL, NULL);
  g_object_unref (future);
  submitted++;
}

static void
on_work_done (LoopFuture *future, gpointer user_data)
{
  if (++done == goal)
    finish ();
  else if (submitted < goal)
    submit ();
}

static void
on_start_submitting (gpointer user_data)
{
  guint i;

  started_at = bench_now_ns ();
  for (i = 0; i < IN_FLIGHT; i++)
    submit ();
}

static void
prepare_executor (void)
{
  executor = LOOP_EXECUTOR (loop_thread_pool_executor_new (WORKERS, NULL));
  loop_event_loop_call_soon (loop, on_start_submitting, NULL, NULL);
}

/* getaddrinfo-64: addresses of hosts that are numbers, so many at a time; each
 * that is found is followed by another. */

static void on_found (LoopFuture *future, gpointer user_data);

static void
look_up (void)
{
  LoopFuture *future = loop_event_loop_getaddrinfo (loop, "192.0.2.1", 80, 0, SOCK_STREAM, 0, 0);

  loop_future_add_done_callback (future, on_found, NULL, NULL);
  g_object_unref (future);
  submitted++;
}

static void
on_found (LoopFuture *future, gpointer user_data)
{
  GValue result = G_VALUE_INIT;

  if (!loop_future_result (future, &result, NULL) ||
      loop_address_info_result_get_addresses (g_value_get_boxed (&result))->len != 1)
    abort ();
  g_value_unset (&result);

  if (++done == goal)
    finish ();
  else if (submitted < goal)
    look_up ();
}

static void
on_start_looking_up (gpointer user_data)
{
  guint i;

  started_at = bench_now_ns ();
  for (i = 0; i < IN_FLIGHT; i++)
    look_up ();
}

/* lateness: timers at random times within a second. */

static gint64 *lateness;
static uint64_t *due;

static void
on_late_timer (gpointer user_data)
{
  uint64_t now = bench_now_ns ();

  lateness[done] = (gint64) (now - *(uint64_t *) user_data);
  if (++done == goal)
    finish ();
}

static void
prepare_lateness (void)
{
  uint64_t i;

  due = g_new (uint64_t, goal);
  lateness = g_new (gint64, goal);
  for (i = 0; i < goal; i++)
    {
      guint32 delay_us = 1 + bench_random_below (&rng, 999999);

      due[i] = bench_now_ns () + delay_us * UINT64_C (1000);
      loop_event_loop_call_later (loop, delay_us / 1e6, on_late_timer, &due[i], NULL);
    }
}

static gboolean
prepare (const char *mode, const char *scale)
{
  if (strcmp (mode, "soon-batch") == 0)
    {
      goal = bench_scaled (scale, 5000) * BATCH;
      schedule_batch ();
    }
  else if (strcmp (mode, "soon-chain") == 0)
    {
      goal = bench_scaled (scale, 1000000);
      loop_event_loop_call_soon (loop, on_chain, NULL, NULL);
    }
  else if (strcmp (mode, "later-cancel-1m") == 0)
    {
      goal = bench_scaled (scale, 1000000);
      prepare_timers (bench_scaled (scale, 1000000), on_later_cancel);
    }
  else if (strcmp (mode, "timer-restart-100k") == 0)
    {
      goal = bench_scaled (scale, 1000000);
      prepare_timers (bench_scaled (scale, 100000), on_timer_restart);
    }
  else if (strcmp (mode, "timer-restart-1m") == 0)
    {
      goal = bench_scaled (scale, 1000000);
      prepare_timers (bench_scaled (scale, 1000000), on_timer_restart);
    }
  else if (strcmp (mode, "threadsafe-1") == 0)
    {
      goal = bench_scaled (scale, 2000000);
      prepare_threadsafe (1);
    }
  else if (strcmp (mode, "threadsafe-4") == 0)
    {
      goal = bench_scaled (scale, 2000000);
      prepare_threadsafe (4);
    }
  else if (strcmp (mode, "executor-64") == 0)
    {
      goal = MAX (IN_FLIGHT, bench_scaled (scale, 300000));
      prepare_executor ();
    }
  else if (strcmp (mode, "getaddrinfo-64") == 0)
    {
      goal = MAX (IN_FLIGHT, bench_scaled (scale, 200000));
      loop_event_loop_call_soon (loop, on_start_looking_up, NULL, NULL);
    }
  else if (strcmp (mode, "lateness") == 0)
    {
      goal = bench_scaled (scale, 1000);
      prepare_lateness ();
    }
  else
    return FALSE;
  return TRUE;
}

int
main (int argc, char **argv)
{
  const char *mode = argc > 1 ? argv[1] : "";
  guint i;

  bench_init (120);
  bench_pin (BENCH_ROLE_MEASURED);
  loop = loop_event_loop_new ();

  if (!prepare (mode, argc > 2 ? argv[2] : NULL))
    {
      fprintf (stderr, "usage: bench-calls-loop MODE [SCALE]\n");
      return 2;
    }

  started_at = bench_now_ns ();
  loop_event_loop_run_forever (loop);
  for (i = 0; i < n_producers; i++)
    g_thread_join (producers[i]);

  if (lateness != NULL)
    bench_report_lateness (mode, lateness, (unsigned int) goal);
  else
    bench_report_ops (mode, done, finished_at - started_at);

  if (executor != NULL)
    loop_executor_shutdown (executor, TRUE, FALSE);
  g_clear_object (&executor);
  loop_event_loop_close (loop);
  g_object_unref (loop);
  g_free (timers);
  g_free (lateness);
  g_free (due);
  return 0;
}
