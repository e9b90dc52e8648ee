/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-connecting-private.h"
#include "loop-connection-options.h"
#include "loop-connector.h"
#include "loop-socket-private.h"

static gboolean
check_arguments (GSocket *socket, LoopConnectionOptions *options, GError **error)
{
  if (options != NULL &&
      (loop_connection_options_get_sock (options) != NULL || loop_connection_options_get_local_addr (options) != NULL))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                           "For a socket that was accepted the options cannot have a socket or a local address");
      return FALSE;
    }

  return loop_socket_check_stream (socket, error);
}

/**
 * loop_event_loop_connect_accepted_socket:
 * @self: an event loop
 * @socket: a connected stream socket, of any family, that was accepted outside of the loop
 * @options: (nullable): options; nothing in them means anything here for now
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Makes a transport for a connection that somebody else has accepted: a [class@Gio.SocketListener], for example, or a
 * service manager. The transport closes the socket in the end.
 *
 * Returns: (transfer full): a future for the [class@Transport]; it fails with %G_IO_ERROR_INVALID_ARGUMENT,
 *   with %G_IO_ERROR_CLOSED if the socket is closed, or with %LOOP_ERROR_PROTOCOL_FACTORY
 */
LoopFuture *
loop_event_loop_connect_accepted_socket (LoopEventLoop *self,
                                         GSocket *socket,
                                         LoopConnectionOptions *options,
                                         LoopProtocolFactory factory,
                                         gpointer user_data,
                                         GDestroyNotify notify)
{
  g_autoptr (LoopFuture) future = NULL;
  LoopConnecting *connecting;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET (socket), NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_CONNECTION_OPTIONS (options), NULL);
  g_return_val_if_fail (factory != NULL, NULL);

  if (!loop_event_loop_check_usable (self, &error) || !check_arguments (socket, options, &error))
    {
      loop_destroy_user_data (user_data, notify);
      return loop_future_new_failed (self, "connect_accepted_socket", error);
    }

  connecting =
      loop_connecting_new (sizeof *connecting, self, "connect_accepted_socket", NULL, factory, user_data, notify);
  future = g_object_ref (connecting->future);
  loop_connecting_set_socket (connecting, socket);

  return g_steal_pointer (&future);
}
