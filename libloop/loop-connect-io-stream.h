/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_connect_io_stream (LoopEventLoop *self,
                                               GIOStream *stream,
                                               LoopProtocolFactory factory,
                                               gpointer user_data,
                                               GDestroyNotify notify);

G_END_DECLS
