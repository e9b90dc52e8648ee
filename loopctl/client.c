/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "client.h"

#include "error.h"

#include <glib-unix.h>
#include <glib/gi18n.h>

/*
 * Calls that look synchronous, each with a deadline. While they wait the main context runs: so an
 * interrupt comes through, and what a host prints too.
 */

static gboolean
set_flag (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;

  return G_SOURCE_CONTINUE;
}

static gboolean
set_readable (int fd, GIOCondition condition, gpointer user_data)
{
  return set_flag (user_data);
}

static void
add_result (GObject *object, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

void
ctl_client_wait (double seconds, GCancellable *interrupt)
{
  gboolean is_over = FALSE;
  guint source = g_timeout_add ((guint) (CLAMP (seconds, 0, 1e6) * 1000), set_flag, &is_over);

  while (!is_over && !g_cancellable_is_cancelled (interrupt))
    g_main_context_iteration (NULL, TRUE);

  g_source_remove (source);
}

/* Returns: FALSE if it was interrupted first */
gboolean
ctl_client_wait_readable (int fd, GCancellable *interrupt)
{
  gboolean is_readable = FALSE;
  guint source = g_unix_fd_add (fd, G_IO_IN | G_IO_HUP | G_IO_ERR | G_IO_NVAL, set_readable, &is_readable);

  while (!is_readable && !g_cancellable_is_cancelled (interrupt))
    g_main_context_iteration (NULL, TRUE);

  g_source_remove (source);

  return is_readable;
}

void
ctl_client_connect_async (const char *path, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autofree char *escaped = g_dbus_address_escape_value (path);
  g_autofree char *address = g_strdup_printf ("unix:path=%s", escaped);

  g_dbus_connection_new_for_address (address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, cancellable,
                                     callback, user_data);
}

GDBusConnection *
ctl_client_connect_finish (GAsyncResult *result, GError **error)
{
  GDBusConnection *connection = g_dbus_connection_new_for_address_finish (result, error);

  if (connection != NULL)
    g_dbus_connection_set_exit_on_close (connection, FALSE);

  return connection;
}

static void
set_interrupted (GError **error)
{
  g_set_error_literal (error, CTL_ERROR, CTL_EXIT_FAILED, _ ("Interrupted"));
}

GDBusConnection *
ctl_client_connect (const char *path, double timeout, GCancellable *interrupt, GError **error)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GDBusConnection) connection = NULL;
  g_autoptr (GError) local_error = NULL;
  gboolean is_late = FALSE;
  guint deadline = g_timeout_add ((guint) (timeout * 1000), set_flag, &is_late);

  ctl_client_connect_async (path, cancellable, add_result, &result);
  while (result == NULL)
    {
      g_main_context_iteration (NULL, TRUE);
      if (is_late || g_cancellable_is_cancelled (interrupt))
        g_cancellable_cancel (cancellable);
    }
  g_source_remove (deadline);

  connection = ctl_client_connect_finish (result, &local_error);
  if (connection != NULL)
    return g_steal_pointer (&connection);

  if (g_cancellable_is_cancelled (interrupt))
    set_interrupted (error);
  else if (is_late)
    g_set_error (error, CTL_ERROR, CTL_EXIT_CONNECTION, _ ("%s did not answer within %g s"), path, timeout);
  else
    g_set_error (error, CTL_ERROR, CTL_EXIT_CONNECTION, _ ("Cannot connect to %s: %s"), path, local_error->message);

  return NULL;
}

/* Returns: (transfer full): the reply; NULL with CTL_EXIT_CONNECTION if the other side is gone */
GVariant *
ctl_client_call (GDBusConnection *connection,
                 const char *object,
                 const char *interface,
                 const char *method,
                 GVariant *parameters,
                 const char *reply_type,
                 double timeout,
                 GCancellable *interrupt,
                 GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) local_error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GVariant *reply;

  g_dbus_connection_call (connection, NULL, object, interface, method, parameters, G_VARIANT_TYPE (reply_type),
                          G_DBUS_CALL_FLAGS_NONE, MAX ((int) (timeout * 1000), 1), cancellable, add_result, &result);
  while (result == NULL)
    {
      g_main_context_iteration (NULL, TRUE);
      if (g_cancellable_is_cancelled (interrupt))
        g_cancellable_cancel (cancellable);
    }

  reply = g_dbus_connection_call_finish (connection, result, &local_error);
  if (reply != NULL)
    return reply;

  if (g_cancellable_is_cancelled (interrupt))
    set_interrupted (error);
  else if (g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    g_set_error (error, CTL_ERROR, CTL_EXIT_FAILED, _ ("The target did not answer within %g s"), timeout);
  else if (g_dbus_connection_is_closed (connection) || g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    g_set_error (error, CTL_ERROR, CTL_EXIT_CONNECTION, _ ("The connection was lost"));
  else
    g_propagate_error (error, g_steal_pointer (&local_error));

  return NULL;
}
