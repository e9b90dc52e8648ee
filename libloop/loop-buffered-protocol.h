/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-protocol.h>

G_BEGIN_DECLS

#define LOOP_TYPE_BUFFERED_PROTOCOL (loop_buffered_protocol_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_INTERFACE (LoopBufferedProtocol, loop_buffered_protocol, LOOP, BUFFERED_PROTOCOL, LoopProtocol)

/**
 * LoopBufferedProtocolInterface:
 * @get_buffer: gives the memory that is read into next
 * @buffer_updated: bytes have come, and are in that memory
 *
 * What a protocol implements, besides [iface@Protocol], to have its transport read into memory
 * of its own. `get_buffer` and `buffer_updated` take the place of `data_received`.
 */
struct _LoopBufferedProtocolInterface
{
  GTypeInterface parent_iface;

  gsize (*get_buffer) (LoopBufferedProtocol *self, gssize sizehint, gpointer *buffer, GError **error);
  void (*buffer_updated) (LoopBufferedProtocol *self, gsize n_bytes);
};

/**
 * LoopBufferedProtocolVTable: (skip)
 * @base: as of any protocol; `data_received` is called where @get_buffer gives a size without memory
 * @get_buffer: as in [iface@BufferedProtocol]
 * @buffer_updated: as in [iface@BufferedProtocol]
 *
 * The functions of a buffered protocol in C that is not worth a type of its own. Any may be
 * %NULL, except @get_buffer.
 */
typedef struct
{
  LoopProtocolVTable base;

  gsize (*get_buffer) (LoopTransport *transport, gssize sizehint, gpointer *buffer, gpointer user_data, GError **error);
  void (*buffer_updated) (LoopTransport *transport, gsize n_bytes, gpointer user_data);
} LoopBufferedProtocolVTable;

LOOP_AVAILABLE_IN_1_0
LoopBufferedProtocol *loop_buffered_protocol_new (const LoopBufferedProtocolVTable *vtable,
                                                  gpointer user_data,
                                                  GDestroyNotify notify);

LOOP_AVAILABLE_IN_1_0
gsize loop_buffered_protocol_get_buffer (LoopBufferedProtocol *self, gssize sizehint, gpointer *buffer, GError **error);
LOOP_AVAILABLE_IN_1_0
void loop_buffered_protocol_buffer_updated (LoopBufferedProtocol *self, gsize n_bytes);

G_END_DECLS
