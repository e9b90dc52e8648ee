/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "unix-check.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/un.h>

UnixPlace
unix_place_new (void)
{
  UnixPlace self = { .folder = g_dir_make_tmp ("loop-unix-XXXXXX", NULL) };

  ck_assert_ptr_nonnull (self.folder);
  self.path = g_build_filename (self.folder, "socket", NULL);

  return self;
}

void
unix_place_clear (UnixPlace *self)
{
  ck_assert_msg (g_rmdir (self->folder) == 0, "a file is left in %s", self->folder);
  g_free (self->folder);
  g_free (self->path);
}

gboolean
unix_exists (const char *path)
{
  GStatBuf status;

  return g_lstat (path, &status) == 0;
}

static socklen_t
fill_address (struct sockaddr_un *address, const char *path)
{
  *address = (struct sockaddr_un) { .sun_family = AF_UNIX };
  memcpy (address->sun_path, path, strlen (path));
  if (*path == '@')
    address->sun_path[0] = '\0';

  return (socklen_t) (G_STRUCT_OFFSET (struct sockaddr_un, sun_path) + strlen (path));
}

int
unix_raw_bind (Tcp *tcp, const char *path)
{
  struct sockaddr_un address;
  socklen_t length = fill_address (&address, path);
  int fd = tcp_raw_socket (tcp, AF_UNIX);

  ck_assert_int_eq (bind (fd, (const struct sockaddr *) &address, length), 0);

  return fd;
}

int
unix_raw_listen (Tcp *tcp, const char *path, int backlog)
{
  int fd = unix_raw_bind (tcp, path);

  ck_assert_int_eq (listen (fd, backlog), 0);

  return fd;
}

int
unix_raw_connect (Tcp *tcp, const char *path)
{
  struct sockaddr_un address;
  socklen_t length = fill_address (&address, path);
  int fd = tcp_raw_socket (tcp, AF_UNIX);

  ck_assert_int_eq (connect (fd, (const struct sockaddr *) &address, length), 0);

  return fd;
}

void
unix_leave_behind (Tcp *tcp, const char *path)
{
  tcp_raw_close (tcp, unix_raw_bind (tcp, path));
  ck_assert (unix_exists (path));
}

/* Returns: the path, or "" for a socket that has none */
char *
unix_get_path (LoopTransport *transport, const char *name)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_transport_get_extra_info (transport, name, &value));
  ck_assert (G_IS_UNIX_SOCKET_ADDRESS (g_value_get_object (&value)));

  return g_strdup (g_unix_socket_address_get_path (g_value_get_object (&value)));
}
