/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <sys/socket.h>

/* pause_reading: that no data comes meanwhile, not even what is on its way, is checked by TcpPeer. */

static void
pause_reading (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_pause_reading (self->transport);
}

START_TEST (test_pause_and_resume)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  ck_assert (loop_transport_is_reading (peer->transport));
  tcp_raw_send (fd, "one");
  tcp_run_until (tcp.loop, peer->n_bytes == 3);
  loop_transport_pause_reading (peer->transport);
  ck_assert (!loop_transport_is_reading (peer->transport));
  tcp_raw_send (fd, "two");
  tcp_run_for (tcp.loop, 0.02);
  ck_assert_uint_eq (peer->n_bytes, 3);
  loop_transport_resume_reading (peer->transport);
  ck_assert (loop_transport_is_reading (peer->transport));
  tcp_run_until (tcp.loop, peer->n_bytes == 6);
  tcp_assert_received (peer, "onetwo");
}
END_TEST

/* Both may be called at any time, and twice. */
START_TEST (test_idempotent)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_resume_reading (peer->transport);
  loop_transport_pause_reading (peer->transport);
  loop_transport_pause_reading (peer->transport);
  ck_assert (!loop_transport_is_reading (peer->transport));
  loop_transport_resume_reading (peer->transport);
  ck_assert (loop_transport_is_reading (peer->transport));
  tcp_raw_send (fd, "x");
  tcp_run_until (tcp.loop, peer->n_bytes == 1);
}
END_TEST

/* The data has been announced already: the event is in the same batch as the call that pauses. */
static void
pause_other (TcpPeer *self, const guint8 *data, gsize length)
{
  TcpPeer *other = self->user_data;

  if (other->n_data == 0)
    loop_transport_pause_reading (other->transport);
}

START_TEST (test_event_under_way)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fds[2];
  TcpPeer *peers[2];

  for (guint i = 0; i < 2; i++)
    peers[i] = tcp_raw_pair (&tcp, &fds[i]);
  for (guint i = 0; i < 2; i++)
    {
      peers[i]->data = pause_other;
      peers[i]->user_data = peers[1 - i];
      tcp_raw_send (fds[i], "x");
    }
  tcp_run_for (tcp.loop, 0.02);
  ck_assert_uint_eq (peers[0]->n_data + peers[1]->n_data, 1);
  loop_transport_resume_reading (peers[0]->transport);
  loop_transport_resume_reading (peers[1]->transport);
  tcp_run_until (tcp.loop, peers[0]->n_data == 1 && peers[1]->n_data == 1);
}
END_TEST

/* One call of data_received at a time: more would be there, but the first pauses. */
START_TEST (test_pause_in_data_received)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (2 * 1024 * 1024);
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *server = tcp_last_accepted (&tcp);
  guint n_rounds = 0;
  g_autoptr (GBytes) received = NULL;

  server->data = pause_reading;
  loop_transport_write_bytes (client->transport, bytes);
  while (server->n_bytes < g_bytes_get_size (bytes))
    {
      tcp_run_until (tcp.loop, server->n_data == n_rounds + 1);
      tcp_run_for (tcp.loop, 0.0);
      ck_assert_uint_eq (server->n_data, ++n_rounds);
      loop_transport_resume_reading (server->transport);
    }
  received = g_bytes_new (server->received->data, server->received->len);
  ck_assert (g_bytes_equal (received, bytes));
}
END_TEST

static void
pause_and_resume (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_pause_reading (self->transport);
  loop_transport_resume_reading (self->transport);
}

START_TEST (test_pause_and_resume_in_data_received)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (2 * 1024 * 1024);
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *server = tcp_last_accepted (&tcp);

  server->data = pause_and_resume;
  loop_transport_write_bytes (client->transport, bytes);
  tcp_run_until (tcp.loop, server->n_bytes == g_bytes_get_size (bytes));
}
END_TEST

/* The end of the file waits as well. */
START_TEST (test_eof_while_paused)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_pause_reading (peer->transport);
  tcp_raw_send (fd, "rest");
  tcp_raw_close (&tcp, fd);
  tcp_run_for (tcp.loop, 0.02);
  ck_assert_str_eq (peer->events->str, "made");
  loop_transport_resume_reading (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_str_eq (peer->events->str, "made data eof lost");
  tcp_assert_received (peer, "rest");
}
END_TEST

static void
pause_at_once (TcpPeer *self)
{
  loop_transport_pause_reading (self->transport);
}

static void
set_pause (TcpPeer *peer, gpointer user_data)
{
  peer->made = pause_at_once;
}

START_TEST (test_pause_in_connection_made)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer;

  tcp.set_up = set_pause;
  peer = tcp_raw_pair (&tcp, &fd);
  tcp_raw_send (fd, "x");
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (peer->n_data, 0);
  loop_transport_resume_reading (peer->transport);
  tcp_run_until (tcp.loop, peer->n_bytes == 1);
}
END_TEST

/* Writing goes on, closing is possible. */
START_TEST (test_write_and_close_while_paused)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (8 * 1024 * 1024);
  g_autofree char *wanted = tcp_checksum (bytes);
  g_autofree char *found = NULL;
  TcpSink *sink;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_pause_reading (peer->transport);
  sink = tcp_sink_new (fd);
  loop_transport_write_bytes (peer->transport, bytes);
  loop_transport_close (peer->transport);
  ck_assert (!loop_transport_is_reading (peer->transport));
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  found = tcp_sink_finish (sink, NULL, NULL);
  ck_assert_str_eq (found, wanted);
}
END_TEST

/* After close() there is nothing to pause or to resume. */
START_TEST (test_after_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_pause_reading (peer->transport);
  loop_transport_close (peer->transport);
  loop_transport_resume_reading (peer->transport);
  ck_assert (!loop_transport_is_reading (peer->transport));
  tcp_raw_send (fd, "x");
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  loop_transport_resume_reading (peer->transport);
  loop_transport_pause_reading (peer->transport);
  ck_assert_str_eq (peer->events->str, "made lost");
}
END_TEST

/* The peer is held back: with a paused reader, TCP's own window closes. */
START_TEST (test_back_pressure)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (1000 * 1000);
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *server = tcp_last_accepted (&tcp);

  server->is_discarding = TRUE;
  loop_transport_pause_reading (server->transport);
  for (guint i = 0; i < 30; i++)
    loop_transport_write_bytes (client->transport, bytes);
  tcp_run_for (tcp.loop, 0.05);
  ck_assert_uint_eq (client->n_paused, 1);
  ck_assert_uint_gt (loop_transport_get_write_buffer_size (client->transport), 1000 * 1000);
  loop_transport_resume_reading (server->transport);
  tcp_run_until (tcp.loop, server->n_bytes == 30 * 1000 * 1000);
  ck_assert_uint_eq (client->n_resumed, 1);
}
END_TEST

LOOP_TEST_MAIN ("transport-pause-reading",
                test_pause_and_resume,
                test_idempotent,
                test_event_under_way,
                test_pause_in_data_received,
                test_pause_and_resume_in_data_received,
                test_eof_while_paused,
                test_pause_in_connection_made,
                test_write_and_close_while_paused,
                test_after_close,
                test_back_pressure)
