/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-datagram-transport-private.h"

#include <errno.h>
#include <string.h>

/*
 * The sending half of the transport. A datagram is sent at once, unless others wait for the
 * socket. Those that are sent while the protocol is handed what has come are collected, and sent
 * together: before more is received, before the loop polls or the transport closes, and when the
 * protocol takes milliseconds.
 */

void
loop_datagram_transport_report (LoopDatagramTransport *self, int saved_errno, const char *what)
{
  LoopFlowTransport *flow = &self->parent_instance.flow;
  g_autoptr (GError) error = NULL;

  if (flow->iface == NULL)
    return;

  loop_set_error_from_errno (&error, saved_errno, "%s", what);
  ((const LoopDatagramProtocolInterface *) flow->iface)
      ->error_received ((LoopDatagramProtocol *) flow->parent_instance.protocol, error);
}

static void
report_errors (gpointer data)
{
  LoopDatagramTransport *self = data;
  g_autoptr (GArray) errors = g_steal_pointer (&self->errors);

  for (guint i = 0; i < errors->len; i++)
    {
      const LoopDatagramErrors *entry = &g_array_index (errors, LoopDatagramErrors, i);

      for (guint j = 0; j < entry->n; j++)
        loop_datagram_transport_report (self, entry->saved_errno, "Could not send a datagram");
    }
}

/* The protocol learns of it when the call in which it was sent has returned, for it may send again. */
static void
note_error (LoopDatagramTransport *self, int saved_errno)
{
  LoopDatagramErrors *last;

  if (self->errors == NULL)
    {
      self->errors = g_array_new (FALSE, FALSE, sizeof (LoopDatagramErrors));
      loop_flow_transport_schedule (&self->parent_instance.flow, report_errors, "error_received");
    }

  last = self->errors->len > 0 ? &g_array_index (self->errors, LoopDatagramErrors, self->errors->len - 1) : NULL;
  if (last != NULL && last->saved_errno == saved_errno)
    {
      last->n++;
    }
  else
    {
      LoopDatagramErrors entry = { saved_errno, 1 };

      g_array_append_val (self->errors, entry);
    }
}

/* Sends what can be sent now, and drops what fails. Returns: how many of @datagrams are done with */
static guint
send_now (LoopDatagramTransport *self, const LoopDatagram *datagrams, guint n)
{
  LoopFlowTransport *flow = &self->parent_instance.flow;
  guint64 n_bytes = flow->n_sent;
  guint done = 0;

  while (done < n)
    {
      done += loop_datagram_send (flow->fd, datagrams + done, n - done, &self->max_segment, &n_bytes);
      if (done == n || errno == EAGAIN)
        break;
      note_error (self, errno);
      done++;
    }

  __atomic_store_n (&flow->n_sent, n_bytes, __ATOMIC_RELAXED);

  return done;
}

static void
buffer (LoopDatagramTransport *self, const LoopDatagram *datagrams, guint n)
{
  if (n == 0)
    return;

  for (guint i = 0; i < n; i++)
    loop_write_buffer_append_datagram (&self->parent_instance.flow.buffer, &datagrams[i]);

  loop_socket_transport_expect_writable (&self->parent_instance);
}

void
loop_datagram_transport_send_collected (LoopDatagramTransport *self)
{
  LoopDatagramBatch *batch = self->batch;
  guint n;
  guint done;

  if (batch == NULL || batch->n_collected == 0)
    return;

  n = batch->n_collected;
  done = self->parent_instance.flow.fd >= 0 ? send_now (self, batch->collected, n) : n;
  /* Told to pause, the protocol may send, or close the transport. */
  batch->n_collected = 0;
  batch->n_copied = 0;
  buffer (self, batch->collected + done, n - done);
}

void
loop_datagram_transport_writable (LoopWatch *watch)
{
  LoopDatagramTransport *self = loop_datagram_transport_from_watch (watch);
  LoopWriteBuffer *buffer = &self->parent_instance.flow.buffer;

  for (int i = 0; i < LOOP_FLOW_TRANSPORT_MAX_CALLS && buffer->size > 0; i++)
    {
      LoopDatagram datagrams[LOOP_DATAGRAM_BATCH_N_SENT];
      guint n = loop_write_buffer_peek_datagrams (buffer, datagrams, G_N_ELEMENTS (datagrams));
      guint done = send_now (self, datagrams, n);

      loop_write_buffer_consume_datagrams (buffer, done);
      if (done < n)
        break;
    }

  loop_socket_transport_wrote (&self->parent_instance);
}

/* Fills in whom it goes to. */
static gboolean
address_datagram (LoopDatagramTransport *self, LoopDatagram *datagram, GSocketAddress *addr, GError **error)
{
  LoopEventLoop *loop = self->parent_instance.flow.parent_instance.loop;
  LoopDatagramShare *share = loop_datagram_share_get (loop);
  const LoopCachedAddress *native;

  if (self->remote != NULL && addr != NULL && addr != self->remote)
    {
      const LoopCachedAddress *remote = loop_address_cache_get_native (&share->addresses, loop, self->remote, error);
      LoopCachedAddress copy;

      if (remote == NULL)
        return FALSE;
      copy = *remote;
      native = loop_address_cache_get_native (&share->addresses, loop, addr, error);
      if (native == NULL)
        return FALSE;
      if (copy.length != native->length || memcmp (&copy.native, &native->native, copy.length) != 0)
        {
          g_autofree char *text = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (self->remote));

          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                       "Invalid address: it must be none, or the remote address %s", text);
          return FALSE;
        }
    }

  if (self->has_peer)
    return TRUE;

  if (addr == NULL && self->remote == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                           "The endpoint has no remote address: an address must be given");
      return FALSE;
    }

  native = loop_address_cache_get_native (&share->addresses, loop, addr != NULL ? addr : self->remote, error);
  if (native == NULL)
    return FALSE;

  datagram->address = &native->native.any;
  datagram->address_length = native->length;

  return TRUE;
}

/**
 * loop_datagram_transport_sendto:
 * @self: a transport
 * @data: (array length=length) (nullable): the bytes of a datagram
 * @length: their number, which may be 0
 * @addr: (nullable): whom to send it to; %NULL for the remote address of the endpoint
 * @error: return location for an error
 *
 * Sends a datagram, without waiting. What the socket does not take at once is copied and
 * sent later. When more piles up than the high-water mark, to which each datagram counts
 * its length and 8 bytes, the protocol is told to pause.
 *
 * What cannot be sent, because it is too large for example, the protocol learns in
 * `error_received`, once the callback that runs has returned. After the transport is
 * closed, datagrams are dropped with a warning.
 *
 * Returns: %TRUE, or %FALSE with %G_IO_ERROR_INVALID_ARGUMENT if @addr is none that a
 *   datagram can be sent to: if the endpoint has another remote address, or has none and
 *   @addr is %NULL
 */
gboolean
loop_datagram_transport_sendto (LoopDatagramTransport *self,
                                const guint8 *data,
                                gsize length,
                                GSocketAddress *addr,
                                GError **error)
{
  LoopFlowTransport *flow = &self->parent_instance.flow;
  LoopDatagram datagram = { .data = data, .length = length };

  g_return_val_if_fail (LOOP_IS_DATAGRAM_TRANSPORT (self), FALSE);
  g_return_val_if_fail (data != NULL || length == 0, FALSE);
  g_return_val_if_fail (addr == NULL || G_IS_SOCKET_ADDRESS (addr), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (G_UNLIKELY (flow->is_unwritable))
    {
      loop_flow_transport_refuse_write (flow);
      return TRUE;
    }

  if (!address_datagram (self, &datagram, addr, error))
    return FALSE;

  if (flow->buffer.size == 0)
    {
      if (self->batch != NULL && loop_datagram_batch_collect (self->batch, &datagram))
        return TRUE;

      /* There is no more room, or no batch. */
      loop_datagram_transport_send_collected (self);
    }

  if (flow->is_unwritable)
    loop_flow_transport_refuse_write (flow);
  else if (flow->buffer.size > 0 || send_now (self, &datagram, 1) == 0)
    buffer (self, &datagram, 1);

  return TRUE;
}
