/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-transport.h>

G_BEGIN_DECLS

#define LOOP_TYPE_DATAGRAM_TRANSPORT (loop_datagram_transport_get_type ())

LOOP_DECLARE_OPAQUE_TYPE (LoopDatagramTransport, loop_datagram_transport, LOOP, DATAGRAM_TRANSPORT, LoopTransport)

LOOP_AVAILABLE_IN_1_0
gboolean loop_datagram_transport_sendto (LoopDatagramTransport *self,
                                         const guint8 *data,
                                         gsize length,
                                         GSocketAddress *addr,
                                         GError **error);

G_END_DECLS
