/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "view.h"

#include "client.h"
#include "value.h"

/* What the server sends at most in one reply. */
#define PAGE 256

void
ctl_view_clear (CtlView *self)
{
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  g_clear_pointer (&self->next, g_free);
  g_clear_pointer (&self->state, g_variant_unref);
}

static gboolean
fetch_page (CtlView *self, CtlSession *session, const char *kind, CtlArguments *arguments, guint limit, GError **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) rows = NULL;
  g_autofree char *cursor = g_steal_pointer (&self->next);
  guint64 generation;
  guint64 handle;
  gsize n;

  g_clear_pointer (&self->state, g_variant_unref);
  reply = ctl_session_call (session, CTL_LOOP_INTERFACE, "List",
                            g_variant_new ("(s@a{sv}ssu)", kind, arguments->filter,
                                           arguments->sort != NULL ? arguments->sort : "", cursor, limit),
                            "(aa{sv}sta{sv})", error);
  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(@aa{sv}st@a{sv})", &rows, &self->next, &generation, &self->state);
  handle = ctl_value_get_id (self->state, "handle");
  self->has_changed |= self->generation != 0 && (self->generation != generation || self->handle != handle);
  self->generation = generation;
  self->handle = handle;
  n = g_variant_n_children (rows);
  for (gsize i = 0; i < n; i++)
    g_ptr_array_add (self->rows, g_variant_get_child_value (rows, i));

  return TRUE;
}

/* A page; more of them for --all, or for a limit that no page reaches. */
gboolean
ctl_view_fetch (CtlView *self, CtlSession *session, const char *kind, CtlArguments *arguments, GError **error)
{
  guint64 limit = arguments->is_all ? G_MAXUINT64 : arguments->limit > 0 ? arguments->limit : PAGE;
  guint64 loop_id = session->loop_id;
  gboolean is_ok;

  self->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  self->next = g_strdup (arguments->cursor != NULL ? arguments->cursor : "");

  do
    {
      is_ok = fetch_page (self, session, kind, arguments, (guint) MIN (limit - self->rows->len, (guint64) PAGE), error);
      /* All of it is of one loop, whatever the first of them is meanwhile. */
      if (is_ok && session->loop_id == 0)
        session->loop_id = ctl_value_get_id (self->state, "id");
    }
  while (is_ok && *self->next != '\0' && self->rows->len < limit);

  session->loop_id = loop_id;

  return is_ok;
}
