/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "client.h"
#include "commands.h"
#include "table.h"
#include "value.h"

#include <glib/gi18n.h>

/* handles, timers, watches, transports, servers and futures: what List has to show. */

/* What the server sends at most in one reply. */
#define PAGE 256

const char *const ctl_columns_handles[] = { "id", "kind", "state", "seconds", "name", NULL };
const char *const ctl_columns_timers[] = { "id", "when", "in", "name", NULL };
const char *const ctl_columns_watches[] = { "id", "fd", "events", "kind", "name", NULL };
const char *const ctl_columns_transports[] = { "id",       "kind", "state",    "fd",      "peer", "protocol",
                                               "received", "sent", "buffered", "reading", NULL };
const char *const ctl_columns_servers[] = { "id", "state", "address", "clients", "accepted", NULL };
const char *const ctl_columns_futures[] = { "id", "state", "name", NULL };

typedef struct
{
  GPtrArray *rows;
  char *next;
  GVariant *state; /* with the last page */
} View;

static void
view_clear (View *self)
{
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  g_clear_pointer (&self->next, g_free);
  g_clear_pointer (&self->state, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (View, view_clear)

static gboolean
fetch_page (View *self, CtlSession *session, const char *kind, CtlArguments *arguments, guint limit, GError **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) rows = NULL;
  g_autofree char *cursor = g_steal_pointer (&self->next);
  gsize n;

  g_clear_pointer (&self->state, g_variant_unref);
  reply = ctl_session_call (session, CTL_LOOP_INTERFACE, "List",
                            g_variant_new ("(s@a{sv}ssu)", kind, arguments->filter,
                                           arguments->sort != NULL ? arguments->sort : "", cursor, limit),
                            "(aa{sv}sta{sv})", error);
  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(@aa{sv}st@a{sv})", &rows, &self->next, NULL, &self->state);
  n = g_variant_n_children (rows);
  for (gsize i = 0; i < n; i++)
    g_ptr_array_add (self->rows, g_variant_get_child_value (rows, i));

  return TRUE;
}

/* A page; more of them for --all, or for a limit that no page reaches. */
static gboolean
fetch (View *self, CtlSession *session, const char *kind, CtlArguments *arguments, GError **error)
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

static GVariant *
rows_to_variant (View *self)
{
  return g_variant_new_array (G_VARIANT_TYPE_VARDICT, (GVariant *const *) self->rows->pdata, self->rows->len);
}

/* The handle that runs gets a column of its own for how long it has: the state knows. */
static void
add_row (View *self, CtlTable *table, GVariant *row)
{
  GVariantDict dict;

  if (ctl_value_get_id (self->state, "handle") == 0 ||
      ctl_value_get_id (self->state, "handle") != ctl_value_get_id (row, "id") ||
      g_strcmp0 (ctl_value_get_string (row, "state"), "running") != 0)
    {
      ctl_table_add (table, row);
      return;
    }

  g_variant_dict_init (&dict, row);
  g_variant_dict_insert (&dict, "seconds", "d", ctl_value_get_double (self->state, "seconds"));
  ctl_table_add (table, g_variant_dict_end (&dict));
}

static void
print_view (View *self, CtlSession *session, const CtlCommand *command)
{
  g_autoptr (CtlTable) table = ctl_table_new (command->columns);
  CtlOutput *output = session->output;

  ctl_session_show_state (session, self->state);
  for (guint i = 0; i < self->rows->len; i++)
    add_row (self, table, g_ptr_array_index (self->rows, i));

  if (self->rows->len == 0 && !ctl_output_is_tsv (output))
    ctl_output_printf (output, "%s\n", _ ("none"));
  else
    ctl_table_print (table, output);

  if (*self->next != '\0')
    ctl_output_notice (output, CTL_STYLE_NONE,
                       g_dngettext (GETTEXT_PACKAGE, "%u row; there are more: see them with --all, or --cursor=%s",
                                    "%u rows; there are more: see them with --all, or --cursor=%s", self->rows->len),
                       self->rows->len, self->next);
}

gboolean
ctl_run_view (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_auto (View) view = { NULL };
  GVariantBuilder reply;

  if (!fetch (&view, session, command->name, arguments, error))
    return FALSE;

  if (!ctl_output_is_json (session->output))
    {
      print_view (&view, session, command);
      return TRUE;
    }

  g_variant_builder_init (&reply, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&reply, "{sv}", "loop", view.state);
  g_variant_builder_add (&reply, "{sv}", "rows", rows_to_variant (&view));
  g_variant_builder_add (&reply, "{sv}", "next", g_variant_new_string (view.next));
  ctl_output_json (session->output, g_variant_builder_end (&reply));

  return TRUE;
}
