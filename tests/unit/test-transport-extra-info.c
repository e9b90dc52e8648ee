/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <sys/socket.h>

static char *
get_address (TcpPeer *peer, const char *name)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_transport_get_extra_info (peer->transport, name, &value));
  ck_assert (G_VALUE_HOLDS (&value, G_TYPE_SOCKET_ADDRESS));

  return g_socket_connectable_to_string (g_value_get_object (&value));
}

static void
assert_missing (TcpPeer *peer, const char *name)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (!loop_transport_get_extra_info (peer->transport, name, &value));
  ck_assert (G_VALUE_HOLDS_POINTER (&value));
  ck_assert_ptr_null (g_value_get_pointer (&value));
}

START_TEST (test_addresses)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *server = tcp_last_accepted (&tcp);
  g_autofree char *client_name = get_address (client, "sockname");
  g_autofree char *client_peer = get_address (client, "peername");
  g_autofree char *server_name = get_address (server, "sockname");
  g_autofree char *server_peer = get_address (server, "peername");
  g_autofree char *wanted = g_strdup_printf ("127.0.0.1:%u", tcp.port);

  ck_assert_str_eq (server_name, wanted);
  ck_assert_str_eq (client_peer, wanted);
  ck_assert_str_eq (client_name, server_peer);
  ck_assert_str_ne (client_name, wanted);
}
END_TEST

START_TEST (test_addresses_ipv6)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "::1", NULL };
  g_autoptr (LoopFuture) future = NULL;
  g_autofree char *name = NULL;

  tcp_skip_unless (tcp_has_ipv6 (), "this machine has no ::1");
  tcp.server = tcp_serve (&tcp, hosts, 0, NULL);
  tcp_add_client (&tcp);
  future = loop_event_loop_create_connection (tcp.loop, "::1", tcp_server_port (tcp.server, 0), NULL,
                                              tcp_client_factory, &tcp, NULL);
  g_object_unref (tcp_take_transport (&tcp, future));
  name = get_address (tcp_peer_at (tcp.clients, 0), "peername");
  ck_assert (g_str_has_prefix (name, "[::1]:"));
}
END_TEST

START_TEST (test_socket)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) again = G_VALUE_INIT;
  GSocket *socket;
  guint n_fds = tcp_count_fds ();

  ck_assert (loop_transport_get_extra_info (peer->transport, "socket", &value));
  ck_assert (G_VALUE_HOLDS (&value, G_TYPE_SOCKET));
  socket = g_value_get_object (&value);
  ck_assert (g_socket_is_connected (socket));
  ck_assert (!g_socket_get_blocking (socket));
  ck_assert (loop_transport_get_extra_info (peer->transport, "socket", &again));
  ck_assert_ptr_eq (g_value_get_object (&again), socket);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);

  /* One may set options; and the connection goes on as before. */
  ck_assert (g_socket_set_option (socket, SOL_SOCKET, SO_KEEPALIVE, 1, NULL));
  tcp_raw_send (fd, "x");
  tcp_run_until (tcp.loop, peer->n_bytes == 1);

  /* It is closed with the transport, and harmless to have. */
  loop_transport_close (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert (g_socket_is_closed (socket));
  ck_assert (tcp_raw_is_eof (fd));
}
END_TEST

/* Whoever drops the socket does not close the connection. */
START_TEST (test_socket_dropped)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  GValue value = G_VALUE_INIT;

  ck_assert (loop_transport_get_extra_info (peer->transport, "socket", &value));
  g_value_unset (&value);
  tcp_raw_send (fd, "x");
  tcp_run_until (tcp.loop, peer->n_bytes == 1);
}
END_TEST

START_TEST (test_unknown)
{
  static const char *const names[] = { "", "sslcontext", "cipher", "PEERNAME", "no such thing" };
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer = tcp_connect (&tcp);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    assert_missing (peer, names[i]);
}
END_TEST

static void
look_up_names (TcpPeer *self)
{
  g_autofree char *peername = get_address (self, "peername");
  g_autofree char *sockname = get_address (self, "sockname");

  ck_assert (g_str_has_prefix (peername, "127.0.0.1:"));
  ck_assert (g_str_has_prefix (sockname, "127.0.0.1:"));
  self->tag++;
}

static void
set_look_up (TcpPeer *peer, gpointer user_data)
{
  peer->made = look_up_names;
  peer->lost = look_up_names;
}

/* A log of connections wants to know in connection_made and, again, in connection_lost. */
START_TEST (test_in_made_and_lost)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer;

  tcp.set_up = set_look_up;
  peer = tcp_raw_pair (&tcp, &fd);
  tcp_raw_reset (&tcp, fd);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_int_eq (peer->tag, 2);
}
END_TEST

/* Who it was is known even afterwards. */
START_TEST (test_after_loss)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  g_autofree char *before = get_address (client, "peername");
  g_autofree char *after = NULL;

  loop_transport_close (client->transport);
  tcp_run_until (tcp.loop, client->n_lost == 1);
  after = get_address (client, "peername");
  ck_assert_str_eq (before, after);
  assert_missing (client, "socket");
}
END_TEST

/* A peer that has gone before the loop came to accept it has a name all the same. */
START_TEST (test_peer_gone)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autofree char *name = NULL;
  int fd;

  tcp.server = tcp_serve (&tcp, hosts, 0, NULL);
  fd = tcp_raw_connect (&tcp, tcp_server_port (tcp.server, 0));
  tcp_raw_reset (&tcp, fd);
  tcp_run_for (tcp.loop, 0.02);
  tcp_skip_unless (tcp.accepted->len == 1, "the kernel did not hand out a connection that was reset");
  name = get_address (tcp_last_accepted (&tcp), "peername");
  ck_assert (g_str_has_prefix (name, "127.0.0.1:"));
}
END_TEST

LOOP_TEST_MAIN ("transport-extra-info",
                test_addresses,
                test_addresses_ipv6,
                test_socket,
                test_socket_dropped,
                test_unknown,
                test_in_made_and_lost,
                test_after_loss,
                test_peer_gone)
