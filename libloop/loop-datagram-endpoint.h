/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_create_datagram_endpoint (LoopEventLoop *self,
                                                      LoopDatagramOptions *options,
                                                      LoopProtocolFactory factory,
                                                      gpointer user_data,
                                                      GDestroyNotify notify);

G_END_DECLS
