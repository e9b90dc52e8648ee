/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An echo server on libloop
 *
 * A protocol of C functions for each connection.  With --inspect the loop can
 * be inspected while it serves; nothing else differs.  With --streams it is a
 * fiber for each connection, which reads and writes a stream.
 */

#include "config.h"

#include <libloop/loop.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo-util.h"

static LoopEventLoop *loop;

static void
on_data_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  echo_requests++;
  for (gsize done = 0, next; done < length; done += next)
    {
      next = echo_next (length - done);
      loop_transport_write (transport, data + done, next);
    }
}

static const LoopProtocolVTable vtable = {
  .data_received = on_data_received,
};

static GObject *
make_protocol (gpointer user_data)
{
  return G_OBJECT (loop_protocol_new (&vtable, NULL, NULL));
}

static gboolean
echo_stream (LoopStreamReader *reader, LoopStreamWriter *writer, gpointer user_data, GError **error)
{
  for (;;)
    {
      g_auto (GValue) value = G_VALUE_INIT;
      GBytes *bytes;

      if (!loop_await_result (loop_stream_reader_read (reader, ECHO_BUFFER_SIZE), &value, error))
        return FALSE;
      bytes = g_value_get_boxed (&value);
      if (g_bytes_get_size (bytes) == 0)
        return TRUE;
      echo_requests++;
      loop_stream_writer_write_bytes (writer, bytes);
      if (!loop_await_result (loop_stream_writer_drain (writer), NULL, error))
        return FALSE;
    }
}

static guint16
server_port (LoopServer *server)
{
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (server);
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (g_ptr_array_index (sockets, 0), NULL);

  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
}

/* What serves a connection that is still open is not to be cut off without a word; then it has its turn. */
static void
end_server (LoopServer *server)
{
  g_autoptr (LoopFuture) closed = NULL;
  g_autoptr (LoopFuture) ended = NULL;

  loop_server_close (server);
  loop_server_abort_clients (server);
  closed = loop_server_wait_closed (server);
  loop_event_loop_run_until_complete (loop, closed, NULL, NULL);
  ended = loop_sleep (loop, 0.01);
  loop_event_loop_run_until_complete (loop, ended, NULL, NULL);
}

static void
on_control (gpointer user_data)
{
  if (!echo_control ())
    loop_event_loop_stop (loop);
}

int
main (int argc, char **argv)
{
  static const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopServerOptions) server_options = NULL;
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopInspector) inspector = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  echo_init ("loop");
  if (argc > 1 && strcmp (argv[1], "--inspect") == 0)
    {
      inspector = loop_inspector_start (LOOP_INSPECTOR_ACCESS_READ, &error);
      if (inspector == NULL)
        {
          fprintf (stderr, "echo-loop: %s\n", error->message);
          return 1;
        }
    }
  loop = loop_event_loop_new ();
  server_options = loop_server_options_new ();
  loop_server_options_set_backlog (server_options, 4096);
  if (argc > 1 && strcmp (argv[1], "--streams") == 0)
    future = loop_start_fiber_server (loop, echo_stream, NULL, NULL, hosts, 0, -1, server_options);
  else if (echo_unix_path != NULL)
    future = loop_event_loop_create_unix_server (loop, echo_unix_path, server_options, make_protocol, NULL, NULL);
  else
    future = loop_event_loop_create_server (loop, hosts, 0, server_options, make_protocol, NULL, NULL);
  if (!loop_event_loop_run_until_complete (loop, future, &value, &error))
    {
      fprintf (stderr, "echo-loop: %s\n", error->message);
      return 1;
    }
  echo_ready (echo_unix_path != NULL ? 0 : server_port (g_value_get_object (&value)),
              inspector != NULL ? loop_inspector_get_path (inspector) : NULL);

  loop_event_loop_add_reader (loop, STDIN_FILENO, on_control, NULL, NULL);
  loop_event_loop_run_forever (loop);

  echo_finish ();
  end_server (g_value_get_object (&value));
  loop_event_loop_close (loop);
  g_object_unref (loop);
  if (inspector != NULL)
    loop_inspector_stop (inspector);
  return 0;
}
