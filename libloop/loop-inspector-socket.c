/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-error-private.h"
#include "loop-inspector-socket-private.h"
#include "loop-unix-path-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Where an inspector listens: $XDG_RUNTIME_DIR/libloop/<pid>-<random>.sock, in a
 * directory that nobody but its owner can enter. There is no other place to fall back to,
 * and no abstract socket, which has no permissions.
 */

/* Returns: a descriptor of the directory, or -1 */
static int
open_directory (const char *path, GError **error)
{
  struct stat status;
  int fd;

  if (mkdir (path, 0700) < 0 && errno != EEXIST)
    {
      loop_set_error_from_errno (error, errno, "Could not make the directory “%s”", path);
      return -1;
    }

  fd = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || fstat (fd, &status) < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not open the directory “%s”", path);
      if (fd >= 0)
        close (fd);
      return -1;
    }

  if (status.st_uid != geteuid () || (status.st_mode & 0077) != 0)
    {
      g_set_error (
          error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
          "The directory “%s” must belong to user %u and be closed to others (mode 0700); it belongs to user %u "
          "and has mode %04o",
          path, geteuid (), status.st_uid, status.st_mode & 07777);
      close (fd);
      return -1;
    }

  return fd;
}

/* Whether nobody has the socket: its process is gone. */
static gboolean
is_stale (const char *path)
{
  struct sockaddr_un address;
  socklen_t length;

  return loop_unix_path_to_native (path, &address, &length, NULL) && loop_unix_path_is_free (&address, length);
}

/* Our own sockets begin with the id of their process. */
static gboolean
is_of_living_process (const char *name)
{
  gint64 pid = g_ascii_strtoll (name, NULL, 10);

  return pid > 0 && pid <= G_MAXINT && (kill ((pid_t) pid, 0) == 0 || errno == EPERM);
}

/* Removes what processes left behind that had no chance to clean up. */
static void
prune_directory (int directory_fd, const char *directory)
{
  int fd = dup (directory_fd);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  struct dirent *entry;

  if (dir == NULL)
    {
      if (fd >= 0)
        close (fd);
      return;
    }

  while ((entry = readdir (dir)) != NULL)
    {
      g_autofree char *path = NULL;
      struct stat before;
      struct stat after;

      if (!g_str_has_suffix (entry->d_name, ".sock") ||
          fstatat (directory_fd, entry->d_name, &before, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK (before.st_mode))
        continue;

      path = g_build_filename (directory, entry->d_name, NULL);

      /* A process that lives may be about to listen. And the name may have been given to a
       * new socket meanwhile. */
      if (!is_of_living_process (entry->d_name) && is_stale (path) &&
          fstatat (directory_fd, entry->d_name, &after, AT_SYMLINK_NOFOLLOW) == 0 && before.st_ino == after.st_ino &&
          before.st_dev == after.st_dev)
        unlinkat (directory_fd, entry->d_name, 0);
    }

  closedir (dir);
}

static gboolean
bind_in_directory (LoopInspectorSocket *self, int directory_fd, const char *name, GError **error)
{
  struct sockaddr_un address;
  socklen_t length;
  struct stat status;

  if (!loop_unix_path_to_native (self->path, &address, &length, error))
    return FALSE;

  self->fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  /* Before it is bound, so that the file never has another mode. */
  if (self->fd < 0 || fchmod (self->fd, 0600) < 0 || bind (self->fd, (const struct sockaddr *) &address, length) < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not bind to “%s”", self->path);
      return FALSE;
    }

  /* In the directory that was looked at, not in one that took its place. */
  if (fstatat (directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK (status.st_mode) ||
      status.st_uid != geteuid ())
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, "The directory of “%s” was replaced", self->path);
      return FALSE;
    }

  /* From here on it is known as ours, and removed when something fails. */
  self->device = status.st_dev;
  self->inode = status.st_ino;

  if (listen (self->fd, SOMAXCONN) < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not listen on “%s”", self->path);
      return FALSE;
    }

  return TRUE;
}

gboolean
loop_inspector_socket_open (LoopInspectorSocket *self, GError **error)
{
  const char *runtime_dir = g_getenv ("XDG_RUNTIME_DIR");
  g_autofree char *directory = NULL;
  g_autofree char *name = NULL;
  int directory_fd;
  gboolean success;

  *self = (LoopInspectorSocket) { .fd = -1 };

  if (runtime_dir == NULL || !g_path_is_absolute (runtime_dir))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                           "XDG_RUNTIME_DIR is not set to an absolute path, so there is no private place for the "
                           "inspector's socket");
      return FALSE;
    }

  directory = g_build_filename (runtime_dir, "libloop", NULL);
  directory_fd = open_directory (directory, error);
  if (directory_fd < 0)
    return FALSE;

  prune_directory (directory_fd, directory);

  self->pid = getpid ();
  name = g_strdup_printf ("%d-%08x.sock", (int) self->pid, g_random_int ());
  self->path = g_build_filename (directory, name, NULL);
  success = bind_in_directory (self, directory_fd, name, error);
  close (directory_fd);

  if (!success)
    loop_inspector_socket_close (self);

  return success;
}

/* Removes the file, if it is still ours. */
void
loop_inspector_socket_unlink (LoopInspectorSocket *self)
{
  struct stat status;

  if (self->path != NULL && self->inode != 0 && self->pid == getpid () && lstat (self->path, &status) == 0 &&
      status.st_ino == self->inode && status.st_dev == self->device)
    unlink (self->path);
}

void
loop_inspector_socket_close (LoopInspectorSocket *self)
{
  loop_inspector_socket_unlink (self);

  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
  g_clear_pointer (&self->path, g_free);
}
