/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fake-resolver.h"
#include "tcp-check.h"

#include <gio/gunixsocketaddress.h>
#include <sys/socket.h>

/* The local-addr of create_connection. */

static LoopFuture *
create_connection (Tcp *tcp, const char *host, GSocketConnectable *local)
{
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();

  loop_connection_options_set_local_addr (options, local);
  tcp_add_client (tcp);

  return loop_event_loop_create_connection (tcp->loop, host, tcp->port, options, tcp_client_factory, tcp, NULL);
}

static void
serve (Tcp *tcp, const char *host)
{
  const char *const hosts[] = { host, NULL };

  tcp->server = tcp_serve (tcp, hosts, 0, NULL);
  tcp->port = tcp_server_port (tcp->server, 0);
}

/* Connects from @local, and asks the other side where it came from. */
static void
check_comes_from (Tcp *tcp, GSocketConnectable *local, const char *address, guint16 port)
{
  g_autoptr (LoopFuture) future = create_connection (tcp, "127.0.0.1", local);
  G_GNUC_UNUSED g_autoptr (LoopTransport) transport = tcp_take_transport (tcp, future);
  g_auto (GValue) value = G_VALUE_INIT;
  g_autofree char *found = NULL;

  tcp_run_until (tcp->loop, tcp->accepted->len == 1 && tcp_last_accepted (tcp)->n_made == 1);
  ck_assert (loop_transport_get_extra_info (tcp_last_accepted (tcp)->transport, "peername", &value));
  found = g_inet_address_to_string (g_inet_socket_address_get_address (g_value_get_object (&value)));
  ck_assert_str_eq (found, address);
  if (port != 0)
    ck_assert_uint_eq (g_inet_socket_address_get_port (g_value_get_object (&value)), port);
}

START_TEST (test_socket_address)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GSocketAddress) local = g_inet_socket_address_new_from_string ("127.0.0.7", 0);

  serve (&tcp, "127.0.0.1");
  check_comes_from (&tcp, G_SOCKET_CONNECTABLE (local), "127.0.0.7", 0);
}
END_TEST

START_TEST (test_port)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint16 port = tcp_unused_port ();
  g_autoptr (GSocketAddress) local = g_inet_socket_address_new_from_string ("127.0.0.1", port);

  serve (&tcp, "127.0.0.1");
  check_comes_from (&tcp, G_SOCKET_CONNECTABLE (local), "127.0.0.1", port);
}
END_TEST

START_TEST (test_network_address)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint16 port = tcp_unused_port ();
  g_autoptr (GSocketConnectable) local = g_network_address_new ("here.test", port);

  fake_resolver_add ("here.test", "127.0.0.8");
  serve (&tcp, "127.0.0.1");
  check_comes_from (&tcp, local, "127.0.0.8", port);
}
END_TEST

/* Of the addresses of a name, one of the family of the remote address is taken. */
START_TEST (test_name_with_both_families)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GSocketConnectable) local = g_network_address_new ("here.test", 0);

  tcp_skip_unless (tcp_has_ipv6 (), "this machine has no ::1");
  fake_resolver_add ("here.test", "::1 127.0.0.9");
  serve (&tcp, "127.0.0.1");
  check_comes_from (&tcp, local, "127.0.0.9", 0);
}
END_TEST

/* If one cannot be bound to, the next may. */
START_TEST (test_next_local_address)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GSocketConnectable) local = g_network_address_new ("here.test", 0);

  fake_resolver_add ("here.test", "192.0.2.99 127.0.0.9");
  serve (&tcp, "127.0.0.1");
  check_comes_from (&tcp, local, "127.0.0.9", 0);
}
END_TEST

START_TEST (test_wrong_family)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GSocketAddress) local = g_inet_socket_address_new_from_string ("::1", 0);
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  tcp_skip_unless (tcp_has_ipv6 (), "this machine has no ::1");
  serve (&tcp, "127.0.0.1");
  future = create_connection (&tcp, "127.0.0.1", G_SOCKET_CONNECTABLE (local));
  error = tcp_take_error (&tcp, future);
  ck_assert_uint_eq (error->domain, G_IO_ERROR);
  tcp_assert_contains (error->message, "bind");
}
END_TEST

START_TEST (test_foreign_address)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GSocketAddress) local = g_inet_socket_address_new_from_string ("192.0.2.99", 0);
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  guint n_fds;

  serve (&tcp, "127.0.0.1");
  n_fds = tcp_count_fds ();
  future = create_connection (&tcp, "127.0.0.1", G_SOCKET_CONNECTABLE (local));
  error = tcp_take_error (&tcp, future);
  ck_assert_uint_eq (error->domain, G_IO_ERROR);
  tcp_assert_contains (error->message, "192.0.2.99");
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
}
END_TEST

START_TEST (test_port_in_use)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GSocketAddress) local = NULL;
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  guint16 port = 0;

  serve (&tcp, "127.0.0.1");
  tcp_raw_listen (&tcp, "127.0.0.1", 1, &port);
  local = g_inet_socket_address_new_from_string ("127.0.0.1", port);
  future = create_connection (&tcp, "127.0.0.1", G_SOCKET_CONNECTABLE (local));
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
}
END_TEST

START_TEST (test_unknown_name)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GSocketConnectable) local = g_network_address_new ("nonexistent.invalid", 0);
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  serve (&tcp, "127.0.0.1");
  future = create_connection (&tcp, "127.0.0.1", local);
  error = tcp_take_error (&tcp, future);
  ck_assert_uint_eq (error->domain, G_RESOLVER_ERROR);
  tcp_assert_contains (error->message, "nonexistent.invalid");
}
END_TEST

START_TEST (test_wrong_type)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GSocketAddress) local = g_unix_socket_address_new ("/nowhere");
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  serve (&tcp, "127.0.0.1");
  future = create_connection (&tcp, "127.0.0.1", G_SOCKET_CONNECTABLE (local));
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  tcp_assert_contains (error->message, "GUnixSocketAddress");
}
END_TEST

/* An address of IPv6 that means nothing without its scope keeps it. */
START_TEST (test_scope)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string ("fe80::1234");
  g_autoptr (GSocketAddress) local = g_object_new (G_TYPE_INET_SOCKET_ADDRESS, "address", address, "scope-id", 1, NULL);
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  const char *const hosts[] = { "::1", NULL };

  tcp_skip_unless (tcp_has_ipv6 (), "this machine has no ::1");
  tcp.server = tcp_serve (&tcp, hosts, 0, NULL);
  tcp.port = tcp_server_port (tcp.server, 0);
  future = create_connection (&tcp, "::1", G_SOCKET_CONNECTABLE (local));
  error = tcp_take_error (&tcp, future);

  /* Nobody has that address; what was tried is in the message. */
  tcp_assert_contains (error->message, "fe80::1234%");
}
END_TEST

LOOP_TEST_MAIN ("create-connection-local-addr",
                test_socket_address,
                test_port,
                test_network_address,
                test_name_with_both_families,
                test_next_local_address,
                test_wrong_family,
                test_foreign_address,
                test_port_in_use,
                test_unknown_name,
                test_wrong_type,
                test_scope)
