/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-flow-transport-private.h"

G_BEGIN_DECLS

/*
 * A transport on any GIOStream. Where its streams are pollable, they are read and written as a
 * socket is; otherwise with their asynchronous operations, one at a time in each direction.
 */
#define LOOP_TYPE_IO_STREAM_TRANSPORT (loop_io_stream_transport_get_type ())
G_DECLARE_FINAL_TYPE (LoopIOStreamTransport, loop_io_stream_transport, LOOP, IO_STREAM_TRANSPORT, LoopFlowTransport)

struct _LoopIOStreamTransport
{
  LoopFlowTransport flow; /* the parent instance */

  LoopCloseHook hook;
  GIOStream *stream; /* NULL once the connection is lost */
  GInputStream *input;
  GOutputStream *output;

  GCancellable *read_cancellable; /* for the reads */
  GCancellable *cancellable;      /* for all else */
  GSource *read_source;           /* while it waits for a pollable stream */
  GSource *write_source;
  guint n_operations; /* asynchronous ones that have not come back */

  /* What a read has brought that was not handed over yet: a number of bytes, or -1 and an error. */
  guint8 *read_buffer;
  gsize read_size;
  gsize read_start; /* of what is there still */
  gssize n_read;
  GError *read_error;

  guint is_input_pollable : 1;
  guint is_output_pollable : 1;
  guint needs_flush : 1; /* the output stream keeps what it is given until it is flushed */
  guint is_reading : 1;  /* an operation, or a callback of ours, is under way */
  guint is_held : 1;     /* there is something in read_buffer, or in read_error */
  guint is_writing : 1;  /* likewise: a write, a flush, or the end of the stream */
  guint is_flush_due : 1;
  guint is_eof_sent : 1;
};

G_GNUC_INTERNAL
LoopIOStreamTransport *loop_io_stream_transport_new (LoopEventLoop *loop,
                                                     GIOStream *stream,
                                                     GObject *protocol,
                                                     GError **error);

/* For loop-io-stream-transport.c, from its halves for reading and writing. */
G_GNUC_INTERNAL
void loop_io_stream_transport_class_init_read (LoopFlowTransportClass *klass);
G_GNUC_INTERNAL
void loop_io_stream_transport_init_read (LoopIOStreamTransport *self);
G_GNUC_INTERNAL
void loop_io_stream_transport_class_init_write (LoopFlowTransportClass *klass);

/* And the other way round. */
G_GNUC_INTERNAL
gpointer loop_io_stream_transport_begin (LoopIOStreamTransport *self);
G_GNUC_INTERNAL
void loop_io_stream_transport_begun (LoopIOStreamTransport *self);
G_GNUC_INTERNAL
gboolean loop_io_stream_transport_end (LoopIOStreamTransport *self);
G_GNUC_INTERNAL
GSource *loop_io_stream_transport_watch (LoopIOStreamTransport *self, GSource *source, GSourceFunc callback);

static inline void
loop_io_stream_transport_clear_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

/* For the virtual functions, which are only called with our own instances. */
static inline LoopIOStreamTransport *
loop_io_stream_transport_from_base (gpointer base)
{
  return base;
}

G_END_DECLS
