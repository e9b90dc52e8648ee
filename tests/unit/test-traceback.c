/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-steps.h"

#include "loop-event-loop-private.h"
#include "loop-exception-context.h"
#include "loop-fd-watcher.h"
#include "loop-future.h"
#include "loop-server.h"
#include "loop-traceback-private.h"
#include "tcp-check.h"

#include <unistd.h>

/* In debug mode it is kept who made what, and forgotten once that has gone. */

static LoopEventLoop *
new_debugged_loop (void)
{
  LoopEventLoop *loop = loop_event_loop_new ();

  loop_event_loop_set_debug (loop, TRUE);
  loop_event_loop_set_slow_callback_duration (loop, 10.0);

  return loop;
}

static gboolean
is_known (guint64 id)
{
  g_autofree char *traceback = loop_traceback_to_string (id);
  g_autofree char *origin = loop_traceback_get_origin (id);

  ck_assert_int_eq (traceback != NULL, origin != NULL);
  if (traceback == NULL)
    return FALSE;

  ck_assert_msg (g_str_has_suffix (traceback, "\n"), "%s", traceback);
#ifdef HAVE_ELFUTILS_LIBDWFL_H
  ck_assert_msg (strstr (traceback, "(test-traceback.c:") != NULL, "%s", traceback);
#else
  ck_assert_msg (strstr (traceback, "test-traceback+0x") != NULL, "%s", traceback);
#endif

  return TRUE;
}

START_TEST (test_handle)
{
  g_autoptr (LoopEventLoop) loop = new_debugged_loop ();
  guint64 id = loop_handle_get_id (loop_event_loop_call_soon (loop, do_nothing, NULL, NULL));
  LoopHandle *cancelled = loop_handle_ref (loop_event_loop_call_soon (loop, do_nothing, NULL, NULL));

  ck_assert (is_known (id));
  ck_assert (is_known (loop_handle_get_id (cancelled)));

  loop_handle_cancel (cancelled);
  ck_assert (!is_known (loop_handle_get_id (cancelled)));
  ck_assert (is_known (id));
  loop_handle_unref (cancelled);

  run_once (loop);
  ck_assert (!is_known (id));
}
END_TEST

START_TEST (test_timer)
{
  g_autoptr (LoopEventLoop) loop = new_debugged_loop ();
  guint64 id = loop_timer_handle_get_id (loop_event_loop_call_later (loop, 0.0, do_nothing, NULL, NULL));
  LoopTimerHandle *later = loop_event_loop_call_later (loop, 100.0, do_nothing, NULL, NULL);
  guint64 later_id = loop_timer_handle_get_id (later);

  ck_assert (is_known (id));
  ck_assert (is_known (later_id));
  run_for (loop, 0.01);
  ck_assert (!is_known (id));
  ck_assert (is_known (later_id));
  loop_timer_handle_cancel (later);
  ck_assert (!is_known (later_id));
}
END_TEST

typedef struct
{
  LoopEventLoop *loop;
  guint64 id;
} Poster;

static gpointer
post_from_thread (gpointer data)
{
  Poster *self = data;
  g_autoptr (LoopHandle) handle = NULL;

  ck_assert (loop_event_loop_call_soon_threadsafe (self->loop, step_run, step_new ('a'), step_destroy, NULL, NULL));
  ck_assert (loop_event_loop_call_soon_threadsafe (self->loop, step_run, step_new ('b'), step_destroy, &handle, NULL));
  self->id = loop_handle_get_id (handle);
  ck_assert (is_known (self->id));

  return NULL;
}

START_TEST (test_post)
{
  g_autoptr (LoopEventLoop) loop = new_debugged_loop ();
  Poster poster = { loop };

  g_thread_join (g_thread_new ("poster", post_from_thread, &poster));
  run_once (loop);
  check_steps ("aAbB");
  ck_assert (!is_known (poster.id));
}
END_TEST

START_TEST (test_reader)
{
  g_autoptr (LoopEventLoop) loop = new_debugged_loop ();
  guint64 id;
  int fds[2];

  ck_assert_int_eq (pipe (fds), 0);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], do_nothing, NULL, NULL));
  id = loop_poller_lookup (&loop->poller, fds[0])->id;
  ck_assert (is_known (id));
  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  run_once (loop);
  ck_assert (!is_known (id));

  close (fds[0]);
  close (fds[1]);
}
END_TEST

static char *reported;
static int n_reports;

static void
keep_report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  g_free (reported);
  reported = g_strdup (loop_exception_context_get_source_traceback (context));
  n_reports++;
}

static gpointer
drop_in_thread (gpointer object)
{
  g_object_unref (object);

  return NULL;
}

static void
drop_elsewhere (gpointer future)
{
  g_thread_join (g_thread_new ("dropper", drop_in_thread, future));
}

static LoopFuture *
make_failed_future (LoopEventLoop *loop)
{
  g_autoptr (GError) error = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");
  LoopFuture *future = loop_event_loop_create_future (loop);

  ck_assert (loop_future_set_exception (future, error, NULL));

  return future;
}

/* Who made the future that failed, and that nobody asked. */
START_TEST (test_future)
{
  g_autoptr (LoopEventLoop) loop = new_debugged_loop ();
  g_autofree char *expected = NULL;
  LoopFuture *future;
  guint64 id;

  loop_event_loop_set_exception_handler (loop, keep_report, NULL, NULL);

  future = make_failed_future (loop);
  id = loop_future_get_id (future);
  expected = loop_traceback_to_string (id);
  ck_assert_ptr_nonnull (expected);
  g_object_unref (future);
  ck_assert_int_eq (n_reports, 1);
  ck_assert_str_eq (reported, expected);
  ck_assert (!is_known (id));

  /* In another thread, from which the report is passed on. */
  future = make_failed_future (loop);
  id = loop_future_get_id (future);
  loop_event_loop_call_soon (loop, drop_elsewhere, future, NULL);
  run_for (loop, 0.01);
  ck_assert_int_eq (n_reports, 2);
  ck_assert_ptr_nonnull (reported);
  ck_assert (!is_known (id));

  /* Nothing is invented when it is not known. */
  loop_event_loop_set_debug (loop, FALSE);
  g_object_unref (make_failed_future (loop));
  ck_assert_int_eq (n_reports, 3);
  ck_assert_ptr_null (reported);
}
END_TEST

START_TEST (test_default_handler)
{
  g_autoptr (LoopEventLoop) loop = new_debugged_loop ();

  loop_check_expect_warning ("*never retrieved*Created at (most recent call last):\n  *");
  g_object_unref (make_failed_future (loop));
}
END_TEST

START_TEST (test_description)
{
  g_autoptr (LoopEventLoop) loop = new_debugged_loop ();
  LoopHandle *handle = loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  g_autofree char *text = loop_handle_describe (handle);
  g_autofree char *plain = NULL;

  ck_assert_msg (strstr (text, ", created at ") != NULL, "%s", text);
  loop_event_loop_set_debug (loop, FALSE);
  plain = loop_handle_describe (handle);
  ck_assert_msg (strstr (plain, "created") == NULL, "%s", plain);
}
END_TEST

START_TEST (test_transport)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer;
  guint64 id;
  int fd;

  loop_event_loop_set_debug (tcp.loop, TRUE);
  peer = tcp_raw_pair (&tcp, &fd);
  id = loop_transport_get_id (peer->transport);
  ck_assert (is_known (id));

  loop_check_expect_warning ("*closed with transport #* still open, created at *");
  tcp_close_loop (&tcp);
  ck_assert (!is_known (id));
}
END_TEST

static GObject *
make_no_protocol (gpointer data)
{
  return NULL;
}

START_TEST (test_server)
{
  const char *hosts[] = { "127.0.0.1", "127.0.0.2", NULL };
  g_autoptr (LoopEventLoop) loop = new_debugged_loop ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_server (loop, hosts, 0, NULL, make_no_protocol, NULL, NULL);
  g_auto (GValue) value = G_VALUE_INIT;
  LoopServer *server;

  ck_assert (loop_event_loop_run_until_complete (loop, future, &value, NULL));
  server = g_value_get_object (&value);
  ck_assert (is_known (loop_server_get_id (server)));

  /* Once, though it has two sockets. */
  loop_check_forbid_warnings ();
  loop_check_expect_warning ("*closed with server #* still open, created at *");
  ck_assert (loop_event_loop_close (loop));
  ck_assert (!is_known (loop_server_get_id (server)));
}
END_TEST

static void
report_itself (gpointer data)
{
  LoopHandle **handle = data;
  LoopEventLoop *loop = loop_event_loop_get_running ();
  g_autoptr (LoopExceptionContext) context = loop_exception_context_new ("the callback failed", NULL);

  loop_exception_context_set_handle (context, *handle);
  loop_event_loop_call_exception_handler (loop, context);
}

/* Who has scheduled the callback that failed. */
START_TEST (test_failed_callback)
{
  g_autoptr (LoopEventLoop) loop = new_debugged_loop ();
  g_autofree char *expected = NULL;
  LoopHandle *handle;

  loop_event_loop_set_exception_handler (loop, keep_report, NULL, NULL);
  handle = loop_event_loop_call_soon (loop, report_itself, &handle, NULL);
  expected = loop_traceback_to_string (loop_handle_get_id (handle));
  ck_assert_ptr_nonnull (expected);
  run_once (loop);
  ck_assert_int_eq (n_reports, 1);
  ck_assert_str_eq (reported, expected);
}
END_TEST

/* Nothing stays behind for ever. */
START_TEST (test_forgotten)
{
  guint64 ids[4];
  g_autoptr (LoopEventLoop) loop = new_debugged_loop ();
  g_autoptr (LoopEventLoop) other = new_debugged_loop ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);

  ids[0] = loop_future_get_id (future);
  ids[1] = loop_handle_get_id (loop_event_loop_call_soon (loop, do_nothing, NULL, NULL));
  ids[2] = loop_timer_handle_get_id (loop_event_loop_call_later (loop, 1.0, do_nothing, NULL, NULL));
  ids[3] = loop_handle_get_id (loop_event_loop_call_soon (other, do_nothing, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    ck_assert (is_known (ids[i]));

  loop_event_loop_set_debug (loop, FALSE);
  for (guint i = 0; i < 3; i++)
    ck_assert (!is_known (ids[i]));
  ck_assert (is_known (ids[3]));

  ck_assert (loop_event_loop_close (other));
  ck_assert (!is_known (ids[3]));
}
END_TEST

LOOP_TEST_MAIN ("traceback",
                test_handle,
                test_timer,
                test_post,
                test_reader,
                test_future,
                test_default_handler,
                test_description,
                test_transport,
                test_server,
                test_failed_callback,
                test_forgotten)
