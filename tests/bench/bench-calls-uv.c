/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Callbacks and timers of libuv
 *
 * All handles are preallocated, as libuv's API invites.  One-shot scheduling
 * is a uv_idle_t that is started, and stopped by its callback.
 */

#include "config.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "bench-util.h"

#define BATCH 1000
#define CHUNK 100
#define MAX_PRODUCERS 4
#define IN_FLIGHT 64

static uv_loop_t loop;
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
  uv_stop (&loop);
}

/* soon-batch: 1000 callbacks scheduled, then run; the last one schedules the
 * next thousand. */

static uv_idle_t batch[BATCH];

static void on_batch_item (uv_idle_t *idle);

static void
schedule_batch (void)
{
  unsigned int i;

  for (i = 0; i < BATCH; i++)
    uv_idle_start (&batch[i], on_batch_item);
}

static void
on_batch_item (uv_idle_t *idle)
{
  uv_idle_stop (idle);
  if (++done % BATCH != 0)
    return;
  if (done >= goal)
    finish ();
  else
    schedule_batch ();
}

static void
prepare_soon_batch (void)
{
  unsigned int i;

  for (i = 0; i < BATCH; i++)
    uv_idle_init (&loop, &batch[i]);
  schedule_batch ();
}

/* soon-chain-idle and soon-chain-async: each callback schedules the next. */

static void
on_chain_idle (uv_idle_t *idle)
{
  uv_idle_stop (idle);
  if (++done >= goal)
    finish ();
  else
    uv_idle_start (idle, on_chain_idle);
}

static void
prepare_soon_chain_idle (void)
{
  uv_idle_init (&loop, &batch[0]);
  uv_idle_start (&batch[0], on_chain_idle);
}

static uv_async_t async;

static void
on_chain_async (uv_async_t *handle)
{
  if (++done >= goal)
    finish ();
  else
    uv_async_send (handle);
}

static void
prepare_soon_chain_async (void)
{
  uv_async_init (&loop, &async, on_chain_async);
  uv_async_send (&async);
}

/* later-cancel and timer-restart, a chunk of operations per iteration. */

static uv_timer_t *timers;
static uv_timer_t spare;
static uint64_t n_timers;

static void
on_timer (uv_timer_t *timer)
{
  (void) timer;
}

static void
on_later_cancel (uv_idle_t *idle)
{
  unsigned int i;

  (void) idle;
  for (i = 0; i < CHUNK; i++)
    {
      uv_timer_start (&spare, on_timer, bench_random_delay_ms (&rng), 0);
      uv_timer_stop (&spare);
    }
  if ((done += CHUNK) >= goal)
    finish ();
}

static void
on_timer_restart (uv_idle_t *idle)
{
  unsigned int i;

  (void) idle;
  for (i = 0; i < CHUNK; i++)
    {
      uv_timer_t *timer = &timers[bench_random_below (&rng, (uint32_t) n_timers)];

      uv_timer_stop (timer);
      uv_timer_start (timer, on_timer, bench_random_delay_ms (&rng), 0);
    }
  if ((done += CHUNK) >= goal)
    finish ();
}

static void
prepare_timers (uint64_t live, uv_idle_cb cb)
{
  uint64_t i;

  n_timers = live;
  timers = calloc (n_timers, sizeof *timers);
  uv_timer_init (&loop, &spare);
  for (i = 0; i < n_timers; i++)
    {
      uv_timer_init (&loop, &timers[i]);
      uv_timer_start (&timers[i], on_timer, bench_random_delay_ms (&rng), 0);
    }
  uv_idle_init (&loop, &batch[0]);
  uv_idle_start (&batch[0], cb);
}

/* threadsafe: producers append to a locked queue and send the async.  Either
 * a list of allocated nodes, which is what one writes, or a pair of swapped
 * arrays of fixed size, which is the best that one can write. */

typedef struct Item
{
  struct Item *next;
  void (*callback) (void *data);
  void *data;
} Item;

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static bool queue_is_array;
static Item *queue_head;
static Item **queue_tail = &queue_head;
static Item *arrays[2];
static unsigned int current_array;
static uint64_t array_length;
static pthread_t producers[MAX_PRODUCERS];
static unsigned int n_producers;

static void
on_item (void *data)
{
  (void) data;
  if (++done == goal)
    finish ();
}

static void
on_threadsafe_list (uv_async_t *handle)
{
  Item *item, *next;

  (void) handle;
  pthread_mutex_lock (&queue_lock);
  item = queue_head;
  queue_head = NULL;
  queue_tail = &queue_head;
  pthread_mutex_unlock (&queue_lock);

  for (; item != NULL; item = next)
    {
      next = item->next;
      item->callback (item->data);
      free (item);
    }
}

static void
on_threadsafe_array (uv_async_t *handle)
{
  Item *items;
  uint64_t length;
  uint64_t i;

  (void) handle;
  pthread_mutex_lock (&queue_lock);
  items = arrays[current_array];
  length = array_length;
  current_array ^= 1;
  array_length = 0;
  pthread_mutex_unlock (&queue_lock);

  for (i = 0; i < length; i++)
    items[i].callback (items[i].data);
}

static void *
produce (void *data)
{
  uint64_t n = goal / n_producers;
  uint64_t i;

  (void) data;
  bench_pin (BENCH_ROLE_DRIVER);
  for (i = 0; i < n; i++)
    {
      if (queue_is_array)
        {
          Item *item;

          pthread_mutex_lock (&queue_lock);
          item = &arrays[current_array][array_length++];
          item->callback = on_item;
          item->data = &done;
          pthread_mutex_unlock (&queue_lock);
        }
      else
        {
          Item *item = malloc (sizeof *item);

          item->next = NULL;
          item->callback = on_item;
          item->data = &done;
          pthread_mutex_lock (&queue_lock);
          *queue_tail = item;
          queue_tail = &item->next;
          pthread_mutex_unlock (&queue_lock);
        }
      uv_async_send (&async);
    }
  return NULL;
}

static void
on_start_producers (uv_idle_t *idle)
{
  unsigned int i;

  uv_idle_stop (idle);
  started_at = bench_now_ns ();
  for (i = 0; i < n_producers; i++)
    pthread_create (&producers[i], NULL, produce, NULL);
}

static void
prepare_threadsafe (unsigned int threads, bool array)
{
  n_producers = threads;
  queue_is_array = array;
  goal -= goal % threads;
  if (array)
    {
      /* Touched beforehand: page faults are not part of the comparison. */
      arrays[0] = malloc (goal * sizeof (Item));
      arrays[1] = malloc (goal * sizeof (Item));
      memset (arrays[0], 1, goal * sizeof (Item));
      memset (arrays[1], 1, goal * sizeof (Item));
    }
  uv_async_init (&loop, &async, array ? on_threadsafe_array : on_threadsafe_list);
  uv_idle_init (&loop, &batch[0]);
  uv_idle_start (&batch[0], on_start_producers);
}

/* executor-64: functions on threads, so many at a time; each that is done is
 * followed by another. libuv has four threads by default. */

static uv_work_t works[IN_FLIGHT];
static uint64_t submitted;

static void
work (uv_work_t *request)
{
  (void) request;
  bench_pin_once (BENCH_ROLE_DRIVER);
}

static void
on_work_done (uv_work_t *request, int status)
{
  (void) status;
  if (++done == goal)
    finish ();
  else if (submitted < goal)
    {
      uv_queue_work (&loop, request, work, on_work_done);
      submitted++;
    }
}

static void
prepare_executor (void)
{
  for (submitted = 0; submitted < IN_FLIGHT; submitted++)
    uv_queue_work (&loop, &works[submitted], work, on_work_done);
}

/* getaddrinfo-64: addresses of hosts that are numbers, so many at a time; each
 * that is found is followed by another. */

static uv_getaddrinfo_t lookups[IN_FLIGHT];

static void on_found (uv_getaddrinfo_t *request, int status, struct addrinfo *addresses);

static void
look_up (uv_getaddrinfo_t *request)
{
  const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

  if (uv_getaddrinfo (&loop, request, on_found, "192.0.2.1", "80", &hints) != 0)
    abort ();
  submitted++;
}

static void
on_found (uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
  if (status != 0 || addresses == NULL || addresses->ai_next != NULL)
    abort ();
  uv_freeaddrinfo (addresses);

  if (++done == goal)
    finish ();
  else if (submitted < goal)
    look_up (request);
}

static void
prepare_lookups (void)
{
  while (submitted < IN_FLIGHT)
    look_up (&lookups[submitted]);
}

/* lateness: timers at random times within a second.  A delay is rounded up to
 * the millisecond that libuv takes. */

static int64_t *lateness;
static uint64_t *due;

static void
on_late_timer (uv_timer_t *timer)
{
  uint64_t now = bench_now_ns ();

  lateness[done] = (int64_t) (now - due[timer - timers]);
  if (++done == goal)
    finish ();
}

static void
prepare_lateness (void)
{
  uint64_t i;

  timers = calloc (goal, sizeof *timers);
  due = calloc (goal, sizeof *due);
  lateness = calloc (goal, sizeof *lateness);
  uv_update_time (&loop);
  for (i = 0; i < goal; i++)
    {
      uint32_t delay_us = 1 + bench_random_below (&rng, 999999);

      uv_timer_init (&loop, &timers[i]);
      due[i] = bench_now_ns () + delay_us * UINT64_C (1000);
      uv_timer_start (&timers[i], on_late_timer, (delay_us + 999) / 1000, 0);
    }
}

int
main (int argc, char **argv)
{
  const char *mode = argc > 1 ? argv[1] : "";
  const char *scale = argc > 2 ? argv[2] : NULL;
  unsigned int i;

  bench_init (120);
  bench_pin (BENCH_ROLE_MEASURED);
  uv_loop_init (&loop);

  if (strcmp (mode, "soon-batch") == 0)
    {
      goal = bench_scaled (scale, 5000) * BATCH;
      prepare_soon_batch ();
    }
  else if (strcmp (mode, "soon-chain-idle") == 0)
    {
      goal = bench_scaled (scale, 1000000);
      prepare_soon_chain_idle ();
    }
  else if (strcmp (mode, "soon-chain-async") == 0)
    {
      goal = bench_scaled (scale, 500000);
      prepare_soon_chain_async ();
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
  else if (strcmp (mode, "threadsafe-1") == 0 || strcmp (mode, "threadsafe-1-array") == 0)
    {
      goal = bench_scaled (scale, 2000000);
      prepare_threadsafe (1, strstr (mode, "array") != NULL);
    }
  else if (strcmp (mode, "threadsafe-4") == 0 || strcmp (mode, "threadsafe-4-array") == 0)
    {
      goal = bench_scaled (scale, 2000000);
      prepare_threadsafe (4, strstr (mode, "array") != NULL);
    }
  else if (strcmp (mode, "executor-64") == 0)
    {
      goal = bench_scaled (scale, 300000);
      if (goal < IN_FLIGHT)
        goal = IN_FLIGHT;
      prepare_executor ();
    }
  else if (strcmp (mode, "getaddrinfo-64") == 0)
    {
      goal = bench_scaled (scale, 200000);
      if (goal < IN_FLIGHT)
        goal = IN_FLIGHT;
      prepare_lookups ();
    }
  else if (strcmp (mode, "lateness") == 0)
    {
      goal = bench_scaled (scale, 1000);
      prepare_lateness ();
    }
  else
    {
      fprintf (stderr, "usage: bench-calls-uv MODE [SCALE]\n");
      return 2;
    }

  started_at = bench_now_ns ();
  uv_run (&loop, UV_RUN_DEFAULT);
  for (i = 0; i < n_producers; i++)
    pthread_join (producers[i], NULL);

  if (lateness != NULL)
    bench_report_lateness (mode, lateness, (unsigned int) goal);
  else
    bench_report_ops (mode, done, finished_at - started_at);
  return 0;
}
