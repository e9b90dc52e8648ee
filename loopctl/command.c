/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "command.h"

#include "docs.h"
#include "error.h"

#include <glib/gi18n.h>

/* How far a word may be from a command to be taken for a slip of it. */
#define MAX_SLIPS 2

const CtlCommand *
ctl_command_find (const char *name)
{
  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++)
    {
      if (g_str_equal (command->name, name) || g_strcmp0 (command->alias, name) == 0)
        return command;
    }

  return NULL;
}

/* The number of letters to insert, drop or change to make the one of the other. */
static guint
get_distance (const char *a, const char *b)
{
  gsize length = strlen (b);
  g_autofree guint *row = g_new (guint, length + 1);

  for (gsize i = 0; i <= length; i++)
    row[i] = (guint) i;

  for (gsize i = 0; a[i] != '\0'; i++)
    {
      guint diagonal = row[0];

      row[0] = (guint) i + 1;
      for (gsize j = 0; j < length; j++)
        {
          guint changed = diagonal + (a[i] != b[j]);

          diagonal = row[j + 1];
          row[j + 1] = MIN (changed, MIN (row[j], row[j + 1]) + 1);
        }
    }

  return row[length];
}

static const char *
guess (const char *name)
{
  const char *best = NULL;
  guint best_distance = MAX_SLIPS + 1;

  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++)
    {
      guint distance = get_distance (name, command->name);

      if (distance < best_distance && 2 * distance <= strlen (name))
        {
          best = command->name;
          best_distance = distance;
        }
    }

  return best;
}

const CtlCommand *
ctl_command_get (const char *name, GError **error)
{
  const CtlCommand *command = ctl_command_find (name);
  const char *meant;

  if (command != NULL)
    return command;

  meant = guess (name);
  if (meant != NULL)
    ctl_usage_error (error, _ ("There is no command “%s”. Did you mean “%s”?"), name, meant);
  else
    ctl_usage_error (error, _ ("There is no command “%s”; “help” lists those that there are"), name);

  return NULL;
}

static CtlArguments *
parse (const CtlCommand *command, char **words, GError **error)
{
  g_autoptr (CtlArguments) arguments = NULL;
  CtlArgumentsFlags flags = CTL_ARGUMENTS_DEFAULT;

  /* D-Bus takes nothing else. */
  for (char **word = words; *word != NULL; word++)
    {
      if (!g_utf8_validate (*word, -1, NULL))
        {
          ctl_usage_error (error, _ ("“%s” is not UTF-8"), *word);
          return NULL;
        }
    }

  if (command->flags & CTL_COMMAND_VIEW)
    flags |= CTL_ARGUMENTS_VIEW;
  if (command->flags & CTL_COMMAND_VERBATIM)
    flags |= CTL_ARGUMENTS_VERBATIM;

  arguments = ctl_arguments_parse (words + 1, flags, error);
  if (arguments == NULL || arguments->wants_help)
    return g_steal_pointer (&arguments);

  if (arguments->n_words >= command->min_words && arguments->n_words <= command->max_words)
    return g_steal_pointer (&arguments);

  if (command->synopsis != NULL)
    ctl_usage_error (error, _ ("Usage: %s %s"), command->name, command->synopsis);
  else
    ctl_usage_error (error, _ ("%s takes no arguments"), command->name);

  return NULL;
}

/* What can be said of a command's words without asking anyone. */
const CtlCommand *
ctl_command_check (char **words, GError **error)
{
  const CtlCommand *command = ctl_command_get (words[0], error);
  g_autoptr (CtlArguments) arguments = command != NULL ? parse (command, words, error) : NULL;

  return arguments != NULL ? command : NULL;
}

static gboolean
run (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  if (arguments->wants_help)
    {
      ctl_docs_append_command (session->output, command);
      return TRUE;
    }

  if (command->flags & CTL_COMMAND_NO_SHELL)
    return ctl_usage_error (error, _ ("“%s” is no command of the shell: run “loopctl %s”"), command->name,
                            command->name);

  if (session->target == NULL && !(command->flags & CTL_COMMAND_NO_TARGET))
    return ctl_usage_error (error, _ ("“%s” needs a target: loopctl TARGET %s"), command->name, command->name);

  return command->run (session, command, arguments, error);
}

/* Once: a command within a command may have told it. */
static void
tell_error (CtlSession *session, const GError *error)
{
  if (!session->error_is_told)
    ctl_output_error_object (session->output, error);
  session->error_is_told = TRUE;
}

static gboolean
run_with_options (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  CtlFormat format = session->output->format;
  guint64 loop_id = session->loop_id;
  g_autoptr (GError) local_error = NULL;

  if (arguments->has_format)
    session->output->format = arguments->format;
  if (arguments->loop_id != 0)
    session->loop_id = arguments->loop_id;

  ctl_output_begin (session->output);
  session->depth++;
  run (session, command, arguments, &local_error);
  session->depth--;
  ctl_output_end (session->output);
  if (local_error != NULL)
    tell_error (session, local_error);

  session->output->format = format;
  if (arguments->loop_id != 0)
    session->loop_id = loop_id;
  if (local_error == NULL)
    return TRUE;

  g_propagate_error (error, g_steal_pointer (&local_error));

  return FALSE;
}

/* Runs a command; of an error that it returns those that read JSON know, but nobody else does. */
gboolean
ctl_command_run (CtlSession *session, char **words, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  const CtlCommand *command = ctl_command_get (words[0], &local_error);
  g_autoptr (CtlArguments) arguments = command != NULL ? parse (command, words, &local_error) : NULL;

  session->error_is_told = FALSE;
  if (arguments != NULL)
    return run_with_options (session, command, arguments, error);

  tell_error (session, local_error);
  g_propagate_error (error, g_steal_pointer (&local_error));

  return FALSE;
}

/* Takes @value if it is floating. @state may be NULL, and @key too. */
GVariant *
ctl_reply_new (GVariant *state, const char *key, GVariant *value)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  if (state != NULL)
    g_variant_builder_add (&builder, "{sv}", "loop", state);
  if (key != NULL)
    g_variant_builder_add (&builder, "{sv}", key, value);

  return g_variant_builder_end (&builder);
}
