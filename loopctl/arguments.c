/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "arguments.h"

#include "error.h"
#include "words.h"

#include <glib/gi18n.h>

typedef enum
{
  OPTION_LIMIT,
  OPTION_ALL,
  OPTION_CURSOR,
  OPTION_SORT,
  OPTION_FILTER,
  OPTION_LOOP,
  OPTION_JSON,
  OPTION_HELP,
} Option;

const CtlArgumentOption ctl_argument_options[] = {
  [OPTION_LIMIT] = { "limit", "N", N_ ("show at most N rows"), TRUE },
  [OPTION_ALL] = { "all", NULL, N_ ("show all rows, not only the first page"), TRUE },
  [OPTION_CURSOR] = { "cursor", "CURSOR", N_ ("go on where a page ended"), TRUE },
  [OPTION_SORT] = { "sort", "COLUMN", N_ ("sort by a column of numbers; downward with “-” before it"), TRUE },
  [OPTION_FILTER] = { "filter", "COLUMN=GLOB", N_ ("show only rows whose column matches, with * and ?"), TRUE },
  [OPTION_LOOP] = { "loop", "ID", N_ ("the loop to ask, if the process has several"), FALSE },
  [OPTION_JSON] = { "json", "[=short|pretty]", N_ ("print JSON"), FALSE },
  [OPTION_HELP] = { "help", NULL, N_ ("explain the command"), FALSE },
  { NULL },
};

typedef struct
{
  CtlArguments *arguments;
  GVariantDict filter;
} Parser;

static gboolean
parse_filter (Parser *self, const char *value, GError **error)
{
  const char *equals = strchr (value, '=');
  g_autofree char *column = NULL;

  if (equals == NULL || equals == value)
    return ctl_usage_error (error, _ ("“%s” is not a filter: write --filter=COLUMN=GLOB"), value);

  column = g_strndup (value, (gsize) (equals - value));
  g_variant_dict_insert (&self->filter, column, "s", equals + 1);

  return TRUE;
}

static gboolean
apply (Parser *self, Option option, const char *value, GError **error)
{
  CtlArguments *arguments = self->arguments;

  switch (option)
    {
    case OPTION_JSON:
      arguments->has_format = TRUE;
      return ctl_format_parse (value, &arguments->format, error);
    case OPTION_LOOP:
      return ctl_words_parse_id (value, &arguments->loop_id, error);
    case OPTION_HELP:
      arguments->wants_help = TRUE;
      return TRUE;
    case OPTION_LIMIT:
      if (g_ascii_string_to_unsigned (value, 10, 1, G_MAXUINT32, &arguments->limit, NULL))
        return TRUE;
      return ctl_usage_error (error, _ ("“%s” is not a number of rows"), value);
    case OPTION_SORT:
      arguments->sort = value;
      return TRUE;
    case OPTION_FILTER:
      return parse_filter (self, value, error);
    case OPTION_CURSOR:
      arguments->cursor = value;
      return TRUE;
    case OPTION_ALL:
      arguments->is_all = TRUE;
      return TRUE;
    default:
      g_assert_not_reached ();
    }
}

/* Parses the option in @words[0], which may take the word behind it. Returns: the words it took, or 0 */
static guint
parse_option (Parser *self, char **words, CtlArgumentsFlags flags, GError **error)
{
  const char *text = words[0] + 2;
  const char *equals = strchr (text, '=');
  gsize length = equals != NULL ? (gsize) (equals - text) : strlen (text);
  const char *value = equals != NULL ? equals + 1 : NULL;

  for (guint i = 0; ctl_argument_options[i].name != NULL; i++)
    {
      const CtlArgumentOption *option = &ctl_argument_options[i];
      gboolean is_optional = option->metavar != NULL && option->metavar[0] == '[';

      if (strlen (option->name) != length || strncmp (option->name, text, length) != 0)
        continue;
      if (option->is_for_views && !(flags & CTL_ARGUMENTS_VIEW))
        break;

      if (option->metavar == NULL && value != NULL)
        {
          ctl_usage_error (error, _ ("--%s takes no value"), option->name);
          return 0;
        }
      if (option->metavar == NULL || is_optional || value != NULL)
        return apply (self, (Option) i, value, error) ? 1 : 0;
      if (words[1] != NULL)
        return apply (self, (Option) i, words[1], error) ? 2 : 0;

      ctl_usage_error (error, _ ("--%s needs a value: --%s=%s"), option->name, option->name, option->metavar);
      return 0;
    }

  ctl_usage_error (error, _ ("There is no option %s here"), words[0]);

  return 0;
}

/* Parses what stands behind a command's name; @words have to outlive the result. */
CtlArguments *
ctl_arguments_parse (char **words, CtlArgumentsFlags flags, GError **error)
{
  g_autoptr (CtlArguments) arguments = g_new0 (CtlArguments, 1);
  Parser self = { .arguments = arguments };
  gboolean takes_options = TRUE;
  gboolean is_ok = TRUE;

  arguments->words = g_ptr_array_new ();
  g_variant_dict_init (&self.filter, NULL);

  while (*words != NULL && is_ok)
    {
      if (takes_options && g_str_equal (*words, "--"))
        {
          takes_options = FALSE;
          words++;
        }
      else if (takes_options && g_str_has_prefix (*words, "--"))
        {
          guint n = parse_option (&self, words, flags, error);

          is_ok = n > 0;
          words += n;
        }
      else
        {
          g_ptr_array_add (arguments->words, *words++);
          takes_options = takes_options && !(flags & CTL_ARGUMENTS_VERBATIM);
        }
    }

  arguments->n_words = arguments->words->len;
  g_ptr_array_add (arguments->words, NULL);
  arguments->filter = g_variant_ref_sink (g_variant_dict_end (&self.filter));

  return is_ok ? g_steal_pointer (&arguments) : NULL;
}

void
ctl_arguments_free (CtlArguments *self)
{
  g_ptr_array_unref (self->words);
  g_clear_pointer (&self->filter, g_variant_unref);
  g_free (self);
}

/* Returns: (nullable): the word, or NULL if there are not so many */
const char *
ctl_arguments_get (CtlArguments *self, guint index)
{
  return index < self->n_words ? g_ptr_array_index (self->words, index) : NULL;
}
