/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

void
set_int (LoopFuture *future, int number)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  g_value_set_int (&value, number);
  ck_assert (loop_future_set_result (future, &value, NULL));
}

int
get_int (LoopFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_future_result (future, &value, &error), "%s", error != NULL ? error->message : "");

  return g_value_get_int (&value);
}

void
set_five (gpointer future)
{
  set_int (future, 5);
}

void
set_not_found (LoopFuture *future)
{
  g_autoptr (GError) exception = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "not there");

  ck_assert (loop_future_set_exception (future, exception, NULL));
}
