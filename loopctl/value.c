/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "value.h"

#include "text.h"

#include <math.h>

/* Values as they come from the wire, as text. Words such as "true" are for programs: never translated. */

/* A time as people read it. */
char *
ctl_value_from_seconds (double seconds)
{
  double magnitude = fabs (seconds);

  if (magnitude == 0)
    return g_strdup ("0 s");
  if (magnitude < 1e-3)
    return g_strdup_printf ("%.1f µs", seconds * 1e6);
  if (magnitude < 1)
    return g_strdup_printf ("%.1f ms", seconds * 1e3);

  return g_strdup_printf ("%.1f s", seconds);
}

static char *
double_to_text (double value, CtlValueStyle style)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  if (style == CTL_VALUE_EXACT || !isfinite (value))
    return ctl_text_from_double (value);
  if (style == CTL_VALUE_TIME)
    return ctl_value_from_seconds (value);

  return g_strdup (g_ascii_formatd (text, sizeof text, "%.3f", value));
}

gboolean
ctl_value_is_number (GVariant *value)
{
  switch (g_variant_classify (value))
    {
    case G_VARIANT_CLASS_BYTE:
    case G_VARIANT_CLASS_INT16:
    case G_VARIANT_CLASS_UINT16:
    case G_VARIANT_CLASS_INT32:
    case G_VARIANT_CLASS_UINT32:
    case G_VARIANT_CLASS_INT64:
    case G_VARIANT_CLASS_UINT64:
    case G_VARIANT_CLASS_DOUBLE:
      return TRUE;
    default:
      return FALSE;
    }
}

/* NULL is a value that is absent. */
char *
ctl_value_to_text (GVariant *value, CtlValueStyle style)
{
  CtlEscape escape = style == CTL_VALUE_EXACT ? CTL_ESCAPE_TSV : CTL_ESCAPE_CONTROLS;
  g_autofree char *text = NULL;

  if (value == NULL)
    return g_strdup (style == CTL_VALUE_EXACT ? "" : "-");
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_DOUBLE))
    return double_to_text (g_variant_get_double (value), style);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING) || g_variant_is_of_type (value, G_VARIANT_TYPE_OBJECT_PATH))
    return ctl_text_escape (g_variant_get_string (value, NULL), escape);

  text = g_variant_print (value, FALSE);

  return ctl_text_escape (text, escape);
}

guint64
ctl_value_get_id (GVariant *dictionary, const char *key)
{
  guint64 id = 0;

  g_variant_lookup (dictionary, key, "t", &id);

  return id;
}

double
ctl_value_get_double (GVariant *dictionary, const char *key)
{
  double value = 0;

  g_variant_lookup (dictionary, key, "d", &value);

  return value;
}

const char *
ctl_value_get_string (GVariant *dictionary, const char *key)
{
  const char *text = NULL;

  g_variant_lookup (dictionary, key, "&s", &text);

  return text;
}

gboolean
ctl_value_get_boolean (GVariant *dictionary, const char *key)
{
  gboolean value = FALSE;

  g_variant_lookup (dictionary, key, "b", &value);

  return value;
}
