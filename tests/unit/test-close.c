/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-event-loop-private.h"
#include "loop-fd-watcher.h"
#include "loop-future.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

/* close: final, idempotent, and what was pending is destroyed and never runs. */

START_TEST (test_idempotent)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  ck_assert (!loop_event_loop_is_closed (loop));
  ck_assert (loop_event_loop_close (loop));
  ck_assert (loop_event_loop_is_closed (loop));
  ck_assert (loop_event_loop_close (loop));
  ck_assert (loop_event_loop_close_full (loop, NULL));
  ck_assert (loop_event_loop_is_closed (loop));
  ck_assert (!loop_event_loop_is_running (loop));
}
END_TEST

static void
check_all_destroyed (const char *letters)
{
  g_autofree char *steps = take_steps ();

  /* In whichever order, each once, and none has run. */
  ck_assert_uint_eq (strlen (steps), strlen (letters));
  for (const char *c = letters; *c != '\0'; c++)
    ck_assert_msg (strchr (steps, *c) != NULL, "%c is not in \"%s\"", *c, steps);
}

START_TEST (test_pending_are_destroyed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GMainContext) context = g_main_context_ref (loop_event_loop_get_context (loop));
  int fds[2];

  ck_assert_int_eq (pipe (fds), 0);
  ck_assert_int_eq (write (fds[1], "x", 1), 1);

  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_later (loop, 0.0, step_run, step_new ('b'), step_destroy);
  loop_event_loop_call_later (loop, 100.0, step_run, step_new ('c'), step_destroy);
  loop_event_loop_call_later (loop, INFINITY, step_run, step_new ('d'), step_destroy);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('e'), step_destroy, NULL, NULL));
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('f'), step_destroy));
  ck_assert (loop_event_loop_add_writer (loop, fds[1], step_run, step_new ('g'), step_destroy));
  loop_event_loop_set_exception_handler (loop, NULL, NULL, NULL);

  ck_assert (loop_event_loop_close (loop));
  check_all_destroyed ("ABCDEFG");

  /* Nothing of the loop is left on its context. */
  for (int i = 0; i < 5; i++)
    ck_assert (!g_main_context_iteration (context, FALSE));
  check_steps ("");

  /* The descriptors are the caller's. */
  ck_assert_int_ge (fcntl (fds[0], F_GETFD), 0);
  ck_assert_int_ge (fcntl (fds[1], F_GETFD), 0);
  ck_assert (!loop_event_loop_remove_reader (loop, fds[0]));
  ck_assert (!loop_event_loop_remove_writer (loop, fds[1]));
  close (fds[0]);
  close (fds[1]);
}
END_TEST

/* A loop on a foreign context, closed with work in all its queues, in the middle of an interrupted batch. */
static void
spend_a_while (gpointer data)
{
  gint64 until = loop_clock_now () + 100 * 1000;

  while (loop_clock_now () < until)
    ;
  count_up (data);
}

static int n_destroyed;

static void
count_destroyed (gpointer data)
{
  n_destroyed++;
}

START_TEST (test_interrupted_batch)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  int n_calls = 0;

  for (int i = 0; i < 1000; i++)
    loop_event_loop_call_soon (loop, spend_a_while, &n_calls, count_destroyed);
  while (n_calls == 0)
    g_main_context_iteration (context, FALSE);

  ck_assert_int_lt (n_calls, 1000);
  ck_assert (!loop_ready_queue_is_empty (&loop->batch));
  ck_assert (loop_event_loop_close (loop));
  ck_assert_int_eq (n_destroyed, 1000);

  g_main_context_iteration (context, FALSE);
  ck_assert_int_lt (n_calls, 1000);
}
END_TEST

START_TEST (test_futures)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) pending = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) done = loop_event_loop_create_future (loop);

  loop_future_add_done_callback (pending, (LoopFutureCallback) step_run, step_new ('p'), step_destroy);
  loop_future_add_done_callback (done, (LoopFutureCallback) step_run, step_new ('d'), step_destroy);
  ck_assert (loop_future_set_result (done, NULL, NULL));

  ck_assert (loop_event_loop_close (loop));
  check_steps ("D");
  ck_assert (!loop_future_done (pending));

  /* A future may still end; only there is nobody left to call. */
  ck_assert (loop_future_cancel (pending));
  check_steps ("P");
  ck_assert (loop_future_cancelled (pending));
  loop_future_add_done_callback (pending, (LoopFutureCallback) step_run, step_new ('q'), step_destroy);
  check_steps ("Q");
}
END_TEST

static gboolean
close_in_source (gpointer loop)
{
  g_autoptr (GError) error = NULL;

  if (loop_event_loop_is_running (loop))
    {
      ck_assert (!loop_event_loop_close_full (loop, &error));
      ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_RUNNING));
      loop_event_loop_stop (loop);
    }
  else
    {
      ck_assert (loop_event_loop_close_full (loop, &error));
    }
  note_step ('x');

  return G_SOURCE_REMOVE;
}

START_TEST (test_in_other_source)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  g_autoptr (GSource) source = g_idle_source_new ();
  g_autoptr (GSource) again = g_idle_source_new ();

  /* Inside run_forever it is refused. */
  g_source_set_callback (source, close_in_source, loop, NULL);
  g_source_attach (source, context);
  ck_assert (loop_event_loop_run_forever (loop));
  check_steps ("x");

  /* Between two callbacks, on a context that somebody else iterates, it is not. */
  g_source_set_callback (again, close_in_source, loop, NULL);
  g_source_set_priority (again, G_PRIORITY_HIGH);
  g_source_attach (again, context);
  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  for (int i = 0; i < 5; i++)
    g_main_context_iteration (context, FALSE);
  check_steps ("Ax");
  ck_assert (loop_event_loop_is_closed (loop));
}
END_TEST

/* The loop's descriptors are given back. */
static int
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  int n = 0;

  ck_assert_ptr_nonnull (dir);
  while (g_dir_read_name (dir) != NULL)
    n++;

  return n;
}

START_TEST (test_descriptors)
{
  int before;

  g_main_context_default ();
  before = count_fds ();

  for (int i = 0; i < 100; i++)
    {
      g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
      g_autoptr (LoopEventLoop) on_default = loop_event_loop_new_for_context (NULL);

      loop_event_loop_call_later (on_default, 0.0001, do_nothing, NULL, NULL);
      run_once (loop);
      g_main_context_iteration (NULL, FALSE);
      if (i % 2 == 0)
        ck_assert (loop_event_loop_close (loop));
    }

  ck_assert_int_eq (count_fds (), before);
}
END_TEST

LOOP_TEST_MAIN ("close",
                test_idempotent,
                test_pending_are_destroyed,
                test_interrupted_batch,
                test_futures,
                test_in_other_source,
                test_descriptors)
