/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "io-check.h"

#include <string.h>
#include <unistd.h>

/* A transport as a GIOStream: reading, writing and waiting for it. */

#define SIZE (8 * 1024 * 1024)

START_TEST (test_read)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (GError) error = NULL;
  GPollableInputStream *pollable;
  char buffer[100];
  int fd;

  stream = io_stream_new (&tcp, &fd);
  pollable = G_POLLABLE_INPUT_STREAM (io_input (stream));
  ck_assert (g_pollable_input_stream_can_poll (pollable));
  ck_assert (!g_pollable_input_stream_is_readable (pollable));
  ck_assert_int_eq (g_pollable_input_stream_read_nonblocking (pollable, buffer, 10, NULL, &error), -1);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  g_clear_error (&error);

  tcp_raw_send (fd, "hello world");
  ck_assert_int_eq (io_read (&tcp, io_input (stream), buffer, 5, &error), 5);
  ck_assert_mem_eq (buffer, "hello", 5);
  ck_assert (g_pollable_input_stream_is_readable (pollable));

  /* What is there can be read on any thread. */
  ck_assert_int_eq (g_input_stream_skip (io_input (stream), 1, NULL, &error), 1);
  ck_assert_int_eq (g_input_stream_read (io_input (stream), buffer, 100, NULL, &error), 5);
  ck_assert_mem_eq (buffer, "world", 5);

  /* The end stays. */
  ck_assert_int_eq (shutdown (fd, SHUT_WR), 0);
  ck_assert_int_eq (io_read (&tcp, io_input (stream), buffer, 5, &error), 0);
  ck_assert_int_eq (io_read (&tcp, io_input (stream), buffer, 5, &error), 0);
  ck_assert (!io_has_pool ());
}
END_TEST

START_TEST (test_skip)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_auto (IODone) done = { 0 };
  int fd;

  stream = io_stream_new (&tcp, &fd);
  g_input_stream_skip_async (io_input (stream), 6, G_PRIORITY_DEFAULT, NULL, io_done, &done);
  tcp_raw_send (fd, "abc");
  tcp_run_for (tcp.loop, 0.01);
  tcp_raw_send (fd, "def");
  io_wait (&tcp, &done);
  ck_assert_int_gt (g_input_stream_skip_finish (io_input (stream), done.result, NULL), 0);
  ck_assert (!io_has_pool ());
}
END_TEST

/* Nobody reads: the transport does not either. */
START_TEST (test_input_is_bounded)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autoptr (GBytes) received = NULL;
  g_autoptr (GError) error = NULL;
  IOFeed *feed;
  int fd;

  stream = io_stream_new (&tcp, &fd);
  transport = loop_io_stream_dup_transport (stream);
  feed = io_feed_new (fd, bytes);
  tcp_run_until (tcp.loop, !loop_transport_is_reading (transport));
  tcp_run_for (tcp.loop, 0.05);
  ck_assert (!loop_transport_is_reading (transport));

  received = io_read_to_end (&tcp, io_input (stream), &error);
  io_feed_finish (feed);
  ck_assert (g_bytes_equal (received, bytes));
  ck_assert (loop_transport_is_reading (transport));
}
END_TEST

/* The peer does not read: a write waits for it, and a flush for all. */
START_TEST (test_output_is_bounded)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autofree char *wanted = tcp_checksum (bytes);
  g_autofree char *found = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (IODone) written = { 0 };
  g_auto (IODone) flushed = { 0 };
  const guint8 *data = g_bytes_get_data (bytes, NULL);
  gsize size = SIZE, low, high, n;
  gsize n_written;
  TcpSink *sink;
  int fd;

  stream = io_stream_new (&tcp, &fd);
  transport = loop_io_stream_dup_transport (stream);
  g_output_stream_write_all_async (io_output (stream), data, size, G_PRIORITY_DEFAULT, NULL, io_done, &written);
  tcp_run_until (tcp.loop, loop_transport_get_write_buffer_size (transport) > 64 * 1024);
  tcp_run_for (tcp.loop, 0.05);
  ck_assert_ptr_null (written.result);
  ck_assert_uint_le (loop_transport_get_write_buffer_size (transport), 128 * 1024);
  ck_assert (!g_pollable_output_stream_is_writable (G_POLLABLE_OUTPUT_STREAM (io_output (stream))));
  ck_assert_int_eq (
      g_pollable_output_stream_write_nonblocking (G_POLLABLE_OUTPUT_STREAM (io_output (stream)), "x", 1, NULL, &error),
      -1);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  g_clear_error (&error);

  sink = tcp_sink_new (fd);
  io_wait (&tcp, &written);
  ck_assert (g_output_stream_write_all_finish (io_output (stream), written.result, &n_written, &error));
  ck_assert_uint_eq (n_written, SIZE);

  g_output_stream_flush_async (io_output (stream), G_PRIORITY_DEFAULT, NULL, io_done, &flushed);
  io_wait (&tcp, &flushed);
  ck_assert (g_output_stream_flush_finish (io_output (stream), flushed.result, &error));
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (transport), 0);
  loop_transport_get_write_buffer_limits (transport, &low, &high);
  ck_assert_uint_eq (low, 16 * 1024);
  ck_assert_uint_eq (high, 64 * 1024);
  ck_assert (!io_has_pool ());

  ck_assert (io_close (&tcp, stream, &error));
  found = tcp_sink_finish (sink, &n, NULL);
  ck_assert_str_eq (found, wanted);
}
END_TEST

/* With no room at all, each write waits until it is with the kernel. */
START_TEST (test_no_room)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autoptr (GError) error = NULL;
  TcpSink *sink;
  gsize n, high;
  int fd;

  stream = io_stream_new (&tcp, &fd);
  transport = loop_io_stream_dup_transport (stream);
  ck_assert (loop_transport_set_write_buffer_limits (transport, 0, 0, NULL));
  sink = tcp_sink_new (fd);
  ck_assert (io_write (&tcp, io_output (stream), g_bytes_get_data (bytes, NULL), SIZE, &error));
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (transport), 0);
  ck_assert (io_flush (&tcp, io_output (stream), &error));
  loop_transport_get_write_buffer_limits (transport, NULL, &high);
  ck_assert_uint_eq (high, 0);
  ck_assert (io_close (&tcp, stream, &error));
  g_free (tcp_sink_finish (sink, &n, NULL));
  ck_assert_uint_eq (n, SIZE);
}
END_TEST

START_TEST (test_writev)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *received = NULL;
  g_auto (IODone) done = { 0 };
  GOutputVector vectors[] = { { "one ", 4 }, { "", 0 }, { "two ", 4 }, { "three", 5 } };
  gsize n;
  int fd;

  stream = io_stream_new (&tcp, &fd);
  g_output_stream_writev_async (io_output (stream), vectors, G_N_ELEMENTS (vectors), G_PRIORITY_DEFAULT, NULL, io_done,
                                &done);
  io_wait (&tcp, &done);
  ck_assert (g_output_stream_writev_finish (io_output (stream), done.result, &n, &error));
  ck_assert_uint_eq (n, 13);
  received = tcp_raw_receive (fd, 13);
  ck_assert_str_eq (received, "one two three");
  ck_assert (!io_has_pool ());
}
END_TEST

typedef struct
{
  guint n_calls;
  gboolean keep;
} Polled;

static gboolean
polled (GObject *stream, gpointer data)
{
  Polled *self = data;

  self->n_calls++;

  return self->keep;
}

/* A source is dispatched as long as there is something to do. */
START_TEST (test_sources)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (GSource) readable = NULL;
  g_autoptr (GSource) writable = NULL;
  g_autoptr (GSource) cancelled = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Polled reads = { .keep = TRUE };
  Polled writes = { 0 };
  Polled cancels = { 0 };
  char buffer[10];
  guint n_calls;
  int fd;

  stream = io_stream_new (&tcp, &fd);
  readable = g_pollable_input_stream_create_source (G_POLLABLE_INPUT_STREAM (io_input (stream)), NULL);
  g_source_set_callback (readable, G_SOURCE_FUNC (polled), &reads, NULL);
  g_source_attach (readable, NULL);
  cancelled = g_pollable_input_stream_create_source (G_POLLABLE_INPUT_STREAM (io_input (stream)), cancellable);
  g_source_set_callback (cancelled, G_SOURCE_FUNC (polled), &cancels, NULL);
  g_source_attach (cancelled, NULL);
  writable = g_pollable_output_stream_create_source (G_POLLABLE_OUTPUT_STREAM (io_output (stream)), NULL);
  g_source_set_callback (writable, G_SOURCE_FUNC (polled), &writes, NULL);
  g_source_attach (writable, NULL);

  tcp_run_until (tcp.loop, writes.n_calls == 1);
  ck_assert_uint_eq (reads.n_calls + cancels.n_calls, 0);
  g_cancellable_cancel (cancellable);
  tcp_run_until (tcp.loop, cancels.n_calls == 1);
  ck_assert_uint_eq (reads.n_calls, 0);

  tcp_raw_send (fd, "x");
  tcp_run_until (tcp.loop, reads.n_calls >= 2);
  ck_assert_int_eq (g_input_stream_read (io_input (stream), buffer, 10, NULL, NULL), 1);
  tcp_run_for (tcp.loop, 0.01);
  n_calls = reads.n_calls;
  tcp_run_for (tcp.loop, 0.02);
  ck_assert_uint_eq (reads.n_calls, n_calls);
  g_source_destroy (readable);
}
END_TEST

/* At once. What was taken is written. */
START_TEST (test_cancel)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree guint8 *data = g_malloc0 (SIZE);
  g_autoptr (GError) error = NULL;
  g_auto (IODone) read = { 0 };
  g_auto (IODone) written = { 0 };
  g_auto (IODone) flushed = { 0 };
  char buffer[10] = "untouched";
  TcpSink *sink;
  gsize n = 0, n_received;
  int fd;

  stream = io_stream_new (&tcp, &fd);
  g_input_stream_read_async (io_input (stream), buffer, 10, G_PRIORITY_DEFAULT, cancellable, io_done, &read);
  do
    {
      io_done_clear (&written);
      g_output_stream_write_async (io_output (stream), data, SIZE, G_PRIORITY_DEFAULT, cancellable, io_done, &written);
      tcp_run_for (tcp.loop, 0.02);
      if (written.result != NULL)
        n += (gsize) g_output_stream_write_finish (io_output (stream), written.result, NULL);
    }
  while (written.result != NULL);

  g_cancellable_cancel (cancellable);
  io_wait (&tcp, &read);
  io_wait (&tcp, &written);
  ck_assert_int_eq (g_input_stream_read_finish (io_input (stream), read.result, &error), -1);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  ck_assert_int_eq (g_output_stream_write_finish (io_output (stream), written.result, &error), -1);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  g_cancellable_reset (cancellable);
  g_output_stream_flush_async (io_output (stream), G_PRIORITY_DEFAULT, cancellable, io_done, &flushed);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_ptr_null (flushed.result);
  g_cancellable_cancel (cancellable);
  io_wait (&tcp, &flushed);
  ck_assert (!g_output_stream_flush_finish (io_output (stream), flushed.result, &error));
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  tcp_raw_send (fd, "new");
  ck_assert_int_eq (io_read (&tcp, io_input (stream), data, 10, &error), 3);
  ck_assert_str_eq (buffer, "untouched");
  sink = tcp_sink_new (fd);
  ck_assert (io_close (&tcp, stream, &error));
  g_free (tcp_sink_finish (sink, &n_received, NULL));
  ck_assert_uint_gt (n_received, n);
  ck_assert_uint_le (n_received, n + 64 * 1024);
}
END_TEST

/* What the last protocol had left comes first; a transport that it had paused goes on. */
START_TEST (test_take_over)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  g_autoptr (GBytes) left = g_bytes_new_static ("left ", 5);
  g_autoptr (GBytes) bytes = NULL;
  TcpPeer *peer;
  int fd;

  peer = tcp_raw_pair (&tcp, &fd);
  loop_transport_pause_reading (peer->transport);
  stream = loop_io_stream_new (peer->transport);
  loop_io_stream_feed (stream, left);
  tcp_raw_send (fd, "over");
  shutdown (fd, SHUT_WR);
  bytes = io_read_to_end (&tcp, io_input (stream), NULL);
  ck_assert_mem_eq (g_bytes_get_data (bytes, NULL), "left over", 9);

  g_object_get (stream, "transport", &transport, NULL);
  ck_assert_ptr_eq (transport, peer->transport);
}
END_TEST

/* Another protocol is given to the transport, which goes on. */
START_TEST (test_taken_away)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (LoopIOStream) second = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (IODone) read = { 0 };
  char buffer[10];
  int fd;

  stream = io_stream_new (&tcp, &fd);
  transport = loop_io_stream_dup_transport (stream);
  g_input_stream_read_async (io_input (stream), buffer, 10, G_PRIORITY_DEFAULT, NULL, io_done, &read);
  tcp_run_for (tcp.loop, 0.01);
  second = loop_io_stream_new (transport);
  io_wait (&tcp, &read);
  ck_assert_int_eq (g_input_stream_read_finish (io_input (stream), read.result, &error), -1);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  ck_assert (io_is_lost (stream));
  ck_assert (io_close (&tcp, stream, NULL));
  ck_assert (!loop_transport_is_closing (transport));

  tcp_raw_send (fd, "x");
  ck_assert_int_eq (io_read (&tcp, io_input (second), buffer, 10, NULL), 1);
}
END_TEST

static GObject *
make_datagram_protocol (gpointer unused)
{
  static const LoopDatagramProtocolVTable vtable = { 0 };

  return G_OBJECT (loop_datagram_protocol_new (&vtable, NULL, NULL));
}

/* There is no stream of datagrams. */
START_TEST (test_datagrams)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopDatagramOptions) options = loop_datagram_options_new ();
  g_autoptr (GSocketConnectable) address =
      G_SOCKET_CONNECTABLE (g_inet_socket_address_new_from_string ("127.0.0.1", 0));
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;

  loop_datagram_options_set_local_addr (options, address);
  future = loop_event_loop_create_datagram_endpoint (tcp.loop, options, make_datagram_protocol, NULL, NULL);
  transport = tcp_take_transport (&tcp, future);
  loop_check_expect_critical ("*carries_bytes*");
  ck_assert_ptr_null (loop_io_stream_new (transport));
  loop_transport_abort (transport);
  tcp_run_for (tcp.loop, 0.01);
}
END_TEST

START_TEST (test_no_transport)
{
  g_autoptr (LoopIOStream) stream = g_object_new (LOOP_TYPE_IO_STREAM, NULL);
  g_autoptr (GError) error = NULL;

  ck_assert (io_is_lost (stream));
  ck_assert_int_eq (g_input_stream_read (io_input (stream), &(char) { 0 }, 1, NULL, &error), 0);
  ck_assert (!g_output_stream_write_all (io_output (stream), "x", 1, NULL, NULL, &error));
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  ck_assert (g_io_stream_close (G_IO_STREAM (stream), NULL, NULL));
}
END_TEST

LOOP_TEST_MAIN ("io-stream",
                test_read,
                test_skip,
                test_input_is_bounded,
                test_output_is_bounded,
                test_no_room,
                test_writev,
                test_sources,
                test_cancel,
                test_take_over,
                test_taken_away,
                test_datagrams,
                test_no_transport)
