/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "io-end.h"
#include "loop-futures.h"
#include "loop-transport-private.h"
#include "metrics-check.h"
#include "tsan-gio.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Transports on streams of GIO's: those that can be polled, and those that have operations instead. */

#define SIZE (8 * 1024 * 1024)

#define FOR_ALL_KINDS(name)                                                                                            \
  START_TEST (test_##name)                                                                                             \
  {                                                                                                                    \
    for (IOEndKind kind = 0; kind < IO_END_N_KINDS; kind++)                                                            \
      check_##name (kind);                                                                                             \
  }                                                                                                                    \
  END_TEST

static void
put (int fd, const char *text)
{
  ck_assert_int_eq (write (fd, text, strlen (text)), (gssize) strlen (text));
}

/* Runs the loop until the other side can read. */
static void
await_text (Tcp *tcp, int fd, const char *text)
{
  g_autoptr (GString) found = g_string_new (NULL);

  fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
  while (found->len < strlen (text))
    {
      char buffer[100];
      gssize n = -1;

      tcp_run_until (tcp->loop, (n = read (fd, buffer, sizeof buffer)) >= 0);
      ck_assert_int_gt (n, 0);
      g_string_append_len (found, buffer, n);
    }
  fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) & ~O_NONBLOCK);
  ck_assert_str_eq (found->str, text);
}

static void
check_both_ways (IOEndKind kind)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_auto (IOEnd) end = io_end_new (&tcp, kind);
  GBytes *lines[] = { g_bytes_new_static ("two ", 4), g_bytes_new_static ("three", 5) };
  g_auto (GValue) value = G_VALUE_INIT;
  TcpPeer *peer = io_connect (&tcp, end.stream);

  ck_assert (loop_transport_is_reading (peer->transport));
  ck_assert (loop_transport_get_extra_info (peer->transport, "io-stream", &value));
  ck_assert_ptr_eq (g_value_get_object (&value), end.stream);
  put (end.out, "hello");
  tcp_run_until (tcp.loop, peer->n_bytes == 5);
  put (end.out, " again");
  tcp_run_until (tcp.loop, peer->n_bytes == 11);
  tcp_assert_received (peer, "hello again");

  loop_transport_write (peer->transport, (const guint8 *) "one ", 4);
  loop_transport_writelines (peer->transport, lines, 2);
  await_text (&tcp, end.in, "one two three");

  /* The other side ends first: what was written meanwhile is still sent. */
  io_end_shut_down (&end);
  loop_transport_write (peer->transport, (const guint8 *) "bye", 3);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  await_text (&tcp, end.in, "bye");
  ck_assert_str_eq (peer->events->str, "made data eof lost");
  ck_assert_msg (peer->error == NULL, "%d %s", kind, peer->error->message);
  ck_assert (g_io_stream_is_closed (end.stream));
  for (int i = 0; i < 2; i++)
    g_bytes_unref (lines[i]);
}

FOR_ALL_KINDS (both_ways)

/* What has gone over it counts when it is gone. */
static void
check_metrics (IOEndKind kind)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_auto (IOEnd) end = io_end_new (&tcp, kind);
  TcpPeer *peer = io_connect (&tcp, end.stream);
  /* The transport below is one as well, and has moved the same. */
  guint64 n_layers = kind == IO_END_TRANSPORT ? 2 : 1;

  put (end.out, "hello");
  loop_transport_write (peer->transport, (const guint8 *) "hi there", 8);
  tcp_run_until (tcp.loop, peer->n_bytes == 5);
  await_text (&tcp, end.in, "hi there");
  metrics_assert_moved (tcp.loop, 5 * n_layers, 8 * n_layers);

  loop_transport_close (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1 && (kind != IO_END_TRANSPORT || io_is_lost (LOOP_IO_STREAM (end.stream))));
  ck_assert_ptr_null (loop_transport_get_protocol (peer->transport));
  metrics_assert_moved (tcp.loop, 5 * n_layers, 8 * n_layers);
  g_clear_object (&peer->transport);
  tcp_run_for (tcp.loop, 0.01);
  metrics_assert_moved (tcp.loop, 5 * n_layers, 8 * n_layers);
}

FOR_ALL_KINDS (metrics)

/* What is buffered is written before the end. */
static void
check_write_then_close (IOEndKind kind)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_auto (IOEnd) end = io_end_new (&tcp, kind);
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autoptr (GBytes) rest = g_bytes_new_from_bytes (bytes, SIZE / 2, SIZE / 2);
  g_autofree char *wanted = tcp_checksum (bytes);
  g_autofree char *found = NULL;
  TcpPeer *peer = io_connect (&tcp, end.stream);
  TcpSink *sink;
  gsize n;

  loop_transport_write (peer->transport, g_bytes_get_data (bytes, NULL), SIZE / 2);
  ck_assert_uint_eq (peer->n_paused, 1);
  loop_transport_write_bytes (peer->transport, rest);
  ck_assert_uint_gt (loop_transport_get_write_buffer_size (peer->transport), SIZE / 2);
  loop_transport_close (peer->transport);
  loop_transport_close (peer->transport);
  ck_assert (loop_transport_is_closing (peer->transport));
  ck_assert (!loop_transport_is_reading (peer->transport));
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (peer->n_lost, 0);

  sink = tcp_sink_new (end.in);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_msg (peer->error == NULL, "%d %s", kind, peer->error->message);
  ck_assert_uint_eq (peer->n_resumed, 1);
  tcp_run_until (tcp.loop, kind != IO_END_TRANSPORT || io_is_lost (LOOP_IO_STREAM (end.stream)));
  found = tcp_sink_finish (sink, &n, NULL);
  ck_assert_uint_eq (n, SIZE);
  ck_assert_str_eq (found, wanted);
}

FOR_ALL_KINDS (write_then_close)

/* Half-close: all is written, then the end, and the other direction goes on. */
static void
check_write_eof (IOEndKind kind)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_auto (IOEnd) end = io_end_new (&tcp, kind);
  g_autofree guint8 *data = g_malloc0 (SIZE);
  TcpPeer *peer = io_connect (&tcp, end.stream);
  TcpSink *sink = tcp_sink_new (end.in);
  gsize n;

  ck_assert (loop_transport_can_write_eof (peer->transport));
  loop_transport_write (peer->transport, data, SIZE);
  loop_transport_write_eof (peer->transport);
  loop_check_expect_critical ("*after write_eof*");
  loop_transport_write (peer->transport, data, 1);
  tcp_run_until (tcp.loop, loop_transport_get_write_buffer_size (peer->transport) == 0);
  tcp_run_for (tcp.loop, 0.02);
  g_free (tcp_sink_finish (sink, &n, NULL));
  ck_assert_uint_eq (n, SIZE);
  ck_assert_uint_eq (peer->n_lost, 0);

  put (end.out, "answer");
  tcp_run_until (tcp.loop, peer->n_bytes == 6);
  loop_transport_close (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_msg (peer->error == NULL, "%d %s", kind, peer->error->message);
}

FOR_ALL_KINDS (write_eof)

static void
check_read_to_end (IOEndKind kind)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_auto (IOEnd) end = io_end_new (&tcp, kind);
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  TcpPeer *peer = io_connect (&tcp, end.stream);
  LoopTransportDescription description = { .is_reading = TRUE };
  IOFeed *feed;
  gsize n_bytes;

  peer->keep_open = TRUE;
  feed = io_feed_new (end.out, bytes);
  tcp_run_until (tcp.loop, peer->n_bytes > 100000);
  loop_transport_pause_reading (peer->transport);
  ck_assert (!loop_transport_is_reading (peer->transport));
  n_bytes = peer->n_bytes;
  tcp_run_for (tcp.loop, 0.02);
  ck_assert_uint_eq (peer->n_bytes, n_bytes);

  loop_transport_resume_reading (peer->transport);
  tcp_run_until (tcp.loop, peer->n_bytes == SIZE);
  io_feed_finish (feed);
  io_end_shut_down (&end);
  tcp_run_until (tcp.loop, peer->n_eof == 1);
  ck_assert_mem_eq (peer->received->data, g_bytes_get_data (bytes, NULL), SIZE);
  LOOP_TRANSPORT_GET_CLASS (peer->transport)->describe (peer->transport, &description);
  ck_assert (!description.is_reading);

  /* It was to be kept open. */
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (peer->n_lost, 0);
  loop_transport_write (peer->transport, (const guint8 *) "still", 5);
  await_text (&tcp, end.in, "still");
  loop_transport_close (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
}

FOR_ALL_KINDS (read_to_end)

/* While much is to be written: it is lost, and nobody waits. */
static void
check_abort (IOEndKind kind)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_auto (IOEnd) end = io_end_new (&tcp, kind);
  g_autofree guint8 *data = g_malloc0 (SIZE);
  TcpPeer *peer = io_connect (&tcp, end.stream);

  loop_transport_write (peer->transport, data, SIZE);
  tcp_run_for (tcp.loop, 0.01);
  loop_transport_abort (peer->transport);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 0);
  ck_assert_uint_eq (peer->n_lost, 0);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_msg (peer->error == NULL, "%d %s", kind, peer->error->message);
  ck_assert_uint_eq (peer->n_resumed, 0);
  tcp_run_until (tcp.loop, g_io_stream_is_closed (end.stream));
  loop_check_expect_warning ("*after it was closed*");
  loop_transport_write (peer->transport, data, 1);
}

FOR_ALL_KINDS (abort)

/* While much is to be written, or after that. There is no SIGPIPE. */
static void
check_peer_gone (IOEndKind kind)
{
  for (int is_writing = 0; is_writing < 2; is_writing++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_auto (IOEnd) end = io_end_new (&tcp, kind);
      g_autofree guint8 *data = g_malloc0 (SIZE);
      TcpPeer *peer = io_connect (&tcp, end.stream);

      peer->keep_open = TRUE;
      if (is_writing)
        {
          loop_transport_write (peer->transport, data, SIZE);
          tcp_run_for (tcp.loop, 0.01);
        }
      io_end_close (&end);
      if (!is_writing)
        {
          tcp_run_until (tcp.loop, peer->n_eof == 1 || peer->n_lost == 1);
          if (peer->n_lost == 0)
            loop_transport_write (peer->transport, data, SIZE);
        }
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      tcp_assert_error (peer->error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
      tcp_assert_contains (peer->error->message, "the stream: ");
      /* Once what was under way is back. */
      tcp_run_until (tcp.loop, g_io_stream_is_closed (end.stream));
    }
}

FOR_ALL_KINDS (peer_gone)

/* Not even where it would end the process. */
START_TEST (test_sigpipe)
{
  for (IOEndKind kind = IO_END_PIPES; kind <= IO_END_BUFFERED; kind++)
    {
      signal (SIGPIPE, SIG_DFL);
      check_peer_gone (kind);
    }
}
END_TEST

/* At each of the points where something can be under way. */
static void
check_loop_closed (IOEndKind kind)
{
  for (int i = 0; i < 5; i++)
    {
      g_auto (Tcp) tcp = (io_prepare (), i % 2 == 0 ? tcp_new () : tcp_new_for_context (g_main_context_default ()));
      g_auto (IOEnd) end = io_end_new (&tcp, kind);
      g_autofree guint8 *data = g_malloc0 (SIZE);
      g_autoptr (LoopFuture) future = NULL;
      TcpPeer *peer;

      if (i == 0)
        {
          future =
              loop_event_loop_connect_io_stream (tcp.loop, end.stream, tcp_peer_factory, tcp_add_client (&tcp), NULL);
        }
      else
        {
          peer = io_connect (&tcp, end.stream);
          if (i > 1)
            loop_transport_write (peer->transport, data, SIZE);
          if (i > 2)
            tcp_run_for (tcp.loop, 0.01);
          if (i == 3)
            loop_transport_abort (peer->transport);
          if (i == 4)
            loop_transport_close (peer->transport);
        }
      tcp_close_loop (&tcp);
      if (i == 0)
        check_failed (future, G_IO_ERROR, G_IO_ERROR_CLOSED);
      /* On a context of others, cancelled operations come back later. */
      for (int j = 0; j < 1000 && !g_io_stream_is_closed (end.stream); j++)
        {
          g_main_context_iteration (NULL, FALSE);
          g_usleep (1000);
        }
      ck_assert (g_io_stream_is_closed (end.stream));
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
}

FOR_ALL_KINDS (loop_closed)

static void
check_cancel (IOEndKind kind)
{
  for (int is_late = 0; is_late < 2; is_late++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_auto (IOEnd) end = io_end_new (&tcp, kind);
      TcpPeer *peer = tcp_add_client (&tcp);
      g_autoptr (LoopFuture) future =
          loop_event_loop_connect_io_stream (tcp.loop, end.stream, tcp_peer_factory, peer, NULL);

      if (is_late)
        tcp_run_for (tcp.loop, 0);
      loop_future_cancel (future);
      if (loop_future_cancelled (future))
        tcp_run_until (tcp.loop, g_io_stream_is_closed (end.stream));
      else
        loop_transport_abort (peer->transport);
      tcp_run_until (tcp.loop, peer->protocol == NULL);
      ck_assert_uint_eq (peer->n_made, peer->n_lost);
    }
}

FOR_ALL_KINDS (cancel)

static void
expect_refusal (Tcp *tcp, GIOStream *stream, LoopProtocolFactory factory, GQuark domain, int code, const char *text)
{
  g_autoptr (LoopFuture) future = loop_event_loop_connect_io_stream (tcp->loop, stream, factory, NULL, NULL);
  g_autoptr (GError) error = tcp_take_error (tcp, future);

  tcp_assert_error (error, domain, code);
  tcp_assert_contains (error->message, text);
}

static GObject *
refuse (gpointer user_data)
{
  ck_abort_msg ("the factory was called");
}

static void
check_refused (IOEndKind kind)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_auto (IOEnd) end = io_end_new (&tcp, kind);
  g_auto (IOEnd) closed = io_end_new (&tcp, kind);
  g_auto (IOEnd) reading = io_end_new (&tcp, kind);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_auto (IODone) read = { 0 };
  char buffer[1];
  TcpPeer *peer;

  expect_refusal (&tcp, end.stream, tcp_make_no_protocol, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY, "not a protocol");
  peer = io_connect (&tcp, end.stream);
  expect_refusal (&tcp, end.stream, refuse, G_IO_ERROR, G_IO_ERROR_PENDING, "belongs to a transport");
  ck_assert (!g_io_stream_close (end.stream, NULL, NULL));

  g_input_stream_read_async (io_input (reading.stream), buffer, 1, G_PRIORITY_DEFAULT, cancellable, io_done, &read);
  expect_refusal (&tcp, reading.stream, refuse, G_IO_ERROR, G_IO_ERROR_PENDING, "under way");
  g_cancellable_cancel (cancellable);
  io_wait (&tcp, &read);

  ck_assert (io_close (&tcp, closed.stream, NULL));
  expect_refusal (&tcp, closed.stream, refuse, G_IO_ERROR, G_IO_ERROR_CLOSED, "is closed");

  loop_transport_close (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  expect_refusal (&tcp, end.stream, refuse, G_IO_ERROR, G_IO_ERROR_CLOSED, "is closed");
}

FOR_ALL_KINDS (refused)

/* A protocol that has memory of its own, which is small, and pauses whenever it was filled. */
typedef struct
{
  LoopTransport *transport;
  GByteArray *received;
  guint8 memory[1000];
  gboolean is_by_size, has_none;
  gboolean is_lost;
  GError *error;
} Reader;

static void
reader_made (LoopTransport *transport, gpointer user_data)
{
  ((Reader *) user_data)->transport = g_object_ref (transport);
}

static void
resume (gpointer transport)
{
  loop_transport_resume_reading (transport);
}

static void
reader_data (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  Reader *self = user_data;

  ck_assert (loop_transport_is_reading (transport));
  ck_assert_uint_le (length, sizeof self->memory);
  g_byte_array_append (self->received, data, (guint) length);
  loop_transport_pause_reading (transport);
  loop_event_loop_call_soon (loop_transport_get_loop (transport), resume, transport, NULL);
}

static gsize
reader_get_buffer (LoopTransport *transport, gssize sizehint, gpointer *buffer, gpointer user_data, GError **error)
{
  Reader *self = user_data;

  *buffer = self->is_by_size ? NULL : self->memory;

  return self->has_none ? 0 : sizeof self->memory;
}

static void
reader_updated (LoopTransport *transport, gsize n_bytes, gpointer user_data)
{
  Reader *self = user_data;

  reader_data (transport, self->memory, n_bytes, user_data);
}

static void
reader_lost (LoopTransport *transport, const GError *exception, gpointer user_data)
{
  Reader *self = user_data;

  self->is_lost = TRUE;
  self->error = exception != NULL ? g_error_copy (exception) : NULL;
}

static const LoopBufferedProtocolVTable reader_vtable = {
  .base = { .connection_made = reader_made, .connection_lost = reader_lost, .data_received = reader_data },
  .get_buffer = reader_get_buffer,
  .buffer_updated = reader_updated,
};

static GObject *
make_reader (gpointer reader)
{
  return G_OBJECT (loop_buffered_protocol_new (&reader_vtable, reader, NULL));
}

static void
check_buffered_protocol (IOEndKind kind)
{
  for (int i = 0; i < 3; i++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_auto (IOEnd) end = io_end_new (&tcp, kind);
      g_autoptr (GBytes) bytes = tcp_random_bytes (50000);
      Reader reader = { .received = g_byte_array_new (), .is_by_size = i == 1, .has_none = i == 2 };
      g_autoptr (LoopFuture) future =
          loop_event_loop_connect_io_stream (tcp.loop, end.stream, make_reader, &reader, NULL);
      g_autoptr (LoopTransport) transport G_GNUC_UNUSED = tcp_take_transport (&tcp, future);
      IOFeed *feed = io_feed_new (end.out, bytes);

      if (i < 2)
        {
          tcp_run_until (tcp.loop, reader.received->len == 50000);
          ck_assert_mem_eq (reader.received->data, g_bytes_get_data (bytes, NULL), 50000);
          io_end_shut_down (&end);
        }
      tcp_run_until (tcp.loop, reader.is_lost);
      io_feed_finish (feed);
      if (i == 2)
        {
          loop_exception_context_unref (tcp_take_report (&tcp));
          tcp_assert_error (reader.error, LOOP_ERROR, LOOP_ERROR_NO_BUFFER);
        }
      else
        {
          ck_assert_ptr_null (reader.error);
        }
      g_clear_error (&reader.error);
      g_byte_array_unref (reader.received);
      g_object_unref (reader.transport);
    }
}

FOR_ALL_KINDS (buffered_protocol)

static void
echo_paused (TcpPeer *peer, const guint8 *data, gsize length)
{
  loop_transport_pause_reading (peer->transport);
  loop_transport_resume_reading (peer->transport);
  loop_transport_write (peer->transport, data, length);
}

/* Many small exchanges, with a protocol that pauses in each, and is changed for another. */
static void
check_echo (IOEndKind kind)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_auto (IOEnd) end = io_end_new (&tcp, kind);
  TcpPeer *peer = io_connect (&tcp, end.stream);
  TcpPeer *second = tcp_add_client (&tcp);
  g_autoptr (GObject) protocol = tcp_peer_factory (second);

  peer->data = echo_paused;
  for (int i = 0; i < 50; i++)
    {
      g_autofree char *text = g_strdup_printf ("message %d", i);

      put (end.out, text);
      await_text (&tcp, end.in, text);
    }

  loop_protocol_connection_made (LOOP_PROTOCOL (protocol), peer->transport);
  loop_transport_set_protocol (peer->transport, protocol);
  put (end.out, "other");
  tcp_run_until (tcp.loop, second->n_bytes == 5);
  loop_transport_close (second->transport);
  tcp_run_until (tcp.loop, second->n_lost == 1);
  ck_assert_uint_eq (peer->n_lost, 0);
}

FOR_ALL_KINDS (echo)

/* Its input is all there, and its output goes nowhere. */
START_TEST (test_memory)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (GInputStream) input = g_memory_input_stream_new_from_data ("all of it", 9, NULL);
  g_autoptr (GOutputStream) output = g_memory_output_stream_new_resizable ();
  g_autoptr (GIOStream) stream = g_simple_io_stream_new (input, output);
  g_auto (GValue) value = G_VALUE_INIT;
  TcpPeer *peer = io_connect (&tcp, stream);

  ck_assert (!loop_transport_get_extra_info (peer->transport, "socket", &value));
  loop_transport_write (peer->transport, (const guint8 *) "kept", 4);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  tcp_assert_received (peer, "all of it");
  ck_assert_str_eq (peer->events->str, "made data eof lost");
  ck_assert_mem_eq (g_memory_output_stream_get_data (G_MEMORY_OUTPUT_STREAM (output)), "kept", 4);
}
END_TEST

START_TEST (test_extra_info)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) peername = G_VALUE_INIT;
  g_auto (GValue) sockname = G_VALUE_INIT;
  g_auto (GValue) socket = G_VALUE_INIT;
  g_auto (GValue) nothing = G_VALUE_INIT;
  g_auto (GValue) lost = G_VALUE_INIT;
  LoopTransportDescription description = { .fd = -1 };
  guint16 port = 0;
  TcpPeer *peer;

  tcp_raw_listen (&tcp, "127.0.0.1", 1, &port);
  connection = g_socket_client_connect_to_host (client, "127.0.0.1", port, NULL, &error);
  ck_assert_ptr_nonnull (connection);
  peer = io_connect (&tcp, G_IO_STREAM (connection));
  ck_assert (loop_transport_get_extra_info (peer->transport, "peername", &peername));
  ck_assert_uint_eq (g_inet_socket_address_get_port (g_value_get_object (&peername)), port);
  ck_assert (loop_transport_get_extra_info (peer->transport, "sockname", &sockname));
  ck_assert_uint_ne (g_inet_socket_address_get_port (g_value_get_object (&sockname)), port);
  ck_assert (loop_transport_get_extra_info (peer->transport, "socket", &socket));
  ck_assert_ptr_eq (g_value_get_object (&socket), g_socket_connection_get_socket (connection));
  ck_assert (!loop_transport_get_extra_info (peer->transport, "compression", &nothing));

  /* What an inspector is shown. */
  LOOP_TRANSPORT_GET_CLASS (peer->transport)->describe (peer->transport, &description);
  ck_assert_str_eq (description.kind, "io stream");
  ck_assert_str_eq (description.state, "open");
  ck_assert_int_eq (description.fd, g_socket_get_fd (g_value_get_object (&socket)));
  ck_assert_int_eq (description.peer->sa_family, AF_INET);
  ck_assert (description.is_reading && !description.is_read_paused && !description.is_write_paused);
  ck_assert_uint_eq (description.high_water, 64 * 1024);
  loop_transport_close (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert (!loop_transport_get_extra_info (peer->transport, "io-stream", &lost));
}
END_TEST

LOOP_TEST_MAIN ("io-stream-transport",
                test_both_ways,
                test_metrics,
                test_write_then_close,
                test_write_eof,
                test_read_to_end,
                test_abort,
                test_peer_gone,
                test_sigpipe,
                test_loop_closed,
                test_cancel,
                test_refused,
                test_buffered_protocol,
                test_echo,
                test_memory,
                test_extra_info)
