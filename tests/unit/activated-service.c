/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <fcntl.h>
#include <libloop/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * A service that is started with its sockets: for test-listen-fds. It says what it was given, sends back what it
 * receives, and ends after as many connections as its argument says.
 */
static LoopEventLoop *loop;
static int n_left;

static void
data_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  loop_transport_write (transport, data, length);
}

static void
connection_lost (LoopTransport *transport, const GError *error, gpointer user_data)
{
  if (--n_left == 0)
    loop_event_loop_stop (loop);
}

static GObject *
make_protocol (gpointer user_data)
{
  static const LoopProtocolVTable vtable = { .data_received = data_received, .connection_lost = connection_lost };

  return G_OBJECT (loop_protocol_new (&vtable, NULL, NULL));
}

static LoopServer *
serve (GSocket *sock)
{
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  loop_server_options_set_sock (options, sock);
  future = loop_event_loop_create_server (loop, NULL, 0, options, make_protocol, NULL, NULL);
  if (!loop_event_loop_run_until_complete (loop, future, &value, &error))
    g_error ("%s", error->message);

  return g_value_dup_object (&value);
}

int
main (int argc, char **argv)
{
  g_autoptr (GPtrArray) sockets = NULL;
  g_autoptr (GPtrArray) servers = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) names = NULL;

  sockets = loop_listen_fds (&names, &error);
  if (g_getenv ("LISTEN_PID") != NULL || g_getenv ("LISTEN_FDS") != NULL || g_getenv ("LISTEN_FDNAMES") != NULL)
    g_error ("the environment was not cleaned");
  if (sockets == NULL)
    {
      printf ("%s\n", error->message);
      return EXIT_FAILURE;
    }

  n_left = argc > 1 ? atoi (argv[1]) : 0;
  loop = loop_event_loop_new ();
  for (guint i = 0; i < sockets->len; i++)
    {
      int fd = g_socket_get_fd (g_ptr_array_index (sockets, i));

      printf ("%d %s %s\n", fd, names[i], (fcntl (fd, F_GETFD) & FD_CLOEXEC) != 0 ? "close-on-exec" : "inherited");
      g_ptr_array_add (servers, serve (g_ptr_array_index (sockets, i)));
    }
  fflush (stdout);
  if (n_left > 0)
    loop_event_loop_run_forever (loop);

  for (guint i = 0; i < servers->len; i++)
    loop_server_close (g_ptr_array_index (servers, i));
  loop_event_loop_close (loop);
  g_object_unref (loop);

  return EXIT_SUCCESS;
}
