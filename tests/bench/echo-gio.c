/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An echo server on GIO and GLib's main context
 *
 * Non-blocking GSockets with a socket source each, which is GIO's quickest
 * way (streams allocate a GTask per operation).  The sources may recurse:
 * GLib then dispatches one in a third of the time.
 */

#include "config.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#include "echo-util.h"

typedef struct
{
  GByteArray *pending;
} Connection;

static char buffer[ECHO_BUFFER_SIZE];
static GMainLoop *main_loop;

static gboolean on_readable (GSocket *socket, GIOCondition condition, gpointer user_data);

static void
connection_free (gpointer data)
{
  Connection *connection = data;

  g_clear_pointer (&connection->pending, g_byte_array_unref);
  g_free (connection);
}

static void
watch (GSocket *socket, GIOCondition condition, GSocketSourceFunc func, Connection *connection)
{
  GSource *source = g_socket_create_source (socket, condition, NULL);

  g_source_set_callback (source, G_SOURCE_FUNC (func), connection, NULL);
  g_source_set_can_recurse (source, TRUE);
  g_source_attach (source, NULL);
  g_source_unref (source);
}

static gboolean
on_writable (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Connection *connection = user_data;
  g_autoptr (GError) error = NULL;
  gssize n = g_socket_send (socket, (char *) connection->pending->data, connection->pending->len, NULL, &error);

  (void) condition;
  if (n < 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return G_SOURCE_CONTINUE;
  if (n < 0)
    {
      connection_free (connection);
      return G_SOURCE_REMOVE;
    }

  g_byte_array_remove_range (connection->pending, 0, (guint) n);
  if (connection->pending->len > 0)
    return G_SOURCE_CONTINUE;
  watch (socket, G_IO_IN, on_readable, connection);
  return G_SOURCE_REMOVE;
}

static gboolean
on_readable (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Connection *connection = user_data;
  g_autoptr (GError) error = NULL;
  gssize n = g_socket_receive (socket, buffer, sizeof buffer, NULL, &error);
  gssize done = 0;

  (void) condition;
  if (n <= 0)
    {
      if (n < 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        return G_SOURCE_CONTINUE;
      connection_free (connection);
      return G_SOURCE_REMOVE;
    }

  echo_requests++;
  while (done < n)
    {
      gsize length = echo_next ((gsize) (n - done));
      gssize sent = g_socket_send (socket, buffer + done, length, NULL, &error);

      if (sent < 0 && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        {
          connection_free (connection);
          return G_SOURCE_REMOVE;
        }
      if (sent > 0)
        done += sent;
      if (sent != (gssize) length)
        break;
    }
  if (done == n)
    return G_SOURCE_CONTINUE;

  if (connection->pending == NULL)
    connection->pending = g_byte_array_new ();
  g_byte_array_append (connection->pending, (guint8 *) buffer + done, (guint) (n - done));
  watch (socket, G_IO_OUT, on_writable, connection);
  return G_SOURCE_REMOVE;
}

static gboolean
on_accept (GSocket *listener, GIOCondition condition, gpointer user_data)
{
  GSocket *socket;

  (void) condition;
  (void) user_data;
  while ((socket = g_socket_accept (listener, NULL, NULL)) != NULL)
    {
      g_socket_set_blocking (socket, FALSE);
      watch (socket, G_IO_IN, on_readable, g_new0 (Connection, 1));
      /* The source holds the socket; when it goes, the socket is closed. */
      g_object_unref (socket);
    }
  return G_SOURCE_CONTINUE;
}

static gboolean
on_control (gint fd, GIOCondition condition, gpointer user_data)
{
  (void) fd;
  (void) condition;
  (void) user_data;
  if (echo_control ())
    return G_SOURCE_CONTINUE;
  g_main_loop_quit (main_loop);
  return G_SOURCE_REMOVE;
}

int
main (void)
{
  g_autoptr (GSocket) listener = NULL;
  g_autoptr (GError) error = NULL;

  echo_init ("gio");
  main_loop = g_main_loop_new (NULL, FALSE);
  listener = g_socket_new_from_fd (echo_listen (), &error);
  g_assert_no_error (error);
  g_socket_set_blocking (listener, FALSE);
  watch (listener, G_IO_IN, on_accept, NULL);
  g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP, on_control, NULL);
  g_main_loop_run (main_loop);

  echo_finish ();
  g_main_loop_unref (main_loop);
  return 0;
}
