/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <sys/socket.h>

/* A connection that somebody else has accepted. */

static guint n_destroyed;

static void
count_destroyed (gpointer user_data)
{
  n_destroyed++;
}

static LoopFuture *
connect_accepted (Tcp *tcp, GSocket *socket, LoopConnectionOptions *options)
{
  tcp_add_client (tcp);

  return loop_event_loop_connect_accepted_socket (tcp->loop, socket, options, tcp_client_factory, tcp, count_destroyed);
}

/* A socket that was accepted, and its other end, which blocks. */
static GSocket *
accept_tcp (Tcp *tcp, int *fd)
{
  guint16 port = 0;
  int listener = tcp_raw_listen (tcp, "127.0.0.1", 1, &port);
  g_autoptr (GError) error = NULL;
  GSocket *socket;

  *fd = tcp_raw_connect (tcp, port);
  socket = g_socket_new_from_fd (accept4 (listener, NULL, NULL, SOCK_CLOEXEC), &error);
  ck_assert_ptr_nonnull (socket);

  return socket;
}

static GSocket *
accept_unix (Tcp *tcp, int *fd)
{
  int fds[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  g_array_append_val (tcp->raw, fds[1]);
  *fd = fds[1];

  return g_socket_new_from_fd (fds[0], NULL);
}

static void
check_talks (GSocket *(*make) (Tcp *tcp, int *fd))
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  g_autoptr (GSocket) socket = make (&tcp, &fd);
  g_autoptr (LoopFuture) future = connect_accepted (&tcp, socket, NULL);
  g_autoptr (LoopTransport) transport = tcp_take_transport (&tcp, future);
  g_auto (GValue) value = G_VALUE_INIT;
  g_autofree char *text = NULL;
  TcpPeer *peer = tcp_peer_at (tcp.clients, 0);

  peer->is_echo = TRUE;
  ck_assert_ptr_eq (peer->transport, transport);
  ck_assert (loop_transport_get_extra_info (transport, "socket", &value));
  ck_assert_ptr_eq (g_value_get_object (&value), socket);
  ck_assert_uint_eq (n_destroyed, 1);

  tcp_raw_send (fd, "hello");
  tcp_run_until (tcp.loop, peer->n_bytes == 5);
  text = tcp_raw_receive (fd, 5);
  ck_assert_str_eq (text, "hello");
  loop_transport_close (transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert (g_socket_is_closed (socket));
  ck_assert (tcp_raw_is_eof (fd));
}

START_TEST (test_tcp) { check_talks (accept_tcp); }
END_TEST

START_TEST (test_unix) { check_talks (accept_unix); }
END_TEST

static void
check_refused (Tcp *tcp, GSocket *socket, LoopConnectionOptions *options, int code)
{
  g_autoptr (LoopFuture) future = connect_accepted (tcp, socket, options);
  g_autoptr (GError) error = tcp_take_error (tcp, future);

  tcp_assert_error (error, G_IO_ERROR, code);
  ck_assert_uint_eq (n_destroyed, 1);
}

START_TEST (test_datagrams)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GSocket) socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, 0, NULL);

  check_refused (&tcp, socket, NULL, G_IO_ERROR_INVALID_ARGUMENT);
}
END_TEST

START_TEST (test_closed)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  g_autoptr (GSocket) socket = accept_unix (&tcp, &fd);

  g_socket_close (socket, NULL);
  check_refused (&tcp, socket, NULL, G_IO_ERROR_CLOSED);
}
END_TEST

START_TEST (test_two_sockets)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  int fd;
  g_autoptr (GSocket) socket = accept_unix (&tcp, &fd);

  loop_connection_options_set_sock (options, socket);
  check_refused (&tcp, socket, options, G_IO_ERROR_INVALID_ARGUMENT);
}
END_TEST

START_TEST (test_no_protocol)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  g_autoptr (GSocket) socket = accept_unix (&tcp, &fd);
  g_autoptr (LoopFuture) future =
      loop_event_loop_connect_accepted_socket (tcp.loop, socket, NULL, tcp_make_no_protocol, NULL, NULL);
  g_autoptr (GError) error = tcp_take_error (&tcp, future);

  /* The socket is the caller's still. */
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY);
  ck_assert (!g_socket_is_closed (socket));
}
END_TEST

START_TEST (test_cancelled)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  g_autoptr (GSocket) socket = accept_unix (&tcp, &fd);
  g_autoptr (LoopFuture) future = connect_accepted (&tcp, socket, NULL);

  ck_assert (loop_future_cancel (future));
  tcp_run_for (tcp.loop, 0.002);
  ck_assert (tcp_raw_is_eof (fd));
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_uint_eq (tcp_peer_at (tcp.clients, 0)->n_made, tcp_peer_at (tcp.clients, 0)->n_lost);
}
END_TEST

static GObject *
close_loop_and_make (gpointer user_data)
{
  tcp_close_loop (user_data);
  ck_assert_uint_eq (n_destroyed, 0);

  return tcp_client_factory (user_data);
}

START_TEST (test_loop_closed_in_factory)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  g_autoptr (GSocket) socket = accept_unix (&tcp, &fd);
  g_autoptr (LoopFuture) future = NULL;

  tcp_add_client (&tcp);
  future = loop_event_loop_connect_accepted_socket (tcp.loop, socket, NULL, close_loop_and_make, &tcp, count_destroyed);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_uint_eq (tcp_peer_at (tcp.clients, 0)->n_made, 0);
  ck_assert (!g_socket_is_closed (socket));
}
END_TEST

START_TEST (test_loop_is_closed)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  g_autoptr (GSocket) socket = accept_unix (&tcp, &fd);
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  tcp_close_loop (&tcp);
  future = connect_accepted (&tcp, socket, NULL);
  ck_assert (loop_future_done (future));
  error = loop_future_exception (future, NULL);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_CLOSED);
  ck_assert_uint_eq (n_destroyed, 1);
}
END_TEST

LOOP_TEST_MAIN ("connect-accepted-socket",
                test_tcp,
                test_unix,
                test_datagrams,
                test_closed,
                test_two_sockets,
                test_no_protocol,
                test_cancelled,
                test_loop_closed_in_factory,
                test_loop_is_closed)
