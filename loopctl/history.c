/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * What was typed, as lines in a file for the next shell. Each is appended as it is entered, so that
 * shells that run at the same time lose none of each other's. (libedit's own way of saving writes
 * whole files, in a format of its own.)
 */

#define MAX_LINES 1000
/* The file may grow this much past MAX_LINES before it is cut. */
#define SLACK 1000

struct _CtlHistory
{
  History *history;
  char *path;
};

/* Returns: a descriptor of the file, which is its owner's alone; or -1 */
static int
open_file (CtlHistory *self, int flags)
{
  int fd = open (self->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

  if (fd >= 0)
    fchmod (fd, 0600);

  return fd;
}

static void
write_lines (CtlHistory *self, char **lines, int flags)
{
  g_autofree char *text = g_strjoinv ("\n", lines);
  g_autofree char *all = g_strconcat (text, "\n", NULL);
  int fd = open_file (self, flags);

  if (fd < 0)
    return;

  /* At once, so that lines of several shells do not mix. What cannot be kept is forgotten. */
  if (write (fd, all, strlen (all)) < 0)
    g_debug ("The history cannot be written: %s", g_strerror (errno));
  close (fd);
}

static void
enter (CtlHistory *self, const char *line)
{
  HistEvent event;

  history (self->history, &event, H_ENTER, line);
}

static void
load (CtlHistory *self)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  guint n_lines;
  guint first;

  if (!g_file_get_contents (self->path, &text, NULL, NULL))
    return;

  lines = g_strsplit (g_strchomp (text), "\n", -1);
  n_lines = g_strv_length (lines);
  first = n_lines > MAX_LINES ? n_lines - MAX_LINES : 0;
  for (guint i = first; i < n_lines; i++)
    enter (self, lines[i]);

  if (n_lines > MAX_LINES + SLACK)
    write_lines (self, lines + first, O_TRUNC);
}

CtlHistory *
ctl_history_new (void)
{
  CtlHistory *self = g_new0 (CtlHistory, 1);
  g_autofree char *directory = g_build_filename (g_get_user_state_dir (), "libloop", NULL);
  HistEvent event;

  self->history = history_init ();
  history (self->history, &event, H_SETSIZE, MAX_LINES);
  history (self->history, &event, H_SETUNIQUE, 1);
  self->path = g_build_filename (directory, "history", NULL);
  g_mkdir_with_parents (directory, 0700);
  load (self);

  return self;
}

void
ctl_history_free (CtlHistory *self)
{
  history_end (self->history);
  g_free (self->path);
  g_free (self);
}

History *
ctl_history_get (CtlHistory *self)
{
  return self->history;
}

/* As in other shells, a line that starts with a blank leaves no trace. */
void
ctl_history_add (CtlHistory *self, const char *line)
{
  char *lines[] = { (char *) line, NULL };

  if (*line == '\0' || g_ascii_isspace (*line))
    return;

  enter (self, line);
  write_lines (self, lines, O_APPEND);
}
