/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-buffered-protocol-private.h"

#include "loop-error.h"

/**
 * LoopBufferedProtocol:
 *
 * A [iface@Protocol] that has its own memory for what comes: the transport reads right into it.
 * A parser that needs the bytes of a message in one place is spared a copy.
 *
 * When there is something to read, the transport calls `get_buffer`, reads once, and calls
 * `buffer_updated` with the number of bytes. It has no use for the memory after that.
 *
 * In Python, `get_buffer()` returns any writable buffer, such as a `bytearray` or a
 * `memoryview`, which is read into as in C, and which cannot be resized in between. In
 * JavaScript, where memory has no address, what was read is copied into the `Uint8Array` that
 * `vfunc_get_buffer ()` returns.
 */
G_DEFINE_INTERFACE (LoopBufferedProtocol, loop_buffered_protocol, LOOP_TYPE_PROTOCOL)

static gsize
take_any_number (LoopBufferedProtocol *self, gssize sizehint, gpointer *buffer, GError **error)
{
  *buffer = NULL;

  return G_MAXSIZE;
}

static void
ignore_update (LoopBufferedProtocol *self, gsize n_bytes)
{
}

static void
loop_buffered_protocol_default_init (LoopBufferedProtocolInterface *iface)
{
  iface->get_buffer = take_any_number;
  iface->buffer_updated = ignore_update;
}

/* Returns: the size, or 0 with @error set if there is no room in what the protocol gave */
gsize
loop_buffered_protocol_ask (const LoopBufferedProtocolInterface *iface,
                            GObject *protocol,
                            gssize sizehint,
                            gpointer *buffer,
                            GError **error)
{
  GError *failure = NULL;
  gsize size;

  *buffer = NULL;
  size = iface->get_buffer ((LoopBufferedProtocol *) protocol, sizehint, buffer, &failure);

  if (failure == NULL && size > 0)
    return size;

  if (failure == NULL)
    failure = g_error_new (LOOP_ERROR, LOOP_ERROR_NO_BUFFER, "get_buffer() of %s returned an empty buffer",
                           G_OBJECT_TYPE_NAME (protocol));
  *buffer = NULL;
  g_propagate_error (error, failure);

  return 0;
}

/**
 * loop_buffered_protocol_get_buffer:
 * @self: a buffered protocol
 * @sizehint: how many bytes would be good to have room for; -1 if any number is
 * @buffer: (out) (transfer none) (nullable): return location for the memory
 * @error: return location for an error
 *
 * Asks for the memory to read into next. It has to stay where it is until
 * [method@BufferedProtocol.buffer_updated], the next call of this, or the end of the connection.
 *
 * Instead of memory, a protocol may give %NULL and a size: it is then told of at most so many
 * bytes by `data_received`. That is what a type does that does not implement this.
 *
 * An error, and a size of 0, are the end of the connection: the loop's exception
 * handler and `connection_lost` are told why.
 *
 * Returns: the size of the memory in bytes, at least 1, whatever @sizehint is; 0 on error
 */
gsize
loop_buffered_protocol_get_buffer (LoopBufferedProtocol *self, gssize sizehint, gpointer *buffer, GError **error)
{
  g_return_val_if_fail (LOOP_IS_BUFFERED_PROTOCOL (self), 0);
  g_return_val_if_fail (sizehint >= -1, 0);
  g_return_val_if_fail (buffer != NULL, 0);
  g_return_val_if_fail (error == NULL || *error == NULL, 0);

  return loop_buffered_protocol_ask (LOOP_BUFFERED_PROTOCOL_GET_IFACE (self), G_OBJECT (self), sizehint, buffer, error);
}

/**
 * loop_buffered_protocol_buffer_updated:
 * @self: a buffered protocol
 * @n_bytes: their number, at least 1
 *
 * Tells the protocol that bytes have come, and are at the beginning of the memory that it gave.
 */
void
loop_buffered_protocol_buffer_updated (LoopBufferedProtocol *self, gsize n_bytes)
{
  g_return_if_fail (LOOP_IS_BUFFERED_PROTOCOL (self));

  LOOP_BUFFERED_PROTOCOL_GET_IFACE (self)->buffer_updated (self, n_bytes);
}
