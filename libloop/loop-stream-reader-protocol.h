/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-stream-reader.h>

G_BEGIN_DECLS

typedef struct _LoopStreamWriter LoopStreamWriter;

/**
 * LoopStreamClientFunc:
 * @reader: has what the client sends
 * @writer: sends to the client, and closes the connection when it is freed
 * @user_data: the data given with the function
 *
 * Is called for each client of a server. Take references to keep @reader and @writer.
 */
typedef void (*LoopStreamClientFunc) (LoopStreamReader *reader, LoopStreamWriter *writer, gpointer user_data);

#define LOOP_TYPE_STREAM_READER_PROTOCOL (loop_stream_reader_protocol_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopStreamReaderProtocol, loop_stream_reader_protocol, LOOP, STREAM_READER_PROTOCOL, GObject)

LOOP_AVAILABLE_IN_1_0
LoopStreamReaderProtocol *loop_stream_reader_protocol_new (LoopStreamReader *reader,
                                                           LoopStreamClientFunc client_connected,
                                                           gpointer user_data,
                                                           GDestroyNotify notify);

G_END_DECLS
