/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-io-channel-private.h"

#include "loop-protocol.h"
#include "loop-transport-private.h"

/* How much is kept for a reader that does not come, and when more is asked for again. */
#define INPUT_HIGH_WATER (64 * 1024)
#define INPUT_LOW_WATER (INPUT_HIGH_WATER / 4)

/* The most that one write takes, so that a big one does not end up in memory as a whole. */
#define MAX_PIECE (64 * 1024)

static void loop_io_channel_iface_init (LoopProtocolInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LoopIOChannel,
                               loop_io_channel,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_PROTOCOL, loop_io_channel_iface_init))

/* The transport is gone, for whatever reason. On the loop's thread. Takes @error. */
static void
lose (LoopIOChannel *self, GError *error)
{
  g_autoptr (LoopTransport) transport = NULL;
  g_autoptr (GPtrArray) output = NULL;

  loop_close_hook_remove (&self->hook);

  loop_io_channel_lock (self);
  transport = g_steal_pointer (&self->transport);
  output = g_steal_pointer (&self->output);
  self->output_size = 0;
  self->is_output_lost |= output != NULL;
  self->is_lost = TRUE;
  self->error = error;
  loop_io_channel_wake (self);
  loop_io_channel_unlock (self);

  if (transport != NULL)
    g_signal_handler_disconnect (transport, self->protocol_handler);
}

static void
channel_loop_closed (LoopCloseHook *hook)
{
  LoopIOChannel *self = (LoopIOChannel *) ((char *) hook - G_STRUCT_OFFSET (LoopIOChannel, hook));

  lose (self, g_error_new_literal (LOOP_ERROR, LOOP_ERROR_CLOSED, "The event loop was closed"));
}

static void
channel_connection_lost (LoopProtocol *protocol, const GError *exception)
{
  lose (LOOP_IO_CHANNEL (protocol), exception != NULL ? g_error_copy (exception) : NULL);
}

static void
protocol_changed (LoopIOChannel *self)
{
  if (loop_transport_get_protocol (self->transport) != G_OBJECT (self))
    lose (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "The transport was given another protocol"));
}

/* Does what other threads cannot do. On the loop's thread. */
static void
update (gpointer data)
{
  LoopIOChannel *self = data;
  g_autoptr (LoopTransport) transport = NULL;
  g_autoptr (GPtrArray) output = NULL;
  gboolean is_pause_due, is_resume_due, is_flush_due, is_eof_due, is_close_due, is_abort_due;
  gsize output_size;

  loop_io_channel_lock (self);
  self->is_update_due = FALSE;
  if (self->transport != NULL)
    transport = g_object_ref (self->transport);
  output = g_steal_pointer (&self->output);
  output_size = self->output_size;

  is_pause_due = !self->is_read_paused && (self->is_input_closed || self->input.size > INPUT_HIGH_WATER);
  is_resume_due = self->is_read_paused && !self->is_input_closed && self->input.size <= INPUT_LOW_WATER;
  self->is_read_paused = is_pause_due || (self->is_read_paused && !is_resume_due);

  is_flush_due = self->is_flush_due && !self->is_draining;
  is_close_due = self->is_closing && !self->is_close_sent;
  self->is_close_sent |= is_close_due;
  is_eof_due = self->is_output_closed && !self->is_eof_sent && !self->is_closing;
  self->is_eof_sent |= is_eof_due;
  is_abort_due = self->is_aborted;
  loop_io_channel_unlock (self);

  if (transport == NULL)
    return;

  if (is_abort_due)
    {
      loop_transport_abort (transport);
      return;
    }

  if (output != NULL)
    {
      gboolean is_ending = loop_transport_is_closing (transport);

      if (!is_ending)
        loop_transport_writelines (transport, (GBytes **) output->pdata, output->len);

      loop_io_channel_lock (self);
      self->is_ending |= is_ending;
      self->is_output_lost |= is_ending;
      self->output_size -= MIN (output_size, self->output_size);
      loop_io_channel_wake (self);
      loop_io_channel_unlock (self);
    }

  if (is_pause_due)
    loop_transport_pause_reading (transport);
  if (is_resume_due)
    loop_transport_resume_reading (transport);

  if (is_close_due)
    {
      loop_transport_close (transport);
      return;
    }

  if (is_eof_due && loop_transport_can_write_eof (transport))
    loop_transport_write_eof (transport);

  if (!is_flush_due)
    return;

  if (loop_transport_get_write_buffer_size (transport) > 0)
    {
      /* A transport tells when its buffer is empty if there is no room in it. */
      loop_transport_get_write_buffer_limits (transport, &self->low_water, &self->high_water);
      loop_io_channel_lock (self);
      self->is_draining = TRUE;
      loop_io_channel_unlock (self);
      loop_transport_set_write_buffer_limits (transport, 0, 0, NULL);
    }
  else
    {
      loop_io_channel_lock (self);
      self->is_flush_due = FALSE;
      loop_io_channel_wake (self);
      loop_io_channel_unlock (self);
    }
}

/* Has that done: at once on the loop's thread, unless it is not known to be that. */
static void
request_update (LoopIOChannel *self)
{
  gboolean is_due;

  if (self->loop == NULL)
    return;

  if (loop_io_channel_is_here (self))
    {
      update (self);
      return;
    }

  loop_io_channel_lock (self);
  is_due = self->is_update_due;
  self->is_update_due = TRUE;
  loop_io_channel_unlock (self);

  if (!is_due)
    loop_event_loop_call_soon_threadsafe (self->loop, update, g_object_ref (self), g_object_unref, NULL, NULL);
}

void
loop_io_channel_feed (LoopIOChannel *self, gconstpointer data, gsize length)
{
  gboolean is_full;

  loop_io_channel_lock (self);
  if (!self->is_input_closed)
    loop_write_buffer_append (&self->input, data, length);
  is_full = self->input.size > INPUT_HIGH_WATER && !self->is_read_paused;
  loop_io_channel_wake (self);
  loop_io_channel_unlock (self);

  if (is_full)
    request_update (self);
}

static void
channel_data_received (LoopProtocol *protocol, const guint8 *data, gsize length)
{
  loop_io_channel_feed (LOOP_IO_CHANNEL (protocol), data, length);
}

static gboolean
channel_eof_received (LoopProtocol *protocol)
{
  LoopIOChannel *self = LOOP_IO_CHANNEL (protocol);

  loop_io_channel_lock (self);
  self->is_eof = TRUE;
  loop_io_channel_wake (self);
  loop_io_channel_unlock (self);

  return TRUE;
}

static void
channel_pause_writing (LoopProtocol *protocol)
{
  LoopIOChannel *self = LOOP_IO_CHANNEL (protocol);

  loop_io_channel_lock (self);
  self->is_write_paused = TRUE;
  loop_io_channel_unlock (self);
}

static void
channel_resume_writing (LoopProtocol *protocol)
{
  LoopIOChannel *self = LOOP_IO_CHANNEL (protocol);
  g_autoptr (LoopTransport) transport = NULL;
  gsize low, high;

  loop_io_channel_lock (self);
  self->is_write_paused = FALSE;
  if (self->is_draining)
    {
      transport = g_object_ref (self->transport);
      self->is_draining = self->is_flush_due = FALSE;
    }
  loop_io_channel_wake (self);
  loop_io_channel_unlock (self);

  if (transport == NULL)
    return;

  /* Somebody may have set others meanwhile. */
  loop_transport_get_write_buffer_limits (transport, &low, &high);
  if (high == 0)
    loop_transport_set_write_buffer_limits (transport, (gssize) self->high_water, (gssize) self->low_water, NULL);
}

static void
loop_io_channel_iface_init (LoopProtocolInterface *iface)
{
  iface->connection_lost = channel_connection_lost;
  iface->data_received = channel_data_received;
  iface->eof_received = channel_eof_received;
  iface->pause_writing = channel_pause_writing;
  iface->resume_writing = channel_resume_writing;
}

static void
loop_io_channel_finalize (GObject *object)
{
  LoopIOChannel *self = LOOP_IO_CHANNEL (object);

  g_assert (self->transport == NULL && self->sources.length == 0);

  loop_write_buffer_clear (&self->input);
  g_clear_pointer (&self->output, g_ptr_array_unref);
  g_clear_error (&self->error);
  g_clear_pointer (&self->loop, loop_event_loop_unref_anywhere);
  pthread_cond_destroy (&self->cond);
  pthread_mutex_destroy (&self->mutex);

  G_OBJECT_CLASS (loop_io_channel_parent_class)->finalize (object);
}

static void
loop_io_channel_class_init (LoopIOChannelClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_io_channel_finalize;
}

static void
loop_io_channel_init (LoopIOChannel *self)
{
  pthread_mutex_init (&self->mutex, NULL);
  pthread_cond_init (&self->cond, NULL);
  self->thread = g_thread_self ();
}

/*
 * @transport: (nullable): is taken over from whatever protocol it has; without one the connection is lost
 *
 * On the loop's thread.
 */
LoopIOChannel *
loop_io_channel_new (LoopTransport *transport)
{
  LoopIOChannel *self = g_object_new (LOOP_TYPE_IO_CHANNEL, NULL);
  gsize high;

  if (transport != NULL)
    self->loop = g_object_ref (loop_transport_get_loop (transport));

  if (transport == NULL || loop_transport_get_protocol (transport) == NULL || !loop_transport_carries_bytes (transport))
    {
      self->is_lost = TRUE;
      return self;
    }

  self->transport = g_object_ref (transport);
  self->hook.closed = channel_loop_closed;
  loop_event_loop_add_close_hook (self->loop, &self->hook);
  loop_transport_set_protocol (transport, G_OBJECT (self));
  self->protocol_handler =
      g_signal_connect_swapped (transport, "notify::protocol", G_CALLBACK (protocol_changed), self);

  /* Who had it may have been told to pause, or have paused it. */
  loop_transport_get_write_buffer_limits (transport, NULL, &high);
  self->is_write_paused = loop_transport_get_write_buffer_size (transport) > high;
  loop_transport_resume_reading (transport);

  return self;
}

/* Returns: (transfer full) (nullable): */
LoopTransport *
loop_io_channel_dup_transport (LoopIOChannel *self)
{
  LoopTransport *transport = NULL;

  loop_io_channel_lock (self);
  if (self->transport != NULL)
    transport = g_object_ref (self->transport);
  loop_io_channel_unlock (self);

  return transport;
}

/* Why the connection was lost. Under the mutex. */
static void
set_lost_error (LoopIOChannel *self, GError **error)
{
  if (self->error != NULL)
    g_propagate_error (error, g_error_copy (self->error));
  else
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The connection is closed");
  self->is_error_told = TRUE;
}

/* Returns: as g_pollable_input_stream_read_nonblocking() */
gssize
loop_io_channel_read (LoopIOChannel *self, gpointer buffer, gsize count, GError **error)
{
  gssize n = -1;
  gboolean is_resume_due = FALSE;

  loop_io_channel_lock (self);
  if (self->is_input_closed)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The stream is closed");
    }
  else if (self->input.size > 0)
    {
      n = (gssize) loop_write_buffer_take (&self->input, buffer, count);
      is_resume_due = self->is_read_paused && self->input.size <= INPUT_LOW_WATER;
    }
  else if (self->is_eof || (self->is_lost && self->error == NULL))
    {
      n = 0;
    }
  else if (self->is_lost)
    {
      set_lost_error (self, error);
    }
  else
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "There is nothing to read yet");
    }
  loop_io_channel_unlock (self);

  if (is_resume_due)
    request_update (self);

  return n;
}

/* Under the mutex. Takes @bytes. */
static void
add_output (LoopIOChannel *self, GBytes *bytes)
{
  if (self->output == NULL)
    self->output = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  self->output_size += g_bytes_get_size (bytes);
  g_ptr_array_add (self->output, bytes);
}

/*
 * Returns: as g_pollable_output_stream_write_nonblocking(); with @is_forced, there is always room in the
 * transport's buffer
 */
gssize
loop_io_channel_write (LoopIOChannel *self, gconstpointer buffer, gsize count, gboolean is_forced, GError **error)
{
  g_autoptr (LoopTransport) transport = NULL;
  gboolean is_here = loop_io_channel_is_here (self);
  gboolean is_taken = FALSE;

  count = MIN (count, MAX_PIECE);

  loop_io_channel_lock (self);
  if (is_here && !self->is_lost)
    self->is_ending |= loop_transport_is_closing (self->transport);
  if (self->is_output_closed)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The stream is closed");
    }
  else if (self->is_lost)
    {
      set_lost_error (self, error);
    }
  else if (self->is_ending && is_forced)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The connection is closed");
    }
  else if (!loop_io_channel_check (self, LOOP_IO_WRITABLE) && !is_forced)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "The transport takes nothing now");
    }
  else
    {
      is_taken = TRUE;
      if (is_here && self->output == NULL)
        transport = g_object_ref (self->transport);
      else
        add_output (self, g_bytes_new (buffer, count));
    }
  loop_io_channel_unlock (self);

  if (!is_taken)
    return -1;

  if (transport == NULL)
    {
      request_update (self);
      return (gssize) count;
    }

  loop_transport_write (transport, buffer, count);
  if (G_UNLIKELY (loop_transport_is_closing (transport)))
    {
      loop_io_channel_lock (self);
      self->is_ending = TRUE;
      loop_io_channel_unlock (self);
    }

  return (gssize) count;
}

void
loop_io_channel_flush (LoopIOChannel *self)
{
  loop_io_channel_lock (self);
  self->is_flush_due = !self->is_lost;
  loop_io_channel_unlock (self);

  request_update (self);
}

static void
close_some (LoopIOChannel *self, gboolean input, gboolean output, gboolean all)
{
  loop_io_channel_lock (self);
  if (input || all)
    {
      self->is_input_closed = TRUE;
      loop_write_buffer_clear (&self->input);
    }
  if (output || all)
    self->is_output_closed = TRUE;
  if (self->is_input_closed && self->is_output_closed)
    self->is_closing = TRUE;
  loop_io_channel_wake (self);
  loop_io_channel_unlock (self);

  request_update (self);
}

void
loop_io_channel_close_input (LoopIOChannel *self)
{
  close_some (self, TRUE, FALSE, FALSE);
}

void
loop_io_channel_close_output (LoopIOChannel *self)
{
  close_some (self, FALSE, TRUE, FALSE);
}

void
loop_io_channel_close (LoopIOChannel *self)
{
  close_some (self, TRUE, TRUE, TRUE);
}

void
loop_io_channel_abort (LoopIOChannel *self)
{
  loop_io_channel_lock (self);
  self->is_aborted = TRUE;
  loop_io_channel_unlock (self);

  request_update (self);
}

gboolean
loop_io_channel_is_closing (LoopIOChannel *self)
{
  gboolean is_closing;

  loop_io_channel_lock (self);
  is_closing = self->is_closing || self->is_lost;
  loop_io_channel_unlock (self);

  return is_closing;
}

/* Whether what was written has not been lost. */
gboolean
loop_io_channel_check_sent (LoopIOChannel *self, GError **error)
{
  gboolean is_lost;

  loop_io_channel_lock (self);
  is_lost = self->is_output_lost || (self->is_lost && (self->error != NULL || self->is_flush_due));
  if (is_lost)
    set_lost_error (self, error);
  loop_io_channel_unlock (self);

  return !is_lost;
}

/* Whether the connection ended well, or why not, unless that was told already. */
gboolean
loop_io_channel_check_end (LoopIOChannel *self, GError **error)
{
  gboolean is_due;

  loop_io_channel_lock (self);
  is_due = self->error != NULL && !self->is_error_told;
  if (is_due)
    set_lost_error (self, error);
  loop_io_channel_unlock (self);

  return !is_due;
}
