/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fake-resolver.h"
#include "tcp-check.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* create_connection with arguments that cannot do. On every path the factory's data is destroyed, once. */

static guint n_destroyed;

static GObject *
unused_factory (gpointer user_data)
{
  ck_abort_msg ("the factory was called");
}

static GObject *
make_cancellable (gpointer user_data)
{
  return G_OBJECT (g_cancellable_new ());
}

static void
count_destroyed (gpointer user_data)
{
  ck_assert_str_eq (user_data, "data");
  n_destroyed++;
}

/* Returns: the error that the call failed with */
static GError *
fail_to_connect (Tcp *tcp, const char *host, LoopConnectionOptions *options, LoopProtocolFactory factory)
{
  guint n_fds = tcp_count_fds ();
  g_autoptr (LoopFuture) future = NULL;
  GError *error;

  n_destroyed = 0;
  future = loop_event_loop_create_connection (tcp->loop, host, tcp->port, options, factory, (gpointer) "data",
                                              count_destroyed);
  error = tcp_take_error (tcp, future);
  tcp_run_for (tcp->loop, 0.0);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);

  return error;
}

static void
check_invalid (const char *host, LoopConnectionOptions *options)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GError) error = fail_to_connect (&tcp, host, options, unused_factory);

  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}

START_TEST (test_no_host)
{
  check_invalid (NULL, NULL);
  check_invalid ("", NULL);
}
END_TEST

START_TEST (test_long_host)
{
  static const guint lengths[] = { 255, 256, 300, 65536 };

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      g_autofree char *name = g_strnfill (lengths[i], 'a');

      check_invalid (name, NULL);
    }
  ck_assert_uint_eq (fake_resolver_get_n_lookups (), 0);
}
END_TEST

/* What is quoted of it is cut between characters. */
START_TEST (test_long_host_in_utf8)
{
  g_auto (Tcp) tcp = tcp_new ();

  for (guint n = 0; n < 4; n++)
    {
      g_autoptr (GString) name = g_string_new (NULL);
      g_autoptr (GError) error = NULL;

      for (guint i = 0; i < n; i++)
        g_string_append_c (name, 'a');
      for (guint i = 0; i < 100; i++)
        g_string_append (name, "€");
      error = fail_to_connect (&tcp, name->str, NULL, unused_factory);
      tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      ck_assert (g_utf8_validate (error->message, -1, NULL));
    }
}
END_TEST

START_TEST (test_sock_and_host)
{
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);

  loop_connection_options_set_sock (options, socket);
  check_invalid ("127.0.0.1", options);
  ck_assert (!g_socket_is_closed (socket));
}
END_TEST

START_TEST (test_sock_and_local_addr)
{
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (GSocketAddress) local = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);

  loop_connection_options_set_sock (options, socket);
  loop_connection_options_set_local_addr (options, G_SOCKET_CONNECTABLE (local));
  check_invalid (NULL, options);
}
END_TEST

START_TEST (test_datagram_sock)
{
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);

  loop_connection_options_set_sock (options, socket);
  check_invalid (NULL, options);
  ck_assert (!g_socket_is_closed (socket));
}
END_TEST

START_TEST (test_closed_sock)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);

  g_socket_close (socket, NULL);
  loop_connection_options_set_sock (options, socket);
  error = fail_to_connect (&tcp, NULL, options, unused_factory);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
}
END_TEST

/* Two transports on one descriptor would steal from each other. */
START_TEST (test_sock_in_use)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_transport_get_extra_info (client->transport, "socket", &value));
  loop_connection_options_set_sock (options, g_value_get_object (&value));
  tcp_add_client (&tcp);
  future = loop_event_loop_create_connection (tcp.loop, NULL, 0, options, tcp_client_factory, &tcp, NULL);
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE);
  loop_transport_write (client->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_bytes == 1);
}
END_TEST

START_TEST (test_unknown_host)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GError) error = fail_to_connect (&tcp, "nonexistent.invalid", NULL, unused_factory);

  ck_assert_uint_eq (error->domain, G_RESOLVER_ERROR);
  tcp_assert_contains (error->message, "nonexistent.invalid");
}
END_TEST

/* Neither a number nor a name. */
START_TEST (test_strange_hosts)
{
  static const char *const hosts[] = { " ",           "127.0.0.1 ", "127.0.0.1:80",    "[::1]", "::1::",
                                       "999.1.1.1",   "a..b",       "\xff\xfe",        "-",     "http://localhost",
                                       "local\nhost", "%",          "fe80::1%nosuchif" };
  g_auto (Tcp) tcp = tcp_new ();

  for (guint i = 0; i < G_N_ELEMENTS (hosts); i++)
    {
      g_autoptr (GError) error = fail_to_connect (&tcp, hosts[i], NULL, unused_factory);

      ck_assert_msg (error->domain == G_RESOLVER_ERROR || error->domain == G_IO_ERROR, "%s: %s", hosts[i],
                     g_quark_to_string (error->domain));
      ck_assert_msg (g_utf8_validate (error->message, -1, NULL), "the message is not UTF-8");
    }
}
END_TEST

START_TEST (test_temporary_failure)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GError) error = NULL;

  fake_resolver_add_failing ("busy.test", EAI_AGAIN);
  error = fail_to_connect (&tcp, "busy.test", NULL, unused_factory);
  tcp_assert_error (error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_TEMPORARY_FAILURE);
}
END_TEST

START_TEST (test_family_without_address)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (GError) error = NULL;

  loop_connection_options_set_family (options, AF_INET6);
  error = fail_to_connect (&tcp, "127.0.0.1", options, unused_factory);
  ck_assert_uint_eq (error->domain, G_RESOLVER_ERROR);
}
END_TEST

static void
check_factory (LoopProtocolFactory factory)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GError) error = NULL;
  int listener = tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);

  error = fail_to_connect (&tcp, "127.0.0.1", NULL, factory);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY);

  /* The connection was made, and is closed again. */
  ck_assert (tcp_raw_is_eof (tcp_raw_accept (&tcp, listener)));
}

START_TEST (test_factory_returns_nothing) { check_factory (tcp_make_no_protocol); }
END_TEST

START_TEST (test_factory_returns_no_protocol) { check_factory (make_cancellable); }
END_TEST

/* Then the socket is still the caller's. */
START_TEST (test_factory_fails_with_sock)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GError) error = NULL;
  guint16 port = 0;
  int fd;

  tcp_raw_listen (&tcp, "127.0.0.1", 5, &port);
  fd = tcp_raw_connect (&tcp, port);
  socket = g_socket_new_from_fd (dup (fd), NULL);
  loop_connection_options_set_sock (options, socket);
  error = fail_to_connect (&tcp, NULL, options, tcp_make_no_protocol);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY);
  ck_assert (!g_socket_is_closed (socket));
}
END_TEST

/* That it is not connected shows when it is read. */
START_TEST (test_unconnected_sock)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (LoopFuture) future = NULL;
  TcpPeer *client = tcp_add_client (&tcp);
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);

  loop_connection_options_set_sock (options, socket);
  future = loop_event_loop_create_connection (tcp.loop, NULL, 0, options, tcp_client_factory, &tcp, NULL);
  tcp_run_until (tcp.loop, loop_future_done (future));
  if (client->n_made > 0)
    {
      tcp_run_until (tcp.loop, client->n_lost == 1);
      ck_assert_uint_eq (client->error->domain, G_IO_ERROR);
      ck_assert (loop_future_result (future, NULL, NULL));
    }
  else
    {
      ck_assert (!loop_future_result (future, NULL, NULL));
    }
}
END_TEST

START_TEST (test_no_factory)
{
  g_auto (Tcp) tcp = tcp_new ();

  loop_check_expect_critical ("*factory != NULL*");
  ck_assert_ptr_null (loop_event_loop_create_connection (tcp.loop, "127.0.0.1", 1, NULL, NULL, NULL, NULL));
}
END_TEST

LOOP_TEST_MAIN ("create-connection-errors",
                test_no_host,
                test_long_host,
                test_long_host_in_utf8,
                test_sock_and_host,
                test_sock_and_local_addr,
                test_datagram_sock,
                test_closed_sock,
                test_sock_in_use,
                test_unknown_host,
                test_strange_hosts,
                test_temporary_failure,
                test_family_without_address,
                test_factory_returns_nothing,
                test_factory_returns_no_protocol,
                test_factory_fails_with_sock,
                test_unconnected_sock,
                test_no_factory)
