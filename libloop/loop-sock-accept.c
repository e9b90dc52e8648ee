/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-sock-private.h"
#include "loop-socket-private.h"

#include <errno.h>

/**
 * LoopAcceptResult:
 *
 * A connection that was accepted: see [method@EventLoop.sock_accept].
 */
struct _LoopAcceptResult
{
  GSocket *socket;
  GSocketAddress *address; /* or NULL */
};

G_DEFINE_BOXED_TYPE (LoopAcceptResult, loop_accept_result, loop_accept_result_ref, loop_accept_result_unref)

/**
 * loop_accept_result_ref:
 * @self: a connection
 *
 * Takes a reference; from any thread.
 *
 * Returns: (transfer full): @self
 */
LoopAcceptResult *
loop_accept_result_ref (LoopAcceptResult *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
loop_accept_result_clear (gpointer data)
{
  LoopAcceptResult *self = data;

  g_clear_object (&self->socket);
  g_clear_object (&self->address);
}

/**
 * loop_accept_result_unref:
 * @self: (transfer full): a connection
 *
 * Drops a reference; from any thread.
 */
void
loop_accept_result_unref (LoopAcceptResult *self)
{
  g_atomic_rc_box_release_full (self, loop_accept_result_clear);
}

/**
 * loop_accept_result_get_socket:
 * @self: a connection
 *
 * Gets the new socket. It is closed with the last reference to it.
 *
 * Returns: (transfer none): the socket, which is non-blocking and closed on exec
 */
GSocket *
loop_accept_result_get_socket (LoopAcceptResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->socket;
}

/**
 * loop_accept_result_get_address:
 * @self: a connection
 *
 * Gets the address of the other end.
 *
 * Returns: (transfer none) (nullable): the address, or %NULL if the kernel has none
 */
GSocketAddress *
loop_accept_result_get_address (LoopAcceptResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->address;
}

/* Returns: a descriptor, or -1 with errno */
static int
accept_fd (int fd, struct sockaddr_storage *address, socklen_t *length)
{
  int accepted;

  /* A connection that was closed again before it could be accepted is not worth a word. */
  do
    {
      *length = sizeof *address;
      accepted = accept4 (fd, (struct sockaddr *) address, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
  while (accepted < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));

  return accepted;
}

static LoopAcceptResult *
take_connection (LoopSockFuture *self, GError **error)
{
  struct sockaddr_storage address;
  socklen_t length;
  LoopAcceptResult *accepted;
  GSocket *socket;
  int fd = accept_fd (self->fd, &address, &length);

  if (fd < 0)
    {
      loop_sock_progress_from_errno (errno, error, "Could not accept a connection");
      return NULL;
    }

  socket = loop_socket_wrap (fd, error);
  if (socket == NULL)
    return NULL;

  g_socket_set_blocking (socket, FALSE);
  accepted = g_atomic_rc_box_new0 (LoopAcceptResult);
  accepted->socket = socket;
  accepted->address = loop_sock_address_from_native (&address, length);

  return accepted;
}

static LoopSockProgress
attempt (LoopSockFuture *self, GValue *result, GError **error)
{
  LoopSockReturn taken = loop_sock_future_take_returned (self);
  LoopAcceptResult *accepted = taken.item;

  /* There is no flag with which accept4() would not wait. */
  if (accepted == NULL && loop_socket_ensure_nonblocking (self->fd, error))
    accepted = take_connection (self, error);
  if (accepted == NULL)
    return *error != NULL ? LOOP_SOCK_FAILED : LOOP_SOCK_AGAIN;

  g_value_init (result, LOOP_TYPE_ACCEPT_RESULT);
  g_value_set_boxed (result, accepted);
  self->kept = accepted;
  self->unkeep = (GDestroyNotify) loop_accept_result_unref;

  return LOOP_SOCK_DONE;
}

static void
give_back (LoopSockFuture *self)
{
  loop_sock_future_return (self, g_steal_pointer (&self->kept), (GDestroyNotify) loop_accept_result_unref);
}

static const LoopSockKind accept_kind = {
  .name = "sock_accept",
  .interest = LOOP_INTEREST_READ,
  .attempt = attempt,
  .give_back = give_back,
};

/**
 * loop_event_loop_sock_accept:
 * @self: an event loop
 * @socket: a listening socket, as for [method@EventLoop.sock_recv]
 *
 * Accepts a connection. Those that wait for one take their turns. To give up, cancel the
 * future: no connection is lost by that, for one that was accepted for a task that was
 * cancelled at the same time is for the next who asks.
 *
 * Returns: (transfer full): a future for a [struct@AcceptResult]; it fails with the I/O error
 *   of the socket, and otherwise as that of [method@EventLoop.sock_recv]
 */
LoopFuture *
loop_event_loop_sock_accept (LoopEventLoop *self, GSocket *socket)
{
  LoopSockFuture *future;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET (socket), NULL);

  future = loop_sock_future_new (self, socket, &accept_kind, NULL);
  loop_sock_future_start (future);

  return LOOP_FUTURE (future);
}
