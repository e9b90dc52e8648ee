/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-socket-transport-private.h"

#include <errno.h>

/*
 * The reading half of the transport: through a buffer that all of the loop share, or into
 * memory of the protocol's.
 */

static gboolean
can_read (LoopSocketTransport *self)
{
  return !self->is_read_paused && !self->is_read_finished && !self->is_closing && self->is_connected;
}

void
loop_socket_transport_start_reading (LoopSocketTransport *self)
{
  if (can_read (self))
    loop_socket_transport_set_interest (self, self->watch.wanted | LOOP_INTEREST_READ);
}

void
loop_socket_transport_stop_reading (LoopSocketTransport *self)
{
  loop_socket_transport_set_interest (self, self->watch.wanted & ~LOOP_INTEREST_READ);
}

static void
fail_read (LoopSocketTransport *self, int saved_errno)
{
  GError *error = NULL;

  loop_set_error_from_errno (&error, saved_errno, "Could not read from the connection");
  loop_socket_transport_force_close (self, error);
}

static void
handle_eof (LoopSocketTransport *self)
{
  gboolean keep_open;

  self->is_read_finished = TRUE;
  loop_socket_transport_stop_reading (self);

  keep_open = self->iface->eof_received (loop_socket_transport_get_protocol (self));
  if (!keep_open || self->file != NULL)
    loop_transport_close (LOOP_TRANSPORT (self));
}

/* What a read that gave no bytes says. Returns: %TRUE if it is to be tried again */
static gboolean
check_read (LoopSocketTransport *self, gssize n)
{
  if (n < 0 && errno == EINTR)
    return TRUE;

  /* The failed write has taken the error of a reset, which now looks like an orderly end. */
  if (n == 0 && self->write_error == NULL)
    handle_eof (self);
  else if (n < 0 && errno != EAGAIN)
    fail_read (self, errno);

  return FALSE;
}

static inline gssize
read_now (LoopSocketTransport *self, gpointer buffer, gsize size)
{
  return G_UNLIKELY (self->file != NULL) ? self->file->read (self->fd, buffer, size) : recv (self->fd, buffer, size, 0);
}

/* Reads what is there and hands it over, as long as the protocol wants more. */
static void
read_some (LoopSocketTransport *self, gboolean until_empty, int max_calls)
{
  LoopEventLoop *loop = self->parent_instance.loop;
  gboolean is_shared;
  gsize size;
  guint8 *buffer = loop_event_loop_take_read_buffer (loop, &size, &is_shared);

  for (int i = 0; i < max_calls; i++)
    {
      gssize n = read_now (self, buffer, size);

      if (G_LIKELY (n > 0))
        {
          loop_socket_transport_count (&self->n_received, (gsize) n);
          self->iface->data_received (loop_socket_transport_get_protocol (self), buffer, (gsize) n);

          /* A short read says that there is no more, without another system call to ask. */
          if (G_LIKELY ((gsize) n < size && !until_empty))
            break;
          /* A main loop in there may even have read to the end; and another protocol may have a buffer of its own. */
          if (!can_read (self) || self->buffered_iface != NULL)
            break;
        }
      else if (!check_read (self, n))
        {
          break;
        }
    }

  loop_event_loop_return_read_buffer (loop, buffer, is_shared);
}

/* One read of at most @size bytes into @buffer or, without one, through that of the loop. */
static gboolean
read_once (LoopSocketTransport *self, LoopBufferedProtocol *protocol, gpointer buffer, gsize size)
{
  const LoopBufferedProtocolInterface *iface = self->buffered_iface;
  LoopEventLoop *loop = self->parent_instance.loop;
  gboolean is_ours = buffer == NULL;
  gboolean is_shared;
  gssize n;

  if (is_ours)
    {
      gsize our_size;

      buffer = loop_event_loop_take_read_buffer (loop, &our_size, &is_shared);
      size = MIN (size, our_size);
    }

  do
    n = read_now (self, buffer, size);
  while (n < 0 && errno == EINTR);

  if (n > 0)
    {
      loop_socket_transport_count (&self->n_received, (gsize) n);
      if (is_ours)
        self->iface->data_received (LOOP_PROTOCOL (protocol), buffer, (gsize) n);
      else
        iface->buffer_updated (protocol, (gsize) n);
    }
  else
    {
      check_read (self, n);
    }

  if (is_ours)
    loop_event_loop_return_read_buffer (loop, buffer, is_shared);

  return n > 0;
}

/*
 * Reads what is there into memory of the protocol's. It is asked only when there is something, and so is not asked
 * again before the next event, unless everything is to be read now.
 */
static void
read_into_protocol (LoopSocketTransport *self, gboolean until_empty, int max_calls)
{
  for (int i = 0; i < max_calls && can_read (self) && self->buffered_iface != NULL; i++)
    {
      g_autoptr (GObject) protocol = g_object_ref (self->parent_instance.protocol);
      GError *error = NULL;
      gpointer buffer;
      gsize size;

      size = loop_buffered_protocol_ask (self->buffered_iface, protocol, -1, &buffer, &error);
      if (size == 0)
        {
          loop_transport_report_no_buffer (LOOP_TRANSPORT (self), error);
          loop_socket_transport_force_close (self, error);
          return;
        }

      /* It may have done anything in there. */
      if (!can_read (self) || self->parent_instance.protocol != protocol)
        continue;

      if (!read_once (self, LOOP_BUFFERED_PROTOCOL (protocol), buffer, size) || !until_empty)
        return;
    }
}

/* Hands over what is there already. Somebody may write faster than it is read: @max_calls is an end to it. */
void
loop_socket_transport_drain (LoopSocketTransport *self, int max_calls)
{
  gboolean is_buffered = !(self->buffered_iface != NULL);

  while (can_read (self) && is_buffered != (self->buffered_iface != NULL))
    {
      is_buffered = self->buffered_iface != NULL;
      if (is_buffered)
        read_into_protocol (self, TRUE, max_calls);
      else
        read_some (self, TRUE, max_calls);
    }
}

void
loop_socket_transport_readable (LoopWatch *watch)
{
  LoopSocketTransport *self = loop_socket_transport_from_watch (watch);

  if (G_UNLIKELY (self->is_read_finished))
    {
      self->file->hung_up (self);
      return;
    }

  loop_socket_transport_begin_gathering (self);
  if (G_UNLIKELY (self->buffered_iface != NULL))
    read_into_protocol (self, FALSE, LOOP_SOCKET_TRANSPORT_MAX_CALLS);
  else
    read_some (self, FALSE, LOOP_SOCKET_TRANSPORT_MAX_CALLS);
  loop_socket_transport_end_gathering (self);
}

/* @reasons: LOOP_READ_PAUSED_BY_… */
void
loop_socket_transport_set_read_paused (LoopSocketTransport *self, guint8 reasons)
{
  loop_event_loop_enter (self->parent_instance.loop);
  self->is_read_paused = reasons;
  loop_event_loop_leave (self->parent_instance.loop);
}

static void
loop_socket_transport_pause_reading (LoopTransport *transport)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  if ((self->is_read_paused & LOOP_READ_PAUSED_BY_USER) || self->is_closing)
    return;

  loop_socket_transport_set_read_paused (self, self->is_read_paused | LOOP_READ_PAUSED_BY_USER);
  loop_socket_transport_stop_reading (self);
}

static void
loop_socket_transport_resume_reading (LoopTransport *transport)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  if (!self->is_read_paused || self->is_closing)
    return;

  /* Even while a file is sent, as in asyncio: it is the user's wish. */
  loop_socket_transport_set_read_paused (self, 0);
  loop_socket_transport_start_reading (self);
}

static gboolean
loop_socket_transport_is_reading (LoopTransport *transport)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  return !self->is_read_paused && !self->is_closing;
}

void
loop_socket_transport_class_init_read (LoopTransportClass *klass)
{
  /* To make a type takes locks, and protocols are looked at inside the guard. */
  g_type_ensure (LOOP_TYPE_BUFFERED_PROTOCOL);

  klass->pause_reading = loop_socket_transport_pause_reading;
  klass->resume_reading = loop_socket_transport_resume_reading;
  klass->is_reading = loop_socket_transport_is_reading;
}
