/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-fd-watcher.h"

#include <unistd.h>

/* Timers run in the order of their deadlines, ties in the order of scheduling, and never early. */

START_TEST (test_by_deadline)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  double now = loop_event_loop_time (loop);

  loop_event_loop_call_at (loop, now + 0.004, step_run, step_new ('d'), step_destroy);
  loop_event_loop_call_at (loop, now + 0.001, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_at (loop, now + 0.005, stop_loop, loop, NULL);
  loop_event_loop_call_at (loop, now + 0.003, step_run, step_new ('c'), step_destroy);
  loop_event_loop_call_at (loop, now + 0.002, step_run, step_new ('b'), step_destroy);
  ck_assert (loop_event_loop_run_forever (loop));

  check_steps ("aAbBcCdD");
}
END_TEST

/* All are due in one iteration, and still they are sorted. */
START_TEST (test_due_together)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  double now = loop_event_loop_time (loop);

  loop_event_loop_call_at (loop, now - 1.0, step_run, step_new ('c'), step_destroy);
  loop_event_loop_call_at (loop, now - 3.0, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_at (loop, now - 2.0, step_run, step_new ('b'), step_destroy);
  run_once (loop);

  check_steps ("aAbBcC");
}
END_TEST

static int next_expected;

static void
expect_next (gpointer data)
{
  ck_assert_int_eq (GPOINTER_TO_INT (data), next_expected);
  next_expected++;
}

START_TEST (test_ties)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  double when = loop_event_loop_time (loop) + 0.002;

  for (int i = 0; i < 1000; i++)
    loop_event_loop_call_at (loop, when, expect_next, GINT_TO_POINTER (i), NULL);
  loop_event_loop_call_at (loop, when, stop_loop, loop, NULL);
  ck_assert (loop_event_loop_run_forever (loop));

  ck_assert_int_eq (next_expected, 1000);
}
END_TEST

START_TEST (test_zero_and_negative)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_later (loop, 0.0, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_later (loop, -0.0, step_run, step_new ('b'), step_destroy);
  loop_event_loop_call_later (loop, -5.0, step_run, step_new ('c'), step_destroy);
  loop_event_loop_call_later (loop, -1e300, step_run, step_new ('d'), step_destroy);
  run_once (loop);

  /* Negative means now, and not before: what was due already does not stand back. */
  check_steps ("aAbBcCdD");
}
END_TEST

START_TEST (test_in_the_past)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_at (loop, loop_event_loop_time (loop) - 100.0, step_run, step_new ('b'), step_destroy);
  loop_event_loop_call_at (loop, 0.0, step_run, step_new ('a'), step_destroy);
  run_once (loop);

  check_steps ("aAbB");
}
END_TEST

/* In one iteration: what was ready, then what the descriptors tell, then due timers. */
START_TEST (test_after_ready_and_events)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int fds[2];

  ck_assert_int_eq (pipe (fds), 0);
  ck_assert_int_eq (write (fds[1], "x", 1), 1);

  loop_event_loop_call_later (loop, 0.0, step_run, step_new ('t'), step_destroy);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  loop_event_loop_call_soon (loop, step_run, step_new ('s'), step_destroy);
  run_once (loop);
  check_steps ("sSrtT");

  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  check_steps ("R");
  close (fds[0]);
  close (fds[1]);
}
END_TEST

typedef struct
{
  LoopEventLoop *loop;
  int n_left;
  double delay;
} Ticker;

static void
tick (gpointer data)
{
  Ticker *ticker = data;

  if (--ticker->n_left > 0)
    loop_event_loop_call_later (ticker->loop, ticker->delay, tick, ticker, NULL);
  else
    loop_event_loop_stop (ticker->loop);
}

START_TEST (test_timers_of_timers)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Ticker ticker = { loop, 100, 0.0001 };
  double begun = loop_event_loop_time (loop);

  loop_event_loop_call_later (loop, ticker.delay, tick, &ticker, NULL);
  ck_assert (loop_event_loop_run_forever (loop));

  ck_assert_int_eq (ticker.n_left, 0);
  ck_assert_double_ge (loop_event_loop_time (loop) - begun, 100 * ticker.delay);
}
END_TEST

/* A timer that is due at once runs in the next iteration, not in the one that makes it. */
static void
schedule_due (gpointer loop)
{
  note_step ('o');
  loop_event_loop_call_later (loop, 0.0, step_run, step_new ('i'), step_destroy);
  loop_event_loop_call_at (loop, 0.0, step_run, step_new ('h'), step_destroy);
}

START_TEST (test_due_timers_of_timers_wait)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_later (loop, 0.0, schedule_due, loop, NULL);
  loop_event_loop_call_later (loop, 0.0, step_run, step_new ('b'), step_destroy);
  run_once (loop);
  check_steps ("obB");
  run_once (loop);
  check_steps ("hHiI");
}
END_TEST

typedef struct
{
  LoopEventLoop *loop;
  LoopTimerHandle *handle;
  double asked;
  int *n_left;
} Punctual;

static void
check_not_early (gpointer data)
{
  Punctual *self = data;
  double now = loop_event_loop_time (self->loop);

  ck_assert_double_ge (now, loop_timer_handle_when (self->handle));
  /* A nanosecond for the rounding of what was asked for. */
  ck_assert_double_ge (now, self->asked - 1e-9);
  if (--*self->n_left == 0)
    loop_event_loop_stop (self->loop);
}

START_TEST (test_never_early)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree Punctual *timers = g_new0 (Punctual, 500);
  int n_left = 500;

  for (int i = 0; i < 500; i++)
    {
      Punctual *timer = &timers[i];
      /* Delays that are no whole number of anything. */
      double delay = 0.1 * (double) (i * 7919 % 500) / 501.0 + 1e-10;

      timer->loop = loop;
      timer->n_left = &n_left;
      timer->asked = loop_event_loop_time (loop) + delay;
      timer->handle = i % 2 == 0 ? loop_event_loop_call_at (loop, timer->asked, check_not_early, timer, NULL)
                                 : loop_event_loop_call_later (loop, delay, check_not_early, timer, NULL);
      loop_timer_handle_ref (timer->handle);
    }
  ck_assert (loop_event_loop_run_forever (loop));
  ck_assert_int_eq (n_left, 0);

  for (int i = 0; i < 500; i++)
    loop_timer_handle_unref (timers[i].handle);
}
END_TEST

/*
 * Deadlines that come just when the loop looks at the clock: for each nanosecond of the first few
 * microseconds a timer that nothing else would wake the loop for.
 */
#define N_SWEEP 20000

typedef struct
{
  LoopEventLoop *loop;
  GMainLoop *main_loop; /* or NULL */
  int n_run;
  int is_over; /* atomic */
} Sweep;

static void
quit (gpointer data)
{
  Sweep *self = data;

  if (self->main_loop != NULL)
    g_main_loop_quit (self->main_loop);
  else
    loop_event_loop_stop (self->loop);
}

static void
sweep (gpointer data)
{
  Sweep *self = data;

  if (++self->n_run == N_SWEEP)
    quit (self);
  else
    loop_event_loop_call_later (self->loop, (self->n_run % 4000) * 1e-9, sweep, self, NULL);
}

/* A loop that sleeps for ever is woken, so that the test can tell. */
static gpointer
watch_sweep (gpointer data)
{
  Sweep *self = data;
  int n_left = 8000;

  while (!g_atomic_int_get (&self->is_over) && n_left-- > 0)
    g_usleep (1000);
  if (!g_atomic_int_get (&self->is_over))
    loop_event_loop_call_soon_threadsafe (self->loop, quit, self, NULL, NULL, NULL);

  return NULL;
}

static void
check_sweep (LoopEventLoop *loop, GMainLoop *main_loop)
{
  Sweep self = { .loop = loop, .main_loop = main_loop };
  GThread *thread = g_thread_new ("watchdog", watch_sweep, &self);

  loop_event_loop_call_soon (loop, sweep, &self, NULL);
  if (main_loop != NULL)
    g_main_loop_run (main_loop);
  else
    ck_assert (loop_event_loop_run_forever (loop));
  g_atomic_int_set (&self.is_over, TRUE);
  g_thread_join (thread);
  ck_assert_int_eq (self.n_run, N_SWEEP);
}

START_TEST (test_no_deadline_is_missed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  check_sweep (loop, NULL);
}
END_TEST

START_TEST (test_no_deadline_is_missed_foreign)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);

  check_sweep (loop, main_loop);
}
END_TEST

START_TEST (test_clock)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  double before = (double) g_get_monotonic_time () / G_USEC_PER_SEC;
  double time = loop_event_loop_time (loop);
  double after = (double) g_get_monotonic_time () / G_USEC_PER_SEC;

  ck_assert_double_ge (time, before);
  ck_assert_double_le (time, after + 1e-6);
}
END_TEST

LOOP_TEST_MAIN ("timer-order",
                test_by_deadline,
                test_due_together,
                test_ties,
                test_zero_and_negative,
                test_in_the_past,
                test_after_ready_and_events,
                test_timers_of_timers,
                test_due_timers_of_timers_wait,
                test_never_early,
                test_no_deadline_is_missed,
                test_no_deadline_is_missed_foreign,
                test_clock)
