/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A UDP echo server on GIO: a GSocket and its source */

#include "config.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <unistd.h>

#include "echo-util.h"

static char buffer[ECHO_BUFFER_SIZE];
static GMainLoop *main_loop;

static gboolean
on_readable (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  g_autoptr (GSocketAddress) peer = NULL;
  gssize n = g_socket_receive_from (socket, &peer, buffer, sizeof buffer, NULL, NULL);

  if (n >= 0)
    {
      echo_requests++;
      g_socket_send_to (socket, peer, buffer, (gsize) n, NULL, NULL);
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
on_control (int fd, GIOCondition condition, gpointer user_data)
{
  if (!echo_control ())
    g_main_loop_quit (main_loop);
  return G_SOURCE_CONTINUE;
}

int
main (void)
{
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSource) source = NULL;

  echo_init ("udp-gio");
  main_loop = g_main_loop_new (NULL, FALSE);
  socket = g_socket_new_from_fd (echo_bind_udp (), NULL);
  g_socket_set_blocking (socket, FALSE);
  source = g_socket_create_source (socket, G_IO_IN, NULL);
  g_source_set_callback (source, G_SOURCE_FUNC (on_readable), NULL, NULL);
  g_source_attach (source, NULL);
  g_unix_fd_add (STDIN_FILENO, G_IO_IN, on_control, NULL);
  g_main_loop_run (main_loop);

  echo_finish ();
  g_main_loop_unref (main_loop);
  return 0;
}
