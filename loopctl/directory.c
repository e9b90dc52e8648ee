/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "directory.h"

#include "error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* How long a living process has between making its socket and listening on it. */
#define LISTEN_GRACE_US (100 * 1000)
/* What the kernel keeps of a program's name. */
#define COMM_LENGTH 15

static void
endpoint_free (gpointer data)
{
  CtlEndpoint *self = data;

  g_free (self->path);
  g_free (self->program);
  g_free (self);
}

/* Returns: the name of the program that @pid runs, or NULL */
char *
ctl_program_of (guint pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%u/comm", pid);
  g_autofree char *comm = NULL;

  if (pid == 0 || !g_file_get_contents (path, &comm, NULL, NULL))
    return NULL;

  return g_utf8_make_valid (g_strchomp (comm), -1);
}

/*
 * Opens the directory, if it is ours alone: another user's sockets could answer anything.
 *
 * Returns: its descriptor, -1 with an error, or -1 without one when there is no directory yet
 */
static int
open_directory (char **path, GError **error)
{
  const char *runtime_dir = g_getenv ("XDG_RUNTIME_DIR");
  struct stat status;
  int fd;

  if (runtime_dir == NULL || *runtime_dir == '\0')
    {
      g_set_error (
          error, CTL_ERROR, CTL_EXIT_CONNECTION,
          _ ("XDG_RUNTIME_DIR is not set, so there is no place to look for processes. Set it to what it is for "
             "them, or give the path of a socket."));
      return -1;
    }

  *path = g_build_filename (runtime_dir, "libloop", NULL);
  fd = open (*path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return -1;

  if (fd < 0 || fstat (fd, &status) < 0)
    {
      g_set_error (error, CTL_ERROR, CTL_EXIT_CONNECTION, _ ("Cannot open the directory %s: %s"), *path,
                   g_strerror (errno));
    }
  else if (status.st_uid != geteuid () || (status.st_mode & 07777) != 0700)
    {
      g_set_error (error, CTL_ERROR, CTL_EXIT_CONNECTION,
                   _ ("The directory %s is not private: it belongs to user %u and has mode %04o, and should belong to "
                      "user %u and have mode 0700"),
                   *path, (guint) status.st_uid, status.st_mode & 07777, (guint) geteuid ());
    }
  else
    {
      return fd;
    }

  if (fd >= 0)
    close (fd);

  return -1;
}

static gboolean
is_refused (int directory_fd, const char *name)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  gboolean refused;
  int fd;

  /* Through the descriptor: it is this directory whatever has become of its path, and never too long. */
  if (g_snprintf (address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory_fd, name) >=
      (int) sizeof address.sun_path)
    return FALSE;

  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return FALSE;

  refused = connect (fd, (struct sockaddr *) &address, sizeof address) < 0 && errno == ECONNREFUSED;
  close (fd);

  return refused;
}

/* Whether nobody listens any more. A live process may be about to. */
static gboolean
is_stale (int directory_fd, const char *name, guint pid)
{
  if (!is_refused (directory_fd, name))
    return FALSE;
  if (pid == 0 || (kill ((pid_t) pid, 0) < 0 && errno == ESRCH))
    return TRUE;

  g_usleep (LISTEN_GRACE_US);

  return is_refused (directory_fd, name);
}

static guint
parse_pid (const char *name)
{
  guint pid;

  return sscanf (name, "%u-", &pid) == 1 && pid <= G_MAXINT32 ? pid : 0;
}

/* Returns: the endpoint, or NULL if the file is no socket or a stale one, which is removed */
static CtlEndpoint *
examine (int directory_fd, const char *directory, const char *name)
{
  CtlEndpoint *endpoint;
  struct stat before;
  struct stat now;
  guint pid = parse_pid (name);

  if (!g_str_has_suffix (name, ".sock") || fstatat (directory_fd, name, &before, AT_SYMLINK_NOFOLLOW) < 0 ||
      !S_ISSOCK (before.st_mode))
    return NULL;

  if (is_stale (directory_fd, name, pid))
    {
      /* The name may have been given to a new socket meanwhile. */
      if (fstatat (directory_fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == before.st_ino &&
          now.st_dev == before.st_dev && now.st_ctim.tv_sec == before.st_ctim.tv_sec &&
          now.st_ctim.tv_nsec == before.st_ctim.tv_nsec)
        unlinkat (directory_fd, name, 0);
      return NULL;
    }

  endpoint = g_new0 (CtlEndpoint, 1);
  endpoint->path = g_build_filename (directory, name, NULL);
  endpoint->pid = pid;
  endpoint->program = ctl_program_of (pid);

  return endpoint;
}

static int
compare_endpoints (gconstpointer a, gconstpointer b)
{
  const CtlEndpoint *first = *(CtlEndpoint *const *) a;
  const CtlEndpoint *second = *(CtlEndpoint *const *) b;

  if (first->pid != second->pid)
    return first->pid < second->pid ? -1 : 1;

  return g_strcmp0 (first->path, second->path);
}

/*
 * Looks for processes with an inspector, and removes the sockets of those that are gone.
 *
 * Returns: (element-type CtlEndpoint): them, by pid; or NULL
 */
GPtrArray *
ctl_directory_scan (GError **error)
{
  g_autoptr (GPtrArray) endpoints = g_ptr_array_new_with_free_func (endpoint_free);
  g_autoptr (GError) local_error = NULL;
  g_autofree char *path = NULL;
  struct dirent *entry;
  DIR *dir;
  int fd = open_directory (&path, &local_error);

  if (local_error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return NULL;
    }
  if (fd < 0)
    return g_steal_pointer (&endpoints);

  dir = fdopendir (fd);
  if (dir == NULL)
    {
      close (fd);
      return g_steal_pointer (&endpoints);
    }

  while ((entry = readdir (dir)) != NULL)
    {
      CtlEndpoint *endpoint = examine (fd, path, entry->d_name);

      if (endpoint != NULL)
        g_ptr_array_add (endpoints, endpoint);
    }

  closedir (dir);
  g_ptr_array_sort (endpoints, compare_endpoints);

  return g_steal_pointer (&endpoints);
}

static gboolean
is_program (const CtlEndpoint *endpoint, const char *name)
{
  if (endpoint->program == NULL)
    return FALSE;

  return g_str_equal (endpoint->program, name) ||
         (strlen (endpoint->program) == COMM_LENGTH && g_str_has_prefix (name, endpoint->program));
}

static void
set_not_found (const char *target, guint pid, GError **error)
{
  g_autofree char *program = ctl_program_of (pid);

  if (program != NULL)
    g_set_error (error, CTL_ERROR, CTL_EXIT_CONNECTION,
                 _ ("Process %u (%s) has no inspector: start it with LOOP_INSPECT=1"), pid, program);
  else if (pid != 0)
    g_set_error (error, CTL_ERROR, CTL_EXIT_CONNECTION, _ ("There is no process %u"), pid);
  else
    g_set_error (error, CTL_ERROR, CTL_EXIT_CONNECTION,
                 _ ("There is no process “%s” with an inspector; “loopctl ls” shows those that there are"), target);
}

/*
 * Finds the socket of a target: a path, a pid or the name of a program.
 *
 * Returns: its path; or NULL, with CTL_EXIT_USAGE when the name could mean several
 */
char *
ctl_directory_resolve (const char *target, GError **error)
{
  g_autoptr (GPtrArray) endpoints = NULL;
  g_autoptr (GString) others = g_string_new (NULL);
  CtlEndpoint *found = NULL;
  guint64 pid = 0;

  if (strchr (target, '/') != NULL)
    return g_strdup (target);

  g_ascii_string_to_unsigned (target, 10, 1, G_MAXINT32, &pid, NULL);
  endpoints = ctl_directory_scan (error);
  if (endpoints == NULL)
    return NULL;

  for (guint i = 0; i < endpoints->len; i++)
    {
      CtlEndpoint *endpoint = g_ptr_array_index (endpoints, i);

      if (pid != 0 ? endpoint->pid != pid : !is_program (endpoint, target))
        continue;
      /* One process may have had several, and be stopped in between. */
      if (found != NULL && found->pid != endpoint->pid)
        g_string_append_printf (others, ", %u", endpoint->pid);
      else
        found = endpoint;
    }

  if (found == NULL)
    {
      set_not_found (target, (guint) pid, error);
      return NULL;
    }
  if (others->len > 0)
    {
      ctl_usage_error (error, _ ("There are several processes “%s”: choose one by its pid (%u%s)"), target, found->pid,
                       others->str);
      return NULL;
    }

  return g_strdup (found->path);
}
