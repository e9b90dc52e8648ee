/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-future-private.h"
#include "loop-stream-reader-protocol.h"

G_BEGIN_DECLS

/* For writers. */
G_GNUC_INTERNAL
LoopFuture *loop_stream_reader_protocol_drain (LoopStreamReaderProtocol *self);
G_GNUC_INTERNAL
LoopFuture *loop_stream_reader_protocol_wait_closed (LoopStreamReaderProtocol *self);

G_END_DECLS
