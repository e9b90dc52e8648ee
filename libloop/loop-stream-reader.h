/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_STREAM_READER (loop_stream_reader_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopStreamReader, loop_stream_reader, LOOP, STREAM_READER, GObject)

LOOP_AVAILABLE_IN_1_0
LoopStreamReader *loop_stream_reader_new (LoopEventLoop *loop, gssize limit);
LOOP_AVAILABLE_IN_1_0
LoopEventLoop *loop_stream_reader_get_loop (LoopStreamReader *self);
LOOP_AVAILABLE_IN_1_0
gsize loop_stream_reader_get_limit (LoopStreamReader *self);

LOOP_AVAILABLE_IN_1_0
void loop_stream_reader_set_transport (LoopStreamReader *self, LoopTransport *transport);
LOOP_AVAILABLE_IN_1_0
void loop_stream_reader_feed_data (LoopStreamReader *self, const guint8 *data, gsize length);
LOOP_AVAILABLE_IN_1_0
void loop_stream_reader_feed_eof (LoopStreamReader *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_stream_reader_at_eof (LoopStreamReader *self);
LOOP_AVAILABLE_IN_1_0
void loop_stream_reader_set_exception (LoopStreamReader *self, const GError *exception);
LOOP_AVAILABLE_IN_1_0
GError *loop_stream_reader_exception (LoopStreamReader *self);

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_stream_reader_read (LoopStreamReader *self, gssize n);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_stream_reader_readexactly (LoopStreamReader *self, gsize n);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_stream_reader_readline (LoopStreamReader *self);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_stream_reader_readuntil (LoopStreamReader *self, const guint8 *separator, gsize length);
LOOP_AVAILABLE_IN_1_0
GBytes *loop_stream_reader_get_partial (LoopStreamReader *self);
LOOP_AVAILABLE_IN_1_0
gsize loop_stream_reader_get_consumed (LoopStreamReader *self);

G_END_DECLS
