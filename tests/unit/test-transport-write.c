/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <string.h>
#include <sys/socket.h>

/* What is written arrives: all of it, once, in order. */

#define SIZE (8 * 1024 * 1024)

static void
assert_arrives (Tcp *tcp, TcpPeer *peer, int fd, GBytes *bytes)
{
  g_autofree char *wanted = tcp_checksum (bytes);
  g_autofree char *found = NULL;
  TcpSink *sink = tcp_sink_new (fd);
  gsize length;
  int last_errno;

  tcp_run_until (tcp->loop, peer->n_lost == 1);
  found = tcp_sink_finish (sink, &length, &last_errno);
  ck_assert_int_eq (last_errno, 0);
  ck_assert_uint_eq (length, g_bytes_get_size (bytes));
  ck_assert_str_eq (found, wanted);
  ck_assert_ptr_null (peer->error);
}

static void
set_send_buffer (TcpPeer *peer, int size)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_transport_get_extra_info (peer->transport, "socket", &value));
  ck_assert (g_socket_set_option (g_value_get_object (&value), SOL_SOCKET, SO_SNDBUF, size, NULL));
}

START_TEST (test_write_and_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_write (peer->transport, g_bytes_get_data (bytes, NULL), SIZE);
  loop_transport_close (peer->transport);
  assert_arrives (&tcp, peer, fd, bytes);
}
END_TEST

START_TEST (test_write_bytes_and_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_write_bytes (peer->transport, bytes);
  loop_transport_close (peer->transport);
  assert_arrives (&tcp, peer, fd, bytes);
}
END_TEST

/* The data is the caller's: what is buffered is a copy. */
START_TEST (test_data_is_copied)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  guint8 *copy = g_memdup2 (g_bytes_get_data (bytes, NULL), SIZE);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_write (peer->transport, copy, SIZE);
  memset (copy, 0, SIZE);
  g_free (copy);
  loop_transport_close (peer->transport);
  assert_arrives (&tcp, peer, fd, bytes);
}
END_TEST

static guint n_freed;

static void
count_freed (gpointer data)
{
  n_freed++;
  g_free (data);
}

/* GBytes are not copied, and let go when they are written. */
START_TEST (test_bytes_are_referenced)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint8 *data = g_malloc0 (SIZE);
  GBytes *bytes = g_bytes_new_with_free_func (data, SIZE, count_freed, data);
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *server = tcp_last_accepted (&tcp);

  server->is_discarding = TRUE;
  loop_transport_write_bytes (client->transport, bytes);
  g_bytes_unref (bytes);
  ck_assert_uint_eq (n_freed, 0);
  tcp_run_until (tcp.loop, server->n_bytes == SIZE);
  ck_assert_uint_eq (n_freed, 1);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (client->transport), 0);
}
END_TEST

/* More lines than one system call takes, some of them empty. */
START_TEST (test_writelines)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  gsize offset = 0;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  for (gsize i = 0; offset < SIZE; i++)
    {
      gsize length = MIN (i % 7 == 3 ? 0 : (i * 7919) % 30000, SIZE - offset);

      g_ptr_array_add (lines, g_bytes_new_from_bytes (bytes, offset, length));
      offset += length;
    }
  ck_assert_uint_gt (lines->len, 400);
  loop_transport_writelines (peer->transport, (GBytes **) lines->pdata, lines->len);
  loop_transport_close (peer->transport);
  assert_arrives (&tcp, peer, fd, bytes);
}
END_TEST

START_TEST (test_few_lines)
{
  g_auto (Tcp) tcp = tcp_new ();
  GBytes *lines[] = { g_bytes_new_static ("one ", 4), g_bytes_new_static ("", 0), g_bytes_new_static ("two ", 4),
                      g_bytes_new_static ("three", 5) };
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  g_autofree char *text = NULL;

  loop_transport_writelines (peer->transport, lines, G_N_ELEMENTS (lines));
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 0);
  text = tcp_raw_receive (fd, 13);
  ck_assert_str_eq (text, "one two three");
  for (guint i = 0; i < G_N_ELEMENTS (lines); i++)
    g_bytes_unref (lines[i]);
}
END_TEST

/* Nothing at all is no reason to do anything. */
START_TEST (test_nothing)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) empty = g_bytes_new_static ("", 0);
  GBytes *empties[] = { empty, empty };
  TcpPeer *client = tcp_connect (&tcp);

  loop_transport_write (client->transport, (const guint8 *) "", 0);
  loop_transport_write (client->transport, NULL, 0);
  loop_transport_write_bytes (client->transport, empty);
  loop_transport_writelines (client->transport, empties, 2);
  loop_transport_writelines (client->transport, NULL, 0);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (client->transport), 0);
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_str_eq (tcp_last_accepted (&tcp)->events->str, "made");
}
END_TEST

/* Pieces of all sizes by all ways of writing, before and after the socket is full. */
START_TEST (test_mixed_writes)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autoptr (GRand) rand = g_rand_new_with_seed (42);
  const guint8 *data = g_bytes_get_data (bytes, NULL);
  TcpSink *sink = NULL;
  gsize offset = 0;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  g_autofree char *wanted = tcp_checksum (bytes);
  g_autofree char *found = NULL;

  while (offset < SIZE)
    {
      gsize length = MIN ((gsize) g_rand_int_range (rand, 1, g_rand_boolean (rand) ? 20 : 20000), SIZE - offset);
      g_autoptr (GBytes) piece = g_bytes_new_from_bytes (bytes, offset, length);
      g_autoptr (GBytes) front = g_bytes_new_from_bytes (bytes, offset, length / 2);
      g_autoptr (GBytes) back = g_bytes_new_from_bytes (bytes, offset + length / 2, length - length / 2);
      GBytes *halves[] = { front, back };

      switch (g_rand_int_range (rand, 0, 3))
        {
        case 0:
          loop_transport_write (peer->transport, data + offset, length);
          break;
        case 1:
          loop_transport_write_bytes (peer->transport, piece);
          break;
        default:
          loop_transport_writelines (peer->transport, halves, 2);
        }
      offset += length;

      /* Half of it is buffered before anybody reads; later the loop has its turns in between. */
      if (sink == NULL && offset > SIZE / 2)
        sink = tcp_sink_new (fd);
      if (sink != NULL && g_rand_int_range (rand, 0, 50) == 0)
        tcp_run_for (tcp.loop, 0.0);
    }
  loop_transport_close (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  found = tcp_sink_finish (sink, NULL, NULL);
  ck_assert_str_eq (found, wanted);
}
END_TEST

START_TEST (test_small_send_buffer)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (1024 * 1024);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  set_send_buffer (peer, 4096);
  loop_transport_write_bytes (peer->transport, bytes);
  ck_assert_uint_gt (loop_transport_get_write_buffer_size (peer->transport), 900 * 1000);
  loop_transport_close (peer->transport);
  assert_arrives (&tcp, peer, fd, bytes);
}
END_TEST

/* An end by abort drops what was not written, and does not wait. */
START_TEST (test_abort_drops)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  TcpSink *sink;
  g_autofree char *checksum = NULL;
  gsize length;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_write_bytes (peer->transport, bytes);
  loop_transport_abort (peer->transport);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 0);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  sink = tcp_sink_new (fd);
  checksum = tcp_sink_finish (sink, &length, NULL);
  ck_assert_uint_lt (length, SIZE);
}
END_TEST

/* A write goes out at once, without a turn of the loop. */
START_TEST (test_written_at_once)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  g_autofree char *text = NULL;

  loop_transport_write (peer->transport, (const guint8 *) "now", 3);
  text = tcp_raw_receive (fd, 3);
  ck_assert_str_eq (text, "now");
}
END_TEST

static void
write_greeting (TcpPeer *self)
{
  loop_transport_write (self->transport, (const guint8 *) "hello", 5);
}

static void
set_greeting (TcpPeer *peer, gpointer user_data)
{
  peer->made = write_greeting;
}

START_TEST (test_write_in_connection_made)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client;

  tcp.set_up = set_greeting;
  client = tcp_connect (&tcp);
  tcp_run_until (tcp.loop, client->n_bytes == 5);
  tcp_assert_received (client, "hello");
}
END_TEST

LOOP_TEST_MAIN ("transport-write",
                test_write_and_close,
                test_write_bytes_and_close,
                test_data_is_copied,
                test_bytes_are_referenced,
                test_writelines,
                test_few_lines,
                test_nothing,
                test_mixed_writes,
                test_small_send_buffer,
                test_abort_drops,
                test_written_at_once,
                test_write_in_connection_made)
