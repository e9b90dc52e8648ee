/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"
#include "tsan-gio.h"

#include "loop-event-loop-private.h"
#include "loop-inspector-private.h"

#include <glib/gstdio.h>

/* That an inspector which stops leaves nothing behind, whoever is connected and whatever waits. */

static char *runtime_dir;

static LoopInspector *
start (void)
{
  g_autoptr (GError) error = NULL;
  LoopInspector *inspector;

  runtime_dir = g_dir_make_tmp ("loop-inspector-XXXXXX", NULL);
  g_setenv ("XDG_RUNTIME_DIR", runtime_dir, TRUE);
  inspector = loop_inspector_start (LOOP_INSPECTOR_ACCESS_CONTROL, &error);
  g_assert_no_error (error);

  return inspector;
}

/* Stops it, and waits until the last reference is gone. */
static void
finish (LoopInspector *inspector)
{
  g_autofree char *folder = g_build_filename (runtime_dir, "libloop", NULL);
  gpointer weak = inspector;

  loop_inspector_stop (inspector);
  g_object_add_weak_pointer (G_OBJECT (inspector), &weak);
  g_object_unref (inspector);
  ck_assert_ptr_null (weak);
  ck_assert_int_eq (g_rmdir (folder), 0);
  ck_assert_int_eq (g_rmdir (runtime_dir), 0);
  g_free (runtime_dir);
}

static GDBusConnection *
connect_to (LoopInspector *inspector)
{
  g_autofree char *address = g_strdup_printf ("unix:path=%s", loop_inspector_get_path (inspector));
  g_autoptr (GError) error = NULL;
  GDBusConnection *connection = g_dbus_connection_new_for_address_sync (
      address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &error);

  g_assert_no_error (error);
  g_dbus_connection_set_exit_on_close (connection, FALSE);

  return connection;
}

static void
answered (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, (GError **) user_data);

  ck_assert_ptr_null (reply);
}

START_TEST (test_nobody)
{
  for (int i = 0; i < 20; i++)
    finish (start ());
}
END_TEST

START_TEST (test_actions_wait)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopInspector *inspector = start ();
  g_autoptr (GDBusConnection) connection = connect_to (inspector);
  g_autofree char *path = g_strdup_printf (LOOP_INSPECTOR_LOOPS_PATH "/%" G_GUINT64_FORMAT, loop->id);
  GError *errors[3] = { NULL };

  for (int i = 0; i < 3; i++)
    g_dbus_connection_call (connection, NULL, path, "org.libloop.Control1", "SetDebug", g_variant_new ("(b)", TRUE),
                            NULL, G_DBUS_CALL_FLAGS_NONE, 5000, NULL, answered, &errors[i]);
  g_dbus_connection_flush_sync (connection, NULL, NULL);
  g_usleep (200 * 1000);

  /* The loop, which nobody runs, has them until it is closed. */
  loop_inspector_stop (inspector);
  ck_assert (loop_event_loop_close (loop));
  finish (inspector);

  for (int i = 0; i < 3; i++)
    {
      while (errors[i] == NULL)
        g_main_context_iteration (NULL, TRUE);
    }
  for (int i = 0; i < 3; i++)
    g_clear_error (&errors[i]);
}
END_TEST

LOOP_TEST_MAIN ("inspector-stop", test_nobody, test_actions_wait)
