/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>

/* The keyword arguments of create_server. */

static const char *const localhost[] = { "127.0.0.1", NULL };

static int
get_option (LoopServer *server, int level, int name)
{
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (server);
  g_autoptr (GError) error = NULL;
  int value = -1;

  ck_assert (g_socket_get_option (g_ptr_array_index (sockets, 0), level, name, &value, &error));

  return value;
}

static GError *
serve_in_vain (Tcp *tcp, guint16 port, LoopServerOptions *options)
{
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_server (tcp->loop, localhost, port, options, tcp_accept_factory, tcp, NULL);

  return tcp_take_error (tcp, future);
}

/* How many of @n connections the kernel takes while nobody accepts. */
static guint
count_completed (Tcp *tcp, guint16 port, guint n)
{
  struct sockaddr_in address = {
    .sin_family = AF_INET,
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
    .sin_port = htons (port),
  };
  g_autofree struct pollfd *fds = g_new0 (struct pollfd, n);
  guint n_completed = 0;

  for (guint i = 0; i < n; i++)
    {
      int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

      g_array_append_val (tcp->raw, fd);
      connect (fd, (struct sockaddr *) &address, sizeof address);
      fds[i] = (struct pollfd) { .fd = fd, .events = POLLOUT };
    }

  g_usleep (50 * 1000);
  poll (fds, n, 0);
  for (guint i = 0; i < n; i++)
    n_completed += (fds[i].revents & POLLOUT) != 0;

  return n_completed;
}

START_TEST (test_backlog)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) large = tcp_serve (&tcp, localhost, 0, options);
  g_autoptr (LoopServer) small = NULL;
  guint n_completed;

  loop_server_options_set_backlog (options, 2);
  small = tcp_serve (&tcp, localhost, 0, options);

  ck_assert_uint_eq (count_completed (&tcp, tcp_server_port (large, 0), 20), 20);
  n_completed = count_completed (&tcp, tcp_server_port (small, 0), 20);
  ck_assert_uint_ge (n_completed, 1);
  ck_assert_uint_le (n_completed, 4);
}
END_TEST

/* A backlog of zero is the kernel's business; connections are accepted all the same. */
START_TEST (test_no_backlog)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) server = NULL;

  loop_server_options_set_backlog (options, 0);
  server = tcp_serve (&tcp, localhost, 0, options);
  tcp_raw_connect (&tcp, tcp_server_port (server, 0));
  tcp_run_until (tcp.loop, tcp.accepted->len == 1);
}
END_TEST

START_TEST (test_socket_options)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) server = tcp_serve (&tcp, localhost, 0, NULL);
  g_autoptr (LoopServer) other = NULL;

  ck_assert_int_ne (get_option (server, SOL_SOCKET, SO_REUSEADDR), 0);
  ck_assert_int_eq (get_option (server, SOL_SOCKET, SO_REUSEPORT), 0);
  /* Accepted connections inherit it: a write goes out at once. */
  ck_assert_int_ne (get_option (server, IPPROTO_TCP, TCP_NODELAY), 0);

  loop_server_options_set_reuse_address (options, FALSE);
  loop_server_options_set_reuse_port (options, TRUE);
  other = tcp_serve (&tcp, localhost, 0, options);
  ck_assert_int_eq (get_option (other, SOL_SOCKET, SO_REUSEADDR), 0);
  ck_assert_int_ne (get_option (other, SOL_SOCKET, SO_REUSEPORT), 0);
}
END_TEST

START_TEST (test_keep_alive)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) server = tcp_serve (&tcp, localhost, 0, NULL);
  g_autoptr (LoopServer) other = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  int is_kept = 0;

  ck_assert_int_eq (get_option (server, SOL_SOCKET, SO_KEEPALIVE), 0);
  loop_server_options_set_keep_alive (options, TRUE);
  other = tcp_serve (&tcp, localhost, 0, options);
  ck_assert_int_ne (get_option (other, SOL_SOCKET, SO_KEEPALIVE), 0);

  /* Connections inherit it. */
  tcp_raw_connect (&tcp, tcp_server_port (other, 0));
  tcp_run_until (tcp.loop, tcp.accepted->len == 1 && tcp_last_accepted (&tcp)->n_made == 1);
  ck_assert (loop_transport_get_extra_info (tcp_last_accepted (&tcp)->transport, "socket", &value));
  ck_assert (g_socket_get_option (g_value_get_object (&value), SOL_SOCKET, SO_KEEPALIVE, &is_kept, NULL));
  ck_assert_int_eq (is_kept, 1);
}
END_TEST

/* An old connection in TIME_WAIT keeps the port busy, unless the address may be reused. */
START_TEST (test_reuse_address)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) first = tcp_serve (&tcp, localhost, 0, NULL);
  g_autoptr (LoopServer) second = NULL;
  g_autoptr (GError) error = NULL;
  guint16 port = tcp_server_port (first, 0);
  int fd = tcp_raw_connect (&tcp, port);

  /* The server's side closes first, and so it is the one that lingers. */
  tcp_run_until (tcp.loop, tcp.accepted->len == 1 && tcp_last_accepted (&tcp)->n_made == 1);
  loop_transport_close (tcp_last_accepted (&tcp)->transport);
  loop_server_close (first);
  tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_lost == 1);
  tcp_raw_close (&tcp, fd);
  tcp_run_for (tcp.loop, 0.02);

  loop_server_options_set_reuse_address (options, FALSE);
  error = serve_in_vain (&tcp, port, options);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);

  loop_server_options_set_reuse_address (options, TRUE);
  second = tcp_serve (&tcp, localhost, port, options);
  ck_assert_uint_eq (tcp_server_port (second, 0), port);
}
END_TEST

START_TEST (test_reuse_port)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) first = NULL;
  g_autoptr (LoopServer) second = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  guint16 port;

  loop_server_options_set_reuse_port (options, TRUE);
  first = tcp_serve (&tcp, localhost, 0, options);
  port = tcp_server_port (first, 0);
  second = tcp_serve (&tcp, localhost, port, options);
  ck_assert_uint_eq (tcp_server_port (second, 0), port);

  for (guint i = 0; i < 10; i++)
    tcp_raw_connect (&tcp, port);
  tcp_run_until (tcp.loop, tcp.accepted->len == 10);

  /* Both have to want it. */
  error = serve_in_vain (&tcp, port, NULL);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  name = g_strdup_printf ("127.0.0.1:%u", port);
  tcp_assert_contains (error->message, name);
}
END_TEST

START_TEST (test_address_in_use)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.2", "127.0.0.1", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, localhost, 0, NULL);
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = g_strdup_printf ("127.0.0.1:%u", tcp_server_port (server, 0));
  guint n_fds = tcp_count_fds ();

  future = loop_event_loop_create_server (tcp.loop, hosts, tcp_server_port (server, 0), NULL, tcp_accept_factory, &tcp,
                                          NULL);
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  tcp_assert_contains (error->message, name);

  /* The socket on the address that was free is closed again. */
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
}
END_TEST

/* Two may bind a port on which neither listens yet: the second is told when it wants to listen. */
START_TEST (test_address_in_use_at_listen)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) first = NULL;
  g_autoptr (LoopServer) second = NULL;
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;

  loop_server_options_set_start_serving (options, FALSE);
  first = tcp_serve (&tcp, localhost, 0, options);
  second = tcp_serve (&tcp, localhost, tcp_server_port (first, 0), options);
  ck_assert (loop_server_is_serving (first) == FALSE);
  g_object_unref (loop_server_start_serving (first));

  future = loop_server_start_serving (second);
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  name = g_strdup_printf ("127.0.0.1:%u", tcp_server_port (first, 0));
  tcp_assert_contains (error->message, name);
  ck_assert (!loop_server_is_serving (second));
}
END_TEST

START_TEST (test_start_serving_later)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) server = NULL;
  g_autoptr (LoopFuture) refused = NULL;
  g_autoptr (LoopFuture) started = NULL;
  g_autoptr (LoopFuture) again = NULL;
  g_autoptr (GError) error = NULL;
  guint16 port;

  loop_server_options_set_start_serving (options, FALSE);
  server = tcp_serve (&tcp, localhost, 0, options);
  port = tcp_server_port (server, 0);
  ck_assert (!loop_server_is_serving (server));

  tcp_add_client (&tcp);
  refused = loop_event_loop_create_connection (tcp.loop, "127.0.0.1", port, NULL, tcp_client_factory, &tcp, NULL);
  error = tcp_take_error (&tcp, refused);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);

  started = loop_server_start_serving (server);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, started, NULL, NULL));
  ck_assert (loop_server_is_serving (server));
  tcp_raw_connect (&tcp, port);
  tcp_run_until (tcp.loop, tcp.accepted->len == 1);

  again = loop_server_start_serving (server);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, again, NULL, NULL));
  ck_assert (loop_server_is_serving (server));
}
END_TEST

static GSocket *
make_bound_socket (gboolean is_listening)
{
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 0);

  ck_assert (g_socket_bind (socket, address, TRUE, NULL));
  if (is_listening)
    ck_assert (g_socket_listen (socket, NULL));

  return g_steal_pointer (&socket);
}

static void
check_sock (gboolean is_listening)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (GSocket) socket = make_bound_socket (is_listening);
  g_autoptr (GPtrArray) sockets = NULL;
  g_autoptr (LoopServer) server = NULL;

  loop_server_options_set_sock (options, socket);
  server = tcp_serve (&tcp, NULL, 0, options);
  sockets = loop_server_get_sockets (server);
  ck_assert_uint_eq (sockets->len, 1);
  ck_assert_ptr_eq (g_ptr_array_index (sockets, 0), socket);
  ck_assert (!g_socket_get_blocking (socket));
  ck_assert_int_ne (get_option (server, IPPROTO_TCP, TCP_NODELAY), 0);

  tcp_raw_connect (&tcp, tcp_server_port (server, 0));
  tcp_run_until (tcp.loop, tcp.accepted->len == 1);

  /* It is the server's, which closes it. */
  loop_server_close (server);
  tcp_run_for (tcp.loop, 0.0);
  ck_assert (g_socket_is_closed (socket));
}

START_TEST (test_sock) { check_sock (FALSE); }
END_TEST

START_TEST (test_sock_that_listens) { check_sock (TRUE); }
END_TEST

/* A call looks at its options before it returns. */
START_TEST (test_options_are_copied)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopServer) server = NULL;

  future = loop_event_loop_create_server (tcp.loop, localhost, 0, options, tcp_accept_factory, &tcp, NULL);
  loop_server_options_set_start_serving (options, FALSE);
  loop_server_options_set_reuse_port (options, TRUE);
  g_clear_object (&options);

  server = tcp_take_server (&tcp, future);
  ck_assert (loop_server_is_serving (server));
  ck_assert_int_eq (get_option (server, SOL_SOCKET, SO_REUSEPORT), 0);
}
END_TEST

LOOP_TEST_MAIN ("create-server-options",
                test_backlog,
                test_no_backlog,
                test_socket_options,
                test_keep_alive,
                test_reuse_address,
                test_reuse_port,
                test_address_in_use,
                test_address_in_use_at_listen,
                test_start_serving_later,
                test_sock,
                test_sock_that_listens,
                test_options_are_copied)
