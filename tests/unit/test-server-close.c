/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

/* The end of a server, and what its connections have to do with it. */

static void
count (LoopFuture *future, gpointer user_data)
{
  ++*(guint *) user_data;
}

static guint
count_clients_lost (Tcp *tcp)
{
  guint n = 0;

  for (guint i = 0; i < tcp->accepted->len; i++)
    n += tcp_peer_at (tcp->accepted, i)->n_lost;

  return n;
}

static void
assert_refused (Tcp *tcp, guint16 port)
{
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  tcp_add_client (tcp);
  future = loop_event_loop_create_connection (tcp->loop, "127.0.0.1", port, NULL, tcp_client_factory, tcp, NULL);
  error = tcp_take_error (tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
}

START_TEST (test_sockets)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", "127.0.0.2", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (server);
  g_autoptr (GPtrArray) property = NULL;
  guint n_notified = 0;

  ck_assert_uint_eq (sockets->len, 2);
  ck_assert (G_IS_SOCKET (g_ptr_array_index (sockets, 1)));
  g_object_get (server, "sockets", &property, NULL);
  ck_assert_uint_eq (property->len, 2);
  ck_assert_ptr_eq (g_ptr_array_index (property, 0), g_ptr_array_index (sockets, 0));

  /* The array is a copy. */
  g_ptr_array_set_size (property, 0);
  g_clear_pointer (&property, g_ptr_array_unref);
  g_object_get (server, "sockets", &property, NULL);
  ck_assert_uint_eq (property->len, 2);
  g_clear_pointer (&property, g_ptr_array_unref);

  g_signal_connect_swapped (server, "notify::sockets", G_CALLBACK (g_atomic_int_inc), &n_notified);
  loop_server_close (server);
  ck_assert_uint_eq (n_notified, 1);
  ck_assert_ptr_null (loop_server_get_sockets (server));
  g_object_get (server, "sockets", &property, NULL);
  ck_assert_ptr_null (property);

  /* They are closed under the hands of whoever still has them. */
  ck_assert (g_socket_is_closed (g_ptr_array_index (sockets, 0)));
  ck_assert (g_socket_is_closed (g_ptr_array_index (sockets, 1)));
}
END_TEST

START_TEST (test_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);
  guint16 port = tcp_server_port (server, 0);

  ck_assert (loop_server_is_serving (server));
  loop_server_close (server);
  ck_assert (!loop_server_is_serving (server));
  loop_server_close (server);
  assert_refused (&tcp, port);
  ck_assert_uint_eq (tcp.accepted->len, 0);
}
END_TEST

START_TEST (test_closed_server_is_finalized)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  LoopServer *server = tcp_serve (&tcp, hosts, 0, NULL);
  gpointer weak = server;

  g_object_add_weak_pointer (G_OBJECT (server), &weak);
  loop_server_close (server);
  ck_assert_ptr_nonnull (weak);
  g_object_unref (server);
  tcp_run_for (tcp.loop, 0.0);
  ck_assert_ptr_null (weak);
}
END_TEST

START_TEST (test_connections_survive)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  loop_server_close (tcp.server);
  tcp_run_for (tcp.loop, 0.01);
  loop_transport_write (client->transport, (const guint8 *) "still here", 10);
  tcp_run_until (tcp.loop, client->n_bytes == 10);
  ck_assert_str_eq (client->events->str, "made data");
}
END_TEST

/* A client that the kernel has accepted, but not the loop, when the server is closed. */
START_TEST (test_close_with_pending_connection)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);
  int fd = tcp_raw_connect (&tcp, tcp_server_port (server, 0));
  char byte;

  loop_server_close (server);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (tcp.accepted->len, 0);
  ck_assert_int_le (recv (fd, &byte, 1, 0), 0);
}
END_TEST

START_TEST (test_wait_closed)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *first = tcp_connect (&tcp);
  TcpPeer *second = tcp_connect (&tcp);
  g_autoptr (LoopFuture) early = loop_server_wait_closed (tcp.server);
  g_autoptr (LoopFuture) late = NULL;
  guint n_done = 0;

  loop_future_add_done_callback (early, count, &n_done, NULL);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (n_done, 0);

  loop_server_close (tcp.server);
  late = loop_server_wait_closed (tcp.server);
  loop_future_add_done_callback (late, count, &n_done, NULL);
  loop_transport_close (first->transport);
  tcp_run_until (tcp.loop, count_clients_lost (&tcp) == 1);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (n_done, 0);

  loop_transport_close (second->transport);
  tcp_run_until (tcp.loop, n_done == 2);
  ck_assert_uint_eq (count_clients_lost (&tcp), 2);
}
END_TEST

START_TEST (test_wait_closed_at_once)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);
  g_autoptr (LoopFuture) future = NULL;

  loop_server_close (server);
  future = loop_server_wait_closed (server);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, future, NULL, NULL));
}
END_TEST

/* Clients that come and go do not end the wait while the server is open. */
START_TEST (test_wait_closed_needs_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  g_autoptr (LoopFuture) future = loop_server_wait_closed (tcp.server);

  loop_transport_close (client->transport);
  tcp_run_until (tcp.loop, count_clients_lost (&tcp) == 1);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert (!loop_future_done (future));
  loop_server_close (tcp.server);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, future, NULL, NULL));
}
END_TEST

START_TEST (test_wait_closed_cancelled)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  g_autoptr (LoopFuture) future = loop_server_wait_closed (tcp.server);

  ck_assert (loop_future_cancel (future));
  loop_server_close (tcp.server);
  loop_transport_close (client->transport);
  tcp_run_until (tcp.loop, count_clients_lost (&tcp) == 1);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert (loop_future_cancelled (future));
}
END_TEST

/* Closing waits until what was written has gone out; aborting does not. */
START_TEST (test_close_clients)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (8 * 1024 * 1024);
  g_autofree char *checksum = tcp_checksum (bytes);
  g_autofree char *found = NULL;
  TcpSink *sink;
  int fd;
  TcpPeer *busy = tcp_raw_pair (&tcp, &fd);
  TcpPeer *idle = tcp_connect (&tcp);
  g_autoptr (LoopFuture) closed = NULL;

  loop_transport_write_bytes (busy->transport, bytes);
  ck_assert_uint_gt (loop_transport_get_write_buffer_size (busy->transport), 0);
  loop_server_close_clients (tcp.server);
  ck_assert (loop_server_is_serving (tcp.server));
  tcp_run_until (tcp.loop, idle->n_lost == 1);
  ck_assert_uint_eq (busy->n_lost, 0);

  sink = tcp_sink_new (fd);
  loop_server_close (tcp.server);
  closed = loop_server_wait_closed (tcp.server);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, closed, NULL, NULL));
  found = tcp_sink_finish (sink, NULL, NULL);
  ck_assert_str_eq (found, checksum);
  ck_assert_str_eq (busy->events->str, "made lost");
  ck_assert_ptr_null (busy->error);
}
END_TEST

START_TEST (test_abort_clients)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (8 * 1024 * 1024);
  int fd;
  TcpPeer *busy = tcp_raw_pair (&tcp, &fd);
  TcpPeer *idle = tcp_connect (&tcp);

  loop_transport_write_bytes (busy->transport, bytes);
  loop_server_abort_clients (tcp.server);
  tcp_run_until (tcp.loop, count_clients_lost (&tcp) == 2 && idle->n_lost == 1);
  ck_assert_str_eq (busy->events->str, "made lost");
  ck_assert_ptr_null (busy->error);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (busy->transport), 0);
  ck_assert (loop_server_is_serving (tcp.server));
  tcp_connect (&tcp);
}
END_TEST

/* Works on a server that is closed, too, and does nothing when there is nobody. */
START_TEST (test_close_clients_after_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);

  loop_server_close (tcp.server);
  loop_server_close_clients (tcp.server);
  tcp_run_until (tcp.loop, client->n_lost == 1);
  loop_server_close_clients (tcp.server);
  loop_server_abort_clients (tcp.server);
}
END_TEST

static void
abort_clients (TcpPeer *peer)
{
  loop_server_abort_clients (peer->user_data);
}

static void
set_user_data (TcpPeer *peer, gpointer user_data)
{
  peer->lost = abort_clients;
  peer->user_data = ((Tcp *) user_data)->server;
}

/* One lost connection takes the others with it, while they are being lost. */
START_TEST (test_abort_clients_from_connection_lost)
{
  g_auto (Tcp) tcp = tcp_new ();

  tcp.set_up = set_user_data;
  tcp.user_data = &tcp;
  for (guint i = 0; i < 10; i++)
    tcp_connect (&tcp);
  loop_transport_close (tcp_peer_at (tcp.clients, 4)->transport);
  tcp_run_until (tcp.loop, count_clients_lost (&tcp) == 10);
}
END_TEST

/* A connection that was accepted in this iteration, and whose protocol knows nothing of it yet. */
START_TEST (test_abort_before_connection_made)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);
  int fd = tcp_raw_connect (&tcp, tcp_server_port (server, 0));
  g_autoptr (LoopFuture) closed = NULL;
  char byte;

  while (tcp.accepted->len == 0)
    {
      loop_event_loop_stop (tcp.loop);
      loop_event_loop_run_forever (tcp.loop);
    }
  ck_assert_uint_eq (tcp_last_accepted (&tcp)->n_made, 0);
  loop_server_abort_clients (server);
  loop_server_close (server);
  closed = loop_server_wait_closed (server);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, closed, NULL, NULL));

  /* Neither made nor lost. */
  ck_assert_str_eq (tcp_last_accepted (&tcp)->events->str, "");
  ck_assert_ptr_null (tcp_last_accepted (&tcp)->protocol);
  ck_assert_int_le (recv (fd, &byte, 1, 0), 0);
}
END_TEST

START_TEST (test_start_serving_after_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);
  g_autoptr (LoopFuture) start = NULL;
  g_autoptr (LoopFuture) forever = NULL;
  g_autoptr (GError) error = NULL;

  loop_server_close (server);
  start = loop_server_start_serving (server);
  error = tcp_take_error (&tcp, start);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_CLOSED);
  g_clear_error (&error);
  forever = loop_server_serve_forever (server);
  error = tcp_take_error (&tcp, forever);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_CLOSED);
  ck_assert (!loop_server_is_serving (server));
}
END_TEST

LOOP_TEST_MAIN ("server-close",
                test_sockets,
                test_close,
                test_closed_server_is_finalized,
                test_connections_survive,
                test_close_with_pending_connection,
                test_wait_closed,
                test_wait_closed_at_once,
                test_wait_closed_needs_close,
                test_wait_closed_cancelled,
                test_close_clients,
                test_abort_clients,
                test_close_clients_after_close,
                test_abort_clients_from_connection_lost,
                test_abort_before_connection_made,
                test_start_serving_after_close)
