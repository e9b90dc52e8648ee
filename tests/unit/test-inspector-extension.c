/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"
#include "tsan-gio.h"

#include "loop-event-loop-private.h"
#include "loop-inspector-private.h"

#include <glib/gstdio.h>

/* An interface that a program adds to its inspector. */

static const char introspection_xml[] = "<node>"
                                        "  <interface name='org.example.Test1'>"
                                        "    <method name='Meet'>"
                                        "      <arg name='id' type='t' direction='out'/>"
                                        "    </method>"
                                        "  </interface>"
                                        "</node>";

typedef struct
{
  char *runtime_dir;
  GDBusNodeInfo *info;
  LoopInspector *inspector;
  GDBusConnection *connection;
  GAsyncQueue *called;    /* the method has been called ... */
  GAsyncQueue *may_leave; /* ... and waits */
} Fixture;

static void
meet (guint64 loop_id, GDBusMethodInvocation *invocation, gpointer user_data)
{
  Fixture *f = user_data;

  g_async_queue_push (f->called, f);
  g_async_queue_pop (f->may_leave);
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(t)", loop_id));
}

static void
fixture_init (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *address = NULL;

  self->runtime_dir = g_dir_make_tmp ("loop-inspector-XXXXXX", NULL);
  g_setenv ("XDG_RUNTIME_DIR", self->runtime_dir, TRUE);
  self->called = g_async_queue_new ();
  self->may_leave = g_async_queue_new ();
  self->info = g_dbus_node_info_new_for_xml (introspection_xml, NULL);
  self->inspector = loop_inspector_start (LOOP_INSPECTOR_ACCESS_CONTROL, &error);
  g_assert_no_error (error);
  loop_inspector_add_interface (self->inspector, self->info->interfaces[0], meet, self, NULL);

  address = g_strdup_printf ("unix:path=%s", loop_inspector_get_path (self->inspector));
  self->connection = g_dbus_connection_new_for_address_sync (address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT,
                                                             NULL, NULL, &error);
  g_assert_no_error (error);
  g_dbus_connection_set_exit_on_close (self->connection, FALSE);
}

static void
fixture_clear (Fixture *self)
{
  g_autofree char *folder = g_build_filename (self->runtime_dir, "libloop", NULL);

  loop_inspector_stop (self->inspector);
  g_object_unref (self->inspector);
  g_object_unref (self->connection);
  g_dbus_node_info_unref (self->info);
  g_async_queue_unref (self->called);
  g_async_queue_unref (self->may_leave);
  ck_assert_int_eq (g_rmdir (folder), 0);
  ck_assert_int_eq (g_rmdir (self->runtime_dir), 0);
  g_free (self->runtime_dir);
}

static void
answered (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static void
call_meet (Fixture *self, guint64 loop_id, GAsyncResult **result)
{
  g_autofree char *path = g_strdup_printf (LOOP_INSPECTOR_LOOPS_PATH "/%" G_GUINT64_FORMAT, loop_id);

  g_dbus_connection_call (self->connection, NULL, path, "org.example.Test1", "Meet", NULL, NULL, G_DBUS_CALL_FLAGS_NONE,
                          10000, NULL, answered, result);
}

static GVariant *
get_answer (Fixture *self, GAsyncResult **result, GError **error)
{
  g_autoptr (GAsyncResult) taken = NULL;

  while (*result == NULL)
    g_main_context_iteration (NULL, TRUE);
  taken = g_steal_pointer (result);

  return g_dbus_connection_call_finish (self->connection, taken, error);
}

static void
note_thread (gpointer data)
{
  *(GThread **) data = g_thread_self ();
}

static void
never (gpointer data)
{
  ck_abort_msg ("a callback of a loop that does not run was called");
}

/* The loop is its owner's: who drops the last reference has closed it then, whatever the inspector is doing. */
START_TEST (test_loop_goes_meanwhile)
{
  LoopEventLoop *loop = loop_event_loop_new ();
  guint64 id = loop->id;
  gpointer weak = loop;
  GThread *closed_in = NULL;
  g_autoptr (GVariant) answer = NULL;
  GAsyncResult *result = NULL;
  guint64 answered_id = 0;
  Fixture f;

  fixture_init (&f);
  g_object_add_weak_pointer (G_OBJECT (loop), &weak);
  loop_event_loop_call_soon (loop, never, &closed_in, note_thread);
  call_meet (&f, id, &result);
  g_async_queue_pop (f.called);

  g_object_unref (loop);
  ck_assert_ptr_null (weak);
  ck_assert_ptr_eq (closed_in, g_thread_self ());

  g_async_queue_push (f.may_leave, &f);
  answer = get_answer (&f, &result, NULL);
  ck_assert_ptr_nonnull (answer);
  g_variant_get (answer, "(t)", &answered_id);
  ck_assert_uint_eq (answered_id, id);
  fixture_clear (&f);
}
END_TEST

START_TEST (test_no_such_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  const guint64 ids[] = { loop->id, loop->id + 1000 };
  Fixture f;

  fixture_init (&f);
  ck_assert (loop_event_loop_close (loop));

  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *name = NULL;
      GAsyncResult *result = NULL;

      call_meet (&f, ids[i], &result);
      ck_assert_ptr_null (get_answer (&f, &result, &error));
      name = g_dbus_error_get_remote_error (error);
      ck_assert_str_eq (name, "org.libloop.Error.NotFound");
    }
  fixture_clear (&f);
}
END_TEST

LOOP_TEST_MAIN ("inspector-extension", test_loop_goes_meanwhile, test_no_such_loop)
