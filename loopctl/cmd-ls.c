/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "client.h"
#include "commands.h"
#include "directory.h"
#include "table.h"
#include "value.h"

#include <glib/gi18n.h>

/* ls: who can be inspected. All are asked at once, so that one that hangs holds up no other. */

static const char *const ls_columns[] = {
  "pid", "program", "loop", "state", "seconds", "handle", "name", "access", NULL
};

typedef struct
{
  guint *n_pending;
  int timeout_ms;
  GCancellable *cancellable;
  const CtlEndpoint *endpoint;
  GDBusConnection *connection;
  GVariant *properties;
  GVariant *loops; /* NULL: there was no answer */
} Probe;

static void
probe_free (gpointer data)
{
  Probe *self = data;

  if (self->connection != NULL)
    g_dbus_connection_close (self->connection, NULL, NULL, NULL);
  g_clear_object (&self->connection);
  g_clear_pointer (&self->properties, g_variant_unref);
  g_clear_pointer (&self->loops, g_variant_unref);
  g_free (self);
}

static GVariant *
finish (Probe *self, GAsyncResult *result)
{
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (self->connection, result, NULL);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

static void
got_loops (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Probe *self = user_data;

  self->loops = finish (self, result);
  (*self->n_pending)--;
}

static void
got_properties (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Probe *self = user_data;

  self->properties = finish (self, result);
  g_dbus_connection_call (self->connection, NULL, CTL_PROCESS_PATH, CTL_PROCESS_INTERFACE, "ListLoops", NULL,
                          G_VARIANT_TYPE ("(aa{sv})"), G_DBUS_CALL_FLAGS_NONE, self->timeout_ms, self->cancellable,
                          got_loops, self);
}

static void
connected (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Probe *self = user_data;

  self->connection = ctl_client_connect_finish (result, NULL);
  if (self->connection == NULL)
    {
      (*self->n_pending)--;
      return;
    }

  g_dbus_connection_call (self->connection, NULL, CTL_PROCESS_PATH, "org.freedesktop.DBus.Properties", "GetAll",
                          g_variant_new ("(s)", CTL_PROCESS_INTERFACE), G_VARIANT_TYPE ("(a{sv})"),
                          G_DBUS_CALL_FLAGS_NONE, self->timeout_ms, self->cancellable, got_properties, self);
}

static gboolean
set_late (gpointer user_data)
{
  g_cancellable_cancel (user_data);

  return G_SOURCE_CONTINUE;
}

/* Returns: (element-type Probe): what each endpoint answered in time */
static GPtrArray *
probe_all (CtlSession *session, GPtrArray *endpoints)
{
  GPtrArray *probes = g_ptr_array_new_with_free_func (probe_free);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  guint n_pending = endpoints->len;
  guint deadline = g_timeout_add ((guint) (session->timeout * 1000), set_late, cancellable);

  for (guint i = 0; i < endpoints->len; i++)
    {
      Probe *probe = g_new0 (Probe, 1);

      probe->n_pending = &n_pending;
      probe->timeout_ms = MAX ((int) (session->timeout * 1000), 1);
      probe->cancellable = cancellable;
      probe->endpoint = g_ptr_array_index (endpoints, i);
      g_ptr_array_add (probes, probe);
      ctl_client_connect_async (probe->endpoint->path, cancellable, connected, probe);
    }

  while (n_pending > 0)
    {
      g_main_context_iteration (NULL, TRUE);
      if (g_cancellable_is_cancelled (session->interrupt))
        g_cancellable_cancel (cancellable);
    }
  g_source_remove (deadline);

  return probes;
}

static void
add (GVariantBuilder *row, const char *key, GVariant *value)
{
  g_variant_builder_add (row, "{sv}", key, value);
}

static void
add_property (Probe *self, GVariantBuilder *row, const char *key, const char *property)
{
  const char *text = self->properties != NULL ? ctl_value_get_string (self->properties, property) : NULL;

  /* That much is known of who does not answer. */
  if (text == NULL && g_str_equal (key, "program"))
    text = self->endpoint->program;
  if (text != NULL)
    add (row, key, g_variant_new_string (text));
}

static void
add_process (Probe *self, GVariantBuilder *row)
{
  guint32 pid = self->endpoint->pid;

  if (self->properties != NULL)
    g_variant_lookup (self->properties, "Pid", "u", &pid);

  add (row, "pid", g_variant_new_uint32 (pid));
  add_property (self, row, "program", "Program");
  add_property (self, row, "access", "Access");
}

static GVariant *
probe_to_variant (Probe *self)
{
  GVariantBuilder row;

  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  add_process (self, &row);
  add_property (self, &row, "version", "Version");
  add (&row, "socket", g_variant_new_take_string (g_filename_display_name (self->endpoint->path)));
  add (&row, "answers", g_variant_new_boolean (self->loops != NULL));
  add (&row, "loops", self->loops != NULL ? self->loops : g_variant_new_array (G_VARIANT_TYPE_VARDICT, NULL, 0));

  return g_variant_builder_end (&row);
}

/* The columns of a process, and of one of its loops if it has any. */
static GVariant *
make_row (Probe *self, GVariant *loop)
{
  static const char *const keys[] = { "state", "seconds", "handle", "name" };
  GVariantBuilder row;

  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  add_process (self, &row);
  if (self->loops == NULL)
    add (&row, "state", g_variant_new_string ("no answer"));
  if (loop == NULL)
    return g_variant_builder_end (&row);

  add (&row, "loop", g_variant_new_uint64 (ctl_value_get_id (loop, "id")));
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autoptr (GVariant) value = g_variant_lookup_value (loop, keys[i], NULL);

      if (value != NULL)
        add (&row, keys[i], value);
    }

  return g_variant_builder_end (&row);
}

static void
add_rows (Probe *self, CtlTable *table)
{
  gsize n = self->loops != NULL ? g_variant_n_children (self->loops) : 0;

  if (n == 0)
    ctl_table_add (table, make_row (self, NULL));

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) loop = g_variant_get_child_value (self->loops, i);

      ctl_table_add (table, make_row (self, loop));
    }
}

static void
print_json (CtlSession *session, GPtrArray *probes)
{
  GVariantBuilder rows;

  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < probes->len; i++)
    g_variant_builder_add_value (&rows, probe_to_variant (g_ptr_array_index (probes, i)));

  ctl_output_json (session->output, ctl_reply_new (NULL, "rows", g_variant_builder_end (&rows)));
}

gboolean
ctl_run_ls (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autoptr (GPtrArray) endpoints = ctl_directory_scan (error);
  g_autoptr (GPtrArray) probes = NULL;
  g_autoptr (CtlTable) table = ctl_table_new (ls_columns);

  if (endpoints == NULL)
    return FALSE;

  probes = probe_all (session, endpoints);
  if (ctl_output_is_json (session->output))
    {
      print_json (session, probes);
      return TRUE;
    }

  for (guint i = 0; i < probes->len; i++)
    add_rows (g_ptr_array_index (probes, i), table);

  if (probes->len > 0 || ctl_output_is_tsv (session->output))
    ctl_table_print (table, session->output);
  if (probes->len == 0)
    ctl_output_notice (session->output, CTL_STYLE_NONE, "%s",
                       _ ("There is no process to inspect. Start one with LOOP_INSPECT=1, or run “loopctl host”."));

  return TRUE;
}
