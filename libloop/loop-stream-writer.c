/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-stream-writer.h"

#include "loop-stream-reader-private.h"
#include "loop-stream-reader-protocol-private.h"
#include "loop-transport.h"

/**
 * LoopStreamWriter:
 *
 * Sends on a connection, and waits until there is room to send more.
 * [func@open_connection] and [func@start_server] make writers.
 *
 * A writer that is freed closes the connection, once all that was written is sent.
 */
struct _LoopStreamWriter
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopTransport *transport;
  LoopStreamReaderProtocol *protocol;
  LoopStreamReader *reader; /* or NULL */
};

G_DEFINE_FINAL_TYPE (LoopStreamWriter, loop_stream_writer, G_TYPE_OBJECT)

/* Of a writer that was freed. */
typedef struct
{
  LoopTransport *transport;
  LoopStreamReaderProtocol *protocol;
} Remains;

static void
bury (gpointer data)
{
  Remains *self = data;

  /* Somebody may have taken the transport over. */
  if (loop_transport_get_protocol (self->transport) == G_OBJECT (self->protocol))
    loop_transport_close (self->transport);

  g_object_unref (self->transport);
  g_object_unref (self->protocol);
  g_free (self);
}

static void
loop_stream_writer_dispose (GObject *object)
{
  LoopStreamWriter *self = LOOP_STREAM_WRITER (object);

  if (self->transport != NULL)
    {
      Remains *remains = g_new (Remains, 1);

      remains->transport = g_steal_pointer (&self->transport);
      remains->protocol = g_steal_pointer (&self->protocol);
      loop_event_loop_bury (self->loop, remains, bury);
    }
  g_clear_object (&self->reader);

  G_OBJECT_CLASS (loop_stream_writer_parent_class)->dispose (object);
}

static void
loop_stream_writer_finalize (GObject *object)
{
  g_clear_pointer (&LOOP_STREAM_WRITER (object)->loop, loop_event_loop_unref_anywhere);

  G_OBJECT_CLASS (loop_stream_writer_parent_class)->finalize (object);
}

static void
loop_stream_writer_class_init (LoopStreamWriterClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_stream_writer_dispose;
  G_OBJECT_CLASS (klass)->finalize = loop_stream_writer_finalize;
}

static void
loop_stream_writer_init (LoopStreamWriter *self)
{
}

/**
 * loop_stream_writer_new:
 * @transport: a transport
 * @protocol: the protocol of @transport
 * @reader: (nullable): the reader of the same connection: [method@StreamWriter.drain] fails
 *   with its error
 *
 * Makes a writer for a connection that was made in another way.
 *
 * Returns: (transfer full): the writer
 */
LoopStreamWriter *
loop_stream_writer_new (LoopTransport *transport, LoopStreamReaderProtocol *protocol, LoopStreamReader *reader)
{
  LoopStreamWriter *self;

  g_return_val_if_fail (LOOP_IS_TRANSPORT (transport), NULL);
  g_return_val_if_fail (LOOP_IS_STREAM_READER_PROTOCOL (protocol), NULL);
  g_return_val_if_fail (reader == NULL || LOOP_IS_STREAM_READER (reader), NULL);

  self = g_object_new (LOOP_TYPE_STREAM_WRITER, NULL);
  self->loop = g_object_ref (loop_transport_get_loop (transport));
  self->transport = g_object_ref (transport);
  self->protocol = g_object_ref (protocol);
  g_set_object (&self->reader, reader);

  return self;
}

/**
 * loop_stream_writer_get_transport:
 * @self: a writer
 *
 * Gets the transport.
 *
 * Returns: (transfer none): the transport
 */
LoopTransport *
loop_stream_writer_get_transport (LoopStreamWriter *self)
{
  g_return_val_if_fail (LOOP_IS_STREAM_WRITER (self), NULL);

  return self->transport;
}

/**
 * loop_stream_writer_get_extra_info:
 * @self: a writer
 * @name: what to get
 * @value: (out caller-allocates): return location, uninitialised
 *
 * As [method@Transport.get_extra_info].
 *
 * Returns: (skip): %TRUE if the transport has it
 */
gboolean
loop_stream_writer_get_extra_info (LoopStreamWriter *self, const char *name, GValue *value)
{
  g_return_val_if_fail (LOOP_IS_STREAM_WRITER (self), FALSE);

  return loop_transport_get_extra_info (self->transport, name, value);
}

/**
 * loop_stream_writer_write:
 * @self: a writer
 * @data: (array length=length): bytes to write
 * @length: their number
 *
 * As [method@Transport.write]. Call [method@StreamWriter.drain] after it.
 */
void
loop_stream_writer_write (LoopStreamWriter *self, const guint8 *data, gsize length)
{
  g_return_if_fail (LOOP_IS_STREAM_WRITER (self));

  loop_transport_write (self->transport, data, length);
}

/**
 * loop_stream_writer_write_bytes:
 * @self: a writer
 * @bytes: bytes to write
 *
 * As [method@Transport.write_bytes]. Call [method@StreamWriter.drain] after it.
 */
void
loop_stream_writer_write_bytes (LoopStreamWriter *self, GBytes *bytes)
{
  g_return_if_fail (LOOP_IS_STREAM_WRITER (self));

  loop_transport_write_bytes (self->transport, bytes);
}

/**
 * loop_stream_writer_writelines:
 * @self: a writer
 * @lines: (array length=n_lines): pieces to write, one after another
 * @n_lines: their number
 *
 * As [method@Transport.writelines]. Call [method@StreamWriter.drain] after it.
 */
void
loop_stream_writer_writelines (LoopStreamWriter *self, GBytes **lines, gsize n_lines)
{
  g_return_if_fail (LOOP_IS_STREAM_WRITER (self));

  loop_transport_writelines (self->transport, lines, n_lines);
}

typedef struct
{
  LoopFuture *future;
  LoopStreamReaderProtocol *protocol;
} LateDrain;

static void
late_drain_free (gpointer data)
{
  LateDrain *self = data;

  g_object_unref (self->future);
  g_object_unref (self->protocol);
  g_free (self);
}

static void
follow (LoopFuture *drain, gpointer future)
{
  loop_future_follow (future, drain);
}

static void
late_drain_finish (gpointer data)
{
  LateDrain *self = data;
  g_autoptr (LoopFuture) drain = NULL;

  if (!loop_future_is_pending (self->future))
    return;

  drain = loop_stream_reader_protocol_drain (self->protocol);
  loop_future_add_waiter (drain, self->future, follow, g_object_ref (self->future), g_object_unref);
}

/* The loss of a connection may be about to be told, to whom writes and drains without ever waiting otherwise. */
static LoopFuture *
drain_later (LoopStreamWriter *self)
{
  LateDrain *late = g_new (LateDrain, 1);
  LoopFuture *future = loop_future_new (self->loop, "drain");

  late->future = g_object_ref (future);
  late->protocol = g_object_ref (self->protocol);
  loop_event_loop_schedule (self->loop, late_drain_finish, late, late_drain_free, "drain");

  return future;
}

/**
 * loop_stream_writer_drain:
 * @self: a writer
 *
 * Waits until it is appropriate to write more: until the transport's buffer is at or below its
 * low-water mark, if it was over the high-water mark.
 *
 * Returns: (transfer full): a future without a result. It fails with the error of the reader,
 *   with that with which the connection is lost, with %G_IO_ERROR_CONNECTION_CLOSED if it was
 *   lost before, and with %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_stream_writer_drain (LoopStreamWriter *self)
{
  const GError *exception;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_STREAM_WRITER (self), NULL);

  if (!loop_event_loop_check_usable (self->loop, &error))
    return loop_future_new_failed (self->loop, "drain", error);

  exception = self->reader != NULL ? loop_stream_reader_peek_exception (self->reader) : NULL;
  if (exception != NULL)
    return loop_future_new_failed (self->loop, "drain", g_error_copy (exception));

  if (loop_transport_is_closing (self->transport))
    return drain_later (self);

  return loop_stream_reader_protocol_drain (self->protocol);
}

/**
 * loop_stream_writer_write_eof:
 * @self: a writer
 *
 * As [method@Transport.write_eof].
 */
void
loop_stream_writer_write_eof (LoopStreamWriter *self)
{
  g_return_if_fail (LOOP_IS_STREAM_WRITER (self));

  loop_transport_write_eof (self->transport);
}

/**
 * loop_stream_writer_can_write_eof:
 * @self: a writer
 *
 * As [method@Transport.can_write_eof].
 *
 * Returns: %TRUE if it is possible
 */
gboolean
loop_stream_writer_can_write_eof (LoopStreamWriter *self)
{
  g_return_val_if_fail (LOOP_IS_STREAM_WRITER (self), FALSE);

  return loop_transport_can_write_eof (self->transport);
}

/**
 * loop_stream_writer_close:
 * @self: a writer
 *
 * Closes the connection once what was written is sent. See [method@StreamWriter.wait_closed].
 */
void
loop_stream_writer_close (LoopStreamWriter *self)
{
  g_return_if_fail (LOOP_IS_STREAM_WRITER (self));

  loop_transport_close (self->transport);
}

/**
 * loop_stream_writer_is_closing:
 * @self: a writer
 *
 * Tells whether the connection is closed or closing.
 *
 * Returns: %TRUE if it is
 */
gboolean
loop_stream_writer_is_closing (LoopStreamWriter *self)
{
  g_return_val_if_fail (LOOP_IS_STREAM_WRITER (self), TRUE);

  return loop_transport_is_closing (self->transport);
}

/**
 * loop_stream_writer_wait_closed:
 * @self: a writer
 *
 * Waits until the connection is gone.
 *
 * Returns: (transfer full): a future without a result. It fails with the error with which the
 *   connection was lost, and with %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_stream_writer_wait_closed (LoopStreamWriter *self)
{
  g_return_val_if_fail (LOOP_IS_STREAM_WRITER (self), NULL);

  return loop_stream_reader_protocol_wait_closed (self->protocol);
}
