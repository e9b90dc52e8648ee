/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-sock-private.h"

#include <errno.h>

/* Of one call. */
typedef struct
{
  GBytes *data;
  gsize offset; /* what has gone out */
  struct sockaddr_storage address;
  socklen_t address_length;
} Send;

static gssize
send_some (LoopSockFuture *self, const Send *call)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (call->data, &size);
  const struct sockaddr *address = call->address_length > 0 ? (const struct sockaddr *) &call->address : NULL;
  gssize n;

  do
    n = sendto (self->fd, data + call->offset, size - call->offset, MSG_DONTWAIT | MSG_NOSIGNAL, address,
                call->address_length);
  while (n < 0 && errno == EINTR);

  return n;
}

static LoopSockProgress
attempt_sendall (LoopSockFuture *self, GValue *result, GError **error)
{
  Send *call = self->data;

  while (call->offset < g_bytes_get_size (call->data))
    {
      gssize n = send_some (self, call);

      if (n < 0)
        return loop_sock_progress_from_errno (errno, error, "Could not send to the socket");
      call->offset += (gsize) n;
    }

  return LOOP_SOCK_DONE;
}

static LoopSockProgress
attempt_sendto (LoopSockFuture *self, GValue *result, GError **error)
{
  gssize n = send_some (self, self->data);

  if (n < 0)
    return loop_sock_progress_from_errno (errno, error, "Could not send to the address");

  g_value_init (result, G_TYPE_INT64);
  g_value_set_int64 (result, n);

  return LOOP_SOCK_DONE;
}

static void
clear (LoopSockFuture *self)
{
  Send *call = self->data;

  g_bytes_unref (call->data);
  g_free (call);
}

static const LoopSockKind sendall_kind = {
  .name = "sock_sendall",
  .interest = LOOP_INTEREST_WRITE,
  .attempt = attempt_sendall,
  .clear = clear,
};

static const LoopSockKind sendto_kind = {
  .name = "sock_sendto",
  .interest = LOOP_INTEREST_WRITE,
  .attempt = attempt_sendto,
  .clear = clear,
};

static Send *
send_new (GBytes *data)
{
  Send *call = g_new0 (Send, 1);

  call->data = g_bytes_ref (data);

  return call;
}

/**
 * loop_event_loop_sock_sendall:
 * @self: an event loop
 * @socket: a connected socket, as for [method@EventLoop.sock_recv]
 * @data: the bytes, which are not copied
 *
 * Sends all of @data. When the future fails or is cancelled, part of it may have been sent,
 * and there is no telling how much. Operations that send to the same socket take their turns,
 * so that their data is not mixed.
 *
 * Returns: (transfer full): a future without a value; it fails with the I/O error of the
 *   socket, and otherwise as that of [method@EventLoop.sock_recv]
 */
LoopFuture *
loop_event_loop_sock_sendall (LoopEventLoop *self, GSocket *socket, GBytes *data)
{
  LoopSockFuture *future;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET (socket), NULL);
  g_return_val_if_fail (data != NULL, NULL);

  future = loop_sock_future_new (self, socket, &sendall_kind, send_new (data));
  loop_sock_future_start (future);

  return LOOP_FUTURE (future);
}

/**
 * loop_event_loop_sock_sendto:
 * @self: an event loop
 * @socket: a socket, as for [method@EventLoop.sock_recv]
 * @data: the bytes, which are not copied
 * @address: where to send them
 *
 * Sends a datagram.
 *
 * Returns: (transfer full): a future for the number of bytes sent, a #gint64; it fails with
 *   the I/O error of the socket, such as %G_IO_ERROR_MESSAGE_TOO_LARGE, and otherwise as that
 *   of [method@EventLoop.sock_recv]
 */
LoopFuture *
loop_event_loop_sock_sendto (LoopEventLoop *self, GSocket *socket, GBytes *data, GSocketAddress *address)
{
  LoopSockFuture *future;
  GError *error = NULL;
  gssize length;
  Send *call;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET (socket), NULL);
  g_return_val_if_fail (data != NULL, NULL);
  g_return_val_if_fail (G_IS_SOCKET_ADDRESS (address), NULL);

  call = send_new (data);
  length = g_socket_address_get_native_size (address);
  if (g_socket_address_to_native (address, &call->address, sizeof call->address, &error))
    call->address_length = (socklen_t) length;

  future = loop_sock_future_new (self, socket, &sendto_kind, call);
  if (error != NULL)
    loop_sock_future_fail (future, error);
  loop_sock_future_start (future);

  return LOOP_FUTURE (future);
}
