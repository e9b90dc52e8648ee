/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-error-private.h"
#include "loop-socket-private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* Returns: a non-blocking stream socket, or -1 */
int
loop_socket_new (int family, int proto, GError **error)
{
  int fd = socket (family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);

  if (fd < 0)
    loop_set_error_from_errno (error, errno, "Could not create a socket");

  return fd;
}

/*
 * Makes a GSocket that owns @fd. When it cannot be made, @fd is closed as well: GLib says that this is left to the
 * caller, but the object that it drops has closed it, and the number may be another file's by then.
 */
GSocket *
loop_socket_wrap (int fd, GError **error)
{
  return g_socket_new_from_fd (fd, error);
}

gboolean
loop_socket_check_stream (GSocket *socket, GError **error)
{
  if (g_socket_is_closed (socket))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The socket is closed");
      return FALSE;
    }

  if (g_socket_get_socket_type (socket) != G_SOCKET_TYPE_STREAM)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "A stream socket was expected");
      return FALSE;
    }

  return TRUE;
}

/* A GSocket makes its descriptor so, but when that fails it only warns; and others may have the file, too. */
gboolean
loop_socket_ensure_nonblocking (int fd, GError **error)
{
  int flags = fcntl (fd, F_GETFL);

  if (flags >= 0 && ((flags & O_NONBLOCK) != 0 || fcntl (fd, F_SETFL, flags | O_NONBLOCK) == 0))
    return TRUE;

  loop_set_error_from_errno (error, errno, "Could not make the socket non-blocking");

  return FALSE;
}

/* Returns: SOCK_STREAM or another */
int
loop_socket_get_native_type (GSocket *socket)
{
  switch (g_socket_get_socket_type (socket))
    {
    case G_SOCKET_TYPE_STREAM:
      return SOCK_STREAM;
    case G_SOCKET_TYPE_DATAGRAM:
      return SOCK_DGRAM;
    case G_SOCKET_TYPE_SEQPACKET:
      return SOCK_SEQPACKET;
    case G_SOCKET_TYPE_INVALID:
    default:
      return 0; /* GLib knows no others; for a lookup it means any */
    }
}

/* For servers and connections: either a path, or a socket that could have been bound or connected to one. */
gboolean
loop_socket_check_unix_arguments (const char *path, GSocket *socket, GError **error)
{
  if (path != NULL && socket != NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                           "A path and a socket cannot be given at the same time");
      return FALSE;
    }

  if (path == NULL && socket == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "Neither a path nor a socket was given");
      return FALSE;
    }

  if (socket == NULL)
    return TRUE;

  if (g_socket_get_family (socket) != G_SOCKET_FAMILY_UNIX)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "A unix socket was expected");
      return FALSE;
    }

  return loop_socket_check_stream (socket, error);
}

/* As asyncio does: a write goes out at once. Sockets other than TCP's have no such delay. */
void
loop_socket_set_nodelay (int fd)
{
  int one = 1;

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}
