/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-stream-writer.h>

G_BEGIN_DECLS

#define LOOP_TYPE_STREAM_RESULT (loop_stream_result_get_type ())

typedef struct _LoopStreamResult LoopStreamResult;

LOOP_AVAILABLE_IN_1_0
GType loop_stream_result_get_type (void) G_GNUC_CONST;

LOOP_AVAILABLE_IN_1_0
LoopStreamResult *loop_stream_result_ref (LoopStreamResult *self);
LOOP_AVAILABLE_IN_1_0
void loop_stream_result_unref (LoopStreamResult *self);
LOOP_AVAILABLE_IN_1_0
LoopStreamReader *loop_stream_result_get_reader (LoopStreamResult *self);
LOOP_AVAILABLE_IN_1_0
LoopStreamWriter *loop_stream_result_get_writer (LoopStreamResult *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopStreamResult, loop_stream_result_unref)

G_END_DECLS
