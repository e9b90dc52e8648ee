/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "output.h"

#include "command.h"
#include "error.h"
#include "json.h"
#include "text.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_WIDTH 80
#define DEFAULT_HEIGHT 24

static const char *const style_codes[] = { "", "\033[1m", "\033[33m", "\033[1;31m" };

static gboolean
wants_color (CtlColor option, int fd)
{
  const char *no_color = g_getenv ("NO_COLOR");
  const char *terminal = g_getenv ("TERM");

  if (option != CTL_COLOR_AUTO)
    return option == CTL_COLOR_ALWAYS;

  return isatty (fd) && (no_color == NULL || *no_color == '\0') && g_strcmp0 (terminal, "dumb") != 0;
}

CtlOutput *
ctl_output_new (CtlFormat format, CtlColor color)
{
  CtlOutput *self = g_new0 (CtlOutput, 1);

  self->format = format;
  self->color_option = color;
  self->is_terminal = isatty (STDOUT_FILENO);
  self->is_colored = wants_color (color, STDOUT_FILENO);
  self->is_error_colored = wants_color (color, STDERR_FILENO);
  self->use_pager = self->is_terminal && isatty (STDIN_FILENO);
  self->width = DEFAULT_WIDTH;
  self->height = DEFAULT_HEIGHT;
  self->text = g_string_new (NULL);

  return self;
}

void
ctl_output_free (CtlOutput *self)
{
  g_string_free (self->text, TRUE);
  g_free (self);
}

gboolean
ctl_format_parse (const char *text, CtlFormat *format, GError **error)
{
  if (text == NULL || g_str_equal (text, "short"))
    *format = CTL_FORMAT_JSON;
  else if (g_str_equal (text, "pretty"))
    *format = CTL_FORMAT_JSON_PRETTY;
  else
    return ctl_usage_error (error, _ ("--json is “short” or “pretty”, not “%s”"), text);

  return TRUE;
}

gboolean
ctl_color_parse (const char *text, CtlColor *color, GError **error)
{
  static const char *const words[] = { "auto", "always", "never", NULL };

  for (guint i = 0; words[i] != NULL; i++)
    {
      if (g_strcmp0 (text, words[i]) == 0)
        {
          *color = (CtlColor) i;
          return TRUE;
        }
    }

  return ctl_usage_error (error, _ ("--color is “auto”, “always” or “never”, not “%s”"), text);
}

gboolean
ctl_output_is_json (CtlOutput *self)
{
  return self->format != CTL_FORMAT_TEXT;
}

gboolean
ctl_output_is_tsv (CtlOutput *self)
{
  return self->format == CTL_FORMAT_TEXT && !self->is_terminal;
}

/* A command starts: the terminal may have another size than it had for the last. */
void
ctl_output_begin (CtlOutput *self)
{
  struct winsize size;

  g_string_truncate (self->text, 0);

  if (self->is_terminal && ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    {
      self->width = size.ws_col;
      self->height = size.ws_row > 0 ? size.ws_row : DEFAULT_HEIGHT;
    }
}

static int
count_lines (const char *text)
{
  int n = 0;

  for (const char *p = strchr (text, '\n'); p != NULL; p = strchr (p + 1, '\n'))
    n++;

  return n;
}

static gboolean outlives_reader;

void
ctl_write_outlives_reader (void)
{
  outlives_reader = TRUE;
}

/* Nobody reads our output any more: to end as any other program in a pipe does. */
static void
end_by_sigpipe (void)
{
  signal (SIGPIPE, SIG_DFL);
  raise (SIGPIPE);
}

void
ctl_write (int fd, const char *text)
{
  g_autofree char *converted = NULL;
  const char *charset;

  if (!g_get_charset (&charset))
    {
      g_autofree char *nearest = g_strconcat (charset, "//TRANSLIT", NULL);

      converted = g_convert_with_fallback (text, -1, nearest, "UTF-8", "?", NULL, NULL, NULL);
      text = converted != NULL ? converted : text;
    }

  for (gsize left = strlen (text); left > 0;)
    {
      gssize n = write (fd, text, left);

      if (n < 0 && errno == EAGAIN)
        {
          g_usleep (1000);
          continue;
        }
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno == EPIPE && fd == STDOUT_FILENO && !outlives_reader)
        end_by_sigpipe ();
      if (n < 0)
        return;

      text += n;
      left -= (gsize) n;
    }
}

void
ctl_output_end (CtlOutput *self)
{
  gboolean is_long = self->use_pager && count_lines (self->text->str) >= self->height;

  if (!is_long || !ctl_pager_show (self->text->str))
    ctl_write (STDOUT_FILENO, self->text->str);

  g_string_truncate (self->text, 0);
}

void
ctl_output_styled (CtlOutput *self, CtlStyle style, const char *text)
{
  if (self->is_colored && style != CTL_STYLE_NONE)
    g_string_append_printf (self->text, "%s%s\033[0m", style_codes[style], text);
  else
    g_string_append (self->text, text);
}

void
ctl_output_printf (CtlOutput *self, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_string_append_vprintf (self->text, format, args);
  va_end (args);
}

void
ctl_output_json (CtlOutput *self, GVariant *object)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (object);

  ctl_json_append (self->text, owned, self->format == CTL_FORMAT_JSON_PRETTY);
}

static void
write_error_line (CtlOutput *self, CtlStyle style, const char *text)
{
  g_autofree char *line = NULL;

  if (self->is_error_colored && style != CTL_STYLE_NONE)
    line = g_strdup_printf ("%s%s\033[0m\n", style_codes[style], text);
  else
    line = g_strdup_printf ("%s\n", text);

  ctl_write (STDERR_FILENO, line);
}

/*
 * A line for people: part of the output on a terminal, on standard error where the output is for
 * programs.
 */
void
ctl_output_notice (CtlOutput *self, CtlStyle style, const char *format, ...)
{
  g_autofree char *text = NULL;
  g_autofree char *escaped = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  escaped = ctl_text_escape (text, CTL_ESCAPE_CONTROLS);

  if (self->is_terminal && !ctl_output_is_json (self))
    {
      ctl_output_styled (self, style, escaped);
      g_string_append_c (self->text, '\n');
    }
  else if (!ctl_output_is_json (self))
    {
      write_error_line (self, style, escaped);
    }
}

/* Says why something failed. */
void
ctl_output_error (CtlOutput *self, const GError *error)
{
  g_autofree char *message = ctl_error_get_message (error);
  g_autofree char *escaped = ctl_text_escape (message, CTL_ESCAPE_CONTROLS);
  g_autofree char *line = g_strdup_printf ("loopctl: %s", escaped);

  write_error_line (self, CTL_STYLE_ERROR, line);
}

/* The same to programs that read JSON, in the place of the object that they expect. */
void
ctl_output_error_object (CtlOutput *self, const GError *error)
{
  g_autofree char *message = ctl_error_get_message (error);
  GVariantBuilder details;

  if (!ctl_output_is_json (self))
    return;

  g_variant_builder_init (&details, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&details, "{sv}", "name", g_variant_new_string (ctl_error_get_name (error)));
  g_variant_builder_add (&details, "{sv}", "message", g_variant_new_string (message));
  ctl_output_json (self, ctl_reply_new (NULL, "error", g_variant_builder_end (&details)));
  ctl_write (STDOUT_FILENO, self->text->str);
  g_string_truncate (self->text, 0);
}
