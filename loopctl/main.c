/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "command.h"
#include "docs.h"
#include "error.h"
#include "host.h"
#include "options.h"
#include "repl.h"
#include "script.h"

#include <glib/gi18n.h>
#include <libloop/loop.h>
#include <locale.h>
#include <unistd.h>

/* Fails with @error in the way that the options ask for. */
static CtlExit
fail (CtlOptions *options, const GError *error)
{
  g_autoptr (CtlOutput) output = ctl_output_new (options->format, options->color);

  ctl_output_error_object (output, error);
  ctl_output_error (output, error);

  return ctl_error_get_exit (error);
}

static const GOptionEntry *const all_entries[] = { ctl_option_entries, ctl_host_option_entries };

/* What needs no target. Returns: whether it was one of these, and is done */
static gboolean
print_documents (CtlOptions *options, GError **error)
{
  g_autofree char *text = NULL;

  if (options->is_version_wanted)
    text = g_strdup_printf ("loopctl %s\n", PACKAGE_VERSION);
  else if (options->is_manual_wanted)
    text = ctl_docs_get_manual (all_entries);
  else if (g_strcmp0 (options->completion, "bash") == 0)
    text = ctl_docs_get_bash_completion (all_entries);
  else if (options->completion != NULL)
    ctl_usage_error (error, _ ("There is no completion for the shell “%s”, only for bash"), options->completion);

  if (text != NULL)
    ctl_write (STDOUT_FILENO, text);

  return text != NULL;
}

static CtlExit
run_one (CtlSession *session, char **words)
{
  g_autoptr (GError) error = NULL;

  /* Wrong use is known without a connection. */
  if (ctl_command_check (words, &error) == NULL)
    ctl_output_error_object (session->output, error);
  else if (ctl_command_run (session, words, &error))
    return CTL_EXIT_OK;

  ctl_output_error (session->output, error);

  return ctl_error_get_exit (error);
}

static CtlExit
run_session (CtlSession *session, CtlOptions *options, char **words)
{
  g_autoptr (GError) error = NULL;

  session->loop_id = options->loop_id;
  if (*words != NULL)
    return run_one (session, words);

  if (!ctl_session_connect (session, &error))
    {
      ctl_output_error_object (session->output, error);
      ctl_output_error (session->output, error);
      return ctl_error_get_exit (error);
    }

  if (options->scripts->len > 0)
    return ctl_script_run_all (session, options->scripts);
  if (isatty (STDIN_FILENO) && isatty (STDOUT_FILENO))
    return ctl_repl_run (session);

  return ctl_script_run_file (session, "-");
}

static CtlExit
run_target (CtlOptions *options, char **words)
{
  const CtlCommand *command = ctl_command_find (words[0]);
  gboolean is_command = command != NULL && (g_str_equal (command->name, "ls") || g_str_equal (command->name, "help"));
  g_autoptr (CtlOutput) output = NULL;
  g_autoptr (CtlSession) session = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) rest = NULL;

  if (!is_command)
    {
      rest = ctl_options_parse (options, words, FALSE, &error);
      if (rest == NULL)
        return fail (options, error);
    }
  if (options->scripts->len > 0 && (is_command || rest[1] != NULL))
    {
      ctl_usage_error (&error, _ ("Give commands with -c and -f, or on the command line, but not both"));
      return fail (options, error);
    }

  output = ctl_output_new (options->format, options->color);
  session = ctl_session_new (is_command ? NULL : words[0], options->timeout, output);

  return is_command ? run_one (session, words) : run_session (session, options, rest + 1);
}

static CtlExit
run (CtlOptions *options, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) words = ctl_options_parse (options, argv, FALSE, &error);
  g_auto (GStrv) rest = NULL;

  if (words == NULL)
    return fail (options, error);
  if (print_documents (options, &error))
    return CTL_EXIT_OK;

  if (error == NULL && words[1] == NULL)
    ctl_usage_error (&error, _ ("Which process? “loopctl ls” lists them, “loopctl host” runs a loop to try, and "
                                "“loopctl --help” tells more."));
  if (error != NULL)
    return fail (options, error);

  if (!g_str_equal (words[1], "host"))
    return run_target (options, words + 1);

  rest = ctl_options_parse (options, words + 1, TRUE, &error);
  if (rest != NULL && rest[1] != NULL)
    ctl_usage_error (&error, _ ("“loopctl host” takes options alone, not “%s”"), rest[1]);

  return error == NULL ? ctl_host_run (options) : fail (options, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (CtlOptions) options = NULL;

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);

  options = ctl_options_new ();

  return (int) run (options, argv);
}
