/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_IO_STREAM (loop_io_stream_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopIOStream, loop_io_stream, LOOP, IO_STREAM, GIOStream)

LOOP_AVAILABLE_IN_1_0
LoopIOStream *loop_io_stream_new (LoopTransport *transport);
LOOP_AVAILABLE_IN_1_0
LoopTransport *loop_io_stream_dup_transport (LoopIOStream *self);
LOOP_AVAILABLE_IN_1_0
void loop_io_stream_feed (LoopIOStream *self, GBytes *bytes);

G_END_DECLS
