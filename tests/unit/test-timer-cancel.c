/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-event-loop-private.h"

/* A cancelled timer leaves at once, and the others stay sorted. */

#define N_TIMERS 100000

START_TEST (test_leaves_at_once)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopTimerHandle) timer = NULL;

  timer = loop_timer_handle_ref (loop_event_loop_call_later (loop, 100.0, step_run, step_new ('a'), step_destroy));
  ck_assert_uint_eq (loop->timers.length, 1);
  ck_assert (!loop_timer_handle_cancelled (timer));

  loop_timer_handle_cancel (timer);
  check_steps ("A");
  ck_assert_uint_eq (loop->timers.length, 0);
  ck_assert (loop_timer_handle_cancelled (timer));

  loop_timer_handle_cancel (timer);
  check_steps ("");
}
END_TEST

/* A timeout that is always renewed and never fires: nothing may pile up. */
START_TEST (test_renewed_for_ever)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  for (int i = 0; i < N_TIMERS; i++)
    {
      LoopTimerHandle *timer = loop_event_loop_call_later (loop, 60.0, do_nothing, NULL, NULL);

      loop_timer_handle_cancel (timer);
    }

  ck_assert_uint_eq (loop->timers.length, 0);
  for (guint i = 0; i < LOOP_TIMER_N_LISTS; i++)
    ck_assert_uint_le (loop->timers.lists[i].capacity, 64);
  ck_assert_uint_le (loop->pool.n_free, 1);
}
END_TEST

typedef struct
{
  double when;
  LoopTimerHandle *handle;
  gboolean is_cancelled;
  gboolean has_run;
} Timer;

static Timer *timers;
static double last_when;
static int n_run;

static void
timer_run (gpointer data)
{
  Timer *timer = data;

  ck_assert (!timer->is_cancelled);
  ck_assert (!timer->has_run);
  ck_assert_double_ge (timer->when, last_when);
  timer->has_run = TRUE;
  timer->handle = NULL;
  last_when = timer->when;
  n_run++;

  /* Some others go while the timers run. */
  if (g_random_int_range (0, 4) == 0)
    {
      Timer *victim = &timers[g_random_int_range (0, N_TIMERS)];

      if (victim->handle != NULL && !victim->is_cancelled)
        {
          victim->is_cancelled = TRUE;
          loop_timer_handle_cancel (victim->handle);
        }
    }
}

static void
schedule (LoopEventLoop *loop, Timer *timer, double base)
{
  /* Few enough values for many ties. */
  timer->when = base + g_random_int_range (0, 20000) * 1e-6;
  timer->handle = loop_event_loop_call_at (loop, timer->when, timer_run, timer, NULL);
  timer->is_cancelled = FALSE;
}

START_TEST (test_random)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree Timer *array = g_new0 (Timer, N_TIMERS);
  double base = loop_event_loop_time (loop);
  int n_cancelled = 0;

  g_random_set_seed (12345);
  timers = array;

  for (int i = 0; i < N_TIMERS; i++)
    {
      Timer *victim = &timers[g_random_int_range (0, i + 1)];

      schedule (loop, &timers[i], base);

      if (g_random_int_range (0, 3) > 0 || victim->is_cancelled)
        continue;
      loop_timer_handle_cancel (victim->handle);
      victim->is_cancelled = TRUE;
      /* Half of them come back with another deadline. */
      if (g_random_boolean ())
        schedule (loop, victim, base);
    }

  loop_event_loop_call_at (loop, base + 1.0, stop_loop, loop, NULL);
  while (loop->timers.length > 1)
    run_once (loop);

  for (int i = 0; i < N_TIMERS; i++)
    {
      ck_assert (timers[i].has_run != timers[i].is_cancelled);
      n_cancelled += timers[i].is_cancelled;
    }
  ck_assert_int_eq (n_run + n_cancelled, N_TIMERS);
  ck_assert_int_gt (n_cancelled, N_TIMERS / 10);
  ck_assert_int_gt (n_run, N_TIMERS / 10);
}
END_TEST

LOOP_TEST_MAIN ("timer-cancel", test_leaves_at_once, test_renewed_for_ever, test_random)
