/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-make-socket-transport.h"
#include "loop-socket-private.h"
#include "loop-socket-transport-private.h"

#include <errno.h>
#include <glib-unix.h>

/**
 * loop_event_loop_make_socket_transport: (skip)
 * @self: an event loop
 * @fd: a connected stream socket
 * @protocol: the protocol
 * @error: return location for an error
 *
 * Makes a transport at once, without a future and a #GSocket: for other languages' event
 * loops, which have sockets of their own. Others take
 * [method@EventLoop.connect_accepted_socket]. The protocol's `connection_made` is called in the next iteration.
 *
 * The socket is made non-blocking, and is the transport's own: it is closed after
 * `connection_lost`, or when the loop is closed. On error it is still the caller's.
 *
 * Returns: (transfer full): the transport; %NULL with %LOOP_ERROR_CLOSED,
 *   %LOOP_ERROR_DESCRIPTOR_IN_USE or an I/O error
 */
LoopTransport *
loop_event_loop_make_socket_transport (LoopEventLoop *self, int fd, LoopProtocol *protocol, GError **error)
{
  LoopSocketTransport *transport;
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (LOOP_IS_PROTOCOL (protocol), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (!loop_event_loop_check_usable (self, error))
    return NULL;

  if (getpeername (fd, (struct sockaddr *) &peer, &length) < 0)
    {
      /* A pair of sockets that its other end has left has no peer any more. */
      if (errno != ENOTCONN)
        {
          loop_set_error_from_errno (error, errno, "Could not use descriptor %d as a socket", fd);
          return NULL;
        }
      length = 0;
    }

  if (!g_unix_set_fd_nonblocking (fd, TRUE, error))
    return NULL;
  loop_socket_set_nodelay (fd);

  transport = loop_socket_transport_new (self, fd, NULL, (struct sockaddr *) &peer, length, G_OBJECT (protocol), error);
  if (transport != NULL)
    loop_flow_transport_start (&transport->flow, NULL, NULL, NULL);

  return (LoopTransport *) transport;
}
