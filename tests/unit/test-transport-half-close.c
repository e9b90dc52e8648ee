/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <sys/socket.h>

/* Connections of which one direction is closed. */

#define SIZE (8 * 1024 * 1024)

static void
write_and_close (TcpPeer *self)
{
  loop_transport_write_bytes (self->transport, self->user_data);
  loop_transport_close (self->transport);
}

static void
assert_sink (TcpSink *sink, GBytes *bytes)
{
  g_autofree char *wanted = tcp_checksum (bytes);
  g_autofree char *found = NULL;
  gsize length;
  int last_errno;

  found = tcp_sink_finish (sink, &length, &last_errno);
  ck_assert_int_eq (last_errno, 0);
  ck_assert_uint_eq (length, g_bytes_get_size (bytes));
  ck_assert_str_eq (found, wanted);
}

/* A request with its end, then an answer: as whois and HTTP/1.0 have it. */
START_TEST (test_answer_after_eof)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  TcpSink *sink;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->keep_open = TRUE;
  peer->eof = write_and_close;
  peer->user_data = bytes;
  tcp_raw_send (fd, "request");
  shutdown (fd, SHUT_WR);
  sink = tcp_sink_new (fd);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  assert_sink (sink, bytes);
  ck_assert_str_eq (peer->events->str, "made data eof lost");
  ck_assert_ptr_null (peer->error);
}
END_TEST

/* It need not be done at once. */
START_TEST (test_answer_later)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autoptr (LoopMetrics) before = NULL;
  g_autoptr (LoopMetrics) after = NULL;
  TcpSink *sink;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->keep_open = TRUE;
  shutdown (fd, SHUT_WR);
  tcp_run_until (tcp.loop, peer->n_eof == 1);

  /* An end of file stays readable for ever: that does not keep the loop busy. */
  before = loop_event_loop_get_metrics (tcp.loop);
  tcp_run_for (tcp.loop, 0.1);
  after = loop_event_loop_get_metrics (tcp.loop);
  ck_assert_uint_lt (loop_metrics_get_iterations (after) - loop_metrics_get_iterations (before), 10);
  ck_assert_str_eq (peer->events->str, "made eof");
  ck_assert (!loop_transport_is_closing (peer->transport));

  peer->user_data = bytes;
  write_and_close (peer);
  sink = tcp_sink_new (fd);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  assert_sink (sink, bytes);
}
END_TEST

/* Data that is being written when the end of file comes flows on, whatever eof_received says. */
static void
check_eof_in_mid_write (gboolean keep_open)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  TcpSink *sink;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->keep_open = keep_open;
  loop_transport_write_bytes (peer->transport, bytes);
  shutdown (fd, SHUT_WR);
  tcp_run_until (tcp.loop, peer->n_eof == 1);
  ck_assert_uint_gt (loop_transport_get_write_buffer_size (peer->transport), 0);
  ck_assert (loop_transport_is_closing (peer->transport) == !keep_open);

  sink = tcp_sink_new (fd);
  tcp_run_until (tcp.loop, loop_transport_get_write_buffer_size (peer->transport) == 0);
  if (keep_open)
    {
      tcp_run_for (tcp.loop, 0.005);
      ck_assert_uint_eq (peer->n_lost, 0);
      loop_transport_close (peer->transport);
    }
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  assert_sink (sink, bytes);
  ck_assert_str_eq (peer->events->str, "made eof lost");
  ck_assert_ptr_null (peer->error);
}

START_TEST (test_eof_in_mid_write_kept_open) { check_eof_in_mid_write (TRUE); }
END_TEST

START_TEST (test_eof_in_mid_write_closed) { check_eof_in_mid_write (FALSE); }
END_TEST

START_TEST (test_no_second_eof)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->keep_open = TRUE;
  shutdown (fd, SHUT_WR);
  tcp_run_until (tcp.loop, peer->n_eof == 1);
  loop_transport_pause_reading (peer->transport);
  ck_assert (!loop_transport_is_reading (peer->transport));
  tcp_run_for (tcp.loop, 0.005);
  loop_transport_resume_reading (peer->transport);
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_str_eq (peer->events->str, "made eof");
}
END_TEST

/* The other way round: we have said all, and listen on. */
START_TEST (test_write_eof)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  g_autofree char *text = NULL;

  ck_assert (loop_transport_can_write_eof (peer->transport));
  loop_transport_write (peer->transport, (const guint8 *) "all", 3);
  loop_transport_write_eof (peer->transport);
  loop_transport_write_eof (peer->transport);
  ck_assert (!loop_transport_is_closing (peer->transport));
  text = tcp_raw_receive (fd, 100);
  ck_assert_str_eq (text, "all");
  ck_assert (tcp_raw_is_eof (fd));

  tcp_raw_send (fd, "answer");
  tcp_run_until (tcp.loop, peer->n_bytes == 6);
  ck_assert_uint_eq (peer->n_lost, 0);
  tcp_raw_close (&tcp, fd);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_str_eq (peer->events->str, "made data eof lost");
  ck_assert_ptr_null (peer->error);
}
END_TEST

START_TEST (test_write_eof_after_buffered_data)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  TcpSink *sink;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_write_bytes (peer->transport, bytes);
  ck_assert_uint_gt (loop_transport_get_write_buffer_size (peer->transport), 0);
  loop_transport_write_eof (peer->transport);
  sink = tcp_sink_new (fd);
  tcp_run_until (tcp.loop, loop_transport_get_write_buffer_size (peer->transport) == 0);
  assert_sink (sink, bytes);
  ck_assert_str_eq (peer->events->str, "made");
  ck_assert (!loop_transport_is_closing (peer->transport));

  tcp_raw_send (fd, "thanks");
  tcp_run_until (tcp.loop, peer->n_bytes == 6);
}
END_TEST

START_TEST (test_write_eof_and_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  TcpSink *sink;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_write_bytes (peer->transport, bytes);
  loop_transport_write_eof (peer->transport);
  loop_transport_close (peer->transport);
  sink = tcp_sink_new (fd);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  assert_sink (sink, bytes);
  ck_assert_ptr_null (peer->error);
}
END_TEST

START_TEST (test_write_eof_after_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_close (peer->transport);
  loop_transport_write_eof (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  loop_transport_write_eof (peer->transport);
  ck_assert_str_eq (peer->events->str, "made lost");
  ck_assert_ptr_null (peer->error);
}
END_TEST

/* Both directions closed one by one, and the transport is still the protocol's to close. */
START_TEST (test_both_half_closed)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->keep_open = TRUE;
  loop_transport_write_eof (peer->transport);
  shutdown (fd, SHUT_WR);
  tcp_run_until (tcp.loop, peer->n_eof == 1);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_str_eq (peer->events->str, "made eof");
  loop_transport_close (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_ptr_null (peer->error);
}
END_TEST

static void
write_eof (TcpPeer *self)
{
  loop_transport_write_eof (self->transport);
}

START_TEST (test_answer_eof_with_eof)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *server = tcp_last_accepted (&tcp);

  server->keep_open = TRUE;
  server->eof = write_eof;
  loop_transport_write_eof (client->transport);
  tcp_run_until (tcp.loop, client->n_lost == 1);
  ck_assert_str_eq (client->events->str, "made eof lost");
  ck_assert_str_eq (server->events->str, "made eof");
}
END_TEST

LOOP_TEST_MAIN ("transport-half-close",
                test_answer_after_eof,
                test_answer_later,
                test_eof_in_mid_write_kept_open,
                test_eof_in_mid_write_closed,
                test_no_second_eof,
                test_write_eof,
                test_write_eof_after_buffered_data,
                test_write_eof_and_close,
                test_write_eof_after_close,
                test_both_half_closed,
                test_answer_eof_with_eof)
