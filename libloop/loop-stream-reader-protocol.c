/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-stream-reader-protocol-private.h"

#include "loop-protocol.h"
#include "loop-stream-reader-private.h"
#include "loop-stream-writer.h"
#include "loop-waiter-private.h"

/**
 * LoopStreamReaderProtocol:
 *
 * Feeds a [class@StreamReader] with what a transport receives, and lets a
 * [class@StreamWriter] wait for the transport. [func@open_connection] and [func@start_server]
 * make these by themselves; for what they do not connect, such as a pipe, hand one to the
 * function that does.
 */
struct _LoopStreamReaderProtocol
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopStreamReader *reader; /* until the connection is lost */
  LoopStreamClientFunc client_connected;
  gpointer user_data;
  GDestroyNotify notify;
  LoopWaiterQueue *drains;
  LoopWaiterQueue *closers;
  LoopFuture *drained; /* for all who need not wait; or NULL: there was nobody */
  GError *error;       /* with which the connection was lost, if any */
  guint8 is_lost;
  guint8 is_paused;
};

static void loop_stream_reader_protocol_iface_init (LoopProtocolInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LoopStreamReaderProtocol,
                               loop_stream_reader_protocol,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_PROTOCOL, loop_stream_reader_protocol_iface_init))

static const LoopWaiterKind drain_kind = { "drain", NULL };
static const LoopWaiterKind close_kind = { "wait_closed", NULL };

static void
loop_stream_reader_protocol_dispose (GObject *object)
{
  LoopStreamReaderProtocol *self = LOOP_STREAM_READER_PROTOCOL (object);

  loop_waiter_queue_free (g_steal_pointer (&self->drains), self->loop);
  loop_waiter_queue_free (g_steal_pointer (&self->closers), self->loop);
  g_clear_object (&self->reader);
  g_clear_object (&self->drained);

  G_OBJECT_CLASS (loop_stream_reader_protocol_parent_class)->dispose (object);
}

static void
loop_stream_reader_protocol_finalize (GObject *object)
{
  LoopStreamReaderProtocol *self = LOOP_STREAM_READER_PROTOCOL (object);

  loop_destroy_user_data (self->user_data, self->notify);
  g_clear_error (&self->error);
  g_clear_pointer (&self->loop, loop_event_loop_unref_anywhere);

  G_OBJECT_CLASS (loop_stream_reader_protocol_parent_class)->finalize (object);
}

static void
loop_stream_reader_protocol_class_init (LoopStreamReaderProtocolClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_stream_reader_protocol_dispose;
  G_OBJECT_CLASS (klass)->finalize = loop_stream_reader_protocol_finalize;
}

static void
loop_stream_reader_protocol_init (LoopStreamReaderProtocol *self)
{
  self->drains = loop_waiter_queue_new ("The connection was freed");
  self->closers = loop_waiter_queue_new ("The connection was freed");
}

static void
release_all (LoopWaiterQueue *queue, const GError *error)
{
  LoopWaiter *waiter;

  if (error != NULL)
    loop_waiter_queue_fail (queue, error);

  while ((waiter = loop_waiter_queue_pop (queue)) != NULL)
    {
      loop_future_fulfil (LOOP_FUTURE (waiter));
      g_object_unref (waiter);
    }
}

static void
stream_connection_made (LoopProtocol *protocol, LoopTransport *transport)
{
  LoopStreamReaderProtocol *self = LOOP_STREAM_READER_PROTOCOL (protocol);
  g_autoptr (LoopStreamReader) reader = NULL;
  g_autoptr (LoopStreamWriter) writer = NULL;

  if (self->reader == NULL)
    return;

  loop_stream_reader_set_transport (self->reader, transport);
  if (self->client_connected == NULL)
    return;

  reader = g_object_ref (self->reader);
  writer = loop_stream_writer_new (transport, self, reader);
  self->client_connected (reader, writer, self->user_data);
}

static void
stream_connection_lost (LoopProtocol *protocol, const GError *exception)
{
  LoopStreamReaderProtocol *self = LOOP_STREAM_READER_PROTOCOL (protocol);
  g_autoptr (LoopStreamReader) reader = g_steal_pointer (&self->reader);

  self->is_lost = TRUE;
  self->is_paused = FALSE;
  g_clear_object (&self->drained);
  if (exception != NULL && self->error == NULL)
    self->error = g_error_copy (exception);

  if (reader != NULL)
    {
      if (exception != NULL)
        loop_stream_reader_set_exception (reader, exception);
      else
        loop_stream_reader_feed_eof (reader);
      /* The transport refers to us, and we to the reader. */
      loop_stream_reader_set_transport (reader, NULL);
    }

  release_all (self->closers, self->error);
  release_all (self->drains, self->error);
}

static void
stream_data_received (LoopProtocol *protocol, const guint8 *data, gsize length)
{
  LoopStreamReaderProtocol *self = (LoopStreamReaderProtocol *) protocol;

  if (G_LIKELY (self->reader != NULL))
    loop_stream_reader_feed_data (self->reader, data, length);
}

/* Who writes may go on after the peer's end, and closes when it likes. */
static gboolean
stream_eof_received (LoopProtocol *protocol)
{
  LoopStreamReaderProtocol *self = LOOP_STREAM_READER_PROTOCOL (protocol);

  if (self->reader != NULL)
    loop_stream_reader_feed_eof (self->reader);

  return TRUE;
}

static void
stream_pause_writing (LoopProtocol *protocol)
{
  LOOP_STREAM_READER_PROTOCOL (protocol)->is_paused = TRUE;
}

static void
stream_resume_writing (LoopProtocol *protocol)
{
  LoopStreamReaderProtocol *self = LOOP_STREAM_READER_PROTOCOL (protocol);

  self->is_paused = FALSE;
  release_all (self->drains, NULL);
}

static void
loop_stream_reader_protocol_iface_init (LoopProtocolInterface *iface)
{
  iface->connection_made = stream_connection_made;
  iface->connection_lost = stream_connection_lost;
  iface->data_received = stream_data_received;
  iface->eof_received = stream_eof_received;
  iface->pause_writing = stream_pause_writing;
  iface->resume_writing = stream_resume_writing;
}

/* Returns: (transfer full): a future that is done when there is room to write again */
LoopFuture *
loop_stream_reader_protocol_drain (LoopStreamReaderProtocol *self)
{
  LoopFuture *future;

  if (self->is_lost)
    return loop_future_new_failed (
        self->loop, drain_kind.name,
        g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "The connection was lost"));

  if (self->is_paused)
    {
      future = loop_waiter_new (LOOP_TYPE_WAITER, self->loop, &drain_kind, self);
      if (loop_future_is_pending (future))
        loop_waiter_queue_push (self->drains, (LoopWaiter *) future);
      return future;
    }

  /* Most who write ask each time, and hardly ever have to wait. */
  if (self->drained == NULL)
    {
      self->drained = loop_future_new (self->loop, drain_kind.name);
      loop_future_fulfil (self->drained);
    }

  return g_object_ref (self->drained);
}

/* Returns: (transfer full): a future that is done when the connection is lost */
LoopFuture *
loop_stream_reader_protocol_wait_closed (LoopStreamReaderProtocol *self)
{
  LoopFuture *future = loop_waiter_new (LOOP_TYPE_WAITER, self->loop, &close_kind, self);

  if (!self->is_lost)
    {
      if (loop_future_is_pending (future))
        loop_waiter_queue_push (self->closers, (LoopWaiter *) future);
    }
  else if (self->error != NULL)
    {
      loop_future_fail (future, g_error_copy (self->error));
    }
  else
    {
      loop_future_fulfil (future);
    }

  return future;
}

/**
 * loop_stream_reader_protocol_new:
 * @reader: a reader
 * @client_connected: (nullable) (scope notified) (closure user_data) (destroy notify): is called
 *   when the connection is made, with @reader and a writer
 * @user_data: data for @client_connected
 * @notify: frees @user_data
 *
 * Makes a protocol that feeds @reader.
 *
 * Returns: (transfer full): the protocol
 */
LoopStreamReaderProtocol *
loop_stream_reader_protocol_new (LoopStreamReader *reader,
                                 LoopStreamClientFunc client_connected,
                                 gpointer user_data,
                                 GDestroyNotify notify)
{
  LoopStreamReaderProtocol *self;

  g_return_val_if_fail (LOOP_IS_STREAM_READER (reader), NULL);

  self = g_object_new (LOOP_TYPE_STREAM_READER_PROTOCOL, NULL);
  self->loop = g_object_ref (loop_stream_reader_get_loop (reader));
  self->reader = g_object_ref (reader);
  self->client_connected = client_connected;
  self->user_data = user_data;
  self->notify = notify;

  return self;
}
