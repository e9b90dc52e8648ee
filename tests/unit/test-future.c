/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-future.h"

/* The states of a future, and what it says in each. */

static GError *
make_error (void)
{
  return g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");
}

START_TEST (test_pending)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  ck_assert (!loop_future_done (future));
  ck_assert (!loop_future_cancelled (future));
  ck_assert_ptr_eq (loop_future_get_loop (future), loop);
  ck_assert_uint_gt (loop_future_get_id (future), 0);

  ck_assert (!loop_future_result (future, &value, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
  ck_assert (!G_IS_VALUE (&value));
  g_clear_error (&error);

  ck_assert_ptr_null (loop_future_exception (future, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
}
END_TEST

START_TEST (test_result)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  g_value_set_int (&value, 42);
  ck_assert (loop_future_set_result (future, &value, &error));
  g_value_set_int (&value, 43);

  ck_assert (loop_future_done (future));
  ck_assert (!loop_future_cancelled (future));

  /* As often as one likes. */
  for (int i = 0; i < 3; i++)
    {
      g_auto (GValue) result = G_VALUE_INIT;

      ck_assert (loop_future_result (future, &result, &error));
      ck_assert (G_VALUE_HOLDS_INT (&result));
      ck_assert_int_eq (g_value_get_int (&result), 42);
    }
  ck_assert (loop_future_result (future, NULL, NULL));

  ck_assert_ptr_null (loop_future_exception (future, &error));
  ck_assert_ptr_null (error);
}
END_TEST

START_TEST (test_no_value)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_auto (GValue) result = G_VALUE_INIT;

  ck_assert (loop_future_set_result (future, NULL, NULL));
  ck_assert (loop_future_result (future, &result, NULL));
  ck_assert (G_VALUE_HOLDS_POINTER (&result));
  ck_assert_ptr_null (g_value_get_pointer (&result));
}
END_TEST

static void
check_round_trip (LoopEventLoop *loop, const GValue *value, GValue *result)
{
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);

  ck_assert (loop_future_set_result (future, value, NULL));
  ck_assert (loop_future_result (future, result, NULL));
  ck_assert_uint_eq (G_VALUE_TYPE (result), G_VALUE_TYPE (value));
}

START_TEST (test_value_types)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GBytes) bytes = g_bytes_new_static ("bytes", 5);
  GObject *object = g_object_new (G_TYPE_OBJECT, NULL);
  gpointer watched = object;
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) result = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_STRING);
  g_value_set_string (&value, "text");
  check_round_trip (loop, &value, &result);
  ck_assert_str_eq (g_value_get_string (&result), "text");
  ck_assert_ptr_ne (g_value_get_string (&result), g_value_get_string (&value));
  g_value_unset (&value);
  g_value_unset (&result);

  g_value_init (&value, G_TYPE_BYTES);
  g_value_set_boxed (&value, bytes);
  check_round_trip (loop, &value, &result);
  ck_assert_ptr_eq (g_value_get_boxed (&result), bytes);
  g_value_unset (&value);
  g_value_unset (&result);

  g_value_init (&value, G_TYPE_DOUBLE);
  g_value_set_double (&value, 1.5);
  check_round_trip (loop, &value, &result);
  ck_assert_double_eq (g_value_get_double (&result), 1.5);
  g_value_unset (&value);
  g_value_unset (&result);

  /* The value keeps what it holds alive, and gives it back with the future. */
  g_object_add_weak_pointer (object, &watched);
  g_value_init (&value, G_TYPE_OBJECT);
  g_value_take_object (&value, object);
  check_round_trip (loop, &value, &result);
  g_value_unset (&value);
  ck_assert_ptr_eq (g_value_get_object (&result), object);
  ck_assert_ptr_nonnull (watched);
  g_value_unset (&result);
  ck_assert_ptr_null (watched);
}
END_TEST

START_TEST (test_exception)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (GError) exception = make_error ();
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_future_set_exception (future, exception, &error));
  ck_assert (loop_future_done (future));
  ck_assert (!loop_future_cancelled (future));

  for (int i = 0; i < 3; i++)
    {
      g_autoptr (GError) got = loop_future_exception (future, &error);

      ck_assert_ptr_null (error);
      ck_assert (g_error_matches (got, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
      ck_assert_ptr_ne (got, exception);
    }

  ck_assert (!loop_future_result (future, &value, &error));
  ck_assert (g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  ck_assert (!G_IS_VALUE (&value));
}
END_TEST

START_TEST (test_cancel)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (GError) error = NULL;

  ck_assert (loop_future_cancel (future));
  ck_assert (loop_future_done (future));
  ck_assert (loop_future_cancelled (future));
  ck_assert (!loop_future_cancel (future));

  ck_assert (!loop_future_result (future, NULL, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED));
  g_clear_error (&error);
  ck_assert_ptr_null (loop_future_exception (future, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED));
}
END_TEST

static void
end_with_result (LoopFuture *future)
{
  ck_assert (loop_future_set_result (future, NULL, NULL));
}

static void
end_with_exception (LoopFuture *future)
{
  g_autoptr (GError) exception = make_error ();
  g_autoptr (GError) retrieved = NULL;

  ck_assert (loop_future_set_exception (future, exception, NULL));
  retrieved = loop_future_exception (future, NULL);
}

static void
end_with_cancel (LoopFuture *future)
{
  ck_assert (loop_future_cancel (future));
}

/* A future ends once. */
START_TEST (test_set_twice)
{
  static void (*const ends[]) (LoopFuture *) = { end_with_result, end_with_exception, end_with_cancel };
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
      g_autoptr (GError) exception = make_error ();
      g_autoptr (GError) error = NULL;
      gboolean was_cancelled;

      ends[i](future);
      was_cancelled = loop_future_cancelled (future);

      ck_assert (!loop_future_set_result (future, NULL, &error));
      ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
      g_clear_error (&error);
      ck_assert (!loop_future_set_exception (future, exception, &error));
      ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
      g_clear_error (&error);
      ck_assert (!loop_future_cancel (future));
      ck_assert_int_eq (loop_future_cancelled (future), was_cancelled);
      ck_assert (loop_future_set_result (future, NULL, NULL) == FALSE);
    }
}
END_TEST

START_TEST (test_ids)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  guint64 last = 0;

  for (int i = 0; i < 1000; i++)
    {
      g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);

      ck_assert_uint_gt (loop_future_get_id (future), last);
      last = loop_future_get_id (future);
    }
}
END_TEST

/* A future keeps its loop. */
START_TEST (test_outlives_reference_to_loop)
{
  LoopEventLoop *loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);

  g_object_unref (loop);
  ck_assert_ptr_eq (loop_future_get_loop (future), loop);
  ck_assert (loop_future_set_result (future, NULL, NULL));
  ck_assert (loop_event_loop_run_until_complete (loop, future, NULL, NULL));
}
END_TEST

LOOP_TEST_MAIN ("future",
                test_pending,
                test_result,
                test_no_value,
                test_value_types,
                test_exception,
                test_cancel,
                test_set_twice,
                test_ids,
                test_outlives_reference_to_loop)
