/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "docs.h"

#include <glib/gi18n.h>

/* The manual page, from the command table and the lists of options. */

/* Appends @text so that troff takes none of it for its own. */
static void
append_escaped (GString *out, const char *text)
{
  gboolean is_line_start = TRUE;

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (is_line_start && (c == '.' || c == '\''))
        g_string_append (out, "\\&");
      is_line_start = c == '\n';

      if (c == '\\')
        g_string_append (out, "\\e");
      else if (c == '-')
        g_string_append (out, "\\-");
      else if (c < 0x80)
        g_string_append_c (out, (char) c);
      else
        g_string_append_printf (out, "\\[u%04X]", c);
    }
}

static void
append_paragraph (GString *out, const char *macro, const char *text)
{
  g_string_append_printf (out, "%s\n", macro);
  append_escaped (out, text);
  g_string_append_c (out, '\n');
}

static void
append_section (GString *out, const char *title)
{
  g_string_append (out, ".SH ");
  append_escaped (out, title);
  g_string_append_c (out, '\n');
}

/* A term in bold, what it takes in italics, and what it means. */
static void
append_term (GString *out, const char *name, const char *argument, const char *text)
{
  g_string_append (out, ".TP\n\\fB");
  append_escaped (out, name);
  g_string_append (out, "\\fR");
  if (argument != NULL)
    {
      g_string_append (out, "\\fI");
      append_escaped (out, argument);
      g_string_append (out, "\\fR");
    }
  g_string_append_c (out, '\n');
  append_escaped (out, text);
  g_string_append_c (out, '\n');
}

static void
append_entries (GString *out, const GOptionEntry *entry)
{
  for (; entry->long_name != NULL; entry++)
    {
      g_autofree char *name = entry->short_name != 0
                                  ? g_strdup_printf ("-%c, --%s", entry->short_name, entry->long_name)
                                  : g_strdup_printf ("--%s", entry->long_name);
      const char *metavar = entry->arg_description;
      g_autofree char *argument = NULL;

      if (metavar != NULL && (entry->flags & G_OPTION_FLAG_OPTIONAL_ARG))
        argument = g_strdup_printf ("[=%s]", metavar);
      else if (metavar != NULL)
        argument = g_strdup_printf ("=%s", metavar);
      append_term (out, name, argument, _ (entry->description));
    }
}

static void
append_argument_options (GString *out, gboolean is_for_views)
{
  for (const CtlArgumentOption *option = ctl_argument_options; option->name != NULL; option++)
    {
      g_autofree char *name = ctl_docs_option_to_string (option);

      if (option->is_for_views == is_for_views)
        append_term (out, name, NULL, _ (option->summary));
    }
}

static void
append_commands (GString *out, CtlCommandFlags flags)
{
  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++)
    {
      g_autofree char *argument = command->synopsis != NULL ? g_strdup_printf (" %s", command->synopsis) : NULL;

      if ((command->flags & CTL_COMMAND_HOST) != flags)
        continue;

      append_term (out, command->name, argument, _ (command->summary));
      if (command->help != NULL)
        append_paragraph (out, ".IP", _ (command->help));
      if (command->flags & CTL_COMMAND_VIEW)
        append_paragraph (out, ".IP", ctl_docs_get_view_help ());
      if (command->columns != NULL)
        {
          g_autofree char *columns = g_strjoinv (", ", (char **) command->columns);
          g_autofree char *text = g_strdup_printf (_ ("Columns: %s."), columns);

          append_paragraph (out, ".IP", text);
        }
    }
}

static void
append_environment (GString *out)
{
  append_section (out, _ ("ENVIRONMENT"));
  append_term (out, "XDG_RUNTIME_DIR", NULL, _ ("Where the sockets of inspectors are, in the directory libloop."));
  append_term (out, "XDG_STATE_HOME", NULL, _ ("Where the shell keeps its history: libloop/history."));
  append_term (out, "LOOPCTL_PAGER, PAGER", NULL,
               _ ("What shows output that is longer than the terminal; less -FRX if neither is set."));
  append_term (out, "NO_COLOR", NULL, _ ("No colors, unless --color=always is given."));
}

/* Returns: the manual page, in troff */
char *
ctl_docs_get_manual (const GOptionEntry *const *entries)
{
  GString *out = g_string_new (".\\\" SPDX-License-Identifier: LGPL-2.1-or-later\n");

  g_string_append_printf (out, ".TH LOOPCTL 1 \"\" \"libloop %s\"\n", PACKAGE_VERSION);
  append_section (out, _ ("NAME"));
  g_string_append_printf (out, "loopctl \\- %s\n", _ ("inspect and drive a running event loop"));

  append_section (out, _ ("SYNOPSIS"));
  g_string_append (out, ".B loopctl\n[\\fIOPTION\\fR]... \\fITARGET\\fR [\\fICOMMAND\\fR [\\fIARG\\fR]...]\n"
                        ".br\n.B loopctl ls\n"
                        ".br\n.B loopctl host\n[\\fIOPTION\\fR]...\n");

  append_section (out, _ ("DESCRIPTION"));
  append_paragraph (
      out, ".PP",
      _ ("Shows what the event loops of a process do, and acts on them, even while a callback blocks them. "
         "TARGET is a pid, the name of a program that is unique, or the path of a socket. With a COMMAND, "
         "that one runs. Without, a shell starts on a terminal; elsewhere commands are read from standard "
         "input."));
  append_paragraph (
      out, ".PP",
      _ ("On a terminal rows are printed as a table that fits its width. Elsewhere they are lines of "
         "values that tabs separate, the first with the names of the columns; tabs, newlines and "
         "backslashes in values are escaped as in C. Remarks, such as that a loop is blocked, stand "
         "before the table, or go to standard error. With --json each command prints an object: of views, {\"loop\": STATE, \"rows\": "
         "[ROW...], \"next\": CURSOR}; of actions, {\"loop\": STATE, \"outcome\": "
         "\"done\"|\"queued\"|\"timeout\"}; of a failure, {\"error\": {\"name\": NAME, \"message\": "
         "TEXT}}."));
  append_paragraph (out, ".PP",
                    _ ("In commands, blanks separate words; quotes and backslashes work as in a shell; semicolons and "
                       "newlines separate commands; a # before a command starts a comment."));

  append_section (out, _ ("OPTIONS"));
  append_entries (out, entries[0]);
  append_section (out, _ ("OPTIONS OF HOST"));
  append_entries (out, entries[1]);
  append_section (out, _ ("OPTIONS OF COMMANDS"));
  append_argument_options (out, FALSE);
  append_paragraph (out, ".PP", _ ("Those of the commands that list rows:"));
  append_argument_options (out, TRUE);

  append_section (out, _ ("COMMANDS"));
  append_commands (out, 0);
  append_section (out, _ ("COMMANDS FOR A HOST"));
  append_commands (out, CTL_COMMAND_HOST);

  append_section (out, _ ("EXIT STATUS"));
  append_term (out, "0", NULL, _ ("Success."));
  append_term (out, "1", NULL, _ ("Wrong usage."));
  append_term (out, "2", NULL, _ ("The target is out of reach or gone."));
  append_term (out, "3", NULL, _ ("A command failed."));
  append_environment (out);

  return g_string_free (out, FALSE);
}
