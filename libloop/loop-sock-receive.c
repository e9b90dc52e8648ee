/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-sock-private.h"

#include <errno.h>

/**
 * LoopRecvfromResult:
 *
 * What was received, and from where: see [method@EventLoop.sock_recvfrom].
 */
struct _LoopRecvfromResult
{
  GBytes *data; /* or NULL: it is in the caller's buffer */
  guint8 *buffer;
  gsize size;
  GSocketAddress *address; /* or NULL */
};

G_DEFINE_BOXED_TYPE (LoopRecvfromResult, loop_recvfrom_result, loop_recvfrom_result_ref, loop_recvfrom_result_unref)

/* Of one call. */
typedef struct
{
  guint8 *buffer; /* or NULL: to be made */
  gsize length;
  gboolean is_from;
} Receive;

/**
 * loop_recvfrom_result_ref:
 * @self: what was received
 *
 * Takes a reference; from any thread.
 *
 * Returns: (transfer full): @self
 */
LoopRecvfromResult *
loop_recvfrom_result_ref (LoopRecvfromResult *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
loop_recvfrom_result_clear (gpointer data)
{
  LoopRecvfromResult *self = data;

  g_clear_pointer (&self->data, g_bytes_unref);
  g_clear_object (&self->address);
}

/**
 * loop_recvfrom_result_unref:
 * @self: (transfer full): what was received
 *
 * Drops a reference; from any thread.
 */
void
loop_recvfrom_result_unref (LoopRecvfromResult *self)
{
  g_atomic_rc_box_release_full (self, loop_recvfrom_result_clear);
}

/**
 * loop_recvfrom_result_get_data:
 * @self: what was received
 *
 * Gets the bytes.
 *
 * Returns: (transfer none) (nullable): the bytes, or %NULL if they are in the buffer that
 *   [method@EventLoop.sock_recvfrom_into] was given
 */
GBytes *
loop_recvfrom_result_get_data (LoopRecvfromResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->data;
}

/**
 * loop_recvfrom_result_get_size: (skip)
 * @self: what was received
 *
 * Gets how much was received.
 *
 * Returns: a number of bytes
 */
gsize
loop_recvfrom_result_get_size (LoopRecvfromResult *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->size;
}

/**
 * loop_recvfrom_result_get_address:
 * @self: what was received
 *
 * Gets where it came from.
 *
 * Returns: (transfer none) (nullable): the address of the sender, or %NULL if the kernel does
 *   not tell it, as for a stream
 */
GSocketAddress *
loop_recvfrom_result_get_address (LoopRecvfromResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->address;
}

static gboolean
is_stream (LoopSockFuture *self)
{
  return g_socket_get_socket_type (self->socket) == G_SOCKET_TYPE_STREAM;
}

/* Returns: as recvfrom() */
static gssize
receive (LoopSockFuture *self, LoopRecvfromResult *received, guint8 *buffer, gsize length)
{
  struct sockaddr_storage address;
  socklen_t address_length;
  gssize n;

  do
    {
      address_length = sizeof address;
      n = recvfrom (self->fd, buffer, length, MSG_DONTWAIT, (struct sockaddr *) &address, &address_length);
    }
  while (n < 0 && errno == EINTR);

  if (n >= 0)
    {
      received->size = (gsize) n;
      received->address = loop_sock_address_from_native (&address, address_length);
    }

  return n;
}

/* Into a buffer that is large enough for all but giant messages, so that as much is allocated as there is. */
static gssize
receive_bytes (LoopSockFuture *self, LoopRecvfromResult *received, gsize length)
{
  LoopEventLoop *loop = self->parent_instance.loop;
  gboolean is_shared = FALSE;
  guint8 *buffer;
  gsize size;
  gssize n;

  if (length > LOOP_READ_BUFFER_SIZE && !is_stream (self))
    {
      buffer = g_try_malloc (length);
      if (buffer == NULL)
        {
          errno = ENOMEM;
          return -1;
        }
      n = receive (self, received, buffer, length);
      if (n >= 0)
        received->data = g_bytes_new_take (g_realloc (buffer, MAX ((gsize) n, 1)), (gsize) n);
      else
        g_free (buffer);
      return n;
    }

  buffer = loop_event_loop_take_read_buffer (loop, &size, &is_shared);
  n = receive (self, received, buffer, MIN (length, size));
  if (n >= 0)
    received->data = g_bytes_new (buffer, (gsize) n);
  loop_event_loop_return_read_buffer (loop, buffer, is_shared);

  return n;
}

/* Hands over what another operation has received and given back: of a stream, no more than is wanted. */
static LoopRecvfromResult *
share_returned (LoopSockFuture *self, Receive *call, LoopSockReturn taken)
{
  g_autoptr (LoopRecvfromResult) returned = taken.item;
  LoopRecvfromResult *received = g_atomic_rc_box_new0 (LoopRecvfromResult);

  received->size = MIN (returned->size, call->length);
  g_set_object (&received->address, returned->address);
  if (call->buffer != NULL)
    memcpy (call->buffer, g_bytes_get_data (returned->data, NULL), received->size);
  else
    received->data = g_bytes_new_from_bytes (returned->data, 0, received->size);

  if (returned->size > received->size && is_stream (self))
    {
      LoopRecvfromResult *rest = g_atomic_rc_box_new0 (LoopRecvfromResult);

      rest->size = returned->size - received->size;
      rest->data = g_bytes_new_from_bytes (returned->data, received->size, rest->size);
      g_set_object (&rest->address, returned->address);
      taken.item = rest;
      loop_sock_future_untake_returned (self, taken);
    }

  return received;
}

static void
set_result (GValue *result, Receive *call, LoopRecvfromResult *received)
{
  if (call->is_from)
    {
      g_value_init (result, LOOP_TYPE_RECVFROM_RESULT);
      g_value_set_boxed (result, received);
    }
  else if (call->buffer != NULL)
    {
      g_value_init (result, G_TYPE_INT64);
      g_value_set_int64 (result, (gint64) received->size);
    }
  else
    {
      g_value_init (result, G_TYPE_BYTES);
      g_value_set_boxed (result, received->data);
    }
}

/* As Python does: no byte is there at once. */
static LoopSockProgress
receive_nothing (Receive *call, GValue *result)
{
  g_autoptr (LoopRecvfromResult) received = g_atomic_rc_box_new0 (LoopRecvfromResult);

  received->data = g_bytes_new_static ("", 0);
  set_result (result, call, received);

  return LOOP_SOCK_DONE;
}

static LoopSockProgress
attempt (LoopSockFuture *self, GValue *result, GError **error)
{
  Receive *call = self->data;
  g_autoptr (LoopRecvfromResult) received = NULL;
  LoopSockReturn taken;
  gssize n;

  if (call->length == 0 && !call->is_from)
    return receive_nothing (call, result);

  taken = loop_sock_future_take_returned (self);
  if (taken.item != NULL)
    {
      received = share_returned (self, call, taken);
    }
  else
    {
      received = g_atomic_rc_box_new0 (LoopRecvfromResult);
      n = call->buffer != NULL ? receive (self, received, call->buffer, call->length)
                               : receive_bytes (self, received, call->length);
      if (n < 0)
        return loop_sock_progress_from_errno (errno, error, "Could not receive from the socket");
    }

  received->buffer = call->buffer;
  set_result (result, call, received);
  self->kept = g_steal_pointer (&received);
  self->unkeep = (GDestroyNotify) loop_recvfrom_result_unref;

  return LOOP_SOCK_DONE;
}

/* The end of a stream needs no return: it is there for whoever asks. */
static void
give_back (LoopSockFuture *self)
{
  g_autoptr (LoopRecvfromResult) received = g_steal_pointer (&self->kept);
  LoopRecvfromResult *returned;

  if (received->size == 0 && is_stream (self))
    return;

  returned = g_atomic_rc_box_new0 (LoopRecvfromResult);
  returned->size = received->size;
  returned->data =
      received->data != NULL ? g_bytes_ref (received->data) : g_bytes_new (received->buffer, received->size);
  g_set_object (&returned->address, received->address);
  loop_sock_future_return (self, returned, (GDestroyNotify) loop_recvfrom_result_unref);
}

static void
clear (LoopSockFuture *self)
{
  g_free (self->data);
}

#define KIND(name_)                                                                                                    \
  {                                                                                                                    \
    .name = name_, .interest = LOOP_INTEREST_READ, .attempt = attempt, .give_back = give_back, .clear = clear          \
  }

static const LoopSockKind recv_kind = KIND ("sock_recv");
static const LoopSockKind recv_into_kind = KIND ("sock_recv_into");
static const LoopSockKind recvfrom_kind = KIND ("sock_recvfrom");
static const LoopSockKind recvfrom_into_kind = KIND ("sock_recvfrom_into");

static LoopFuture *
start (LoopEventLoop *loop, GSocket *socket, const LoopSockKind *kind, guint8 *buffer, gsize length, gboolean is_from)
{
  Receive *call = g_new (Receive, 1);
  LoopSockFuture *self;

  *call = (Receive) { buffer, length, is_from };
  self = loop_sock_future_new (loop, socket, kind, call);
  loop_sock_future_start (self);

  return LOOP_FUTURE (self);
}

/**
 * loop_event_loop_sock_recv:
 * @self: an event loop
 * @socket: a socket; in debug mode its property #GSocket:blocking must be %FALSE
 * @n: how many bytes at most
 *
 * Receives from a socket: what is there, or else what comes next. Of a stream there may be
 * more left; nothing at all is its end.
 *
 * Operations that receive from the same socket take their turns. To give up, cancel the
 * future: nothing was received then. What was received for a task that was cancelled at the
 * same time is for the next of these operations on @socket.
 *
 * Returns: (transfer full): a future for a #GBytes; it fails with the I/O error of the
 *   socket, with %G_IO_ERROR_CLOSED if that is closed, with %G_IO_ERROR_INVALID_ARGUMENT if
 *   it is a blocking one, in debug mode, with %LOOP_ERROR_DESCRIPTOR_IN_USE if a transport
 *   has it, or a reader of [method@EventLoop.add_reader] and it is not ready, and with
 *   %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_event_loop_sock_recv (LoopEventLoop *self, GSocket *socket, gsize n)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET (socket), NULL);

  return start (self, socket, &recv_kind, NULL, n, FALSE);
}

/**
 * loop_event_loop_sock_recv_into: (skip)
 * @self: an event loop
 * @socket: a socket, as for [method@EventLoop.sock_recv]
 * @buffer: (array length=length): where to put the bytes
 * @length: how many at most
 *
 * As [method@EventLoop.sock_recv], without a copy of the bytes. @buffer must stay valid until
 * the future is done and whoever awaits it has gone on.
 *
 * Returns: (transfer full): a future for the number of bytes, a #gint64; it fails as that of
 *   [method@EventLoop.sock_recv]
 */
LoopFuture *
loop_event_loop_sock_recv_into (LoopEventLoop *self, GSocket *socket, guint8 *buffer, gsize length)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET (socket), NULL);
  g_return_val_if_fail (buffer != NULL, NULL);

  return start (self, socket, &recv_into_kind, buffer, length, FALSE);
}

/**
 * loop_event_loop_sock_recvfrom:
 * @self: an event loop
 * @socket: a socket, as for [method@EventLoop.sock_recv]
 * @n: how many bytes at most
 *
 * Receives a datagram. What of it is longer than @n bytes is lost.
 *
 * Returns: (transfer full): a future for a [struct@RecvfromResult]; it fails as that of
 *   [method@EventLoop.sock_recv]
 */
LoopFuture *
loop_event_loop_sock_recvfrom (LoopEventLoop *self, GSocket *socket, gsize n)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET (socket), NULL);

  return start (self, socket, &recvfrom_kind, NULL, n, TRUE);
}

/**
 * loop_event_loop_sock_recvfrom_into: (skip)
 * @self: an event loop
 * @socket: a socket, as for [method@EventLoop.sock_recv]
 * @buffer: (array length=length): where to put the bytes
 * @length: how many at most
 *
 * As [method@EventLoop.sock_recvfrom], without a copy of the bytes. @buffer must stay valid
 * until the future is done and whoever awaits it has gone on.
 *
 * Returns: (transfer full): a future for a [struct@RecvfromResult] without the bytes; it fails
 *   as that of [method@EventLoop.sock_recv]
 */
LoopFuture *
loop_event_loop_sock_recvfrom_into (LoopEventLoop *self, GSocket *socket, guint8 *buffer, gsize length)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET (socket), NULL);
  g_return_val_if_fail (buffer != NULL, NULL);

  return start (self, socket, &recvfrom_into_kind, buffer, length, TRUE);
}
