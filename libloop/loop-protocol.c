/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-protocol.h"

/**
 * LoopProtocol:
 *
 * Receives what happens on a byte stream: the application's side of a connection, whose
 * other side is a [class@Transport].
 *
 * Implement the functions that matter; the others have defaults that do nothing. In C,
 * [func@Protocol.new] makes a protocol of plain functions.
 */
G_DEFINE_INTERFACE (LoopProtocol, loop_protocol, G_TYPE_OBJECT)

static void
ignore_connection_made (LoopProtocol *self, LoopTransport *transport)
{
}

static void
ignore_connection_lost (LoopProtocol *self, const GError *exception)
{
}

static void
ignore_signal (LoopProtocol *self)
{
}

static void
ignore_data (LoopProtocol *self, const guint8 *data, gsize length)
{
}

static gboolean
close_at_eof (LoopProtocol *self)
{
  return FALSE;
}

static void
loop_protocol_default_init (LoopProtocolInterface *iface)
{
  iface->connection_made = ignore_connection_made;
  iface->connection_lost = ignore_connection_lost;
  iface->pause_writing = ignore_signal;
  iface->resume_writing = ignore_signal;
  iface->data_received = ignore_data;
  iface->eof_received = close_at_eof;
}

/**
 * loop_protocol_connection_made:
 * @self: a protocol
 * @transport: the transport of the connection
 *
 * Tells the protocol that the connection is there.
 */
void
loop_protocol_connection_made (LoopProtocol *self, LoopTransport *transport)
{
  g_return_if_fail (LOOP_IS_PROTOCOL (self));

  LOOP_PROTOCOL_GET_IFACE (self)->connection_made (self, transport);
}

/**
 * loop_protocol_connection_lost:
 * @self: a protocol
 * @exception: (nullable): why, or %NULL for an end of file or a close of one's own
 *
 * Tells the protocol that the connection is gone.
 */
void
loop_protocol_connection_lost (LoopProtocol *self, const GError *exception)
{
  g_return_if_fail (LOOP_IS_PROTOCOL (self));

  LOOP_PROTOCOL_GET_IFACE (self)->connection_lost (self, exception);
}

/**
 * loop_protocol_pause_writing:
 * @self: a protocol
 *
 * Tells the protocol that the transport's buffer is over its high-water mark.
 */
void
loop_protocol_pause_writing (LoopProtocol *self)
{
  g_return_if_fail (LOOP_IS_PROTOCOL (self));

  LOOP_PROTOCOL_GET_IFACE (self)->pause_writing (self);
}

/**
 * loop_protocol_resume_writing:
 * @self: a protocol
 *
 * Tells the protocol that the transport's buffer is at or below its low-water mark.
 */
void
loop_protocol_resume_writing (LoopProtocol *self)
{
  g_return_if_fail (LOOP_IS_PROTOCOL (self));

  LOOP_PROTOCOL_GET_IFACE (self)->resume_writing (self);
}

/**
 * loop_protocol_data_received:
 * @self: a protocol
 * @data: (array length=length): the bytes, valid during the call alone
 * @length: their number
 *
 * Tells the protocol that bytes have come.
 */
void
loop_protocol_data_received (LoopProtocol *self, const guint8 *data, gsize length)
{
  g_return_if_fail (LOOP_IS_PROTOCOL (self));

  LOOP_PROTOCOL_GET_IFACE (self)->data_received (self, data, length);
}

/**
 * loop_protocol_eof_received:
 * @self: a protocol
 *
 * Tells the protocol that the peer will send nothing more.
 *
 * Returns: %TRUE to keep the transport open for writing, %FALSE to have it closed
 */
gboolean
loop_protocol_eof_received (LoopProtocol *self)
{
  g_return_val_if_fail (LOOP_IS_PROTOCOL (self), FALSE);

  return LOOP_PROTOCOL_GET_IFACE (self)->eof_received (self);
}
