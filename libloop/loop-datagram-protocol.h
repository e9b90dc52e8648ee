/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_DATAGRAM_PROTOCOL (loop_datagram_protocol_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_INTERFACE (LoopDatagramProtocol, loop_datagram_protocol, LOOP, DATAGRAM_PROTOCOL, GObject)

/**
 * LoopDatagramProtocolInterface:
 * @connection_made: the endpoint is there: use the transport to send and to close
 * @connection_lost: the endpoint is closed; called once, and nothing follows it
 * @pause_writing: the transport's buffer is over its high-water mark
 * @resume_writing: the transport's buffer is at or below its low-water mark again
 * @datagram_received: a datagram has come, which may be empty; its bytes are valid during
 *   the call alone
 * @error_received: a datagram could not be sent or received, or the network says that an
 *   earlier one was not; the endpoint goes on
 *
 * What a protocol for datagrams may implement. The first call is `connection_made`, the
 * last one `connection_lost`, all on the loop's thread; `pause_writing` and
 * `resume_writing` alternate in between.
 */
struct _LoopDatagramProtocolInterface
{
  GTypeInterface parent_iface;

  void (*connection_made) (LoopDatagramProtocol *self, LoopDatagramTransport *transport);
  void (*connection_lost) (LoopDatagramProtocol *self, const GError *exception);
  void (*pause_writing) (LoopDatagramProtocol *self);
  void (*resume_writing) (LoopDatagramProtocol *self);
  void (*datagram_received) (LoopDatagramProtocol *self, const guint8 *data, gsize length, GSocketAddress *addr);
  void (*error_received) (LoopDatagramProtocol *self, const GError *exception);
};

/**
 * LoopDatagramProtocolVTable: (skip)
 * @connection_made: as in [iface@DatagramProtocol]
 * @connection_lost: as in [iface@DatagramProtocol]
 * @pause_writing: as in [iface@DatagramProtocol]
 * @resume_writing: as in [iface@DatagramProtocol]
 * @datagram_received: as in [iface@DatagramProtocol]
 * @error_received: as in [iface@DatagramProtocol]
 *
 * The functions of a protocol in C that is not worth a type of its own. Any may be
 * %NULL.
 */
typedef struct
{
  void (*connection_made) (LoopDatagramTransport *transport, gpointer user_data);
  void (*connection_lost) (LoopDatagramTransport *transport, const GError *exception, gpointer user_data);
  void (*pause_writing) (LoopDatagramTransport *transport, gpointer user_data);
  void (*resume_writing) (LoopDatagramTransport *transport, gpointer user_data);
  void (*datagram_received) (LoopDatagramTransport *transport,
                             const guint8 *data,
                             gsize length,
                             GSocketAddress *addr,
                             gpointer user_data);
  void (*error_received) (LoopDatagramTransport *transport, const GError *exception, gpointer user_data);
} LoopDatagramProtocolVTable;

LOOP_AVAILABLE_IN_1_0
LoopDatagramProtocol *loop_datagram_protocol_new (const LoopDatagramProtocolVTable *vtable,
                                                  gpointer user_data,
                                                  GDestroyNotify notify);

LOOP_AVAILABLE_IN_1_0
void loop_datagram_protocol_connection_made (LoopDatagramProtocol *self, LoopDatagramTransport *transport);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_protocol_connection_lost (LoopDatagramProtocol *self, const GError *exception);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_protocol_pause_writing (LoopDatagramProtocol *self);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_protocol_resume_writing (LoopDatagramProtocol *self);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_protocol_datagram_received (LoopDatagramProtocol *self,
                                               const guint8 *data,
                                               gsize length,
                                               GSocketAddress *addr);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_protocol_error_received (LoopDatagramProtocol *self, const GError *exception);

G_END_DECLS
