/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <netinet/in.h>
#include <string.h>

/* Where create_server listens: hosts, families, port 0. */

static guint
count_sockets (LoopServer *server)
{
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (server);

  return sockets->len;
}

/* Whether a client gets through to the server at @host. */
static void
assert_reachable (Tcp *tcp, const char *host, guint16 port)
{
  guint n = tcp->accepted->len;
  TcpPeer *client = tcp_add_client (tcp);
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_connection (tcp->loop, host, port, NULL, tcp_client_factory, tcp, NULL);
  g_autoptr (LoopTransport) transport = tcp_take_transport (tcp, future);

  ck_assert_ptr_eq (client->transport, transport);
  tcp_run_until (tcp->loop, tcp->accepted->len == n + 1 && tcp_last_accepted (tcp)->n_made == 1);
}

static void
assert_refused (Tcp *tcp, const char *host, guint16 port)
{
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  tcp_add_client (tcp);
  future = loop_event_loop_create_connection (tcp->loop, host, port, NULL, tcp_client_factory, tcp, NULL);
  error = tcp_take_error (tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
}

START_TEST (test_one_host)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);
  g_autofree char *address = tcp_server_address (server, 0);
  guint16 port = tcp_server_port (server, 0);

  ck_assert_uint_eq (count_sockets (server), 1);
  ck_assert_str_eq (address, "127.0.0.1");
  ck_assert_uint_ne (port, 0);
  assert_reachable (&tcp, "127.0.0.1", port);
  assert_refused (&tcp, "127.0.0.2", port);
}
END_TEST

START_TEST (test_given_port)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  guint16 port = tcp_unused_port ();
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, port, NULL);

  ck_assert_uint_eq (tcp_server_port (server, 0), port);
  assert_reachable (&tcp, "127.0.0.1", port);
}
END_TEST

START_TEST (test_host_name)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "localhost", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);

  assert_reachable (&tcp, "localhost", tcp_server_port (server, 0));
}
END_TEST

START_TEST (test_several_hosts_share_a_port)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", "127.0.0.2", "127.0.0.3", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);
  guint16 port = tcp_server_port (server, 0);

  ck_assert_uint_eq (count_sockets (server), 3);
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *address = tcp_server_address (server, i);

      ck_assert_str_eq (address, hosts[i]);
      ck_assert_uint_eq (tcp_server_port (server, i), port);
      assert_reachable (&tcp, hosts[i], port);
    }
}
END_TEST

START_TEST (test_same_host_twice)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", "127.0.0.1", "localhost", NULL };
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) server = NULL;

  loop_server_options_set_family (options, AF_INET);
  server = tcp_serve (&tcp, hosts, 0, options);
  ck_assert_uint_eq (count_sockets (server), 1);
}
END_TEST

START_TEST (test_dual_stack)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", "::1", NULL };
  g_autoptr (LoopServer) server = NULL;
  g_autofree char *second = NULL;
  guint16 port;

  tcp_skip_unless (tcp_has_ipv6 (), "this machine has no ::1");
  server = tcp_serve (&tcp, hosts, 0, NULL);
  port = tcp_server_port (server, 0);
  second = tcp_server_address (server, 1);

  ck_assert_uint_eq (count_sockets (server), 2);
  ck_assert_str_eq (second, "::1");
  ck_assert_uint_eq (tcp_server_port (server, 1), port);
  assert_reachable (&tcp, "127.0.0.1", port);
  assert_reachable (&tcp, "::1", port);
}
END_TEST

static void
check_all_interfaces (const char *const *hosts)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);
  guint16 port = tcp_server_port (server, 0);
  gboolean found_ipv4 = FALSE;

  for (guint i = 0; i < count_sockets (server); i++)
    {
      g_autofree char *address = tcp_server_address (server, i);

      ck_assert_uint_eq (tcp_server_port (server, i), port);
      if (strcmp (address, "0.0.0.0") == 0)
        found_ipv4 = TRUE;
      else
        ck_assert_str_eq (address, "::");
    }

  ck_assert (found_ipv4);
  assert_reachable (&tcp, "127.0.0.1", port);
  assert_reachable (&tcp, "127.9.9.9", port);
  if (tcp_has_ipv6 ())
    {
      ck_assert_uint_eq (count_sockets (server), 2);
      assert_reachable (&tcp, "::1", port);
    }
}

START_TEST (test_all_interfaces)
{
  const char *const empty_name[] = { "", NULL };
  const char *const empty_list[] = { NULL };

  check_all_interfaces (NULL);
  check_all_interfaces (empty_name);
  check_all_interfaces (empty_list);
}
END_TEST

START_TEST (test_family)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) server = NULL;
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *address = NULL;
  const char *const ipv6[] = { "::1", NULL };

  loop_server_options_set_family (options, AF_INET);
  server = tcp_serve (&tcp, NULL, 0, options);
  address = tcp_server_address (server, 0);
  ck_assert_uint_eq (count_sockets (server), 1);
  ck_assert_str_eq (address, "0.0.0.0");

  future = loop_event_loop_create_server (tcp.loop, ipv6, 0, options, tcp_accept_factory, &tcp, NULL);
  error = tcp_take_error (&tcp, future);
  ck_assert_uint_eq (error->domain, G_RESOLVER_ERROR);
  tcp_assert_contains (error->message, "::1");
}
END_TEST

/* Nothing of IPv4 is served by a socket of IPv6. */
START_TEST (test_ipv6_only)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) server = NULL;
  guint16 port;

  tcp_skip_unless (tcp_has_ipv6 (), "this machine has no ::1");
  loop_server_options_set_family (options, AF_INET6);
  server = tcp_serve (&tcp, NULL, 0, options);
  port = tcp_server_port (server, 0);
  assert_reachable (&tcp, "::1", port);
  assert_refused (&tcp, "127.0.0.1", port);
}
END_TEST

START_TEST (test_server_belongs_to_loop)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);
  g_autoptr (LoopServer) other = tcp_serve (&tcp, hosts, 0, NULL);
  guint16 port = tcp_server_port (server, 0);

  ck_assert_ptr_eq (loop_server_get_loop (server), tcp.loop);
  ck_assert_uint_ne (loop_server_get_id (server), loop_server_get_id (other));

  /* The loop keeps it alive. */
  g_clear_object (&server);
  assert_reachable (&tcp, "127.0.0.1", port);
}
END_TEST

LOOP_TEST_MAIN ("create-server-hosts",
                test_one_host,
                test_given_port,
                test_host_name,
                test_several_hosts_share_a_port,
                test_same_host_twice,
                test_dual_stack,
                test_all_interfaces,
                test_family,
                test_ipv6_only,
                test_server_belongs_to_loop)
