/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-io-input-stream-private.h"

/*
 * The input stream of a LoopIOStream. Being pollable, it need not implement read_async() and
 * skip_async(): those of GInputStream try a read that does not block, and wait for a source.
 */
struct _LoopIOInputStream
{
  GInputStream parent_instance;

  LoopIOChannel *channel;
};

static void loop_io_input_stream_pollable_init (GPollableInputStreamInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LoopIOInputStream,
                               loop_io_input_stream,
                               G_TYPE_INPUT_STREAM,
                               G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_INPUT_STREAM, loop_io_input_stream_pollable_init))

static gssize
loop_io_input_stream_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable, GError **error)
{
  LoopIOChannel *channel = LOOP_IO_INPUT_STREAM (stream)->channel;

  if (!loop_io_channel_wait (channel, LOOP_IO_READABLE, cancellable, error))
    return -1;

  return loop_io_channel_read (channel, buffer, count, error);
}

static gboolean
loop_io_input_stream_close (GInputStream *stream, GCancellable *cancellable, GError **error)
{
  loop_io_channel_close_input (LOOP_IO_INPUT_STREAM (stream)->channel);

  return TRUE;
}

static void
loop_io_input_stream_close_async (GInputStream *stream,
                                  int io_priority,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (stream, NULL, callback, user_data);

  g_task_set_source_tag (task, loop_io_input_stream_close_async);
  g_task_set_priority (task, io_priority);
  loop_io_channel_close_input (LOOP_IO_INPUT_STREAM (stream)->channel);
  g_task_return_boolean (task, TRUE);
}

static gboolean
loop_io_input_stream_close_finish (GInputStream *stream, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static gboolean
loop_io_input_stream_is_readable (GPollableInputStream *stream)
{
  return loop_io_channel_is_ready (LOOP_IO_INPUT_STREAM (stream)->channel, LOOP_IO_READABLE);
}

static GSource *
loop_io_input_stream_create_source (GPollableInputStream *stream, GCancellable *cancellable)
{
  return loop_io_channel_create_pollable_source (LOOP_IO_INPUT_STREAM (stream)->channel, LOOP_IO_READABLE, stream,
                                                 cancellable);
}

static gssize
loop_io_input_stream_read_nonblocking (GPollableInputStream *stream, void *buffer, gsize count, GError **error)
{
  return loop_io_channel_read (LOOP_IO_INPUT_STREAM (stream)->channel, buffer, count, error);
}

static void
loop_io_input_stream_pollable_init (GPollableInputStreamInterface *iface)
{
  iface->is_readable = loop_io_input_stream_is_readable;
  iface->create_source = loop_io_input_stream_create_source;
  iface->read_nonblocking = loop_io_input_stream_read_nonblocking;
}

static void
loop_io_input_stream_finalize (GObject *object)
{
  g_object_unref (LOOP_IO_INPUT_STREAM (object)->channel);

  G_OBJECT_CLASS (loop_io_input_stream_parent_class)->finalize (object);
}

static void
loop_io_input_stream_class_init (LoopIOInputStreamClass *klass)
{
  GInputStreamClass *stream_class = G_INPUT_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = loop_io_input_stream_finalize;

  stream_class->read_fn = loop_io_input_stream_read;
  stream_class->close_fn = loop_io_input_stream_close;
  stream_class->close_async = loop_io_input_stream_close_async;
  stream_class->close_finish = loop_io_input_stream_close_finish;
}

static void
loop_io_input_stream_init (LoopIOInputStream *self)
{
}

GInputStream *
loop_io_input_stream_new (LoopIOChannel *channel)
{
  LoopIOInputStream *self = g_object_new (LOOP_TYPE_IO_INPUT_STREAM, NULL);

  self->channel = g_object_ref (channel);

  return G_INPUT_STREAM (self);
}
