/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dgram-check.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

/* Many datagrams at once: trains, and what a protocol may do while it is handed a batch. */

static void
connect_raw (int fd, guint16 port)
{
  struct sockaddr_in address = {
    .sin_family = AF_INET,
    .sin_port = g_htons (port),
    .sin_addr.s_addr = g_htonl (INADDR_LOOPBACK),
  };

  ck_assert_int_eq (connect (fd, (struct sockaddr *) &address, sizeof address), 0);
}

/* All that is waiting comes in one batch. */
static void
send_texts (int fd, guint first, guint n)
{
  for (guint i = first; i < first + n; i++)
    {
      g_autofree char *text = g_strdup_printf ("%u", i);

      tcp_raw_send (fd, text);
    }
}

static void
assert_texts (DgramPeer *peer, guint n)
{
  ck_assert_uint_eq (peer->n_received, n);
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *text = dgram_text (peer, i);
      g_autofree char *wanted = g_strdup_printf ("%u", i);

      ck_assert_str_eq (text, wanted);
    }
}

/* A train that a sender's kernel makes is the datagrams that were sent, with the last one shorter. */
START_TEST (test_train)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  guint16 port;
  int fd = dgram_raw_socket (&tcp, &port);
  g_autoptr (GBytes) bytes = tcp_random_bytes (40 * 1000 + 7);
  const guint8 *data = g_bytes_get_data (bytes, NULL);
  int segment = 1000;

  connect_raw (fd, dgram_get_port (server));
  tcp_skip_unless (setsockopt (fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0,
                   "the kernel knows nothing of trains");
  ck_assert_int_eq (send (fd, data, 40 * 1000 + 7, 0), 40 * 1000 + 7);
  tcp_run_until (tcp.loop, server->n_received == 41);
  for (guint i = 0; i < 41; i++)
    {
      GBytes *one = g_ptr_array_index (server->received, i);

      ck_assert_uint_eq (g_bytes_get_size (one), i < 40 ? 1000 : 7);
      ck_assert_mem_eq (g_bytes_get_data (one, NULL), data + i * 1000, g_bytes_get_size (one));
    }
}
END_TEST

/* Echoes of several sizes, which are sent as trains where sizes are equal: the peer sees what it has sent. */
START_TEST (test_echo_of_runs)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  guint16 port;
  int fd = dgram_raw_socket (&tcp, &port);
  static const gsize sizes[] = { 100, 100, 100, 50, 100, 0, 0, 100, 200, 200, 200, 200, 1, 1500, 1500 };
  guint8 data[1500] = { 0 };

  server->is_echo = TRUE;
  connect_raw (fd, dgram_get_port (server));
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      memset (data, (int) i, sizeof data);
      ck_assert_int_eq (send (fd, data, sizes[i], 0), (gssize) sizes[i]);
    }
  tcp_run_until (tcp.loop, server->n_received == G_N_ELEMENTS (sizes));
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      guint8 echo[2000];

      ck_assert_int_eq (recv (fd, echo, sizeof echo, 0), (gssize) sizes[i]);
      memset (data, (int) i, sizeof data);
      ck_assert_mem_eq (echo, data, sizes[i]);
    }
}
END_TEST

static void
pause_at_third (DgramPeer *self, const guint8 *data, gsize length, GSocketAddress *addr)
{
  if (self->n_received == 3)
    loop_transport_pause_reading (LOOP_TRANSPORT (self->transport));
}

/* The rest of the batch is kept, and comes first when reading is resumed. */
START_TEST (test_pause_in_a_batch)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  guint16 port;
  int fd = dgram_raw_socket (&tcp, &port);

  server->datagram = pause_at_third;
  connect_raw (fd, dgram_get_port (server));
  send_texts (fd, 0, 10);
  tcp_run_until (tcp.loop, server->n_received == 3);
  send_texts (fd, 10, 10);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (server->n_received, 3);

  loop_transport_resume_reading (LOOP_TRANSPORT (server->transport));
  tcp_run_until (tcp.loop, server->n_received == 20);
  assert_texts (server, 20);
}
END_TEST

static void
close_at_third (DgramPeer *self, const guint8 *data, gsize length, GSocketAddress *addr)
{
  ck_assert_uint_le (self->n_received, 3);
  dgram_send (self, "answer", addr);
  if (self->n_received == 3)
    loop_transport_close (LOOP_TRANSPORT (self->transport));
}

static void
abort_at_third (DgramPeer *self, const guint8 *data, gsize length, GSocketAddress *addr)
{
  ck_assert_uint_le (self->n_received, 3);
  dgram_send (self, "answer", addr);
  if (self->n_received == 3)
    loop_transport_abort (LOOP_TRANSPORT (self->transport));
}

/* What was sent before is sent; nothing is handed over after it. */
START_TEST (test_close_in_a_batch)
{
  void (*const ends[]) (DgramPeer *, const guint8 *, gsize, GSocketAddress *) = { close_at_third, abort_at_third };

  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
      guint16 port;
      int fd = dgram_raw_socket (&tcp, &port);

      server->datagram = ends[i];
      connect_raw (fd, dgram_get_port (server));
      send_texts (fd, 0, 10);
      tcp_run_until (tcp.loop, server->n_lost == 1);
      for (guint j = 0; j < 3; j++)
        {
          g_autofree char *answer = tcp_raw_receive (fd, 6);

          ck_assert_str_eq (answer, "answer");
        }
      ck_assert_uint_eq (server->n_received, 3);
    }
}
END_TEST

static void
wait_for_the_rest (DgramPeer *self, const guint8 *data, gsize length, GSocketAddress *addr)
{
  DgramPeer *client = self->user_data;

  if (self->n_received != 1)
    return;

  dgram_send (self, "first", addr);
  /* The answer goes out, and what came with the first comes, while this one waits for both. */
  while (client->n_received < 1 || self->n_received < 5)
    g_main_context_iteration (NULL, TRUE);
}

/* A main loop in the callback is given all that there is, in order. */
START_TEST (test_nested_main_loop)
{
  g_auto (Tcp) tcp = tcp_new_for_context (g_main_context_default ());
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);

  server->datagram = wait_for_the_rest;
  server->user_data = client;
  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *text = g_strdup_printf ("%u", i);

      dgram_send (client, text, NULL);
    }
  tcp_run_until (tcp.loop, server->n_received == 5 && client->n_received == 1);
  assert_texts (server, 5);
}
END_TEST

static void
answer_and_sleep (DgramPeer *self, const guint8 *data, gsize length, GSocketAddress *addr)
{
  int fd = GPOINTER_TO_INT (self->user_data);
  char answer[10];

  /* That to the one before the last has been sent by now, although the batch goes on. */
  if (self->n_received > 2)
    ck_assert_int_eq (recv (fd, answer, sizeof answer, MSG_DONTWAIT), 1);
  dgram_send (self, "x", addr);
  g_usleep (20000);
}

START_TEST (test_slow_protocol)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  guint16 port;
  int fd = dgram_raw_socket (&tcp, &port);

  server->datagram = answer_and_sleep;
  server->user_data = GINT_TO_POINTER (fd);
  connect_raw (fd, dgram_get_port (server));
  send_texts (fd, 0, 8);
  tcp_run_until (tcp.loop, server->n_received == 8);
}
END_TEST

static void
send_many (DgramPeer *self, const guint8 *data, gsize length, GSocketAddress *addr)
{
  guint8 large[30000] = { 0 };

  for (guint i = 0; i < 300; i++)
    {
      large[0] = (guint8) i;
      ck_assert (loop_datagram_transport_sendto (self->transport, large, i % 50 == 0 ? sizeof large : 1, addr, NULL));
    }
}

/* More than is collected at once, and larger than there is room for: all in order. */
START_TEST (test_more_than_a_batch)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  guint16 port;
  int fd = dgram_raw_socket (&tcp, &port);
  int size = 4 * 1024 * 1024;

  ck_assert_int_eq (setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
  server->datagram = send_many;
  connect_raw (fd, dgram_get_port (server));
  tcp_raw_send (fd, "go");
  tcp_run_until (tcp.loop, server->n_received == 1);
  for (guint i = 0; i < 300; i++)
    {
      guint8 answer[30001];

      ck_assert_int_eq (recv (fd, answer, sizeof answer, 0), i % 50 == 0 ? 30000 : 1);
      ck_assert_uint_eq (answer[0], (guint8) i);
    }
}
END_TEST

LOOP_TEST_MAIN ("datagram-batch",
                test_train,
                test_echo_of_runs,
                test_pause_in_a_batch,
                test_close_in_a_batch,
                test_nested_main_loop,
                test_slow_protocol,
                test_more_than_a_batch)
