/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-exception-context.h"
#include "loop-future.h"
#include "loop-handle.h"

/* The exception handler of a loop: the default one and one's own. */

typedef struct
{
  LoopEventLoop *loop;
  LoopExceptionContext *expected;
  int n_calls;
} Handler;

static void
handle (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  Handler *self = user_data;

  ck_assert_ptr_eq (loop, self->loop);
  ck_assert_ptr_eq (context, self->expected);
  self->n_calls++;
}

static void
handler_gone (gpointer data)
{
  note_step ('D');
}

START_TEST (test_set_and_get)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopExceptionContext) context = loop_exception_context_new ("something failed", NULL);
  Handler a = { loop, context };
  Handler b = { loop, context };
  gpointer data = &a;

  ck_assert_ptr_null (loop_event_loop_get_exception_handler (loop, &data));
  ck_assert_ptr_null (data);
  ck_assert_ptr_null (loop_event_loop_get_exception_handler (loop, NULL));

  loop_event_loop_set_exception_handler (loop, handle, &a, handler_gone);
  ck_assert (loop_event_loop_get_exception_handler (loop, &data) == handle);
  ck_assert_ptr_eq (data, &a);
  loop_event_loop_call_exception_handler (loop, context);
  ck_assert_int_eq (a.n_calls, 1);

  loop_event_loop_set_exception_handler (loop, handle, &b, handler_gone);
  check_steps ("D");
  loop_event_loop_call_exception_handler (loop, context);
  ck_assert_int_eq (a.n_calls, 1);
  ck_assert_int_eq (b.n_calls, 1);

  loop_event_loop_set_exception_handler (loop, NULL, NULL, NULL);
  check_steps ("D");
  loop_check_expect_warning ("*something failed*");
  loop_event_loop_call_exception_handler (loop, context);
  ck_assert_int_eq (b.n_calls, 1);

  /* With the loop goes the handler's data. */
  loop_event_loop_set_exception_handler (loop, handle, &a, handler_gone);
  g_clear_object (&loop);
  check_steps ("D");
}
END_TEST

START_TEST (test_default_tells_all)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = g_error_new (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "too late");
  g_autoptr (LoopExceptionContext) context = loop_exception_context_new ("something failed", error);
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (GObject) protocol = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  LoopHandle *scheduled = loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  g_autofree char *pattern = NULL;

  loop_handle_set_name (scheduled, "greet");
  loop_exception_context_set_handle (context, scheduled);
  loop_exception_context_set_future (context, future);
  loop_exception_context_set_protocol (context, protocol);
  loop_exception_context_set_transport (context, (LoopTransport *) protocol);
  loop_exception_context_set_socket (context, socket);

  pattern = g_strdup_printf ("something failed*too late*g-io-error-quark %d*handle #%" G_GUINT64_FORMAT
                             " greet*future*LoopFuture*transport*GObject*protocol*GObject*descriptor %d*",
                             G_IO_ERROR_TIMED_OUT, loop_handle_get_id (scheduled), g_socket_get_fd (socket));
  loop_check_expect_warning (pattern);
  loop_event_loop_default_exception_handler (loop, context);
}
END_TEST

/* Percent signs are text. */
START_TEST (test_no_format)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "100%s%n");
  g_autoptr (LoopExceptionContext) context = loop_exception_context_new ("50%s", error);

  loop_check_expect_warning ("50%s: 100%s%n*");
  loop_event_loop_default_exception_handler (loop, context);
}
END_TEST

static void
defer (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  note_step ('h');
  loop_event_loop_default_exception_handler (loop, context);
}

START_TEST (test_defer_to_default)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopExceptionContext) context = loop_exception_context_new ("something failed", NULL);

  loop_event_loop_set_exception_handler (loop, defer, NULL, NULL);
  loop_check_expect_warning ("something failed");
  loop_event_loop_call_exception_handler (loop, context);
  check_steps ("h");
}
END_TEST

/* A handler that sets another one goes on until it returns, and its data with it. */
static void
replace_itself (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  note_step ('h');
  loop_event_loop_set_exception_handler (loop, defer, NULL, NULL);
  note_step ('e');
}

START_TEST (test_replaces_itself)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopExceptionContext) context = loop_exception_context_new ("something failed", NULL);

  loop_event_loop_set_exception_handler (loop, replace_itself, NULL, handler_gone);
  loop_event_loop_call_exception_handler (loop, context);
  check_steps ("heD");

  loop_check_expect_warning ("something failed");
  loop_event_loop_call_exception_handler (loop, context);
  check_steps ("h");
}
END_TEST

/* A handler that keeps the context. */
static LoopExceptionContext *kept;

static void
keep (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  kept = loop_exception_context_ref (context);
}

START_TEST (test_keeps_the_context)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopExceptionContext *context = loop_exception_context_new ("something failed", NULL);

  loop_event_loop_set_exception_handler (loop, keep, NULL, NULL);
  loop_event_loop_call_exception_handler (loop, context);
  loop_exception_context_unref (context);
  ck_assert_str_eq (loop_exception_context_get_message (kept), "something failed");
  loop_exception_context_unref (kept);
}
END_TEST

/* What goes wrong in the handler goes to the log, and does not call it again for ever. */
static void
fail_again (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  g_autoptr (LoopExceptionContext) another = loop_exception_context_new ("the handler failed", NULL);

  note_step ('h');
  loop_event_loop_call_exception_handler (loop, another);
}

START_TEST (test_fails_itself)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopExceptionContext) context = loop_exception_context_new ("something failed", NULL);

  loop_event_loop_set_exception_handler (loop, fail_again, NULL, NULL);
  for (int i = 0; i < 2; i++)
    {
      loop_check_expect_warning ("the handler failed");
      loop_event_loop_call_exception_handler (loop, context);
      check_steps ("h");
      loop_check_assert_expected ();
    }
}
END_TEST

LOOP_TEST_MAIN ("exception-handler",
                test_set_and_get,
                test_default_tells_all,
                test_no_format,
                test_defer_to_default,
                test_replaces_itself,
                test_keeps_the_context,
                test_fails_itself)
