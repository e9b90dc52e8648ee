/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-fiber.h"

#include <string.h>

/* A fiber by itself, driven by hand through its interface as a coroutine. */

typedef struct
{
  LoopEventLoop *loop;
  LoopFuture *future;
  int depth;
} Fixture;

static gboolean
return_seven (GValue *result, gpointer user_data, GError **error)
{
  note_step ('r');
  g_value_init (result, G_TYPE_INT);
  g_value_set_int (result, 7);

  return TRUE;
}

START_TEST (test_returns)
{
  g_autoptr (LoopFiber) fiber = loop_fiber_new (return_seven, step_new ('a'), step_destroy);
  g_auto (GValue) result = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  LoopFuture *awaited;

  check_steps ("");
  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, &error), LOOP_COROUTINE_RETURNED);
  ck_assert_ptr_null (awaited);
  ck_assert_int_eq (g_value_get_int (&result), 7);
  check_steps ("rA");

  g_value_unset (&result);
  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, &error), LOOP_COROUTINE_RAISED);
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
}
END_TEST

static gboolean
raise_error (GValue *result, gpointer user_data, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "gone");

  return FALSE;
}

static gboolean
fail_in_silence (GValue *result, gpointer user_data, GError **error)
{
  return FALSE;
}

START_TEST (test_raises)
{
  g_autoptr (LoopFiber) fiber = loop_fiber_new (raise_error, NULL, NULL);
  g_autoptr (LoopFiber) silent = loop_fiber_new (fail_in_silence, NULL, NULL);
  GValue result = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  LoopFuture *awaited;

  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, &error), LOOP_COROUTINE_RAISED);
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
  ck_assert (!G_IS_VALUE (&result));

  g_clear_error (&error);
  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (silent), &awaited, &result, &error), LOOP_COROUTINE_RAISED);
  ck_assert_ptr_nonnull (error);
}
END_TEST

/* Waits from deep in other functions, with something on each frame. */
static gboolean
await_deep (Fixture *f, int depth, GError **error)
{
  volatile char frame[512];

  frame[0] = frame[511] = (char) depth;
  /* Or clang keeps these two only. */
  __asm__ volatile("" ::"r"(frame) : "memory");
  if (depth == 0 ? !loop_await (f->future, error) : !await_deep (f, depth - 1, error))
    return FALSE;
  ck_assert_int_eq (frame[0], (char) depth);
  ck_assert_int_eq (frame[511], (char) depth);

  return TRUE;
}

static gboolean
await_future (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  note_step ('<');
  if (!await_deep (f, f->depth, error))
    {
      note_step ('!');
      return FALSE;
    }
  note_step ('>');

  return loop_future_result (f->future, result, error);
}

START_TEST (test_awaits)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future, 20 };
  g_autoptr (LoopFiber) fiber = loop_fiber_new (await_future, &f, NULL);
  g_auto (GValue) result = G_VALUE_INIT;
  LoopFuture *awaited;

  ck_assert_ptr_null (loop_fiber_get_current ());
  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, NULL), LOOP_COROUTINE_AWAITING);
  ck_assert_ptr_eq (awaited, future);
  g_object_unref (awaited);
  ck_assert_ptr_null (loop_fiber_get_current ());
  check_steps ("<");
  ck_assert_uint_gt (loop_fiber_get_stack_used (fiber), 20 * 512);

  /* Told to go on too early, it waits again. */
  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, NULL), LOOP_COROUTINE_AWAITING);
  ck_assert_ptr_eq (awaited, future);
  g_object_unref (awaited);
  check_steps ("");

  set_int (future, 42);
  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, NULL), LOOP_COROUTINE_RETURNED);
  ck_assert_int_eq (g_value_get_int (&result), 42);
  check_steps (">");
  ck_assert_uint_eq (loop_fiber_get_stack_used (fiber), 0);
}
END_TEST

START_TEST (test_thrown_into)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future, 3 };
  g_autoptr (LoopFiber) fiber = loop_fiber_new (await_future, &f, NULL);
  g_autoptr (LoopFiber) unbegun = loop_fiber_new (await_future, step_new ('b'), step_destroy);
  g_autoptr (GError) exception = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "late");
  g_autoptr (GError) error = NULL;
  GValue result = G_VALUE_INIT;
  LoopFuture *awaited;

  loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, NULL);
  g_object_unref (awaited);
  ck_assert_int_eq (loop_coroutine_throw (LOOP_COROUTINE (fiber), exception, &awaited, &result, &error),
                    LOOP_COROUTINE_RAISED);
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT));
  check_steps ("<!");
  ck_assert (!loop_future_done (future));

  g_clear_error (&error);
  ck_assert_int_eq (loop_coroutine_throw (LOOP_COROUTINE (unbegun), exception, &awaited, &result, &error),
                    LOOP_COROUTINE_RAISED);
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT));
  check_steps ("B");
}
END_TEST

START_TEST (test_closed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future, 3 };
  LoopFiber *fiber = loop_fiber_new (await_future, &f, NULL);
  GValue result = G_VALUE_INIT;
  LoopFuture *awaited;

  loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, NULL);
  g_object_unref (awaited);
  check_steps ("<");
  loop_coroutine_close (LOOP_COROUTINE (fiber));
  check_steps ("!");
  loop_coroutine_close (LOOP_COROUTINE (fiber));
  check_steps ("");
  g_object_unref (fiber);

  /* Dropping it does the same. */
  fiber = loop_fiber_new (await_future, &f, NULL);
  loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, NULL);
  g_object_unref (awaited);
  check_steps ("<");
  g_object_unref (fiber);
  check_steps ("!");

  /* One that was never begun is only freed. */
  fiber = loop_fiber_new (await_future, step_new ('c'), step_destroy);
  g_object_unref (fiber);
  check_steps ("C");
}
END_TEST

static void
note_fixture (gpointer data)
{
  note_step ('F');
}

static gboolean
await_whatever_happens (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  while (!loop_await (f->future, NULL))
    f->depth++;

  return TRUE;
}

START_TEST (test_closed_but_goes_on)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future, 0 };
  LoopFiber *fiber = loop_fiber_new (await_whatever_happens, &f, note_fixture);
  GValue result = G_VALUE_INIT;
  LoopFuture *awaited;

  loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, NULL);
  g_object_unref (awaited);
  loop_check_expect_critical ("*goes on waiting while it is being closed*");
  loop_coroutine_close (LOOP_COROUTINE (fiber));
  ck_assert_int_gt (f.depth, 100);
  check_steps ("F");

  /* It is over, though it has not returned. */
  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, NULL), LOOP_COROUTINE_RAISED);
  g_object_unref (fiber);
  check_steps ("");
}
END_TEST

/* Away from the frames that wait, with variables that a sanitizer sets apart from each other. */
static gboolean
await_in_frames (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;
  char *volatile heap;
  char frame[3000];

  memset (frame, 1, sizeof frame);
  heap = frame;
  if (--f->depth > 0)
    return await_in_frames (result, user_data, error) && heap[10] == 1;

  return await_whatever_happens (result, user_data, error);
}

static gboolean
fill_large_frame (GValue *result, gpointer user_data, GError **error)
{
  char *volatile frame = g_alloca (80 * 1024);

  memset (frame, 2, 80 * 1024);

  return frame[1000] == 2;
}

/* The next fiber finds nothing on a stack of what another has left there. */
START_TEST (test_stack_of_one_that_went_on)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopFiber) next = loop_fiber_new (fill_large_frame, NULL, NULL);
  Fixture f = { loop, future, 20 };
  LoopFiber *fiber = loop_fiber_new (await_in_frames, &f, NULL);
  GValue result = G_VALUE_INIT;
  LoopFuture *awaited;

  loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, NULL);
  g_object_unref (awaited);
  loop_check_expect_critical ("*goes on waiting while it is being closed*");
  g_object_unref (fiber);

  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (next), &awaited, &result, NULL), LOOP_COROUTINE_RETURNED);
}
END_TEST

static gboolean
send_to_itself (GValue *result, gpointer user_data, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  LoopFuture *awaited;

  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (loop_fiber_get_current ()), &awaited, &value, error),
                    LOOP_COROUTINE_RAISED);

  return FALSE;
}

static gboolean
run_inner (GValue *result, gpointer user_data, GError **error)
{
  LoopFiber *self = loop_fiber_get_current ();
  g_autoptr (LoopFiber) inner = loop_fiber_new (return_seven, NULL, NULL);
  LoopFuture *awaited;

  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (inner), &awaited, result, error), LOOP_COROUTINE_RETURNED);
  ck_assert_ptr_eq (loop_fiber_get_current (), self);

  return TRUE;
}

START_TEST (test_nested)
{
  g_autoptr (LoopFiber) fiber = loop_fiber_new (send_to_itself, NULL, NULL);
  g_autoptr (LoopFiber) outer = loop_fiber_new (run_inner, NULL, NULL);
  g_autoptr (GError) error = NULL;
  g_auto (GValue) result = G_VALUE_INIT;
  LoopFuture *awaited;

  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, &error), LOOP_COROUTINE_RAISED);
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));

  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (outer), &awaited, &result, NULL), LOOP_COROUTINE_RETURNED);
  ck_assert_int_eq (g_value_get_int (&result), 7);
}
END_TEST

/* Resumes a fiber, which waits, and waits itself. */
static gboolean
send_and_wait (GValue *result, gpointer user_data, GError **error)
{
  LoopFiber *inner = user_data;
  g_autoptr (LoopFuture) awaited = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  if (loop_coroutine_send (LOOP_COROUTINE (inner), &awaited, &value, error) != LOOP_COROUTINE_AWAITING)
    return g_value_get_int (&value) == 42;

  return loop_await (awaited, error);
}

/* A fiber is resumed by another than the one that began it, and by none. */
START_TEST (test_nested_waits)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future, 5 };
  g_autoptr (LoopFiber) inner = loop_fiber_new (await_future, &f, NULL);
  LoopFiber *outer[4];
  GValue result = G_VALUE_INIT;
  LoopFuture *awaited;

  for (int i = 0; i < 3; i++)
    {
      outer[i] = loop_fiber_new (send_and_wait, inner, NULL);
      ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (outer[i]), &awaited, &result, NULL),
                        LOOP_COROUTINE_AWAITING);
      ck_assert_ptr_eq (awaited, future);
      g_object_unref (awaited);
      ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (inner), &awaited, &result, NULL), LOOP_COROUTINE_AWAITING);
      g_object_unref (awaited);
    }
  check_steps ("<");

  /* The one that began it ends first, and one that waits is dropped. */
  g_object_unref (outer[1]);
  set_int (future, 42);
  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (outer[0]), &awaited, &result, NULL), LOOP_COROUTINE_RETURNED);
  check_steps ("");
  outer[3] = loop_fiber_new (send_and_wait, inner, NULL);
  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (outer[3]), &awaited, &result, NULL), LOOP_COROUTINE_RETURNED);
  check_steps (">");
  ck_assert_int_eq (loop_coroutine_send (LOOP_COROUTINE (outer[2]), &awaited, &result, NULL), LOOP_COROUTINE_RETURNED);

  g_object_unref (outer[0]);
  g_object_unref (outer[2]);
  g_object_unref (outer[3]);
}
END_TEST

START_TEST (test_await_outside)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (GError) error = NULL;

  ck_assert (!loop_await (future, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
}
END_TEST

static gpointer
send_from_thread (gpointer data)
{
  GError *error = NULL;
  GValue result = G_VALUE_INIT;
  LoopFuture *awaited;

  ck_assert_int_eq (loop_coroutine_send (data, &awaited, &result, &error), LOOP_COROUTINE_RAISED);

  return error;
}

START_TEST (test_stays_on_its_thread)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Fixture f = { loop, future, 0 };
  g_autoptr (LoopFiber) fiber = loop_fiber_new (await_future, &f, NULL);
  g_autoptr (GError) error = NULL;
  GValue result = G_VALUE_INIT;
  LoopFuture *awaited;

  loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, NULL);
  g_object_unref (awaited);
  error = g_thread_join (g_thread_new ("other", send_from_thread, fiber));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_WRONG_THREAD));
  loop_coroutine_close (LOOP_COROUTINE (fiber));
  check_steps ("<!");
}
END_TEST

/* What a function may count on across a wait: the registers that are its own, and how it rounds. */
static gboolean
keep_registers (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;
  double a = f->depth + 0.5, b = a * 3, c = b * 5, d = c * 7;
  gint64 i = f->depth, j = i * 11, k = j * 13, l = k * 17, m = l * 19, n = m * 23;

  if (!loop_await (f->future, error))
    return FALSE;

  ck_assert_double_eq (a * 3, b);
  ck_assert_double_eq (b * 5, c);
  ck_assert_double_eq (c * 7, d);
  ck_assert_int_eq (i * 11, j);
  ck_assert_int_eq (j * 13, k);
  ck_assert_int_eq (k * 17, l);
  ck_assert_int_eq (l * 19, m);
  ck_assert_int_eq (m * 23, n);

  return TRUE;
}

START_TEST (test_many)
{
  enum
  {
    N = 2000
  };
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree Fixture *fixtures = g_new0 (Fixture, N);
  g_autoptr (GPtrArray) fibers = g_ptr_array_new_with_free_func (g_object_unref);
  GValue result = G_VALUE_INIT;
  LoopFuture *awaited;

  for (int round = 0; round < 3; round++)
    {
      g_autoptr (LoopFuture) next = loop_event_loop_create_future (loop);

      for (int i = 0; i < N; i++)
        {
          fixtures[i] = (Fixture) { loop, next, i };
          g_ptr_array_add (fibers, loop_fiber_new (keep_registers, &fixtures[i], NULL));
          ck_assert_int_eq (loop_coroutine_send (fibers->pdata[i], &awaited, &result, NULL), LOOP_COROUTINE_AWAITING);
          g_object_unref (awaited);
        }
      set_int (next, 1);
      for (int i = 0; i < N; i++)
        ck_assert_int_eq (loop_coroutine_send (fibers->pdata[(i * 7) % N], &awaited, &result, NULL),
                          LOOP_COROUTINE_RETURNED);
      g_ptr_array_set_size (fibers, 0);
    }
}
END_TEST

LOOP_TEST_MAIN ("fiber",
                test_returns,
                test_raises,
                test_awaits,
                test_thrown_into,
                test_closed,
                test_closed_but_goes_on,
                test_stack_of_one_that_went_on,
                test_nested,
                test_nested_waits,
                test_await_outside,
                test_stays_on_its_thread,
                test_many)
