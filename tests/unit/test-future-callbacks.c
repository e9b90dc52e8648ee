/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-future.h"

/* Done callbacks: through call_soon, in order, each once. */

static LoopFuture *expected_future;

static void
run (LoopFuture *future, gpointer step)
{
  ck_assert_ptr_eq (future, expected_future);
  ck_assert (loop_future_done (future));
  ck_assert_ptr_eq (loop_event_loop_get_running (), loop_future_get_loop (future));
  step_run (step);
}

static guint64
add (LoopFuture *future, char letter)
{
  return loop_future_add_done_callback (future, run, step_new (letter), step_destroy);
}

START_TEST (test_through_call_soon)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = expected_future = loop_event_loop_create_future (loop);

  add (future, 'a');
  run_once (loop);
  check_steps ("");

  loop_event_loop_call_soon (loop, step_run, step_new ('s'), step_destroy);
  ck_assert (loop_future_set_result (future, NULL, NULL));
  loop_event_loop_call_soon (loop, step_run, step_new ('t'), step_destroy);
  check_steps ("");

  run_once (loop);
  check_steps ("sSaAtT");
  run_once (loop);
  check_steps ("");
}
END_TEST

START_TEST (test_in_order)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = expected_future = loop_event_loop_create_future (loop);
  guint64 a = add (future, 'a');
  guint64 b = add (future, 'b');

  ck_assert_uint_ne (a, 0);
  ck_assert_uint_ne (a, b);
  add (future, 'c');
  ck_assert (loop_future_cancel (future));
  run_once (loop);
  check_steps ("aAbBcC");
}
END_TEST

START_TEST (test_same_function_twice)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = expected_future = loop_event_loop_create_future (loop);
  char letter = 'a';

  loop_future_add_done_callback (future, run, &letter, NULL);
  loop_future_add_done_callback (future, run, &letter, NULL);
  ck_assert (loop_future_set_result (future, NULL, NULL));
  run_once (loop);
  check_steps ("aa");
}
END_TEST

START_TEST (test_added_after_done)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = expected_future = loop_event_loop_create_future (loop);

  add (future, 'a');
  ck_assert (loop_future_set_result (future, NULL, NULL));
  add (future, 'b');
  check_steps ("");
  run_once (loop);
  check_steps ("aAbB");

  add (future, 'c');
  check_steps ("");
  run_once (loop);
  check_steps ("cC");
}
END_TEST

/* One that is added by another is for the next iteration. */
static void
add_another (LoopFuture *future, gpointer data)
{
  note_step ('x');
  add (future, 'n');
}

START_TEST (test_added_in_callback)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = expected_future = loop_event_loop_create_future (loop);

  loop_future_add_done_callback (future, add_another, NULL, NULL);
  add (future, 'b');
  ck_assert (loop_future_set_result (future, NULL, NULL));
  run_once (loop);
  check_steps ("xbB");
  run_once (loop);
  check_steps ("nN");
}
END_TEST

START_TEST (test_remove)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = expected_future = loop_event_loop_create_future (loop);
  guint64 ids[5];

  for (int i = 0; i < 5; i++)
    ids[i] = add (future, (char) ('a' + i));

  /* In the middle, first, last. */
  ck_assert (loop_future_remove_done_callback (future, ids[2]));
  check_steps ("C");
  ck_assert (!loop_future_remove_done_callback (future, ids[2]));
  ck_assert (loop_future_remove_done_callback (future, ids[0]));
  ck_assert (loop_future_remove_done_callback (future, ids[4]));
  check_steps ("AE");
  ck_assert (!loop_future_remove_done_callback (future, 0));
  ck_assert (!loop_future_remove_done_callback (future, G_MAXUINT64));

  add (future, 'f');
  ck_assert (loop_future_set_result (future, NULL, NULL));
  /* It is under way. */
  ck_assert (!loop_future_remove_done_callback (future, ids[1]));
  run_once (loop);
  check_steps ("bBdDfF");
}
END_TEST

START_TEST (test_remove_all_then_add)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = expected_future = loop_event_loop_create_future (loop);

  ck_assert (loop_future_remove_done_callback (future, add (future, 'a')));
  add (future, 'b');
  ck_assert (loop_future_set_result (future, NULL, NULL));
  run_once (loop);
  check_steps ("AbB");
}
END_TEST

/* A future that never ends takes its callbacks' data with it. */
START_TEST (test_never_done)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *future = loop_event_loop_create_future (loop);

  add (future, 'a');
  add (future, 'b');
  g_object_unref (future);
  check_steps ("AB");
}
END_TEST

/* The callbacks have the future still, when everybody else has dropped it. */
START_TEST (test_last_reference_goes_before)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *future = expected_future = loop_event_loop_create_future (loop);
  gpointer watched = future;

  g_object_add_weak_pointer (G_OBJECT (future), &watched);
  add (future, 'a');
  ck_assert (loop_future_set_result (future, NULL, NULL));
  g_object_unref (future);
  ck_assert_ptr_nonnull (watched);
  run_once (loop);
  check_steps ("aA");
  ck_assert_ptr_null (watched);
}
END_TEST

static void
unref_future (LoopFuture *future, gpointer data)
{
  note_step ('u');
  g_object_unref (future);
}

START_TEST (test_last_reference_goes_in_callback)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *future = expected_future = loop_event_loop_create_future (loop);

  loop_future_add_done_callback (future, unref_future, NULL, NULL);
  add (future, 'a');
  ck_assert (loop_future_cancel (future));
  run_once (loop);
  check_steps ("uaA");
}
END_TEST

/* On a foreign context they come as well. */
START_TEST (test_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  g_autoptr (LoopFuture) future = expected_future = loop_event_loop_create_future (loop);

  add (future, 'a');
  ck_assert (loop_future_set_result (future, NULL, NULL));
  for (int i = 0; i < 3; i++)
    g_main_context_iteration (context, FALSE);
  check_steps ("aA");
}
END_TEST

LOOP_TEST_MAIN ("future-callbacks",
                test_through_call_soon,
                test_in_order,
                test_same_function_twice,
                test_added_after_done,
                test_added_in_callback,
                test_remove,
                test_remove_all_then_add,
                test_never_done,
                test_last_reference_goes_before,
                test_last_reference_goes_in_callback,
                test_foreign_context)
