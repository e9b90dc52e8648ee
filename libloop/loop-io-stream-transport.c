/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-io-stream-transport-private.h"

#include <gio/gfiledescriptorbased.h>
#include <signal.h>

/*
 * Reading and writing are in loop-io-stream-transport-read.c and -write.c; here is all the rest.
 *
 * What GIO calls, on the loop's context, only takes down what has happened: the protocol is called
 * by the loop, as with any transport. An asynchronous operation has a reference to the transport and
 * the use of its memory until it comes back, whatever happens meanwhile; then the stream is closed, if
 * the connection has been lost.
 */
G_DEFINE_FINAL_TYPE (LoopIOStreamTransport, loop_io_stream_transport, LOOP_TYPE_FLOW_TRANSPORT)

/* How long the loop's close waits for operations that it has cancelled, in microseconds. */
#define MAX_CLOSE_TIME (5 * G_USEC_PER_SEC)

static inline LoopEventLoop *
get_loop (LoopIOStreamTransport *self)
{
  return self->flow.parent_instance.loop;
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
  loop_write_buffer_clear (&self->flow.buffer);
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
  if (!self->flow.is_lost)
    return TRUE;

  /* After connection_lost. */
  if (self->n_operations == 0 && self->flow.iface == NULL)
    close_stream (self);

  return FALSE;
}

static void
loop_io_stream_transport_release (LoopFlowTransport *flow, int fd)
{
  LoopIOStreamTransport *self = loop_io_stream_transport_from_base (flow);

  if (self->n_operations == 0)
    close_stream (self);
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

  if (self->flow.iface != NULL)
    loop_flow_transport_loop_closed (&self->flow);

  if (self->n_operations > 0 && has_own_context)
    await_operations (self);

  if (self->flow.iface != NULL)
    loop_flow_transport_let_go (&self->flow);
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
loop_io_stream_transport_finalize (GObject *object)
{
  LoopIOStreamTransport *self = LOOP_IO_STREAM_TRANSPORT (object);

  g_assert (self->stream == NULL && self->n_operations == 0);

  g_object_unref (self->read_cancellable);
  g_object_unref (self->cancellable);

  G_OBJECT_CLASS (loop_io_stream_transport_parent_class)->finalize (object);
}

static void
loop_io_stream_transport_class_init (LoopIOStreamTransportClass *klass)
{
  LoopFlowTransportClass *flow_class = &klass->parent_class;

  G_OBJECT_CLASS (klass)->finalize = loop_io_stream_transport_finalize;

  flow_class->parent_class.get_extra_info = loop_io_stream_transport_get_extra_info;
  flow_class->kind = "io stream";
  flow_class->release = loop_io_stream_transport_release;
  loop_io_stream_transport_class_init_read (flow_class);
  loop_io_stream_transport_class_init_write (flow_class);
}

static void
loop_io_stream_transport_init (LoopIOStreamTransport *self)
{
  self->cancellable = g_cancellable_new ();
  loop_io_stream_transport_init_read (self);
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

  self->flow.fd = g_socket_get_fd (g_socket_connection_get_socket (connection));
  if (length <= 0)
    return;

  self->flow.peer = g_malloc ((gsize) length);
  if (g_socket_address_to_native (peer, self->flow.peer, (gsize) length, NULL))
    self->flow.peer_length = (guint32) length;
}

/* On error @stream is as it was. */
LoopIOStreamTransport *
loop_io_stream_transport_new (LoopEventLoop *loop, GIOStream *stream, GObject *protocol, GError **error)
{
  g_autoptr (LoopIOStreamTransport) self = g_object_new (LOOP_TYPE_IO_STREAM_TRANSPORT, NULL);
  g_autoptr (GSocketConnection) connection = NULL;

  /* Nobody else is to close it; and whether somebody uses it. */
  if (!loop_flow_transport_check (&self->flow, loop, protocol, error) || !g_io_stream_set_pending (stream, error))
    return NULL;

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
  loop_flow_transport_hold (&self->flow);

  return g_steal_pointer (&self);
}
