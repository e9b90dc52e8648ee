/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-error-private.h"
#include "loop-unix-path-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Paths of unix sockets, and the files that binding makes.
 *
 * A file is left behind when its process dies, and has to be removed before the path can be bound again. Whether
 * somebody has the path still is asked of the kernel, and nobody else may ask, remove and bind at the same time: a lock
 * on the directory keeps others out that do as we do.
 */

/* How long, in milliseconds, another may have the directory's lock: it is needed for a few system calls. */
#define LOCK_TIMEOUT 100

static gboolean
is_abstract (const struct sockaddr_un *address)
{
  return address->sun_path[0] == '\0';
}

/*
 * loop_unix_path_to_native:
 * @path: a path, or `@` and a name in the abstract namespace
 *
 * Makes the address of a path. A file whose name begins with `@` is `./@name`.
 */
gboolean
loop_unix_path_to_native (const char *path, struct sockaddr_un *address, socklen_t *length, GError **error)
{
  gsize n = strlen (path);

  *address = (struct sockaddr_un) { .sun_family = AF_UNIX };

  if (n == 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The path of a socket is empty");
      return FALSE;
    }

  if (n >= sizeof address->sun_path)
    {
      g_autofree char *text = g_utf8_make_valid (path, -1);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG,
                   "The socket's path “%s” is longer than %" G_GSIZE_FORMAT " bytes", text,
                   sizeof address->sun_path - 1);
      return FALSE;
    }

  memcpy (address->sun_path, path, n);
  *length = (socklen_t) (G_STRUCT_OFFSET (struct sockaddr_un, sun_path) + n);
  if (*path == '@')
    address->sun_path[0] = '\0';
  else
    ++*length;

  return TRUE;
}

/* As people write it: abstract names begin with `@`. Always UTF-8. */
char *
loop_unix_path_to_string (const struct sockaddr_un *address, socklen_t length)
{
  gsize n = length - MIN (length, G_STRUCT_OFFSET (struct sockaddr_un, sun_path));
  g_autofree char *name = NULL;

  if (n == 0)
    return g_strdup ("a socket without a name");

  name = g_malloc (n + 1);
  memcpy (name, address->sun_path, n);
  name[n] = '\0';

  for (gsize i = 0; is_abstract (address) && i < n; i++)
    if (name[i] == '\0')
      name[i] = '@';

  return g_utf8_make_valid (name, -1);
}

/*
 * Whether no socket is bound to the path, even if there is a file. What cannot be found out counts as not free.
 *
 * The kernel knows the socket by the inode of the file. A datagram socket is told of one of another type that it is the
 * wrong one, whether that listens already or not, and a listener is not disturbed.
 */
gboolean
loop_unix_path_is_free (const struct sockaddr_un *address, socklen_t length)
{
  int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  gboolean is_free;

  if (fd < 0)
    return FALSE;

  is_free = connect (fd, (const struct sockaddr *) address, length) < 0 && (errno == ECONNREFUSED || errno == ENOENT);
  close (fd);

  return is_free;
}

/*
 * Returns: a descriptor of the directory of @path, which is locked, or -1
 *
 * Somebody else can lock a directory such as /tmp for as long as he likes, so that there is an end to waiting.
 */
static int
lock_directory (const char *path, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (path);
  g_autofree char *text = NULL;
  int saved_errno;
  int fd;

  do
    fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  while (fd < 0 && errno == EINTR);

  for (int i = 0; fd >= 0; i++)
    {
      if (flock (fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
      if (errno == EINTR)
        continue;
      if (errno != EWOULDBLOCK || i == LOCK_TIMEOUT)
        break;
      g_usleep (1000);
    }

  saved_errno = errno;
  text = g_utf8_make_valid (directory, -1);
  loop_set_error_from_errno (error, saved_errno, "Could not lock the directory “%s”", text);
  if (fd >= 0)
    close (fd);

  return -1;
}

/* A child that another thread forked meanwhile has the lock too, until it is given back. */
static void
unlock_directory (int fd)
{
  if (fd < 0)
    return;

  flock (fd, LOCK_UN);
  close (fd);
}

static gboolean
is_same_file (const struct stat *a, const struct stat *b)
{
  return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Removes the file that is in the way, if it is one of a socket that is gone. */
static gboolean
remove_stale (int directory, const char *name, const struct sockaddr_un *address, socklen_t length, GError **error)
{
  g_autofree char *text = loop_unix_path_to_string (address, length);
  struct stat before;
  struct stat after;

  if (fstatat (directory, name, &before, AT_SYMLINK_NOFOLLOW) < 0)
    {
      if (errno == ENOENT)
        return TRUE;
      loop_set_error_from_errno (error, errno, "Could not look at “%s”", text);
      return FALSE;
    }

  if (!S_ISSOCK (before.st_mode))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE, "“%s” exists and is not a socket", text);
      return FALSE;
    }

  if (!loop_unix_path_is_free (address, length))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE, "Another socket is bound to “%s”", text);
      return FALSE;
    }

  if (fstatat (directory, name, &after, AT_SYMLINK_NOFOLLOW) == 0 && !is_same_file (&before, &after))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE, "“%s” was replaced meanwhile", text);
      return FALSE;
    }

  if (unlinkat (directory, name, 0) < 0 && errno != ENOENT)
    {
      loop_set_error_from_errno (error, errno, "Could not remove “%s”, the socket of a process that is gone", text);
      return FALSE;
    }

  return TRUE;
}

static void
set_bind_error (const struct sockaddr_un *address, socklen_t length, int saved_errno, GError **error)
{
  g_autofree char *text = loop_unix_path_to_string (address, length);

  loop_set_error_from_errno (error, saved_errno, "Could not bind to “%s”", text);
}

static void
remember (LoopUnixFile *self, const char *path, const struct stat *status)
{
  if (g_path_is_absolute (path))
    {
      self->path = g_strdup (path);
    }
  else
    {
      g_autofree char *folder = g_get_current_dir ();

      self->path = g_build_filename (folder, path, NULL);
    }

  self->pid = getpid ();
  self->device = status->st_dev;
  self->inode = status->st_ino;
}

/* With the lock of the directory, or without it (-1): then nothing is removed. */
static gboolean
bind_to_file (int fd,
              int directory,
              const struct sockaddr_un *address,
              socklen_t length,
              LoopUnixFile *file,
              const GError *lock_error,
              GError **error)
{
  g_autofree char *name = g_path_get_basename (address->sun_path);
  struct stat status;
  int result = bind (fd, (const struct sockaddr *) address, length);
  int saved_errno;

  if (result < 0 && errno == EADDRINUSE && directory >= 0)
    {
      if (!remove_stale (directory, name, address, length, error))
        return FALSE;
      result = bind (fd, (const struct sockaddr *) address, length);
    }

  if (result < 0)
    {
      saved_errno = errno;
      set_bind_error (address, length, saved_errno, error);
      if (saved_errno == EADDRINUSE && lock_error != NULL)
        g_prefix_error (error, "%s: ", lock_error->message);
      return FALSE;
    }

  if (file == NULL)
    return TRUE;

  /* It could not be known for ours later on. */
  if (fstatat (AT_FDCWD, address->sun_path, &status, AT_SYMLINK_NOFOLLOW) < 0)
    {
      g_autofree char *text = loop_unix_path_to_string (address, length);

      loop_set_error_from_errno (error, errno, "Could not look at “%s”", text);
      unlink (address->sun_path);
      return FALSE;
    }

  remember (file, address->sun_path, &status);

  return TRUE;
}

/*
 * loop_unix_path_bind:
 * @file: (nullable): set to the file that was made, to be removed before the socket is closed, or to be forgotten
 *
 * Binds a socket of any type. A file that a socket has left behind which is gone is removed; whatever else is at that
 * path is in use. An abstract name has no file.
 */
gboolean
loop_unix_path_bind (int fd, const struct sockaddr_un *address, socklen_t length, LoopUnixFile *file, GError **error)
{
  g_autoptr (GError) lock_error = NULL;
  gboolean is_bound;
  int directory;

  if (file != NULL)
    *file = (LoopUnixFile) { 0 };

  if (is_abstract (address))
    {
      if (bind (fd, (const struct sockaddr *) address, length) == 0)
        return TRUE;
      set_bind_error (address, length, errno, error);
      return FALSE;
    }

  directory = lock_directory (address->sun_path, &lock_error);
  is_bound = bind_to_file (fd, directory, address, length, file, lock_error, error);
  unlock_directory (directory);

  return is_bound;
}

/*
 * Removes the file if it is still the one that was made, and if this is the process that made it, not a child of it.
 * It is called while the socket is open, which keeps the inode's number from being given to another file, and others
 * from replacing it.
 *
 * Returns: %FALSE with an error if the file may have been left behind
 */
gboolean
loop_unix_file_remove (LoopUnixFile *self, GError **error)
{
  g_autofree char *path = g_steal_pointer (&self->path);
  g_autofree char *text = NULL;
  struct stat status;
  int result;
  int saved_errno;

  if (path == NULL || self->pid != getpid ())
    return TRUE;

  result = fstatat (AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW);
  if (result == 0 && (status.st_ino != self->inode || status.st_dev != self->device))
    return TRUE;
  if (result == 0)
    result = unlink (path);
  if (result == 0 || errno == ENOENT)
    return TRUE;

  saved_errno = errno;
  text = g_utf8_make_valid (path, -1);
  loop_set_error_from_errno (error, saved_errno, "Could not remove “%s”", text);

  return FALSE;
}

void
loop_unix_file_forget (LoopUnixFile *self)
{
  g_clear_pointer (&self->path, g_free);
}
