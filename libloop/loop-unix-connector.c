/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-connecting-private.h"
#include "loop-connection-options.h"
#include "loop-connector.h"
#include "loop-socket-private.h"
#include "loop-unix-path-private.h"

#include <errno.h>
#include <unistd.h>

/* One call of create_unix_connection. */
typedef struct
{
  LoopConnecting connecting;
  struct sockaddr_un address;
  socklen_t length;
  int fd;
  gint64 delay;           /* before it is tried again, in nanoseconds; see loop_unix_get_next_delay() */
  LoopTimerHandle *retry; /* or NULL */
} UnixConnector;

static void try_to_connect (UnixConnector *self);

static void
unix_connector_end (LoopConnecting *connecting)
{
  UnixConnector *self = (UnixConnector *) connecting;

  if (self->retry != NULL)
    loop_timer_handle_cancel (self->retry);
  g_clear_pointer (&self->retry, loop_timer_handle_unref);
  if (self->fd >= 0)
    close (self->fd);
}

static void
retry (gpointer data)
{
  UnixConnector *self = data;

  g_clear_pointer (&self->retry, loop_timer_handle_unref);
  if (loop_future_is_pending (self->connecting.future))
    try_to_connect (self);
}

static void
fail (UnixConnector *self, int saved_errno)
{
  g_autofree char *text = loop_unix_path_to_string (&self->address, self->length);
  GError *error = NULL;

  loop_set_error_from_errno (&error, saved_errno, "Could not connect to “%s”", text);
  loop_connecting_fail (&self->connecting, error);
}

static void
try_to_connect (UnixConnector *self)
{
  int status;

  do
    status = connect (self->fd, (const struct sockaddr *) &self->address, self->length) == 0 ? 0 : errno;
  while (status == EINTR);

  if (status == EAGAIN)
    {
      self->delay = loop_unix_get_next_delay (self->delay);
      self->retry = loop_timer_handle_ref (loop_event_loop_schedule_at (
          self->connecting.loop, loop_clock_now () + self->delay, retry, self, NULL, "retry connect"));
    }
  else if (status == 0 || status == EISCONN)
    {
      int fd = self->fd;

      self->fd = -1;
      loop_connecting_take_fd (&self->connecting, fd);
    }
  else
    {
      fail (self, status);
    }
}

static gboolean
check_arguments (const char *path, LoopConnectionOptions *options, GError **error)
{
  if (options != NULL && loop_connection_options_get_local_addr (options) != NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                           "A connection to a unix socket has no local address that could be given");
      return FALSE;
    }

  return loop_socket_check_unix_arguments (path, options != NULL ? loop_connection_options_get_sock (options) : NULL,
                                           error);
}

/**
 * loop_event_loop_create_unix_connection:
 * @self: an event loop
 * @path: (nullable) (type filename): the path of a unix socket, or `@` and a name in the abstract namespace; %NULL if the
 *   options have a socket
 * @options: (nullable): options; only [property@ConnectionOptions:sock] means anything here
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Connects to the server on a unix socket. Once connected, @factory is called for a protocol, the protocol's
 * `connection_made` is called, and the future is fulfilled with the [class@Transport], which knows its protocol. While
 * the queue of the server is full, the connection waits.
 *
 * Cancelling the future gives up, at whatever point.
 *
 * Returns: (transfer full): a future for the transport; it fails with %G_IO_ERROR_INVALID_ARGUMENT, with
 *   %G_IO_ERROR_FILENAME_TOO_LONG, with the I/O error, such as %G_IO_ERROR_NOT_FOUND or
 *   %G_IO_ERROR_CONNECTION_REFUSED, or with %LOOP_ERROR_PROTOCOL_FACTORY
 */
LoopFuture *
loop_event_loop_create_unix_connection (LoopEventLoop *self,
                                        const char *path,
                                        LoopConnectionOptions *options,
                                        LoopProtocolFactory factory,
                                        gpointer user_data,
                                        GDestroyNotify notify)
{
  g_autoptr (LoopFuture) future = NULL;
  UnixConnector *connector;
  struct sockaddr_un address;
  socklen_t length = 0;
  int fd = -1;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_CONNECTION_OPTIONS (options), NULL);
  g_return_val_if_fail (factory != NULL, NULL);

  if (!loop_event_loop_check_usable (self, &error) || !check_arguments (path, options, &error) ||
      (path != NULL && !loop_unix_path_to_native (path, &address, &length, &error)) ||
      (path != NULL && (fd = loop_socket_new (AF_UNIX, 0, &error)) < 0))
    {
      loop_destroy_user_data (user_data, notify);
      return loop_future_new_failed (self, "create_unix_connection", error);
    }

  connector = loop_connecting_new (sizeof *connector, self, "create_unix_connection", unix_connector_end, factory,
                                   user_data, notify);
  connector->fd = fd;
  future = g_object_ref (connector->connecting.future);

  if (path != NULL)
    {
      connector->address = address;
      connector->length = length;
      try_to_connect (connector);
    }
  else
    {
      loop_connecting_set_socket (&connector->connecting, loop_connection_options_get_sock (options));
    }

  return g_steal_pointer (&future);
}
