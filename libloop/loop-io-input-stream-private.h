/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-io-channel-private.h"

G_BEGIN_DECLS

#define LOOP_TYPE_IO_INPUT_STREAM (loop_io_input_stream_get_type ())
G_DECLARE_FINAL_TYPE (LoopIOInputStream, loop_io_input_stream, LOOP, IO_INPUT_STREAM, GInputStream)

G_GNUC_INTERNAL
GInputStream *loop_io_input_stream_new (LoopIOChannel *channel);

G_END_DECLS
