/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-io-stream.h"

#include "loop-io-input-stream-private.h"
#include "loop-io-output-stream-private.h"
#include "loop-transport-private.h"

/**
 * LoopIOStream:
 *
 * A [class@Transport] as a [class@Gio.IOStream], for all that reads and writes GIO's streams:
 * [class@Gio.DataInputStream], [class@Gio.DBusConnection], converters and so on.
 *
 * It takes the place of the transport's protocol. Both of its streams are pollable, and
 * none of its asynchronous operations needs a thread. They may be called in any thread,
 * with the callback in the thread-default main context of that thread, as always in GIO.
 *
 * - While nobody reads, no more than about 64 KiB are kept, and the transport is paused.
 * - A write may take less than it is given, and is done once the transport's buffer is
 *   not over its high-water mark any more: if it is cancelled before that, the data is
 *   written all the same. A flush is done when all is written.
 * - To close the output stream alone flushes it and then closes the transport's writing end,
 *   where that is possible: [method@Transport.write_eof]. To close the input stream alone
 *   stops the transport's reading. To close both, or the [class@Gio.IOStream], closes the
 *   transport; that is done when the connection is lost, and all that was written before is
 *   sent first. If it is cancelled, the transport is aborted. The last reference to the
 *   stream closes it, too, without waiting.
 * - A connection that is lost because of an error fails reads, after the data that came
 *   before it, writes, and the close, if nobody was told before.
 *
 * Calls that block work in any thread but that of the loop, which would wait for itself.
 * There a read that finds nothing, or a flush that finds something left to be written,
 * fails at once with %G_IO_ERROR_NOT_SUPPORTED; a write takes everything, as
 * [method@Transport.write] does; a close begins to close. The loop's thread is the one that
 * made the stream, and any that iterates the loop's context.
 */
struct _LoopIOStream
{
  GIOStream parent_instance;

  LoopIOChannel *channel;
  GInputStream *input;
  GOutputStream *output;
  gboolean is_disposing;
};

enum
{
  PROP_0,
  PROP_TRANSPORT,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (LoopIOStream, loop_io_stream, G_TYPE_IO_STREAM)

static GInputStream *
loop_io_stream_get_input_stream (GIOStream *stream)
{
  return LOOP_IO_STREAM (stream)->input;
}

static GOutputStream *
loop_io_stream_get_output_stream (GIOStream *stream)
{
  return LOOP_IO_STREAM (stream)->output;
}

static void
begin_close (LoopIOStream *self)
{
  loop_io_channel_close (self->channel);

  /* There is nothing left to do for them; one that has an operation pending will be told by that. */
  g_output_stream_close (self->output, NULL, NULL);
  g_input_stream_close (self->input, NULL, NULL);
}

/* Returns: %FALSE with an error if the close was cancelled, or the connection lost by an error */
static gboolean
end_close (LoopIOStream *self, GCancellable *cancellable, GError **error)
{
  if (!loop_io_channel_is_ready (self->channel, LOOP_IO_LOST) &&
      g_cancellable_set_error_if_cancelled (cancellable, error))
    {
      loop_io_channel_abort (self->channel);
      return FALSE;
    }

  return loop_io_channel_check_end (self->channel, error);
}

static gboolean
loop_io_stream_close (GIOStream *stream, GCancellable *cancellable, GError **error)
{
  LoopIOStream *self = LOOP_IO_STREAM (stream);

  begin_close (self);
  if (!self->is_disposing && loop_io_channel_may_wait (self->channel))
    loop_io_channel_wait (self->channel, LOOP_IO_LOST, cancellable, NULL);

  return end_close (self, cancellable, error);
}

static gboolean
lost (gpointer data)
{
  GTask *task = data;
  GError *error = NULL;

  if (!end_close (g_task_get_source_object (task), g_task_get_cancellable (task), &error))
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);

  return G_SOURCE_REMOVE;
}

static void
loop_io_stream_close_async (GIOStream *stream,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  LoopIOStream *self = LOOP_IO_STREAM (stream);
  g_autoptr (GTask) task = g_task_new (stream, cancellable, callback, user_data);

  g_task_set_source_tag (task, loop_io_stream_close_async);
  g_task_set_priority (task, io_priority);
  g_task_set_check_cancellable (task, FALSE);

  begin_close (self);
  loop_io_channel_await (self->channel, LOOP_IO_LOST, task, lost);
}

static gboolean
loop_io_stream_close_finish (GIOStream *stream, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
loop_io_stream_get_property (GObject *object, guint property_id, GValue *value, GParamSpec *pspec)
{
  switch (property_id)
    {
    case PROP_TRANSPORT:
      g_value_take_object (value, loop_io_channel_dup_transport (LOOP_IO_STREAM (object)->channel));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_io_stream_set_property (GObject *object, guint property_id, const GValue *value, GParamSpec *pspec)
{
  LoopIOStream *self = LOOP_IO_STREAM (object);

  switch (property_id)
    {
    case PROP_TRANSPORT:
      self->channel = loop_io_channel_new (g_value_get_object (value));
      self->input = loop_io_input_stream_new (self->channel);
      self->output = loop_io_output_stream_new (self->channel);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_io_stream_dispose (GObject *object)
{
  LoopIOStream *self = LOOP_IO_STREAM (object);

  self->is_disposing = TRUE;

  G_OBJECT_CLASS (loop_io_stream_parent_class)->dispose (object);
}

static void
loop_io_stream_finalize (GObject *object)
{
  LoopIOStream *self = LOOP_IO_STREAM (object);

  g_object_unref (self->input);
  g_object_unref (self->output);
  g_object_unref (self->channel);

  G_OBJECT_CLASS (loop_io_stream_parent_class)->finalize (object);
}

static void
loop_io_stream_class_init (LoopIOStreamClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GIOStreamClass *stream_class = G_IO_STREAM_CLASS (klass);

  object_class->get_property = loop_io_stream_get_property;
  object_class->set_property = loop_io_stream_set_property;
  object_class->dispose = loop_io_stream_dispose;
  object_class->finalize = loop_io_stream_finalize;

  stream_class->get_input_stream = loop_io_stream_get_input_stream;
  stream_class->get_output_stream = loop_io_stream_get_output_stream;
  stream_class->close_fn = loop_io_stream_close;
  stream_class->close_async = loop_io_stream_close_async;
  stream_class->close_finish = loop_io_stream_close_finish;

  /**
   * LoopIOStream:transport: (getter dup_transport)
   *
   * The transport; %NULL once the connection is lost.
   */
  properties[PROP_TRANSPORT] =
      g_param_spec_object ("transport", NULL, NULL, LOOP_TYPE_TRANSPORT,
                           G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loop_io_stream_init (LoopIOStream *self)
{
}

/**
 * loop_io_stream_new:
 * @transport: a transport of bytes, not of datagrams, whose protocol the stream replaces
 *
 * Makes a stream of a transport, on the loop's thread: see [method@Transport.set_protocol]. If
 * the transport's reading was paused, it goes on. What the protocol had received and not
 * used is handed over with [method@IOStream.feed].
 *
 * To give the transport to another protocol later on, read what there is with
 * [method@Gio.PollableInputStream.read_nonblocking] first; the stream is closed by that.
 *
 * Returns: (transfer full): the stream
 */
LoopIOStream *
loop_io_stream_new (LoopTransport *transport)
{
  g_return_val_if_fail (LOOP_IS_TRANSPORT (transport), NULL);
  g_return_val_if_fail (loop_transport_carries_bytes (transport), NULL);

  return g_object_new (LOOP_TYPE_IO_STREAM, "transport", transport, NULL);
}

/**
 * loop_io_stream_dup_transport: (get-property transport)
 * @self: a stream
 *
 * Gets the transport.
 *
 * Returns: (transfer full) (nullable): the transport; %NULL once the connection is lost, or
 *   after another protocol was given to the transport
 */
LoopTransport *
loop_io_stream_dup_transport (LoopIOStream *self)
{
  g_return_val_if_fail (LOOP_IS_IO_STREAM (self), NULL);

  return loop_io_channel_dup_transport (self->channel);
}

/**
 * loop_io_stream_feed:
 * @self: a stream
 * @bytes: what the transport's last protocol has received and not used
 *
 * Has this read before all that the transport receives later. It is for the loop's thread,
 * right after the stream was made.
 */
void
loop_io_stream_feed (LoopIOStream *self, GBytes *bytes)
{
  gsize length;
  gconstpointer data;

  g_return_if_fail (LOOP_IS_IO_STREAM (self));
  g_return_if_fail (bytes != NULL);

  data = g_bytes_get_data (bytes, &length);
  loop_io_channel_feed (self->channel, data, length);
}
