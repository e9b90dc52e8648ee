/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "client.h"
#include "commands.h"
#include "docs.h"
#include "error.h"
#include "words.h"

#include <glib/gi18n.h>
#include <unistd.h>

/* watch, sleep, help and quit: commands of the shell itself. */

#define CLEAR_SCREEN "\033[H\033[2J"
#define MIN_INTERVAL 0.05

gboolean
ctl_run_help (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  const char *name = ctl_arguments_get (arguments, 0);
  const CtlCommand *topic = name != NULL ? ctl_command_get (name, error) : NULL;

  if (topic != NULL)
    ctl_docs_append_command (session->output, topic);
  else if (name == NULL)
    ctl_docs_append_commands (session->output, session->target != NULL);

  return name == NULL || topic != NULL;
}

gboolean
ctl_run_quit (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  session->is_over = TRUE;

  return TRUE;
}

/* Waiting that Ctrl-C cuts short. */
static gboolean
wait (CtlSession *session, double seconds, GError **error)
{
  ctl_client_wait (seconds, session->interrupt);
  if (!g_cancellable_is_cancelled (session->interrupt))
    return TRUE;

  g_set_error_literal (error, CTL_ERROR, CTL_EXIT_FAILED, _ ("Interrupted"));

  return FALSE;
}

gboolean
ctl_run_sleep (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  double seconds;

  return ctl_words_parse_seconds (ctl_arguments_get (arguments, 0), &seconds, error) && wait (session, seconds, error);
}

static void
show_watch_heading (CtlSession *session, char **words, double interval)
{
  g_autofree char *command = g_strjoinv (" ", words);
  g_autofree char *text = NULL;

  if (!session->output->is_terminal || ctl_output_is_json (session->output))
    return;

  text = g_strdup_printf (_ ("Every %g s: %s (Ctrl-C ends)"), interval, command);
  ctl_write (STDOUT_FILENO, CLEAR_SCREEN);
  ctl_output_notice (session->output, CTL_STYLE_HEADING, "%s", text);
  ctl_write (STDOUT_FILENO, session->output->text->str);
  ctl_write (STDOUT_FILENO, "\n");
}

static gboolean
repeat (CtlSession *session, char **words, double interval, guint64 count, GError **error)
{
  for (guint64 i = 0; i < count; i++)
    {
      if (i > 0 && !wait (session, interval, error))
        return FALSE;

      show_watch_heading (session, words, interval);
      if (!ctl_command_run (session, words, error))
        return FALSE;
    }

  return TRUE;
}

gboolean
ctl_run_watch (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  char **words = (char **) arguments->words->pdata;
  gboolean uses_pager = session->output->use_pager;
  double interval = 1;
  guint64 count = G_MAXUINT64;
  gboolean is_ok;

  for (; *words != NULL; words++)
    {
      if (g_str_has_prefix (*words, "i="))
        {
          if (!ctl_words_parse_seconds (*words + 2, &interval, error))
            return FALSE;
        }
      else if (g_str_has_prefix (*words, "c="))
        {
          if (!g_ascii_string_to_unsigned (*words + 2, 10, 1, G_MAXUINT64, &count, NULL))
            return ctl_usage_error (error, _ ("“%s” is not a number of times"), *words + 2);
        }
      else
        {
          break;
        }
    }

  if (*words == NULL)
    return ctl_usage_error (error, _ ("Usage: %s %s"), command->name, command->synopsis);
  if (session->depth > 1)
    return ctl_usage_error (error, _ ("One watch cannot watch another"));

  session->output->use_pager = FALSE;
  is_ok = repeat (session, words, MAX (interval, MIN_INTERVAL), count, error);
  session->output->use_pager = uses_pager;

  /* Ctrl-C is how it is meant to end. */
  if (!is_ok && g_cancellable_is_cancelled (session->interrupt))
    {
      g_clear_error (error);
      is_ok = TRUE;
    }

  return is_ok;
}
