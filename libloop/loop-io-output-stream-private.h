/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-io-channel-private.h"

G_BEGIN_DECLS

#define LOOP_TYPE_IO_OUTPUT_STREAM (loop_io_output_stream_get_type ())
G_DECLARE_FINAL_TYPE (LoopIOOutputStream, loop_io_output_stream, LOOP, IO_OUTPUT_STREAM, GOutputStream)

G_GNUC_INTERNAL
GOutputStream *loop_io_output_stream_new (LoopIOChannel *channel);

G_END_DECLS
