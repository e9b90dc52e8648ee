/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-connect-pipe.h"
#include "loop-pipe-transport-private.h"

static void
abort_if_cancelled (LoopFuture *future, gpointer user_data)
{
  if (loop_future_cancelled (future))
    loop_transport_abort (user_data);
}

static LoopFuture *
connect_pipe (LoopEventLoop *self,
              int fd,
              LoopPipeEnd end,
              const char *name,
              LoopProtocolFactory factory,
              gpointer user_data,
              GDestroyNotify notify)
{
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopPipeTransport) transport = NULL;
  GError *error = NULL;

  if (loop_event_loop_check_usable (self, &error) && loop_pipe_check (self, fd, end, &error))
    {
      g_autoptr (GObject) protocol = factory (user_data);

      transport = loop_pipe_transport_new (self, fd, end, protocol, &error);
    }
  loop_destroy_user_data (user_data, notify);

  if (transport == NULL)
    return loop_future_new_failed (self, name, error);

  future = loop_future_new (self, name);
  loop_pipe_transport_start (transport, future, NULL, NULL);
  loop_future_add_done_callback (future, abort_if_cancelled, g_steal_pointer (&transport), g_object_unref);

  return g_steal_pointer (&future);
}

/**
 * loop_event_loop_connect_read_pipe:
 * @self: an event loop
 * @fd: the end of a pipe that is read, a socket or a terminal; not a regular file
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Reads a pipe: @factory is called for a protocol, the protocol's `connection_made` is
 * called, and the future is fulfilled with the [class@Transport]. At the end of the file
 * the transport is closed, whatever `eof_received` returns.
 *
 * Once there is a transport, @fd is the transport's: it is in non-blocking mode, and
 * closed with it, or when the future is cancelled. A mode that was a blocking one is
 * brought back before that, for other processes may have the file as well. If the future
 * fails, @fd still belongs to the caller. The transport knows it as the `pipe` of its
 * extra information.
 *
 * Returns: (transfer full): a future for the transport; it fails with
 *   %G_IO_ERROR_INVALID_ARGUMENT if @fd is not such a descriptor, with
 *   %G_IO_ERROR_NOT_SUPPORTED if it is a device that cannot be waited for, with
 *   %LOOP_ERROR_DESCRIPTOR_IN_USE or with %LOOP_ERROR_PROTOCOL_FACTORY
 */
LoopFuture *
loop_event_loop_connect_read_pipe (LoopEventLoop *self,
                                   int fd,
                                   LoopProtocolFactory factory,
                                   gpointer user_data,
                                   GDestroyNotify notify)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (factory != NULL, NULL);

  return connect_pipe (self, fd, LOOP_PIPE_READ_END, "connect_read_pipe", factory, user_data, notify);
}

/**
 * loop_event_loop_connect_write_pipe:
 * @self: an event loop
 * @fd: the end of a pipe that is written to, a socket or a terminal; not a regular file
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Writes to a pipe: see [method@EventLoop.connect_read_pipe], also for what becomes of
 * @fd. `write_eof` closes the transport once all is written. When the reader closes its
 * end, the protocol's `connection_lost` is called: with %G_IO_ERROR_BROKEN_PIPE if there
 * was something left to be written. There is no `SIGPIPE`.
 *
 * Returns: (transfer full): a future for the transport; it fails as that of
 *   [method@EventLoop.connect_read_pipe]
 */
LoopFuture *
loop_event_loop_connect_write_pipe (LoopEventLoop *self,
                                    int fd,
                                    LoopProtocolFactory factory,
                                    gpointer user_data,
                                    GDestroyNotify notify)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (factory != NULL, NULL);

  return connect_pipe (self, fd, LOOP_PIPE_WRITE_END, "connect_write_pipe", factory, user_data, notify);
}
