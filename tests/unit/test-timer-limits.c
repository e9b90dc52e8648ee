/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-event-loop-private.h"

#include <float.h>
#include <math.h>

/* Delays and times at the ends of what a double can say. */

static const double huge_values[] = {
  INFINITY, 1e300, DBL_MAX, 9223372036.854775807, 1e10, 0x1p63, (double) G_MAXINT64
};

START_TEST (test_never)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (huge_values); i++)
    {
      LoopTimerHandle *later =
          loop_event_loop_call_later (loop, huge_values[i], step_run, step_new ('a'), step_destroy);
      LoopTimerHandle *at = loop_event_loop_call_at (loop, huge_values[i], step_run, step_new ('b'), step_destroy);

      ck_assert_ptr_nonnull (later);
      ck_assert_ptr_nonnull (at);
      ck_assert (isinf (loop_timer_handle_when (later)) && loop_timer_handle_when (later) > 0.0);
      ck_assert (isinf (loop_timer_handle_when (at)) && loop_timer_handle_when (at) > 0.0);
    }

  /* The loop can sleep with nothing but these, and others run as ever. */
  run_for (loop, 0.01);
  check_steps ("");

  ck_assert (loop_event_loop_close (loop));
  {
    g_autofree char *steps = take_steps ();
    ck_assert_uint_eq (strlen (steps), 2 * G_N_ELEMENTS (huge_values));
  }
}
END_TEST

/* Long, and still a time that the clock can show. */
START_TEST (test_long)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  static const double delays[] = { 86400.0, 2147483.647, 2147483.648, 4294967.296, 1e9, 5e9, 9e9 };

  for (gsize i = 0; i < G_N_ELEMENTS (delays); i++)
    {
      double before = loop_event_loop_time (loop);
      LoopTimerHandle *timer = loop_event_loop_call_later (loop, delays[i], step_run, step_new ('a'), step_destroy);
      double after = loop_event_loop_time (loop);

      ck_assert_double_ge (loop_timer_handle_when (timer), before + delays[i] - 1e-5);
      ck_assert_double_le (loop_timer_handle_when (timer), after + delays[i] + 1e-5);

      /* Alone with one such timer, the loop sleeps rather than spins. */
      loop_timer_handle_ref (timer);
      {
        g_autoptr (LoopMetrics) begun = loop_event_loop_get_metrics (loop);
        g_autoptr (LoopMetrics) ended = NULL;

        run_for (loop, 0.003);
        ended = loop_event_loop_get_metrics (loop);
        ck_assert_uint_le (loop_metrics_get_iterations (ended) - loop_metrics_get_iterations (begun), 3);
      }
      check_steps ("");
      loop_timer_handle_cancel (timer);
      check_steps ("A");
      loop_timer_handle_unref (timer);
    }
}
END_TEST

START_TEST (test_long_on_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);

  loop_event_loop_call_later (loop, INFINITY, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_later (loop, 9e9, step_run, step_new ('b'), step_destroy);
  loop_event_loop_call_later (loop, 2147483.648, step_run, step_new ('c'), step_destroy);
  loop_event_loop_call_later (loop, 0.01, (LoopCallback) g_main_loop_quit, main_loop, NULL);
  g_main_loop_run (main_loop);
  check_steps ("");

  ck_assert (loop_event_loop_close (loop));
  g_free (take_steps ());
}
END_TEST

START_TEST (test_minus_infinity)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopTimerHandle *timer = loop_event_loop_call_later (loop, -INFINITY, step_run, step_new ('a'), step_destroy);

  ck_assert_double_le (loop_timer_handle_when (timer), loop_event_loop_time (loop));
  loop_event_loop_call_at (loop, -INFINITY, step_run, step_new ('b'), step_destroy);
  loop_event_loop_call_at (loop, -DBL_MAX, step_run, step_new ('c'), step_destroy);
  run_once (loop);
  check_steps ("bBcCaA");
}
END_TEST

START_TEST (test_not_a_number)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;

  ck_assert_ptr_null (loop_event_loop_call_later_full (loop, NAN, step_run, step_new ('a'), step_destroy, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT));
  g_clear_error (&error);

  ck_assert_ptr_null (loop_event_loop_call_at_full (loop, -NAN, step_run, step_new ('b'), step_destroy, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT));
  check_steps ("AB");

  loop_check_expect_critical ("*not a number*");
  ck_assert_ptr_null (loop_event_loop_call_later (loop, NAN, step_run, step_new ('c'), step_destroy));
  loop_check_expect_critical ("*not a number*");
  ck_assert_ptr_null (loop_event_loop_call_at (loop, NAN, step_run, step_new ('d'), step_destroy));
  check_steps ("CD");

  run_once (loop);
  check_steps ("");
}
END_TEST

START_TEST (test_when)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  double now = loop_event_loop_time (loop);
  g_autoptr (LoopTimerHandle) at = NULL;
  g_autoptr (LoopTimerHandle) later = NULL;

  at = loop_timer_handle_ref (loop_event_loop_call_at (loop, now + 12.25, do_nothing, NULL, NULL));
  later = loop_timer_handle_ref (loop_event_loop_call_later (loop, 0.0, do_nothing, NULL, NULL));
  ck_assert_double_eq_tol (loop_timer_handle_when (at), now + 12.25, 2e-9);
  ck_assert_double_ge (loop_timer_handle_when (later), now);
  ck_assert_double_le (loop_timer_handle_when (later), loop_event_loop_time (loop));

  /* It stays what it was. */
  run_once (loop);
  ck_assert_double_ge (loop_timer_handle_when (later), now);
  loop_timer_handle_cancel (at);
  ck_assert_double_eq_tol (loop_timer_handle_when (at), now + 12.25, 2e-9);
}
END_TEST

/* The conversions by themselves. */
START_TEST (test_conversions)
{
  ck_assert_int_eq (loop_clock_from_seconds (0.0), 0);
  ck_assert_int_eq (loop_clock_from_seconds (-1.0), 0);
  ck_assert_int_eq (loop_clock_from_seconds (1.0), LOOP_NSEC_PER_SEC);
  ck_assert_int_eq (loop_clock_from_seconds (1e-9), 1);
  ck_assert_int_eq (loop_clock_from_seconds (1e-12), 1);
  ck_assert_int_eq (loop_clock_from_seconds (5e-324), 1);
  ck_assert_int_eq (loop_clock_from_seconds (1.5e-9), 2);
  ck_assert_int_eq (loop_clock_from_seconds (9.1e9), G_GINT64_CONSTANT (9100000000000000000));
  ck_assert_int_eq (loop_clock_from_seconds (9.2e9), LOOP_NEVER);
  ck_assert_int_eq (loop_clock_from_seconds (INFINITY), LOOP_NEVER);
  ck_assert_int_eq (loop_clock_from_seconds (-INFINITY), 0);

  /* A time of the clock is itself again, on machines that have been up for a second or for 100 days. */
  for (double up = 1.0; up < 9e6; up *= 2.0)
    for (guint i = 0; i < 1000; i++)
      {
        gint64 time = (gint64) (g_random_double_range (up, 2.0 * up) * 1e9) % (G_GINT64_CONSTANT (1) << 53);

        ck_assert_int_eq (loop_clock_from_seconds (loop_clock_to_seconds (time)), time);
      }

  ck_assert_int_eq (loop_clock_add (5, 6), 11);
  ck_assert_int_eq (loop_clock_add (5, LOOP_NEVER), LOOP_NEVER);
  ck_assert_int_eq (loop_clock_add (5, LOOP_NEVER - 4), LOOP_NEVER);
  ck_assert_int_eq (loop_clock_add (5, LOOP_NEVER - 6), LOOP_NEVER - 1);

  for (int i = 0; i < 1000; i++)
    {
      double seconds = g_random_double_range (0.0, 1e6);
      gint64 time = loop_clock_from_seconds (seconds);

      ck_assert_double_ge (loop_clock_to_seconds (time), seconds);
      ck_assert_double_lt (loop_clock_to_seconds (time - 1), seconds);
    }
}
END_TEST

LOOP_TEST_MAIN ("timer-limits",
                test_never,
                test_long,
                test_long_on_foreign_context,
                test_minus_infinity,
                test_not_a_number,
                test_when,
                test_conversions)
