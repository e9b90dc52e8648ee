/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "options.h"

#include "docs.h"
#include "error.h"
#include "words.h"

#include <glib/gi18n.h>

/* The options of the program, before and after its target. Those of commands are in arguments.c. */

#define DEFAULT_TIMEOUT 2.0

static void
script_free (gpointer data)
{
  CtlScript *self = data;

  g_free (self->text);
  g_free (self);
}

CtlOptions *
ctl_options_new (void)
{
  CtlOptions *self = g_new0 (CtlOptions, 1);

  self->timeout = DEFAULT_TIMEOUT;
  self->scripts = g_ptr_array_new_with_free_func (script_free);

  return self;
}

void
ctl_options_free (CtlOptions *self)
{
  g_ptr_array_unref (self->scripts);
  g_free (self->completion);
  g_free (self->echo);
  g_free (self);
}

static void
add_script (CtlOptions *self, gboolean is_file, const char *text)
{
  CtlScript *script = g_new0 (CtlScript, 1);

  script->is_file = is_file;
  script->text = g_strdup (text);
  g_ptr_array_add (self->scripts, script);
}

static const char *
get_long_name (const char *option)
{
  if (option[1] == '-')
    return option + 2;

  for (const GOptionEntry *entry = ctl_option_entries; entry->long_name != NULL; entry++)
    {
      if (entry->short_name == option[1])
        return entry->long_name;
    }

  g_assert_not_reached ();
}

static gboolean
parse_option (const char *option, const char *value, gpointer data, GError **error)
{
  CtlOptions *self = data;
  const char *name = get_long_name (option);

  if (g_str_equal (name, "json"))
    return ctl_format_parse (value, &self->format, error);
  if (g_str_equal (name, "color"))
    return ctl_color_parse (value, &self->color, error);
  if (g_str_equal (name, "loop"))
    return ctl_words_parse_id (value, &self->loop_id, error);
  if (g_str_equal (name, "timeout"))
    return ctl_words_parse_seconds (value, &self->timeout, error) &&
           ((self->timeout > 0 && self->timeout <= 1e6) ||
            ctl_usage_error (error, _ ("--timeout is a positive number of seconds")));

  if (g_str_equal (name, "command") || g_str_equal (name, "file"))
    add_script (self, g_str_equal (name, "file"), value);
  else if (g_str_equal (name, "completion"))
    self->completion = g_strdup (value);
  else if (g_str_equal (name, "echo"))
    self->echo = g_strdup (value);
  else if (g_str_equal (name, "man"))
    self->is_manual_wanted = TRUE;
  else if (g_str_equal (name, "version"))
    self->is_version_wanted = TRUE;
  else if (g_str_equal (name, "no-shell"))
    self->has_no_shell = TRUE;
  else if (g_str_equal (name, "read-only"))
    self->is_read_only = TRUE;

  return TRUE;
}

#define CALLBACK G_OPTION_ARG_CALLBACK, (gpointer) parse_option

const GOptionEntry ctl_option_entries[] = {
  { "command", 'c', 0, CALLBACK, N_ ("run the commands in LINE, which semicolons separate; may be repeated"), "LINE" },
  { "file", 'f', 0, CALLBACK, N_ ("run the commands in FILE, one or more on a line; - is standard input"), "FILE" },
  { "json", 0, G_OPTION_FLAG_OPTIONAL_ARG, CALLBACK, N_ ("print JSON, an object for each command"), "short|pretty" },
  { "color", 0, 0, CALLBACK, N_ ("use colors: auto (on a terminal), always or never"), "WHEN" },
  { "loop", 'l', 0, CALLBACK, N_ ("the loop to ask, if the process has several"), "ID" },
  { "timeout", 't', 0, CALLBACK, N_ ("how long to wait for an answer (2 seconds)"), "SECONDS" },
  { "completion", 0, 0, CALLBACK, N_ ("print a completion script for a shell: bash"), "SHELL" },
  { "man", 0, G_OPTION_FLAG_NO_ARG, CALLBACK, N_ ("print the manual page, in troff"), NULL },
  { "version", 'V', G_OPTION_FLAG_NO_ARG, CALLBACK, N_ ("print the version"), NULL },
  { NULL },
};

const GOptionEntry ctl_host_option_entries[] = {
  { "echo", 0, 0, CALLBACK, N_ ("where the echo server listens (127.0.0.1:0)"), "HOST:PORT" },
  { "no-shell", 0, G_OPTION_FLAG_NO_ARG, CALLBACK, N_ ("serve until a signal ends it"), NULL },
  { "read-only", 0, G_OPTION_FLAG_NO_ARG, CALLBACK, N_ ("let clients look, and nothing else"), NULL },
  { NULL },
};

/* Returns: the entry for an option as written, or NULL */
static const GOptionEntry *
find_entry (const char *word)
{
  for (const GOptionEntry *entry = ctl_option_entries; entry->long_name != NULL; entry++)
    {
      gsize length = strlen (entry->long_name);

      if (word[1] != '-' ? entry->short_name == word[1]
                         : strncmp (word + 2, entry->long_name, length) == 0 && strchr ("=", word[2 + length]) != NULL)
        return entry;
    }

  return NULL;
}

/* GOption would take the word behind a lone --json for its value. */
static void
complete_json (char **words)
{
  for (words++; *words != NULL && **words == '-' && !g_str_equal (*words, "--"); words++)
    {
      const GOptionEntry *entry = find_entry (*words);
      gboolean has_value = strchr (*words, '=') != NULL || ((*words)[1] != '-' && strlen (*words) > 2);

      if (g_str_equal (*words, "--json"))
        {
          g_free (*words);
          *words = g_strdup ("--json=short");
        }
      else if (entry != NULL && entry->arg_description != NULL && !has_value && words[1] != NULL)
        {
          words++;
        }
    }
}

static GOptionGroup *
new_group (CtlOptions *self, gboolean is_host)
{
  GOptionGroup *group = g_option_group_new ("loopctl", "loopctl", "loopctl", self, NULL);

  g_option_group_set_translation_domain (group, GETTEXT_PACKAGE);
  if (is_host)
    g_option_group_add_entries (group, ctl_host_option_entries);
  g_option_group_add_entries (group, ctl_option_entries);

  return group;
}

/*
 * Parses the options that @words start with; words[0] is not looked at.
 *
 * Returns: (transfer full): the words from the first that is not an option
 */
char **
ctl_options_parse (CtlOptions *self, char **words, gboolean is_host, GError **error)
{
  g_autoptr (GOptionContext) context = NULL;
  g_autoptr (GError) local_error = NULL;
  g_auto (GStrv) rest = g_strdupv (words);
  g_autofree char *description = NULL;

  complete_json (rest);
  g_set_prgname (is_host ? "loopctl host" : "loopctl");
  context = g_option_context_new (is_host ? NULL : _ ("TARGET [COMMAND [ARG…]]"));
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_set_main_group (context, new_group (self, is_host));
  if (is_host)
    {
      g_option_context_set_summary (context, _ ("Runs a loop as a service, with its shell attached."));
    }
  else
    {
      description = ctl_docs_get_description ();
      g_option_context_set_summary (
          context, _ ("Inspects and drives a running loop of libloop, even while a callback blocks it.\n"
                      "TARGET is a pid, the name of a program, or the path of a socket. Without a\n"
                      "COMMAND a shell starts, or commands are read from standard input."));
      g_option_context_set_description (context, description);
    }

  if (!g_option_context_parse_strv (context, &rest, &local_error))
    {
      g_set_prgname ("loopctl");
      ctl_usage_error (error, "%s", local_error->message);
      return NULL;
    }
  g_set_prgname ("loopctl");

  return g_steal_pointer (&rest);
}
