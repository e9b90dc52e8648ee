/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-io-stream-transport-private.h"

#include <string.h>

/*
 * The reading half of the transport: of a pollable stream through a buffer that all of the loop share, or
 * into memory of the protocol's; of another one by operations, with a buffer of its own.
 */

/* A read takes as much as there is room for; the room grows and shrinks with what comes. */
#define MIN_READ_SIZE 4096
#define MAX_READ_SIZE (256 * 1024)

static void
loop_io_stream_transport_stop_reading (LoopFlowTransport *flow)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (flow);

  loop_io_stream_transport_clear_source (&self->read_source);
  if (!flow->is_closing)
    return;

  g_cancellable_cancel (self->read_cancellable);
  self->is_held = FALSE;
  g_clear_error (&self->read_error);
}

/* Takes @error. */
static void
fail_read (LoopIOStreamTransport *self, GError *error)
{
  g_prefix_error_literal (&error, "Could not read from the stream: ");
  loop_flow_transport_force_close (&self->flow, error);
}

/* Returns: %FALSE if there is nothing more to be read, now or ever */
static gboolean
read_once (LoopIOStreamTransport *self, GObject *protocol, gpointer theirs, gpointer buffer, gsize size)
{
  const LoopBufferedProtocolInterface *buffered_iface = self->flow.buffered_iface;
  g_autoptr (GError) error = NULL;
  gssize n = g_pollable_input_stream_read_nonblocking (G_POLLABLE_INPUT_STREAM (self->input),
                                                       theirs != NULL ? theirs : buffer, size, NULL, &error);

  if (n > 0)
    {
      loop_flow_transport_count (&self->flow.n_received, (gsize) n);
      if (theirs != NULL)
        buffered_iface->buffer_updated (LOOP_BUFFERED_PROTOCOL (protocol), (gsize) n);
      else
        self->flow.iface->data_received (LOOP_PROTOCOL (protocol), buffer, (gsize) n);
    }
  else if (n == 0 && self->flow.error == NULL)
    {
      loop_flow_transport_handle_eof (&self->flow);
    }
  else if (n < 0 && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    {
      fail_read (self, g_steal_pointer (&error));
    }

  return n > 0;
}

static void
read_pollable (LoopIOStreamTransport *self, int max_calls)
{
  LoopEventLoop *loop = self->flow.parent_instance.loop;
  gboolean is_shared;
  gsize our_size;
  guint8 *buffer = loop_event_loop_take_read_buffer (loop, &our_size, &is_shared);

  for (int i = 0; i < max_calls && loop_flow_transport_can_read (&self->flow); i++)
    {
      g_autoptr (GObject) protocol = g_object_ref (self->flow.parent_instance.protocol);
      gpointer theirs = NULL;
      gsize size = our_size;

      if (self->flow.buffered_iface != NULL)
        {
          size = loop_flow_transport_ask_for_buffer (&self->flow, protocol, &theirs);
          if (size == 0)
            continue;
          if (theirs == NULL)
            size = MIN (size, our_size);
        }
      if (!read_once (self, protocol, theirs, buffer, size))
        break;
    }

  loop_event_loop_return_read_buffer (loop, buffer, is_shared);
}

static void
read_some (gpointer data)
{
  LoopIOStreamTransport *self = data;

  read_pollable (self, LOOP_FLOW_TRANSPORT_MAX_CALLS);
  self->is_reading = FALSE;
  loop_flow_transport_start_reading (&self->flow);
}

static gboolean
input_ready (GObject *stream, gpointer data)
{
  LoopIOStreamTransport *self = data;

  g_clear_pointer (&self->read_source, g_source_unref);
  self->is_reading = TRUE;
  loop_flow_transport_schedule (&self->flow, read_some, "readable stream");

  return G_SOURCE_REMOVE;
}

/* A part of what is held, or all of it. */
static void
hand_over_some (LoopIOStreamTransport *self)
{
  const LoopBufferedProtocolInterface *buffered_iface = self->flow.buffered_iface;
  g_autoptr (GObject) protocol = g_object_ref (self->flow.parent_instance.protocol);
  const guint8 *data = self->read_buffer + self->read_start;
  gsize n = (gsize) self->n_read - self->read_start;
  gpointer theirs = NULL;

  if (buffered_iface != NULL)
    {
      gsize size = loop_flow_transport_ask_for_buffer (&self->flow, protocol, &theirs);

      n = MIN (n, size);
    }
  if (n == 0)
    return;

  self->read_start += n;
  self->is_held = self->read_start < (gsize) self->n_read;
  if (theirs != NULL)
    {
      memcpy (theirs, data, n);
      buffered_iface->buffer_updated (LOOP_BUFFERED_PROTOCOL (protocol), n);
    }
  else
    {
      self->flow.iface->data_received (LOOP_PROTOCOL (protocol), data, n);
    }
}

/* Hands over what an operation has read, as long as the protocol wants it. */
static void
deliver (gpointer data)
{
  LoopIOStreamTransport *self = data;

  while (self->is_held && loop_flow_transport_can_read (&self->flow))
    {
      if (self->n_read > 0)
        {
          hand_over_some (self);
          continue;
        }

      self->is_held = FALSE;
      if (self->n_read == 0)
        loop_flow_transport_handle_eof (&self->flow);
      else
        fail_read (self, g_steal_pointer (&self->read_error));
    }

  self->is_reading = FALSE;
  loop_flow_transport_start_reading (&self->flow);
}

static void
read_done (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (LoopIOStreamTransport) self = data;
  g_autoptr (GError) error = NULL;
  gssize n = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &error);

  if (!loop_io_stream_transport_end (self))
    return;

  if (self->flow.is_closing)
    {
      self->is_reading = FALSE;
      loop_flow_transport_go_on (&self->flow);
      return;
    }

  if (n > 0)
    {
      loop_flow_transport_count (&self->flow.n_received, (gsize) n);
      if ((gsize) n == self->read_size)
        self->read_size = MIN (self->read_size * 2, MAX_READ_SIZE);
      else if ((gsize) n < self->read_size / 4)
        self->read_size = MAX (self->read_size / 2, MIN_READ_SIZE);
    }
  self->n_read = n;
  self->read_start = 0;
  self->read_error = g_steal_pointer (&error);
  self->is_held = TRUE;
  loop_flow_transport_schedule (&self->flow, deliver, "read from stream");
}

static void
read_operation (LoopIOStreamTransport *self)
{
  g_free (self->read_buffer);
  self->read_buffer = g_malloc (self->read_size);
  g_input_stream_read_async (self->input, self->read_buffer, self->read_size, G_PRIORITY_DEFAULT,
                             self->read_cancellable, read_done, loop_io_stream_transport_begin (self));
  loop_io_stream_transport_begun (self);
}

static void
loop_io_stream_transport_start_reading (LoopFlowTransport *flow)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (flow);

  if (!loop_flow_transport_can_read (flow) || self->is_reading || self->read_source != NULL)
    return;

  if (self->is_input_pollable)
    {
      GSource *source = g_pollable_input_stream_create_source (G_POLLABLE_INPUT_STREAM (self->input), NULL);

      self->read_source = loop_io_stream_transport_watch (self, source, G_SOURCE_FUNC (input_ready));
      return;
    }

  self->is_reading = TRUE;
  if (self->is_held)
    loop_flow_transport_schedule (flow, deliver, "read from stream");
  else
    read_operation (self);
}

static void
loop_io_stream_transport_read_rest (LoopFlowTransport *flow)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (flow);

  if (loop_flow_transport_can_read (flow) && self->is_input_pollable)
    read_pollable (self, G_MAXINT);
}

void
loop_io_stream_transport_class_init_read (LoopFlowTransportClass *klass)
{
  klass->start_reading = loop_io_stream_transport_start_reading;
  klass->stop_reading = loop_io_stream_transport_stop_reading;
  klass->read_rest = loop_io_stream_transport_read_rest;
}

void
loop_io_stream_transport_init_read (LoopIOStreamTransport *self)
{
  self->read_cancellable = g_cancellable_new ();
  self->read_size = MIN_READ_SIZE;
}
