/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "docs.h"

#include "text.h"

#include <glib/gi18n.h>

/* Help, from the command table. */

#define SYNOPSIS_WIDTH 36
#define OPTION_WIDTH 24
/* Longer lines are hard to read, however wide the terminal. */
#define MAX_WIDTH 80

static void
append_summary (GString *out, const CtlCommand *command, int max_width)
{
  g_autofree char *synopsis = g_strdup_printf ("%s%s%s", command->name, command->synopsis != NULL ? " " : "",
                                               command->synopsis != NULL ? command->synopsis : "");
  int width = ctl_text_get_width (synopsis);

  /* A synopsis too long for its column has the line to itself. */
  g_string_append_printf (out, "  %s", synopsis);
  if (width > SYNOPSIS_WIDTH)
    g_string_append_printf (out, "\n  %*s", SYNOPSIS_WIDTH, "");
  else
    g_string_append_printf (out, "%*s", SYNOPSIS_WIDTH - width, "");
  g_string_append (out, "  ");
  ctl_text_append_wrapped (out, _ (command->summary), max_width, SYNOPSIS_WIDTH + 4);
}

static void
append_summaries (GString *out, CtlCommandFlags mask, CtlCommandFlags flags, int width)
{
  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++)
    {
      if ((command->flags & mask) == flags)
        append_summary (out, command, width);
    }
}

/* The list that "help" prints: in a shell without what is no use there. */
void
ctl_docs_append_commands (CtlOutput *output, gboolean for_shell)
{
  CtlCommandFlags hidden = for_shell ? CTL_COMMAND_NO_SHELL : 0;

  append_summaries (output->text, CTL_COMMAND_HOST | hidden, 0, output->width);
  g_string_append_c (output->text, '\n');
  ctl_output_styled (output, CTL_STYLE_HEADING, _ ("On a “loopctl host”"));
  g_string_append_c (output->text, '\n');
  append_summaries (output->text, CTL_COMMAND_HOST, CTL_COMMAND_HOST, output->width);
  g_string_append_c (output->text, '\n');
  ctl_output_printf (output, "%s\n", _ ("“help COMMAND” tells more."));
}

/* Returns: what "--help" says under the options */
char *
ctl_docs_get_description (void)
{
  g_autoptr (GString) out = g_string_new (NULL);

  g_string_append_printf (out, "%s\n", _ ("Commands:"));
  append_summaries (out, CTL_COMMAND_HOST, 0, MAX_WIDTH);
  g_string_append_printf (out, "\n%s\n", _ ("Commands for a “loopctl host”:"));
  append_summaries (out, CTL_COMMAND_HOST, CTL_COMMAND_HOST, MAX_WIDTH);
  g_string_append_printf (out, "\n%s\n",
                          _ ("“loopctl help COMMAND” tells more. “ls”, “host” and “help” need no target."));
  g_string_append_printf (out, "\n%s",
                          _ ("On a terminal rows are printed as a table. Elsewhere they are lines of values that\n"
                             "tabs separate, and remarks (that a loop is blocked, say) go to standard error.\n\n"
                             "Exit codes: 0 success, 1 wrong usage, 2 target out of reach or gone, 3 a command\n"
                             "failed."));

  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* Returns: "--sort=COLUMN" */
char *
ctl_docs_option_to_string (const CtlArgumentOption *option)
{
  if (option->metavar == NULL)
    return g_strdup_printf ("--%s", option->name);
  if (option->metavar[0] == '[')
    return g_strdup_printf ("--%s%s", option->name, option->metavar);

  return g_strdup_printf ("--%s=%s", option->name, option->metavar);
}

static void
append_options (CtlOutput *output, const CtlCommand *command)
{
  for (const CtlArgumentOption *option = ctl_argument_options; option->name != NULL; option++)
    {
      g_autofree char *text = ctl_docs_option_to_string (option);

      if (!option->is_for_views || (command->flags & CTL_COMMAND_VIEW))
        {
          g_string_append_printf (output->text, "  %-*s  ", OPTION_WIDTH, text);
          ctl_text_append_wrapped (output->text, _ (option->summary), output->width, OPTION_WIDTH + 4);
        }
    }
}

/* Returns: what is to be said of every view */
const char *
ctl_docs_get_view_help (void)
{
  return _ ("A page of at most 256 rows is shown; --limit and --all show fewer or more. Rows are sorted by id unless "
            "--sort says otherwise.");
}

static void
append_paragraph (CtlOutput *output, const char *text)
{
  g_string_append_c (output->text, '\n');
  ctl_text_append_wrapped (output->text, text, MIN (output->width, MAX_WIDTH), 0);
}

/* What "help COMMAND" prints. */
void
ctl_docs_append_command (CtlOutput *output, const CtlCommand *command)
{
  g_autofree char *columns = NULL;

  ctl_output_styled (output, CTL_STYLE_HEADING, command->name);
  ctl_output_printf (output, "%s%s\n", command->synopsis != NULL ? " " : "",
                     command->synopsis != NULL ? command->synopsis : "");
  ctl_output_printf (output, "  %s\n", _ (command->summary));
  if (command->alias != NULL)
    ctl_output_printf (output, _ ("  Also: %s\n"), command->alias);
  if (command->flags & CTL_COMMAND_HOST)
    ctl_output_printf (output, "  %s\n", _ ("Only a “loopctl host” takes it."));
  if (command->help != NULL)
    append_paragraph (output, _ (command->help));
  if (command->flags & CTL_COMMAND_VIEW)
    append_paragraph (output, ctl_docs_get_view_help ());

  if (command->columns != NULL)
    {
      g_autofree char *names = g_strjoinv (", ", (char **) command->columns);

      columns = g_strdup_printf (_ ("Columns: %s."), names);
      append_paragraph (output, columns);
    }

  if (!(command->flags & CTL_COMMAND_NO_TARGET))
    {
      g_string_append_c (output->text, '\n');
      append_options (output, command);
    }
}
