/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-stream-reader-protocol.h>

G_BEGIN_DECLS

#define LOOP_TYPE_STREAM_WRITER (loop_stream_writer_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopStreamWriter, loop_stream_writer, LOOP, STREAM_WRITER, GObject)

LOOP_AVAILABLE_IN_1_0
LoopStreamWriter *loop_stream_writer_new (LoopTransport *transport,
                                          LoopStreamReaderProtocol *protocol,
                                          LoopStreamReader *reader);
LOOP_AVAILABLE_IN_1_0
LoopTransport *loop_stream_writer_get_transport (LoopStreamWriter *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_stream_writer_get_extra_info (LoopStreamWriter *self, const char *name, GValue *value);

LOOP_AVAILABLE_IN_1_0
void loop_stream_writer_write (LoopStreamWriter *self, const guint8 *data, gsize length);
LOOP_AVAILABLE_IN_1_0
void loop_stream_writer_write_bytes (LoopStreamWriter *self, GBytes *bytes);
LOOP_AVAILABLE_IN_1_0
void loop_stream_writer_writelines (LoopStreamWriter *self, GBytes **lines, gsize n_lines);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_stream_writer_drain (LoopStreamWriter *self);
LOOP_AVAILABLE_IN_1_0
void loop_stream_writer_write_eof (LoopStreamWriter *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_stream_writer_can_write_eof (LoopStreamWriter *self);

LOOP_AVAILABLE_IN_1_0
void loop_stream_writer_close (LoopStreamWriter *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_stream_writer_is_closing (LoopStreamWriter *self);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_stream_writer_wait_closed (LoopStreamWriter *self);

G_END_DECLS
