/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  CTL_FORMAT_TEXT, /* a table on a terminal, TSV elsewhere */
  CTL_FORMAT_JSON,
  CTL_FORMAT_JSON_PRETTY,
} CtlFormat;

typedef enum
{
  CTL_COLOR_AUTO,
  CTL_COLOR_ALWAYS,
  CTL_COLOR_NEVER,
} CtlColor;

typedef enum
{
  CTL_STYLE_NONE,
  CTL_STYLE_HEADING,
  CTL_STYLE_WARNING,
  CTL_STYLE_ERROR,
} CtlStyle;

/* What one command prints: gathered in @text, and written when it has ended. */
typedef struct
{
  CtlFormat format;
  CtlColor color_option;
  gboolean is_terminal;
  gboolean is_colored;
  gboolean is_error_colored;
  gboolean use_pager;
  int width; /* of the terminal */
  int height;
  GString *text;
} CtlOutput;

CtlOutput *ctl_output_new (CtlFormat format, CtlColor color);
void ctl_output_free (CtlOutput *self);

gboolean ctl_format_parse (const char *text, CtlFormat *format, GError **error);
gboolean ctl_color_parse (const char *text, CtlColor *color, GError **error);

gboolean ctl_output_is_json (CtlOutput *self);
gboolean ctl_output_is_tsv (CtlOutput *self);

void ctl_output_begin (CtlOutput *self);
void ctl_output_end (CtlOutput *self);

void ctl_output_styled (CtlOutput *self, CtlStyle style, const char *text);
void ctl_output_printf (CtlOutput *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
void ctl_output_json (CtlOutput *self, GVariant *object);
void ctl_output_notice (CtlOutput *self, CtlStyle style, const char *format, ...) G_GNUC_PRINTF (3, 4);
void ctl_output_error (CtlOutput *self, const GError *error);
void ctl_output_error_object (CtlOutput *self, const GError *error);

/* Where all text goes in the end: to @fd, in the encoding of the locale. */
void ctl_write (int fd, const char *text);

/* From now on the program does not end when nobody reads its output any more. */
void ctl_write_outlives_reader (void);

/* Shows @text in the user's pager; FALSE when there is none to be had. */
gboolean ctl_pager_show (const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlOutput, ctl_output_free)

G_END_DECLS
