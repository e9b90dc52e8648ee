/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "script.h"

#include "client.h"
#include "command.h"
#include "options.h"
#include "words.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

/* Commands from -c, from files and from standard input. */

/* In a script whatever fails is a command that failed; but a lost connection ends it. */
static CtlExit
report (CtlSession *session, const GError *error)
{
  CtlExit exit_code = ctl_error_get_exit (error);

  ctl_output_error (session->output, error);

  return exit_code == CTL_EXIT_CONNECTION ? CTL_EXIT_CONNECTION : CTL_EXIT_FAILED;
}

CtlExit
ctl_script_run_text (CtlSession *session, const char *text)
{
  g_autoptr (GError) split_error = NULL;
  g_autoptr (GPtrArray) commands = ctl_words_split (text, &split_error);
  CtlExit result = CTL_EXIT_OK;

  if (commands == NULL)
    {
      ctl_output_error_object (session->output, split_error);
      return report (session, split_error);
    }

  for (guint i = 0; i < commands->len && result != CTL_EXIT_CONNECTION && !session->is_over; i++)
    {
      g_autoptr (GError) error = NULL;

      if (!ctl_command_run (session, g_ptr_array_index (commands, i), &error))
        result = report (session, error);
    }

  return result;
}

/* Runs each line as it comes: who writes may wait for what one line does before the next. */
static CtlExit
run_descriptor (CtlSession *session, int fd)
{
  g_autoptr (GString) pending = g_string_new (NULL);
  CtlExit result = CTL_EXIT_OK;
  gboolean is_at_end = FALSE;

  while (!is_at_end && result != CTL_EXIT_CONNECTION && !session->is_over)
    {
      char buffer[4096];
      gssize n;
      char *newline;

      if (!ctl_client_wait_readable (fd, session->interrupt))
        return result;

      n = read (fd, buffer, sizeof buffer);
      if (n < 0 && (errno == EINTR || errno == EAGAIN))
        continue;
      is_at_end = n <= 0;
      if (n > 0)
        g_string_append_len (pending, buffer, n);
      else if (pending->len > 0)
        g_string_append_c (pending, '\n');

      while ((newline = memchr (pending->str, '\n', pending->len)) != NULL && result != CTL_EXIT_CONNECTION &&
             !session->is_over)
        {
          g_autofree char *line = g_strndup (pending->str, (gsize) (newline - pending->str));
          CtlExit line_result = ctl_script_run_text (session, line);

          result = line_result != CTL_EXIT_OK ? line_result : result;
          g_string_erase (pending, 0, newline - pending->str + 1);
        }
    }

  return result;
}

CtlExit
ctl_script_run_file (CtlSession *session, const char *name)
{
  CtlExit result;
  int fd;

  if (g_str_equal (name, "-"))
    return run_descriptor (session, STDIN_FILENO);

  fd = open (name, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    {
      g_autoptr (GError) error = NULL;

      ctl_usage_error (&error, _ ("Cannot read %s: %s"), name, g_strerror (errno));
      ctl_output_error (session->output, error);
      return CTL_EXIT_USAGE;
    }

  result = run_descriptor (session, fd);
  close (fd);

  return result;
}

/* Runs scripts in the order of the command line; what cannot even be read ends it. */
CtlExit
ctl_script_run_all (CtlSession *session, GPtrArray *scripts)
{
  CtlExit result = CTL_EXIT_OK;

  for (guint i = 0; i < scripts->len && !session->is_over; i++)
    {
      const CtlScript *script = g_ptr_array_index (scripts, i);
      CtlExit script_result =
          script->is_file ? ctl_script_run_file (session, script->text) : ctl_script_run_text (session, script->text);

      if (script_result == CTL_EXIT_USAGE || script_result == CTL_EXIT_CONNECTION)
        return script_result;
      if (script_result != CTL_EXIT_OK)
        result = script_result;
    }

  return result;
}
