/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sock-check.h"
#include "tcp-check.h"

#include <fcntl.h>
#include <sys/un.h>

/* What the socket operations refuse, and how they fail. */

/* In debug mode only, as asyncio. */
START_TEST (test_blocking)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GBytes) data = g_bytes_new_static ("x", 1);
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (pair.b, NULL);
  guint8 buffer[1];

  g_socket_set_blocking (pair.a, TRUE);
  sock_take_nothing (loop_event_loop_sock_sendall (pair.loop, pair.a, data));

  loop_event_loop_set_debug (pair.loop, TRUE);
  sock_take_error (loop_event_loop_sock_recv (pair.loop, pair.a, 1), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "non-blocking");
  sock_take_error (loop_event_loop_sock_recv_into (pair.loop, pair.a, buffer, 1), G_IO_ERROR,
                   G_IO_ERROR_INVALID_ARGUMENT, "non-blocking");
  sock_take_error (loop_event_loop_sock_recvfrom (pair.loop, pair.a, 1), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "non-blocking");
  sock_take_error (loop_event_loop_sock_sendall (pair.loop, pair.a, data), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "non-blocking");
  sock_take_error (loop_event_loop_sock_sendto (pair.loop, pair.a, data, address), G_IO_ERROR,
                   G_IO_ERROR_INVALID_ARGUMENT, "non-blocking");
  sock_take_error (loop_event_loop_sock_accept (pair.loop, pair.a), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "non-blocking");
  sock_take_error (loop_event_loop_sock_connect (pair.loop, pair.a, G_SOCKET_CONNECTABLE (address)), G_IO_ERROR,
                   G_IO_ERROR_INVALID_ARGUMENT, "non-blocking");

  g_socket_set_blocking (pair.a, FALSE);
  sock_take_nothing (loop_event_loop_sock_sendall (pair.loop, pair.a, data));
}
END_TEST

/* Whatever mode its descriptor is in, the loop does not wait. */
START_TEST (test_descriptor_blocks)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GSocket) listener = sock_listen ();
  LoopFuture *futures[2];

  fcntl (g_socket_get_fd (listener), F_SETFL, 0);
  fcntl (g_socket_get_fd (pair.a), F_SETFL, 0);
  futures[0] = loop_event_loop_sock_accept (pair.loop, listener);
  futures[1] = loop_event_loop_sock_recv (pair.loop, pair.a, 1);
  for (int i = 0; i < 2; i++)
    {
      ck_assert (!loop_future_done (futures[i]));
      loop_future_cancel (futures[i]);
      g_object_unref (futures[i]);
    }
}
END_TEST

/* A socket that a transport has is the transport's alone. */
START_TEST (test_transport)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) data = g_bytes_new_static ("x", 1);
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  GSocket *socket;

  ck_assert (loop_transport_get_extra_info (peer->transport, "socket", &value));
  socket = g_value_get_object (&value);
  fd = g_socket_get_fd (socket);

  sock_take_error (loop_event_loop_sock_recv (tcp.loop, socket, 1), LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE,
                   "transport");
  sock_take_error (loop_event_loop_sock_sendall (tcp.loop, socket, data), LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE,
                   "transport");
  sock_take_error (loop_event_loop_sock_wait (tcp.loop, fd, G_IO_IN), LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE,
                   "transport");
  ck_assert (!loop_event_loop_sock_check (tcp.loop, fd, &error));
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE);

  loop_transport_abort (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
}
END_TEST

/* A callback of the user's and an operation do not take each other's events. */
START_TEST (test_callbacks)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  int fd = g_socket_get_fd (pair.a);
  int n = 0;
  LoopFuture *future;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  ck_assert (loop_event_loop_add_reader (pair.loop, fd, count_up, &n, NULL));
  sock_take_error (loop_event_loop_sock_recv (pair.loop, pair.a, 1), LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE,
                   "callback");
  sock_write (pair.b, "x");
  run_once (pair.loop);
  run_once (pair.loop);
  ck_assert_int_gt (n, 0);

  /* What is there may be taken all the same. */
  text = sock_take_text (loop_event_loop_sock_recv (pair.loop, pair.a, 1));
  ck_assert_str_eq (text, "x");
  ck_assert (loop_event_loop_remove_reader (pair.loop, fd));

  future = loop_event_loop_sock_recv (pair.loop, pair.a, 1);
  ck_assert (!loop_event_loop_add_reader_full (pair.loop, fd, count_up, &n, NULL, &error));
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE);
  ck_assert (!loop_event_loop_remove_reader (pair.loop, fd));
  ck_assert (!loop_event_loop_remove_writer (pair.loop, fd));
  sock_write (pair.b, "y");
  g_free (text);
  text = sock_take_text (future);
  ck_assert_str_eq (text, "y");
}
END_TEST

START_TEST (test_closed)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);

  g_socket_close (pair.a, NULL);
  sock_take_error (loop_event_loop_sock_recv (pair.loop, pair.a, 1), G_IO_ERROR, G_IO_ERROR_CLOSED, "closed");
  sock_take_error (loop_event_loop_sock_wait (pair.loop, -1, G_IO_IN), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "-1");
}
END_TEST

START_TEST (test_refused)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GSocket) socket = sock_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", tcp_unused_port ());
  g_autoptr (GSocketConnectable) service = g_network_service_new ("x", "tcp", "example.org");

  sock_take_error (loop_event_loop_sock_connect (pair.loop, socket, G_SOCKET_CONNECTABLE (address)), G_IO_ERROR,
                   G_IO_ERROR_CONNECTION_REFUSED, "Could not connect to 127.0.0.1");
  sock_take_error (loop_event_loop_sock_connect (pair.loop, socket, service), G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   "GNetworkService");
  sock_take_error (loop_event_loop_sock_accept (pair.loop, socket), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "Could not accept");
}
END_TEST

START_TEST (test_broken_pipe)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GBytes) data = g_bytes_new_static ("x", 1);

  g_socket_close (pair.b, NULL);
  sock_take_error (loop_event_loop_sock_sendall (pair.loop, pair.a, data), G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE, "send");
}
END_TEST

START_TEST (test_datagram_too_long)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GSocket) socket = sock_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", tcp_unused_port ());
  g_autoptr (GBytes) data = tcp_random_bytes (65508);
  g_autoptr (GBytes) less = g_bytes_new_from_bytes (data, 0, 65507);

  sock_take_error (loop_event_loop_sock_sendto (pair.loop, socket, data, address), G_IO_ERROR,
                   G_IO_ERROR_MESSAGE_TOO_LARGE, "send");
  ck_assert_int_eq (sock_take_number (loop_event_loop_sock_sendto (pair.loop, socket, less, address)), 65507);
}
END_TEST

LOOP_TEST_MAIN ("sock-errors",
                test_blocking,
                test_descriptor_blocks,
                test_transport,
                test_callbacks,
                test_closed,
                test_refused,
                test_broken_pipe,
                test_datagram_too_long)
