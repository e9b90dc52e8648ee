/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-event.h"
#include "loop-task.h"

static LoopEventLoop *loop;
static LoopEvent *event;

static void
set_up (void)
{
  loop = loop_event_loop_new ();
  event = loop_event_new (loop);
}

static void
tear_down (void)
{
  ck_assert_uint_eq (G_OBJECT (event)->ref_count, 1);
  g_object_unref (event);
  g_object_unref (loop);
}

START_TEST (test_set_and_clear)
{
  g_autoptr (LoopFuture) before = NULL;
  g_autoptr (LoopFuture) meanwhile = NULL;
  g_autoptr (LoopFuture) after = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  set_up ();
  ck_assert (!loop_event_is_set (event));
  before = loop_event_wait (event);
  ck_assert (!loop_future_done (before));
  loop_event_set (event);
  loop_event_set (event);
  ck_assert (loop_event_is_set (event));
  ck_assert (loop_future_result (before, &value, NULL));
  ck_assert (g_value_get_boolean (&value));
  meanwhile = loop_event_wait (event);
  ck_assert (loop_future_done (meanwhile));
  loop_event_clear (event);
  ck_assert (!loop_event_is_set (event));
  after = loop_event_wait (event);
  ck_assert (!loop_future_done (after));
  tear_down ();
}
END_TEST

static gboolean
wait_and_note (GValue *result, gpointer user_data, GError **error)
{
  if (!loop_await_result (loop_event_wait (event), NULL, error))
    return FALSE;
  note_step ((char) GPOINTER_TO_INT (user_data));

  return TRUE;
}

/* Those who wait go on although it is cleared at once, in their order. */
START_TEST (test_in_order)
{
  LoopTask *tasks[4];

  set_up ();
  for (int i = 0; i < 4; i++)
    tasks[i] = loop_event_loop_spawn (loop, wait_and_note, GINT_TO_POINTER ('a' + i), NULL);
  run_once (loop);
  ck_assert (loop_future_cancel (LOOP_FUTURE (tasks[1])));
  loop_event_set (event);
  loop_event_clear (event);
  run_once (loop);
  run_once (loop);
  check_steps ("acd");
  for (int i = 0; i < 4; i++)
    g_object_unref (tasks[i]);
  tear_down ();
}
END_TEST

/* Of an event nothing is to be given back. */
START_TEST (test_cancel_after_set)
{
  g_autoptr (LoopTask) task = NULL;

  set_up ();
  task = loop_event_loop_spawn (loop, wait_and_note, GINT_TO_POINTER ('a'), NULL);
  run_once (loop);
  loop_event_set (event);
  ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
  run_once (loop);
  run_once (loop);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
  ck_assert (loop_event_is_set (event));
  check_steps ("");
  tear_down ();
}
END_TEST

START_TEST (test_event_freed)
{
  g_autoptr (LoopFuture) future = NULL;
  LoopEvent *weak;

  set_up ();
  weak = event;
  g_object_add_weak_pointer (G_OBJECT (event), (gpointer *) &weak);
  future = loop_event_wait (event);
  g_object_unref (loop_event_wait (event));
  g_object_unref (event);
  ck_assert_ptr_null (weak);
  ck_assert (loop_future_cancelled (future));
  ck_assert_str_eq (loop_future_get_cancel_message (future), "The event was freed");
  g_object_unref (loop);
}
END_TEST

/* What nobody has a reference to is told all the same. */
static void
note_done (LoopFuture *future, gpointer data)
{
  ck_assert (loop_future_result (future, NULL, NULL));
  note_step ('d');
}

START_TEST (test_future_dropped)
{
  g_autoptr (LoopFuture) future = NULL;

  set_up ();
  future = loop_event_wait (event);
  loop_future_add_done_callback (future, note_done, NULL, NULL);
  g_clear_object (&future);
  loop_event_set (event);
  run_once (loop);
  check_steps ("d");
  tear_down ();
}
END_TEST

START_TEST (test_loop_closed)
{
  g_autoptr (LoopFuture) waiting = NULL;
  g_autoptr (LoopFuture) late = NULL;

  set_up ();
  waiting = loop_event_wait (event);
  ck_assert (loop_event_loop_close (loop));
  late = loop_event_wait (event);
  check_failed (late, LOOP_ERROR, LOOP_ERROR_CLOSED);
  loop_event_set (event);
  ck_assert (loop_future_done (waiting));
  tear_down ();
}
END_TEST

LOOP_TEST_MAIN ("event",
                test_set_and_clear,
                test_in_order,
                test_cancel_after_set,
                test_event_freed,
                test_future_dropped,
                test_loop_closed)
