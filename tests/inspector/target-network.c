/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "target-network.h"

#include <stdio.h>

/* What was accepted last, as long as it is connected. */
static LoopTransport *newest;

static void
connection_made (LoopTransport *transport, gpointer user_data)
{
  newest = transport;
}

static void
connection_lost (LoopTransport *transport, const GError *exception, gpointer user_data)
{
  if (newest == transport)
    newest = NULL;
}

static void
data_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  loop_transport_write (transport, data, length);
}

static GObject *
new_echo (gpointer user_data)
{
  static const LoopProtocolVTable echo = {
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .data_received = data_received,
  };

  return G_OBJECT (loop_protocol_new (&echo, NULL, NULL));
}

static void
server_made (LoopFuture *future, gpointer user_data)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) sockets = NULL;
  g_autoptr (GSocketAddress) address = NULL;

  if (!loop_future_result (future, &value, &error))
    g_error ("%s", error->message);

  sockets = loop_server_get_sockets (g_value_get_object (&value));
  address = g_socket_get_local_address (g_ptr_array_index (sockets, 0), NULL);
  printf ("ok %u %" G_GUINT64_FORMAT "\n", g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)),
          loop_server_get_id (g_value_get_object (&value)));
  fflush (stdout);
  g_object_ref (g_value_get_object (&value));
}

/* serve [0: not yet, 1: at once] [the number of addresses] */
char *
command_serve (LoopEventLoop *loop, char **arguments)
{
  static const char *const hosts[] = { "127.0.0.5", "127.0.0.4", "127.0.0.3", "127.0.0.2", "127.0.0.1", NULL };
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopFuture) future = NULL;
  guint n_hosts = (guint) number (arguments, 2, 1);

  loop_server_options_set_start_serving (options, number (arguments, 1, 1) != 0);
  future = loop_event_loop_create_server (loop, hosts + G_N_ELEMENTS (hosts) - 1 - n_hosts, 0, options, new_echo, NULL,
                                          NULL);
  loop_future_add_done_callback (future, server_made, NULL, NULL);

  return NULL;
}

/* Writes so many bytes to the connection that was accepted last. */
char *
command_write (LoopEventLoop *loop, char **arguments)
{
  gsize length = (gsize) number (arguments, 1, 1);
  g_autofree guint8 *data = g_malloc0 (length);

  loop_transport_write (newest, data, length);

  return g_strdup_printf ("%" G_GSIZE_FORMAT, loop_transport_get_write_buffer_size (newest));
}

/* limits HIGH LOW */
char *
command_limits (LoopEventLoop *loop, char **arguments)
{
  loop_transport_set_write_buffer_limits (newest, (gssize) number (arguments, 1, -1),
                                          (gssize) number (arguments, 2, -1), NULL);

  return NULL;
}

static GObject *
new_subprocess_protocol (gpointer user_data)
{
  static const LoopSubprocessProtocolVTable nothing = { NULL };

  return G_OBJECT (loop_subprocess_protocol_new (&nothing, NULL, NULL));
}

static void
spawned (LoopFuture *future, gpointer user_data)
{
  g_auto (GValue) value = G_VALUE_INIT;
  LoopSubprocessTransport *process;
  g_autoptr (GError) error = NULL;

  if (!loop_future_result (future, &value, &error))
    g_error ("%s", error->message);

  process = g_value_get_object (&value);
  printf ("ok %" G_GUINT64_FORMAT " %d\n", loop_subprocess_transport_get_id (process),
          loop_subprocess_transport_get_pid (process));
  fflush (stdout);
  /* So that it can be looked at when it has ended. */
  g_object_ref (process);
}

/* spawn PROGRAM ARG... */
char *
command_spawn (LoopEventLoop *loop, char **arguments)
{
  g_autoptr (LoopFuture) future = loop_event_loop_subprocess_exec (loop, (const char *const *) arguments + 1, NULL,
                                                                   new_subprocess_protocol, NULL, NULL);

  loop_future_add_done_callback (future, spawned, NULL, NULL);

  return NULL;
}
