/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-flow-transport-private.h"

/*
 * What is common to writing: when the protocol is to pause, the end, and the transport while a
 * sender has its writing side: see LoopTransportSender. asyncio does not read either meanwhile: a
 * peer that has sent its end of file is not to end the connection.
 */

static inline LoopFlowTransport *
from_base (LoopTransport *transport)
{
  return (LoopFlowTransport *) transport;
}

/* While there is a sender, the protocol would be told of what is not its own. */
void
loop_flow_transport_pause_writing (LoopFlowTransport *self)
{
  if (self->is_write_paused || self->is_lost || self->sender != NULL)
    return;

  loop_flow_transport_set_shown (self, &self->is_write_paused, TRUE);
  self->iface->pause_writing (loop_flow_transport_get_protocol (self));
}

void
loop_flow_transport_resume_writing (LoopFlowTransport *self)
{
  if (self->buffer.size > self->low_water || self->is_lost || self->sender != NULL)
    return;

  loop_flow_transport_set_shown (self, &self->is_write_paused, FALSE);
  self->iface->resume_writing (loop_flow_transport_get_protocol (self));
}

/* Data is written that cannot be sent any more: warns, once, that it is lost. */
void
loop_flow_transport_refuse_write (LoopFlowTransport *self)
{
  if (self->is_eof_due)
    {
      g_critical ("Cannot write to a transport after write_eof()");
    }
  else if (self->sender != NULL)
    {
      g_critical ("Cannot write to a transport while a file is sent");
    }
  else if (!self->has_warned)
    {
      self->has_warned = TRUE;
      g_warning ("Data was written to transport #%" G_GUINT64_FORMAT " after it was closed or lost its connection",
                 self->parent_instance.node.id);
    }
}

static void
loop_flow_transport_write_bytes (LoopTransport *transport, GBytes **bytes, gsize n_bytes)
{
  LoopFlowTransport *self = from_base (transport);

  if (G_LIKELY (!self->is_unwritable))
    LOOP_FLOW_TRANSPORT_GET_CLASS (self)->put_bytes (self, bytes, n_bytes);
  else
    loop_flow_transport_refuse_write (self);
}

/* For a sender. */
static void
loop_flow_transport_send_bytes (LoopTransport *transport, GBytes *bytes)
{
  LoopFlowTransport *self = from_base (transport);

  LOOP_FLOW_TRANSPORT_GET_CLASS (self)->put_bytes (self, &bytes, 1);
}

static void
loop_flow_transport_write_eof (LoopTransport *transport)
{
  LoopFlowTransport *self = from_base (transport);

  if (self->is_closing || self->is_eof_due)
    return;

  self->is_unwritable = TRUE;
  loop_flow_transport_set_shown (self, &self->is_eof_due, TRUE);
  if (self->sender == NULL)
    loop_flow_transport_go_on (self);
}

static gboolean
loop_flow_transport_can_write_eof (LoopTransport *transport)
{
  return TRUE;
}

static gsize
loop_flow_transport_get_write_buffer_size (LoopTransport *transport)
{
  LoopFlowTransport *self = from_base (transport);

  /* What the writing in progress still uses stays until it is over. */
  return self->is_lost ? 0 : self->buffer.size;
}

static void
loop_flow_transport_set_write_buffer_limits (LoopTransport *transport, gsize high, gsize low)
{
  LoopFlowTransport *self = from_base (transport);

  loop_event_loop_enter (transport->loop);
  self->high_water = high;
  self->low_water = low;
  loop_event_loop_leave (transport->loop);
  loop_flow_transport_maybe_pause (self);
}

static void
loop_flow_transport_get_write_buffer_limits (LoopTransport *transport, gsize *low, gsize *high)
{
  *low = from_base (transport)->low_water;
  *high = from_base (transport)->high_water;
}

static gboolean
loop_flow_transport_set_sender (LoopTransport *transport, LoopTransportSender *sender, GError **error)
{
  LoopFlowTransport *self = from_base (transport);

  if (self->sender != NULL)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "The transport is sending a file already");
      return FALSE;
    }

  if (self->is_eof_due)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "Cannot send a file after write_eof()");
      return FALSE;
    }

  if (self->is_unwritable)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_CLOSED, "The transport is closing");
      return FALSE;
    }

  self->sender = sender;
  self->is_unwritable = TRUE;
  loop_flow_transport_set_shown (self, &self->is_read_paused, self->is_read_paused | LOOP_READ_PAUSED_BY_SENDER);
  /* In the write end of a pipe it is the peer's end that is looked for. */
  if (!self->is_read_finished)
    loop_flow_transport_stop_reading (self);

  return TRUE;
}

static void
forget_sender (LoopFlowTransport *self)
{
  self->sender = NULL;
  loop_flow_transport_set_shown (self, &self->is_read_paused,
                                 self->is_read_paused & (guint8) ~LOOP_READ_PAUSED_BY_SENDER);
}

/* The transport is closed: with @error, or by the user. The last @n_unsent bytes of all will never be sent. */
void
loop_flow_transport_lose_sender (LoopFlowTransport *self, const GError *error, gsize n_unsent)
{
  LoopTransportSender *sender = self->sender;
  g_autoptr (GError) closed = NULL;

  if (sender == NULL)
    return;

  forget_sender (self);
  if (error == NULL)
    closed = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED,
                                  "The connection was closed while a file was sent");
  sender->lost (sender, error != NULL ? error : closed, n_unsent);
}

/* Does what the sender has kept waiting. */
static void
loop_flow_transport_unset_sender (LoopTransport *transport)
{
  LoopFlowTransport *self = from_base (transport);

  forget_sender (self);
  self->is_unwritable = self->is_eof_due;
  loop_flow_transport_start_reading (self);
  loop_flow_transport_go_on (self);
  loop_flow_transport_maybe_pause (self);
  loop_flow_transport_maybe_resume (self);
}

void
loop_flow_transport_class_init_write (LoopTransportClass *klass)
{
  klass->write_bytes = loop_flow_transport_write_bytes;
  klass->write_eof = loop_flow_transport_write_eof;
  klass->can_write_eof = loop_flow_transport_can_write_eof;
  klass->get_write_buffer_size = loop_flow_transport_get_write_buffer_size;
  klass->set_write_buffer_limits = loop_flow_transport_set_write_buffer_limits;
  klass->get_write_buffer_limits = loop_flow_transport_get_write_buffer_limits;
  klass->set_sender = loop_flow_transport_set_sender;
  klass->unset_sender = loop_flow_transport_unset_sender;
  klass->send_bytes = loop_flow_transport_send_bytes;
}
