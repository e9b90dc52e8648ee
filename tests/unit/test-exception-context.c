/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-exception-context.h"
#include "loop-future.h"
#include "loop-handle.h"
#include "loop-transport.h"

/* What an exception context holds, and for how long. */

START_TEST (test_message_and_exception)
{
  g_autoptr (GError) error = g_error_new (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "too late");
  LoopExceptionContext *context = loop_exception_context_new ("something failed", error);

  /* Its own copies. */
  g_clear_error (&error);
  ck_assert_str_eq (loop_exception_context_get_message (context), "something failed");
  ck_assert (g_error_matches (loop_exception_context_get_exception (context), G_IO_ERROR, G_IO_ERROR_TIMED_OUT));
  ck_assert_str_eq (loop_exception_context_get_exception (context)->message, "too late");
  loop_exception_context_unref (context);
}
END_TEST

START_TEST (test_empty)
{
  g_autoptr (LoopExceptionContext) context = loop_exception_context_new ("nothing else", NULL);

  ck_assert_ptr_null (loop_exception_context_get_exception (context));
  ck_assert_ptr_null (loop_exception_context_get_handle (context));
  ck_assert_ptr_null (loop_exception_context_get_future (context));
  ck_assert_ptr_null (loop_exception_context_get_protocol (context));
  ck_assert_ptr_null (loop_exception_context_get_transport (context));
  ck_assert_ptr_null (loop_exception_context_get_socket (context));
}
END_TEST

START_TEST (test_objects)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopExceptionContext) context = loop_exception_context_new ("all of it", NULL);
  LoopHandle *handle = loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  LoopFuture *future = loop_event_loop_create_future (loop);
  GObject *protocol = g_object_new (G_TYPE_OBJECT, NULL);
  /* Any object does for what is not looked into here. */
  GObject *transport = g_object_new (G_TYPE_OBJECT, NULL);
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  gpointer watched[4] = { future, protocol, transport, socket };

  for (int i = 0; i < 4; i++)
    g_object_add_weak_pointer (watched[i], &watched[i]);

  loop_exception_context_set_handle (context, handle);
  loop_exception_context_set_future (context, future);
  loop_exception_context_set_protocol (context, protocol);
  loop_exception_context_set_transport (context, (LoopTransport *) transport);
  loop_exception_context_set_socket (context, socket);

  /* Setting the same again is no loss. */
  loop_exception_context_set_handle (context, handle);
  loop_exception_context_set_future (context, future);

  run_once (loop);
  g_object_unref (future);
  g_object_unref (protocol);
  g_object_unref (transport);
  g_object_unref (socket);

  ck_assert_ptr_eq (loop_exception_context_get_handle (context), handle);
  ck_assert_ptr_eq (loop_exception_context_get_future (context), future);
  ck_assert_ptr_eq (loop_exception_context_get_protocol (context), protocol);
  ck_assert_ptr_eq (loop_exception_context_get_transport (context), (LoopTransport *) transport);
  ck_assert_ptr_eq (loop_exception_context_get_socket (context), socket);

  loop_exception_context_set_handle (context, NULL);
  loop_exception_context_set_future (context, NULL);
  loop_exception_context_set_protocol (context, NULL);
  ck_assert_ptr_null (watched[0]);
  ck_assert_ptr_null (watched[1]);
  ck_assert_ptr_null (loop_exception_context_get_handle (context));
  ck_assert_ptr_null (loop_exception_context_get_future (context));

  g_clear_pointer (&context, loop_exception_context_unref);
  ck_assert_ptr_null (watched[2]);
  ck_assert_ptr_null (watched[3]);
}
END_TEST

START_TEST (test_boxed)
{
  g_autoptr (LoopExceptionContext) context = loop_exception_context_new ("in a box", NULL);
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, LOOP_TYPE_EXCEPTION_CONTEXT);
  g_value_set_boxed (&value, context);
  ck_assert_ptr_eq (g_value_get_boxed (&value), context);
}
END_TEST

LOOP_TEST_MAIN ("exception-context", test_message_and_exception, test_empty, test_objects, test_boxed)
