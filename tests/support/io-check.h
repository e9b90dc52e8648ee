/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "tcp-check.h"

G_BEGIN_DECLS

/*
 * For tests of GIO's streams, on a loop for the default context: that is where asynchronous calls of the
 * test come back.
 *
 *   g_auto (Tcp) tcp = io_tcp_new ();
 *   g_auto (IODone) done = { 0 };
 *
 *   g_input_stream_read_async (input, buffer, 10, 0, NULL, io_done, &done);
 *   io_wait (&tcp, &done);
 *   n = g_input_stream_read_finish (input, done.result, &error);
 */
Tcp io_tcp_new (void);

/* Before a test: has GIO open what its tasks need, and keep open. */
void io_prepare (void);

typedef struct
{
  GAsyncResult *result;
} IODone;

void io_done (GObject *source, GAsyncResult *result, gpointer done);
void io_done_clear (IODone *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (IODone, io_done_clear)

#define io_wait(tcp, done) tcp_run_until ((tcp)->loop, (done)->result != NULL)

/* The streams of a GIOStream, which they belong to. */
#define io_input(stream) g_io_stream_get_input_stream (G_IO_STREAM (stream))
#define io_output(stream) g_io_stream_get_output_stream (G_IO_STREAM (stream))

/* A stream on a new connection, and the plain socket at its other end. */
LoopIOStream *io_stream_new (Tcp *tcp, int *fd);

/* Whether it has lost its transport. */
gboolean io_is_lost (LoopIOStream *stream);

/* Does it asynchronously, and runs the loop until it is done. */
gssize io_read (Tcp *tcp, GInputStream *stream, gpointer buffer, gsize size, GError **error);
GBytes *io_read_to_end (Tcp *tcp, GInputStream *stream, GError **error);
gboolean io_write (Tcp *tcp, GOutputStream *stream, gconstpointer data, gsize size, GError **error);
gboolean io_flush (Tcp *tcp, GOutputStream *stream, GError **error);
gboolean io_close (Tcp *tcp, gpointer stream, GError **error);

/* Writes all to a plain socket or pipe in another thread, and shuts it down. */
typedef struct _IOFeed IOFeed;
IOFeed *io_feed_new (int fd, GBytes *bytes);
void io_feed_finish (IOFeed *self);

/* Whether GLib has started a thread of its pool for something that blocks. */
gboolean io_has_pool (void);

G_END_DECLS
