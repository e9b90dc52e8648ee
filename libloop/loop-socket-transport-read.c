/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-socket-transport-private.h"

#include <errno.h>

/*
 * The reading half of the transport: through a buffer that all of the loop share, or into
 * memory of the protocol's.
 */

static void
loop_socket_transport_start_reading (LoopFlowTransport *flow)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (flow);

  if (loop_flow_transport_can_read (flow))
    loop_socket_transport_set_interest (self, self->watch.wanted | LOOP_INTEREST_READ);
}

static void
loop_socket_transport_stop_reading (LoopFlowTransport *flow)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (flow);

  loop_socket_transport_set_interest (self, self->watch.wanted & ~LOOP_INTEREST_READ);
}

static void
fail_read (LoopSocketTransport *self, int saved_errno)
{
  GError *error = NULL;

  loop_set_error_from_errno (&error, saved_errno, "Could not read from the connection");
  loop_flow_transport_force_close (&self->flow, error);
}

static void
handle_eof (LoopSocketTransport *self)
{
  loop_flow_transport_handle_eof (&self->flow);
  if (self->file != NULL)
    loop_transport_close (LOOP_TRANSPORT (self));
}

/* What a read that gave no bytes says. Returns: %TRUE if it is to be tried again */
static gboolean
check_read (LoopSocketTransport *self, gssize n)
{
  if (n < 0 && errno == EINTR)
    return TRUE;

  /* The failed write has taken the error of a reset, which now looks like an orderly end. */
  if (n == 0 && self->flow.error == NULL)
    handle_eof (self);
  else if (n < 0 && errno != EAGAIN)
    fail_read (self, errno);

  return FALSE;
}

static inline gssize
read_now (LoopSocketTransport *self, gpointer buffer, gsize size)
{
  return G_UNLIKELY (self->file != NULL) ? self->file->read (self->flow.fd, buffer, size)
                                         : recv (self->flow.fd, buffer, size, 0);
}

/* Reads what is there and hands it over, as long as the protocol wants more. */
static void
read_some (LoopSocketTransport *self, gboolean until_empty, int max_calls)
{
  LoopEventLoop *loop = self->flow.parent_instance.loop;
  gboolean is_shared;
  gsize size;
  guint8 *buffer = loop_event_loop_take_read_buffer (loop, &size, &is_shared);

  for (int i = 0; i < max_calls; i++)
    {
      gssize n = read_now (self, buffer, size);

      if (G_LIKELY (n > 0))
        {
          loop_flow_transport_count (&self->flow.n_received, (gsize) n);
          self->flow.iface->data_received (loop_flow_transport_get_protocol (&self->flow), buffer, (gsize) n);

          /* A short read says that there is no more, without another system call to ask. */
          if (G_LIKELY ((gsize) n < size && !until_empty))
            break;
          /* A main loop in there may even have read to the end; and another protocol may have a buffer of its own. */
          if (!loop_flow_transport_can_read (&self->flow) || self->flow.buffered_iface != NULL)
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
  const LoopBufferedProtocolInterface *iface = self->flow.buffered_iface;
  LoopEventLoop *loop = self->flow.parent_instance.loop;
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
      loop_flow_transport_count (&self->flow.n_received, (gsize) n);
      if (is_ours)
        self->flow.iface->data_received (LOOP_PROTOCOL (protocol), buffer, (gsize) n);
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
  for (int i = 0; i < max_calls && loop_flow_transport_can_read (&self->flow) && self->flow.buffered_iface != NULL; i++)
    {
      g_autoptr (GObject) protocol = g_object_ref (self->flow.parent_instance.protocol);
      gpointer buffer;
      gsize size = loop_flow_transport_ask_for_buffer (&self->flow, protocol, &buffer);

      if (size == 0)
        continue;

      if (!read_once (self, LOOP_BUFFERED_PROTOCOL (protocol), buffer, size) || !until_empty)
        return;
    }
}

/* Hands over what is there already. Somebody may write faster than it is read: @max_calls is an end to it. */
void
loop_socket_transport_drain (LoopSocketTransport *self, int max_calls)
{
  gboolean is_buffered = !(self->flow.buffered_iface != NULL);

  while (loop_flow_transport_can_read (&self->flow) && is_buffered != (self->flow.buffered_iface != NULL))
    {
      is_buffered = self->flow.buffered_iface != NULL;
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

  if (G_UNLIKELY (self->flow.is_read_finished))
    {
      self->file->hung_up (self);
      return;
    }

  loop_socket_transport_begin_gathering (self);
  if (G_UNLIKELY (self->flow.buffered_iface != NULL))
    read_into_protocol (self, FALSE, LOOP_FLOW_TRANSPORT_MAX_CALLS);
  else
    read_some (self, FALSE, LOOP_FLOW_TRANSPORT_MAX_CALLS);
  loop_socket_transport_end_gathering (self);
}

static void
loop_socket_transport_read_rest (LoopFlowTransport *flow)
{
  loop_socket_transport_drain (loop_socket_transport_from_base (flow), G_MAXINT);
}

void
loop_socket_transport_class_init_read (LoopFlowTransportClass *klass)
{
  klass->start_reading = loop_socket_transport_start_reading;
  klass->stop_reading = loop_socket_transport_stop_reading;
  klass->read_rest = loop_socket_transport_read_rest;
}
