/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-socket-transport-private.h"

#include <errno.h>

/*
 * The transport while a sender has its writing side: see LoopTransportSender. asyncio does not read
 * either meanwhile: a peer that has sent its end of file is not to end the connection.
 */

static gboolean
loop_socket_transport_set_sender (LoopTransport *transport, LoopTransportSender *sender, GError **error)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  if (self->sender != NULL)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "The transport is sending a file already");
      return FALSE;
    }

  if (self->is_eof_due)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "Cannot send a file after write_eof()");
      return FALSE;
    }

  if (self->is_unwritable)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_CLOSED, "The transport is closing");
      return FALSE;
    }

  self->sender = sender;
  self->is_unwritable = TRUE;
  loop_socket_transport_set_read_paused (self, self->is_read_paused | LOOP_READ_PAUSED_BY_SENDER);
  /* In the write end of a pipe it is the peer's end that is looked for. */
  if (!self->is_read_finished)
    loop_socket_transport_stop_reading (self);

  return TRUE;
}

static void
forget_sender (LoopSocketTransport *self)
{
  self->sender = NULL;
  loop_socket_transport_set_read_paused (self, self->is_read_paused & (guint8) ~LOOP_READ_PAUSED_BY_SENDER);
}

static void
loop_socket_transport_unset_sender (LoopTransport *transport)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  forget_sender (self);
  self->is_unwritable = self->is_eof_due;
  if (self->buffer.size == 0)
    loop_socket_transport_set_interest (self, self->watch.wanted & ~LOOP_INTEREST_WRITE);
  loop_socket_transport_start_reading (self);
  loop_socket_transport_catch_up (self);
}

/* The transport is closed: with @error, or by the user. The last @n_unsent bytes of all will never be sent. */
void
loop_socket_transport_lose_sender (LoopSocketTransport *self, const GError *error, gsize n_unsent)
{
  LoopTransportSender *sender = self->sender;
  g_autoptr (GError) closed = NULL;

  if (sender == NULL)
    return;

  forget_sender (self);
  if (error == NULL)
    closed = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED,
                                  "The connection was closed while a file was sent");
  sender->lost (sender, error != NULL ? error : closed, n_unsent);
}

void
loop_socket_transport_wake_sender (LoopSocketTransport *self)
{
  loop_socket_transport_set_interest (self, self->watch.wanted & ~LOOP_INTEREST_WRITE);
  self->sender->ready (self->sender);
}

static void
loop_socket_transport_send_one (LoopTransport *transport, GBytes *bytes)
{
  loop_socket_transport_send_bytes (loop_socket_transport_from_base (transport), &bytes, 1);
}

static int
loop_socket_transport_get_sender_fd (LoopTransport *transport)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  return self->file == NULL ? self->fd : -1;
}

static void
loop_socket_transport_report_sent (LoopTransport *transport, gsize n_sent, int saved_errno)
{
  LoopSocketTransport *self = loop_socket_transport_from_base (transport);

  loop_socket_transport_count (&self->n_sent, n_sent);
  if (saved_errno == EAGAIN)
    loop_socket_transport_set_interest (self, self->watch.wanted | LOOP_INTEREST_WRITE);
  else if (saved_errno != 0)
    loop_socket_transport_fail_write (self, saved_errno);
}

void
loop_socket_transport_class_init_send (LoopTransportClass *klass)
{
  klass->set_sender = loop_socket_transport_set_sender;
  klass->unset_sender = loop_socket_transport_unset_sender;
  klass->send_bytes = loop_socket_transport_send_one;
  klass->get_sender_fd = loop_socket_transport_get_sender_fd;
  klass->report_sent = loop_socket_transport_report_sent;
}
