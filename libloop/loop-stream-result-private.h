/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-stream-result.h"

G_BEGIN_DECLS

G_GNUC_INTERNAL
LoopStreamResult *loop_stream_result_new (LoopStreamReader *reader, LoopStreamWriter *writer);

G_END_DECLS
