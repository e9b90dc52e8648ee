/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-datagram-protocol.h"

/**
 * LoopDatagramProtocol:
 *
 * Receives datagrams: the application's side of an endpoint, whose other side is a
 * [class@DatagramTransport].
 *
 * Implement the functions that matter; the others have defaults that do nothing. In C,
 * [func@DatagramProtocol.new] makes a protocol of plain functions.
 */
G_DEFINE_INTERFACE (LoopDatagramProtocol, loop_datagram_protocol, G_TYPE_OBJECT)

static void
ignore_connection_made (LoopDatagramProtocol *self, LoopDatagramTransport *transport)
{
}

static void
ignore_error (LoopDatagramProtocol *self, const GError *exception)
{
}

static void
ignore_signal (LoopDatagramProtocol *self)
{
}

static void
ignore_datagram (LoopDatagramProtocol *self, const guint8 *data, gsize length, GSocketAddress *addr)
{
}

static void
loop_datagram_protocol_default_init (LoopDatagramProtocolInterface *iface)
{
  iface->connection_made = ignore_connection_made;
  iface->connection_lost = ignore_error;
  iface->pause_writing = ignore_signal;
  iface->resume_writing = ignore_signal;
  iface->datagram_received = ignore_datagram;
  iface->error_received = ignore_error;
}

/**
 * loop_datagram_protocol_connection_made:
 * @self: a protocol
 * @transport: the transport of the endpoint
 *
 * Tells the protocol that the endpoint is there.
 */
void
loop_datagram_protocol_connection_made (LoopDatagramProtocol *self, LoopDatagramTransport *transport)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_PROTOCOL (self));

  LOOP_DATAGRAM_PROTOCOL_GET_IFACE (self)->connection_made (self, transport);
}

/**
 * loop_datagram_protocol_connection_lost:
 * @self: a protocol
 * @exception: (nullable): why, or %NULL for a close of one's own
 *
 * Tells the protocol that the endpoint is closed.
 */
void
loop_datagram_protocol_connection_lost (LoopDatagramProtocol *self, const GError *exception)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_PROTOCOL (self));

  LOOP_DATAGRAM_PROTOCOL_GET_IFACE (self)->connection_lost (self, exception);
}

/**
 * loop_datagram_protocol_pause_writing:
 * @self: a protocol
 *
 * Tells the protocol that the transport's buffer is over its high-water mark.
 */
void
loop_datagram_protocol_pause_writing (LoopDatagramProtocol *self)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_PROTOCOL (self));

  LOOP_DATAGRAM_PROTOCOL_GET_IFACE (self)->pause_writing (self);
}

/**
 * loop_datagram_protocol_resume_writing:
 * @self: a protocol
 *
 * Tells the protocol that the transport's buffer is at or below its low-water mark.
 */
void
loop_datagram_protocol_resume_writing (LoopDatagramProtocol *self)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_PROTOCOL (self));

  LOOP_DATAGRAM_PROTOCOL_GET_IFACE (self)->resume_writing (self);
}

/**
 * loop_datagram_protocol_datagram_received:
 * @self: a protocol
 * @data: (array length=length): the bytes, valid during the call alone
 * @length: their number, which may be 0
 * @addr: (nullable): whom the datagram is from; %NULL for a unix socket without a name
 *
 * Tells the protocol that a datagram has come.
 */
void
loop_datagram_protocol_datagram_received (LoopDatagramProtocol *self,
                                          const guint8 *data,
                                          gsize length,
                                          GSocketAddress *addr)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_PROTOCOL (self));

  LOOP_DATAGRAM_PROTOCOL_GET_IFACE (self)->datagram_received (self, data, length, addr);
}

/**
 * loop_datagram_protocol_error_received:
 * @self: a protocol
 * @exception: what went wrong
 *
 * Tells the protocol that a datagram could not be sent or received, or that the network
 * says so of an earlier one.
 */
void
loop_datagram_protocol_error_received (LoopDatagramProtocol *self, const GError *exception)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_PROTOCOL (self));
  g_return_if_fail (exception != NULL);

  LOOP_DATAGRAM_PROTOCOL_GET_IFACE (self)->error_received (self, exception);
}
