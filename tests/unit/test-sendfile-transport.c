/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "file-check.h"
#include "loop-steps.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <string.h>
#include <unistd.h>

/* What else is done with a transport while a file is sent, and what becomes of the file then. */

#define SIZE (16 * 1024 * 1024)

/* Those that are sent in ways that differ. */
static const FileKind kinds[] = { FILE_LOCAL, FILE_PIPE, FILE_MEMORY, FILE_BUFFERED, FILE_SLOW };

/* A file on its way to a plain socket that does not read: it has come as far as it can. */
typedef struct
{
  GBytes *bytes;
  GInputStream *file;
  LoopFuture *future;
  TcpPeer *peer;
  int fd;
} Transfer;

static Transfer
begin (Tcp *tcp, FileKind kind)
{
  Transfer self = { .bytes = tcp_random_bytes (SIZE) };

  self.file = file_open (kind, self.bytes);
  self.peer = tcp_raw_pair (tcp, &self.fd);
  self.future = loop_event_loop_sendfile (tcp->loop, self.peer->transport, self.file, 0, -1, TRUE);
  tcp_run_for (tcp->loop, 0.05);
  ck_assert (!loop_future_done (self.future));

  return self;
}

static void
transfer_clear (Transfer *self)
{
  g_bytes_unref (self->bytes);
  g_object_unref (self->file);
  g_object_unref (self->future);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Transfer, transfer_clear)

/* What has come until the end is so much of the front of the file, and @rest. Returns: how much */
static gsize
check_received (Transfer *self, TcpSink *sink, const char *rest)
{
  g_autoptr (GByteArray) wanted = g_byte_array_new ();
  g_autoptr (GBytes) bytes = NULL;
  gsize length;
  int last_errno;
  g_autofree char *found_checksum = tcp_sink_finish (sink, &length, &last_errno);
  g_autofree char *checksum = NULL;

  ck_assert_int_eq (last_errno, 0);
  ck_assert_uint_ge (length, strlen (rest));
  length -= strlen (rest);
  ck_assert_uint_le (length, SIZE);
  g_byte_array_append (wanted, g_bytes_get_data (self->bytes, NULL), (guint) length);
  g_byte_array_append (wanted, (const guint8 *) rest, (guint) strlen (rest));
  bytes = g_byte_array_free_to_bytes (g_steal_pointer (&wanted));
  checksum = tcp_checksum (bytes);
  ck_assert_str_eq (found_checksum, checksum);

  return length;
}

/* All that comes until the transport is closed. */
static gsize
receive_all (Tcp *tcp, Transfer *self)
{
  TcpSink *sink = tcp_sink_new (self->fd);

  tcp_run_until (tcp->loop, self->peer->n_lost == 1);

  return check_received (self, sink, "");
}

/* The file goes out, with nothing of the refused write in it; then the transport is as before. */
START_TEST (test_write_refused)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_auto (Transfer) transfer = begin (&tcp, kinds[i]);
      TcpSink *sink;

      loop_check_expect_critical ("*while a file is sent*");
      loop_transport_write (transfer.peer->transport, (const guint8 *) "no", 2);
      loop_check_assert_expected ();
      sink = tcp_sink_new (transfer.fd);
      ck_assert_int_eq (file_take_sent (&tcp, transfer.future), SIZE);
      loop_transport_write (transfer.peer->transport, (const guint8 *) "yes", 3);
      loop_transport_close (transfer.peer->transport);
      tcp_run_until (tcp.loop, transfer.peer->n_lost == 1);
      ck_assert_uint_eq (check_received (&transfer, sink, "yes"), SIZE);
    }
}
END_TEST

/* What comes meanwhile is not lost, and an end does not close the connection before the file is sent. */
START_TEST (test_reading)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_auto (Transfer) transfer = begin (&tcp, kinds[i]);

      ck_assert (!loop_transport_is_reading (transfer.peer->transport));
      tcp_raw_send (transfer.fd, "bye");
      shutdown (transfer.fd, SHUT_WR);
      tcp_run_for (tcp.loop, 0.02);
      ck_assert_uint_eq (transfer.peer->n_bytes, 0);
      ck_assert_uint_eq (receive_all (&tcp, &transfer), SIZE);
      ck_assert_int_eq (file_take_sent (&tcp, transfer.future), SIZE);
      ck_assert_str_eq (transfer.peer->events->str, "made data eof lost");
      tcp_assert_received (transfer.peer, "bye");
    }
}
END_TEST

/* A user who wants to read may; one who does not want to is not overruled in the end. */
START_TEST (test_reading_asked_for)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (Transfer) transfer = begin (&tcp, FILE_LOCAL);

  loop_transport_resume_reading (transfer.peer->transport);
  ck_assert (loop_transport_is_reading (transfer.peer->transport));
  tcp_raw_send (transfer.fd, "one");
  tcp_run_until (tcp.loop, transfer.peer->n_bytes == 3);
  loop_transport_pause_reading (transfer.peer->transport);
  tcp_raw_send (transfer.fd, "two");
  loop_future_cancel (transfer.future);
  tcp_run_for (tcp.loop, 0.02);
  ck_assert (!loop_transport_is_reading (transfer.peer->transport));
  ck_assert_uint_eq (transfer.peer->n_bytes, 3);
  loop_transport_resume_reading (transfer.peer->transport);
  tcp_run_until (tcp.loop, transfer.peer->n_bytes == 6);
}
END_TEST

START_TEST (test_write_eof)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_auto (Transfer) transfer = begin (&tcp, kinds[i]);
      TcpSink *sink;

      loop_transport_write_eof (transfer.peer->transport);
      sink = tcp_sink_new (transfer.fd);
      ck_assert_int_eq (file_take_sent (&tcp, transfer.future), SIZE);
      ck_assert_uint_eq (check_received (&transfer, sink, ""), SIZE);
      ck_assert_uint_eq (transfer.peer->n_lost, 0);
    }
}
END_TEST

/* What the position in the file says has arrived, or will. */
static void
check_closed (void (*end) (LoopTransport *transport))
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_auto (Transfer) transfer = begin (&tcp, kinds[i]);
      g_autoptr (GError) error = NULL;
      gint64 position;
      gsize length;

      end (transfer.peer->transport);
      ck_assert (loop_future_done (transfer.future));
      error = tcp_take_error (&tcp, transfer.future);
      tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
      position = file_tell (transfer.file);
      length = receive_all (&tcp, &transfer);
      ck_assert_ptr_null (transfer.peer->error);
      if (kinds[i] == FILE_LOCAL || kinds[i] == FILE_MEMORY)
        ck_assert_uint_eq (length, position);
      ck_assert (!g_input_stream_has_pending (transfer.file));
    }
}

START_TEST (test_close) { check_closed (loop_transport_close); }
END_TEST

START_TEST (test_abort) { check_closed (loop_transport_abort); }
END_TEST

/* At any time: the bytes that have gone, then what is written next. */
START_TEST (test_cancel)
{
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE / 4);

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      for (int n_turns = 0; n_turns < 8; n_turns++)
        {
          g_auto (Tcp) tcp = tcp_new ();
          g_autoptr (GInputStream) file = file_open (kinds[i], bytes);
          TcpPeer *client = tcp_connect (&tcp);
          TcpPeer *peer = tcp_last_accepted (&tcp);
          g_autoptr (LoopFuture) future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, TRUE);
          gsize length;

          for (int j = 0; j < n_turns; j++)
            run_once (tcp.loop);
          if (!loop_future_cancel (future))
            continue;
          ck_assert (loop_future_cancelled (future));
          loop_transport_write (client->transport, (const guint8 *) "end", 3);
          loop_transport_close (client->transport);
          tcp_run_until (tcp.loop, peer->n_lost == 1);

          ck_assert_uint_ge (peer->received->len, 3);
          length = peer->received->len - 3;
          ck_assert_int_eq (memcmp (peer->received->data, g_bytes_get_data (bytes, NULL), length), 0);
          ck_assert_int_eq (memcmp (peer->received->data + length, "end", 3), 0);
          if (kinds[i] == FILE_LOCAL || kinds[i] == FILE_MEMORY)
            ck_assert_int_eq (file_tell (file), length);
        }
    }
}
END_TEST

/* Whoever read the file before goes on where the peer has got to, even if a thread was reading at that moment. */
START_TEST (test_cancel_in_thread)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autoptr (GInputStream) file = file_open (FILE_BUFFERED, bytes);
  g_autoptr (LoopFuture) future = NULL;
  TcpPeer *client = tcp_connect (&tcp);

  future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 4711, -1, TRUE);
  ck_assert (loop_future_cancel (future));
  tcp_run_until (tcp.loop, !g_input_stream_has_pending (file) && file_tell (file) == 4711);
}
END_TEST

START_TEST (test_two_at_once)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (Transfer) transfer = begin (&tcp, FILE_LOCAL);
  g_autoptr (GInputStream) other_file = file_open (FILE_LOCAL, transfer.bytes);
  TcpPeer *other = tcp_connect (&tcp);
  g_autoptr (LoopFuture) second =
      loop_event_loop_sendfile (tcp.loop, transfer.peer->transport, other_file, 0, -1, TRUE);
  g_autoptr (LoopFuture) third = loop_event_loop_sendfile (tcp.loop, other->transport, transfer.file, 0, -1, TRUE);
  g_autoptr (GError) second_error = tcp_take_error (&tcp, second);
  g_autoptr (GError) third_error = tcp_take_error (&tcp, third);

  tcp_assert_error (second_error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE);
  tcp_assert_error (third_error, G_IO_ERROR, G_IO_ERROR_PENDING);
  ck_assert (!loop_future_done (transfer.future));
}
END_TEST

/* Both the protocol and whoever sends the file are told the same. */
START_TEST (test_reset)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_auto (Transfer) transfer = begin (&tcp, kinds[i]);
      g_autoptr (GError) error = NULL;

      tcp_raw_reset (&tcp, transfer.fd);
      error = tcp_take_error (&tcp, transfer.future);
      tcp_run_until (tcp.loop, transfer.peer->n_lost == 1);
      ck_assert_ptr_nonnull (transfer.peer->error);
      tcp_assert_error (error, transfer.peer->error->domain, transfer.peer->error->code);
      ck_assert_str_eq (error->message, transfer.peer->error->message);
      if (kinds[i] == FILE_LOCAL)
        ck_assert_int_gt (file_tell (transfer.file), 0);
    }
}
END_TEST

START_TEST (test_loop_closed)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_auto (Transfer) transfer = begin (&tcp, kinds[i]);

      tcp_close_loop (&tcp);
      /* A thread may be about to read. */
      for (int j = 0; j < 1000 && g_input_stream_has_pending (transfer.file); j++)
        g_usleep (1000);
      ck_assert (!g_input_stream_has_pending (transfer.file));
      g_array_set_size (tcp.raw, 0);
      close (transfer.fd);
    }
}
END_TEST

/* A thread that reads does not keep the loop, nor a loop that is gone the thread. */
START_TEST (test_loop_closed_in_thread)
{
  for (int i = 0; i < 20; i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE / 4);
      g_autoptr (GInputStream) file = file_open (FILE_SLOW, bytes);
      g_autoptr (LoopFuture) future = NULL;
      TcpPeer *client = tcp_connect (&tcp);

      future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, TRUE);
      if (i % 2 == 0)
        run_once (tcp.loop);
    }
}
END_TEST

/* A protocol that was told to pause is told to resume afterwards, and not before. */
static void
check_not_sending (TcpPeer *self)
{
  ck_assert (loop_future_done (self->user_data));
}

START_TEST (test_flow_control)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
      g_autoptr (GInputStream) file = file_open (kinds[i], bytes);
      g_autoptr (LoopFuture) future = NULL;
      TcpPeer *client = tcp_connect (&tcp);

      loop_transport_write_bytes (client->transport, bytes);
      ck_assert_uint_eq (client->n_paused, 1);
      future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, TRUE);
      client->user_data = future;
      client->resumed = check_not_sending;
      ck_assert_int_eq (file_take_sent (&tcp, future), SIZE);
      ck_assert_uint_eq (client->n_paused, 1);
      ck_assert_uint_eq (client->n_resumed, 1);
      tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_bytes == 2 * SIZE);
    }
}
END_TEST

/* A fast reader of a large file leaves time for others. */
static void
ping (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_write (self->transport, data, length);
}

START_TEST (test_fairness)
{
  static const FileKind fast_kinds[] = { FILE_LOCAL, FILE_MEMORY };

  for (guint i = 0; i < G_N_ELEMENTS (fast_kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (8 * SIZE);
      g_autoptr (GInputStream) file = file_open (fast_kinds[i], bytes);
      g_autoptr (LoopFuture) future = NULL;
      g_autofree char *checksum = NULL;
      gsize length;
      int last_errno;
      TcpPeer *other = tcp_connect (&tcp);
      TcpPeer *peer;
      TcpSink *sink;
      int fd;

      tcp_last_accepted (&tcp)->is_echo = TRUE;
      other->data = ping;
      other->is_discarding = TRUE;
      peer = tcp_raw_pair (&tcp, &fd);
      sink = tcp_sink_new (fd);
      loop_transport_write (other->transport, (const guint8 *) "x", 1);
      future = loop_event_loop_sendfile (tcp.loop, peer->transport, file, 0, -1, TRUE);
      ck_assert_int_eq (file_take_sent (&tcp, future), 8 * SIZE);
      /* Once a turn, or nearly so. */
      ck_assert_uint_gt (other->n_bytes, 8 * SIZE / (4 * 1024 * 1024) / 4);
      loop_transport_close (peer->transport);
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      checksum = tcp_sink_finish (sink, &length, &last_errno);
      ck_assert_uint_eq (length, 8 * SIZE);
    }
}
END_TEST

/* A source that has nothing costs nothing, and goes on when it has. */
START_TEST (test_slow_source)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GInputStream) file = NULL;
  g_autoptr (LoopFuture) future = NULL;
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *peer = tcp_last_accepted (&tcp);
  double before;
  int fds[2];

  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
  file = g_unix_input_stream_new (fds[0], TRUE);
  future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, 10, FALSE);
  for (int i = 0; i < 3; i++)
    {
      before = get_cpu_time ();
      tcp_run_for (tcp.loop, 0.2);
      ck_assert_double_lt (get_cpu_time () - before, 0.1);
      ck_assert_int_eq (write (fds[1], "abcd", 4), 4);
      tcp_run_until (tcp.loop, peer->n_bytes == (gsize) MIN (4 * (i + 1), 10));
    }
  ck_assert_int_eq (file_take_sent (&tcp, future), 10);

  /* Two are left. */
  future = (g_object_unref (future), loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, FALSE));
  tcp_run_until (tcp.loop, peer->n_bytes == 12);
  tcp_assert_received (peer, "abcdabcdabcd");
  ck_assert (loop_future_cancel (future));
  ck_assert (!g_input_stream_has_pending (file));
  close (fds[1]);
}
END_TEST

/* The write end of a pipe gets what was read; a read end gets nothing. */
START_TEST (test_pipe_transport)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  TcpPeer *writer = tcp_add_client (&tcp);
  TcpPeer *reader = tcp_add_client (&tcp);
  g_autoptr (LoopFuture) connected = NULL;
  int fds[2];

  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
  connected = loop_event_loop_connect_write_pipe (tcp.loop, fds[1], tcp_peer_factory, writer, NULL);
  g_object_unref (tcp_take_transport (&tcp, connected));
  connected = (g_object_unref (connected),
               loop_event_loop_connect_read_pipe (tcp.loop, fds[0], tcp_peer_factory, reader, NULL));
  g_object_unref (tcp_take_transport (&tcp, connected));

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr (GInputStream) file = (g_byte_array_set_size (reader->received, 0), file_open (kinds[i], bytes));
      g_autoptr (LoopFuture) refused = loop_event_loop_sendfile (tcp.loop, writer->transport, file, 0, -1, FALSE);
      g_autoptr (LoopFuture) reversed = loop_event_loop_sendfile (tcp.loop, reader->transport, file, 0, -1, TRUE);
      g_autoptr (LoopFuture) future = loop_event_loop_sendfile (tcp.loop, writer->transport, file, 0, -1, TRUE);
      g_autoptr (GError) refused_error = tcp_take_error (&tcp, refused);
      g_autoptr (GError) reversed_error = tcp_take_error (&tcp, reversed);

      tcp_assert_error (refused_error, LOOP_ERROR, LOOP_ERROR_SENDFILE_NOT_AVAILABLE);
      tcp_assert_error (reversed_error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
      ck_assert_int_eq (file_take_sent (&tcp, future), SIZE);
      tcp_run_until (tcp.loop, reader->received->len == SIZE);
      ck_assert_int_eq (memcmp (reader->received->data, g_bytes_get_data (bytes, NULL), SIZE), 0);
    }

  /* The reader's end is still noticed. */
  loop_transport_abort (reader->transport);
  tcp_run_until (tcp.loop, writer->n_lost == 1);
}
END_TEST

LOOP_TEST_MAIN ("sendfile-transport",
                test_write_refused,
                test_reading,
                test_reading_asked_for,
                test_write_eof,
                test_close,
                test_abort,
                test_cancel,
                test_cancel_in_thread,
                test_two_at_once,
                test_reset,
                test_loop_closed,
                test_loop_closed_in_thread,
                test_flow_control,
                test_fairness,
                test_slow_source,
                test_pipe_transport)
