/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-io-output-stream-private.h"

/*
 * The output stream of a LoopIOStream. An asynchronous write is done when the transport's buffer
 * is not over its high-water mark, and not as soon as it has taken the data: as asyncio's write()
 * and drain() together.
 */
struct _LoopIOOutputStream
{
  GOutputStream parent_instance;

  LoopIOChannel *channel;
};

static void loop_io_output_stream_pollable_init (GPollableOutputStreamInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LoopIOOutputStream,
                               loop_io_output_stream,
                               G_TYPE_OUTPUT_STREAM,
                               G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_OUTPUT_STREAM,
                                                      loop_io_output_stream_pollable_init))

static LoopIOChannel *
get_channel (gpointer stream)
{
  return LOOP_IO_OUTPUT_STREAM (stream)->channel;
}

static GTask *
task_new (gpointer stream,
          gpointer tag,
          int io_priority,
          GCancellable *cancellable,
          GAsyncReadyCallback callback,
          gpointer user_data)
{
  GTask *task = g_task_new (stream, cancellable, callback, user_data);

  g_task_set_source_tag (task, tag);
  g_task_set_priority (task, io_priority);

  return task;
}

/* The loop's thread, which cannot wait, does as with a transport: the rest is kept in the buffer. */
static gssize
loop_io_output_stream_write (GOutputStream *stream,
                             const void *buffer,
                             gsize count,
                             GCancellable *cancellable,
                             GError **error)
{
  LoopIOChannel *channel = get_channel (stream);

  if (!loop_io_channel_may_wait (channel))
    return loop_io_channel_write (channel, buffer, count, TRUE, error);

  if (!loop_io_channel_wait (channel, LOOP_IO_WRITABLE, cancellable, error))
    return -1;

  return loop_io_channel_write (channel, buffer, count, FALSE, error);
}

typedef struct
{
  const GOutputVector *vectors;
  gsize n_vectors;
  GOutputVector vector; /* of one that writes a single one */
  gsize n_written;
} Write;

/* Returns: %FALSE with an error if not even the first byte could be written */
static gboolean
write_some (LoopIOChannel *channel, Write *write, GError **error)
{
  for (gsize i = 0; i < write->n_vectors; i++)
    {
      const GOutputVector *vector = &write->vectors[i];
      gssize n;

      if (vector->size == 0)
        continue;

      n = loop_io_channel_write (channel, vector->buffer, vector->size, FALSE, write->n_written == 0 ? error : NULL);
      if (n < 0)
        return write->n_written > 0;

      write->n_written += (gsize) n;
      if ((gsize) n < vector->size)
        break;
    }

  return TRUE;
}

static gboolean
go_on_writing (gpointer data)
{
  GTask *task = data;
  LoopIOChannel *channel = get_channel (g_task_get_source_object (task));
  Write *write = g_task_get_task_data (task);
  GError *error = NULL;

  if (g_task_return_error_if_cancelled (task))
    return G_SOURCE_REMOVE;

  if (write->n_written == 0 && !write_some (channel, write, &error))
    {
      if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        {
          g_task_return_error (task, error);
          return G_SOURCE_REMOVE;
        }
      g_error_free (error);
      loop_io_channel_await (channel, LOOP_IO_WRITABLE, task, go_on_writing);
      return G_SOURCE_REMOVE;
    }

  if (!loop_io_channel_is_ready (channel, LOOP_IO_DRAINED))
    loop_io_channel_await (channel, LOOP_IO_DRAINED, task, go_on_writing);
  else if (!loop_io_channel_check_sent (channel, &error))
    g_task_return_error (task, error);
  else
    g_task_return_int (task, (gssize) write->n_written);

  return G_SOURCE_REMOVE;
}

static void
loop_io_output_stream_writev_async (GOutputStream *stream,
                                    const GOutputVector *vectors,
                                    gsize n_vectors,
                                    int io_priority,
                                    GCancellable *cancellable,
                                    GAsyncReadyCallback callback,
                                    gpointer user_data)
{
  g_autoptr (GTask) task =
      task_new (stream, loop_io_output_stream_writev_async, io_priority, cancellable, callback, user_data);
  Write *write = g_new0 (Write, 1);

  write->vectors = vectors;
  write->n_vectors = n_vectors;
  g_task_set_task_data (task, write, g_free);
  go_on_writing (task);
}

static gboolean
loop_io_output_stream_writev_finish (GOutputStream *stream, GAsyncResult *result, gsize *n_written, GError **error)
{
  gssize n = g_task_propagate_int (G_TASK (result), error);

  *n_written = (gsize) MAX (n, 0);

  return n >= 0;
}

static void
loop_io_output_stream_write_async (GOutputStream *stream,
                                   const void *buffer,
                                   gsize count,
                                   int io_priority,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data)
{
  g_autoptr (GTask) task =
      task_new (stream, loop_io_output_stream_write_async, io_priority, cancellable, callback, user_data);
  Write *write = g_new0 (Write, 1);

  write->vector = (GOutputVector) { buffer, count };
  write->vectors = &write->vector;
  write->n_vectors = 1;
  g_task_set_task_data (task, write, g_free);
  go_on_writing (task);
}

static gssize
loop_io_output_stream_write_finish (GOutputStream *stream, GAsyncResult *result, GError **error)
{
  return g_task_propagate_int (G_TASK (result), error);
}

static gboolean
loop_io_output_stream_flush (GOutputStream *stream, GCancellable *cancellable, GError **error)
{
  LoopIOChannel *channel = get_channel (stream);

  /* A transport that is closed writes the rest first. */
  if (g_output_stream_is_closing (stream) &&
      (loop_io_channel_is_closing (channel) || !loop_io_channel_may_wait (channel)))
    return TRUE;

  loop_io_channel_flush (channel);

  return loop_io_channel_wait (channel, LOOP_IO_FLUSHED, cancellable, error) &&
         loop_io_channel_check_sent (channel, error);
}

static gboolean
flushed (gpointer data)
{
  GTask *task = data;
  LoopIOChannel *channel = get_channel (g_task_get_source_object (task));
  GError *error = NULL;

  if (g_task_return_error_if_cancelled (task))
    return G_SOURCE_REMOVE;

  if (!loop_io_channel_is_ready (channel, LOOP_IO_FLUSHED))
    loop_io_channel_await (channel, LOOP_IO_FLUSHED, task, flushed);
  else if (!loop_io_channel_check_sent (channel, &error))
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);

  return G_SOURCE_REMOVE;
}

static void
loop_io_output_stream_flush_async (GOutputStream *stream,
                                   int io_priority,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data)
{
  g_autoptr (GTask) task =
      task_new (stream, loop_io_output_stream_flush_async, io_priority, cancellable, callback, user_data);

  loop_io_channel_flush (get_channel (stream));
  flushed (task);
}

static gboolean
loop_io_output_stream_finish (GOutputStream *stream, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static gboolean
loop_io_output_stream_close (GOutputStream *stream, GCancellable *cancellable, GError **error)
{
  loop_io_channel_close_output (get_channel (stream));

  return TRUE;
}

/* After a flush: there is nothing to wait for. */
static void
loop_io_output_stream_close_async (GOutputStream *stream,
                                   int io_priority,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data)
{
  g_autoptr (GTask) task =
      task_new (stream, loop_io_output_stream_close_async, io_priority, cancellable, callback, user_data);

  loop_io_channel_close_output (get_channel (stream));
  g_task_return_boolean (task, TRUE);
}

static gboolean
loop_io_output_stream_is_writable (GPollableOutputStream *stream)
{
  return loop_io_channel_is_ready (get_channel (stream), LOOP_IO_WRITABLE);
}

static GSource *
loop_io_output_stream_create_source (GPollableOutputStream *stream, GCancellable *cancellable)
{
  return loop_io_channel_create_pollable_source (get_channel (stream), LOOP_IO_WRITABLE, stream, cancellable);
}

static gssize
loop_io_output_stream_write_nonblocking (GPollableOutputStream *stream, const void *buffer, gsize count, GError **error)
{
  return loop_io_channel_write (get_channel (stream), buffer, count, FALSE, error);
}

static void
loop_io_output_stream_pollable_init (GPollableOutputStreamInterface *iface)
{
  iface->is_writable = loop_io_output_stream_is_writable;
  iface->create_source = loop_io_output_stream_create_source;
  iface->write_nonblocking = loop_io_output_stream_write_nonblocking;
}

static void
loop_io_output_stream_finalize (GObject *object)
{
  g_object_unref (get_channel (object));

  G_OBJECT_CLASS (loop_io_output_stream_parent_class)->finalize (object);
}

static void
loop_io_output_stream_class_init (LoopIOOutputStreamClass *klass)
{
  GOutputStreamClass *stream_class = G_OUTPUT_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = loop_io_output_stream_finalize;

  stream_class->write_fn = loop_io_output_stream_write;
  stream_class->write_async = loop_io_output_stream_write_async;
  stream_class->write_finish = loop_io_output_stream_write_finish;
  stream_class->writev_async = loop_io_output_stream_writev_async;
  stream_class->writev_finish = loop_io_output_stream_writev_finish;
  stream_class->flush = loop_io_output_stream_flush;
  stream_class->flush_async = loop_io_output_stream_flush_async;
  stream_class->flush_finish = loop_io_output_stream_finish;
  stream_class->close_fn = loop_io_output_stream_close;
  stream_class->close_async = loop_io_output_stream_close_async;
  stream_class->close_finish = loop_io_output_stream_finish;
}

static void
loop_io_output_stream_init (LoopIOOutputStream *self)
{
}

GOutputStream *
loop_io_output_stream_new (LoopIOChannel *channel)
{
  LoopIOOutputStream *self = g_object_new (LOOP_TYPE_IO_OUTPUT_STREAM, NULL);

  self->channel = g_object_ref (channel);

  return G_OUTPUT_STREAM (self);
}
