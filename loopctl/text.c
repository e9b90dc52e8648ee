/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "text.h"

/* What a terminal does with text, and how much room it takes there. */

static gboolean
is_dangerous (gunichar c)
{
  switch (g_unichar_type (c))
    {
    case G_UNICODE_CONTROL:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
      return TRUE;
    case G_UNICODE_FORMAT:
      /* Marks of direction can make a line read as another; joiners are harmless. */
      return c != 0x200c && c != 0x200d && c != 0x00ad;
    default:
      return FALSE;
    }
}

/* Escapes as in C: names come from the programs that are looked at, and may hold anything. */
char *
ctl_text_escape (const char *text, CtlEscape escape)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *out = g_string_sized_new (strlen (valid));

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (c == '\\' && escape == CTL_ESCAPE_TSV)
        g_string_append (out, "\\\\");
      else if (!is_dangerous (c))
        g_string_append_unichar (out, c);
      else if (c == '\t')
        g_string_append (out, "\\t");
      else if (c == '\n')
        g_string_append (out, "\\n");
      else if (c == '\r')
        g_string_append (out, "\\r");
      else if (c < 0x100)
        g_string_append_printf (out, "\\x%02x", c);
      else if (c < 0x10000)
        g_string_append_printf (out, "\\u%04x", c);
      else
        g_string_append_printf (out, "\\U%08x", c);
    }

  return g_string_free (out, FALSE);
}

static int
get_char_width (gunichar c)
{
  if (g_unichar_iszerowidth (c))
    return 0;

  return g_unichar_iswide (c) ? 2 : 1;
}

/* The columns that @text takes on a terminal. */
int
ctl_text_get_width (const char *text)
{
  int width = 0;

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    width += get_char_width (g_utf8_get_char (p));

  return width;
}

/* Appends @text in exactly @width columns: padded, or cut and marked so. */
void
ctl_text_append_fitted (GString *out, const char *text, int width, CtlAlign align)
{
  int text_width = ctl_text_get_width (text);
  int used = 0;

  if (text_width <= width)
    {
      if (align == CTL_ALIGN_RIGHT)
        g_string_append_printf (out, "%*s", width - text_width, "");
      g_string_append (out, text);
      if (align == CTL_ALIGN_LEFT)
        g_string_append_printf (out, "%*s", width - text_width, "");
      return;
    }

  for (const char *p = text; used < width; p = g_utf8_next_char (p))
    {
      int char_width = get_char_width (g_utf8_get_char (p));

      if (used + char_width > width - 1)
        break;
      g_string_append_len (out, p, g_utf8_next_char (p) - p);
      used += char_width;
    }

  if (used < width)
    g_string_append_printf (out, "…%*s", width - used - 1, "");
}

/*
 * Appends a paragraph, as lines of at most @width columns where words allow it. The first line begins
 * at column @indent, where the caller has left off; the others are indented so far.
 */
void
ctl_text_append_wrapped (GString *out, const char *text, int width, int indent)
{
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  int used = indent;

  for (char **word = words; *word != NULL; word++)
    {
      int word_width = ctl_text_get_width (*word);

      if (used > indent && used + 1 + word_width > width)
        {
          g_string_append_printf (out, "\n%*s", indent, "");
          used = indent;
        }
      g_string_append_printf (out, "%s%s", used > indent ? " " : "", *word);
      used += word_width + (used > indent);
    }
  g_string_append_c (out, '\n');
}

/* The shortest text, in any locale, that reads back as @value. */
char *
ctl_text_from_double (double value)
{
  static const char *const formats[] = { "%.15g", "%.16g", "%.17g" };
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      g_ascii_formatd (text, sizeof text, formats[i], value);
      if (g_ascii_strtod (text, NULL) == value)
        break;
    }

  return g_strdup (text);
}
