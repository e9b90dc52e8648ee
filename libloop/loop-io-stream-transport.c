/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-io-stream-transport-private.h"

#include <gio/gfiledescriptorbased.h>
#include <signal.h>
#include <string.h>

/*
 * Reading and writing are in loop-io-stream-transport-read.c and -write.c; here is all the rest.
 *
 * What GIO calls, on the loop's context, only takes down what has happened: the protocol is called
 * by the loop, as with any transport. An asynchronous operation has a reference to the transport and
 * the use of its memory until it comes back, whatever happens meanwhile; then the stream is closed, if
 * the connection has been lost.
 */
G_DEFINE_FINAL_TYPE (LoopIOStreamTransport, loop_io_stream_transport, LOOP_TYPE_TRANSPORT)

/* How long the loop's close waits for operations that it has cancelled, in microseconds. */
#define MAX_CLOSE_TIME (5 * G_USEC_PER_SEC)

static inline LoopEventLoop *
get_loop (LoopIOStreamTransport *self)
{
  return self->parent_instance.loop;
}

void
loop_io_stream_transport_schedule (LoopIOStreamTransport *self, LoopCallback callback, const char *name)
{
  loop_event_loop_schedule (get_loop (self), callback, g_object_ref (self), g_object_unref, name);
}

/* Takes @source, and has @callback called on the loop's context. */
GSource *
loop_io_stream_transport_watch (LoopIOStreamTransport *self, GSource *source, GSourceFunc callback)
{
  g_source_set_callback (source, callback, self, NULL);
  g_source_attach (source, get_loop (self)->context);

  return source;
}

/*
 * Around the call that begins an asynchronous operation, which comes back on the loop's context.
 *
 * Returns: (transfer full): the data for its callback
 */
gpointer
loop_io_stream_transport_begin (LoopIOStreamTransport *self)
{
  self->n_operations++;
  g_main_context_push_thread_default (get_loop (self)->context);

  return g_object_ref (self);
}

void
loop_io_stream_transport_begun (LoopIOStreamTransport *self)
{
  g_main_context_pop_thread_default (get_loop (self)->context);
}

/* Returns: (transfer full) (nullable): the connection that the stream is, or that TLS goes over */
static GSocketConnection *
find_connection (GIOStream *stream)
{
  g_autoptr (GIOStream) found = g_object_ref (stream);

  while (G_IS_TLS_CONNECTION (found))
    {
      GIOStream *base = NULL;

      g_object_get (found, "base-io-stream", &base, NULL);
      if (base == NULL)
        return NULL;
      g_object_unref (found);
      found = base;
    }

  return G_IS_SOCKET_CONNECTION (found) ? G_SOCKET_CONNECTION (g_steal_pointer (&found)) : NULL;
}

/* Once nothing uses it any more. It need not wait for anything: what was to be written was, or is lost. */
static void
close_stream (LoopIOStreamTransport *self)
{
  g_autoptr (GIOStream) stream = g_steal_pointer (&self->stream);
  g_autoptr (GSocketConnection) connection = NULL;

  loop_close_hook_remove (&self->hook);
  loop_write_buffer_clear (&self->buffer);
  g_clear_pointer (&self->read_buffer, g_free);
  self->input = NULL;
  self->output = NULL;
  if (stream == NULL)
    return;

  if (!g_io_stream_is_closed (stream))
    {
      g_io_stream_clear_pending (stream);
      g_cancellable_cancel (self->cancellable);
      g_io_stream_close (stream, self->cancellable, NULL);
    }

  /* TLS that was not closed well leaves it open. */
  connection = find_connection (stream);
  if (connection != NULL)
    g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
}

/* When an operation is back. Returns: %FALSE if the connection was lost meanwhile */
gboolean
loop_io_stream_transport_end (LoopIOStreamTransport *self)
{
  self->n_operations--;
  if (!self->is_lost)
    return TRUE;

  /* After connection_lost. */
  if (self->n_operations == 0 && self->iface == NULL)
    close_stream (self);

  return FALSE;
}

/* Nothing is written from now on, and nothing new is read. */
static void
begin_closing (LoopIOStreamTransport *self)
{
  self->is_unwritable = TRUE;
  loop_io_stream_transport_set_shown (self, &self->is_closing, TRUE);
  loop_io_stream_transport_drop_read (self);
}

/* The end of every transport's life. */
static void
let_go (LoopIOStreamTransport *self)
{
  LoopEventLoop *loop = get_loop (self);
  g_autoptr (GObject) protocol = NULL;

  loop_event_loop_enter (loop);
  protocol = loop_transport_retire (LOOP_TRANSPORT (self));
  self->iface = NULL;
  self->buffered_iface = NULL;
  self->fd = -1;
  loop_event_loop_leave (loop);

  if (self->n_operations == 0)
    close_stream (self);

  if (self->waiter != NULL)
    {
      g_autoptr (LoopFuture) waiter = g_steal_pointer (&self->waiter);

      loop_future_fail (
          waiter, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "The connection was closed before it was made"));
    }

  if (self->is_loop_ref_held)
    {
      self->is_loop_ref_held = FALSE;
      loop_event_loop_unref_later (loop, self);
    }
}

static void
call_connection_lost (gpointer data)
{
  LoopIOStreamTransport *self = data;

  if (self->is_connected)
    {
      loop_io_stream_transport_set_shown (self, &self->is_connected, FALSE);
      self->iface->connection_lost (loop_io_stream_transport_get_own_protocol (self), self->lost_error);
    }

  let_go (self);
}

/* Ends the connection without writing what is buffered. Takes @exception. */
void
loop_io_stream_transport_force_close (LoopIOStreamTransport *self, GError *exception)
{
  if (self->is_lost)
    {
      g_clear_error (&exception);
      return;
    }

  self->is_lost = TRUE;
  self->lost_error = exception;
  begin_closing (self);
  loop_io_stream_transport_clear_source (&self->write_source);
  g_cancellable_cancel (self->cancellable);
  loop_io_stream_transport_schedule (self, call_connection_lost, "connection_lost");
}

static void
finish_after_write_error (gpointer data)
{
  LoopIOStreamTransport *self = data;

  /* The peer may have said why before it went: what it sent is not to be lost. */
  loop_io_stream_transport_read_rest (self);

  loop_io_stream_transport_force_close (self, g_steal_pointer (&self->write_error));
}

/* A failed write ends the connection, once the user's call of write has returned. Takes @error. */
void
loop_io_stream_transport_fail_write (LoopIOStreamTransport *self, GError *error)
{
  if (self->write_error != NULL || self->is_lost)
    {
      g_error_free (error);
      return;
    }

  self->is_unwritable = TRUE;
  self->write_error = error;
  g_prefix_error_literal (&self->write_error, "Could not write to the stream: ");
  loop_write_buffer_clear (&self->buffer);
  loop_io_stream_transport_clear_source (&self->write_source);
  loop_io_stream_transport_schedule (self, finish_after_write_error, "failed write");
}

/* Operations come back on the loop's own context, which nobody will iterate later on. */
static void
await_operations (LoopIOStreamTransport *self)
{
  LoopEventLoop *loop = get_loop (self);
  gint64 deadline = g_get_monotonic_time () + MAX_CLOSE_TIME;

  while (self->n_operations > 0 && g_get_monotonic_time () < deadline)
    {
      if (!g_main_context_iteration (loop->context, FALSE))
        g_usleep (1000);
    }

  if (self->n_operations > 0)
    g_warning ("A %s does not notice that its operations are cancelled: they are left alone",
               G_OBJECT_TYPE_NAME (self->stream));
}

static void
stream_loop_closed (LoopCloseHook *hook)
{
  LoopIOStreamTransport *self =
      (LoopIOStreamTransport *) ((char *) hook - G_STRUCT_OFFSET (LoopIOStreamTransport, hook));
  g_autoptr (LoopIOStreamTransport) keep_alive G_GNUC_UNUSED = g_object_ref (self);
  LoopEventLoop *loop = get_loop (self);
  gboolean has_own_context = loop->context_wakeup_fd >= 0;

  if (self->iface != NULL)
    {
      loop_event_loop_warn_of_open (loop, "transport", self->parent_instance.node.id);
      self->is_lost = TRUE;
      begin_closing (self);
      loop_io_stream_transport_clear_source (&self->write_source);
      g_cancellable_cancel (self->cancellable);
    }

  if (self->n_operations > 0 && has_own_context)
    await_operations (self);

  if (self->iface != NULL)
    let_go (self);
}

static void
loop_io_stream_transport_protocol_changed (LoopTransport *transport)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);

  self->iface = LOOP_PROTOCOL_GET_IFACE (transport->protocol);
  self->buffered_iface = loop_buffered_protocol_peek_iface (transport->protocol);
}

static void
loop_io_stream_transport_close (LoopTransport *transport)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);

  if (self->is_closing)
    return;

  begin_closing (self);
  loop_io_stream_transport_go_on (self);
}

static void
loop_io_stream_transport_abort (LoopTransport *transport)
{
  loop_io_stream_transport_force_close (loop_io_stream_transport_from_base (transport), NULL);
}

static gboolean
loop_io_stream_transport_is_closing (LoopTransport *transport)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);

  /* After a failed write it is only a matter of what can still be read. */
  return self->is_closing || self->write_error != NULL;
}

static gboolean
loop_io_stream_transport_get_extra_info (LoopTransport *transport, const char *name, GValue *value)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (GSocketAddress) address = NULL;

  if (self->stream == NULL)
    return FALSE;

  if (g_str_equal (name, "io-stream"))
    {
      g_value_init (value, G_TYPE_IO_STREAM);
      g_value_set_object (value, self->stream);
      return TRUE;
    }

  connection = find_connection (self->stream);
  if (connection == NULL)
    return FALSE;

  if (g_str_equal (name, "socket"))
    {
      g_value_init (value, G_TYPE_SOCKET);
      g_value_set_object (value, g_socket_connection_get_socket (connection));
      return TRUE;
    }

  if (g_str_equal (name, "peername"))
    address = g_socket_connection_get_remote_address (connection, NULL);
  else if (g_str_equal (name, "sockname"))
    address = g_socket_connection_get_local_address (connection, NULL);
  if (address == NULL)
    return FALSE;

  g_value_init (value, G_TYPE_SOCKET_ADDRESS);
  g_value_set_object (value, address);

  return TRUE;
}

static void
loop_io_stream_transport_describe (LoopTransport *transport, LoopTransportDescription *description)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (transport);

  description->kind = "io stream";
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
  description->peer = (const struct sockaddr *) &self->peer;
  description->peer_length = self->peer_length;
  description->is_reading = !self->is_read_paused && !self->is_closing && self->is_connected;
  description->is_read_paused = self->is_read_paused;
  description->is_write_paused = self->is_write_paused;
}

static void
loop_io_stream_transport_finalize (GObject *object)
{
  LoopIOStreamTransport *self = LOOP_IO_STREAM_TRANSPORT (object);

  g_assert (self->stream == NULL && self->n_operations == 0 && self->waiter == NULL);

  g_object_unref (self->read_cancellable);
  g_object_unref (self->cancellable);
  g_clear_error (&self->write_error);
  g_clear_error (&self->lost_error);

  G_OBJECT_CLASS (loop_io_stream_transport_parent_class)->finalize (object);
}

static void
loop_io_stream_transport_class_init (LoopIOStreamTransportClass *klass)
{
  LoopTransportClass *transport_class = (LoopTransportClass *) klass;

  /* To make a type takes locks, and protocols are looked at inside the guard. */
  g_type_ensure (LOOP_TYPE_BUFFERED_PROTOCOL);

  G_OBJECT_CLASS (klass)->finalize = loop_io_stream_transport_finalize;

  transport_class->close = loop_io_stream_transport_close;
  transport_class->abort = loop_io_stream_transport_abort;
  transport_class->is_closing = loop_io_stream_transport_is_closing;
  transport_class->get_extra_info = loop_io_stream_transport_get_extra_info;
  transport_class->protocol_changed = loop_io_stream_transport_protocol_changed;
  transport_class->describe = loop_io_stream_transport_describe;
  loop_io_stream_transport_class_init_read (transport_class);
  loop_io_stream_transport_class_init_write (transport_class);
}

static void
loop_io_stream_transport_init (LoopIOStreamTransport *self)
{
  self->fd = -1;
  self->cancellable = g_cancellable_new ();
  loop_io_stream_transport_init_read (self);
  self->high_water = LOOP_TRANSPORT_HIGH_WATER;
  self->low_water = LOOP_TRANSPORT_HIGH_WATER / 4;
}

/*
 * Most of GIO's streams write without regard for the signal, often in threads of GLib's: it is ignored from now on, as
 * it is once GIO has made a socket, unless somebody wants it.
 */
static void
ignore_sigpipe (void)
{
  struct sigaction action;

  if (sigaction (SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
    signal (SIGPIPE, SIG_IGN);
}

static gboolean
needs_flush (GOutputStream *output)
{
  GOutputStreamClass *base = g_type_class_peek (G_TYPE_OUTPUT_STREAM);
  GOutputStreamClass *klass = G_OUTPUT_STREAM_GET_CLASS (output);

  return klass->flush != NULL || klass->flush_async != base->flush_async;
}

/* For inspectors, which ask no GSocket. */
static void
take_addresses (LoopIOStreamTransport *self, GSocketConnection *connection)
{
  g_autoptr (GSocketAddress) peer = g_socket_connection_get_remote_address (connection, NULL);
  gssize length = peer != NULL ? g_socket_address_get_native_size (peer) : 0;

  self->fd = g_socket_get_fd (g_socket_connection_get_socket (connection));
  if (length > 0 && length <= (gssize) sizeof self->peer &&
      g_socket_address_to_native (peer, &self->peer, sizeof self->peer, NULL))
    self->peer_length = (guint) length;
}

/* On error @stream is as it was. */
LoopIOStreamTransport *
loop_io_stream_transport_new (LoopEventLoop *loop, GIOStream *stream, GObject *protocol, GError **error)
{
  g_autoptr (LoopIOStreamTransport) self = NULL;
  g_autoptr (GSocketConnection) connection = NULL;

  if (!LOOP_IS_PROTOCOL (protocol))
    {
      g_set_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY,
                   "The protocol factory returned %s, which is not a protocol",
                   protocol != NULL ? G_OBJECT_TYPE_NAME (protocol) : "nothing");
      return NULL;
    }

  /* Nobody else is to close it; and whether somebody uses it. */
  if (!loop_event_loop_check_open (loop, error) || !g_io_stream_set_pending (stream, error))
    return NULL;

  self = g_object_new (LOOP_TYPE_IO_STREAM_TRANSPORT, NULL);
  self->stream = g_object_ref (stream);
  self->input = g_io_stream_get_input_stream (stream);
  self->output = g_io_stream_get_output_stream (stream);
  self->is_input_pollable = G_IS_POLLABLE_INPUT_STREAM (self->input) &&
                            g_pollable_input_stream_can_poll (G_POLLABLE_INPUT_STREAM (self->input));
  self->is_output_pollable = G_IS_POLLABLE_OUTPUT_STREAM (self->output) &&
                             g_pollable_output_stream_can_poll (G_POLLABLE_OUTPUT_STREAM (self->output));
  self->needs_flush = needs_flush (self->output);
  if (!G_IS_SOCKET_CONNECTION (stream) && !(self->is_output_pollable && G_IS_FILE_DESCRIPTOR_BASED (self->output)))
    ignore_sigpipe ();
  connection = find_connection (stream);
  if (connection != NULL)
    take_addresses (self, connection);

  loop_transport_set_up (LOOP_TRANSPORT (self), loop, protocol);
  self->hook.closed = stream_loop_closed;
  loop_event_loop_add_close_hook (loop, &self->hook);
  loop_event_loop_enter (loop);
  loop_transport_register (LOOP_TRANSPORT (self));
  loop_event_loop_leave (loop);
  loop_event_loop_trace (loop, self->parent_instance.node.id);
  self->is_loop_ref_held = TRUE;
  g_object_ref (self);

  return g_steal_pointer (&self);
}

static void
call_connection_made (gpointer data)
{
  LoopIOStreamTransport *self = data;
  g_autoptr (LoopFuture) waiter = NULL;

  if (self->is_lost)
    return;

  loop_io_stream_transport_set_shown (self, &self->is_connected, TRUE);
  self->iface->connection_made (loop_io_stream_transport_get_own_protocol (self), LOOP_TRANSPORT (self));
  loop_io_stream_transport_start_reading (self);

  waiter = g_steal_pointer (&self->waiter);
  if (waiter != NULL)
    loop_future_fulfil_object (waiter, self);
}

/* Calls connection_made in the next iteration and begins to read; @waiter is fulfilled with the transport then. */
void
loop_io_stream_transport_start (LoopIOStreamTransport *self, LoopFuture *waiter)
{
  g_set_object (&self->waiter, waiter);
  loop_io_stream_transport_schedule (self, call_connection_made, "connection_made");
}
