/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_sendfile (LoopEventLoop *self,
                                      LoopTransport *transport,
                                      GInputStream *file,
                                      gint64 offset,
                                      gint64 count,
                                      gboolean fallback);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_sock_sendfile (LoopEventLoop *self,
                                           GSocket *socket,
                                           GInputStream *file,
                                           gint64 offset,
                                           gint64 count,
                                           gboolean fallback);

G_END_DECLS
