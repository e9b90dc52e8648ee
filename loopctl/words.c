/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "words.h"

#include "error.h"

#include <glib/gi18n.h>
#include <math.h>

/*
 * Command lines: words between blanks, quoted and escaped as in a POSIX shell but without its
 * expansions; commands end at a newline or a semicolon; "#" before a command starts a comment.
 */

typedef struct
{
  GPtrArray *commands; /* of GStrv */
  GPtrArray *words;
  GString *word; /* NULL: between words */
  char quote;
} Splitter;

static void
add_char (Splitter *self, char c)
{
  if (self->word == NULL)
    self->word = g_string_new (NULL);
  g_string_append_c (self->word, c);
}

static void
end_word (Splitter *self)
{
  if (self->word != NULL)
    g_ptr_array_add (self->words, g_string_free (g_steal_pointer (&self->word), FALSE));
}

static void
end_command (Splitter *self)
{
  end_word (self);
  if (self->words->len == 0)
    return;

  g_ptr_array_add (self->words, NULL);
  g_ptr_array_add (self->commands, g_ptr_array_free (self->words, FALSE));
  self->words = g_ptr_array_new ();
}

static void
split (Splitter *self, const char *text)
{
  for (const char *p = text; *p != '\0'; p++)
    {
      if (*p == '\\' && self->quote != '\'' && p[1] != '\0')
        {
          p++;
          /* In double quotes a backslash escapes these alone. */
          if (self->quote == '"' && *p != '"' && *p != '\\')
            add_char (self, '\\');
          add_char (self, *p);
        }
      else if (self->quote != '\0' && *p == self->quote)
        {
          self->quote = '\0';
        }
      else if (self->quote != '\0')
        {
          add_char (self, *p);
        }
      else if (*p == '"' || *p == '\'')
        {
          self->quote = *p;
          /* Even "" is a word. */
          if (self->word == NULL)
            self->word = g_string_new (NULL);
        }
      else if (*p == '\n' || *p == ';')
        {
          end_command (self);
        }
      else if (g_ascii_isspace (*p))
        {
          end_word (self);
        }
      else if (*p == '#' && self->word == NULL && self->words->len == 0)
        {
          p += strcspn (p, "\n") - 1;
        }
      else
        {
          add_char (self, *p);
        }
    }
}

static void
free_words (gpointer data)
{
  g_strfreev (data);
}

static void
splitter_init (Splitter *self)
{
  *self = (Splitter) {
    .commands = g_ptr_array_new_with_free_func (free_words),
    .words = g_ptr_array_new (),
  };
}

/*
 * Splits @text into its commands.
 *
 * Returns: (element-type GStrv): the words of each command, or NULL
 */
GPtrArray *
ctl_words_split (const char *text, GError **error)
{
  Splitter self;

  splitter_init (&self);
  split (&self, text);

  if (self.quote != '\0')
    {
      ctl_usage_error (error, _ ("A quoted text has no end: %s"), text);
      end_command (&self);
      g_ptr_array_unref (self.commands);
      g_ptr_array_unref (self.words);
      return NULL;
    }

  end_command (&self);
  g_ptr_array_unref (self.words);

  return self.commands;
}

/*
 * Splits what has been typed so far.
 *
 * Returns: the words of the last command; the last of them is the one being typed, which may be empty
 */
char **
ctl_words_split_unfinished (const char *text)
{
  Splitter self;

  splitter_init (&self);
  split (&self, text);

  if (self.word == NULL)
    self.word = g_string_new (NULL);
  end_word (&self);
  g_ptr_array_unref (self.commands);
  g_ptr_array_add (self.words, NULL);

  return (char **) g_ptr_array_free (self.words, FALSE);
}

/* An id, which may be written as in messages: #17. */
gboolean
ctl_words_parse_id (const char *text, guint64 *id, GError **error)
{
  const char *digits = *text == '#' ? text + 1 : text;

  if (g_ascii_string_to_unsigned (digits, 10, 1, G_MAXUINT64, id, NULL))
    return TRUE;

  return ctl_usage_error (error, _ ("“%s” is not an id: ids are numbers, such as 17"), text);
}

gboolean
ctl_words_parse_seconds (const char *text, double *seconds, GError **error)
{
  char *end;

  *seconds = g_ascii_strtod (text, &end);
  if (end != text && *end == '\0' && !isnan (*seconds))
    return TRUE;

  return ctl_usage_error (error, _ ("“%s” is not a number of seconds"), text);
}

/* Returns: how many letters of @text, behind a backslash, make up an escape, whose meaning is appended; or 0 */
static gsize
append_escape (GByteArray *out, const char *text)
{
  static const char escapes[] = "0abefnrtv\\\"'";
  static const char meanings[] = "\0\a\b\033\f\n\r\t\v\\\"'";
  const char *escape = *text != '\0' ? strchr (escapes, *text) : NULL;
  guint8 byte;

  if (*text == 'x' && g_ascii_isxdigit (text[1]) && g_ascii_isxdigit (text[2]))
    {
      byte = (guint8) (g_ascii_xdigit_value (text[1]) << 4 | g_ascii_xdigit_value (text[2]));
      g_byte_array_append (out, &byte, 1);
      return 3;
    }
  if (escape == NULL)
    return 0;

  g_byte_array_append (out, (const guint8 *) &meanings[escape - escapes], 1);

  return 1;
}

GBytes *
ctl_words_unescape (const char *text, GError **error)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();

  for (const char *p = text; *p != '\0'; p++)
    {
      gsize n;

      if (*p != '\\')
        {
          g_byte_array_append (out, (const guint8 *) p, 1);
          continue;
        }

      n = append_escape (out, p + 1);
      if (n == 0)
        {
          ctl_usage_error (error, _ ("“%s” begins with no escape: write \\n, \\r, \\t, \\xHH or \\\\"), p);
          return NULL;
        }
      p += n;
    }

  return g_byte_array_free_to_bytes (g_steal_pointer (&out));
}
