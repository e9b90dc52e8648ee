/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "commands.h"
#include "table.h"
#include "value.h"
#include "view.h"

#include <glib/gi18n.h>

/* handles, timers and so on: what List has to show. */

const char *const ctl_columns_handles[] = { "id", "kind", "state", "seconds", "name", "created", "age", NULL };
const char *const ctl_columns_timers[] = { "id", "when", "in", "name", "created", "age", NULL };
const char *const ctl_columns_watches[] = { "id", "fd", "events", "kind", "name", "created", "age", NULL };
const char *const ctl_columns_transports[] = { "id",   "kind",     "state",     "paused",     "peer",    "received",
                                               "sent", "buffered", "owner",     "protocol",   "local",   "age",
                                               "fd",   "reading",  "low_water", "high_water", "created", NULL };
const char *const ctl_columns_servers[] = { "id",      "state",   "address", "clients", "accepted",
                                            "waiting", "backlog", "age",     "created", NULL };
const char *const ctl_columns_futures[] = { "id",           "state",     "name",    "callbacks", "waiters", "waiter",
                                            "cancelled_by", "canceller", "created", "age",       NULL };
const char *const ctl_columns_tasks[] = { "id",         "state",   "seconds", "name",       "coroutine",    "awaits",
                                          "awaited",    "where",   "chain",   "cancelling", "cancelled_by", "canceller",
                                          "stack_used", "created", "age",     NULL };
const char *const ctl_columns_fibers[] = { "id", "state", "name", "function", "stack_used", "stack_size", NULL };
const char *const ctl_columns_executors[] = { "id",   "kind",   "name",      "max_workers", "workers",
                                              "idle", "queued", "submitted", "done",        NULL };
const char *const ctl_columns_workers[] = { "id", "executor", "pid", "state", "job", "seconds", NULL };
const char *const ctl_columns_jobs[] = { "id", "state", "executor", "awaited", "function", "created", "age", NULL };
const char *const ctl_columns_lookups[] = {
  "id", "kind", "state", "awaited", "host", "service", "age", "created", NULL
};
const char *const ctl_columns_subprocesses[] = { "id",     "pid",    "state", "returncode", "program", "stdin",
                                                 "stdout", "stderr", "age",   "created",    NULL };
const char *const ctl_columns_signals[] = { "id", "signal", "number", "pending", "caught", "callback", NULL };

static GVariant *
rows_to_variant (CtlView *self)
{
  return g_variant_new_array (G_VARIANT_TYPE_VARDICT, (GVariant *const *) self->rows->pdata, self->rows->len);
}

/* For how long the one handle or task that runs has, only the state knows. */
static GVariant *
add_seconds (CtlView *self, const CtlCommand *command, GVariant *row)
{
  GVariantDict dict;

  if (self->has_changed || self->handle == 0 || !g_strv_contains (command->columns, "seconds") ||
      g_strcmp0 (ctl_value_get_string (row, "state"), "running") != 0)
    return row;

  g_variant_dict_init (&dict, row);
  g_variant_dict_insert (&dict, "seconds", "d", ctl_value_get_double (self->state, "seconds"));

  return g_variant_dict_end (&dict);
}

static void
print_view (CtlView *self, CtlSession *session, const CtlCommand *command)
{
  g_autoptr (CtlTable) table = ctl_table_new (command->columns);
  CtlOutput *output = session->output;

  ctl_session_show_state (session, self->state);
  for (guint i = 0; i < self->rows->len; i++)
    ctl_table_add (table, add_seconds (self, command, g_ptr_array_index (self->rows, i)));

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
  g_auto (CtlView) view = { NULL };
  GVariantBuilder reply;

  if (!ctl_view_fetch (&view, session, command->name, arguments, error))
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
