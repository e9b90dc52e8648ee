/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  CTL_VALUE_EXACT, /* for programs */
  CTL_VALUE_BRIEF, /* for people, in a column */
  CTL_VALUE_TIME,  /* the same; floating-point numbers are times */
} CtlValueStyle;

char *ctl_value_to_text (GVariant *value, CtlValueStyle style);
gboolean ctl_value_is_number (GVariant *value);
char *ctl_value_from_seconds (double seconds);

/* From dictionaries; what is absent, or of another type, is 0, NULL or FALSE. */
guint64 ctl_value_get_id (GVariant *dictionary, const char *key);
double ctl_value_get_double (GVariant *dictionary, const char *key);
const char *ctl_value_get_string (GVariant *dictionary, const char *key);
gboolean ctl_value_get_boolean (GVariant *dictionary, const char *key);

G_END_DECLS
