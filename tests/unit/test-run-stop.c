/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-event-loop-private.h"
#include "loop-fd-watcher.h"

#include <unistd.h>

/* run_forever and stop, as the specification has them since 3.5.1. */

/* Noted, and read away, so that one event is one step. */
static void
read_byte (gpointer data)
{
  char byte;

  ck_assert_int_eq (read (GPOINTER_TO_INT (data), &byte, 1), 1);
  note_step (byte);
}

START_TEST (test_stopped_before)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int fds[2];

  ck_assert_int_eq (pipe (fds), 0);
  ck_assert_int_eq (write (fds[1], "r", 1), 1);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], read_byte, GINT_TO_POINTER (fds[0]), NULL));
  loop_event_loop_call_soon (loop, step_run, step_new ('s'), step_destroy);
  loop_event_loop_call_later (loop, 0.0, step_run, step_new ('t'), step_destroy);
  loop_event_loop_call_later (loop, 1000.0, step_run, step_new ('x'), step_destroy);

  /* What was scheduled, what the descriptors tell, due timers; and then it exits. */
  loop_event_loop_stop (loop);
  ck_assert (loop_event_loop_run_forever (loop));
  check_steps ("sSrtT");

  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  close (fds[0]);
  close (fds[1]);
}
END_TEST

START_TEST (test_stopped_before_does_not_wait)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  double begun = loop_event_loop_time (loop);

  loop_event_loop_call_later (loop, 5.0, do_nothing, NULL, NULL);
  for (int i = 0; i < 100; i++)
    run_once (loop);

  ck_assert_double_lt (loop_event_loop_time (loop) - begun, 1.0);
}
END_TEST

static void
schedule_more (gpointer data)
{
  note_step ('o');
  loop_event_loop_call_soon (data, step_run, step_new ('i'), step_destroy);
}

START_TEST (test_stopped_before_runs_one_batch)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, schedule_more, loop, NULL);
  loop_event_loop_stop (loop);
  ck_assert (loop_event_loop_run_forever (loop));
  check_steps ("o");

  loop_event_loop_stop (loop);
  ck_assert (loop_event_loop_run_forever (loop));
  check_steps ("iI");
}
END_TEST

static void
stop_and_schedule (gpointer data)
{
  note_step ('s');
  loop_event_loop_stop (data);
  loop_event_loop_call_soon (data, step_run, step_new ('n'), step_destroy);
  loop_event_loop_call_later (data, 0.0, step_run, step_new ('t'), step_destroy);
}

START_TEST (test_stopped_while_running)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_soon (loop, stop_and_schedule, loop, NULL);
  loop_event_loop_call_soon (loop, schedule_more, loop, NULL);
  loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy);

  /* The current batch is run to its end; what it scheduled is for the next time. */
  ck_assert (loop_event_loop_run_forever (loop));
  check_steps ("aAsobB");

  /* Which is not stopped by the call that ended the last one. */
  loop_event_loop_call_soon (loop, step_run, step_new ('c'), step_destroy);
  loop_event_loop_call_later (loop, 0.002, stop_loop, loop, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  check_steps ("nNiIcCtT");
}
END_TEST

/* The batch also is run to its end when it takes long enough to be interrupted in favour of other sources. */
static void
spend_time (gpointer data)
{
  gint64 until = loop_clock_now () + 1000 * 1000;

  while (loop_clock_now () < until)
    ;
  count_up (data);
}

START_TEST (test_stopped_in_long_batch)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int n_calls = 0;

  for (int i = 0; i < 200; i++)
    {
      if (i == 20)
        loop_event_loop_call_soon (loop, stop_and_schedule, loop, NULL);
      loop_event_loop_call_soon (loop, spend_time, &n_calls, NULL);
    }
  ck_assert (loop_event_loop_run_forever (loop));
  ck_assert_int_eq (n_calls, 200);
  check_steps ("s");

  n_calls = 0;
  for (int i = 0; i < 200; i++)
    loop_event_loop_call_soon (loop, spend_time, &n_calls, NULL);
  run_once (loop);
  ck_assert_int_eq (n_calls, 200);
  check_steps ("nNtT");
}
END_TEST

START_TEST (test_stopped_twice)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_stop (loop);
  loop_event_loop_stop (loop);
  ck_assert (loop_event_loop_run_forever (loop));

  /* One run has used up both. */
  loop_event_loop_call_later (loop, 0.002, stop_and_schedule, loop, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  check_steps ("s");
}
END_TEST

START_TEST (test_stopped_by_timer_and_reader)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int fds[2];

  loop_event_loop_call_later (loop, 0.001, stop_loop, loop, NULL);
  ck_assert (loop_event_loop_run_forever (loop));

  ck_assert_int_eq (pipe (fds), 0);
  ck_assert_int_eq (write (fds[1], "x", 1), 1);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], stop_loop, loop, NULL));
  ck_assert (loop_event_loop_run_forever (loop));
  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  close (fds[0]);
  close (fds[1]);
}
END_TEST

static gboolean
stop_in_source (gpointer loop)
{
  note_step ('g');
  loop_event_loop_stop (loop);

  return G_SOURCE_REMOVE;
}

START_TEST (test_stopped_by_another_source)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GSource) source = g_timeout_source_new (2);

  g_source_set_callback (source, stop_in_source, loop, NULL);
  g_source_attach (source, loop_event_loop_get_context (loop));
  ck_assert (loop_event_loop_run_forever (loop));
  check_steps ("g");
}
END_TEST

static gpointer
stop_from_thread (gpointer loop)
{
  g_usleep (5000);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, stop_loop, loop, NULL, NULL, NULL));

  return NULL;
}

START_TEST (test_stopped_through_threadsafe)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  GThread *thread = g_thread_new ("stopper", stop_from_thread, loop);

  ck_assert (loop_event_loop_run_forever (loop));
  g_thread_join (thread);
}
END_TEST

START_TEST (test_many_runs)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int n_calls = 0;

  for (int i = 0; i < 1000; i++)
    {
      loop_event_loop_call_soon (loop, count_up, &n_calls, NULL);
      loop_event_loop_call_soon (loop, stop_loop, loop, NULL);
      ck_assert (loop_event_loop_run_forever (loop));
      ck_assert (!loop_event_loop_is_running (loop));
      ck_assert_int_eq (n_calls, i + 1);
    }
}
END_TEST

/* The caller's own reference may go while the loop runs. */
static void
unref_and_stop (gpointer loop)
{
  loop_event_loop_stop (loop);
  g_object_unref (loop);
}

START_TEST (test_last_reference_goes_in_callback)
{
  LoopEventLoop *loop = loop_event_loop_new ();
  gpointer watched = loop;

  g_object_add_weak_pointer (G_OBJECT (loop), &watched);
  loop_event_loop_call_soon (loop, unref_and_stop, loop, NULL);
  loop_event_loop_call_later (loop, 1000.0, step_run, step_new ('a'), step_destroy);
  ck_assert (loop_event_loop_run_forever (loop));

  ck_assert_ptr_null (watched);
  check_steps ("A");
}
END_TEST

START_TEST (test_closed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;

  ck_assert (loop_event_loop_close (loop));
  ck_assert (!loop_event_loop_run_forever_full (loop, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));

  loop_check_expect_critical ("*closed*");
  ck_assert (!loop_event_loop_run_forever (loop));
}
END_TEST

LOOP_TEST_MAIN ("run-stop",
                test_stopped_before,
                test_stopped_before_does_not_wait,
                test_stopped_before_runs_one_batch,
                test_stopped_while_running,
                test_stopped_in_long_batch,
                test_stopped_twice,
                test_stopped_by_timer_and_reader,
                test_stopped_by_another_source,
                test_stopped_through_threadsafe,
                test_many_runs,
                test_last_reference_goes_in_callback,
                test_closed)
