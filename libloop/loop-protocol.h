/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_PROTOCOL (loop_protocol_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_INTERFACE (LoopProtocol, loop_protocol, LOOP, PROTOCOL, GObject)

/**
 * LoopProtocolInterface:
 * @connection_made: the connection is there: use the transport to write and to close
 * @connection_lost: the connection is gone; called once, and nothing follows it
 * @pause_writing: the transport's buffer is over its high-water mark
 * @resume_writing: the transport's buffer is at or below its low-water mark again
 * @data_received: bytes have come; they are valid during the call alone
 * @eof_received: the peer will send nothing more
 *
 * What a protocol for a byte stream may implement. The calls come in the order
 * `connection_made`, any number of `data_received`, at most one `eof_received`,
 * `connection_lost`, all on the loop's thread; `pause_writing` and `resume_writing`
 * alternate in between.
 */
struct _LoopProtocolInterface
{
  GTypeInterface parent_iface;

  void (*connection_made) (LoopProtocol *self, LoopTransport *transport);
  void (*connection_lost) (LoopProtocol *self, const GError *exception);
  void (*pause_writing) (LoopProtocol *self);
  void (*resume_writing) (LoopProtocol *self);
  void (*data_received) (LoopProtocol *self, const guint8 *data, gsize length);
  gboolean (*eof_received) (LoopProtocol *self);
};

/**
 * LoopProtocolVTable: (skip)
 * @connection_made: as in [iface@Protocol]
 * @connection_lost: as in [iface@Protocol]
 * @pause_writing: as in [iface@Protocol]
 * @resume_writing: as in [iface@Protocol]
 * @data_received: as in [iface@Protocol]
 * @eof_received: as in [iface@Protocol]
 *
 * The functions of a protocol in C that is not worth a type of its own. Any may be
 * %NULL.
 */
typedef struct
{
  void (*connection_made) (LoopTransport *transport, gpointer user_data);
  void (*connection_lost) (LoopTransport *transport, const GError *exception, gpointer user_data);
  void (*pause_writing) (LoopTransport *transport, gpointer user_data);
  void (*resume_writing) (LoopTransport *transport, gpointer user_data);
  void (*data_received) (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data);
  gboolean (*eof_received) (LoopTransport *transport, gpointer user_data);
} LoopProtocolVTable;

LOOP_AVAILABLE_IN_1_0
LoopProtocol *loop_protocol_new (const LoopProtocolVTable *vtable, gpointer user_data, GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
void loop_protocol_set_static_name (LoopProtocol *self, const char *name);

LOOP_AVAILABLE_IN_1_0
void loop_protocol_connection_made (LoopProtocol *self, LoopTransport *transport);
LOOP_AVAILABLE_IN_1_0
void loop_protocol_connection_lost (LoopProtocol *self, const GError *exception);
LOOP_AVAILABLE_IN_1_0
void loop_protocol_pause_writing (LoopProtocol *self);
LOOP_AVAILABLE_IN_1_0
void loop_protocol_resume_writing (LoopProtocol *self);
LOOP_AVAILABLE_IN_1_0
void loop_protocol_data_received (LoopProtocol *self, const guint8 *data, gsize length);
LOOP_AVAILABLE_IN_1_0
gboolean loop_protocol_eof_received (LoopProtocol *self);

G_END_DECLS
