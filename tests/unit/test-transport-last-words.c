/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <string.h>
#include <sys/socket.h>

/*
 * What a peer said before it went is delivered, even if a write finds out first that it went
 * (libuv#2643): an answer such as "413 too large", sent in the middle of our upload.
 */

static void
write_x (gpointer peer)
{
  loop_transport_write (((TcpPeer *) peer)->transport, (const guint8 *) "x", 1);
}

START_TEST (test_before_reset)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  tcp_raw_send (fd, "too large");
  tcp_raw_reset (&tcp, fd);
  /* The write fails before the loop has looked at the socket. */
  write_x (peer);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_str_eq (peer->events->str, "made data lost");
  tcp_assert_received (peer, "too large");
  ck_assert_ptr_nonnull (peer->error);
}
END_TEST

/* The same from a callback that is in the batch before the event. */
START_TEST (test_from_callback)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  tcp_raw_send (fd, "too large");
  tcp_raw_reset (&tcp, fd);
  loop_event_loop_call_soon (tcp.loop, write_x, peer, NULL);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_str_eq (peer->events->str, "made data lost");
  tcp_assert_received (peer, "too large");
}
END_TEST

/* An upload that is under way: the peer answers, closes with our data unread, and so resets. */
START_TEST (test_answer_in_mid_upload)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (16 * 1024 * 1024);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_write_bytes (peer->transport, bytes);
  tcp_run_for (tcp.loop, 0.002);
  tcp_raw_send (fd, "too large");
  tcp_raw_close (&tcp, fd);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert (g_str_has_prefix (peer->events->str, "made data"));
  tcp_assert_received (peer, "too large");
  ck_assert_ptr_nonnull (peer->error);
}
END_TEST

/* More than one read takes, while each call of data_received writes and fails. */
START_TEST (test_long_answer)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (1024 * 1024);
  const guint8 *data = g_bytes_get_data (bytes, NULL);
  int size = 4 * 1024 * 1024;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  gsize n_sent = 0;
  gssize n;

  /* As much as the kernel keeps for a reader that does not read. */
  setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  while (n_sent < g_bytes_get_size (bytes) &&
         (n = send (fd, data + n_sent, g_bytes_get_size (bytes) - n_sent, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
    n_sent += (gsize) n;
  tcp_raw_reset (&tcp, fd);

  write_x (peer);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_str_eq (peer->events->str, "made data lost");
  ck_assert_uint_gt (peer->n_bytes, 0);
  ck_assert_int_eq (memcmp (peer->received->data, data, peer->n_bytes), 0);
}
END_TEST

static void
write_and_count (TcpPeer *self, const guint8 *data, gsize length)
{
  self->tag++;
  loop_transport_write (self->transport, data, length);
}

/* An echo to somebody who has gone: all that was sent is delivered, though no answer goes out. */
START_TEST (test_echo_to_nobody)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->data = write_and_count;
  tcp_raw_send (fd, "anybody there?");
  tcp_raw_reset (&tcp, fd);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  tcp_assert_received (peer, "anybody there?");
  ck_assert_ptr_nonnull (peer->error);
}
END_TEST

/* A reset is not an orderly end: no eof_received, or a cut-off answer would pass for a whole one. */
START_TEST (test_reset_is_no_eof)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  tcp_raw_send (fd, "half of an ans");
  tcp_raw_reset (&tcp, fd);
  write_x (peer);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_uint_eq (peer->n_eof, 0);
  tcp_assert_error (peer->error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
}
END_TEST

/* Whoever has paused reading gets nothing, now as before. */
START_TEST (test_paused)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_pause_reading (peer->transport);
  tcp_raw_send (fd, "unwanted");
  tcp_raw_reset (&tcp, fd);
  write_x (peer);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_str_eq (peer->events->str, "made lost");
}
END_TEST

static void
close_in_data (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_close (self->transport);
}

static void
abort_in_data (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_abort (self->transport);
}

/* The last words make the protocol close: still one loss. */
START_TEST (test_close_on_last_words)
{
  g_auto (Tcp) tcp = tcp_new ();

  for (guint i = 0; i < 2; i++)
    {
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

      peer->data = i == 0 ? close_in_data : abort_in_data;
      tcp_raw_send (fd, "bye");
      tcp_raw_reset (&tcp, fd);
      write_x (peer);
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      tcp_run_for (tcp.loop, 0.003);
      ck_assert_str_eq (peer->events->str, "made data lost");
    }
}
END_TEST

LOOP_TEST_MAIN ("transport-last-words",
                test_before_reset,
                test_from_callback,
                test_answer_in_mid_upload,
                test_long_answer,
                test_echo_to_nobody,
                test_reset_is_no_eof,
                test_paused,
                test_close_on_last_words)
