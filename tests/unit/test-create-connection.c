/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

/* Connections that come about. */

static const char *const localhost[] = { "127.0.0.1", NULL };

static void
serve (Tcp *tcp, const char *const *hosts)
{
  tcp->server = tcp_serve (tcp, hosts, 0, NULL);
  tcp->port = tcp_server_port (tcp->server, 0);
}

static LoopFuture *
create_connection (Tcp *tcp, const char *host, LoopConnectionOptions *options)
{
  tcp_add_client (tcp);

  return loop_event_loop_create_connection (tcp->loop, host, host != NULL ? tcp->port : 0, options, tcp_client_factory,
                                            tcp, NULL);
}

/* Connects, and sends a byte each way. */
static void
check_connection (Tcp *tcp, const char *host, LoopConnectionOptions *options)
{
  guint n_accepted = tcp->accepted->len;
  g_autoptr (LoopFuture) future = create_connection (tcp, host, options);
  g_autoptr (LoopTransport) transport = tcp_take_transport (tcp, future);
  TcpPeer *client = tcp_peer_at (tcp->clients, tcp->clients->len - 1);

  ck_assert_ptr_eq (client->transport, transport);
  ck_assert_ptr_eq (loop_transport_get_protocol (transport), client->protocol);
  tcp_run_until (tcp->loop, tcp->accepted->len == n_accepted + 1 && tcp_last_accepted (tcp)->n_made == 1);
  tcp_last_accepted (tcp)->is_echo = TRUE;
  loop_transport_write (transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp->loop, client->n_bytes == 1);
}

START_TEST (test_numeric)
{
  g_auto (Tcp) tcp = tcp_new ();

  serve (&tcp, localhost);
  check_connection (&tcp, "127.0.0.1", NULL);
}
END_TEST

START_TEST (test_numeric_ipv6)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "::1", NULL };

  tcp_skip_unless (tcp_has_ipv6 (), "this machine has no ::1");
  serve (&tcp, hosts);
  check_connection (&tcp, "::1", NULL);
}
END_TEST

START_TEST (test_localhost)
{
  g_auto (Tcp) tcp = tcp_new ();

  serve (&tcp, localhost);
  check_connection (&tcp, "localhost", NULL);
}
END_TEST

START_TEST (test_family)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();

  serve (&tcp, localhost);
  loop_connection_options_set_family (options, AF_INET);
  loop_connection_options_set_proto (options, IPPROTO_TCP);
  check_connection (&tcp, "localhost", options);
}
END_TEST

typedef struct
{
  TcpPeer *client;
  LoopFuture *future;
  guint n_reported;
} Order;

static void
count_reported (LoopFuture *future, gpointer user_data)
{
  Order *order = user_data;

  ck_assert_uint_eq (order->client->n_made, 1);
  order->n_reported++;
}

static void
check_not_reported (TcpPeer *self)
{
  Order *order = self->user_data;

  ck_assert_uint_eq (order->n_reported, 0);
  ck_assert (!loop_future_done (order->future));
}

/* First connection_made, then the future; never inside the call. */
START_TEST (test_order)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  Order order = { 0 };

  serve (&tcp, localhost);
  future = create_connection (&tcp, "127.0.0.1", NULL);
  order.client = tcp_peer_at (tcp.clients, 0);
  order.future = future;
  order.client->user_data = &order;
  order.client->made = check_not_reported;
  ck_assert (!loop_future_done (future));
  ck_assert_uint_eq (order.client->n_made, 0);
  loop_future_add_done_callback (future, count_reported, &order, NULL);
  tcp_run_until (tcp.loop, order.n_reported == 1);
}
END_TEST

static GSocket *
connect_socket (guint16 port)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", port);
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);

  ck_assert (g_socket_connect (socket, address, NULL, NULL));

  return g_steal_pointer (&socket);
}

START_TEST (test_sock)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (GSocket) socket = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  TcpPeer *client;

  serve (&tcp, localhost);
  socket = connect_socket (tcp.port);
  loop_connection_options_set_sock (options, socket);
  check_connection (&tcp, NULL, options);
  ck_assert (!g_socket_get_blocking (socket));

  client = tcp_peer_at (tcp.clients, 0);
  ck_assert (loop_transport_get_extra_info (client->transport, "socket", &value));
  ck_assert_ptr_eq (g_value_get_object (&value), socket);

  /* It is the transport's, which closes it. */
  loop_transport_close (client->transport);
  tcp_run_until (tcp.loop, client->n_lost == 1);
  ck_assert (g_socket_is_closed (socket));
}
END_TEST

static void
take_transport (LoopFuture *future, gpointer user_data)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_future_result (future, &value, NULL));
  ck_assert (G_VALUE_HOLDS (&value, LOOP_TYPE_TRANSPORT));
  ++*(guint *) user_data;
}

static void
connect_and_drop (gpointer data)
{
  Tcp *tcp = data;
  LoopFuture *future = create_connection (tcp, "127.0.0.1", NULL);

  loop_future_add_done_callback (future, take_transport, tcp->user_data, NULL);
  g_object_unref (future);
}

START_TEST (test_future_dropped)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint n_made = 0;

  serve (&tcp, localhost);
  tcp.user_data = &n_made;
  loop_event_loop_call_soon (tcp.loop, connect_and_drop, &tcp, NULL);
  tcp_run_until (tcp.loop, n_made == 1);
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_str_eq (tcp_peer_at (tcp.clients, 0)->events->str, "made");
}
END_TEST

static void
set_flag (gpointer flag)
{
  ck_assert (!*(gboolean *) flag);
  *(gboolean *) flag = TRUE;
}

static GObject *
make_protocol (gpointer user_data)
{
  static const LoopProtocolVTable vtable = { 0 };

  ck_assert (!*(gboolean *) user_data);

  return G_OBJECT (loop_protocol_new (&vtable, NULL, NULL));
}

START_TEST (test_factory_data)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  gboolean is_destroyed = FALSE;

  serve (&tcp, localhost);
  future =
      loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, make_protocol, &is_destroyed, set_flag);
  g_object_unref (tcp_take_transport (&tcp, future));
  tcp_run_for (tcp.loop, 0.0);
  ck_assert (is_destroyed);
}
END_TEST

/* A write goes out at once, on both sides. */
START_TEST (test_nodelay)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peers[2];

  peers[0] = tcp_connect (&tcp);
  peers[1] = tcp_last_accepted (&tcp);
  for (guint i = 0; i < 2; i++)
    {
      g_auto (GValue) value = G_VALUE_INIT;
      int nodelay = 0;

      ck_assert (loop_transport_get_extra_info (peers[i]->transport, "socket", &value));
      ck_assert (g_socket_get_option (g_value_get_object (&value), IPPROTO_TCP, TCP_NODELAY, &nodelay, NULL));
      ck_assert_int_ne (nodelay, 0);
    }
}
END_TEST

/* The transport's descriptors do not leak into children. */
START_TEST (test_cloexec)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GDir) dir = NULL;
  const char *name;

  tcp_connect (&tcp);
  dir = g_dir_open ("/proc/self/fdinfo", 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fdinfo", name, NULL);
      g_autofree char *link_path = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (link_path, NULL);
      g_autofree char *info = NULL;
      const char *flags;

      if (target == NULL || !g_str_has_prefix (target, "socket:") || !g_file_get_contents (path, &info, NULL, NULL))
        continue;

      flags = strstr (info, "flags:");
      ck_assert_ptr_nonnull (flags);
      ck_assert_msg (g_ascii_strtoull (flags + 6, NULL, 8) & 02000000, "%s (%s) is inherited", name, target);
    }
}
END_TEST

START_TEST (test_many_at_once)
{
  g_auto (Tcp) tcp = tcp_new ();
  LoopFuture *futures[100];

  serve (&tcp, localhost);
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    futures[i] =
        loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, tcp_accept_factory, &tcp, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      g_object_unref (tcp_take_transport (&tcp, futures[i]));
      g_object_unref (futures[i]);
    }
  tcp_run_until (tcp.loop, tcp.accepted->len == 2 * G_N_ELEMENTS (futures));
}
END_TEST

LOOP_TEST_MAIN ("create-connection",
                test_numeric,
                test_numeric_ipv6,
                test_localhost,
                test_family,
                test_order,
                test_sock,
                test_future_dropped,
                test_factory_data,
                test_nodelay,
                test_cloexec,
                test_many_at_once)
