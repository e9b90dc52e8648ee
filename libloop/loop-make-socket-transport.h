/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

LOOP_AVAILABLE_IN_1_0
LoopTransport *loop_event_loop_make_socket_transport (LoopEventLoop *self,
                                                      int fd,
                                                      LoopProtocol *protocol,
                                                      GError **error);

G_END_DECLS
