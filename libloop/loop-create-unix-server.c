/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-future-private.h"
#include "loop-server-options.h"
#include "loop-server-private.h"
#include "loop-socket-private.h"

static gboolean
open_path (LoopServer *server, const char *path, gboolean cleanup_socket, GError **error)
{
  g_auto (LoopUnixFile) file = { 0 };
  g_autoptr (GSocket) socket = NULL;
  struct sockaddr_un address;
  socklen_t length;
  int fd;

  if (!loop_unix_path_to_native (path, &address, &length, error))
    return FALSE;

  fd = loop_socket_new (AF_UNIX, 0, error);
  socket = fd >= 0 ? loop_socket_wrap (fd, error) : NULL;
  if (socket == NULL)
    return FALSE;
  g_socket_set_blocking (socket, FALSE);

  if (!loop_unix_path_bind (fd, &address, length, &file, error))
    return FALSE;

  if (!loop_server_add_socket (server, socket, cleanup_socket ? &file : NULL, error))
    {
      loop_unix_file_remove (&file, NULL);
      return FALSE;
    }

  return TRUE;
}

static gboolean
open_server (LoopServer *server, const char *path, LoopServerOptions *options, GError **error)
{
  GSocket *sock = loop_server_options_get_sock (options);

  if (sock != NULL)
    {
      if (!loop_server_add_socket (server, sock, NULL, error))
        return FALSE;
      g_socket_set_blocking (sock, FALSE);
    }
  else if (!open_path (server, path, loop_server_options_get_cleanup_socket (options), error))
    {
      return FALSE;
    }

  return !loop_server_options_get_start_serving (options) || loop_server_listen (server, error);
}

/**
 * loop_event_loop_create_unix_server:
 * @self: an event loop
 * @path: (nullable) (type filename): a path, or `@` and a name in the abstract namespace; %NULL if the options have a
 *   socket
 * @options: (nullable): options; of these [property@ServerOptions:sock], [property@ServerOptions:backlog],
 *   [property@ServerOptions:start-serving] and [property@ServerOptions:cleanup-socket] mean something here
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol for each connection
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Makes a server that listens on a unix socket.
 *
 * The file of a socket that is gone, because its process has died for example, is replaced. The path of a socket that
 * somebody has is in use, whether he listens or not, and so is any other file.
 *
 * Returns: (transfer full): a future for the [class@Server]; it fails with %G_IO_ERROR_INVALID_ARGUMENT, with
 *   %G_IO_ERROR_FILENAME_TOO_LONG, or with an I/O error such as %G_IO_ERROR_ADDRESS_IN_USE
 */
LoopFuture *
loop_event_loop_create_unix_server (LoopEventLoop *self,
                                    const char *path,
                                    LoopServerOptions *options,
                                    LoopProtocolFactory factory,
                                    gpointer user_data,
                                    GDestroyNotify notify)
{
  g_autoptr (LoopServerOptions) defaults = NULL;
  g_autoptr (LoopServer) server = NULL;
  LoopFuture *future;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_SERVER_OPTIONS (options), NULL);
  g_return_val_if_fail (factory != NULL, NULL);

  if (options == NULL)
    options = defaults = loop_server_options_new ();

  if (!loop_event_loop_check_usable (self, &error) ||
      !loop_socket_check_unix_arguments (path, loop_server_options_get_sock (options), &error))
    {
      loop_destroy_user_data (user_data, notify);
      return loop_future_new_failed (self, "create_unix_server", error);
    }

  server = loop_server_new (self, loop_server_options_get_backlog (options), factory, user_data, notify);
  if (!open_server (server, path, options, &error))
    {
      loop_server_close (server);
      return loop_future_new_failed (self, "create_unix_server", error);
    }

  future = loop_future_new (self, "create_unix_server");
  loop_future_fulfil_object (future, server);

  return future;
}
