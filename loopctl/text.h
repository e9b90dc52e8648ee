/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  CTL_ESCAPE_CONTROLS, /* what could move a cursor or reorder a line */
  CTL_ESCAPE_TSV,      /* the backslash too, so that it can be undone */
} CtlEscape;

typedef enum
{
  CTL_ALIGN_LEFT,
  CTL_ALIGN_RIGHT,
} CtlAlign;

char *ctl_text_escape (const char *text, CtlEscape escape);
int ctl_text_get_width (const char *text);
void ctl_text_append_fitted (GString *out, const char *text, int width, CtlAlign align);
void ctl_text_append_wrapped (GString *out, const char *text, int width, int indent);
char *ctl_text_from_double (double value);

G_END_DECLS
