/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-handle.h"

/* Cancelling: before the callback, from inside it, from a sibling, twice, and too late. */

typedef struct
{
  char letter;
  LoopHandle *own;
  LoopHandle *victim;
  gboolean own_cancelled;
} Actor;

static void
actor_run (gpointer data)
{
  Actor *self = data;

  note_step (self->letter);
  if (self->victim != NULL)
    {
      loop_handle_cancel (self->victim);
      if (self->victim == self->own)
        self->own_cancelled = loop_handle_cancelled (self->own);
    }
}

static void
actor_destroy (gpointer data)
{
  Actor *self = data;

  note_step (g_ascii_toupper (self->letter));
}

START_TEST (test_before)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopHandle) b = NULL;

  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  b = loop_handle_ref (loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy));
  loop_event_loop_call_soon (loop, step_run, step_new ('c'), step_destroy);
  ck_assert (!loop_handle_cancelled (b));

  /* Its data goes at once. */
  loop_handle_cancel (b);
  check_steps ("B");
  ck_assert (loop_handle_cancelled (b));

  run_once (loop);
  check_steps ("aAcC");
  ck_assert (loop_handle_cancelled (b));
}
END_TEST

START_TEST (test_twice)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopHandle) handle = NULL;

  handle = loop_handle_ref (loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy));
  loop_handle_cancel (handle);
  loop_handle_cancel (handle);
  run_once (loop);
  loop_handle_cancel (handle);

  check_steps ("A");
  ck_assert (loop_handle_cancelled (handle));
}
END_TEST

START_TEST (test_after)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopHandle) handle = NULL;

  handle = loop_handle_ref (loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy));
  run_once (loop);
  loop_handle_cancel (handle);

  check_steps ("aA");
  ck_assert (!loop_handle_cancelled (handle));
}
END_TEST

/* It is too late in the callback itself: it was called, and its data goes afterwards, once. */
START_TEST (test_itself)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Actor actor = { 'a' };
  g_autoptr (LoopHandle) handle = NULL;

  handle = loop_handle_ref (loop_event_loop_call_soon (loop, actor_run, &actor, actor_destroy));
  actor.own = actor.victim = handle;
  run_once (loop);

  check_steps ("aA");
  ck_assert (!actor.own_cancelled);
  ck_assert (!loop_handle_cancelled (handle));
}
END_TEST

/* The same with the borrowed handle, which the loop alone owns. */
START_TEST (test_itself_borrowed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Actor actor = { 'a' };

  actor.own = actor.victim = loop_event_loop_call_soon (loop, actor_run, &actor, actor_destroy);
  run_once (loop);

  check_steps ("aA");
  ck_assert (!actor.own_cancelled);
}
END_TEST

static LoopHandle *cancelled_in_notify;

static void
destroy_cancelling (gpointer data)
{
  note_step ('D');
  loop_handle_cancel (cancelled_in_notify);
}

START_TEST (test_itself_in_notify)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  cancelled_in_notify = loop_event_loop_call_soon (loop, do_nothing, NULL, destroy_cancelling);
  run_once (loop);
  check_steps ("D");

  cancelled_in_notify = loop_event_loop_call_soon (loop, do_nothing, NULL, destroy_cancelling);
  loop_handle_cancel (cancelled_in_notify);
  check_steps ("D");
}
END_TEST

START_TEST (test_sibling_of_the_batch)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Actor first = { 'a' };
  Actor last = { 'c' };
  g_autoptr (LoopHandle) ran = NULL;
  g_autoptr (LoopHandle) victim = NULL;

  ran = loop_handle_ref (loop_event_loop_call_soon (loop, actor_run, &first, actor_destroy));
  victim = loop_handle_ref (loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy));
  loop_event_loop_call_soon (loop, actor_run, &last, actor_destroy);
  first.victim = victim;
  last.victim = ran;
  run_once (loop);

  /* The one that is to come does not run, the one that has run is not changed. */
  check_steps ("aBAcC");
  ck_assert (loop_handle_cancelled (victim));
  ck_assert (!loop_handle_cancelled (ran));
}
END_TEST

START_TEST (test_last_of_the_batch)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Actor first = { 'a' };

  loop_event_loop_call_soon (loop, actor_run, &first, actor_destroy);
  first.victim = loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy);
  run_once (loop);
  check_steps ("aBA");

  loop_event_loop_call_soon (loop, step_run, step_new ('c'), step_destroy);
  run_once (loop);
  check_steps ("cC");
}
END_TEST

/* A timer that is due together with a callback that cancels it. */
START_TEST (test_due_timer)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Actor first = { 'a' };
  LoopTimerHandle *timer;

  loop_event_loop_call_soon (loop, actor_run, &first, actor_destroy);
  timer = loop_event_loop_call_later (loop, -1.0, step_run, step_new ('t'), step_destroy);
  first.victim = (LoopHandle *) timer;
  run_once (loop);
  check_steps ("aTA");

  /* And the other way round: a timer that cancels its twin. */
  first.letter = 'b';
  loop_event_loop_call_later (loop, 0.0, actor_run, &first, actor_destroy);
  first.victim = (LoopHandle *) loop_event_loop_call_later (loop, 0.0, step_run, step_new ('u'), step_destroy);
  run_once (loop);
  check_steps ("bUB");
}
END_TEST

START_TEST (test_one_of_each_third)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopHandle *handles[300];
  int n_calls[300] = { 0 };

  for (int i = 0; i < 300; i++)
    handles[i] = loop_event_loop_call_soon (loop, count_up, &n_calls[i], NULL);
  for (int i = 299; i >= 0; i -= 3)
    loop_handle_cancel (handles[i]);
  run_once (loop);

  for (int i = 0; i < 300; i++)
    ck_assert_int_eq (n_calls[i], i % 3 != 2);
}
END_TEST

/* The callback of a loop on a foreign context is cancelled like any other. */
START_TEST (test_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  LoopHandle *handle = loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);

  loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy);
  loop_handle_cancel (handle);
  check_steps ("A");
  while (g_main_context_iteration (context, FALSE))
    ;
  check_steps ("bB");
}
END_TEST

LOOP_TEST_MAIN ("handle-cancel",
                test_before,
                test_twice,
                test_after,
                test_itself,
                test_itself_borrowed,
                test_itself_in_notify,
                test_sibling_of_the_batch,
                test_last_of_the_batch,
                test_due_timer,
                test_one_of_each_third,
                test_foreign_context)
