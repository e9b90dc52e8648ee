/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

static const char *const localhost[] = { "127.0.0.1", NULL };

static void
close_server (gpointer server)
{
  loop_server_close (server);
}

static void
cancel_future (gpointer future)
{
  ck_assert (loop_future_cancel (future));
}

START_TEST (test_serves)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) server = NULL;
  g_autoptr (LoopFuture) forever = NULL;

  loop_server_options_set_start_serving (options, FALSE);
  server = tcp_serve (&tcp, localhost, 0, options);
  forever = loop_server_serve_forever (server);
  tcp_raw_connect (&tcp, tcp_server_port (server, 0));
  tcp_run_until (tcp.loop, tcp.accepted->len == 1);
  ck_assert (!loop_future_done (forever));
  ck_assert (loop_server_is_serving (server));
}
END_TEST

/* asyncio's way to end a program: cancel, and the server is closed. */
START_TEST (test_cancel_closes)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server = tcp_serve (&tcp, localhost, 0, NULL);
  g_autoptr (LoopFuture) forever = loop_server_serve_forever (server);
  g_autoptr (GError) error = NULL;

  loop_event_loop_call_later (tcp.loop, 0.01, cancel_future, forever, NULL);
  error = tcp_take_error (&tcp, forever);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  tcp_run_for (tcp.loop, 0.0);
  ck_assert (!loop_server_is_serving (server));
  ck_assert_ptr_null (loop_server_get_sockets (server));
}
END_TEST

START_TEST (test_close_cancels)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server = tcp_serve (&tcp, localhost, 0, NULL);
  g_autoptr (LoopFuture) forever = loop_server_serve_forever (server);
  g_autoptr (GError) error = NULL;

  loop_event_loop_call_later (tcp.loop, 0.01, close_server, server, NULL);
  error = tcp_take_error (&tcp, forever);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}
END_TEST

START_TEST (test_twice)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server = tcp_serve (&tcp, localhost, 0, NULL);
  g_autoptr (LoopFuture) first = loop_server_serve_forever (server);
  g_autoptr (LoopFuture) second = loop_server_serve_forever (server);
  g_autoptr (GError) error = tcp_take_error (&tcp, second);

  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_RUNNING);
  ck_assert (!loop_future_done (first));
  ck_assert (loop_server_is_serving (server));
  ck_assert (!loop_future_cancel (second));
  tcp_run_for (tcp.loop, 0.01);
  ck_assert (loop_server_is_serving (server));
}
END_TEST

START_TEST (test_future_dropped)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server = tcp_serve (&tcp, localhost, 0, NULL);

  g_object_unref (loop_server_serve_forever (server));
  tcp_raw_connect (&tcp, tcp_server_port (server, 0));
  tcp_run_until (tcp.loop, tcp.accepted->len == 1);
  loop_server_close (server);
  tcp_run_for (tcp.loop, 0.01);
}
END_TEST

/* The connections go on; it is the server that was closed. */
START_TEST (test_connections_survive_cancel)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  g_autoptr (LoopFuture) forever = loop_server_serve_forever (tcp.server);
  g_autoptr (GError) error = NULL;

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  loop_future_cancel (forever);
  error = tcp_take_error (&tcp, forever);
  loop_transport_write (client->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, client->n_bytes == 1);
}
END_TEST

START_TEST (test_loop_closed)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server = tcp_serve (&tcp, localhost, 0, NULL);
  g_autoptr (LoopFuture) forever = loop_server_serve_forever (server);

  tcp_close_loop (&tcp);
  ck_assert (!loop_server_is_serving (server));
  ck_assert (loop_future_cancelled (forever));
}
END_TEST

LOOP_TEST_MAIN ("server-serve-forever",
                test_serves,
                test_cancel_closes,
                test_close_cancels,
                test_twice,
                test_future_dropped,
                test_connections_survive_cancel,
                test_loop_closed)
