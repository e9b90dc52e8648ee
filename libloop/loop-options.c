/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-options-private.h"

#include <math.h>

void
loop_options_set_int (gpointer self, int *member, int value, GParamSpec *pspec)
{
  if (*member == value)
    return;

  *member = value;
  g_object_notify_by_pspec (self, pspec);
}

void
loop_options_set_double (gpointer self, double *member, double value, GParamSpec *pspec)
{
  if (*member == value)
    return;

  *member = value;
  g_object_notify_by_pspec (self, pspec);
}

void
loop_options_get_property (GObject *object, gsize offset, GValue *value)
{
  gconstpointer member = G_STRUCT_MEMBER_P (object, offset);

  if (G_VALUE_HOLDS_INT (value))
    g_value_set_int (value, *(const int *) member);
  else if (G_VALUE_HOLDS_BOOLEAN (value))
    g_value_set_boolean (value, *(const gboolean *) member);
  else if (G_VALUE_HOLDS_DOUBLE (value))
    g_value_set_double (value, *(const double *) member);
  else
    g_value_set_object (value, *(const gpointer *) member);
}

void
loop_options_set_property (GObject *object, gsize offset, const GValue *value, GParamSpec *pspec)
{
  gpointer member = G_STRUCT_MEMBER_P (object, offset);

  /* The range of a property does not keep that out. */
  g_return_if_fail (!G_VALUE_HOLDS_DOUBLE (value) || !isnan (g_value_get_double (value)));

  if (G_VALUE_HOLDS_INT (value))
    loop_options_set_int (object, member, g_value_get_int (value), pspec);
  else if (G_VALUE_HOLDS_BOOLEAN (value))
    loop_options_set_boolean (object, member, g_value_get_boolean (value), pspec);
  else if (G_VALUE_HOLDS_DOUBLE (value))
    loop_options_set_double (object, member, g_value_get_double (value), pspec);
  else
    loop_options_set_object (object, (GObject **) member, g_value_get_object (value), pspec);
}
