/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-exception-context.h"
#include "loop-task.h"

/* A task drives a coroutine: it begins, goes on, ends and is known by its loop. */

typedef struct
{
  LoopEventLoop *loop;
  LoopFuture *future;
  LoopTask *task;
  int n;
} Fixture;

/* Waits for the future, and returns one more than its result. */
static gboolean
add_one (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;
  g_auto (GValue) value = G_VALUE_INIT;

  note_step ('<');
  if (!loop_await (f->future, error))
    {
      note_step ('!');
      return FALSE;
    }
  note_step ('>');
  ck_assert (loop_future_result (f->future, &value, error));
  g_value_init (result, G_TYPE_INT);
  g_value_set_int (result, g_value_get_int (&value) + 1);

  return TRUE;
}

START_TEST (test_runs)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future };
  g_autoptr (LoopTask) task = loop_event_loop_spawn (loop, add_one, &f, NULL);
  g_auto (GValue) result = G_VALUE_INIT;

  /* Not before the next iteration. */
  check_steps ("");
  run_once (loop);
  check_steps ("<");
  loop_event_loop_call_soon (loop, set_five, future, NULL);
  ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (task), &result, NULL));
  check_steps (">");
  ck_assert_int_eq (g_value_get_int (&result), 6);
  ck_assert_ptr_null (loop_task_get_coroutine (task));
}
END_TEST

/* What is done already is not waited for: no iteration goes by. */
START_TEST (test_done_already)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future };
  g_autoptr (LoopTask) task = NULL;

  set_int (future, 1);
  task = loop_event_loop_spawn (loop, add_one, &f, NULL);
  run_once (loop);
  check_steps ("<>");
  ck_assert (loop_future_done (LOOP_FUTURE (task)));
}
END_TEST

START_TEST (test_awaits_failed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (GError) exception = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "gone");
  g_autoptr (GError) error = NULL;
  Fixture f = { loop, future };
  g_autoptr (LoopTask) task = loop_event_loop_spawn (loop, add_one, &f, NULL);

  run_once (loop);
  ck_assert (loop_future_set_exception (future, exception, NULL));
  ck_assert (!loop_event_loop_run_until_complete (loop, LOOP_FUTURE (task), NULL, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
  check_steps ("<!");
}
END_TEST

static gboolean
await_task (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  ck_assert_ptr_eq (loop_event_loop_get_current_task (f->loop), f->task);
  if (!loop_await_result (LOOP_FUTURE (loop_event_loop_spawn (f->loop, add_one, f, NULL)), result, error))
    return FALSE;
  ck_assert_ptr_eq (loop_event_loop_get_current_task (f->loop), f->task);

  return TRUE;
}

START_TEST (test_awaits_task)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future };
  g_auto (GValue) result = G_VALUE_INIT;

  f.task = loop_event_loop_spawn (loop, await_task, &f, NULL);
  loop_event_loop_call_later (loop, 0.01, set_five, future, NULL);
  ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (f.task), &result, NULL));
  ck_assert_int_eq (g_value_get_int (&result), 6);
  ck_assert_ptr_null (loop_event_loop_get_current_task (loop));
  g_object_unref (f.task);
}
END_TEST

static gboolean
await_itself (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  return loop_await (LOOP_FUTURE (f->task), error);
}

START_TEST (test_awaits_itself)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;
  Fixture f = { loop };

  f.task = loop_event_loop_spawn (loop, await_itself, &f, NULL);
  ck_assert (!loop_event_loop_run_until_complete (loop, LOOP_FUTURE (f.task), NULL, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
  g_object_unref (f.task);
}
END_TEST

START_TEST (test_awaits_another_loops)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) other = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (other);
  g_autoptr (GError) error = NULL;
  Fixture f = { loop, future };
  g_autoptr (LoopTask) task = loop_event_loop_spawn (loop, add_one, &f, NULL);

  ck_assert (!loop_event_loop_run_until_complete (loop, LOOP_FUTURE (task), NULL, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT));
  check_steps ("<!");
}
END_TEST

START_TEST (test_names)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future };
  g_autoptr (LoopTask) first = loop_event_loop_spawn (loop, add_one, &f, NULL);
  g_autoptr (LoopTask) second = loop_event_loop_spawn (loop, add_one, &f, NULL);

  ck_assert_str_eq (loop_task_get_name (first), "Task-1");
  ck_assert_str_eq (loop_task_get_name (second), "Task-2");
  loop_task_set_name (first, "fetch");
  ck_assert_str_eq (loop_task_get_name (first), "fetch");
  loop_task_set_name (first, NULL);
  ck_assert_str_eq (loop_task_get_name (first), "Task-1");

  set_int (future, 1);
  run_once (loop);
  g_free (take_steps ());
}
END_TEST

START_TEST (test_all_tasks)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future };
  g_autoptr (GPtrArray) none = loop_event_loop_all_tasks (loop);
  g_autoptr (GPtrArray) both = NULL;
  g_autoptr (GPtrArray) done = NULL;
  g_autoptr (LoopTask) first = loop_event_loop_spawn (loop, add_one, &f, NULL);
  LoopTask *second = loop_event_loop_spawn (loop, add_one, &f, NULL);

  /* A future is no task. */
  ck_assert_uint_eq (none->len, 0);
  both = loop_event_loop_all_tasks (loop);
  ck_assert_uint_eq (both->len, 2);
  ck_assert_ptr_eq (both->pdata[0], first);
  ck_assert_ptr_eq (both->pdata[1], second);
  g_object_unref (second);

  run_once (loop);
  set_int (future, 1);
  run_once (loop);
  done = loop_event_loop_all_tasks (loop);
  ck_assert_uint_eq (done->len, 0);
  g_free (take_steps ());
}
END_TEST

static LoopTask *
make_task (LoopEventLoop *loop, LoopCoroutine *coroutine, gpointer user_data)
{
  LoopTask *task = loop_task_new (loop, coroutine);

  loop_task_set_name (task, "made");
  note_step ('f');

  return task;
}

static LoopTask *
make_nothing (LoopEventLoop *loop, LoopCoroutine *coroutine, gpointer user_data)
{
  return NULL;
}

START_TEST (test_factory)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future };
  g_autoptr (LoopTask) task = NULL;
  gpointer data = &f;

  ck_assert (loop_event_loop_get_task_factory (loop, &data) == NULL);
  ck_assert_ptr_null (data);
  loop_event_loop_set_task_factory (loop, make_task, step_new ('a'), step_destroy);
  ck_assert (loop_event_loop_get_task_factory (loop, &data) == make_task);
  ck_assert_ptr_nonnull (data);
  task = loop_event_loop_spawn (loop, add_one, &f, NULL);
  check_steps ("f");
  ck_assert_str_eq (loop_task_get_name (task), "made");

  loop_event_loop_set_task_factory (loop, make_nothing, step_new ('b'), step_destroy);
  check_steps ("A");
  loop_check_expect_critical ("*LOOP_IS_TASK*");
  ck_assert_ptr_null (loop_event_loop_spawn (loop, add_one, &f, NULL));

  loop_event_loop_set_task_factory (loop, NULL, NULL, NULL);
  check_steps ("B");
  set_int (future, 1);
  run_once (loop);
  g_free (take_steps ());
}
END_TEST

static void
note_report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  ck_assert_msg (g_pattern_match_simple (user_data, loop_exception_context_get_message (context)), "%s",
                 loop_exception_context_get_message (context));
  note_step ('X');
}

/* Nobody will ever set what it waits for, and nobody keeps it. */
START_TEST (test_dropped)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future };

  loop_event_loop_set_exception_handler (loop, note_report,
                                         (gpointer) "Task Task-1 (*) was destroyed but it is pending", NULL);
  g_object_unref (loop_event_loop_spawn (loop, add_one, &f, NULL));
  run_once (loop);
  check_steps ("<");

  /* While the fiber waits, it keeps the future, and that the task. */
  g_object_unref (future);
  check_steps ("");
  loop_event_loop_close (loop);
  check_steps ("X!");
}
END_TEST

START_TEST (test_loop_closed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future };
  g_autoptr (LoopTask) begun = loop_event_loop_spawn (loop, add_one, &f, NULL);
  g_autoptr (LoopTask) unbegun = NULL;

  loop_event_loop_set_exception_handler (loop, note_report, (gpointer) "*was destroyed but it is pending", NULL);
  run_once (loop);
  check_steps ("<");
  unbegun = loop_event_loop_spawn (loop, add_one, &f, NULL);
  loop_event_loop_close (loop);
  check_steps ("X!X");
  ck_assert (loop_future_cancelled (LOOP_FUTURE (begun)));
  ck_assert (loop_future_cancelled (LOOP_FUTURE (unbegun)));

  loop_check_expect_critical ("*closed*");
  ck_assert_ptr_null (loop_event_loop_spawn (loop, add_one, step_new ('a'), step_destroy));
  check_steps ("A");
}
END_TEST

/* Tasks by the ten thousand, each of which waits for the one before. */
static gboolean
await_previous (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  if (f->future != NULL && !loop_await (f->future, error))
    return FALSE;
  f->n = f->future != NULL ? (f - 1)->n + 1 : 1;

  return TRUE;
}

START_TEST (test_chain)
{
  enum
  {
#ifdef LOOP_WITH_TSAN /* which takes most of a millisecond to make a fiber */
    N = 1000
#else
    N = 10000
#endif
  };
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree Fixture *fixtures = g_new0 (Fixture, N);

  for (int i = 0; i < N; i++)
    {
      fixtures[i].future = i > 0 ? LOOP_FUTURE (fixtures[i - 1].task) : NULL;
      fixtures[i].task = loop_event_loop_spawn (loop, await_previous, &fixtures[i], NULL);
    }
  ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (fixtures[N - 1].task), NULL, NULL));
  ck_assert_int_eq (fixtures[N - 1].n, N);
  for (int i = 0; i < N; i++)
    g_object_unref (fixtures[i].task);
}
END_TEST

LOOP_TEST_MAIN ("task",
                test_runs,
                test_done_already,
                test_awaits_failed,
                test_awaits_task,
                test_awaits_itself,
                test_awaits_another_loops,
                test_names,
                test_all_tasks,
                test_factory,
                test_dropped,
                test_loop_closed,
                test_chain)
