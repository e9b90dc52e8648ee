/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "json.h"

#include "text.h"

#include <math.h>

/*
 * GVariants as JSON. Not by JSON-GLib, which writes 0.1 as 0.10000000000000001, and what is not a
 * number as something that no parser takes.
 */

#define INDENT 2

typedef struct
{
  GString *out;
  int depth; /* -1: all on one line */
} Writer;

static void append_value (Writer *self, GVariant *value);

static void
append_string (GString *out, const char *text)
{
  g_string_append_c (out, '"');
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (c == '"' || c == '\\')
        g_string_append_printf (out, "\\%c", (char) c);
      else if (c == '\n')
        g_string_append (out, "\\n");
      else if (c == '\t')
        g_string_append (out, "\\t");
      else if (g_unichar_iscntrl (c))
        g_string_append_printf (out, "\\u%04x", c);
      else
        g_string_append_unichar (out, c);
    }
  g_string_append_c (out, '"');
}

static void
append_double (GString *out, double value)
{
  g_autofree char *text = NULL;

  /* JSON has no word for the others. */
  if (!isfinite (value))
    {
      g_string_append (out, "null");
      return;
    }

  text = ctl_text_from_double (value);
  g_string_append (out, text);
  /* A 5 that was a double stays one for whoever minds. */
  if (strpbrk (text, ".e") == NULL)
    g_string_append (out, ".0");
}

static void
append_line (Writer *self)
{
  if (self->depth >= 0)
    g_string_append_printf (self->out, "\n%*s", self->depth * INDENT, "");
}

static void
open_container (Writer *self, char bracket)
{
  g_string_append_c (self->out, bracket);
  if (self->depth >= 0)
    self->depth++;
}

static void
close_container (Writer *self, char bracket, gboolean is_empty)
{
  if (self->depth >= 0)
    self->depth--;
  if (!is_empty)
    append_line (self);
  g_string_append_c (self->out, bracket);
}

static void
append_separator (Writer *self, gsize index)
{
  if (index > 0)
    g_string_append (self->out, self->depth >= 0 ? "," : ", ");
  append_line (self);
}

static void
append_dictionary (Writer *self, GVariant *dictionary)
{
  gsize n = g_variant_n_children (dictionary);

  open_container (self, '{');
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) entry = g_variant_get_child_value (dictionary, i);
      g_autoptr (GVariant) key = g_variant_get_child_value (entry, 0);
      g_autoptr (GVariant) value = g_variant_get_child_value (entry, 1);

      append_separator (self, i);
      append_string (self->out, g_variant_get_string (key, NULL));
      g_string_append (self->out, ": ");
      append_value (self, value);
    }
  close_container (self, '}', n == 0);
}

static void
append_array (Writer *self, GVariant *array)
{
  gsize n = g_variant_n_children (array);

  open_container (self, '[');
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) value = g_variant_get_child_value (array, i);

      append_separator (self, i);
      append_value (self, value);
    }
  close_container (self, ']', n == 0);
}

static void
append_value (Writer *self, GVariant *value)
{
  switch (g_variant_classify (value))
    {
    case G_VARIANT_CLASS_BOOLEAN:
      g_string_append (self->out, g_variant_get_boolean (value) ? "true" : "false");
      return;
    case G_VARIANT_CLASS_DOUBLE:
      append_double (self->out, g_variant_get_double (value));
      return;
    case G_VARIANT_CLASS_STRING:
    case G_VARIANT_CLASS_OBJECT_PATH:
    case G_VARIANT_CLASS_SIGNATURE:
      append_string (self->out, g_variant_get_string (value, NULL));
      return;
    case G_VARIANT_CLASS_VARIANT:
      {
        g_autoptr (GVariant) content = g_variant_get_variant (value);

        append_value (self, content);
        return;
      }
    case G_VARIANT_CLASS_ARRAY:
      if (g_variant_is_of_type (value, G_VARIANT_TYPE ("a{s*}")))
        append_dictionary (self, value);
      else
        append_array (self, value);
      return;
    case G_VARIANT_CLASS_TUPLE:
      append_array (self, value);
      return;
    case G_VARIANT_CLASS_BYTE:
      g_string_append_printf (self->out, "%u", g_variant_get_byte (value));
      return;
    default:
      {
        /* All that is left are integers, which both write alike. */
        g_autofree char *text = g_variant_print (value, FALSE);

        g_string_append (self->out, text);
      }
    }
}

/* Appends @value and a newline: on one line, or over several for people. */
void
ctl_json_append (GString *out, GVariant *value, gboolean pretty)
{
  Writer self = { out, pretty ? 0 : -1 };

  append_value (&self, value);
  g_string_append_c (out, '\n');
}
