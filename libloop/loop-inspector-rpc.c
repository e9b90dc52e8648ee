/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-interpreter-private.h"
#include "loop-inspector-private.h"

#include <string.h>
#include <unistd.h>

/* The D-Bus objects of the inspector: docs/rpc.md describes them. */

static const char introspection_xml[] =
    "<node>"
    "  <interface name='org.libloop.Process1'>"
    "    <method name='ListLoops'><arg name='loops' type='aa{sv}' direction='out'/></method>"
    "    <property name='Version' type='s' access='read'/>"
    "    <property name='Program' type='s' access='read'/>"
    "    <property name='Pid' type='u' access='read'/>"
    "    <property name='Access' type='s' access='read'/>"
    "  </interface>"
    "  <interface name='org.libloop.Loop1'>"
    "    <method name='GetState'><arg name='state' type='a{sv}' direction='out'/></method>"
    "    <method name='List'>"
    "      <arg name='kind' type='s' direction='in'/>"
    "      <arg name='filter' type='a{sv}' direction='in'/>"
    "      <arg name='sort' type='s' direction='in'/>"
    "      <arg name='cursor' type='s' direction='in'/>"
    "      <arg name='limit' type='u' direction='in'/>"
    "      <arg name='rows' type='aa{sv}' direction='out'/>"
    "      <arg name='next' type='s' direction='out'/>"
    "      <arg name='generation' type='t' direction='out'/>"
    "      <arg name='state' type='a{sv}' direction='out'/>"
    "    </method>"
    "    <method name='GetStack'>"
    "      <arg name='stack' type='aa{sv}' direction='out'/>"
    "      <arg name='state' type='a{sv}' direction='out'/>"
    "    </method>"
    "    <method name='GetMetrics'>"
    "      <arg name='metrics' type='a{sv}' direction='out'/>"
    "      <arg name='state' type='a{sv}' direction='out'/>"
    "    </method>"
    "  </interface>"
    "  <interface name='org.libloop.Control1'>"
#define CONTROL_METHOD(name, in)                                                                                       \
  "    <method name='" name "'>" in "<arg name='outcome' type='s' direction='out'/>"                                   \
  "<arg name='state' type='a{sv}' direction='out'/></method>"
#define ID_ARGUMENT "<arg name='id' type='t' direction='in'/>"
#define ID_METHOD(name) CONTROL_METHOD (name, ID_ARGUMENT)
    /* clang-format off */
    ID_METHOD ("Cancel")
    CONTROL_METHOD ("CancelWithMessage", ID_ARGUMENT "<arg name='message' type='s' direction='in'/>")
    ID_METHOD ("Close")
    ID_METHOD ("CloseServer")
    ID_METHOD ("StartServer")
    ID_METHOD ("CloseClients")
    ID_METHOD ("AbortClients")
    ID_METHOD ("CloseTransport")
    ID_METHOD ("AbortTransport")
    ID_METHOD ("PauseReading")
    ID_METHOD ("ResumeReading")
    ID_METHOD ("TerminateSubprocess")
    ID_METHOD ("KillSubprocess")
    CONTROL_METHOD ("SignalSubprocess", ID_ARGUMENT "<arg name='signum' type='i' direction='in'/>")
    CONTROL_METHOD ("SetDebug", "<arg name='enabled' type='b' direction='in'/>")
    CONTROL_METHOD ("SetSlowCallbackDuration", "<arg name='seconds' type='d' direction='in'/>")
    CONTROL_METHOD ("Stop", "")
    /* clang-format on */
    "  </interface>"
    /* What a bus would answer, for clients that take their peer for one. */
    "  <interface name='org.freedesktop.DBus'>"
    "    <method name='Hello'><arg name='name' type='s' direction='out'/></method>"
    "  </interface>"
    "</node>";

static GDBusNodeInfo *
get_node_info (void)
{
  static GDBusNodeInfo *info;

  if (g_once_init_enter (&info))
    {
      g_autoptr (GError) error = NULL;
      GDBusNodeInfo *parsed = g_dbus_node_info_new_for_xml (introspection_xml, &error);

      g_assert_no_error (error);
      g_once_init_leave (&info, parsed);
    }

  return info;
}

static GDBusInterfaceInfo *
get_interface (const char *name)
{
  return g_dbus_node_info_lookup_interface (get_node_info (), name);
}

/* Names of D-Bus errors; registered on first use. */
static void
register_errors (void)
{
  static gsize registered;
  static const GDBusErrorEntry entries[] = {
    { LOOP_INSPECTOR_ERROR_NOT_FOUND, "org.libloop.Error.NotFound" },
    { LOOP_INSPECTOR_ERROR_INVALID_ARGUMENT, "org.libloop.Error.InvalidArgument" },
    { LOOP_INSPECTOR_ERROR_ACCESS_DENIED, "org.libloop.Error.AccessDenied" },
    { LOOP_INSPECTOR_ERROR_CLOSED, "org.libloop.Error.Closed" },
    { LOOP_INSPECTOR_ERROR_BUSY, "org.libloop.Error.Busy" },
    { LOOP_INSPECTOR_ERROR_FAILED, "org.libloop.Error.Failed" },
  };

  if (g_once_init_enter (&registered))
    {
      for (guint i = 0; i < G_N_ELEMENTS (entries); i++)
        g_dbus_error_register_error (LOOP_INSPECTOR_ERROR, entries[i].error_code, entries[i].dbus_error_name);
      g_once_init_leave (&registered, 1);
    }
}

typedef struct
{
  guint64 id;
  LoopInspectorHoldFunc function;
  gpointer user_data;
  gboolean is_found;
  gboolean is_held;
} HoldRequest;

static void
hold_and_call (LoopEventLoop *loop, gpointer user_data)
{
  HoldRequest *request = user_data;

  if (loop->id != request->id)
    return;

  request->is_found = TRUE;
  request->is_held = loop_guard_hold (&loop->guard, LOOP_INSPECTOR_HOLD_US);
  if (request->is_held)
    {
      request->function (loop, request->user_data);
      loop_guard_release (&loop->guard);
    }
}

gboolean
loop_inspector_with_loop (guint64 id, LoopInspectorHoldFunc function, gpointer user_data, GError **error)
{
  HoldRequest request = { .id = id, .function = function, .user_data = user_data };

  loop_event_loop_foreach (hold_and_call, &request);

  if (!request.is_found)
    g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_NOT_FOUND, "There is no loop %" G_GUINT64_FORMAT,
                 id);
  else if (!request.is_held)
    g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_BUSY,
                 "Loop %" G_GUINT64_FORMAT " did not let its structures be read in time", id);

  return request.is_held;
}

typedef struct
{
  guint64 ids[256];
  guint n;
} LoopIds;

static void
add_loop_id (LoopEventLoop *loop, gpointer user_data)
{
  LoopIds *ids = user_data;

  if (ids->n < G_N_ELEMENTS (ids->ids))
    ids->ids[ids->n++] = loop->id;
}

static void
take_state (LoopEventLoop *loop, gpointer user_data)
{
  loop_state_snapshot_take (user_data, loop);
}

static GVariant *
list_loops (void)
{
  LoopIds ids = { .n = 0 };
  GVariantBuilder builder;

  loop_event_loop_foreach (add_loop_id, &ids);
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aa{sv}"));

  for (guint i = 0; i < ids.n; i++)
    {
      LoopStateSnapshot snapshot;
      g_autoptr (GVariant) state = NULL;
      g_autofree char *path = g_strdup_printf (LOOP_INSPECTOR_LOOPS_PATH "/%" G_GUINT64_FORMAT, ids.ids[i]);
      GVariantDict dict;

      if (!loop_inspector_with_loop (ids.ids[i], take_state, &snapshot, NULL))
        continue;

      state = g_variant_ref_sink (loop_state_snapshot_to_variant (&snapshot));
      g_variant_dict_init (&dict, state);
      g_variant_dict_insert (&dict, "path", "o", path);
      g_variant_builder_add_value (&builder, g_variant_dict_end (&dict));
    }

  return g_variant_new ("(aa{sv})", &builder);
}

static void
process_method (GDBusConnection *connection,
                const char *sender,
                const char *path,
                const char *interface_name,
                const char *method,
                GVariant *parameters,
                GDBusMethodInvocation *invocation,
                gpointer user_data)
{
  g_dbus_method_invocation_return_value (invocation, list_loops ());
}

static char *
get_program (void)
{
  g_autofree char *comm = NULL;

  if (!g_file_get_contents ("/proc/self/comm", &comm, NULL, NULL))
    return g_strdup ("");

  return g_utf8_make_valid (g_strchomp (comm), -1);
}

static GVariant *
process_property (GDBusConnection *connection,
                  const char *sender,
                  const char *path,
                  const char *interface_name,
                  const char *property,
                  GError **error,
                  gpointer user_data)
{
  LoopInspector *self = user_data;

  if (g_str_equal (property, "Version"))
    return g_variant_new_string (PACKAGE_VERSION);
  if (g_str_equal (property, "Program"))
    return g_variant_new_take_string (get_program ());
  if (g_str_equal (property, "Pid"))
    return g_variant_new_uint32 ((guint32) getpid ());

  return g_variant_new_string (self->access == LOOP_INSPECTOR_ACCESS_CONTROL ? "control" : "read");
}

static const GDBusInterfaceVTable process_vtable = { process_method, process_property, NULL, { NULL } };

static void
bus_method (GDBusConnection *connection,
            const char *sender,
            const char *path,
            const char *interface_name,
            const char *method,
            GVariant *parameters,
            GDBusMethodInvocation *invocation,
            gpointer user_data)
{
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(s)", ":1.1"));
}

static const GDBusInterfaceVTable bus_vtable = { bus_method, NULL, NULL, { NULL } };

typedef struct
{
  LoopMetricsSnapshot metrics;
  LoopStateSnapshot state;
} MetricsRequest;

static void
take_metrics (LoopEventLoop *loop, gpointer user_data)
{
  MetricsRequest *request = user_data;

  loop_state_snapshot_take (&request->state, loop);
  loop_metrics_snapshot_take (&request->metrics, loop);
}

static GVariant *
get_metrics (guint64 loop_id, GError **error)
{
  g_autofree MetricsRequest *request = g_new (MetricsRequest, 1);

  if (!loop_inspector_with_loop (loop_id, take_metrics, request, error))
    return NULL;

  return g_variant_new ("(@a{sv}@a{sv})", loop_metrics_snapshot_to_variant (&request->metrics),
                        loop_state_snapshot_to_variant (&request->state));
}

static GVariant *
get_state (guint64 loop_id, GError **error)
{
  LoopStateSnapshot snapshot;

  if (!loop_inspector_with_loop (loop_id, take_state, &snapshot, error))
    return NULL;

  return g_variant_new ("(@a{sv})", loop_state_snapshot_to_variant (&snapshot));
}

/* The state is that after the question: what has run for long still does. */
static GVariant *
get_stack (guint64 loop_id, GError **error)
{
  LoopStateSnapshot snapshot;
  g_autoptr (GError) local_error = NULL;
  g_autoptr (GVariant) stack =
      loop_inspector_ask_interpreter (loop_id, LOOP_INSPECTOR_STACK_QUESTION, "stack", &local_error);

  if (local_error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return NULL;
    }
  if (!loop_inspector_with_loop (loop_id, take_state, &snapshot, error))
    return NULL;
  if (stack == NULL)
    {
      g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_NOT_FOUND,
                   "Loop %" G_GUINT64_FORMAT " is not that of an interpreter", loop_id);
      return NULL;
    }

  return g_variant_new ("(@aa{sv}@a{sv})", stack, loop_state_snapshot_to_variant (&snapshot));
}

static guint64
parse_loop_id (const char *path)
{
  const char *node = strrchr (path, '/');
  guint64 id;

  return node != NULL && g_ascii_string_to_unsigned (node + 1, 10, 1, G_MAXUINT64, &id, NULL) ? id : 0;
}

typedef struct
{
  guint64 id;
  gboolean is_open;
} LoopLookup;

static void
look_up_loop (LoopEventLoop *loop, gpointer user_data)
{
  LoopLookup *lookup = user_data;

  if (loop->id == lookup->id)
    lookup->is_open = !loop->is_closed;
}

static void
call_extension (LoopInspector *self,
                LoopInspectorExtension *extension,
                guint64 loop_id,
                GDBusMethodInvocation *invocation)
{
  LoopLookup lookup = { .id = loop_id };

  if (self->access != LOOP_INSPECTOR_ACCESS_CONTROL)
    {
      g_dbus_method_invocation_return_error_literal (invocation, LOOP_INSPECTOR_ERROR,
                                                     LOOP_INSPECTOR_ERROR_ACCESS_DENIED, "The inspector is read-only");
      return;
    }

  loop_event_loop_foreach (look_up_loop, &lookup);
  if (!lookup.is_open)
    {
      g_dbus_method_invocation_return_error (invocation, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_NOT_FOUND,
                                             "There is no open loop %" G_GUINT64_FORMAT, loop_id);
      return;
    }

  extension->method (loop_id, invocation, extension->user_data);
}

static void
loop_method (GDBusConnection *connection,
             const char *sender,
             const char *path,
             const char *interface_name,
             const char *method,
             GVariant *parameters,
             GDBusMethodInvocation *invocation,
             gpointer user_data)
{
  LoopInspector *self = user_data;
  guint64 loop_id = parse_loop_id (path);
  LoopInspectorExtension *extension = loop_inspector_find_extension (self, interface_name);
  GVariant *reply;
  GError *error = NULL;

  if (!loop_inspector_is_served (connection))
    {
      g_dbus_method_invocation_return_error_literal (invocation, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_BUSY,
                                                     "Too many answers wait to be read");
      return;
    }

  if (extension != NULL)
    {
      call_extension (self, extension, loop_id, invocation);
      return;
    }

  if (g_str_equal (interface_name, "org.libloop.Control1"))
    {
      loop_inspector_control (self, loop_id, invocation);
      return;
    }

  if (g_str_equal (method, "List"))
    reply = loop_inspector_list (loop_id, parameters, &error);
  else if (g_str_equal (method, "GetStack"))
    reply = get_stack (loop_id, &error);
  else if (g_str_equal (method, "GetMetrics"))
    reply = get_metrics (loop_id, &error);
  else
    reply = get_state (loop_id, &error);

  if (reply == NULL)
    {
      g_dbus_method_invocation_take_error (invocation, error);
      return;
    }

  if (g_str_equal (method, "List"))
    loop_inspector_count_page (connection, reply);
  g_dbus_method_invocation_return_value (invocation, reply);
}

static const GDBusInterfaceVTable loop_vtable = { loop_method, NULL, NULL, { NULL } };

static char **
enumerate_loops (GDBusConnection *connection, const char *sender, const char *path, gpointer user_data)
{
  LoopIds ids = { .n = 0 };
  char **names;

  loop_event_loop_foreach (add_loop_id, &ids);
  names = g_new0 (char *, ids.n + 1);
  for (guint i = 0; i < ids.n; i++)
    names[i] = g_strdup_printf ("%" G_GUINT64_FORMAT, ids.ids[i]);

  return names;
}

static GDBusInterfaceInfo **
introspect_loop (GDBusConnection *connection,
                 const char *sender,
                 const char *path,
                 const char *node,
                 gpointer user_data)
{
  LoopInspector *self = user_data;
  g_autoptr (GPtrArray) infos = g_ptr_array_new ();

  if (node != NULL)
    {
      g_ptr_array_add (infos, g_dbus_interface_info_ref (get_interface ("org.libloop.Loop1")));
      g_ptr_array_add (infos, g_dbus_interface_info_ref (get_interface ("org.libloop.Control1")));

      pthread_mutex_lock (&self->mutex);
      for (guint i = 0; i < self->extensions->len; i++)
        {
          LoopInspectorExtension *extension = g_ptr_array_index (self->extensions, i);

          g_ptr_array_add (infos, g_dbus_interface_info_ref (extension->info));
        }
      pthread_mutex_unlock (&self->mutex);
    }
  g_ptr_array_add (infos, NULL);

  return (GDBusInterfaceInfo **) g_ptr_array_free (g_steal_pointer (&infos), FALSE);
}

static const GDBusInterfaceVTable *
dispatch_loop (GDBusConnection *connection,
               const char *sender,
               const char *path,
               const char *interface_name,
               const char *node,
               gpointer *out_user_data,
               gpointer user_data)
{
  *out_user_data = user_data;

  return &loop_vtable;
}

static const GDBusSubtreeVTable loops_vtable = { enumerate_loops, introspect_loop, dispatch_loop, { NULL } };

/* Puts the objects on a client's connection; on the inspector's thread. */
gboolean
loop_inspector_export (LoopInspector *self, GDBusConnection *connection, GError **error)
{
  register_errors ();

  return g_dbus_connection_register_object (connection, LOOP_INSPECTOR_PROCESS_PATH,
                                            get_interface ("org.libloop.Process1"), &process_vtable, self, NULL,
                                            error) != 0 &&
         g_dbus_connection_register_object (connection, "/org/freedesktop/DBus", get_interface ("org.freedesktop.DBus"),
                                            &bus_vtable, self, NULL, error) != 0 &&
         g_dbus_connection_register_subtree (connection, LOOP_INSPECTOR_LOOPS_PATH, &loops_vtable,
                                             G_DBUS_SUBTREE_FLAGS_DISPATCH_TO_UNENUMERATED_NODES, self, NULL,
                                             error) != 0;
}

/**
 * loop_inspector_dup_state:
 * @self: the inspector
 * @loop: a loop
 *
 * Takes a snapshot of what a loop is doing: the dictionary of type `a{sv}` that every
 * reply of the inspector carries. From any thread but the loop's own.
 *
 * Returns: (transfer full): the state
 */
GVariant *
loop_inspector_dup_state (LoopInspector *self, LoopEventLoop *loop)
{
  LoopStateSnapshot snapshot = { .id = loop->id, .state = "running" };

  g_return_val_if_fail (LOOP_IS_INSPECTOR (self), NULL);
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);

  /* A loop that cannot be held is at work inside the library. */
  loop_inspector_with_loop (loop->id, take_state, &snapshot, NULL);

  return g_variant_ref_sink (loop_state_snapshot_to_variant (&snapshot));
}
