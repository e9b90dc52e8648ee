/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-fd-watcher-private.h"
#include "loop-socket-transport-private.h"

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
G_DEFINE_TYPE (LoopSocketTransport, loop_socket_transport, LOOP_TYPE_FLOW_TRANSPORT)

static inline LoopEventLoop *
get_loop (LoopSocketTransport *self)
{
  return self->flow.parent_instance.loop;
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

/* The last that the transport does with @fd, which may be -1. */
static void
leave_fd (LoopSocketTransport *self, int fd)
{
  LoopEventLoop *loop = get_loop (self);

  loop_event_loop_enter (loop);
  if (self->watch.fd >= 0)
    loop_poller_remove (&loop->poller, &self->watch);
  self->flow.fd = -1;
  loop_event_loop_leave (loop);

  if (fd >= 0 && self->file != NULL)
    self->file->leave (self, fd);
}

static int
loop_socket_transport_steal_fd (LoopTransport *transport)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);
  int fd = self->flow.fd;

  if (!self->flow.is_lost || self->socket != NULL)
    return -1;

  leave_fd (self, fd);

  return fd;
}

static void
loop_socket_transport_release (LoopFlowTransport *flow, int fd)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (flow);

  leave_fd (self, fd);
  if (self->is_socket_broken)
    g_clear_object (&self->socket);
  else if (self->socket != NULL)
    g_socket_close (self->socket, NULL);
  else if (fd >= 0)
    close (fd);
}

void
loop_socket_transport_fail_write (LoopSocketTransport *self, int saved_errno)
{
  GError *error = NULL;

  self->gathering = LOOP_GATHER_NOTHING;
  loop_set_error_from_errno (&error, saved_errno, "Could not write to the connection");
  loop_flow_transport_fail_write (&self->flow, error);
}

static void
socket_transport_watch_failed (LoopWatch *watch, GError *error)
{
  loop_flow_transport_force_close (&loop_socket_transport_from_watch (watch)->flow, g_error_copy (error));
}

static void
socket_transport_watch_closed (LoopWatch *watch)
{
  LoopFlowTransport *flow = &loop_socket_transport_from_watch (watch)->flow;

  loop_flow_transport_loop_closed (flow);
  loop_flow_transport_let_go (flow);
}

static void
socket_transport_watch_describe (const LoopWatch *watch, gboolean is_writer, LoopDescription *description)
{
  const LoopTransport *transport = &loop_socket_transport_from_watch ((LoopWatch *) watch)->flow.parent_instance;

  description->id = transport->node.id;
  description->kind = "transport";
  description->name = transport->protocol != NULL ? G_OBJECT_TYPE_NAME (transport->protocol) : NULL;
  description->fd = watch->fd;
}

const LoopWatchClass loop_socket_transport_watch_class = {
  .readable = loop_socket_transport_readable,
  .writable = loop_socket_transport_writable,
  .failed = socket_transport_watch_failed,
  .closed = socket_transport_watch_closed,
  .describe = socket_transport_watch_describe,
};

/* The GSocket owns the descriptor from then on. */
static GSocket *
ensure_socket (LoopSocketTransport *self)
{
  if (self->socket == NULL && self->flow.fd >= 0)
    {
      /* Should that fail, the object is kept, for it closes the descriptor when it is freed: see loop_socket_wrap(). */
      self->socket = g_object_new (G_TYPE_SOCKET, "fd", self->flow.fd, NULL);
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

  if (g_str_equal (name, "peername") && self->flow.peer != NULL)
    {
      address = g_socket_address_new_from_native (self->flow.peer, self->flow.peer_length);
    }
  else if (g_str_equal (name, "sockname") && self->flow.fd >= 0)
    {
      struct sockaddr_storage storage;
      socklen_t length = sizeof storage;

      if (getsockname (self->flow.fd, (struct sockaddr *) &storage, &length) == 0)
        address = g_socket_address_new_from_native (&storage, length);
    }

  if (address == NULL)
    return FALSE;

  g_value_init (value, G_TYPE_SOCKET_ADDRESS);
  g_value_take_object (value, address);

  return TRUE;
}

static void
loop_socket_transport_finalize (GObject *object)
{
  g_clear_object (&LOOP_SOCKET_TRANSPORT (object)->socket);

  G_OBJECT_CLASS (loop_socket_transport_parent_class)->finalize (object);
}

static void
loop_socket_transport_class_init (LoopSocketTransportClass *klass)
{
  LoopFlowTransportClass *flow_class = &klass->parent_class;

  G_OBJECT_CLASS (klass)->finalize = loop_socket_transport_finalize;

  flow_class->parent_class.get_extra_info = loop_socket_transport_get_extra_info;
  flow_class->parent_class.steal_fd = loop_socket_transport_steal_fd;
  flow_class->kind = "socket";
  flow_class->release = loop_socket_transport_release;
  loop_socket_transport_class_init_read (flow_class);
  loop_socket_transport_class_init_write (flow_class);
}

static void
loop_socket_transport_init (LoopSocketTransport *self)
{
}

/*
 * For constructors. The transport owns @fd from then on, but nothing happens before
 * loop_flow_transport_start(). On error @fd still belongs to the caller.
 */
gboolean
loop_socket_transport_attach (LoopSocketTransport *self, LoopEventLoop *loop, int fd, GObject *protocol, GError **error)
{
  gboolean is_watched;

  if (!loop_flow_transport_check (&self->flow, loop, protocol, error))
    return FALSE;

  loop_fd_watcher_evict (loop, fd);
  loop_transport_set_up (LOOP_TRANSPORT (self), loop, protocol);

  /* Without interest for now; but from here on the loop knows of the transport, and closes it when it is closed. */
  loop_event_loop_enter (loop);
  loop_transport_register (LOOP_TRANSPORT (self));
  loop_watch_init (&self->watch, &loop_socket_transport_watch_class, self->flow.parent_instance.node.id);
  is_watched = loop_poller_add (&loop->poller, &self->watch, fd, LOOP_INTEREST_NONE, error);
  if (is_watched)
    self->flow.fd = fd;
  loop_event_loop_leave (loop);
  if (!is_watched)
    return FALSE;

  loop_flow_transport_hold (&self->flow);

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
      self->flow.peer = g_memdup2 (peer, peer_length);
      self->flow.peer_length = peer_length;
    }

  if (!loop_socket_transport_attach (self, loop, fd, protocol, error))
    return NULL;

  g_set_object (&self->socket, socket);

  return g_steal_pointer (&self);
}
