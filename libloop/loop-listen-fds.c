/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-error-private.h"
#include "loop-listen-fds.h"
#include "loop-socket-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* As sd_listen_fds(3) has it: the first descriptor that is handed over. */
#define FIRST_FD 3

/* Parses what an activator has set. Returns: %FALSE with an error if it is not a number between @min and @max */
static gboolean
parse (const char *name, gint64 min, gint64 max, gint64 *number, GError **error)
{
  g_autoptr (GError) why = NULL;

  if (g_ascii_string_to_signed (g_getenv (name), 10, min, max, number, &why))
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "The environment variable %s is wrong: %s", name,
               why->message);

  return FALSE;
}

/* Whether the sockets are for this process, and how many there are. */
static gboolean
count_fds (int *n_fds, GError **error)
{
  gint64 pid;
  gint64 n;

  *n_fds = 0;
  if (g_getenv ("LISTEN_PID") == NULL || g_getenv ("LISTEN_FDS") == NULL)
    return TRUE;

  if (!parse ("LISTEN_PID", 1, G_MAXINT, &pid, error))
    return FALSE;

  /* They were meant for an ancestor, which has not passed them on. */
  if (pid != getpid ())
    return TRUE;

  if (!parse ("LISTEN_FDS", 0, G_MAXINT - FIRST_FD, &n, error))
    return FALSE;

  *n_fds = (int) n;

  return TRUE;
}

/* Before any of them is ours, all are looked at; and no child is to have them. */
static gboolean
check_fds (int n_fds, GError **error)
{
  for (int fd = FIRST_FD; fd < FIRST_FD + n_fds; fd++)
    {
      struct stat status;
      int flags = fcntl (fd, F_GETFD);

      if (flags < 0 || fcntl (fd, F_SETFD, flags | FD_CLOEXEC) < 0 || fstat (fd, &status) < 0)
        {
          loop_set_error_from_errno (error, errno, "Descriptor %d, which LISTEN_FDS promises", fd);
          return FALSE;
        }

      if (!S_ISSOCK (status.st_mode))
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                       "Descriptor %d, which LISTEN_FDS hands over, is not a socket", fd);
          return FALSE;
        }
    }

  return TRUE;
}

static GPtrArray *
take_fds (int n_fds, GError **error)
{
  g_autoptr (GPtrArray) sockets = g_ptr_array_new_with_free_func (g_object_unref);

  for (int fd = FIRST_FD; fd < FIRST_FD + n_fds; fd++)
    {
      GSocket *socket = loop_socket_wrap (fd, error);

      if (socket == NULL)
        {
          g_prefix_error (error, "Descriptor %d, which LISTEN_FDS hands over: ", fd);
          return NULL;
        }
      g_ptr_array_add (sockets, socket);
    }

  return g_steal_pointer (&sockets);
}

/* One for each socket: where the activator has given none it is "unknown", as with sd_listen_fds_with_names(3). */
static char **
split_names (const char *text, guint n)
{
  g_auto (GStrv) given = g_strsplit (text != NULL ? text : "", ":", -1);
  char **names = g_new0 (char *, n + 1);
  guint n_given = g_strv_length (given);

  for (guint i = 0; i < n; i++)
    names[i] = g_strdup (i < n_given && *given[i] != '\0' ? given[i] : "unknown");

  return names;
}

/**
 * loop_listen_fds:
 * @names: (out) (optional) (array zero-terminated=1) (element-type utf8): the names that the sockets have in `LISTEN_FDNAMES`, one for
 *   each; `unknown` for those that have none
 * @error: return location for an error
 *
 * Takes over the sockets with which a service manager has started this process: the protocol of systemd's socket
 * activation. Servers are made of them with [property@ServerOptions:sock].
 *
 * They are marked to be closed when the process executes another program, and the environment variables `LISTEN_PID`,
 * `LISTEN_FDS` and `LISTEN_FDNAMES` are removed, so that children do not take them for theirs and so that there is
 * nothing to be had in a second call. As the environment is changed, call it before there are other threads.
 *
 * Returns: (transfer container) (element-type GSocket): the sockets, in order; none if the process was not
 *   started with any. %NULL on error, which is %G_IO_ERROR_INVALID_DATA if the variables make no sense,
 *   %G_IO_ERROR_NOT_SUPPORTED if a descriptor is not a socket, or another I/O error
 */
GPtrArray *
loop_listen_fds (char ***names, GError **error)
{
  g_autoptr (GPtrArray) sockets = NULL;
  g_autofree char *text = g_strdup (g_getenv ("LISTEN_FDNAMES"));
  int n_fds;

  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (count_fds (&n_fds, error) && check_fds (n_fds, error))
    sockets = take_fds (n_fds, error);

  g_unsetenv ("LISTEN_PID");
  g_unsetenv ("LISTEN_FDS");
  g_unsetenv ("LISTEN_FDNAMES");

  if (names != NULL)
    *names = sockets != NULL ? split_names (text, sockets->len) : NULL;

  return g_steal_pointer (&sockets);
}
