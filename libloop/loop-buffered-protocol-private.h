/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-buffered-protocol.h"

G_BEGIN_DECLS

/* Returns: (nullable): what a transport asks for memory of the protocol's, if it has any */
static inline const LoopBufferedProtocolInterface *
loop_buffered_protocol_peek_iface (GObject *protocol)
{
  return g_type_interface_peek (G_OBJECT_GET_CLASS (protocol), LOOP_TYPE_BUFFERED_PROTOCOL);
}

G_GNUC_INTERNAL
gsize loop_buffered_protocol_ask (const LoopBufferedProtocolInterface *iface,
                                  GObject *protocol,
                                  gssize sizehint,
                                  gpointer *buffer,
                                  GError **error);

G_END_DECLS
