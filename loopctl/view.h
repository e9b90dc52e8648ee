/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "arguments.h"
#include "session.h"

G_BEGIN_DECLS

/* Rows of what List has to show. */
typedef struct
{
  GPtrArray *rows; /* of GVariant */
  char *next;
  GVariant *state; /* with the last page */
  guint64 generation;
  guint64 handle;       /* that ran then, or 0 */
  gboolean has_changed; /* the loop went on between two pages */
} CtlView;

gboolean ctl_view_fetch (CtlView *self, CtlSession *session, const char *kind, CtlArguments *arguments, GError **error);
void ctl_view_clear (CtlView *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CtlView, ctl_view_clear)

G_END_DECLS
