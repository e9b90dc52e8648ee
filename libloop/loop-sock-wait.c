/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-sock-private.h"

static const LoopSockKind read_kind = {
  .name = "sock_wait",
  .interest = LOOP_INTEREST_READ,
  .is_blunt = TRUE,
};

static const LoopSockKind write_kind = {
  .name = "sock_wait",
  .interest = LOOP_INTEREST_WRITE,
  .is_blunt = TRUE,
};

/**
 * loop_event_loop_sock_check:
 * @self: an event loop
 * @fd: the descriptor of a socket
 * @error: return location for an error
 *
 * Finds out whether a socket may be used by itself: not while a transport or a server has it.
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_DESCRIPTOR_IN_USE, or with %LOOP_ERROR_CLOSED if
 *   the loop is closed
 */
gboolean
loop_event_loop_sock_check (LoopEventLoop *self, int fd, GError **error)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return loop_event_loop_check_usable (self, error) && loop_fd_watcher_check_free (self, fd, error);
}

/**
 * loop_event_loop_sock_wait:
 * @self: an event loop
 * @fd: the descriptor of a socket that is no #GSocket, or another one that can be polled
 * @condition: %G_IO_IN or %G_IO_OUT
 *
 * Waits until a socket can be read or written: with that, operations like
 * [method@EventLoop.sock_recv] are made for sockets of other libraries. Try, wait if that
 * would block, and try again. Nothing is taken from the socket, and so nothing is lost when
 * the future is cancelled. Those who wait take turns. @fd must stay open meanwhile.
 *
 * Returns: (transfer full): a future without a value; it fails as that of
 *   [method@EventLoop.sock_recv], and with %G_IO_ERROR_CLOSED if @fd is found to be closed
 */
LoopFuture *
loop_event_loop_sock_wait (LoopEventLoop *self, int fd, GIOCondition condition)
{
  LoopSockFuture *future;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (condition == G_IO_IN || condition == G_IO_OUT, NULL);

  future = loop_sock_future_new_for_fd (self, fd, condition == G_IO_IN ? &read_kind : &write_kind);
  loop_sock_future_start (future);

  return LOOP_FUTURE (future);
}
