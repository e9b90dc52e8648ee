/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <libloop/loop.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

/*
 * An echo server for programs that are not ours, until SIGTERM: "echo" on a port that it says, "echo PATH" on a unix
 * socket, "echo @NAME" on one in the abstract namespace. Who does not read is not read from.
 */

/* What is echoed waits in the transport, and not in the kernel, also when the peer sends its end. */
static void
connection_made (LoopTransport *transport, gpointer user_data)
{
  int size = 4096;

  if (setsockopt (loop_transport_get_fd (transport), SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0)
    g_error ("There is no small buffer");
}

static void
data_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  loop_transport_write (transport, data, length);
}

static void
pause_writing (LoopTransport *transport, gpointer user_data)
{
  loop_transport_pause_reading (transport);
}

static void
resume_writing (LoopTransport *transport, gpointer user_data)
{
  loop_transport_resume_reading (transport);
}

static const LoopProtocolVTable vtable = {
  .connection_made = connection_made,
  .data_received = data_received,
  .pause_writing = pause_writing,
  .resume_writing = resume_writing,
};

static GObject *
make_echo (gpointer user_data)
{
  return G_OBJECT (loop_protocol_new (&vtable, NULL, NULL));
}

static void
stop_serving (gpointer user_data)
{
  LoopServer *server = user_data;

  loop_server_close (server);
  loop_server_close_clients (server);
}

static LoopFuture *
create_server (LoopEventLoop *loop, const char *path)
{
  static const char *const hosts[] = { "127.0.0.1", NULL };

  if (path != NULL)
    return loop_event_loop_create_unix_server (loop, path, NULL, make_echo, NULL, NULL);

  return loop_event_loop_create_server (loop, hosts, 0, NULL, make_echo, NULL, NULL);
}

static guint
get_port (LoopServer *server)
{
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (server);
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (g_ptr_array_index (sockets, 0), NULL);

  return G_IS_INET_SOCKET_ADDRESS (address) ? g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)) : 0;
}

static void
serve (LoopEventLoop *loop, const char *path)
{
  g_autoptr (LoopFuture) future = create_server (loop, path);
  g_autoptr (LoopFuture) closed = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  LoopServer *server;

  if (!loop_event_loop_run_until_complete (loop, future, &value, &error))
    g_error ("%s", error->message);
  server = g_value_get_object (&value);
  if (!loop_event_loop_add_signal_handler (loop, SIGTERM, stop_serving, server, NULL, &error))
    g_error ("%s", error->message);

  printf ("%u\n", get_port (server));
  fflush (stdout);

  closed = loop_server_wait_closed (server);
  if (!loop_event_loop_run_until_complete (loop, closed, NULL, &error))
    g_error ("%s", error->message);
}

int
main (int argc, char **argv)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  serve (loop, argc > 1 ? argv[1] : NULL);
  loop_event_loop_close (loop);

  return 0;
}
