/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-socket-transport-private.h"

#include <errno.h>

/*
 * The writing half of the transport: at once when nothing is buffered, otherwise when the
 * descriptor is ready.
 */

static void
maybe_pause_protocol (LoopSocketTransport *self)
{
  if (self->is_write_paused || self->buffer.size <= self->high_water || self->iface == NULL || self->sender != NULL)
    return;

  loop_socket_transport_set_shown (self, &self->is_write_paused, TRUE);
  self->iface->pause_writing (loop_socket_transport_get_protocol (self));
}

static void
maybe_resume_protocol (LoopSocketTransport *self)
{
  if (!self->is_write_paused || self->buffer.size > self->low_water || self->iface == NULL || self->sender != NULL)
    return;

  loop_socket_transport_set_shown (self, &self->is_write_paused, FALSE);
  self->iface->resume_writing (loop_socket_transport_get_protocol (self));
}

/* What a call that sent @n bytes, or failed, means: the number of bytes, or -1 when the connection failed. */
static inline gssize
check_sent (LoopSocketTransport *self, gssize n)
{
  if (G_LIKELY (n >= 0))
    {
      loop_socket_transport_count (&self->n_sent, (gsize) n);
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
    n = self->file != NULL ? self->file->write (self->fd, iov, (int) n_iov)
                           : sendmsg (self->fd, &message, MSG_NOSIGNAL);
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
    n = send (self->fd, data, length, MSG_NOSIGNAL);
  while (G_UNLIKELY (n < 0 && errno == EINTR));

  return check_sent (self, n);
}

/* A peer that is never told of the end would wait for it for ever. */
static void
send_eof (LoopSocketTransport *self)
{
  if (shutdown (self->fd, SHUT_WR) < 0)
    loop_socket_transport_fail_write (self, errno);
}

static void
finish_writing (LoopSocketTransport *self)
{
  loop_socket_transport_set_interest (self, self->watch.wanted & ~LOOP_INTEREST_WRITE);

  if (self->is_closing)
    {
      if (!self->is_lost)
        loop_socket_transport_schedule_connection_lost (self, NULL);
    }
  else if (self->is_eof_due)
    {
      send_eof (self);
    }
}

/* Some of what is buffered was sent. */
void
loop_socket_transport_wrote (LoopSocketTransport *self)
{
  /* It may write again, and lose the connection by that. */
  maybe_resume_protocol (self);

  if (self->buffer.size > 0 || self->write_error != NULL)
    return;

  if (self->sender != NULL)
    loop_socket_transport_wake_sender (self);
  else
    finish_writing (self);
}

/* Returns: %FALSE if the connection has failed */
static gboolean
send_buffered (LoopSocketTransport *self)
{
  struct iovec iov[LOOP_WRITE_BUFFER_MAX_IOV];

  for (int i = 0; i < LOOP_SOCKET_TRANSPORT_MAX_CALLS && self->buffer.size > 0; i++)
    {
      guint n_iov = loop_write_buffer_peek (&self->buffer, iov, G_N_ELEMENTS (iov));
      gsize wanted = 0;
      gssize n = send_iov_now (self, iov, n_iov);

      if (n < 0)
        return FALSE;

      for (guint j = 0; j < n_iov; j++)
        wanted += iov[j].iov_len;

      loop_write_buffer_consume (&self->buffer, (gsize) n);
      if ((gsize) n < wanted)
        break;
    }

  return TRUE;
}

void
loop_socket_transport_writable (LoopWatch *watch)
{
  LoopSocketTransport *self = loop_socket_transport_from_watch (watch);

  if (send_buffered (self))
    loop_socket_transport_wrote (self);
}

/* Does what a sender has kept waiting. */
void
loop_socket_transport_catch_up (LoopSocketTransport *self)
{
  if (self->is_eof_due && self->buffer.size == 0)
    send_eof (self);

  maybe_pause_protocol (self);
  maybe_resume_protocol (self);
}

/* Data is written that cannot be sent any more: warns, once, that it is lost. */
void
loop_socket_transport_refuse_write (LoopSocketTransport *self)
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

/* Before something is written. Returns: whether it may go at once */
static inline gboolean
may_send_now (LoopSocketTransport *self)
{
  guint8 gathering = self->gathering;

  if (G_UNLIKELY (gathering != LOOP_GATHER_NOTHING))
    {
      self->gathering = LOOP_GATHER_ALL;
      self->n_written = self->n_written == 0 ? 1 : 2;
    }

  return self->buffer.size == 0 && gathering != LOOP_GATHER_ALL;
}

/* Before an event of reading is handled. A main loop in there may handle others: then there is no gathering any more. */
void
loop_socket_transport_begin_gathering (LoopSocketTransport *self)
{
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
  if (self->gathering == LOOP_GATHER_ALL && self->buffer.size > MIN (LOOP_GATHER_SIZE, self->high_water))
    {
      if (!send_buffered (self))
        return;
      if (self->buffer.size > 0)
        self->gathering = LOOP_GATHER_NOTHING;
    }

  loop_socket_transport_set_interest (self, self->watch.wanted | LOOP_INTEREST_WRITE);
  maybe_pause_protocol (self);
}

static void
loop_socket_transport_write (LoopTransport *transport, const guint8 *data, gsize length)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);
  gssize n = 0;

  if (G_UNLIKELY (self->is_unwritable))
    {
      loop_socket_transport_refuse_write (self);
      return;
    }

  if (may_send_now (self))
    {
      n = send_now (self, data, length);
      if (G_LIKELY ((gsize) n == length))
        return;
      if (n < 0)
        return;
    }

  loop_write_buffer_append (&self->buffer, data + n, length - (gsize) n);
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

void
loop_socket_transport_send_bytes (LoopSocketTransport *self, GBytes **bytes, gsize n_bytes)
{
  gsize written = 0;

  if (may_send_now (self))
    {
      gssize n = write_bytes_now (self, bytes, n_bytes);

      if (n < 0)
        return;
      written = (gsize) n;
    }

  for (gsize i = 0; i < n_bytes; i++)
    {
      gsize skipped = MIN (written, g_bytes_get_size (bytes[i]));

      loop_write_buffer_append_bytes (&self->buffer, bytes[i], skipped);
      written -= skipped;
    }

  if (self->buffer.size > 0)
    loop_socket_transport_expect_writable (self);
}

static void
loop_socket_transport_write_bytes (LoopTransport *transport, GBytes **bytes, gsize n_bytes)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  if (G_LIKELY (!self->is_unwritable))
    loop_socket_transport_send_bytes (self, bytes, n_bytes);
  else
    loop_socket_transport_refuse_write (self);
}

static void
loop_socket_transport_write_eof (LoopTransport *transport)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  if (self->is_closing || self->is_eof_due)
    return;

  self->is_unwritable = TRUE;
  loop_socket_transport_set_shown (self, &self->is_eof_due, TRUE);
  if (self->buffer.size == 0 && self->sender == NULL)
    send_eof (self);
}

static gboolean
loop_socket_transport_can_write_eof (LoopTransport *transport)
{
  return TRUE;
}

static gsize
loop_socket_transport_get_write_buffer_size (LoopTransport *transport)
{
  return loop_socket_transport_from_base (transport)->buffer.size;
}

static void
loop_socket_transport_set_write_buffer_limits (LoopTransport *transport, gsize high, gsize low)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  loop_event_loop_enter (transport->loop);
  self->high_water = high;
  self->low_water = low;
  loop_event_loop_leave (transport->loop);
  maybe_pause_protocol (self);
}

static void
loop_socket_transport_get_write_buffer_limits (LoopTransport *transport, gsize *low, gsize *high)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  *low = self->low_water;
  *high = self->high_water;
}

void
loop_socket_transport_class_init_write (LoopTransportClass *klass)
{
  klass->write = loop_socket_transport_write;
  klass->write_bytes = loop_socket_transport_write_bytes;
  klass->write_eof = loop_socket_transport_write_eof;
  klass->can_write_eof = loop_socket_transport_can_write_eof;
  klass->get_write_buffer_size = loop_socket_transport_get_write_buffer_size;
  klass->set_write_buffer_limits = loop_socket_transport_set_write_buffer_limits;
  klass->get_write_buffer_limits = loop_socket_transport_get_write_buffer_limits;
}
