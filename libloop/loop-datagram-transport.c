/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-datagram-transport-private.h"

#include <errno.h>
#include <netinet/udp.h>

/* How many batches one event may lead to, so that many datagrams leave time for others. */
#define MAX_CALLS 4

/* The network has an error for each datagram that it refuses. When there is nothing else, it may well stay so. */
#define MAX_FAILURES 16
#define REST_NS (50 * 1000 * 1000)

/**
 * LoopDatagramTransport:
 *
 * The loop's side of a datagram endpoint. It hands the datagrams that come to the
 * [iface@DatagramProtocol] on the other side, and it sends.
 *
 * Of the functions of a transport those for streams of bytes, such as
 * [method@Transport.write], are not for datagrams.
 */
G_DEFINE_FINAL_TYPE (LoopDatagramTransport, loop_datagram_transport, LOOP_TYPE_SOCKET_TRANSPORT)

/* What both kinds of protocols are told by a socket transport, it tells by their one table of functions. */
#define ASSERT_SAME_PLACE(function)                                                                                    \
  G_STATIC_ASSERT (G_STRUCT_OFFSET (LoopDatagramProtocolInterface, function) ==                                        \
                   G_STRUCT_OFFSET (LoopProtocolInterface, function))
ASSERT_SAME_PLACE (connection_made);
ASSERT_SAME_PLACE (connection_lost);
ASSERT_SAME_PLACE (pause_writing);
ASSERT_SAME_PLACE (resume_writing);

static LoopTransportClass *
get_parent_class (void)
{
  return loop_datagram_transport_parent_class;
}

static inline LoopEventLoop *
get_loop (LoopDatagramTransport *self)
{
  return self->parent_instance.flow.parent_instance.loop;
}

static inline gboolean
can_deliver (LoopDatagramTransport *self)
{
  return !self->parent_instance.flow.is_read_paused && !self->parent_instance.flow.is_closing;
}

static inline void
deliver (LoopDatagramTransport *self, const LoopDatagram *datagram)
{
  LoopFlowTransport *flow = &self->parent_instance.flow;
  GSocketAddress *address =
      loop_address_cache_get_object (&loop_datagram_share_get (get_loop (self))->addresses, get_loop (self),
                                     datagram->address, datagram->address_length);

  loop_flow_transport_count (&flow->n_received, datagram->length);
  ((const LoopDatagramProtocolInterface *) flow->iface)
      ->datagram_received ((LoopDatagramProtocol *) flow->parent_instance.protocol, datagram->data, datagram->length,
                           address);
}

static void
deliver_kept (gpointer data)
{
  LoopDatagramTransport *self = data;

  self->is_delivery_due = FALSE;

  while (can_deliver (self) && self->received.size > 0)
    {
      LoopWriteBuffer one = { 0 };
      LoopDatagram datagram;

      /* A main loop in the callback may come here, too. */
      loop_write_buffer_move_datagram (&self->received, &one);
      loop_write_buffer_peek_datagrams (&one, &datagram, 1);
      deliver (self, &datagram);
      loop_write_buffer_clear (&one);
    }
}

static void
schedule_delivery (LoopDatagramTransport *self)
{
  if (self->is_delivery_due || self->received.size == 0)
    return;

  self->is_delivery_due = TRUE;
  loop_flow_transport_schedule (&self->parent_instance.flow, deliver_kept, "datagram_received");
}

/* Whether all of a datagram is there, and it is known to be a single one. */
static gboolean
is_whole (LoopDatagramTransport *self, int flags)
{
  return G_LIKELY ((flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) || ((flags & MSG_TRUNC) == 0 && !self->has_trains);
}

static void
keep_rest (LoopDatagramTransport *self)
{
  LoopDatagram datagram;
  int flags;

  while (loop_datagram_batch_next (self->batch, &datagram, &flags))
    {
      if (is_whole (self, flags))
        loop_write_buffer_append_datagram (&self->received, &datagram);
    }
}

/* The protocol runs a main loop, which may wait for what is in the batch. */
static void
before_nested_poll (gpointer data)
{
  LoopDatagramTransport *self = data;

  loop_datagram_transport_send_collected (self);
  keep_rest (self);
  if (can_deliver (self))
    schedule_delivery (self);
}

static void
deliver_batch (LoopDatagramTransport *self)
{
  LoopDatagramBatch *batch = self->batch;
  LoopDatagram datagram;
  int flags;

  while (can_deliver (self) && loop_datagram_batch_next (batch, &datagram, &flags))
    {
      if (G_LIKELY (is_whole (self, flags)))
        deliver (self, &datagram);
      else
        loop_datagram_transport_report (self, EMSGSIZE, "A datagram could not be received");

      if (batch->n_collected > 0 && G_UNLIKELY (loop_datagram_batch_is_old (batch)))
        loop_datagram_transport_send_collected (self);
    }

  if (G_UNLIKELY (self->parent_instance.flow.is_read_paused))
    keep_rest (self);
}

static void
end_rest (LoopDatagramTransport *self)
{
  LoopTimerHandle *rest = g_steal_pointer (&self->rest);

  if (rest == NULL)
    return;

  loop_timer_handle_cancel (rest);
  loop_timer_handle_unref (rest);
}

static void
rest_is_over (gpointer data)
{
  LoopDatagramTransport *self = data;

  g_clear_pointer (&self->rest, loop_timer_handle_unref);
  loop_flow_transport_start_reading (&self->parent_instance.flow);
}

/* A socket that cannot be received from, for want of memory for example, stays readable: that is not to be all there is. */
static void
note_failure (LoopDatagramTransport *self, int saved_errno)
{
  LoopEventLoop *loop = get_loop (self);

  if (++self->n_failures >= MAX_FAILURES && self->rest == NULL)
    {
      loop_flow_transport_stop_reading (&self->parent_instance.flow);
      self->rest = loop_timer_handle_ref (loop_event_loop_schedule_at (
          loop, loop_clock_now () + REST_NS, rest_is_over, g_object_ref (self), g_object_unref, "datagram endpoint"));
    }

  loop_datagram_transport_report (self, saved_errno, "The socket of an endpoint reports an error");
}

static void
datagram_transport_readable (LoopWatch *watch)
{
  LoopDatagramTransport *self = loop_datagram_transport_from_watch (watch);
  LoopEventLoop *loop = get_loop (self);
  LoopDatagramBatch *outer_batch = self->batch;
  void (*outer_before) (gpointer) = loop->before_nested_poll;
  gpointer outer_data = loop->before_nested_poll_data;

  /* It came before. */
  if (G_UNLIKELY (self->received.size > 0))
    deliver_kept (self);

  self->batch = loop_datagram_share_take (loop_datagram_share_get (loop));
  loop->before_nested_poll = before_nested_poll;
  loop->before_nested_poll_data = self;

  for (int i = 0; i < MAX_CALLS && can_deliver (self); i++)
    {
      int status = loop_datagram_batch_receive (self->batch, self->parent_instance.flow.fd, self->is_unix);

      if (status < 0)
        {
          if (errno != EAGAIN)
            note_failure (self, errno);
          break;
        }

      self->n_failures = 0;
      deliver_batch (self);
      loop_datagram_transport_send_collected (self);
      if (status == 0)
        break;
    }

  loop_datagram_share_give_back (loop, self->batch);
  self->batch = outer_batch;
  loop->before_nested_poll = outer_before;
  loop->before_nested_poll_data = outer_data;
}

static void
loop_datagram_transport_close (LoopTransport *transport)
{
  LoopDatagramTransport *self = loop_datagram_transport_from_base (transport);

  loop_datagram_transport_send_collected (self);
  end_rest (self);
  get_parent_class ()->close (transport);
  loop_write_buffer_clear (&self->received);
}

static void
loop_datagram_transport_abort (LoopTransport *transport)
{
  LoopDatagramTransport *self = loop_datagram_transport_from_base (transport);

  loop_datagram_transport_send_collected (self);
  end_rest (self);
  get_parent_class ()->abort (transport);
  loop_write_buffer_clear (&self->received);
}

static void
loop_datagram_transport_resume_reading (LoopTransport *transport)
{
  LoopDatagramTransport *self = loop_datagram_transport_from_base (transport);

  get_parent_class ()->resume_reading (transport);
  if (can_deliver (self))
    schedule_delivery (self);
}

static void
loop_datagram_transport_protocol_changed (LoopTransport *transport)
{
  loop_datagram_transport_from_base (transport)->parent_instance.flow.iface =
      (const LoopProtocolInterface *) LOOP_DATAGRAM_PROTOCOL_GET_IFACE (transport->protocol);
}

static void
refuse_stream (void)
{
  g_critical ("A datagram transport carries no stream of bytes: datagrams are sent with sendto()");
}

static void
loop_datagram_transport_write (LoopTransport *transport, const guint8 *data, gsize length)
{
  refuse_stream ();
}

static void
loop_datagram_transport_write_bytes (LoopTransport *transport, GBytes **bytes, gsize n_bytes)
{
  refuse_stream ();
}

static void
loop_datagram_transport_write_eof (LoopTransport *transport)
{
  refuse_stream ();
}

static gboolean
loop_datagram_transport_can_write_eof (LoopTransport *transport)
{
  return FALSE;
}

static void
loop_datagram_transport_finalize (GObject *object)
{
  LoopDatagramTransport *self = LOOP_DATAGRAM_TRANSPORT (object);

  loop_write_buffer_clear (&self->received);
  g_clear_pointer (&self->rest, loop_timer_handle_unref);
  g_clear_pointer (&self->errors, g_array_unref);
  g_clear_object (&self->remote);

  G_OBJECT_CLASS (loop_datagram_transport_parent_class)->finalize (object);
}

static LoopWatchClass datagram_transport_watch_class;

static void
loop_datagram_transport_class_init (LoopDatagramTransportClass *klass)
{
  LoopTransportClass *transport_class = (LoopTransportClass *) klass;

  G_OBJECT_CLASS (klass)->finalize = loop_datagram_transport_finalize;
  ((LoopFlowTransportClass *) klass)->kind = "datagram";

  transport_class->get_protocol_type = loop_datagram_protocol_get_type;
  transport_class->protocol_changed = loop_datagram_transport_protocol_changed;
  transport_class->close = loop_datagram_transport_close;
  transport_class->abort = loop_datagram_transport_abort;
  transport_class->resume_reading = loop_datagram_transport_resume_reading;
  transport_class->write = loop_datagram_transport_write;
  transport_class->write_bytes = loop_datagram_transport_write_bytes;
  transport_class->write_eof = loop_datagram_transport_write_eof;
  transport_class->can_write_eof = loop_datagram_transport_can_write_eof;
  /* A file has no datagrams. */
  transport_class->set_sender = NULL;

  datagram_transport_watch_class = loop_socket_transport_watch_class;
  datagram_transport_watch_class.readable = datagram_transport_readable;
  datagram_transport_watch_class.writable = loop_datagram_transport_writable;
}

static void
loop_datagram_transport_init (LoopDatagramTransport *self)
{
}

static int
get_option (int fd, int level, int name)
{
  int value = -1;
  socklen_t length = sizeof value;

  return getsockopt (fd, level, name, &value, &length) == 0 ? value : -1;
}

/* A socket that others may have as well goes on to hand them single datagrams. */
static void
set_up_socket (LoopDatagramTransport *self, int fd, gboolean is_own)
{
  LoopFlowTransport *flow = &self->parent_instance.flow;
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  int family = get_option (fd, SOL_SOCKET, SO_DOMAIN);
  int one = 1;

  self->is_unix = family == AF_UNIX;

  if (getpeername (fd, (struct sockaddr *) &peer, &length) == 0)
    {
      self->has_peer = TRUE;
      flow->peer = g_memdup2 (&peer, length);
      flow->peer_length = length;
      if (self->remote == NULL)
        self->remote = g_socket_address_new_from_native (&peer, length);
    }

  if ((family != AF_INET && family != AF_INET6) || get_option (fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_UDP)
    return;

  if (get_option (fd, SOL_UDP, UDP_SEGMENT) >= 0)
    self->max_segment = G_MAXUINT16;
  if (is_own)
    self->has_trains = setsockopt (fd, SOL_UDP, UDP_GRO, &one, sizeof one) == 0;
}

/*
 * loop_datagram_transport_new:
 * @fd: a bound or connected, non-blocking socket
 * @socket: (nullable): the GSocket that owns @fd, if there is one
 * @remote: (nullable): what a datagram without an address is sent to; the peer that @fd is
 *   connected to, if it is
 *
 * Makes a transport: see loop_socket_transport_attach().
 */
LoopDatagramTransport *
loop_datagram_transport_new (LoopEventLoop *loop,
                             int fd,
                             GSocket *socket,
                             GSocketAddress *remote,
                             GObject *protocol,
                             GError **error)
{
  g_autoptr (LoopDatagramTransport) self = g_object_new (LOOP_TYPE_DATAGRAM_TRANSPORT, NULL);

  g_set_object (&self->remote, remote);
  set_up_socket (self, fd, socket == NULL);

  if (!loop_socket_transport_attach (&self->parent_instance, loop, fd, protocol, error))
    return NULL;

  self->parent_instance.watch.klass = &datagram_transport_watch_class;
  g_set_object (&self->parent_instance.socket, socket);

  return g_steal_pointer (&self);
}
