/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "io-check.h"
#include "tsan-gio.h"

#include <string.h>

/* What GIO builds on streams, on a transport. */

#define SIZE (8 * 1024 * 1024)

/* Two streams that are connected to each other. */
static void
new_pair (Tcp *tcp, LoopIOStream **client, LoopIOStream **server)
{
  TcpPeer *peer = tcp_connect (tcp);
  TcpPeer *accepted = tcp_last_accepted (tcp);

  *client = loop_io_stream_new (peer->transport);
  *server = loop_io_stream_new (accepted->transport);
}

START_TEST (test_lines)
{
  static const char *const wanted[] = { "one", "two", "", "last", NULL };
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (GDataInputStream) lines = NULL;
  int fd;

  stream = io_stream_new (&tcp, &fd);
  lines = g_data_input_stream_new (io_input (stream));
  tcp_raw_send (fd, "one\ntw");
  for (int i = 0; i < 5; i++)
    {
      g_auto (IODone) done = { 0 };
      g_autoptr (GError) error = NULL;
      g_autofree char *line = NULL;

      g_data_input_stream_read_line_async (lines, G_PRIORITY_DEFAULT, NULL, io_done, &done);
      if (i == 1)
        {
          tcp_run_for (tcp.loop, 0.01);
          ck_assert_ptr_null (done.result);
          tcp_raw_send (fd, "o\n\nlast");
          ck_assert_int_eq (shutdown (fd, SHUT_WR), 0);
        }
      io_wait (&tcp, &done);
      line = g_data_input_stream_read_line_finish_utf8 (lines, done.result, NULL, &error);
      ck_assert_ptr_null (error);
      ck_assert_pstr_eq (line, wanted[i]);
    }
  ck_assert (!io_has_pool ());
}
END_TEST

/* From one connection to another, as a proxy does. */
START_TEST (test_splice)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autofree char *wanted = tcp_checksum (bytes);
  g_autofree char *found = NULL;
  g_autoptr (LoopIOStream) from = NULL;
  g_autoptr (LoopIOStream) to = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (IODone) done = { 0 };
  IOFeed *feed;
  TcpSink *sink;
  gsize n;
  int source;
  int target;

  from = io_stream_new (&tcp, &source);
  to = io_stream_new (&tcp, &target);
  feed = io_feed_new (source, bytes);
  sink = tcp_sink_new (target);
  g_output_stream_splice_async (io_output (to), io_input (from),
                                G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE | G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET,
                                G_PRIORITY_DEFAULT, NULL, io_done, &done);
  io_wait (&tcp, &done);
  ck_assert_int_eq (g_output_stream_splice_finish (io_output (to), done.result, &error), SIZE);
  io_feed_finish (feed);
  found = tcp_sink_finish (sink, &n, NULL);
  ck_assert_str_eq (found, wanted);
  ck_assert (!io_has_pool ());
  ck_assert (io_close (&tcp, from, &error) && io_close (&tcp, to, &error));
}
END_TEST

/* GLib flushes it in a thread, which waits for the connection. */
START_TEST (test_buffered_output)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autofree char *wanted = tcp_checksum (bytes);
  g_autofree char *found = NULL;
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (GOutputStream) buffered = NULL;
  g_autoptr (GError) error = NULL;
  const char *data = g_bytes_get_data (bytes, NULL);
  TcpSink *sink;
  gsize n;
  int fd;

  stream = io_stream_new (&tcp, &fd);
  buffered = g_buffered_output_stream_new_sized (io_output (stream), 100000);
  sink = tcp_sink_new (fd);
  ck_assert (io_write (&tcp, buffered, data, 10, &error));
  ck_assert (io_flush (&tcp, buffered, &error));
  ck_assert (io_write (&tcp, buffered, data + 10, SIZE - 10, &error));
  ck_assert (io_close (&tcp, buffered, &error));
  found = tcp_sink_finish (sink, &n, NULL);
  ck_assert_uint_eq (n, SIZE);
  ck_assert_str_eq (found, wanted);
}
END_TEST

START_TEST (test_converters)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autoptr (GBytes) received = NULL;
  g_autoptr (LoopIOStream) client = NULL;
  g_autoptr (LoopIOStream) server = NULL;
  g_autoptr (GConverter) compressor = G_CONVERTER (g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, 1));
  g_autoptr (GConverter) decompressor = G_CONVERTER (g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP));
  g_autoptr (GOutputStream) compressed = NULL;
  g_autoptr (GInputStream) decompressed = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (IODone) closed = { 0 };
  char start[5];

  new_pair (&tcp, &client, &server);
  compressed = g_converter_output_stream_new (io_output (client), compressor);
  decompressed = g_converter_input_stream_new (io_input (server), decompressor);

  /* What is flushed can be read at once. */
  ck_assert (io_write (&tcp, compressed, "hello", 5, &error));
  ck_assert (io_flush (&tcp, compressed, &error));
  ck_assert_int_eq (io_read (&tcp, decompressed, start, 5, &error), 5);
  ck_assert_mem_eq (start, "hello", 5);

  /* The converter keeps what the stream does not take, until it is closed. */
  ck_assert (io_write (&tcp, compressed, g_bytes_get_data (bytes, NULL), SIZE, &error));
  g_output_stream_close_async (compressed, G_PRIORITY_DEFAULT, NULL, io_done, &closed);
  received = io_read_to_end (&tcp, decompressed, &error);
  ck_assert (g_bytes_equal (received, bytes));
  io_wait (&tcp, &closed);
  ck_assert (g_output_stream_close_finish (compressed, closed.result, &error));
}
END_TEST

static const char interface_xml[] = "<node><interface name='org.example.Echo'>"
                                    "<method name='Echo'><arg type='ay' direction='in'/>"
                                    "<arg type='ay' direction='out'/></method></interface></node>";

static void
echo (GDBusConnection *connection,
      const char *sender,
      const char *path,
      const char *interface,
      const char *method,
      GVariant *parameters,
      GDBusMethodInvocation *invocation,
      gpointer user_data)
{
  g_dbus_method_invocation_return_value (invocation, parameters);
}

static void
connection_made (GObject *source, GAsyncResult *result, gpointer connection)
{
  g_autoptr (GError) error = NULL;

  *(GDBusConnection **) connection = g_dbus_connection_new_finish (result, &error);
  ck_assert_msg (error == NULL, "%s", error->message);
}

static void
call_echo (Tcp *tcp, GDBusConnection *connection, GBytes *bytes)
{
  GVariant *array = g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GVariant) echoed = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (IODone) called = { 0 };

  g_dbus_connection_call (connection, NULL, "/echo", "org.example.Echo", "Echo", g_variant_new ("(@ay)", array), NULL,
                          G_DBUS_CALL_FLAGS_NONE, -1, NULL, io_done, &called);
  io_wait (tcp, &called);
  answer = g_dbus_connection_call_finish (connection, called.result, &error);
  ck_assert_msg (answer != NULL, "%s", error != NULL ? error->message : "");
  echoed = g_variant_get_child_value (answer, 0);
  ck_assert_uint_eq (g_variant_get_size (echoed), g_bytes_get_size (bytes));
  ck_assert_mem_eq (g_variant_get_data (echoed), g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

/* GDBus has a thread, which it keeps. */
static void
prepare_dbus (void)
{
  g_autoptr (GInputStream) input = g_memory_input_stream_new ();
  g_autoptr (GOutputStream) output = g_memory_output_stream_new_resizable ();
  g_autoptr (GIOStream) stream = g_simple_io_stream_new (input, output);
  g_autoptr (GDBusConnection) connection =
      g_dbus_connection_new_sync (stream, NULL, G_DBUS_CONNECTION_FLAGS_NONE, NULL, NULL, NULL);

  ck_assert_ptr_nonnull (connection);
}

/* It drops its references a moment later. */
static void
finalize_in_thread (Tcp *tcp, gpointer object)
{
  gpointer weak = object;

  g_object_add_weak_pointer (object, &weak);
  g_object_unref (object);
  tcp_run_until (tcp->loop, weak == NULL);
}

/* Both ends of one. Its thread reads and writes, and at first another one blocks. */
START_TEST (test_dbus)
{
  static const GDBusInterfaceVTable vtable = { .method_call = echo };
  g_auto (Tcp) tcp = (prepare_dbus (), io_tcp_new ());
  LoopIOStream *client_stream;
  LoopIOStream *server_stream;
  GInputStream *client_input;
  GInputStream *server_input;
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (interface_xml, NULL);
  g_autofree char *guid = g_dbus_generate_guid ();
  g_autoptr (GError) error = NULL;
  g_auto (IODone) closed = { 0 };
  GDBusConnection *client = NULL;
  GDBusConnection *server = NULL;
  guint id;

  new_pair (&tcp, &client_stream, &server_stream);
  client_input = g_object_ref (io_input (client_stream));
  server_input = g_object_ref (io_input (server_stream));
  g_dbus_connection_new (G_IO_STREAM (client_stream), NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL,
                         connection_made, &client);
  g_dbus_connection_new (G_IO_STREAM (server_stream), guid,
                         G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
                             G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_ALLOW_ANONYMOUS,
                         NULL, NULL, connection_made, &server);
  tcp_run_until (tcp.loop, client != NULL && server != NULL);

  id = g_dbus_connection_register_object (server, "/echo", node->interfaces[0], &vtable, NULL, NULL, &error);
  ck_assert_uint_ne (id, 0);
  for (gsize i = 1; i <= SIZE; i *= 2)
    {
      g_autoptr (GBytes) bytes = tcp_random_bytes (i);

      call_echo (&tcp, client, bytes);
    }
  ck_assert (g_dbus_connection_unregister_object (server, id));

  g_dbus_connection_close (client, NULL, io_done, &closed);
  io_wait (&tcp, &closed);
  ck_assert (g_dbus_connection_close_finish (client, closed.result, &error));
  tcp_run_until (tcp.loop, g_dbus_connection_is_closed (server));
  ck_assert (io_is_lost (client_stream));
  io_done_clear (&closed);
  finalize_in_thread (&tcp, client);
  finalize_in_thread (&tcp, server);
  finalize_in_thread (&tcp, client_stream);
  finalize_in_thread (&tcp, server_stream);
  finalize_in_thread (&tcp, client_input);
  finalize_in_thread (&tcp, server_input);
}
END_TEST

LOOP_TEST_MAIN ("io-stream-consumers", test_lines, test_splice, test_buffered_output, test_converters, test_dbus)
