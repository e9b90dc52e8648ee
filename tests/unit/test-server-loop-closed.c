/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <sys/socket.h>

/*
 * A loop that is closed with all of it still open. tcp_clear() closes the loop, and sees to it that
 * nothing is left of server, connections, protocols and descriptors.
 */

START_TEST (test_everything_open)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) closed = NULL;
  int fd;
  TcpPeer *raw = tcp_raw_pair (&tcp, &fd);

  for (guint i = 0; i < 20; i++)
    tcp_connect (&tcp);
  closed = loop_server_wait_closed (tcp.server);
  tcp_close_loop (&tcp);

  /* The protocols are not told; the descriptors are closed, and that is what the peer sees. */
  ck_assert_str_eq (raw->events->str, "made");
  ck_assert (tcp_raw_is_eof (fd));
  ck_assert_ptr_null (loop_server_get_sockets (tcp.server));
  ck_assert (!loop_server_is_serving (tcp.server));
  ck_assert (loop_future_done (closed));
  for (guint i = 0; i < 20; i++)
    ck_assert_str_eq (tcp_peer_at (tcp.clients, i)->events->str, "made");
}
END_TEST

START_TEST (test_transport_afterwards)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  g_auto (GValue) value = G_VALUE_INIT;

  tcp_close_loop (&tcp);

  /* Of no use any more, and of no harm. */
  ck_assert (loop_transport_is_closing (client->transport));
  ck_assert (!loop_transport_is_reading (client->transport));
  ck_assert_ptr_null (loop_transport_get_protocol (client->transport));
  ck_assert_ptr_eq (loop_transport_get_loop (client->transport), tcp.loop);
  ck_assert (!loop_transport_get_extra_info (client->transport, "socket", &value));
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (client->transport), 0);
  loop_transport_pause_reading (client->transport);
  loop_transport_resume_reading (client->transport);
  loop_transport_write_eof (client->transport);
  loop_transport_close (client->transport);
  loop_transport_abort (client->transport);
  ck_assert_str_eq (client->events->str, "made");
}
END_TEST

START_TEST (test_write_afterwards)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);

  tcp_close_loop (&tcp);
  loop_check_expect_warning ("*after it was closed*");
  loop_transport_write (client->transport, (const guint8 *) "x", 1);
}
END_TEST

START_TEST (test_limits_afterwards)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);

  tcp_close_loop (&tcp);
  ck_assert (loop_transport_set_write_buffer_limits (client->transport, 0, 0, NULL));
  ck_assert_uint_eq (client->n_paused, 0);
}
END_TEST

/* Bytes that wait to be written are lost, and their memory is not. */
START_TEST (test_buffered_data)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (8 * 1024 * 1024);
  TcpPeer *client = tcp_connect (&tcp);

  loop_transport_pause_reading (tcp_last_accepted (&tcp)->transport);
  loop_transport_write_bytes (client->transport, bytes);
  loop_transport_write (client->transport, g_bytes_get_data (bytes, NULL), 1000 * 1000);
  ck_assert_uint_eq (client->n_paused, 1);
  tcp_run_for (tcp.loop, 0.002);
  ck_assert_uint_gt (loop_transport_get_write_buffer_size (client->transport), 0);
}
END_TEST

/* connection_made and connection_lost are due, and are never called. */
START_TEST (test_pending_calls)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);

  tcp_raw_connect (&tcp, tcp.port);
  while (tcp.accepted->len < 2)
    {
      loop_event_loop_stop (tcp.loop);
      loop_event_loop_run_forever (tcp.loop);
    }
  ck_assert_uint_eq (tcp_last_accepted (&tcp)->n_made, 0);
  loop_transport_close (client->transport);
  loop_transport_abort (tcp_peer_at (tcp.accepted, 0)->transport);
  tcp_close_loop (&tcp);
  ck_assert_str_eq (client->events->str, "made");
  ck_assert_str_eq (tcp_peer_at (tcp.accepted, 0)->events->str, "made");
  ck_assert_str_eq (tcp_last_accepted (&tcp)->events->str, "");
}
END_TEST

/* A write has failed, and the loop does not live to tell. */
START_TEST (test_failed_write)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  tcp_raw_reset (&tcp, fd);
  loop_transport_write (peer->transport, (const guint8 *) "x", 1);
  tcp_close_loop (&tcp);
  ck_assert_str_eq (peer->events->str, "made");
}
END_TEST

/* In debug mode whoever forgot to close them is told. */
START_TEST (test_debug)
{
  g_auto (Tcp) tcp = tcp_new ();

  loop_event_loop_set_debug (tcp.loop, TRUE);
  tcp_connect (&tcp);
  loop_check_expect_warning ("*transport*still open*");
  loop_check_expect_warning ("*transport*still open*");
  tcp_close_loop (&tcp);
}
END_TEST

START_TEST (test_new_calls)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopFuture) waiter = NULL;
  g_autoptr (GError) error = NULL;

  tcp_connect (&tcp);
  tcp_close_loop (&tcp);

  tcp_add_client (&tcp);
  future = loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, tcp_client_factory, &tcp, NULL);
  ck_assert (!loop_future_result (future, NULL, &error));
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_CLOSED);

  loop_server_close (tcp.server);
  loop_server_close_clients (tcp.server);
  waiter = loop_server_wait_closed (tcp.server);
  ck_assert (loop_future_done (waiter));
}
END_TEST

LOOP_TEST_MAIN ("server-loop-closed",
                test_everything_open,
                test_transport_afterwards,
                test_write_afterwards,
                test_limits_afterwards,
                test_buffered_data,
                test_pending_calls,
                test_failed_write,
                test_debug,
                test_new_calls)
