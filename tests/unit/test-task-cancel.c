/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-task.h"

/* Cancellation reaches a task where it waits, and is the coroutine's to accept or not. */

typedef struct
{
  LoopEventLoop *loop;
  LoopFuture *future;
  LoopFuture *second;
  LoopTask *task;
  int n_tries;
} Fixture;

static void
set_up (Fixture *f, LoopFiberFunc func)
{
  f->loop = loop_event_loop_new ();
  f->future = loop_event_loop_create_future (f->loop);
  f->second = loop_event_loop_create_future (f->loop);
  f->task = loop_event_loop_spawn (f->loop, func, f, NULL);
  f->n_tries = 0;
}

static void
tear_down (Fixture *f)
{
  g_object_unref (f->task);
  g_object_unref (f->future);
  g_object_unref (f->second);
  g_object_unref (f->loop);
}

/* Runs the loop until the task is cancelled, with this message. */
static void
check_cancelled (Fixture *f, const char *message)
{
  g_autoptr (GError) error = NULL;

  ck_assert (!loop_event_loop_run_until_complete (f->loop, LOOP_FUTURE (f->task), NULL, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED));
  if (message != NULL)
    ck_assert_str_eq (error->message, message);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (f->task)));
}

static gboolean
await_future (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  note_step ('<');
  if (!loop_await (f->future, error))
    {
      note_step ('!');
      return FALSE;
    }
  note_step ('>');

  return TRUE;
}

START_TEST (test_while_it_waits)
{
  Fixture f;

  set_up (&f, await_future);
  run_once (f.loop);
  check_steps ("<");
  ck_assert (loop_future_cancel_with_message (LOOP_FUTURE (f.task), "enough"));
  /* What it waits for is cancelled at once, and the task when it has seen that. */
  ck_assert (loop_future_cancelled (f.future));
  ck_assert_str_eq (loop_future_get_cancel_message (f.future), "enough");
  ck_assert (!loop_future_done (LOOP_FUTURE (f.task)));
  check_cancelled (&f, "enough");
  check_steps ("!");
  ck_assert (!loop_future_cancel (LOOP_FUTURE (f.task)));
  tear_down (&f);
}
END_TEST

START_TEST (test_before_it_began)
{
  Fixture f;

  set_up (&f, await_future);
  ck_assert (loop_future_cancel (LOOP_FUTURE (f.task)));
  check_cancelled (&f, NULL);
  check_steps ("");
  ck_assert (!loop_future_done (f.future));
  tear_down (&f);
}
END_TEST

/* What it waited for has a result, but the task was not told yet: it is cancelled all the same. */
START_TEST (test_after_the_future_was_done)
{
  Fixture f;

  set_up (&f, await_future);
  run_once (f.loop);
  ck_assert (loop_future_set_result (f.future, NULL, NULL));
  ck_assert (loop_future_cancel (LOOP_FUTURE (f.task)));
  check_cancelled (&f, NULL);
  check_steps ("<!");
  tear_down (&f);
}
END_TEST

/* Cancels itself, and notices where it waits next. */
static gboolean
cancel_itself (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  ck_assert (loop_future_cancel_with_message (LOOP_FUTURE (f->task), "by itself"));
  note_step ('c');
  if (loop_await (f->future, error))
    return TRUE;
  note_step ('!');

  return FALSE;
}

START_TEST (test_itself)
{
  Fixture f;

  set_up (&f, cancel_itself);
  check_cancelled (&f, "by itself");
  check_steps ("c!");
  ck_assert (loop_future_cancelled (f.future));
  tear_down (&f);
}
END_TEST

static gboolean
cancel_itself_and_return (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  ck_assert (loop_future_cancel (LOOP_FUTURE (f->task)));
  g_value_init (result, G_TYPE_INT);

  return TRUE;
}

START_TEST (test_itself_and_returns)
{
  Fixture f;

  set_up (&f, cancel_itself_and_return);
  check_cancelled (&f, NULL);
  tear_down (&f);
}
END_TEST

static gboolean
swallow (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;
  g_autoptr (GError) cancelled = NULL;

  ck_assert (!loop_await (f->future, &cancelled));
  ck_assert (g_error_matches (cancelled, G_IO_ERROR, G_IO_ERROR_CANCELLED));
  note_step ('s');
  if (!loop_await (f->second, error))
    return FALSE;
  note_step ('>');

  return TRUE;
}

START_TEST (test_swallowed)
{
  Fixture f;

  set_up (&f, swallow);
  run_once (f.loop);
  ck_assert_uint_eq (loop_task_cancelling (f.task), 0);
  ck_assert (loop_future_cancel (LOOP_FUTURE (f.task)));
  ck_assert_uint_eq (loop_task_cancelling (f.task), 1);
  run_once (f.loop);
  check_steps ("s");
  ck_assert (!loop_future_done (LOOP_FUTURE (f.task)));
  ck_assert_uint_eq (loop_task_uncancel (f.task), 0);
  ck_assert_uint_eq (loop_task_uncancel (f.task), 0);

  ck_assert (loop_future_set_result (f.second, NULL, NULL));
  ck_assert (loop_event_loop_run_until_complete (f.loop, LOOP_FUTURE (f.task), NULL, NULL));
  check_steps (">");
  tear_down (&f);
}
END_TEST

START_TEST (test_swallowed_and_again)
{
  Fixture f;

  set_up (&f, swallow);
  run_once (f.loop);
  ck_assert (loop_future_cancel (LOOP_FUTURE (f.task)));
  run_once (f.loop);
  ck_assert (loop_future_cancel (LOOP_FUTURE (f.task)));
  ck_assert_uint_eq (loop_task_cancelling (f.task), 2);
  check_cancelled (&f, NULL);
  check_steps ("s");
  tear_down (&f);
}
END_TEST

/* Cancelled for one reason, it fails for another. */
static gboolean
fail_of_something_else (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  if (loop_await (f->future, NULL))
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "while cleaning up");

  return FALSE;
}

START_TEST (test_another_error)
{
  g_autoptr (GError) error = NULL;
  Fixture f;

  set_up (&f, fail_of_something_else);
  run_once (f.loop);
  ck_assert (loop_future_cancel (LOOP_FUTURE (f.task)));
  ck_assert (!loop_event_loop_run_until_complete (f.loop, LOOP_FUTURE (f.task), NULL, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE));
  ck_assert (!loop_future_cancelled (LOOP_FUTURE (f.task)));
  tear_down (&f);
}
END_TEST

static gboolean
await_another_task (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  return loop_await_result (LOOP_FUTURE (loop_event_loop_spawn (f->loop, await_future, f, NULL)), NULL, error);
}

/* Through all that wait for each other. */
START_TEST (test_chain)
{
  Fixture f;

  set_up (&f, await_another_task);
  run_once (f.loop);
  run_once (f.loop);
  check_steps ("<");
  ck_assert (loop_future_cancel_with_message (LOOP_FUTURE (f.task), "all of you"));
  ck_assert (loop_future_cancelled (f.future));
  check_cancelled (&f, "all of you");
  check_steps ("!");
  tear_down (&f);
}
END_TEST

/* The request is taken back before the coroutine has seen it. */
static gboolean
take_back (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  ck_assert (loop_future_cancel (LOOP_FUTURE (f->task)));
  ck_assert_uint_eq (loop_task_uncancel (f->task), 0);

  return loop_await (f->future, error);
}

START_TEST (test_taken_back)
{
  Fixture f;

  set_up (&f, take_back);
  run_once (f.loop);
  ck_assert (!loop_future_done (f.future));
  ck_assert (loop_future_set_result (f.future, NULL, NULL));
  ck_assert (loop_event_loop_run_until_complete (f.loop, LOOP_FUTURE (f.task), NULL, NULL));
  tear_down (&f);
}
END_TEST

LOOP_TEST_MAIN ("task-cancel",
                test_while_it_waits,
                test_before_it_began,
                test_after_the_future_was_done,
                test_itself,
                test_itself_and_returns,
                test_swallowed,
                test_swallowed_and_again,
                test_another_error,
                test_chain,
                test_taken_back)
