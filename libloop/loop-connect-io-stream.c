/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-connect-io-stream.h"

#include "loop-io-stream-transport-private.h"

static void
abort_if_cancelled (LoopFuture *future, gpointer user_data)
{
  if (loop_future_cancelled (future))
    loop_transport_abort (user_data);
}

/* Whether @stream can be used, and nobody else does. */
static gboolean
check_stream (GIOStream *stream, GError **error)
{
  if (g_io_stream_is_closed (stream) || g_input_stream_is_closed (g_io_stream_get_input_stream (stream)) ||
      g_output_stream_is_closed (g_io_stream_get_output_stream (stream)))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The %s is closed", G_OBJECT_TYPE_NAME (stream));
      return FALSE;
    }

  if (g_io_stream_has_pending (stream) || g_input_stream_has_pending (g_io_stream_get_input_stream (stream)) ||
      g_output_stream_has_pending (g_io_stream_get_output_stream (stream)))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PENDING,
                   "The %s has an operation under way, or belongs to a transport", G_OBJECT_TYPE_NAME (stream));
      return FALSE;
    }

  return TRUE;
}

/**
 * loop_event_loop_connect_io_stream:
 * @self: an event loop
 * @stream: a stream, such as a [class@Gio.TlsConnection] or a [class@Gio.SimpleIOStream]
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Makes a transport of any stream: @factory is called for a protocol, the protocol's
 * `connection_made` is called, and the future is fulfilled with the [class@Transport].
 *
 * From then on @stream is the transport's: it has an operation pending, so that nobody else
 * closes it, and is closed with the transport, or when the future is cancelled. If the
 * future fails, @stream is as it was. The transport knows it as the `io-stream` of its
 * extra information; if it is a [class@Gio.SocketConnection], or TLS on one, there are
 * `socket`, `peername` and `sockname` as well.
 *
 * Pollable streams are read and written as sockets are. Of others the asynchronous operations
 * are used, on the loop's context; some of these start a thread each time. An output stream
 * that can be flushed, as one with a buffer, is flushed whenever all is written to it.
 * `write_eof` closes the output stream, or shuts down the writing end of a
 * [class@Gio.SocketConnection]. When the loop is closed, operations that are under way are
 * cancelled, and waited for if the loop's context is its own.
 *
 * Streams of which it is not known how they write may write to a pipe that is broken:
 * `SIGPIPE` is ignored once there is one, as GIO itself does when it makes a socket, but not
 * if the process has a handler for it.
 *
 * A plain [class@Gio.SocketConnection] goes the same way as any stream. Where nothing was
 * read from it yet, [method@EventLoop.create_connection] with its socket is faster.
 *
 * Returns: (transfer full): a future for the transport; it fails with %G_IO_ERROR_CLOSED
 *   if @stream is closed, with %G_IO_ERROR_PENDING if it is in use, or with
 *   %LOOP_ERROR_PROTOCOL_FACTORY
 */
LoopFuture *
loop_event_loop_connect_io_stream (LoopEventLoop *self,
                                   GIOStream *stream,
                                   LoopProtocolFactory factory,
                                   gpointer user_data,
                                   GDestroyNotify notify)
{
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopIOStreamTransport) transport = NULL;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_IO_STREAM (stream), NULL);
  g_return_val_if_fail (factory != NULL, NULL);

  if (loop_event_loop_check_usable (self, &error) && check_stream (stream, &error))
    {
      g_autoptr (GObject) protocol = factory (user_data);

      transport = loop_io_stream_transport_new (self, stream, protocol, &error);
    }
  loop_destroy_user_data (user_data, notify);

  if (transport == NULL)
    return loop_future_new_failed (self, "connect_io_stream", error);

  future = loop_future_new (self, "connect_io_stream");
  loop_flow_transport_start (&transport->flow, future, NULL, NULL);
  loop_future_add_done_callback (future, abort_if_cancelled, g_steal_pointer (&transport), g_object_unref);

  return g_steal_pointer (&future);
}
