/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <fcntl.h>
#include <unistd.h>

/* Transports on sockets that somebody else has connected. */

static void
make_pair (int fds[2])
{
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static LoopTransport *
make (Tcp *tcp, int fd, GError **error)
{
  g_autoptr (GObject) protocol = NULL;

  tcp_add_client (tcp);
  protocol = tcp_client_factory (tcp);

  return loop_event_loop_make_socket_transport (tcp->loop, fd, LOOP_PROTOCOL (protocol), error);
}

START_TEST (test_echo)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopTransport) transport = NULL;
  TcpPeer *peer;
  char data[5];
  int fds[2];

  make_pair (fds);
  transport = make (&tcp, fds[0], NULL);
  peer = tcp_peer_at (tcp.clients, 0);
  peer->is_echo = TRUE;
  ck_assert_ptr_nonnull (transport);
  ck_assert_int_eq (loop_transport_get_fd (transport), fds[0]);
  /* Nothing is called before the loop runs. */
  ck_assert_uint_eq (peer->n_made, 0);
  ck_assert_int_eq (write (fds[1], "hello", 5), 5);
  tcp_run_until (tcp.loop, peer->n_data == 1);
  ck_assert_uint_eq (peer->n_made, 1);
  ck_assert_int_eq (read (fds[1], data, sizeof data), 5);
  ck_assert_int_eq (memcmp (data, "hello", 5), 0);

  close (fds[1]);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  tcp_run_for (tcp.loop, 0);
  ck_assert_int_eq (loop_transport_get_fd (transport), -1);
  ck_assert_int_eq (fcntl (fds[0], F_GETFD), -1);
}
END_TEST

static void
steal (TcpPeer *peer)
{
  int fd = loop_transport_get_fd (peer->transport);

  ck_assert_int_ge (fd, 0);
  ck_assert_int_eq (loop_transport_steal_fd (peer->transport), fd);
  ck_assert_int_eq (loop_transport_get_fd (peer->transport), -1);
  ck_assert_int_eq (loop_transport_steal_fd (peer->transport), -1);
}

START_TEST (test_stolen)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopTransport) transport = NULL;
  TcpPeer *peer;
  int fds[2];

  make_pair (fds);
  transport = make (&tcp, fds[0], NULL);
  peer = tcp_peer_at (tcp.clients, 0);
  peer->lost = steal;
  tcp_run_until (tcp.loop, peer->n_made == 1);
  /* While it is connected it keeps what it has. */
  ck_assert_int_eq (loop_transport_steal_fd (transport), -1);
  loop_transport_abort (transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  tcp_run_for (tcp.loop, 0);

  /* It was left open, and may be watched again. */
  ck_assert_int_eq (write (fds[0], "hello", 5), 5);
  g_clear_object (&transport);
  transport = make (&tcp, fds[0], NULL);
  ck_assert_ptr_nonnull (transport);
  loop_transport_abort (transport);
  tcp_run_for (tcp.loop, 0);
  close (fds[1]);
}
END_TEST

START_TEST (test_stolen_by_gsocket)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (GValue) socket = G_VALUE_INIT;
  g_autoptr (LoopTransport) transport = NULL;
  int fds[2];

  make_pair (fds);
  transport = make (&tcp, fds[0], NULL);
  ck_assert (loop_transport_get_extra_info (transport, "socket", &socket));
  loop_transport_abort (transport);
  ck_assert_int_eq (loop_transport_steal_fd (transport), -1);
  tcp_run_for (tcp.loop, 0);
  ck_assert (g_socket_is_closed (g_value_get_object (&socket)));
  close (fds[1]);
}
END_TEST

START_TEST (test_made_non_blocking)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopTransport) transport = NULL;
  int fds[2];

  make_pair (fds);
  transport = make (&tcp, fds[0], NULL);
  ck_assert_int_ne (fcntl (fds[0], F_GETFL) & O_NONBLOCK, 0);
  loop_transport_abort (transport);
  tcp_run_for (tcp.loop, 0);
  close (fds[1]);
}
END_TEST

START_TEST (test_no_socket)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GError) error = NULL;
  int fds[2];

  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
  ck_assert_ptr_null (make (&tcp, fds[0], &error));
  tcp_assert_contains (error->message, "as a socket");
  /* It is still ours. */
  ck_assert_int_eq (close (fds[0]), 0);
  ck_assert_int_eq (close (fds[1]), 0);
}
END_TEST

START_TEST (test_twice)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopTransport) transport = NULL;
  g_autoptr (GError) error = NULL;
  int fds[2];

  make_pair (fds);
  transport = make (&tcp, fds[0], NULL);
  ck_assert_ptr_null (make (&tcp, fds[0], &error));
  ck_assert_ptr_nonnull (error);
  loop_transport_abort (transport);
  tcp_run_for (tcp.loop, 0);
  close (fds[1]);
}
END_TEST

START_TEST (test_closed_loop)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GError) error = NULL;
  int fds[2];

  make_pair (fds);
  loop_event_loop_close (tcp.loop);
  ck_assert_ptr_null (make (&tcp, fds[0], &error));
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_CLOSED);
  close (fds[0]);
  close (fds[1]);
}
END_TEST

/* A connection whose write has failed is closing, before its end is told. */
START_TEST (test_failed_write)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopTransport) transport = NULL;
  TcpPeer *peer;
  int fds[2];

  make_pair (fds);
  transport = make (&tcp, fds[0], NULL);
  peer = tcp_peer_at (tcp.clients, 0);
  tcp_run_until (tcp.loop, peer->n_made == 1);
  close (fds[1]);
  loop_transport_write (transport, (const guint8 *) "x", 1);
  ck_assert (loop_transport_is_closing (transport));
  ck_assert_uint_eq (peer->n_lost, 0);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_ptr_nonnull (peer->error);
}
END_TEST

LOOP_TEST_MAIN ("make-socket-transport",
                test_echo,
                test_stolen,
                test_stolen_by_gsocket,
                test_made_non_blocking,
                test_no_socket,
                test_twice,
                test_closed_loop,
                test_failed_write)
