/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-metrics.h"

#include <stdlib.h>
#include <unistd.h>

#include <glib-unix.h>

/*
 * Timers of a fraction of a millisecond are kept, whoever iterates the context. The median of many
 * counts, so that a busy machine does not matter; what is looked for is rounding to a millisecond.
 */

#define N_SAMPLES 101

typedef struct
{
  LoopEventLoop *loop;
  GMainLoop *main_loop; /* or NULL */
  double delay;
  double due;
  int n_samples;
  double lateness[N_SAMPLES];
} Sampler;

static void
sample (gpointer data)
{
  Sampler *self = data;
  double late = loop_event_loop_time (self->loop) - self->due;

  /* Never early. */
  ck_assert_double_ge (late, -1e-9);
  self->lateness[self->n_samples++] = late;

  if (self->n_samples < N_SAMPLES)
    {
      self->due = loop_event_loop_time (self->loop) + self->delay;
      loop_event_loop_call_at (self->loop, self->due, sample, self, NULL);
    }
  else if (self->main_loop != NULL)
    {
      g_main_loop_quit (self->main_loop);
    }
  else
    {
      loop_event_loop_stop (self->loop);
    }
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const double *x = a;
  const double *y = b;

  return (*x > *y) - (*x < *y);
}

static double
median_lateness (LoopEventLoop *loop, GMainLoop *main_loop, double delay)
{
  Sampler sampler = { loop, main_loop, delay, loop_event_loop_time (loop) + delay };

  loop_event_loop_call_at (loop, sampler.due, sample, &sampler, NULL);
  if (main_loop != NULL)
    g_main_loop_run (main_loop);
  else
    ck_assert (loop_event_loop_run_forever (loop));

  qsort (sampler.lateness, N_SAMPLES, sizeof (double), compare);

  return sampler.lateness[N_SAMPLES / 2];
}

static void
check_delays (LoopEventLoop *loop, GMainLoop *main_loop)
{
  for (int us = 100; us <= 900; us += 200)
    ck_assert_double_lt (median_lateness (loop, main_loop, us * 1e-6), 0.0004);
}

START_TEST (test_private_context)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  check_delays (loop, NULL);
}
END_TEST

static gboolean
ignore_fd (int fd, GIOCondition condition, gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

/* Another source of the context has a descriptor, and so all of them are polled. */
START_TEST (test_private_context_with_foreign_fd)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GSource) source = NULL;
  int fds[2];

  ck_assert_int_eq (pipe (fds), 0);
  source = g_unix_fd_source_new (fds[0], G_IO_IN);
  g_source_set_callback (source, G_SOURCE_FUNC (ignore_fd), NULL, NULL);
  g_source_attach (source, loop_event_loop_get_context (loop));

  check_delays (loop, NULL);

  g_source_destroy (source);
  close (fds[0]);
  close (fds[1]);
}
END_TEST

/* GLib itself knows milliseconds only. */
START_TEST (test_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);

  check_delays (loop, main_loop);
}
END_TEST

START_TEST (test_run_forever_on_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);

  check_delays (loop, NULL);
}
END_TEST

/* One that comes before those for which the context waits already. */
START_TEST (test_earlier_than_the_others)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);

  for (int i = 0; i < 100; i++)
    loop_event_loop_call_later (loop, 10.0 + i, do_nothing, NULL, NULL);
  while (g_main_context_iteration (context, FALSE))
    ;

  check_delays (loop, main_loop);
}
END_TEST

/* After one that was cancelled the context may wake in vain, once, but not late and not for ever. */
START_TEST (test_later_than_a_cancelled_one)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  LoopTimerHandle *timer = loop_event_loop_call_later (loop, 0.002, step_run, step_new ('a'), step_destroy);
  g_autoptr (LoopMetrics) metrics = NULL;
  double due = loop_event_loop_time (loop) + 0.02;

  loop_event_loop_call_at (loop, due, (LoopCallback) g_main_loop_quit, main_loop, NULL);
  while (g_main_context_iteration (context, FALSE))
    ;
  loop_timer_handle_cancel (timer);
  check_steps ("A");

  g_main_loop_run (main_loop);
  ck_assert_double_ge (loop_event_loop_time (loop), due);
  metrics = loop_event_loop_get_metrics (loop);
  ck_assert_uint_le (loop_metrics_get_iterations (metrics), 4);
}
END_TEST

LOOP_TEST_MAIN ("timer-precision",
                test_private_context,
                test_private_context_with_foreign_fd,
                test_foreign_context,
                test_run_forever_on_foreign_context,
                test_earlier_than_the_others,
                test_later_than_a_cancelled_one)
