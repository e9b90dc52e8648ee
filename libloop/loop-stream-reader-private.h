/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-stream-read-private.h"
#include "loop-stream-reader.h"

G_BEGIN_DECLS

/* asyncio's. */
#define LOOP_STREAM_LIMIT (64 * 1024)

/* For a read that ends otherwise: the reader is not to end it any more. */
G_GNUC_INTERNAL
void loop_stream_reader_forget (LoopStreamReader *self, LoopStreamRead *read);
G_GNUC_INTERNAL
void loop_stream_reader_put_back (LoopStreamReader *self, GBytes *bytes);
G_GNUC_INTERNAL
const GError *loop_stream_reader_peek_exception (LoopStreamReader *self);

G_END_DECLS
