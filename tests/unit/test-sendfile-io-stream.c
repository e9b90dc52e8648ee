/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "file-check.h"
#include "io-end.h"
#include "loop-steps.h"
#include "tsan-gio.h"

#include <string.h>
#include <unistd.h>

/* Files that are sent over streams of GIO's, for which the kernel cannot do it. */

/* More than goes into the buffers of a connection. */
#define SIZE (16 * 1024 * 1024)

static const FileKind kinds[] = { FILE_LOCAL, FILE_PIPE, FILE_MEMORY, FILE_SLOW };

/* A file on its way into a stream whose other side does not read: it has come as far as it can. */
typedef struct
{
  IOEnd end;
  GBytes *bytes;
  GInputStream *file;
  LoopFuture *future;
  TcpPeer *peer;
} Transfer;

static Transfer
begin (Tcp *tcp, IOEndKind kind, FileKind file_kind)
{
  Transfer self = { .end = io_end_new (tcp, kind), .bytes = tcp_random_bytes (SIZE) };

  self.file = file_open (file_kind, self.bytes);
  self.peer = io_connect (tcp, self.end.stream);
  self.future = loop_event_loop_sendfile (tcp->loop, self.peer->transport, self.file, 0, -1, TRUE);
  tcp_run_for (tcp->loop, 0.02);
  ck_assert (!loop_future_done (self.future));

  return self;
}

static void
transfer_clear (Transfer *self)
{
  io_end_clear (&self->end);
  g_bytes_unref (self->bytes);
  g_object_unref (self->file);
  g_object_unref (self->future);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Transfer, transfer_clear)

static void
write_text (TcpPeer *peer, const char *text)
{
  loop_transport_write (peer->transport, (const guint8 *) text, strlen (text));
}

static void
await_end (Tcp *tcp, IOEnd *end, TcpPeer *peer)
{
  tcp_run_until (tcp->loop, peer->n_lost == 1);
  if (LOOP_IS_IO_STREAM (end->stream))
    tcp_run_until (tcp->loop, io_is_lost (LOOP_IO_STREAM (end->stream)));
}

/* Closes the transport, reads all that comes, and compares it. */
static void
check_received (Tcp *tcp, IOEnd *end, TcpPeer *peer, TcpSink *sink, const char *front, GBytes *bytes, const char *rest)
{
  g_autoptr (GByteArray) array = g_byte_array_new ();
  g_autoptr (GBytes) wanted = NULL;
  g_autofree char *wanted_checksum = NULL;
  g_autofree char *checksum = NULL;
  gsize length;

  loop_transport_close (peer->transport);
  await_end (tcp, end, peer);
  ck_assert_ptr_null (peer->error);
  checksum = tcp_sink_finish (sink, &length, NULL);

  g_byte_array_append (array, (const guint8 *) front, (guint) strlen (front));
  g_byte_array_append (array, g_bytes_get_data (bytes, NULL), (guint) g_bytes_get_size (bytes));
  g_byte_array_append (array, (const guint8 *) rest, (guint) strlen (rest));
  wanted = g_byte_array_free_to_bytes (g_steal_pointer (&array));
  wanted_checksum = tcp_checksum (wanted);
  ck_assert_uint_eq (length, g_bytes_get_size (wanted));
  ck_assert_str_eq (checksum, wanted_checksum);
}

/* Between what is written before and after. */
START_TEST (test_sent)
{
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE / 4);

  for (IOEndKind kind = 0; kind < IO_END_N_KINDS; kind++)
    for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
      {
        g_auto (Tcp) tcp = io_tcp_new ();
        g_auto (IOEnd) end = io_end_new (&tcp, kind);
        g_autoptr (GInputStream) file = file_open (kinds[i], bytes);
        g_autoptr (LoopFuture) future = NULL;
        TcpPeer *peer = io_connect (&tcp, end.stream);
        TcpSink *sink = tcp_sink_new (end.in);

        write_text (peer, "front");
        future = loop_event_loop_sendfile (tcp.loop, peer->transport, file, 0, -1, TRUE);
        ck_assert_int_eq (file_take_sent (&tcp, future), SIZE / 4);
        write_text (peer, "rest");
        check_received (&tcp, &end, peer, sink, "front", bytes, "rest");
        if (kinds[i] == FILE_LOCAL || kinds[i] == FILE_MEMORY)
          ck_assert_int_eq (file_tell (file), SIZE / 4);
      }
}
END_TEST

/* It is not the kernel that does it; and then the transport is as before. */
START_TEST (test_no_fallback)
{
  g_autoptr (GBytes) bytes = tcp_random_bytes (1000);

  for (IOEndKind kind = 0; kind < IO_END_N_KINDS; kind++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_auto (IOEnd) end = io_end_new (&tcp, kind);
      g_autoptr (GInputStream) file = file_open (FILE_LOCAL, bytes);
      TcpPeer *peer = io_connect (&tcp, end.stream);
      g_autoptr (LoopFuture) future = loop_event_loop_sendfile (tcp.loop, peer->transport, file, 0, -1, FALSE);
      g_autoptr (GError) error = tcp_take_error (&tcp, future);
      g_autoptr (GBytes) nothing = g_bytes_new_static ("", 0);

      tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_SENDFILE_NOT_AVAILABLE);
      ck_assert (loop_transport_is_reading (peer->transport));
      write_text (peer, "written");
      check_received (&tcp, &end, peer, tcp_sink_new (end.in), "written", nothing, "");
    }
}
END_TEST

/* No more than the stream takes is read, nobody else writes, and the end that is asked for comes afterwards. */
START_TEST (test_meanwhile)
{
  for (IOEndKind kind = 0; kind < IO_END_N_KINDS; kind++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_auto (Transfer) transfer = begin (&tcp, kind, FILE_MEMORY);
      g_autoptr (GInputStream) other_file = file_open (FILE_MEMORY, transfer.bytes);
      g_autoptr (LoopFuture) second = NULL;
      g_autoptr (GError) error = NULL;
      TcpPeer *peer = transfer.peer;
      TcpSink *sink;

      ck_assert_uint_gt (loop_transport_get_write_buffer_size (peer->transport), 0);
      ck_assert_uint_lt (loop_transport_get_write_buffer_size (peer->transport), SIZE / 2);
      ck_assert_uint_eq (peer->n_paused, 0);
      loop_check_expect_critical ("*while a file is sent*");
      write_text (peer, "no");
      loop_check_assert_expected ();
      second = loop_event_loop_sendfile (tcp.loop, peer->transport, other_file, 0, -1, TRUE);
      error = tcp_take_error (&tcp, second);
      tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE);

      ck_assert (!loop_transport_is_reading (peer->transport));
      ck_assert_int_eq (write (transfer.end.out, "come", 4), 4);
      tcp_run_for (tcp.loop, 0.02);
      ck_assert_uint_eq (peer->n_bytes, 0);
      loop_transport_write_eof (peer->transport);

      sink = tcp_sink_new (transfer.end.in);
      ck_assert_int_eq (file_take_sent (&tcp, transfer.future), SIZE);
      tcp_run_until (tcp.loop, peer->n_bytes == 4);
      ck_assert_uint_eq (peer->n_lost, 0);
      check_received (&tcp, &transfer.end, peer, sink, "", transfer.bytes, "");
    }
}
END_TEST

/* A user who wants to read may; one who does not want to is not overruled in the end. */
START_TEST (test_reading)
{
  for (IOEndKind kind = 0; kind < IO_END_N_KINDS; kind++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_auto (Transfer) transfer = begin (&tcp, kind, FILE_MEMORY);
      TcpPeer *peer = transfer.peer;

      loop_transport_resume_reading (peer->transport);
      ck_assert_int_eq (write (transfer.end.out, "one", 3), 3);
      tcp_run_until (tcp.loop, peer->n_bytes == 3);
      loop_transport_pause_reading (peer->transport);
      ck_assert_int_eq (write (transfer.end.out, "two", 3), 3);
      loop_future_cancel (transfer.future);
      tcp_run_for (tcp.loop, 0.02);
      ck_assert (!loop_transport_is_reading (peer->transport));
      ck_assert_uint_eq (peer->n_bytes, 3);
      loop_transport_resume_reading (peer->transport);
      tcp_run_until (tcp.loop, peer->n_bytes == 6);
      loop_transport_abort (peer->transport);
      await_end (&tcp, &transfer.end, peer);
      tcp_run_until (tcp.loop, g_io_stream_is_closed (transfer.end.stream));
    }
}
END_TEST

/* As many bytes as the position says, and what is written next. */
START_TEST (test_cancel)
{
  for (IOEndKind kind = 0; kind < IO_END_N_KINDS; kind++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_auto (Transfer) transfer = begin (&tcp, kind, FILE_LOCAL);
      g_autoptr (GBytes) sent = NULL;
      TcpSink *sink;

      ck_assert (loop_future_cancel (transfer.future));
      sent = g_bytes_new_from_bytes (transfer.bytes, 0, (gsize) file_tell (transfer.file));
      ck_assert_uint_lt (g_bytes_get_size (sent), SIZE);
      ck_assert (loop_transport_is_reading (transfer.peer->transport));
      write_text (transfer.peer, "next");
      sink = tcp_sink_new (transfer.end.in);
      check_received (&tcp, &transfer.end, transfer.peer, sink, "", sent, "next");
    }
}
END_TEST

/* Of what was told to pause before: it goes on when the file is sent, and not earlier. */
static void
check_not_sending (TcpPeer *self)
{
  ck_assert (loop_future_done (self->user_data));
}

START_TEST (test_flow_control)
{
  for (IOEndKind kind = 0; kind < IO_END_N_KINDS; kind++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_auto (IOEnd) end = io_end_new (&tcp, kind);
      g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
      g_autoptr (GInputStream) file = file_open (FILE_MEMORY, bytes);
      g_autoptr (LoopFuture) future = NULL;
      TcpPeer *peer = io_connect (&tcp, end.stream);
      TcpSink *sink;
      gsize length;

      loop_transport_write_bytes (peer->transport, bytes);
      ck_assert_uint_eq (peer->n_paused, 1);
      future = loop_event_loop_sendfile (tcp.loop, peer->transport, file, 0, -1, TRUE);
      peer->user_data = future;
      peer->resumed = check_not_sending;
      sink = tcp_sink_new (end.in);
      ck_assert_int_eq (file_take_sent (&tcp, future), SIZE);
      loop_transport_close (peer->transport);
      await_end (&tcp, &end, peer);
      ck_assert_uint_eq (peer->n_paused, 1);
      ck_assert_uint_eq (peer->n_resumed, 1);
      g_free (tcp_sink_finish (sink, &length, NULL));
      ck_assert_uint_eq (length, 2 * SIZE);
    }
}
END_TEST

/* The future is told at once that the transport was closed. */
static void
check_closed (void (*end) (LoopTransport *transport))
{
  for (IOEndKind kind = 0; kind < IO_END_N_KINDS; kind++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_auto (Transfer) transfer = begin (&tcp, kind, FILE_SLOW);
      g_autoptr (GError) error = NULL;
      TcpSink *sink;

      end (transfer.peer->transport);
      ck_assert (loop_future_done (transfer.future));
      error = tcp_take_error (&tcp, transfer.future);
      tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
      sink = tcp_sink_new (transfer.end.in);
      await_end (&tcp, &transfer.end, transfer.peer);
      tcp_run_until (tcp.loop, g_io_stream_is_closed (transfer.end.stream));
      ck_assert_ptr_null (transfer.peer->error);
      g_free (tcp_sink_finish (sink, NULL, NULL));
    }
}

START_TEST (test_close) { check_closed (loop_transport_close); }
END_TEST

START_TEST (test_abort) { check_closed (loop_transport_abort); }
END_TEST

/* Both the protocol and whoever sends the file are told; the protocol perhaps of what reading says. */
START_TEST (test_peer_gone)
{
  for (IOEndKind kind = 0; kind < IO_END_N_KINDS; kind++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_auto (Transfer) transfer = begin (&tcp, kind, FILE_LOCAL);
      g_autoptr (GError) error = NULL;

      io_end_close (&transfer.end);
      error = tcp_take_error (&tcp, transfer.future);
      tcp_run_until (tcp.loop, transfer.peer->n_lost == 1);
      tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
      ck_assert_ptr_nonnull (transfer.peer->error);
      tcp_run_until (tcp.loop, g_io_stream_is_closed (transfer.end.stream));
      ck_assert (!g_input_stream_has_pending (transfer.file));
    }
}
END_TEST

START_TEST (test_loop_closed)
{
  for (IOEndKind kind = 0; kind < IO_END_N_KINDS; kind++)
    for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
      {
        g_auto (Tcp) tcp = (io_prepare (), tcp_new ());
        g_auto (Transfer) transfer = begin (&tcp, kind, kinds[i]);

        tcp_close_loop (&tcp);
        ck_assert (!loop_future_done (transfer.future));
        ck_assert (!g_input_stream_has_pending (transfer.file));
        ck_assert (g_io_stream_is_closed (transfer.end.stream));
      }
}
END_TEST

LOOP_TEST_MAIN ("sendfile-io-stream",
                test_sent,
                test_no_fallback,
                test_meanwhile,
                test_reading,
                test_cancel,
                test_flow_control,
                test_close,
                test_abort,
                test_peer_gone,
                test_loop_closed)
