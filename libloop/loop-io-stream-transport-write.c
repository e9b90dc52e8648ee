/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-io-stream-transport-private.h"
#include "loop-sigpipe-private.h"

#include <fcntl.h>
#include <gio/gfiledescriptorbased.h>
#include <limits.h>

/* The writing half of the transport, and what comes after the last write. */

/* Takes @error. */
static void
fail_write (LoopIOStreamTransport *self, GError *error)
{
  g_prefix_error_literal (&error, "Could not write to the stream: ");
  loop_flow_transport_fail_write (&self->flow, error);
}

/*
 * GLib's stream on a descriptor asks whether it is ready, and then may block all the same if the
 * descriptor does: unless it is given no more than a pipe that is ready has room for.
 */
static gssize
write_to_descriptor (LoopIOStreamTransport *self, const GOutputVector *vector, GError **error)
{
  int fd = g_file_descriptor_based_get_fd (G_FILE_DESCRIPTOR_BASED (self->output));
  gboolean is_blocking = (fcntl (fd, F_GETFL) & O_NONBLOCK) == 0;
  LoopSigpipe sigpipe;
  gssize n;

  /* Nor does it know of the signal. */
  loop_sigpipe_hold (&sigpipe);
  n = g_pollable_output_stream_write_nonblocking (G_POLLABLE_OUTPUT_STREAM (self->output), vector->buffer,
                                                  is_blocking ? MIN (vector->size, PIPE_BUF) : vector->size, NULL,
                                                  error);
  loop_sigpipe_release (&sigpipe, n < 0 && g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE));

  return n;
}

static gssize
write_to_pollable (LoopIOStreamTransport *self, const GOutputVector *vectors, gsize n_vectors, GError **error)
{
  gsize n = 0;

  switch (g_pollable_output_stream_writev_nonblocking (G_POLLABLE_OUTPUT_STREAM (self->output), vectors, n_vectors, &n,
                                                       NULL, error))
    {
    case G_POLLABLE_RETURN_OK:
      return (gssize) n;
    case G_POLLABLE_RETURN_WOULD_BLOCK:
      return 0;
    case G_POLLABLE_RETURN_FAILED:
    default:
      return -1;
    }
}

/* Returns: the number of bytes that a pollable stream took at once, or -1 after a failure */
static gssize
write_now (LoopIOStreamTransport *self, const GOutputVector *vectors, gsize n_vectors)
{
  GError *error = NULL;
  gssize n = G_IS_FILE_DESCRIPTOR_BASED (self->output) ? write_to_descriptor (self, vectors, &error)
                                                       : write_to_pollable (self, vectors, n_vectors, &error);

  if (n < 0 && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    {
      fail_write (self, error);
      return -1;
    }
  g_clear_error (&error);

  if (n <= 0)
    return 0;

  loop_flow_transport_count (&self->flow.n_sent, (gsize) n);
  self->is_flush_due |= self->needs_flush;

  return n;
}

/* Once all is written. */
static void
tell_sender (gpointer data)
{
  LoopIOStreamTransport *self = data;
  LoopTransportSender *sender = self->flow.sender;

  if (sender != NULL && self->flow.buffer.size == 0)
    sender->ready (sender);
}

/* The next step, in a callback of the loop's. */
static void
next_step (gpointer data)
{
  LoopIOStreamTransport *self = data;

  self->is_writing = FALSE;
  if (self->flow.is_lost)
    return;

  loop_flow_transport_maybe_resume (&self->flow);
  tell_sender (self);
  loop_flow_transport_go_on (&self->flow);
}

static void
write_some (gpointer data)
{
  LoopIOStreamTransport *self = data;

  for (int i = 0; i < LOOP_FLOW_TRANSPORT_MAX_CALLS && self->flow.buffer.size > 0 && !self->flow.is_lost; i++)
    {
      struct iovec iov[LOOP_WRITE_BUFFER_MAX_IOV];
      GOutputVector vectors[LOOP_WRITE_BUFFER_MAX_IOV];
      guint n_vectors = loop_write_buffer_peek (&self->flow.buffer, iov, G_N_ELEMENTS (iov));
      gssize n;

      for (guint j = 0; j < n_vectors; j++)
        vectors[j] = (GOutputVector) { iov[j].iov_base, iov[j].iov_len };

      n = write_now (self, vectors, n_vectors);
      if (n < 0)
        return;
      if (n == 0)
        break;
      loop_write_buffer_consume (&self->flow.buffer, (gsize) n);
    }

  next_step (self);
}

static gboolean
output_ready (GObject *stream, gpointer data)
{
  LoopIOStreamTransport *self = data;

  g_clear_pointer (&self->write_source, g_source_unref);
  self->is_writing = TRUE;
  loop_flow_transport_schedule (&self->flow, write_some, "writable stream");

  return G_SOURCE_REMOVE;
}

/* Takes @error. */
static void
end_step (LoopIOStreamTransport *self, GError *error)
{
  if (!loop_io_stream_transport_end (self))
    g_clear_error (&error);
  else if (error != NULL)
    fail_write (self, error);
  else
    loop_flow_transport_schedule (&self->flow, next_step, "written to stream");
}

static void
written (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LoopIOStreamTransport) self = data;
  GError *error = NULL;
  gssize n = g_output_stream_write_finish (G_OUTPUT_STREAM (source), result, &error);

  /* The buffer was emptied if the connection is lost. */
  if (n > 0 && !self->flow.is_lost)
    {
      loop_flow_transport_count (&self->flow.n_sent, (gsize) n);
      loop_write_buffer_consume (&self->flow.buffer, (gsize) n);
      self->is_flush_due |= self->needs_flush;
    }
  end_step (self, error);
}

static void
flushed (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LoopIOStreamTransport) self = data;
  GError *error = NULL;

  g_output_stream_flush_finish (G_OUTPUT_STREAM (source), result, &error);
  end_step (self, error);
}

static void
output_closed (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LoopIOStreamTransport) self = data;
  GError *error = NULL;

  g_output_stream_close_finish (G_OUTPUT_STREAM (source), result, &error);
  end_step (self, error);
}

static void
stream_closed (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LoopIOStreamTransport) self = data;
  GError *error = NULL;

  g_io_stream_close_finish (G_IO_STREAM (source), result, &error);
  /* Of the output stream, which was closed by write_eof(). */
  if (self->is_eof_sent && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    g_clear_error (&error);
  if (loop_io_stream_transport_end (self))
    loop_flow_transport_force_close (&self->flow, error);
  else
    g_clear_error (&error);
}

static void
start_writing (LoopIOStreamTransport *self)
{
  struct iovec iov;

  if (self->is_output_pollable)
    {
      GSource *source = g_pollable_output_stream_create_source (G_POLLABLE_OUTPUT_STREAM (self->output), NULL);

      self->write_source = loop_io_stream_transport_watch (self, source, G_SOURCE_FUNC (output_ready));
      return;
    }

  /* The chunk stays where it is until it is consumed, even when something is appended to it. */
  self->is_writing = TRUE;
  loop_write_buffer_peek (&self->flow.buffer, &iov, 1);
  g_output_stream_write_async (self->output, iov.iov_base, iov.iov_len, G_PRIORITY_DEFAULT, self->cancellable, written,
                               loop_io_stream_transport_begin (self));
  loop_io_stream_transport_begun (self);
}

/* A peer that is never told of the end would wait for it for ever. */
static void
send_eof (LoopIOStreamTransport *self)
{
  GSocketConnection *connection = G_IS_SOCKET_CONNECTION (self->stream) ? G_SOCKET_CONNECTION (self->stream) : NULL;
  GError *error = NULL;

  self->is_eof_sent = TRUE;
  if (connection != NULL)
    {
      /* To close its output stream does nothing. */
      if (!g_socket_shutdown (g_socket_connection_get_socket (connection), FALSE, TRUE, &error))
        fail_write (self, error);
      return;
    }

  self->is_writing = TRUE;
  g_output_stream_close_async (self->output, G_PRIORITY_DEFAULT, self->cancellable, output_closed,
                               loop_io_stream_transport_begin (self));
  loop_io_stream_transport_begun (self);
}

/* Does nothing while something is under way. */
static void
loop_io_stream_transport_go_on (LoopFlowTransport *flow)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (flow);

  if (flow->is_lost || flow->error != NULL || self->is_writing || self->write_source != NULL)
    return;

  if (flow->buffer.size > 0)
    {
      start_writing (self);
    }
  else if (self->is_flush_due)
    {
      self->is_flush_due = FALSE;
      self->is_writing = TRUE;
      g_output_stream_flush_async (self->output, G_PRIORITY_DEFAULT, self->cancellable, flushed,
                                   loop_io_stream_transport_begin (self));
      loop_io_stream_transport_begun (self);
    }
  else if (flow->is_closing && self->n_operations == 0)
    {
      self->is_writing = TRUE;
      g_io_stream_clear_pending (self->stream);
      g_io_stream_close_async (self->stream, G_PRIORITY_DEFAULT, self->cancellable, stream_closed,
                               loop_io_stream_transport_begin (self));
      loop_io_stream_transport_begun (self);
    }
  else if (!flow->is_closing && flow->is_eof_due && !self->is_eof_sent && flow->sender == NULL)
    {
      send_eof (self);
    }
}

static gboolean
can_write_now (LoopIOStreamTransport *self)
{
  return self->flow.buffer.size == 0 && self->is_output_pollable && !self->is_writing;
}

static void
loop_io_stream_transport_write (LoopTransport *transport, const guint8 *data, gsize length)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);
  gssize n = 0;

  if (self->flow.is_unwritable)
    {
      loop_flow_transport_refuse_write (&self->flow);
      return;
    }

  if (can_write_now (self))
    {
      n = write_now (self, &(GOutputVector) { data, length }, 1);
      if (n < 0)
        return;
    }

  if ((gsize) n < length)
    loop_write_buffer_append (&self->flow.buffer, data + n, length - (gsize) n);
  loop_flow_transport_go_on (&self->flow);
  loop_flow_transport_maybe_pause (&self->flow);
}

static void
loop_io_stream_transport_put_bytes (LoopFlowTransport *flow, GBytes **bytes, gsize n_bytes)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (flow);
  gsize written_now = 0;

  if (can_write_now (self))
    {
      GOutputVector vectors[LOOP_WRITE_BUFFER_MAX_IOV];
      gsize n_vectors = MIN (n_bytes, G_N_ELEMENTS (vectors));
      gssize n;

      for (gsize i = 0; i < n_vectors; i++)
        vectors[i].buffer = g_bytes_get_data (bytes[i], &vectors[i].size);
      n = write_now (self, vectors, n_vectors);
      if (n < 0)
        return;
      written_now = (gsize) n;
    }

  loop_write_buffer_append_bytes (&self->flow.buffer, bytes, n_bytes, written_now);
  loop_flow_transport_go_on (&self->flow);
  loop_flow_transport_maybe_pause (&self->flow);
}

/*
 * A stream may change what is written, and so a sender has no descriptor, even if there is one below: it only ever says
 * that it is the turn of others.
 */
static void
loop_io_stream_transport_report_sent (LoopTransport *transport, gsize n_sent, int saved_errno)
{
  loop_flow_transport_schedule ((LoopFlowTransport *) transport, tell_sender, "sendfile");
}

static void
loop_io_stream_transport_stop_writing (LoopFlowTransport *flow)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (flow);

  loop_io_stream_transport_clear_source (&self->write_source);
  /* What an operation still uses stays until it is back. */
  if (flow->is_lost)
    g_cancellable_cancel (self->cancellable);
  else
    loop_write_buffer_clear (&flow->buffer);
}

void
loop_io_stream_transport_class_init_write (LoopFlowTransportClass *klass)
{
  klass->put_bytes = loop_io_stream_transport_put_bytes;
  klass->go_on = loop_io_stream_transport_go_on;
  klass->stop_writing = loop_io_stream_transport_stop_writing;
  klass->parent_class.write = loop_io_stream_transport_write;
  klass->parent_class.report_sent = loop_io_stream_transport_report_sent;
}
