/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-io-stream-transport-private.h"
#include "loop-sigpipe-private.h"

#include <fcntl.h>
#include <gio/gfiledescriptorbased.h>
#include <limits.h>

/* The writing half of the transport, and what comes after the last write. */

static void
maybe_pause_protocol (LoopIOStreamTransport *self)
{
  if (self->is_write_paused || self->buffer.size <= self->high_water || self->is_lost)
    return;

  loop_io_stream_transport_set_shown (self, &self->is_write_paused, TRUE);
  self->iface->pause_writing (loop_io_stream_transport_get_own_protocol (self));
}

static void
maybe_resume_protocol (LoopIOStreamTransport *self)
{
  if (!self->is_write_paused || self->buffer.size > self->low_water || self->is_lost)
    return;

  loop_io_stream_transport_set_shown (self, &self->is_write_paused, FALSE);
  self->iface->resume_writing (loop_io_stream_transport_get_own_protocol (self));
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
      loop_io_stream_transport_fail_write (self, error);
      return -1;
    }
  g_clear_error (&error);

  if (n <= 0)
    return 0;

  loop_io_stream_transport_count (&self->n_sent, (gsize) n);
  self->is_flush_due |= self->needs_flush;

  return n;
}

/* The next step, in a callback of the loop's. */
static void
next_step (gpointer data)
{
  LoopIOStreamTransport *self = data;

  self->is_writing = FALSE;
  if (self->is_lost)
    return;

  maybe_resume_protocol (self);
  loop_io_stream_transport_go_on (self);
}

static void
write_some (gpointer data)
{
  LoopIOStreamTransport *self = data;

  for (int i = 0; i < LOOP_IO_STREAM_TRANSPORT_MAX_CALLS && self->buffer.size > 0 && !self->is_lost; i++)
    {
      struct iovec iov[LOOP_WRITE_BUFFER_MAX_IOV];
      GOutputVector vectors[LOOP_WRITE_BUFFER_MAX_IOV];
      guint n_vectors = loop_write_buffer_peek (&self->buffer, iov, G_N_ELEMENTS (iov));
      gssize n;

      for (guint j = 0; j < n_vectors; j++)
        vectors[j] = (GOutputVector) { iov[j].iov_base, iov[j].iov_len };

      n = write_now (self, vectors, n_vectors);
      if (n < 0)
        return;
      if (n == 0)
        break;
      loop_write_buffer_consume (&self->buffer, (gsize) n);
    }

  next_step (self);
}

static gboolean
output_ready (GObject *stream, gpointer data)
{
  LoopIOStreamTransport *self = data;

  g_clear_pointer (&self->write_source, g_source_unref);
  self->is_writing = TRUE;
  loop_io_stream_transport_schedule (self, write_some, "writable stream");

  return G_SOURCE_REMOVE;
}

/* Takes @error. */
static void
end_step (LoopIOStreamTransport *self, GError *error)
{
  if (!loop_io_stream_transport_end (self))
    g_clear_error (&error);
  else if (error != NULL)
    loop_io_stream_transport_fail_write (self, error);
  else
    loop_io_stream_transport_schedule (self, next_step, "written to stream");
}

static void
written (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LoopIOStreamTransport) self = data;
  GError *error = NULL;
  gssize n = g_output_stream_write_finish (G_OUTPUT_STREAM (source), result, &error);

  /* The buffer was emptied if the connection is lost. */
  if (n > 0 && !self->is_lost)
    {
      loop_io_stream_transport_count (&self->n_sent, (gsize) n);
      loop_write_buffer_consume (&self->buffer, (gsize) n);
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
    loop_io_stream_transport_force_close (self, error);
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
  loop_write_buffer_peek (&self->buffer, &iov, 1);
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
        loop_io_stream_transport_fail_write (self, error);
      return;
    }

  self->is_writing = TRUE;
  g_output_stream_close_async (self->output, G_PRIORITY_DEFAULT, self->cancellable, output_closed,
                               loop_io_stream_transport_begin (self));
  loop_io_stream_transport_begun (self);
}

/* Does what is to be done next with the output: nothing, while something is under way. */
void
loop_io_stream_transport_go_on (LoopIOStreamTransport *self)
{
  if (self->is_lost || self->write_error != NULL || self->is_writing || self->write_source != NULL)
    return;

  if (self->buffer.size > 0)
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
  else if (self->is_closing && self->n_operations == 0)
    {
      self->is_writing = TRUE;
      g_io_stream_clear_pending (self->stream);
      g_io_stream_close_async (self->stream, G_PRIORITY_DEFAULT, self->cancellable, stream_closed,
                               loop_io_stream_transport_begin (self));
      loop_io_stream_transport_begun (self);
    }
  else if (!self->is_closing && self->is_eof_due && !self->is_eof_sent)
    {
      send_eof (self);
    }
}

/* Data is written that cannot be sent any more: warns, once, that it is lost. */
static void
refuse_write (LoopIOStreamTransport *self)
{
  if (self->is_eof_due)
    {
      g_critical ("Cannot write to a transport after write_eof()");
    }
  else if (!self->has_warned)
    {
      self->has_warned = TRUE;
      g_warning ("Data was written to transport #%" G_GUINT64_FORMAT " after it was closed or lost its connection",
                 self->parent_instance.node.id);
    }
}

static gboolean
can_write_now (LoopIOStreamTransport *self)
{
  return self->buffer.size == 0 && self->is_output_pollable && !self->is_writing;
}

static void
loop_io_stream_transport_write (LoopTransport *transport, const guint8 *data, gsize length)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);
  gssize n = 0;

  if (self->is_unwritable)
    {
      refuse_write (self);
      return;
    }

  if (can_write_now (self))
    {
      n = write_now (self, &(GOutputVector) { data, length }, 1);
      if (n < 0)
        return;
    }

  if ((gsize) n < length)
    loop_write_buffer_append (&self->buffer, data + n, length - (gsize) n);
  loop_io_stream_transport_go_on (self);
  maybe_pause_protocol (self);
}

static void
loop_io_stream_transport_write_bytes (LoopTransport *transport, GBytes **bytes, gsize n_bytes)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);
  gsize written_now = 0;

  if (self->is_unwritable)
    {
      refuse_write (self);
      return;
    }

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

  for (gsize i = 0; i < n_bytes; i++)
    {
      gsize skipped = MIN (written_now, g_bytes_get_size (bytes[i]));

      loop_write_buffer_append_bytes (&self->buffer, bytes[i], skipped);
      written_now -= skipped;
    }
  loop_io_stream_transport_go_on (self);
  maybe_pause_protocol (self);
}

static void
loop_io_stream_transport_write_eof (LoopTransport *transport)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);

  if (self->is_closing || self->is_eof_due)
    return;

  self->is_unwritable = TRUE;
  loop_io_stream_transport_set_shown (self, &self->is_eof_due, TRUE);
  loop_io_stream_transport_go_on (self);
}

static gboolean
loop_io_stream_transport_can_write_eof (LoopTransport *transport)
{
  return TRUE;
}

static gsize
loop_io_stream_transport_get_write_buffer_size (LoopTransport *transport)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);

  /* What an operation still uses stays until it is back. */
  return self->is_lost ? 0 : self->buffer.size;
}

static void
loop_io_stream_transport_set_write_buffer_limits (LoopTransport *transport, gsize high, gsize low)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);

  loop_event_loop_enter (transport->loop);
  self->high_water = high;
  self->low_water = low;
  loop_event_loop_leave (transport->loop);
  maybe_pause_protocol (self);
}

static void
loop_io_stream_transport_get_write_buffer_limits (LoopTransport *transport, gsize *low, gsize *high)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);

  *low = self->low_water;
  *high = self->high_water;
}

void
loop_io_stream_transport_class_init_write (LoopTransportClass *klass)
{
  klass->write = loop_io_stream_transport_write;
  klass->write_bytes = loop_io_stream_transport_write_bytes;
  klass->write_eof = loop_io_stream_transport_write_eof;
  klass->can_write_eof = loop_io_stream_transport_can_write_eof;
  klass->get_write_buffer_size = loop_io_stream_transport_get_write_buffer_size;
  klass->set_write_buffer_limits = loop_io_stream_transport_set_write_buffer_limits;
  klass->get_write_buffer_limits = loop_io_stream_transport_get_write_buffer_limits;
}
