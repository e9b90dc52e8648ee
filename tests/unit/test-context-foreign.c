/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-fd-watcher.h"
#include "loop-future.h"
#include "loop-metrics.h"

#include <unistd.h>

/* A loop on a context that somebody else iterates. */

START_TEST (test_which_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  g_autoptr (LoopEventLoop) on_default = loop_event_loop_new_for_context (NULL);
  g_autoptr (LoopEventLoop) private = loop_event_loop_new ();
  g_autoptr (GMainContext) from_property = NULL;

  ck_assert_ptr_eq (loop_event_loop_get_context (loop), context);
  ck_assert_ptr_eq (loop_event_loop_get_context (on_default), g_main_context_default ());
  ck_assert_ptr_ne (loop_event_loop_get_context (private), context);
  ck_assert_ptr_ne (loop_event_loop_get_context (private), g_main_context_default ());

  g_object_get (loop, "context", &from_property, NULL);
  ck_assert_ptr_eq (from_property, context);
}
END_TEST

/* One call of g_main_context_iteration is one iteration of the loop. */
static void
schedule_inner (gpointer loop)
{
  note_step ('o');
  loop_event_loop_call_soon (loop, step_run, step_new ('i'), step_destroy);
}

START_TEST (test_by_hand)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);

  ck_assert (!g_main_context_iteration (context, FALSE));

  loop_event_loop_call_soon (loop, schedule_inner, loop, NULL);
  loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy);
  ck_assert (g_main_context_pending (context));
  ck_assert (g_main_context_iteration (context, FALSE));
  check_steps ("obB");
  ck_assert (g_main_context_iteration (context, FALSE));
  check_steps ("iI");
  ck_assert (!g_main_context_iteration (context, FALSE));
}
END_TEST

/* Nobody was kept waiting while there was nothing to do: the first thing to do is done at once. */
START_TEST (test_at_once_after_a_pause)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  int fds[2];
  char byte;

  ck_assert_int_eq (pipe (fds), 0);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  ck_assert (!g_main_context_iteration (context, FALSE));

  for (int i = 0; i < 3; i++)
    {
      g_usleep (20000);
      loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
      ck_assert (g_main_context_iteration (context, FALSE));
      check_steps ("aA");

      g_usleep (20000);
      ck_assert_int_eq (write (fds[1], "x", 1), 1);
      ck_assert (g_main_context_iteration (context, FALSE));
      check_steps ("r");
      ck_assert_int_eq (read (fds[0], &byte, 1), 1);

      g_usleep (20000);
      loop_event_loop_call_later (loop, 0.0, step_run, step_new ('t'), step_destroy);
      ck_assert (g_main_context_iteration (context, FALSE));
      check_steps ("tT");
    }

  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  check_steps ("R");
  close (fds[0]);
  close (fds[1]);
}
END_TEST

START_TEST (test_main_loop)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  int fds[2];

  ck_assert_int_eq (pipe (fds), 0);
  ck_assert_int_eq (write (fds[1], "x", 1), 1);

  loop_event_loop_call_soon (loop, step_run, step_new ('s'), step_destroy);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('p'), step_destroy, NULL, NULL));
  loop_event_loop_call_later (loop, 0.0, step_run, step_new ('t'), step_destroy);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  g_main_context_iteration (context, FALSE);
  check_steps ("sSpPrtT");
  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  check_steps ("R");

  loop_event_loop_call_later (loop, 0.002, step_run, step_new ('l'), step_destroy);
  loop_event_loop_call_later (loop, 0.004, (LoopCallback) g_main_loop_quit, main_loop, NULL);
  g_main_loop_run (main_loop);
  check_steps ("lL");

  close (fds[0]);
  close (fds[1]);
}
END_TEST

/* It sleeps when there is nothing to do. */
START_TEST (test_no_spin)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  g_autoptr (LoopMetrics) metrics = NULL;
  double started = loop_event_loop_time (loop);
  double begun = get_cpu_time ();

  loop_event_loop_call_later (loop, 0.1, (LoopCallback) g_main_loop_quit, main_loop, NULL);
  loop_event_loop_call_later (loop, 100.0, do_nothing, NULL, NULL);
  g_main_loop_run (main_loop);

  metrics = loop_event_loop_get_metrics (loop);
  ck_assert_uint_le (loop_metrics_get_iterations (metrics), 4);
  ck_assert_double_ge (loop_event_loop_time (loop) - started, 0.1);
  ck_assert_double_lt (get_cpu_time () - begun, 0.05);
}
END_TEST

/* run_forever drives somebody else's context as well. */
static gboolean
note_source (gpointer letter)
{
  note_step ((char) GPOINTER_TO_INT (letter));

  return G_SOURCE_REMOVE;
}

START_TEST (test_run_forever)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);

  g_main_context_invoke (context, note_source, GINT_TO_POINTER ('g'));
  loop_event_loop_call_later (loop, 0.002, (LoopCallback) loop_future_cancel, future, NULL);
  ck_assert (!loop_event_loop_run_until_complete (loop, future, NULL, NULL));
  check_steps ("g");

  /* And then the other way again. */
  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  ck_assert (g_main_context_iteration (context, FALSE));
  check_steps ("aA");
}
END_TEST

START_TEST (test_two_loops_on_one_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) a = loop_event_loop_new_for_context (context);
  g_autoptr (LoopEventLoop) b = loop_event_loop_new_for_context (context);
  int n_calls = 0;

  loop_event_loop_call_later (a, 0.001, count_up, &n_calls, NULL);
  loop_event_loop_call_later (b, 0.002, count_up, &n_calls, NULL);
  loop_event_loop_call_soon (b, count_up, &n_calls, NULL);
  loop_event_loop_call_soon (a, count_up, &n_calls, NULL);
  loop_event_loop_call_later (b, 0.01, (LoopCallback) g_main_loop_quit, main_loop, NULL);
  g_main_loop_run (main_loop);
  ck_assert_int_eq (n_calls, 4);

  /* The one runs, and so does the other, on its context. */
  loop_event_loop_call_soon (b, count_up, &n_calls, NULL);
  run_for (a, 0.005);
  ck_assert_int_eq (n_calls, 5);
}
END_TEST

/* The application's quit handler drops the loop while one of its callbacks runs. */
static void
drop_loop (gpointer loop)
{
  note_step ('d');
  g_object_unref (loop);
}

START_TEST (test_last_reference_goes_in_callback)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  LoopEventLoop *loop = loop_event_loop_new_for_context (context);
  gpointer watched = loop;

  g_object_add_weak_pointer (G_OBJECT (loop), &watched);
  loop_event_loop_call_soon (loop, drop_loop, loop, NULL);
  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_later (loop, 100.0, step_run, step_new ('b'), step_destroy);
  for (int i = 0; i < 5; i++)
    g_main_context_iteration (context, FALSE);

  /* The batch is run to its end; what is left goes with the loop. */
  check_steps ("daAB");
  ck_assert_ptr_null (watched);
}
END_TEST

/* The context may outlive the loop, and the loop the caller's reference to the context. */
START_TEST (test_lifetimes)
{
  GMainContext *context = g_main_context_new ();
  LoopEventLoop *loop = loop_event_loop_new_for_context (context);

  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  g_object_unref (loop);
  check_steps ("A");
  ck_assert (!g_main_context_iteration (context, FALSE));

  loop = loop_event_loop_new_for_context (context);
  g_main_context_unref (context);
  loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy);
  run_once (loop);
  check_steps ("bB");
  g_object_unref (loop);
}
END_TEST

LOOP_TEST_MAIN ("context-foreign",
                test_which_context,
                test_by_hand,
                test_at_once_after_a_pause,
                test_main_loop,
                test_no_spin,
                test_run_forever,
                test_two_loops_on_one_context,
                test_last_reference_goes_in_callback,
                test_lifetimes)
