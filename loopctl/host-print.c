/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"
#include "text.h"

#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

/* What a host prints by itself, above the prompt of its shell if it has one. */

/* Of what is received at once, no more is shown. */
#define MAX_SHOWN 4096

typedef struct
{
  CtlHost *host;
  char *text;
  LoopCallback printed; /* on the loop's thread, or NULL */
  gpointer user_data;
  GDestroyNotify notify;
} Print;

static void
print_free (gpointer data)
{
  Print *self = data;

  if (self->printed != NULL)
    loop_event_loop_call_soon_threadsafe (self->host->loop, self->printed, self->user_data, self->notify, NULL, NULL);
  g_free (self->text);
  g_free (self);
}

static gboolean
print_above_prompt (gpointer data)
{
  Print *self = data;
  CtlSession *session = self->host->session;
  g_auto (GStrv) lines = g_strsplit (self->text, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    {
      if (session != NULL && session->announce != NULL)
        session->announce (*line, session->announce_data);
    }

  return G_SOURCE_REMOVE;
}

/* Takes @text. Returns: whether it will be printed later */
static gboolean
print (CtlHost *host, char *text, LoopCallback printed, gpointer user_data, GDestroyNotify notify)
{
  Print *self;

  if (host->prints_directly)
    {
      g_autofree char *line = g_strconcat (text, "\n", NULL);

      ctl_write (STDOUT_FILENO, line);
      g_free (text);
      if (notify != NULL)
        notify (user_data);
      return FALSE;
    }

  self = g_new (Print, 1);
  *self = (Print) { host, text, printed, user_data, notify };
  g_main_context_invoke_full (NULL, G_PRIORITY_DEFAULT, print_above_prompt, self, print_free);

  return TRUE;
}

void
ctl_host_print (CtlHost *self, const char *text)
{
  print (self, g_strdup (text), NULL, NULL, NULL);
}

/* Appends lines that are safe to look at. A NUL is shown as its symbol. */
static void
append_lines (GString *out, const char *prefix, const guint8 *data, gsize length)
{
  g_autoptr (GString) shown = g_string_sized_new (length);
  g_auto (GStrv) lines = NULL;
  guint n_lines;

  for (gsize i = 0; i < length; i++)
    {
      if (data[i] == '\0')
        g_string_append (shown, "\342\220\200");
      else
        g_string_append_c (shown, (char) data[i]);
    }

  /* An empty datagram is a line, too. */
  if (length == 0)
    g_string_append_printf (out, "%s: ", prefix);
  lines = g_strsplit (shown->str, "\n", -1);
  n_lines = g_strv_length (lines);
  /* After the end of a line there is nothing. */
  if (n_lines > 1 && *lines[n_lines - 1] == '\0')
    n_lines--;

  for (guint i = 0; i < n_lines; i++)
    {
      gsize end = strlen (lines[i]);
      g_autofree char *line = NULL;

      if (end > 0 && lines[i][end - 1] == '\r')
        lines[i][end - 1] = '\0';
      line = ctl_text_escape (lines[i], CTL_ESCAPE_CONTROLS);
      g_string_append_printf (out, "%s%s: %s", out->len > 0 ? "\n" : "", prefix, line);
    }
}

/*
 * On the loop's thread. Prints what a connection or process has sent, with its id before each line.
 *
 * Returns: whether that comes later, and then @printed is called on the loop's thread
 */
gboolean
ctl_host_print_received (CtlHost *self,
                         guint64 id,
                         const char *what,
                         const guint8 *data,
                         gsize length,
                         LoopCallback printed,
                         gpointer user_data,
                         GDestroyNotify notify)
{
  g_autofree char *prefix = g_strdup_printf ("#%" G_GUINT64_FORMAT "%s", id, what);
  g_autoptr (GString) text = g_string_new (NULL);

  append_lines (text, prefix, data, MIN (length, MAX_SHOWN));
  if (length > MAX_SHOWN)
    {
      g_autofree char *more = g_strdup_printf (_ ("… (%zu bytes more)"), length - MAX_SHOWN);

      g_string_append_printf (text, "\n%s: %s", prefix, more);
    }

  return print (self, g_string_free (g_steal_pointer (&text), FALSE), printed, user_data, notify);
}
