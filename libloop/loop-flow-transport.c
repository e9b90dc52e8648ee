/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-flow-transport-private.h"
#include "loop-protocol-vtable-private.h"

/* Writing is in loop-flow-transport-write.c; here is all the rest. */
G_DEFINE_ABSTRACT_TYPE (LoopFlowTransport, loop_flow_transport, LOOP_TYPE_TRANSPORT)

/* For the virtual functions, which are only called with our own instances. */
static inline LoopFlowTransport *
from_base (LoopTransport *transport)
{
  return (LoopFlowTransport *) transport;
}

static inline LoopFlowTransportClass *
get_class (LoopFlowTransport *self)
{
  return LOOP_FLOW_TRANSPORT_GET_CLASS (self);
}

static inline LoopEventLoop *
get_loop (LoopFlowTransport *self)
{
  return self->parent_instance.loop;
}

void
loop_flow_transport_schedule (LoopFlowTransport *self, LoopCallback callback, const char *name)
{
  loop_event_loop_schedule (get_loop (self), callback, g_object_ref (self), g_object_unref, name);
}

/* --- The beginning ---------------------------------------------------------------------------- */

/* Whether there can be a transport in @loop, and @protocol is one for it. */
gboolean
loop_flow_transport_check (LoopFlowTransport *self, LoopEventLoop *loop, GObject *protocol, GError **error)
{
  if (!loop_event_loop_check_open (loop, error))
    return FALSE;

  if (loop_transport_accepts (&self->parent_instance, protocol))
    return TRUE;

  g_set_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY,
               "The protocol factory returned %s, which is not a protocol of type %s",
               protocol != NULL ? G_OBJECT_TYPE_NAME (protocol) : "nothing",
               g_type_name (LOOP_TRANSPORT_GET_CLASS (self)->get_protocol_type ()));

  return FALSE;
}

/* The end of construction. The loop has a reference until loop_flow_transport_let_go(). */
void
loop_flow_transport_hold (LoopFlowTransport *self)
{
  loop_event_loop_trace (get_loop (self), self->parent_instance.node.id);
  self->buffer.pool = &get_loop (self)->write_chunks;
  self->is_loop_ref_held = TRUE;
  g_object_ref (self);
}

static void
call_connection_made (gpointer data)
{
  LoopFlowTransport *self = data;
  g_autoptr (LoopFuture) waiter = NULL;

  if (self->is_lost)
    return;

  loop_flow_transport_set_shown (self, &self->is_connected, TRUE);
  self->iface->connection_made (loop_flow_transport_get_protocol (self), &self->parent_instance);
  loop_flow_transport_start_reading (self);

  waiter = g_steal_pointer (&self->waiter);
  if (waiter != NULL)
    loop_future_fulfil_object (waiter, self);
}

/*
 * loop_flow_transport_start:
 * @waiter: (nullable): is fulfilled with the transport once connection_made was called
 * @lost_func: (nullable): is called when the connection is lost or was never made
 * @lost_data: (nullable): an object, for @lost_func
 *
 * Calls connection_made in the next iteration and begins to read.
 */
void
loop_flow_transport_start (LoopFlowTransport *self,
                           LoopFuture *waiter,
                           LoopTransportLostFunc lost_func,
                           gpointer lost_data)
{
  self->lost_func = lost_func;
  g_set_object (&self->lost_data, lost_data);
  g_set_object (&self->waiter, waiter);
  loop_flow_transport_schedule (self, call_connection_made, "connection_made");
}

/* --- The end ---------------------------------------------------------------------------------- */

/* Nothing is written from now on, and nothing new is read. */
static void
begin_closing (LoopFlowTransport *self)
{
  self->is_unwritable = TRUE;
  loop_flow_transport_set_shown (self, &self->is_closing, TRUE);
  loop_flow_transport_stop_reading (self);
}

/* What is buffered is not written either. Takes @error. */
static void
lose (LoopFlowTransport *self, GError *error)
{
  self->is_lost = TRUE;
  self->error = error;
  begin_closing (self);
  loop_flow_transport_lose_sender (self, error, self->buffer.size);
  get_class (self)->stop_writing (self);
}

/* The end of every transport's life. Its protocol and its owner let go of it. */
void
loop_flow_transport_let_go (LoopFlowTransport *self)
{
  LoopEventLoop *loop = get_loop (self);
  LoopTransportLostFunc lost_func = self->lost_func;
  g_autoptr (GObject) lost_data = g_steal_pointer (&self->lost_data);
  g_autoptr (LoopFuture) waiter = g_steal_pointer (&self->waiter);
  GObject *protocol;
  int fd = self->fd;

  loop_event_loop_enter (loop);
  protocol = loop_transport_retire (&self->parent_instance);
  self->iface = NULL;
  self->buffered_iface = NULL;
  self->fd = -1;
  loop_event_loop_leave (loop);

  get_class (self)->release (self, fd);
  self->buffer.pool = NULL;

  self->lost_func = NULL;
  if (lost_func != NULL)
    lost_func (&self->parent_instance, lost_data);

  if (waiter != NULL)
    loop_future_fail (
        waiter, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "The connection was closed before it was made"));

  if (self->is_loop_ref_held)
    {
      self->is_loop_ref_held = FALSE;
      loop_event_loop_unref_later (loop, self);
    }

  loop_vtable_protocol_release (protocol, loop);
}

static void
call_connection_lost (gpointer data)
{
  LoopFlowTransport *self = data;

  if (self->is_connected && self->iface != NULL)
    {
      loop_flow_transport_set_shown (self, &self->is_connected, FALSE);
      self->iface->connection_lost (loop_flow_transport_get_protocol (self), self->error);
    }

  loop_flow_transport_let_go (self);
}

/* Ends the connection without writing what is buffered. Takes @error. */
void
loop_flow_transport_force_close (LoopFlowTransport *self, GError *error)
{
  if (self->is_lost)
    {
      g_clear_error (&error);
      return;
    }

  g_clear_error (&self->error);
  lose (self, error);
  loop_flow_transport_schedule (self, call_connection_lost, "connection_lost");
}

static void
finish_after_write_error (gpointer data)
{
  LoopFlowTransport *self = data;

  /* The peer may have said why before it went: what it sent is not to be lost. */
  get_class (self)->read_rest (self);
  if (!self->is_lost)
    loop_flow_transport_force_close (self, g_steal_pointer (&self->error));
}

/* A failed write ends the connection, once the user's call of write has returned. Takes @error. */
void
loop_flow_transport_fail_write (LoopFlowTransport *self, GError *error)
{
  if (self->error != NULL || self->is_lost)
    {
      g_error_free (error);
      return;
    }

  self->is_unwritable = TRUE;
  self->error = error;
  loop_flow_transport_lose_sender (self, error, self->buffer.size);
  get_class (self)->stop_writing (self);
  loop_flow_transport_schedule (self, finish_after_write_error, "failed write");
}

/* The loop is closed, and the protocol is told nothing; loop_flow_transport_let_go() is to follow. */
void
loop_flow_transport_loop_closed (LoopFlowTransport *self)
{
  loop_event_loop_warn_of_open (get_loop (self), "transport", self->parent_instance.node.id);
  g_clear_error (&self->error);
  lose (self, NULL);
}

static void
loop_flow_transport_close (LoopTransport *transport)
{
  LoopFlowTransport *self = from_base (transport);

  if (self->is_closing)
    return;

  begin_closing (self);
  loop_flow_transport_lose_sender (self, NULL, 0);
  loop_flow_transport_go_on (self);
}

static void
loop_flow_transport_abort (LoopTransport *transport)
{
  loop_flow_transport_force_close (from_base (transport), NULL);
}

static gboolean
loop_flow_transport_is_closing (LoopTransport *transport)
{
  LoopFlowTransport *self = from_base (transport);

  /* After a failed write it is only a matter of what can still be read. */
  return self->is_closing || self->error != NULL;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/*
 * Asks a buffered protocol where to put what has come; it may do anything in there.
 *
 * Returns: 0 if the protocol is another one by now, or wants nothing, or if the connection ends because of that
 */
gsize
loop_flow_transport_ask_for_buffer (LoopFlowTransport *self, GObject *protocol, gpointer *buffer)
{
  GError *error = NULL;
  gsize size = loop_buffered_protocol_ask (self->buffered_iface, protocol, -1, buffer, &error);

  if (size == 0)
    {
      g_autoptr (LoopExceptionContext) context =
          loop_exception_context_new ("Fatal error: get_buffer() of a protocol failed", error);

      loop_exception_context_set_transport (context, &self->parent_instance);
      if (self->parent_instance.protocol != NULL)
        loop_exception_context_set_protocol (context, self->parent_instance.protocol);
      loop_event_loop_call_exception_handler (get_loop (self), context);
      loop_flow_transport_force_close (self, error);
    }

  return loop_flow_transport_can_read (self) && self->parent_instance.protocol == protocol ? size : 0;
}

void
loop_flow_transport_handle_eof (LoopFlowTransport *self)
{
  loop_flow_transport_set_shown (self, &self->is_read_finished, TRUE);
  loop_flow_transport_stop_reading (self);

  if (!self->iface->eof_received (loop_flow_transport_get_protocol (self)))
    loop_transport_close (&self->parent_instance);
}

static void
loop_flow_transport_pause_reading (LoopTransport *transport)
{
  LoopFlowTransport *self = from_base (transport);

  if ((self->is_read_paused & LOOP_READ_PAUSED_BY_USER) || self->is_closing)
    return;

  loop_flow_transport_set_shown (self, &self->is_read_paused, self->is_read_paused | LOOP_READ_PAUSED_BY_USER);
  loop_flow_transport_stop_reading (self);
}

static void
loop_flow_transport_resume_reading (LoopTransport *transport)
{
  LoopFlowTransport *self = from_base (transport);

  if (!self->is_read_paused || self->is_closing)
    return;

  /* Even while a file is sent, as in asyncio: it is the user's wish. */
  loop_flow_transport_set_shown (self, &self->is_read_paused, 0);
  loop_flow_transport_start_reading (self);
}

static gboolean
loop_flow_transport_is_reading (LoopTransport *transport)
{
  return !from_base (transport)->is_read_paused && !from_base (transport)->is_closing;
}

/* --- The type --------------------------------------------------------------------------------- */

static void
loop_flow_transport_protocol_changed (LoopTransport *transport)
{
  LoopFlowTransport *self = from_base (transport);

  self->iface = LOOP_PROTOCOL_GET_IFACE (transport->protocol);
  self->buffered_iface = loop_buffered_protocol_peek_iface (transport->protocol);
}

static void
loop_flow_transport_describe (LoopTransport *transport, LoopTransportDescription *description)
{
  LoopFlowTransport *self = from_base (transport);

  description->kind = get_class (self)->kind;
  description->state = transport->protocol == NULL ? "closed"
                       : self->is_closing          ? "closing"
                       : self->is_eof_due          ? "half-closed"
                       : self->is_connected        ? "open"
                                                   : "connecting";
  description->fd = self->fd;
  description->n_received = __atomic_load_n (&self->n_received, __ATOMIC_RELAXED);
  description->n_sent = __atomic_load_n (&self->n_sent, __ATOMIC_RELAXED);
  description->write_buffer_size = loop_write_buffer_get_size (&self->buffer);
  description->low_water = self->low_water;
  description->high_water = self->high_water;
  description->is_reading = loop_flow_transport_can_read (self);
  description->is_read_paused = self->is_read_paused != 0;
  description->is_write_paused = self->is_write_paused;
  description->peer = self->peer;
  description->peer_length = self->peer_length;
}

static void
loop_flow_transport_finalize (GObject *object)
{
  LoopFlowTransport *self = (LoopFlowTransport *) object;

  g_assert (self->fd < 0 && self->waiter == NULL && self->lost_data == NULL);

  g_clear_error (&self->error);
  g_clear_pointer (&self->peer, g_free);

  G_OBJECT_CLASS (loop_flow_transport_parent_class)->finalize (object);
}

static void
loop_flow_transport_class_init (LoopFlowTransportClass *klass)
{
  LoopTransportClass *transport_class = &klass->parent_class;

  /* To make a type takes locks, and protocols are looked at inside the guard. */
  g_type_ensure (LOOP_TYPE_BUFFERED_PROTOCOL);

  G_OBJECT_CLASS (klass)->finalize = loop_flow_transport_finalize;

  transport_class->close = loop_flow_transport_close;
  transport_class->abort = loop_flow_transport_abort;
  transport_class->is_closing = loop_flow_transport_is_closing;
  transport_class->protocol_changed = loop_flow_transport_protocol_changed;
  transport_class->pause_reading = loop_flow_transport_pause_reading;
  transport_class->resume_reading = loop_flow_transport_resume_reading;
  transport_class->is_reading = loop_flow_transport_is_reading;
  transport_class->describe = loop_flow_transport_describe;
  loop_flow_transport_class_init_write (transport_class);
}

static void
loop_flow_transport_init (LoopFlowTransport *self)
{
  self->fd = -1;
  self->high_water = LOOP_TRANSPORT_HIGH_WATER;
  self->low_water = LOOP_TRANSPORT_HIGH_WATER / 4;
}
