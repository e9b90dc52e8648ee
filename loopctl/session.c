/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "session.h"

#include "client.h"
#include "directory.h"
#include "error.h"
#include "text.h"
#include "value.h"

#include <glib/gi18n.h>
#include <inttypes.h>

CtlSession *
ctl_session_new (const char *target, double timeout, CtlOutput *output)
{
  CtlSession *self = g_new0 (CtlSession, 1);

  self->target = g_strdup (target);
  self->timeout = timeout;
  self->output = output;
  self->interrupt = g_cancellable_new ();

  return self;
}

static void connection_closed (GDBusConnection *connection, gboolean vanished, GError *error, gpointer user_data);

static void
drop_connection (CtlSession *self)
{
  if (self->connection == NULL)
    return;

  g_signal_handlers_disconnect_by_func (self->connection, connection_closed, self);
  g_dbus_connection_close (self->connection, NULL, NULL, NULL);
  g_clear_object (&self->connection);
}

void
ctl_session_free (CtlSession *self)
{
  drop_connection (self);
  g_clear_object (&self->interrupt);
  g_free (self->target);
  g_free (self->path);
  g_free (self->program);
  g_free (self->version);
  g_free (self->access);
  g_free (self);
}

/* Returns: the process as prompts and messages name it: program[pid] */
char *
ctl_session_describe (CtlSession *self)
{
  g_autofree char *text = NULL;

  if (self->program == NULL)
    return g_strdup (self->target != NULL ? self->target : "loopctl");

  text = g_strdup_printf ("%s[%u]", self->program, self->pid);

  return ctl_text_escape (text, CTL_ESCAPE_CONTROLS);
}

/* Tells something that no command asked for. */
void
ctl_session_announce (CtlSession *self, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  if (self->announce == NULL)
    return;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  self->announce (text, self->announce_data);
}

static void
connection_closed (GDBusConnection *connection, gboolean vanished, GError *error, gpointer user_data)
{
  CtlSession *self = user_data;
  g_autofree char *name = ctl_session_describe (self);

  drop_connection (self);
  ctl_session_announce (self, _ ("%s has gone; the next command tries again"), name);
}

static gboolean
read_properties (CtlSession *self, GError **error)
{
  g_autoptr (GVariant) properties = NULL;
  g_autoptr (GVariant) reply =
      ctl_client_call (self->connection, CTL_PROCESS_PATH, "org.freedesktop.DBus.Properties", "GetAll",
                       g_variant_new ("(s)", CTL_PROCESS_INTERFACE), "(a{sv})", self->timeout, self->interrupt, error);

  if (reply == NULL)
    return FALSE;

  properties = g_variant_get_child_value (reply, 0);
  g_free (self->program);
  g_free (self->version);
  g_free (self->access);
  self->program = g_strdup (ctl_value_get_string (properties, "Program"));
  self->version = g_strdup (ctl_value_get_string (properties, "Version"));
  self->access = g_strdup (ctl_value_get_string (properties, "Access"));
  g_variant_lookup (properties, "Pid", "u", &self->pid);

  return TRUE;
}

/* Sees to it that there is a connection; the target is looked up anew for each. */
gboolean
ctl_session_connect (CtlSession *self, GError **error)
{
  gboolean was_connected = self->program != NULL;

  if (self->connection != NULL && !g_dbus_connection_is_closed (self->connection))
    return TRUE;

  drop_connection (self);
  g_free (self->path);
  self->path = ctl_directory_resolve (self->target, error);
  if (self->path == NULL)
    return FALSE;

  self->connection = ctl_client_connect (self->path, self->timeout, self->interrupt, error);
  if (self->connection == NULL)
    return FALSE;

  if (!read_properties (self, error))
    {
      drop_connection (self);
      return FALSE;
    }

  g_signal_connect (self->connection, "closed", G_CALLBACK (connection_closed), self);
  if (was_connected)
    {
      g_autofree char *name = ctl_session_describe (self);

      ctl_session_announce (self, _ ("Connected to %s"), name);
    }

  return TRUE;
}

/* Returns: (transfer full): the states of all loops, aa{sv} */
GVariant *
ctl_session_list_loops (CtlSession *self, GError **error)
{
  g_autoptr (GVariant) reply = NULL;

  if (!ctl_session_connect (self, error))
    return NULL;

  reply = ctl_client_call (self->connection, CTL_PROCESS_PATH, CTL_PROCESS_INTERFACE, "ListLoops", NULL, "(aa{sv})",
                           self->timeout, self->interrupt, error);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

static char *
choose_loop (CtlSession *self, GError **error)
{
  g_autoptr (GVariant) loops = NULL;
  g_autoptr (GVariant) first = NULL;
  guint64 id;

  if (self->loop_id != 0)
    return g_strdup_printf (CTL_LOOP_PATH "/%" G_GUINT64_FORMAT, self->loop_id);

  loops = ctl_session_list_loops (self, error);
  if (loops == NULL)
    return NULL;

  if (g_variant_n_children (loops) == 0)
    {
      g_autofree char *name = ctl_session_describe (self);

      g_set_error (error, CTL_ERROR, CTL_EXIT_FAILED, _ ("%s has no loop"), name);
      return NULL;
    }

  first = g_variant_get_child_value (loops, 0);
  id = ctl_value_get_id (first, "id");
  if (g_variant_n_children (loops) > 1)
    ctl_output_notice (self->output, CTL_STYLE_NONE,
                       _ ("There are %u loops; this is loop %" PRIu64 ". Choose another with --loop=ID."),
                       (guint) g_variant_n_children (loops), id);

  return g_strdup_printf (CTL_LOOP_PATH "/%" G_GUINT64_FORMAT, id);
}

/* Says what an error of D-Bus itself means here. */
static void
explain (CtlSession *self, const char *interface, GError **error)
{
  if (error == NULL || *error == NULL)
    return;

  if (g_str_equal (interface, CTL_HOST_INTERFACE) &&
      (g_error_matches (*error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD) ||
       g_error_matches (*error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_INTERFACE)))
    {
      g_autofree char *name = ctl_session_describe (self);

      g_clear_error (error);
      g_set_error (error, CTL_ERROR, CTL_EXIT_FAILED, _ ("%s is no “loopctl host”: it takes no such command"), name);
    }
  else if (g_error_matches (*error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD) ||
           g_error_matches (*error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT) ||
           g_error_matches (*error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_INTERFACE))
    {
      g_autofree char *message = ctl_error_get_message (*error);

      g_clear_error (error);
      if (self->loop_id != 0)
        g_set_error (error, CTL_ERROR, CTL_EXIT_FAILED, _ ("There is no loop %" PRIu64), self->loop_id);
      else
        g_set_error (error, CTL_ERROR, CTL_EXIT_FAILED, _ ("libloop %s, which the target uses, cannot do this: %s"),
                     self->version, message);
    }
}

/* Calls a method of the chosen loop. Takes @parameters if they are floating. */
GVariant *
ctl_session_call (CtlSession *self,
                  const char *interface,
                  const char *method,
                  GVariant *parameters,
                  const char *reply_type,
                  GError **error)
{
  g_autoptr (GVariant) owned = parameters != NULL ? g_variant_ref_sink (parameters) : NULL;
  g_autoptr (GError) local_error = NULL;
  g_autofree char *path = NULL;
  GVariant *reply;

  if (!ctl_session_connect (self, error))
    return NULL;

  path = choose_loop (self, error);
  if (path == NULL)
    return NULL;

  reply = ctl_client_call (self->connection, path, interface, method, owned, reply_type, self->timeout, self->interrupt,
                           &local_error);
  if (reply == NULL)
    {
      explain (self, interface, &local_error);
      g_propagate_error (error, g_steal_pointer (&local_error));
    }

  return reply;
}
