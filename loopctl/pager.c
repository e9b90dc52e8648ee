/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "output.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_PAGER "less -FRX"

static const char *
get_pager (void)
{
  const char *pager = g_getenv ("LOOPCTL_PAGER");

  if (pager == NULL)
    pager = g_getenv ("PAGER");

  return pager != NULL ? pager : DEFAULT_PAGER;
}

/* Whether all of it was taken; who leaves a pager early closes the pipe, which is no error. */
static void
feed (int fd, const char *text)
{
  gsize left = strlen (text);

  while (left > 0)
    {
      gssize n = write (fd, text, left);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return;
      text += n;
      left -= (gsize) n;
    }
}

gboolean
ctl_pager_show (const char *text)
{
  const char *pager = get_pager ();
  const char *argv[] = { "/bin/sh", "-c", pager, NULL };
  struct sigaction ignore = { .sa_handler = SIG_IGN };
  struct sigaction old_pipe;
  struct sigaction old_interrupt;
  GPid pid;
  int fd;
  int status;

  if (*pager == '\0' || g_str_equal (pager, "cat"))
    return FALSE;

  /* The terminal's Ctrl-C is the pager's while it runs. GLib gives the child default handlers. */
  if (!g_spawn_async_with_pipes (NULL, (char **) argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, &fd, NULL,
                                 NULL, NULL))
    return FALSE;

  sigaction (SIGPIPE, &ignore, &old_pipe);
  sigaction (SIGINT, &ignore, &old_interrupt);
  feed (fd, text);
  close (fd);
  while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
    ;
  sigaction (SIGINT, &old_interrupt, NULL);
  sigaction (SIGPIPE, &old_pipe, NULL);
  g_spawn_close_pid (pid);

  /* What the shell says when there is no such program. */
  return !WIFEXITED (status) || (WEXITSTATUS (status) != 127 && WEXITSTATUS (status) != 126);
}
