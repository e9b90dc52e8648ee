/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-foreign-exception.h"
#include "loop-future.h"
#include "loop-gather.h"

/* An error keeps the exception for which it stands, and so does each of its copies. */

static LoopForeignException *
make_exception (GObject *object)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_OBJECT);
  g_value_set_object (&value, object);

  return loop_foreign_exception_new (&value);
}

static gboolean
stands_for (const GError *error, GObject *object)
{
  g_autoptr (LoopForeignException) exception = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert_uint_eq (error->domain, LOOP_FOREIGN_ERROR);
  exception = loop_foreign_exception_lookup (error->code);
  if (exception == NULL)
    return FALSE;
  loop_foreign_exception_get_value (exception, &value);

  return g_value_get_object (&value) == object;
}

START_TEST (test_copies)
{
  gpointer object = g_object_new (G_TYPE_OBJECT, NULL);
  LoopForeignException *exception = make_exception (object);
  const int code = loop_foreign_exception_get_code (exception);
  GError *error = g_error_new (LOOP_FOREIGN_ERROR, code, "it failed");
  GError *copy;

  ck_assert_int_gt (code, 0);
  g_object_add_weak_pointer (object, &object);
  g_object_unref (object);
  loop_foreign_exception_unref (exception);
  ck_assert (stands_for (error, object));

  copy = g_error_copy (error);
  g_error_free (error);
  ck_assert (stands_for (copy, object));
  ck_assert_str_eq (copy->message, "it failed");

  g_error_free (copy);
  ck_assert_ptr_null (object);
  ck_assert_ptr_null (loop_foreign_exception_lookup (code));
}
END_TEST

START_TEST (test_unknown_code)
{
  g_autoptr (GError) error = g_error_new (LOOP_FOREIGN_ERROR, 1, "nobody's");
  g_autoptr (GError) copy = g_error_copy (error);
  g_autoptr (GObject) object = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (LoopForeignException) exception = make_exception (object);

  /* That somebody has the code now does not concern the error. */
  ck_assert_int_eq (loop_foreign_exception_get_code (exception), 1);
  g_clear_error (&error);
  g_clear_error (&copy);
  ck_assert_uint_eq (object->ref_count, 2);
}
END_TEST

START_TEST (test_codes)
{
  g_autoptr (GObject) object = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (LoopForeignException) first = make_exception (object);
  g_autoptr (LoopForeignException) second = make_exception (object);

  ck_assert_int_ne (loop_foreign_exception_get_code (first), loop_foreign_exception_get_code (second));
}
END_TEST

/* From a future to the one that gathers it, which outlives it. */
START_TEST (test_gathered)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GObject) object = g_object_new (G_TYPE_OBJECT, NULL);
  LoopFuture *future = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) gathered = loop_gather (loop, &future, 1, FALSE);
  g_autoptr (LoopForeignException) exception = make_exception (object);
  g_autoptr (GError) error = NULL;

  error = g_error_new_literal (LOOP_FOREIGN_ERROR, loop_foreign_exception_get_code (exception), "failed");
  ck_assert (loop_future_set_exception (future, error, NULL));
  g_clear_error (&error);
  g_clear_pointer (&exception, loop_foreign_exception_unref);
  run_once (loop);
  g_object_unref (future);

  ck_assert (!loop_event_loop_run_until_complete (loop, gathered, NULL, &error));
  ck_assert (stands_for (error, object));
}
END_TEST

LOOP_TEST_MAIN ("foreign-exception", test_copies, test_unknown_code, test_codes, test_gathered)
