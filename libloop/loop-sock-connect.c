/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-resolver-private.h"
#include "loop-sock-private.h"
#include "loop-socket-private.h"
#include "loop-unix-path-private.h"

#include <errno.h>

/* One call, until it is done. While the name is looked up, or a unix server has no room, the operation is in no queue. */
typedef struct
{
  char *text; /* the address as it was given */
  struct sockaddr_storage address;
  socklen_t length;
  gboolean is_under_way;

  LoopFuture *lookup; /* or NULL */
  guint64 lookup_callback;
  LoopTimerHandle *retry; /* or NULL */
  gint64 delay;           /* before it: see loop_unix_get_next_delay() */
  LoopCloseHook hook;     /* while there is one of these two */
} Connect;

static void
stop_waiting (Connect *self)
{
  g_autoptr (LoopTimerHandle) retry = g_steal_pointer (&self->retry);

  if (self->lookup == NULL && retry == NULL)
    return;

  loop_close_hook_remove (&self->hook);
  loop_resolver_abandon (&self->lookup, self->lookup_callback);
  if (retry != NULL)
    loop_timer_handle_cancel (retry);
}

static void
loop_closed (LoopCloseHook *hook)
{
  stop_waiting ((Connect *) ((char *) hook - G_STRUCT_OFFSET (Connect, hook)));
}

static void
await_close (LoopSockFuture *future)
{
  Connect *self = future->data;

  self->hook.closed = loop_closed;
  loop_event_loop_add_close_hook (future->parent_instance.loop, &self->hook);
}

static LoopSockProgress
fail (const Connect *self, int saved_errno, GError **error)
{
  loop_set_error_from_errno (error, saved_errno, "Could not connect to %s", self->text);

  return LOOP_SOCK_FAILED;
}

static LoopSockProgress
look_at_outcome (LoopSockFuture *future, GError **error)
{
  Connect *self = future->data;
  int status = 0;
  socklen_t length = sizeof status;

  if (getsockopt (future->fd, SOL_SOCKET, SO_ERROR, &status, &length) < 0)
    status = errno;
  if (status != 0)
    return fail (self, status, error);

  /* It asks the kernel again, but is how a GSocket learns that it is connected. */
  return g_socket_check_connect_result (future->socket, error) ? LOOP_SOCK_DONE : LOOP_SOCK_FAILED;
}

static void
retry (gpointer data)
{
  LoopSockFuture *future = data;

  stop_waiting (future->data);
  loop_sock_future_start (future);
}

static LoopSockProgress
try_later (LoopSockFuture *future)
{
  Connect *self = future->data;

  await_close (future);
  self->delay = loop_unix_get_next_delay (self->delay);
  self->retry = loop_timer_handle_ref (
      loop_event_loop_schedule_at (future->parent_instance.loop, loop_clock_now () + self->delay, retry,
                                   g_object_ref (future), g_object_unref, "retry sock_connect"));

  return LOOP_SOCK_LATER;
}

static LoopSockProgress
attempt (LoopSockFuture *future, GValue *result, GError **error)
{
  Connect *self = future->data;

  if (self->is_under_way)
    return look_at_outcome (future, error);

  if (!loop_socket_ensure_nonblocking (future->fd, error))
    return LOOP_SOCK_FAILED;

  if (connect (future->fd, (const struct sockaddr *) &self->address, self->length) == 0)
    return look_at_outcome (future, error);

  if (errno == EAGAIN && self->address.ss_family == AF_UNIX)
    return try_later (future);

  /* An interrupted call goes on by itself, as POSIX has it. */
  if (errno != EINPROGRESS && errno != EINTR && errno != EALREADY)
    return fail (self, errno, error);

  self->is_under_way = TRUE;

  return LOOP_SOCK_AGAIN;
}

static void
clear (LoopSockFuture *future)
{
  Connect *self = future->data;

  stop_waiting (self);
  g_free (self->text);
  g_free (self);
}

static const LoopSockKind connect_kind = {
  .name = "sock_connect",
  .interest = LOOP_INTEREST_WRITE,
  .attempt = attempt,
  .clear = clear,
};

static void
found (LoopFuture *lookup, gpointer user_data)
{
  LoopSockFuture *future = user_data;
  Connect *self = future->data;
  g_autoptr (GPtrArray) addresses = NULL;
  GError *error = NULL;

  addresses = loop_resolver_dup_result (lookup, &error);
  loop_close_hook_remove (&self->hook);
  g_clear_object (&self->lookup);

  if (addresses != NULL && addresses->len == 0)
    error = g_error_new (G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "%s has no address", self->text);
  if (error != NULL)
    {
      loop_sock_future_fail (future, error);
      return;
    }

  self->length = ((LoopResolvedAddress *) addresses->pdata[0])->length;
  self->address = ((LoopResolvedAddress *) addresses->pdata[0])->address;
  loop_sock_future_start (future);
}

static void
look_up (LoopSockFuture *future, GNetworkAddress *name)
{
  Connect *self = future->data;
  LoopEventLoop *loop = future->parent_instance.loop;

  if (!loop_future_is_pending (&future->parent_instance))
    return;

  await_close (future);
  self->lookup =
      loop_resolver_lookup (loop, g_network_address_get_hostname (name), g_network_address_get_port (name),
                            (int) g_socket_get_family (future->socket), loop_socket_get_native_type (future->socket),
                            (int) g_socket_get_protocol (future->socket), 0);
  self->lookup_callback = loop_future_add_done_callback (self->lookup, found, g_object_ref (future), g_object_unref);
}

static void
use (LoopSockFuture *future, GSocketAddress *address)
{
  Connect *self = future->data;
  GError *error = NULL;

  if (!loop_future_is_pending (&future->parent_instance))
    return;

  if (!g_socket_address_to_native (address, &self->address, sizeof self->address, &error))
    {
      loop_sock_future_fail (future, error);
      return;
    }

  self->length = (socklen_t) g_socket_address_get_native_size (address);
  loop_sock_future_start (future);
}

/**
 * loop_event_loop_sock_connect:
 * @self: an event loop
 * @socket: a socket, as for [method@EventLoop.sock_recv]
 * @address: a #GSocketAddress, or a #GNetworkAddress, which is looked up first
 *
 * Connects a socket. A name is looked up for the family and the type of @socket, and the first
 * address is the one. If the future is cancelled while the kernel connects, @socket goes on
 * with that until it is closed.
 *
 * While the queue of a unix server is full, the connection waits: what has not begun yet ends with
 * the future.
 *
 * Returns: (transfer full): a future without a value; it fails with the I/O error of the
 *   attempt, with an error of %G_RESOLVER_ERROR, with %G_IO_ERROR_NOT_SUPPORTED if @address is
 *   of another type, and otherwise as that of [method@EventLoop.sock_recv]
 */
LoopFuture *
loop_event_loop_sock_connect (LoopEventLoop *self, GSocket *socket, GSocketConnectable *address)
{
  LoopSockFuture *future;
  Connect *connect;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET (socket), NULL);
  g_return_val_if_fail (G_IS_SOCKET_CONNECTABLE (address), NULL);

  connect = g_new0 (Connect, 1);
  connect->text = g_socket_connectable_to_string (address);
  future = loop_sock_future_new (self, socket, &connect_kind, connect);

  if (G_IS_SOCKET_ADDRESS (address))
    use (future, G_SOCKET_ADDRESS (address));
  else if (G_IS_NETWORK_ADDRESS (address))
    look_up (future, G_NETWORK_ADDRESS (address));
  else
    loop_sock_future_fail (future, g_error_new (G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                                                "Cannot look up a %s: a GNetworkAddress was expected",
                                                G_OBJECT_TYPE_NAME (address)));

  return LOOP_FUTURE (future);
}
