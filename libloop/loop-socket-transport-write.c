/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-socket-transport-private.h"

#include <errno.h>

/*
 * The writing half of the transport: at once when nothing is buffered, otherwise when the
 * descriptor is ready.
 */

/* What a call that sent @n bytes, or failed, means: the number of bytes, or -1 when the connection failed. */
static inline gssize
check_sent (LoopSocketTransport *self, gssize n)
{
  if (G_LIKELY (n >= 0))
    {
      loop_flow_transport_count (&self->flow.n_sent, (gsize) n);
      return n;
    }

  if (errno == EAGAIN)
    return 0;

  loop_socket_transport_fail_write (self, errno);

  return -1;
}

static gssize
send_iov_now (LoopSocketTransport *self, struct iovec *iov, guint n_iov)
{
  struct msghdr message = { .msg_iov = iov, .msg_iovlen = n_iov };
  gssize n;

  do
    n = self->file != NULL ? self->file->write (self->flow.fd, iov, (int) n_iov)
                           : sendmsg (self->flow.fd, &message, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);

  return check_sent (self, n);
}

static inline gssize
send_now (LoopSocketTransport *self, gconstpointer data, gsize length)
{
  gssize n;

  if (G_UNLIKELY (self->file != NULL))
    return send_iov_now (self, &(struct iovec) { (gpointer) data, length }, 1);

  do
    n = send (self->flow.fd, data, length, MSG_NOSIGNAL);
  while (G_UNLIKELY (n < 0 && errno == EINTR));

  return check_sent (self, n);
}

/* A peer that is never told of the end would wait for it for ever. */
static void
send_eof (LoopSocketTransport *self)
{
  if (shutdown (self->flow.fd, SHUT_WR) < 0)
    loop_socket_transport_fail_write (self, errno);
}

static void
loop_socket_transport_go_on (LoopFlowTransport *flow)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (flow);

  if (flow->buffer.size > 0 || flow->error != NULL || flow->is_lost)
    return;

  loop_socket_transport_set_interest (self, self->watch.wanted & ~LOOP_INTEREST_WRITE);
  if (flow->sender != NULL)
    flow->sender->ready (flow->sender);
  else if (flow->is_closing)
    loop_flow_transport_force_close (flow, NULL);
  else if (flow->is_eof_due)
    send_eof (self);
}

/* Some of what is buffered was sent. */
void
loop_socket_transport_wrote (LoopSocketTransport *self)
{
  /* It may write again, and lose the connection by that. */
  loop_flow_transport_maybe_resume (&self->flow);
  loop_socket_transport_go_on (&self->flow);
}

/* Returns: %FALSE if the connection has failed */
static gboolean
send_buffered (LoopSocketTransport *self)
{
  struct iovec iov[LOOP_WRITE_BUFFER_MAX_IOV];

  for (int i = 0; i < LOOP_FLOW_TRANSPORT_MAX_CALLS && self->flow.buffer.size > 0; i++)
    {
      guint n_iov = loop_write_buffer_peek (&self->flow.buffer, iov, G_N_ELEMENTS (iov));
      gsize wanted = 0;
      gssize n = n_iov == 1 ? send_now (self, iov[0].iov_base, iov[0].iov_len) : send_iov_now (self, iov, n_iov);

      if (n < 0)
        return FALSE;

      for (guint j = 0; j < n_iov; j++)
        wanted += iov[j].iov_len;

      loop_write_buffer_consume (&self->flow.buffer, (gsize) n);
      if ((gsize) n < wanted)
        break;
    }

  return TRUE;
}

static void
loop_socket_transport_stop_writing (LoopFlowTransport *flow)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (flow);

  /* What would have gone at once, had it not been gathered, still goes if it can. */
  if (G_UNLIKELY (self->gathering >= LOOP_GATHER_ALL))
    {
      self->gathering = LOOP_GATHER_NOTHING;
      send_buffered (self);
    }
  loop_write_buffer_clear (&flow->buffer);
  loop_socket_transport_set_interest (self, self->watch.wanted & ~LOOP_INTEREST_WRITE);
}

void
loop_socket_transport_writable (LoopWatch *watch)
{
  LoopSocketTransport *self = loop_socket_transport_from_watch (watch);

  if (self->gathering == LOOP_GATHER_BATCH)
    {
      self->gathering = LOOP_GATHER_NOTHING;
      self->is_piecewise = self->n_written > 1;
    }
  if (send_buffered (self))
    loop_socket_transport_wrote (self);
}

/* In a callback that is no event of this transport. Returns: whether what it writes is gathered from now on */
static gboolean
gather_in_batch (LoopSocketTransport *self)
{
  LoopEventLoop *loop = self->flow.parent_instance.loop;
  const LoopReadyItem *item = loop->current.item;

  if (item == NULL)
    return FALSE;

  if (loop_ready_queue_is_empty (&loop->batch) && !self->is_piecewise)
    {
      guint32 writer = item->kind == LOOP_ITEM_HANDLE ? (guint32) ((const LoopHandle *) item)->id : 0;
      gboolean is_first = writer == 0 || writer != self->last_writer;

      self->last_writer = writer;
      if (is_first)
        return FALSE;
    }

  self->gathering = LOOP_GATHER_BATCH;
  self->n_written = 1;
  loop_event_loop_enter (loop);
  if (!loop_ready_item_is_queued (&self->watch.writer))
    loop_ready_queue_push (&loop->written, &self->watch.writer);
  loop_event_loop_leave (loop);

  return TRUE;
}

/* Before something is written. Returns: whether it may go at once */
static inline gboolean
may_send_now (LoopSocketTransport *self)
{
  guint8 gathering = self->gathering;

  if (gathering == LOOP_GATHER_NOTHING)
    return self->flow.buffer.size == 0 && !gather_in_batch (self);

  self->n_written = self->n_written == 0 ? 1 : 2;
  if (gathering == LOOP_GATHER_NEXT)
    self->gathering = LOOP_GATHER_ALL;

  return self->flow.buffer.size == 0 && gathering == LOOP_GATHER_NEXT;
}

/* Before an event of reading is handled. A main loop in there may handle others: then there is no gathering any more. */
void
loop_socket_transport_begin_gathering (LoopSocketTransport *self)
{
  /* The descriptor took no more. */
  if (G_UNLIKELY (self->flow.buffer.size > 0))
    return;

  self->gathering = self->n_written > 1 ? LOOP_GATHER_ALL : LOOP_GATHER_NEXT;
  self->n_written = 0;
}

void
loop_socket_transport_end_gathering (LoopSocketTransport *self)
{
  gboolean is_gathered = self->gathering == LOOP_GATHER_ALL && (self->watch.wanted & LOOP_INTEREST_WRITE) != 0;

  self->gathering = LOOP_GATHER_NOTHING;
  if (is_gathered)
    loop_socket_transport_writable (&self->watch);
}

/* Something was buffered. */
void
loop_socket_transport_expect_writable (LoopSocketTransport *self)
{
  if (self->gathering >= LOOP_GATHER_ALL && self->flow.buffer.size > MIN (LOOP_GATHER_SIZE, self->flow.high_water))
    {
      if (!send_buffered (self))
        return;
      if (self->flow.buffer.size > 0)
        self->gathering = LOOP_GATHER_NOTHING;
    }

  loop_socket_transport_set_interest (self, self->watch.wanted | LOOP_INTEREST_WRITE);
  loop_flow_transport_maybe_pause (&self->flow);
}

static void
loop_socket_transport_write (LoopTransport *transport, const guint8 *data, gsize length)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);
  gssize n = 0;

  if (G_UNLIKELY (self->flow.is_unwritable))
    {
      loop_flow_transport_refuse_write (&self->flow);
      return;
    }

  if (may_send_now (self))
    {
      n = send_now (self, data, length);
      if (G_LIKELY ((gsize) n == length))
        return;
      if (n < 0)
        return;
      self->gathering = LOOP_GATHER_NOTHING;
    }

  loop_write_buffer_append (&self->flow.buffer, data + n, length - (gsize) n);
  loop_socket_transport_expect_writable (self);
}

/* Writes the front of @bytes at once, and returns the number of bytes, or -1 on failure. */
static gssize
write_bytes_now (LoopSocketTransport *self, GBytes **bytes, gsize n_bytes)
{
  struct iovec iov[LOOP_WRITE_BUFFER_MAX_IOV];
  guint n_iov = 0;

  for (gsize i = 0; i < n_bytes && n_iov < G_N_ELEMENTS (iov); i++)
    {
      gsize length;
      gconstpointer data = g_bytes_get_data (bytes[i], &length);

      if (length > 0)
        iov[n_iov++] = (struct iovec) { (gpointer) data, length };
    }

  return n_iov > 0 ? send_iov_now (self, iov, n_iov) : 0;
}

static void
loop_socket_transport_put_bytes (LoopFlowTransport *flow, GBytes **bytes, gsize n_bytes)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (flow);
  gsize written = 0;

  if (may_send_now (self))
    {
      gssize n = write_bytes_now (self, bytes, n_bytes);

      if (n < 0)
        return;
      written = (gsize) n;
    }

  loop_write_buffer_append_bytes (&self->flow.buffer, bytes, n_bytes, written);
  if (self->flow.buffer.size > 0)
    loop_socket_transport_expect_writable (self);
}

/* --- For a sender ------------------------------------------------------------------------------ */

static int
loop_socket_transport_get_sender_fd (LoopTransport *transport)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  return self->file == NULL ? self->flow.fd : -1;
}

static void
loop_socket_transport_report_sent (LoopTransport *transport, gsize n_sent, int saved_errno)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  loop_flow_transport_count (&self->flow.n_sent, n_sent);
  if (saved_errno == EAGAIN)
    loop_socket_transport_set_interest (self, self->watch.wanted | LOOP_INTEREST_WRITE);
  else if (saved_errno != 0)
    loop_socket_transport_fail_write (self, saved_errno);
}

void
loop_socket_transport_class_init_write (LoopFlowTransportClass *klass)
{
  klass->put_bytes = loop_socket_transport_put_bytes;
  klass->go_on = loop_socket_transport_go_on;
  klass->stop_writing = loop_socket_transport_stop_writing;
  klass->parent_class.write = loop_socket_transport_write;
  klass->parent_class.get_sender_fd = loop_socket_transport_get_sender_fd;
  klass->parent_class.report_sent = loop_socket_transport_report_sent;
}
