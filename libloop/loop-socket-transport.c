/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-fd-watcher-private.h"
#include "loop-socket-transport-private.h"

#include <errno.h>
#include <unistd.h>

/*
 * A transport on a connected stream socket.
 *
 * The descriptor is the transport's own; a GSocket is made around it only when somebody
 * asks for one, because most never do and it costs more than the rest of the transport.
 *
 * Reading is in loop-socket-transport-read.c, writing in loop-socket-transport-write.c; here is
 * all the rest. What other files have in place of recv(), send() and close() is in
 * loop-pipe-transport.c.
 */
G_DEFINE_TYPE (LoopSocketTransport, loop_socket_transport, LOOP_TYPE_TRANSPORT)

static inline LoopEventLoop *
get_loop (LoopSocketTransport *self)
{
  return self->parent_instance.loop;
}

void
loop_socket_transport_set_interest (LoopSocketTransport *self, guint8 interest)
{
  LoopEventLoop *loop = get_loop (self);

  if (self->watch.fd < 0 || self->watch.wanted == interest)
    return;

  loop_event_loop_enter (loop);
  loop_poller_set_interest (&loop->poller, &self->watch, interest);
  loop_event_loop_leave (loop);
}

/* Nothing is written from now on, and nothing new is read. */
static void
begin_closing (LoopSocketTransport *self)
{
  self->is_unwritable = TRUE;
  loop_socket_transport_set_shown (self, &self->is_closing, TRUE);
}

static void
close_descriptor (LoopSocketTransport *self)
{
  LoopEventLoop *loop = get_loop (self);
  int fd;

  loop_event_loop_enter (loop);
  if (self->watch.fd >= 0)
    loop_poller_remove (&loop->poller, &self->watch);
  fd = self->fd;
  self->fd = -1;
  loop_event_loop_leave (loop);

  if (self->is_socket_broken)
    g_clear_object (&self->socket);
  else if (self->socket != NULL)
    g_socket_close (self->socket, NULL);
  else if (fd >= 0 && self->file != NULL)
    self->file->close (self, fd);
  else if (fd >= 0)
    close (fd);
}

/* The end of every transport's life. Its protocol and its owner let go of it. */
static void
let_go (LoopSocketTransport *self)
{
  LoopEventLoop *loop = get_loop (self);
  LoopTransportLostFunc lost_func = self->lost_func;
  g_autoptr (GObject) lost_data = g_steal_pointer (&self->lost_data);
  g_autoptr (GObject) protocol = NULL;

  close_descriptor (self);
  loop_socket_transport_lose_sender (self, NULL, self->buffer.size);
  loop_write_buffer_clear (&self->buffer);

  loop_event_loop_enter (loop);
  protocol = loop_transport_retire (LOOP_TRANSPORT (self));
  self->iface = NULL;
  self->buffered_iface = NULL;
  loop_event_loop_leave (loop);

  self->lost_func = NULL;
  if (lost_func != NULL)
    lost_func (LOOP_TRANSPORT (self), lost_data);

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

typedef struct
{
  LoopSocketTransport *transport;
  GError *exception;
} LostData;

static void
lost_data_free (gpointer data)
{
  LostData *lost = data;

  g_clear_error (&lost->exception);
  g_object_unref (lost->transport);
  g_free (lost);
}

static void
call_connection_lost (gpointer data)
{
  LostData *lost = data;
  LoopSocketTransport *self = lost->transport;

  if (self->is_connected && self->iface != NULL)
    {
      loop_socket_transport_set_shown (self, &self->is_connected, FALSE);
      self->iface->connection_lost (loop_socket_transport_get_protocol (self), lost->exception);
    }

  let_go (self);
}

/* Takes @exception. */
void
loop_socket_transport_schedule_connection_lost (LoopSocketTransport *self, GError *exception)
{
  LostData *lost = g_new (LostData, 1);

  lost->transport = g_object_ref (self);
  lost->exception = exception;
  self->is_lost = TRUE;
  loop_event_loop_schedule (get_loop (self), call_connection_lost, lost, lost_data_free, "connection_lost");
}

/* Ends the connection without writing what is buffered. Takes @exception. */
void
loop_socket_transport_force_close (LoopSocketTransport *self, GError *exception)
{
  if (self->is_lost)
    {
      g_clear_error (&exception);
      return;
    }

  loop_socket_transport_lose_sender (self, exception, self->buffer.size);
  loop_write_buffer_clear (&self->buffer);
  begin_closing (self);
  loop_socket_transport_set_interest (self, LOOP_INTEREST_NONE);
  loop_socket_transport_schedule_connection_lost (self, exception);
}

static void
finish_after_write_error (gpointer data)
{
  LoopSocketTransport *self = data;

  /* The peer may have said why before it went: what it sent is not to be lost. */
  loop_socket_transport_drain (self, G_MAXINT);
  loop_socket_transport_force_close (self, g_steal_pointer (&self->write_error));
}

/* A failed write ends the connection, once the user's call of write has returned. */
void
loop_socket_transport_fail_write (LoopSocketTransport *self, int saved_errno)
{
  if (self->write_error != NULL || self->is_lost)
    return;

  self->is_unwritable = TRUE;
  loop_set_error_from_errno (&self->write_error, saved_errno, "Could not write to the connection");
  loop_socket_transport_lose_sender (self, self->write_error, self->buffer.size);
  loop_write_buffer_clear (&self->buffer);
  loop_socket_transport_set_interest (self, self->watch.wanted & ~LOOP_INTEREST_WRITE);
  loop_event_loop_schedule (get_loop (self), finish_after_write_error, g_object_ref (self), g_object_unref,
                            "failed write");
}

static void
socket_transport_watch_failed (LoopWatch *watch, GError *error)
{
  loop_socket_transport_force_close (loop_socket_transport_from_watch (watch), g_error_copy (error));
}

static void
socket_transport_watch_closed (LoopWatch *watch)
{
  LoopSocketTransport *self = loop_socket_transport_from_watch (watch);

  loop_event_loop_warn_of_open (get_loop (self), "transport", self->parent_instance.node.id);

  begin_closing (self);
  self->is_lost = TRUE;
  let_go (self);
}

static void
socket_transport_watch_describe (const LoopWatch *watch, gboolean is_writer, LoopDescription *description)
{
  const LoopSocketTransport *self = loop_socket_transport_from_watch ((LoopWatch *) watch);

  description->id = self->parent_instance.node.id;
  description->kind = "transport";
  description->name =
      self->parent_instance.protocol != NULL ? G_OBJECT_TYPE_NAME (self->parent_instance.protocol) : NULL;
  description->fd = watch->fd;
}

const LoopWatchClass loop_socket_transport_watch_class = {
  .readable = loop_socket_transport_readable,
  .writable = loop_socket_transport_writable,
  .failed = socket_transport_watch_failed,
  .closed = socket_transport_watch_closed,
  .describe = socket_transport_watch_describe,
};

static void
loop_socket_transport_protocol_changed (LoopTransport *transport)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  self->iface = LOOP_PROTOCOL_GET_IFACE (transport->protocol);
  self->buffered_iface = loop_buffered_protocol_peek_iface (transport->protocol);
}

static void
loop_socket_transport_close (LoopTransport *transport)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  if (self->is_closing)
    return;

  begin_closing (self);
  loop_socket_transport_stop_reading (self);
  loop_socket_transport_lose_sender (self, NULL, 0);

  if (self->buffer.size == 0 && self->write_error == NULL)
    loop_socket_transport_schedule_connection_lost (self, NULL);
}

static void
loop_socket_transport_abort (LoopTransport *transport)
{
  loop_socket_transport_force_close (loop_socket_transport_from_base (transport), NULL);
}

static gboolean
loop_socket_transport_is_closing (LoopTransport *transport)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  /* After a failed write it is only a matter of what can still be read. */
  return self->is_closing || self->write_error != NULL;
}

/* The GSocket owns the descriptor from then on. */
static GSocket *
ensure_socket (LoopSocketTransport *self)
{
  if (self->socket == NULL && self->fd >= 0)
    {
      /* Should that fail, the object is kept, for it closes the descriptor when it is freed: see loop_socket_wrap(). */
      self->socket = g_object_new (G_TYPE_SOCKET, "fd", self->fd, NULL);
      self->is_socket_broken = !g_initable_init (G_INITABLE (self->socket), NULL, NULL);
      if (!self->is_socket_broken)
        g_socket_set_blocking (self->socket, FALSE);
    }

  return self->is_socket_broken ? NULL : self->socket;
}

static gboolean
loop_socket_transport_get_extra_info (LoopTransport *transport, const char *name, GValue *value)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);
  GSocketAddress *address = NULL;

  if (g_str_equal (name, "socket"))
    {
      GSocket *socket = ensure_socket (self);

      if (socket == NULL)
        return FALSE;

      g_value_init (value, G_TYPE_SOCKET);
      g_value_set_object (value, socket);
      return TRUE;
    }

  if (g_str_equal (name, "peername") && self->peer != NULL)
    {
      address = g_socket_address_new_from_native (self->peer, self->peer_length);
    }
  else if (g_str_equal (name, "sockname") && self->fd >= 0)
    {
      struct sockaddr_storage storage;
      socklen_t length = sizeof storage;

      if (getsockname (self->fd, (struct sockaddr *) &storage, &length) == 0)
        address = g_socket_address_new_from_native (&storage, length);
    }

  if (address == NULL)
    return FALSE;

  g_value_init (value, G_TYPE_SOCKET_ADDRESS);
  g_value_take_object (value, address);

  return TRUE;
}

static void
loop_socket_transport_describe (LoopTransport *transport, LoopTransportDescription *description)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  description->kind = "socket";
  description->state = self->fd < 0         ? "closed"
                       : self->is_closing   ? "closing"
                       : self->is_eof_due   ? "half-closed"
                       : self->is_connected ? "open"
                                            : "connecting";
  description->fd = self->fd;
  description->n_received = __atomic_load_n (&self->n_received, __ATOMIC_RELAXED);
  description->n_sent = __atomic_load_n (&self->n_sent, __ATOMIC_RELAXED);
  description->write_buffer_size = loop_write_buffer_get_size (&self->buffer);
  description->low_water = self->low_water;
  description->high_water = self->high_water;
  description->is_reading = (self->watch.wanted & LOOP_INTEREST_READ) != 0;
  description->is_read_paused = self->is_read_paused != 0;
  description->is_write_paused = self->is_write_paused;
  description->peer = self->peer;
  description->peer_length = self->peer_length;
}

static void
loop_socket_transport_finalize (GObject *object)
{
  LoopSocketTransport *self = LOOP_SOCKET_TRANSPORT (object);

  g_assert (self->fd < 0 && self->waiter == NULL && self->lost_data == NULL);

  g_clear_object (&self->socket);
  g_clear_error (&self->write_error);
  g_clear_pointer (&self->peer, g_free);

  G_OBJECT_CLASS (loop_socket_transport_parent_class)->finalize (object);
}

static void
loop_socket_transport_class_init (LoopSocketTransportClass *klass)
{
  LoopTransportClass *transport_class = (LoopTransportClass *) klass;

  G_OBJECT_CLASS (klass)->finalize = loop_socket_transport_finalize;

  transport_class->close = loop_socket_transport_close;
  transport_class->abort = loop_socket_transport_abort;
  transport_class->is_closing = loop_socket_transport_is_closing;
  transport_class->get_extra_info = loop_socket_transport_get_extra_info;
  transport_class->protocol_changed = loop_socket_transport_protocol_changed;
  transport_class->describe = loop_socket_transport_describe;
  loop_socket_transport_class_init_read (transport_class);
  loop_socket_transport_class_init_write (transport_class);
  loop_socket_transport_class_init_send (transport_class);
}

static void
loop_socket_transport_init (LoopSocketTransport *self)
{
  self->fd = -1;
  self->high_water = LOOP_TRANSPORT_HIGH_WATER;
  self->low_water = LOOP_TRANSPORT_HIGH_WATER / 4;
}

/*
 * For constructors. The transport owns @fd from then on, but nothing happens before
 * loop_socket_transport_start(). On error @fd still belongs to the caller.
 */
gboolean
loop_socket_transport_attach (LoopSocketTransport *self, LoopEventLoop *loop, int fd, GObject *protocol, GError **error)
{
  gboolean is_watched;

  if (!loop_event_loop_check_open (loop, error))
    return FALSE;

  if (!loop_transport_accepts (LOOP_TRANSPORT (self), protocol))
    {
      g_set_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY,
                   "The protocol factory returned %s, which is not a protocol of type %s",
                   protocol != NULL ? G_OBJECT_TYPE_NAME (protocol) : "nothing",
                   g_type_name (LOOP_TRANSPORT_GET_CLASS (self)->get_protocol_type ()));
      return FALSE;
    }

  loop_fd_watcher_evict (loop, fd);
  loop_transport_set_up (LOOP_TRANSPORT (self), loop, protocol);

  /* Without interest for now; but from here on the loop knows of the transport, and closes it when it is closed. */
  loop_event_loop_enter (loop);
  loop_transport_register (LOOP_TRANSPORT (self));
  loop_watch_init (&self->watch, &loop_socket_transport_watch_class, self->parent_instance.node.id);
  is_watched = loop_poller_add (&loop->poller, &self->watch, fd, LOOP_INTEREST_NONE, error);
  if (is_watched)
    self->fd = fd;
  loop_event_loop_leave (loop);
  if (!is_watched)
    return FALSE;

  loop_event_loop_trace (loop, self->parent_instance.node.id);
  self->is_loop_ref_held = TRUE;
  g_object_ref (self);

  return TRUE;
}

/*
 * loop_socket_transport_new:
 * @fd: a connected, non-blocking socket
 * @socket: (nullable): the GSocket that owns @fd, if there is one
 * @peer: (nullable): the address of the peer
 *
 * Makes a transport: see loop_socket_transport_attach().
 */
LoopSocketTransport *
loop_socket_transport_new (LoopEventLoop *loop,
                           int fd,
                           GSocket *socket,
                           const struct sockaddr *peer,
                           socklen_t peer_length,
                           GObject *protocol,
                           GError **error)
{
  g_autoptr (LoopSocketTransport) self = g_object_new (LOOP_TYPE_SOCKET_TRANSPORT, NULL);

  if (peer_length > 0)
    {
      self->peer = g_memdup2 (peer, peer_length);
      self->peer_length = peer_length;
    }

  if (!loop_socket_transport_attach (self, loop, fd, protocol, error))
    return NULL;

  g_set_object (&self->socket, socket);

  return g_steal_pointer (&self);
}

static void
call_connection_made (gpointer data)
{
  LoopSocketTransport *self = data;
  g_autoptr (LoopFuture) waiter = NULL;

  if (self->is_lost)
    return;

  loop_socket_transport_set_shown (self, &self->is_connected, TRUE);
  self->iface->connection_made (loop_socket_transport_get_protocol (self), LOOP_TRANSPORT (self));
  loop_socket_transport_start_reading (self);

  waiter = g_steal_pointer (&self->waiter);
  if (waiter != NULL)
    loop_future_fulfil_object (waiter, self);
}

/*
 * loop_socket_transport_start:
 * @waiter: (nullable): is fulfilled with the transport once connection_made was called
 * @lost_func: (nullable): is called when the connection is lost or was never made
 * @lost_data: (nullable): an object, for @lost_func
 *
 * Calls connection_made in the next iteration and begins to read.
 */
void
loop_socket_transport_start (LoopSocketTransport *self,
                             LoopFuture *waiter,
                             LoopTransportLostFunc lost_func,
                             gpointer lost_data)
{
  self->lost_func = lost_func;
  g_set_object (&self->lost_data, lost_data);
  g_set_object (&self->waiter, waiter);

  loop_event_loop_schedule (get_loop (self), call_connection_made, g_object_ref (self), g_object_unref,
                            "connection_made");
}
