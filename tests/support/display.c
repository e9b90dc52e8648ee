/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "display.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_START_MS (30 * 1000)

static GPid server;

static void
end_with_parent (gpointer user_data)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

/* The server writes the number of its display once it serves it. */
static gboolean
read_number (int fd, char *number, gsize size)
{
  struct pollfd pollfd = { fd, POLLIN, 0 };
  gsize length = 0;

  while (length < size - 1 && poll (&pollfd, 1, MAX_START_MS) > 0)
    {
      gssize n = read (fd, number + length, size - 1 - length);

      if (n <= 0)
        break;
      length += (gsize) n;
      number[length] = '\0';
      if (number[length - 1] == '\n')
        {
          g_strchomp (number);
          return length > 1;
        }
    }

  return FALSE;
}

gboolean
display_start (GError **error)
{
  const char *const argv[] = { "Xvfb",       "-displayfd", "3",         "-screen", "0",
                               "640x480x24", "-noreset",   "-nolisten", "tcp",     NULL };
  g_autofree char *display = NULL;
  char number[16];
  gboolean success;
  int fds[2];
  int target_fd = 3;

  if (!g_unix_open_pipe (fds, FD_CLOEXEC, error))
    return FALSE;

  success = g_spawn_async_with_pipes_and_fds (
      NULL, argv, NULL,
      G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
      end_with_parent, NULL, -1, -1, -1, &fds[1], &target_fd, 1, &server, NULL, NULL, NULL, error);
  close (fds[1]);
  if (success && !read_number (fds[0], number, sizeof number))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "Xvfb does not say which display it serves");
      display_stop ();
      success = FALSE;
    }
  close (fds[0]);
  if (!success)
    return FALSE;

  display = g_strconcat (":", number, NULL);
  g_setenv ("DISPLAY", display, TRUE);
  g_setenv ("GDK_BACKEND", "x11", TRUE);
  g_setenv ("GSK_RENDERER", "cairo", TRUE);
  g_setenv ("GTK_A11Y", "none", TRUE);
  g_unsetenv ("WAYLAND_DISPLAY");

  return TRUE;
}

void
display_stop (void)
{
  kill (server, SIGTERM);
  waitpid (server, NULL, 0);
}
