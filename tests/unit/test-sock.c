/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sock-check.h"
#include "tcp-check.h"

#include <fcntl.h>
#include <sys/un.h>

/* What the low-level socket operations do when all goes well. */

START_TEST (test_recv)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  LoopFuture *future;
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *third = NULL;
  g_autofree char *end = NULL;

  /* What is there is there at once. */
  sock_write (pair.b, "hello");
  future = loop_event_loop_sock_recv (pair.loop, pair.a, 3);
  ck_assert (loop_future_done (future));
  first = sock_take_text (future);
  ck_assert_str_eq (first, "hel");
  second = sock_take_text (loop_event_loop_sock_recv (pair.loop, pair.a, 100));
  ck_assert_str_eq (second, "lo");

  future = loop_event_loop_sock_recv (pair.loop, pair.a, 100);
  run_once (pair.loop);
  ck_assert (!loop_future_done (future));
  ck_assert_uint_eq (sock_count_watches (pair.loop), 1);
  sock_write (pair.b, "later");
  third = sock_take_text (future);
  ck_assert_str_eq (third, "later");
  ck_assert_uint_eq (sock_count_watches (pair.loop), 0);

  g_socket_shutdown (pair.b, FALSE, TRUE, NULL);
  end = sock_take_text (loop_event_loop_sock_recv (pair.loop, pair.a, 100));
  ck_assert_str_eq (end, "");
}
END_TEST

/* As asyncio: no byte is asked for, and none is waited for. */
START_TEST (test_recv_nothing)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  guint8 buffer[1];
  g_autofree char *text = NULL;
  LoopFuture *future = loop_event_loop_sock_recv (pair.loop, pair.a, 0);

  ck_assert (loop_future_done (future));
  text = sock_take_text (future);
  ck_assert_str_eq (text, "");
  ck_assert_int_eq (sock_take_number (loop_event_loop_sock_recv_into (pair.loop, pair.a, buffer, 0)), 0);
}
END_TEST

START_TEST (test_recv_into)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  guint8 buffer[8] = "xxxxxxx";
  LoopFuture *future = loop_event_loop_sock_recv_into (pair.loop, pair.a, buffer, 4);

  run_once (pair.loop);
  sock_write (pair.b, "abcdef");
  ck_assert_int_eq (sock_take_number (future), 4);
  ck_assert_str_eq ((char *) buffer, "abcdxxx");
  ck_assert_int_eq (sock_take_number (loop_event_loop_sock_recv_into (pair.loop, pair.a, buffer, 8)), 2);
  ck_assert_str_eq ((char *) buffer, "efcdxxx");
}
END_TEST

/* More than the buffer of the loop, and messages that are longer than it. */
START_TEST (test_recv_much)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_SEQPACKET);
  g_autoptr (GBytes) message = tcp_random_bytes (300 * 1000);
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (LoopFuture) future = NULL;
  int size = 1024 * 1024;

  setsockopt (g_socket_get_fd (pair.b), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  tcp_skip_unless (send (g_socket_get_fd (pair.b), g_bytes_get_data (message, NULL), 300 * 1000, MSG_DONTWAIT) > 0,
                   "the kernel allows no message of this size");
  future = loop_event_loop_sock_recv (pair.loop, pair.a, 1000 * 1000);
  ck_assert (loop_future_result (future, &value, NULL));
  ck_assert (g_bytes_equal (g_value_get_boxed (&value), message));
}
END_TEST

/* It waits for room, in the midst of the data. */
START_TEST (test_sendall)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GBytes) data = tcp_random_bytes (4 * 1024 * 1024);
  g_autoptr (GByteArray) received = g_byte_array_new ();
  g_autoptr (GBytes) got = NULL;
  LoopFuture *future = loop_event_loop_sock_sendall (pair.loop, pair.a, data);

  ck_assert (!loop_future_done (future));
  while (received->len < g_bytes_get_size (data))
    {
      g_auto (GValue) value = G_VALUE_INIT;
      g_autoptr (LoopFuture) part = loop_event_loop_sock_recv (pair.loop, pair.b, 100 * 1000);
      gsize size;
      const guint8 *bytes;

      sock_finish (part);
      ck_assert (loop_future_result (part, &value, NULL));
      bytes = g_bytes_get_data (g_value_get_boxed (&value), &size);
      g_byte_array_append (received, bytes, (guint) size);
    }
  sock_take_nothing (future);
  got = g_byte_array_free_to_bytes (g_steal_pointer (&received));
  ck_assert (g_bytes_equal (got, data));
}
END_TEST

START_TEST (test_sendall_nothing)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GBytes) empty = g_bytes_new_static ("", 0);

  sock_take_nothing (loop_event_loop_sock_sendall (pair.loop, pair.a, empty));
}
END_TEST

/* Several that wait have their turns: nothing is mixed, and nothing is taken out of order. */
START_TEST (test_turns)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  LoopFuture *receiving[4];
  LoopFuture *sending[4];
  GBytes *parts[4];
  g_autoptr (GString) all = g_string_new (NULL);

  for (int i = 0; i < 4; i++)
    {
      parts[i] = g_bytes_new_take (g_strnfill (1000 * 1000, (char) ('a' + i)), 1000 * 1000);
      sending[i] = loop_event_loop_sock_sendall (pair.loop, pair.a, parts[i]);
    }
  while (all->len < 4 * 1000 * 1000)
    {
      g_autofree char *text = sock_take_text (loop_event_loop_sock_recv (pair.loop, pair.b, 200 * 1000));

      g_string_append (all, text);
    }
  for (int i = 0; i < 4; i++)
    {
      sock_take_nothing (sending[i]);
      ck_assert_int_eq (memcmp (all->str + i * 1000 * 1000, g_bytes_get_data (parts[i], NULL), 1000 * 1000), 0);
      g_bytes_unref (parts[i]);
    }

  for (int i = 0; i < 4; i++)
    receiving[i] = loop_event_loop_sock_recv (pair.loop, pair.b, 2);
  sock_write (pair.a, "aabbccd");
  for (int i = 0; i < 4; i++)
    {
      g_autofree char *text = sock_take_text (receiving[i]);

      ck_assert_int_eq (text[0], 'a' + i);
    }
}
END_TEST

static void
check_connected (SockPair *pair, GSocket *listener, GSocketConnectable *address)
{
  g_autoptr (GSocket) socket = sock_new (g_socket_get_family (listener), G_SOCKET_TYPE_STREAM);
  g_autoptr (GSocket) other = NULL;
  g_autoptr (GSocketAddress) name G_GNUC_UNUSED = NULL;
  g_autofree char *text = NULL;
  LoopFuture *accepting = loop_event_loop_sock_accept (pair->loop, listener);
  LoopFuture *connecting = loop_event_loop_sock_connect (pair->loop, socket, address);

  sock_take_nothing (connecting);
  ck_assert (g_socket_is_connected (socket));
  other = sock_take_accepted (accepting);
  ck_assert (!g_socket_get_blocking (other));
  ck_assert_int_ne (fcntl (g_socket_get_fd (other), F_GETFD) & FD_CLOEXEC, 0);
  ck_assert_int_ne (fcntl (g_socket_get_fd (other), F_GETFL) & O_NONBLOCK, 0);

  sock_write (other, "hello");
  text = sock_take_text (loop_event_loop_sock_recv (pair->loop, socket, 100));
  ck_assert_str_eq (text, "hello");
}

START_TEST (test_connect_and_accept)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GSocket) listener = sock_listen ();
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (listener, NULL);
  guint16 port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
  g_autoptr (GSocketConnectable) number = g_network_address_new ("127.0.0.1", port);
  g_autoptr (GSocketConnectable) name = g_network_address_new ("localhost", port);

  check_connected (&pair, listener, G_SOCKET_CONNECTABLE (address));
  check_connected (&pair, listener, number);
  check_connected (&pair, listener, name);
}
END_TEST

START_TEST (test_connect_unix)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GSocket) listener = sock_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM);
  g_autofree char *path = g_strdup_printf ("libloop-test-sock-%d", getpid ());
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new_with_type (path, -1, G_UNIX_SOCKET_ADDRESS_ABSTRACT);

  ck_assert (g_socket_bind (listener, address, TRUE, NULL));
  ck_assert (g_socket_listen (listener, NULL));
  check_connected (&pair, listener, G_SOCKET_CONNECTABLE (address));
}
END_TEST

START_TEST (test_accepted_address)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GSocket) listener = sock_listen ();
  g_autoptr (GSocket) client = sock_connect (listener);
  g_autoptr (GSocketAddress) expected = g_socket_get_local_address (client, NULL);
  g_autoptr (LoopFuture) future = loop_event_loop_sock_accept (pair.loop, listener);
  g_auto (GValue) value = G_VALUE_INIT;
  GSocketAddress *address;

  ck_assert (loop_future_result (future, &value, NULL));
  address = loop_accept_result_get_address (g_value_get_boxed (&value));
  ck_assert_uint_eq (g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)),
                     g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (expected)));
}
END_TEST

static GSocket *
bind_datagrams (GSocketAddress **address)
{
  GSocket *socket = sock_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string ("127.0.0.1", 0);

  ck_assert (g_socket_bind (socket, any, TRUE, NULL));
  *address = g_socket_get_local_address (socket, NULL);

  return socket;
}

static void
check_datagram (LoopFuture *future, const char *data, gsize size, GSocketAddress *from)
{
  g_autoptr (LoopFuture) done = future;
  g_auto (GValue) value = G_VALUE_INIT;
  LoopRecvfromResult *received;
  GSocketAddress *address;

  sock_finish (done);
  ck_assert (loop_future_result (done, &value, NULL));
  received = g_value_get_boxed (&value);
  address = loop_recvfrom_result_get_address (received);
  ck_assert_uint_eq (loop_recvfrom_result_get_size (received), size);
  ck_assert_uint_eq (g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)),
                     g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (from)));
  if (data == NULL)
    ck_assert_ptr_null (loop_recvfrom_result_get_data (received));
  else if (size > 0)
    ck_assert_mem_eq (g_bytes_get_data (loop_recvfrom_result_get_data (received), NULL), data, size);
}

START_TEST (test_datagrams)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GSocketAddress) address_a = NULL;
  g_autoptr (GSocketAddress) address_b = NULL;
  g_autoptr (GSocket) a = bind_datagrams (&address_a);
  g_autoptr (GSocket) b = bind_datagrams (&address_b);
  g_autoptr (GBytes) ping = g_bytes_new_static ("ping", 4);
  g_autoptr (GBytes) empty = g_bytes_new_static ("", 0);
  guint8 buffer[3] = "";
  LoopFuture *receiving = loop_event_loop_sock_recvfrom (pair.loop, b, 100);

  ck_assert (!loop_future_done (receiving));
  ck_assert_int_eq (sock_take_number (loop_event_loop_sock_sendto (pair.loop, a, ping, address_b)), 4);
  check_datagram (receiving, "ping", 4, address_a);

  /* One of no bytes is one, too. */
  ck_assert_int_eq (sock_take_number (loop_event_loop_sock_sendto (pair.loop, a, empty, address_b)), 0);
  ck_assert_int_eq (sock_take_number (loop_event_loop_sock_sendto (pair.loop, a, ping, address_b)), 4);
  check_datagram (loop_event_loop_sock_recvfrom (pair.loop, b, 100), "", 0, address_a);

  /* What does not fit is lost, and the next one is another. */
  check_datagram (loop_event_loop_sock_recvfrom_into (pair.loop, b, buffer, 2), NULL, 2, address_a);
  ck_assert_str_eq ((char *) buffer, "pi");
  ck_assert_int_eq (sock_take_number (loop_event_loop_sock_sendto (pair.loop, a, ping, address_b)), 4);
  check_datagram (loop_event_loop_sock_recvfrom (pair.loop, b, 100), "ping", 4, address_a);
}
END_TEST

/* Both ways at once, on one socket, beside a writer of the user's. */
START_TEST (test_directions)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  int fd = g_socket_get_fd (pair.a);
  int n_writable = 0;
  g_autofree char *text = NULL;
  LoopFuture *future = loop_event_loop_sock_recv (pair.loop, pair.a, 100);

  ck_assert (loop_event_loop_add_writer (pair.loop, fd, count_up, &n_writable, NULL));
  run_once (pair.loop);
  run_once (pair.loop);
  ck_assert_int_gt (n_writable, 0);
  ck_assert_uint_eq (sock_count_watches (pair.loop), 1);

  sock_write (pair.b, "x");
  text = sock_take_text (future);
  ck_assert_str_eq (text, "x");
  n_writable = 0;
  run_once (pair.loop);
  run_once (pair.loop);
  ck_assert_int_gt (n_writable, 0);
  ck_assert (loop_event_loop_remove_writer (pair.loop, fd));
  run_once (pair.loop);
}
END_TEST

START_TEST (test_wait)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  int fd = g_socket_get_fd (pair.a);
  LoopFuture *first;
  LoopFuture *second;
  g_autofree char *text = NULL;

  ck_assert (loop_event_loop_sock_check (pair.loop, fd, NULL));
  sock_take_nothing (loop_event_loop_sock_wait (pair.loop, fd, G_IO_OUT));

  first = loop_event_loop_sock_wait (pair.loop, fd, G_IO_IN);
  second = loop_event_loop_sock_wait (pair.loop, fd, G_IO_IN);
  sock_write (pair.b, "x");
  while (!loop_future_done (first))
    run_once (pair.loop);
  sock_take_nothing (first);
  ck_assert (!loop_future_done (second));

  /* The second is told only if the first has left something. */
  text = sock_read (pair.a);
  run_for (pair.loop, 0.02);
  ck_assert (!loop_future_done (second));
  sock_write (pair.b, "x");
  sock_take_nothing (second);
}
END_TEST

LOOP_TEST_MAIN ("sock",
                test_recv,
                test_recv_nothing,
                test_recv_into,
                test_recv_much,
                test_sendall,
                test_sendall_nothing,
                test_turns,
                test_connect_and_accept,
                test_connect_unix,
                test_accepted_address,
                test_datagrams,
                test_directions,
                test_wait)
