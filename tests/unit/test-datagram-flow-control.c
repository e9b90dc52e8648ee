/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dgram-check.h"

#include <gio/gunixsocketaddress.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A unix socket whose reader does not read is full after some datagrams: then there is something to wait for. */

#define CHARGE 8

typedef struct
{
  DgramPeer *peer;
  int reader;
} Full;

static Full
open_full (Tcp *tcp)
{
  Full full = { .peer = dgram_peer_new () };
  g_autoptr (LoopDatagramOptions) options = dgram_options (NULL, NULL);
  g_autoptr (GSocket) sock = NULL;
  struct timeval timeout = { .tv_sec = 10 };
  int small = 4096;
  int fds[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
  full.reader = fds[1];
  g_array_append_val (tcp->raw, full.reader);
  ck_assert_int_eq (setsockopt (full.reader, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
  ck_assert_int_eq (setsockopt (fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  sock = g_socket_new_from_fd (fds[0], NULL);
  ck_assert_ptr_nonnull (sock);
  loop_datagram_options_set_sock (options, sock);
  dgram_open_full (tcp, full.peer, options);

  return full;
}

static gsize
get_buffered (Full *full)
{
  return loop_transport_get_write_buffer_size (LOOP_TRANSPORT (full->peer->transport));
}

/* Sends numbers until some are buffered. Returns: how many were sent without that */
static guint32
fill (Full *full)
{
  guint32 n = 0;

  while (get_buffered (full) == 0)
    {
      ck_assert (loop_datagram_transport_sendto (full->peer->transport, (const guint8 *) &n, sizeof n, NULL, NULL));
      n++;
      ck_assert_uint_lt (n, 100000);
    }

  return n - 1;
}

static void
read_numbers (Full *full, guint32 first, guint32 n)
{
  for (guint32 i = first; i < first + n; i++)
    {
      guint32 number;

      ck_assert_int_eq (recv (full->reader, &number, sizeof number, 0), sizeof number);
      ck_assert_uint_eq (number, i);
    }
}

/* Each counts its length and 8 bytes, so that empty ones count as well. */
START_TEST (test_charge)
{
  g_auto (Tcp) tcp = tcp_new ();
  Full full = open_full (&tcp);
  g_autoptr (DgramPeer) peer = full.peer;

  fill (&full);
  ck_assert_uint_eq (get_buffered (&full), sizeof (guint32) + CHARGE);
  dgram_send (peer, "", NULL);
  ck_assert_uint_eq (get_buffered (&full), sizeof (guint32) + 2 * CHARGE);
  dgram_send (peer, "hello", NULL);
  ck_assert_uint_eq (get_buffered (&full), sizeof (guint32) + 5 + 3 * CHARGE);
}
END_TEST

START_TEST (test_pause_and_resume)
{
  g_auto (Tcp) tcp = tcp_new ();
  Full full = open_full (&tcp);
  g_autoptr (DgramPeer) peer = full.peer;
  LoopTransport *transport = LOOP_TRANSPORT (peer->transport);
  guint32 n_sent = fill (&full) + 1;
  gsize low;
  gsize high;

  loop_transport_get_write_buffer_limits (transport, &low, &high);
  ck_assert_uint_eq (high, 65536);
  ck_assert_uint_eq (low, 16384);
  ck_assert (loop_transport_set_write_buffer_limits (transport, 10 * (sizeof (guint32) + CHARGE), -1, NULL));

  while (peer->n_paused == 0)
    {
      ck_assert (loop_datagram_transport_sendto (peer->transport, (const guint8 *) &n_sent, sizeof n_sent, NULL, NULL));
      n_sent++;
    }
  ck_assert_uint_eq (get_buffered (&full), 11 * (sizeof (guint32) + CHARGE));

  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (peer->n_resumed, 0);
  read_numbers (&full, 0, 1);
  for (guint32 i = 1; i < n_sent; i++)
    {
      tcp_run_for (tcp.loop, 0);
      read_numbers (&full, i, 1);
    }
  tcp_run_until (tcp.loop, peer->n_resumed == 1);
  ck_assert_uint_eq (get_buffered (&full), 0);
  ck_assert_uint_eq (peer->n_paused, 1);
}
END_TEST

/* C21: empty datagrams pause as well, and the protocol is told when they are gone. */
START_TEST (test_empty_datagrams_pause)
{
  g_auto (Tcp) tcp = tcp_new ();
  Full full = open_full (&tcp);
  g_autoptr (DgramPeer) peer = full.peer;
  guint32 n_first = fill (&full) + 1;
  guint n = 0;

  ck_assert (loop_transport_set_write_buffer_limits (LOOP_TRANSPORT (peer->transport), 100, 0, NULL));
  while (peer->n_paused == 0 && n < 100)
    {
      dgram_send (peer, "", NULL);
      n++;
    }
  ck_assert_uint_eq (peer->n_paused, 1);

  for (guint32 i = 0; i < n_first; i++)
    {
      read_numbers (&full, i, 1);
      tcp_run_for (tcp.loop, 0);
    }
  for (guint i = 0; i < n; i++)
    {
      char byte;

      tcp_run_for (tcp.loop, 0);
      ck_assert_int_eq (recv (full.reader, &byte, 1, 0), 0);
    }
  tcp_run_until (tcp.loop, peer->n_resumed == 1);
}
END_TEST

/* C21: what is left in the buffer fails, for the reader is gone. That is no reason to stay paused. */
START_TEST (test_resume_after_error)
{
  g_auto (Tcp) tcp = tcp_new ();
  Full full = open_full (&tcp);
  g_autoptr (DgramPeer) peer = full.peer;

  fill (&full);
  ck_assert (loop_transport_set_write_buffer_limits (LOOP_TRANSPORT (peer->transport), 50, 20, NULL));
  while (peer->n_paused == 0)
    dgram_send (peer, "more", NULL);

  tcp_raw_close (&tcp, full.reader);
  tcp_run_until (tcp.loop, peer->n_resumed == 1 && peer->errors->len > 0);
  ck_assert_uint_eq (get_buffered (&full), 0);
  ck_assert_str_eq (peer->events->str, "made paused resumed");

  dgram_send (peer, "still here", NULL);
  tcp_run_until (tcp.loop, peer->errors->len > 1);
  ck_assert_uint_eq (peer->n_lost, 0);
}
END_TEST

/* What was buffered is sent before connection_lost. */
START_TEST (test_close_flushes)
{
  g_auto (Tcp) tcp = tcp_new ();
  Full full = open_full (&tcp);
  g_autoptr (DgramPeer) peer = full.peer;
  guint32 n_sent = fill (&full) + 1;

  for (guint i = 0; i < 100; i++, n_sent++)
    ck_assert (loop_datagram_transport_sendto (peer->transport, (const guint8 *) &n_sent, sizeof n_sent, NULL, NULL));
  loop_transport_close (LOOP_TRANSPORT (peer->transport));
  ck_assert (loop_transport_is_closing (LOOP_TRANSPORT (peer->transport)));
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (peer->n_lost, 0);

  for (guint32 i = 0; i < n_sent; i++)
    {
      read_numbers (&full, i, 1);
      tcp_run_for (tcp.loop, 0);
    }
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_ptr_null (peer->error);
}
END_TEST

START_TEST (test_abort_drops)
{
  g_auto (Tcp) tcp = tcp_new ();
  Full full = open_full (&tcp);
  g_autoptr (DgramPeer) peer = full.peer;
  guint32 n_sent = fill (&full);
  char byte;

  loop_transport_abort (LOOP_TRANSPORT (peer->transport));
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_ptr_null (peer->error);
  read_numbers (&full, 0, n_sent);
  ck_assert_int_lt (recv (full.reader, &byte, 1, MSG_DONTWAIT), 0);
}
END_TEST

/* With many more than one call sends. */
START_TEST (test_long_queue)
{
  g_auto (Tcp) tcp = tcp_new ();
  Full full = open_full (&tcp);
  g_autoptr (DgramPeer) peer = full.peer;
  guint32 n_sent = fill (&full) + 1;

  for (guint i = 0; i < 1000; i++, n_sent++)
    ck_assert (loop_datagram_transport_sendto (peer->transport, (const guint8 *) &n_sent, sizeof n_sent, NULL, NULL));
  for (guint32 i = 0; i < n_sent; i++)
    {
      read_numbers (&full, i, 1);
      tcp_run_for (tcp.loop, 0);
    }
  ck_assert_uint_eq (get_buffered (&full), 0);
}
END_TEST

LOOP_TEST_MAIN ("datagram-flow-control",
                test_charge,
                test_pause_and_resume,
                test_empty_datagrams_pause,
                test_resume_after_error,
                test_close_flushes,
                test_abort_drops,
                test_long_queue)
