/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

/*
 * What classes of options do alike. Their properties are members of the instance: of type int, gboolean or double, or
 * objects. A setter tells who listens of what has changed, and of nothing else.
 */
G_GNUC_INTERNAL
void loop_options_set_int (gpointer self, int *member, int value, GParamSpec *pspec);
G_GNUC_INTERNAL
void loop_options_set_double (gpointer self, double *member, double value, GParamSpec *pspec);
#define loop_options_set_boolean(self, member, value, pspec) loop_options_set_int (self, member, !!(value), pspec)
#define loop_options_set_object(self, member, value, pspec)                                                            \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    if (g_set_object (member, value))                                                                                  \
      g_object_notify_by_pspec (G_OBJECT (self), pspec);                                                               \
  }                                                                                                                    \
  G_STMT_END

/* For a class all of whose properties are such members, at @offset in the instance. */
G_GNUC_INTERNAL
void loop_options_get_property (GObject *object, gsize offset, GValue *value);
G_GNUC_INTERNAL
void loop_options_set_property (GObject *object, gsize offset, const GValue *value, GParamSpec *pspec);

G_END_DECLS
