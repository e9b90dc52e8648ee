/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-buffered-protocol-private.h"
#include "loop-future-private.h"
#include "loop-protocol.h"
#include "loop-transport-private.h"
#include "loop-write-buffer-private.h"

#include <sys/socket.h>

G_BEGIN_DECLS

/*
 * A transport on any GIOStream. Where its streams are pollable, they are read and written as a
 * socket is; otherwise with their asynchronous operations, one at a time in each direction.
 */
#define LOOP_TYPE_IO_STREAM_TRANSPORT (loop_io_stream_transport_get_type ())
G_DECLARE_FINAL_TYPE (LoopIOStreamTransport, loop_io_stream_transport, LOOP, IO_STREAM_TRANSPORT, LoopTransport)

/* How many reads or writes one event may lead to, so that a fast peer leaves time for others. */
#define LOOP_IO_STREAM_TRANSPORT_MAX_CALLS 32

struct _LoopIOStreamTransport
{
  LoopTransport parent_instance;

  LoopCloseHook hook;
  const LoopProtocolInterface *iface;                  /* of the protocol */
  const LoopBufferedProtocolInterface *buffered_iface; /* or NULL: it has no memory of its own */
  GIOStream *stream;                                   /* NULL once the connection is lost */
  GInputStream *input;
  GOutputStream *output;
  LoopFuture *waiter; /* is fulfilled once the connection is made */
  int fd;             /* of its socket, or -1 */
  struct sockaddr_storage peer;
  guint peer_length;

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

  LoopWriteBuffer buffer;
  gsize high_water;
  gsize low_water;
  guint64 n_received;
  guint64 n_sent;
  GError *lost_error;
  GError *write_error; /* ends the connection once what can still be read was read */

  /* An inspector shows these: loop_io_stream_transport_set_shown(). */
  guint8 is_connected; /* connection_made was called */
  guint8 is_closing;
  guint8 is_eof_due;
  guint8 is_read_paused;
  guint8 is_write_paused;

  guint is_lost : 1; /* connection_lost is due or was called */
  guint is_input_pollable : 1;
  guint is_output_pollable : 1;
  guint needs_flush : 1; /* the output stream keeps what it is given until it is flushed */
  guint is_reading : 1;  /* an operation, or a callback of ours, is under way */
  guint is_held : 1;     /* there is something in read_buffer, or in read_error */
  guint is_read_finished : 1;
  guint is_writing : 1; /* likewise: a write, a flush, or the end of the stream */
  guint is_flush_due : 1;
  guint is_unwritable : 1; /* closing, after write_eof(), or after a failed write */
  guint is_eof_sent : 1;
  guint is_loop_ref_held : 1;
  guint has_warned : 1;
};

G_GNUC_INTERNAL
LoopIOStreamTransport *loop_io_stream_transport_new (LoopEventLoop *loop,
                                                     GIOStream *stream,
                                                     GObject *protocol,
                                                     GError **error);
G_GNUC_INTERNAL
void loop_io_stream_transport_start (LoopIOStreamTransport *self, LoopFuture *waiter);

/* For loop-io-stream-transport.c, from loop-io-stream-transport-read.c. */
G_GNUC_INTERNAL
void loop_io_stream_transport_class_init_read (LoopTransportClass *klass);
G_GNUC_INTERNAL
void loop_io_stream_transport_init_read (LoopIOStreamTransport *self);
G_GNUC_INTERNAL
void loop_io_stream_transport_start_reading (LoopIOStreamTransport *self);
G_GNUC_INTERNAL
void loop_io_stream_transport_read_rest (LoopIOStreamTransport *self);
G_GNUC_INTERNAL
void loop_io_stream_transport_drop_read (LoopIOStreamTransport *self);

/* From loop-io-stream-transport-write.c. */
G_GNUC_INTERNAL
void loop_io_stream_transport_class_init_write (LoopTransportClass *klass);
G_GNUC_INTERNAL
void loop_io_stream_transport_go_on (LoopIOStreamTransport *self);

/* And the other way round. */
G_GNUC_INTERNAL
gpointer loop_io_stream_transport_begin (LoopIOStreamTransport *self);
G_GNUC_INTERNAL
void loop_io_stream_transport_begun (LoopIOStreamTransport *self);
G_GNUC_INTERNAL
gboolean loop_io_stream_transport_end (LoopIOStreamTransport *self);
G_GNUC_INTERNAL
void loop_io_stream_transport_schedule (LoopIOStreamTransport *self, LoopCallback callback, const char *name);
G_GNUC_INTERNAL
GSource *loop_io_stream_transport_watch (LoopIOStreamTransport *self, GSource *source, GSourceFunc callback);
G_GNUC_INTERNAL
void loop_io_stream_transport_fail_write (LoopIOStreamTransport *self, GError *error);
G_GNUC_INTERNAL
void loop_io_stream_transport_force_close (LoopIOStreamTransport *self, GError *exception);

static inline void
loop_io_stream_transport_set_shown (LoopIOStreamTransport *self, guint8 *flag, gboolean value)
{
  loop_event_loop_enter (self->parent_instance.loop);
  *flag = !!value;
  loop_event_loop_leave (self->parent_instance.loop);
}

static inline void
loop_io_stream_transport_clear_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static inline void
loop_io_stream_transport_count (guint64 *counter, gsize n)
{
  __atomic_store_n (counter, *counter + n, __ATOMIC_RELAXED);
}

/* For the virtual functions, which are only called with our own instances. */
static inline LoopIOStreamTransport *
loop_io_stream_transport_from_base (LoopTransport *transport)
{
  return (LoopIOStreamTransport *) transport;
}

static inline LoopProtocol *
loop_io_stream_transport_get_own_protocol (LoopIOStreamTransport *self)
{
  return (LoopProtocol *) self->parent_instance.protocol;
}

G_END_DECLS
