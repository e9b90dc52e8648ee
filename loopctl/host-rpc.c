/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "client.h"
#include "host.h"
#include "signals.h"
#include "value.h"

/*
 * org.libloop.Host1. A call comes on the inspector's thread, is done on the loop's, and answered on
 * the inspector's again, which alone may look at the loop. When a callback blocks the loop, the call
 * is given up: it is either done and answered, or not done at all.
 */

#define DEADLINE_MS 1000
#define ERROR_PREFIX "org.libloop.Error."

static const char introspection_xml[] = "<node>"
                                        "  <interface name='" CTL_HOST_INTERFACE "'>"
                                        "    <method name='CallSoon'>"
                                        "      <arg name='action' type='as' direction='in'/>"
                                        "      <arg name='id' type='t' direction='out'/>"
                                        "      <arg name='state' type='a{sv}' direction='out'/>"
                                        "    </method>"
                                        "    <method name='CallLater'>"
                                        "      <arg name='delay' type='d' direction='in'/>"
                                        "      <arg name='action' type='as' direction='in'/>"
                                        "      <arg name='id' type='t' direction='out'/>"
                                        "      <arg name='state' type='a{sv}' direction='out'/>"
                                        "    </method>"
                                        "    <method name='CallAt'>"
                                        "      <arg name='when' type='d' direction='in'/>"
                                        "      <arg name='action' type='as' direction='in'/>"
                                        "      <arg name='id' type='t' direction='out'/>"
                                        "      <arg name='state' type='a{sv}' direction='out'/>"
                                        "    </method>"
                                        "    <method name='CreateTask'>"
                                        "      <arg name='action' type='as' direction='in'/>"
                                        "      <arg name='id' type='t' direction='out'/>"
                                        "      <arg name='state' type='a{sv}' direction='out'/>"
                                        "    </method>"
                                        "    <method name='RunInExecutor'>"
                                        "      <arg name='action' type='as' direction='in'/>"
                                        "      <arg name='id' type='t' direction='out'/>"
                                        "      <arg name='state' type='a{sv}' direction='out'/>"
                                        "    </method>"
                                        "    <method name='RunInProcess'>"
                                        "      <arg name='action' type='as' direction='in'/>"
                                        "      <arg name='id' type='t' direction='out'/>"
                                        "      <arg name='state' type='a{sv}' direction='out'/>"
                                        "    </method>"
                                        "    <method name='AddSignalHandler'>"
                                        "      <arg name='signal' type='s' direction='in'/>"
                                        "      <arg name='action' type='as' direction='in'/>"
                                        "      <arg name='number' type='i' direction='out'/>"
                                        "      <arg name='state' type='a{sv}' direction='out'/>"
                                        "    </method>"
                                        "    <method name='RemoveSignalHandler'>"
                                        "      <arg name='signal' type='s' direction='in'/>"
                                        "      <arg name='number' type='i' direction='out'/>"
                                        "      <arg name='state' type='a{sv}' direction='out'/>"
                                        "    </method>"
                                        "    <method name='CreateServer'>"
                                        "      <arg name='host' type='s' direction='in'/>"
                                        "      <arg name='port' type='q' direction='in'/>"
                                        "      <arg name='service' type='s' direction='in'/>"
                                        "      <arg name='id' type='t' direction='out'/>"
                                        "      <arg name='port' type='q' direction='out'/>"
                                        "      <arg name='state' type='a{sv}' direction='out'/>"
                                        "    </method>"
                                        "    <method name='CreateConnection'>"
                                        "      <arg name='host' type='s' direction='in'/>"
                                        "      <arg name='port' type='q' direction='in'/>"
                                        "      <arg name='service' type='s' direction='in'/>"
                                        "      <arg name='id' type='t' direction='out'/>"
                                        "      <arg name='state' type='a{sv}' direction='out'/>"
                                        "    </method>"
                                        "  </interface>"
                                        "</node>";

typedef enum
{
  REQUEST_PENDING,
  REQUEST_TAKEN,   /* by the loop */
  REQUEST_EXPIRED, /* the deadline was first */
} RequestState;

typedef struct
{
  gatomicrefcount ref_count;
  int state;
  CtlHost *host;
  GMainContext *context; /* the inspector's */
  GDBusMethodInvocation *invocation;
  GSource *deadline;
  void (*perform) (gpointer request);

  CtlAction *action;
  CtlWork *work;
  double seconds;
  int signum;
  char **words;
  char *peer;
  guint16 port;
  LoopProtocolFactory factory;

  guint64 id; /* what came of it */
  GError *error;
} Request;

/* The contract has few kinds of errors: what is not the caller's fault has failed. */
static void
answer_with_error (GDBusMethodInvocation *invocation, const GError *error)
{
  g_autofree char *full_name = NULL;
  const char *name = "Failed";

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT))
    name = "InvalidArgument";
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    name = "NotFound";
  else if (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED))
    name = "Closed";
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_BUSY))
    name = "Busy";

  full_name = g_strconcat (ERROR_PREFIX, name, NULL);
  g_dbus_method_invocation_return_dbus_error (invocation, full_name, error->message);
}

/* Takes the invocation: there is one answer to it. */
static void
request_fail (Request *self)
{
  if (self->error == NULL)
    g_set_error_literal (&self->error, LOOP_ERROR, LOOP_ERROR_CLOSED, "The loop is closed");

  answer_with_error (g_steal_pointer (&self->invocation), self->error);
}

static void
request_unref (gpointer data)
{
  Request *self = data;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  /* The loop was closed with the request in its queue. */
  if (self->invocation != NULL)
    request_fail (self);
  if (self->action != NULL)
    ctl_action_free (self->action);
  if (self->work != NULL)
    ctl_work_free (self->work);
  g_clear_error (&self->error);
  g_main_context_unref (self->context);
  g_clear_pointer (&self->deadline, g_source_unref);
  g_strfreev (self->words);
  g_free (self->peer);
  g_free (self);
}

static Request *
request_ref (Request *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

/* On the inspector's thread. */
static gboolean
request_answer (gpointer data)
{
  Request *self = data;
  g_autoptr (GVariant) state = NULL;
  GDBusMethodInvocation *invocation;

  g_source_destroy (self->deadline);
  if (self->error != NULL)
    {
      request_fail (self);
      return G_SOURCE_REMOVE;
    }

  state = loop_inspector_dup_state (self->host->inspector, self->host->loop);
  invocation = g_steal_pointer (&self->invocation);
  if (g_str_equal (g_dbus_method_invocation_get_method_name (invocation), "CreateServer"))
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(tq@a{sv})", self->id, self->port, state));
  else if (self->signum != 0)
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(i@a{sv})", self->signum, state));
  else
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(t@a{sv})", self->id, state));

  return G_SOURCE_REMOVE;
}

/* On the loop's thread: it is done, or has failed with self->error. */
static void
request_done (Request *self)
{
  g_main_context_invoke_full (self->context, G_PRIORITY_DEFAULT, request_answer, request_ref (self), request_unref);
}

static gboolean
request_is_late (gpointer data)
{
  Request *self = data;

  if (!g_atomic_int_compare_and_exchange (&self->state, REQUEST_PENDING, REQUEST_EXPIRED))
    return G_SOURCE_REMOVE;

  g_set_error_literal (&self->error, G_IO_ERROR, G_IO_ERROR_BUSY,
                       "The loop did not get to it in time; nothing was done");
  request_fail (self);

  return G_SOURCE_REMOVE;
}

/* On the loop's thread. */
static void
request_perform (gpointer data)
{
  Request *self = data;

  if (g_atomic_int_compare_and_exchange (&self->state, REQUEST_PENDING, REQUEST_TAKEN))
    self->perform (self);
}

static void
perform_timer (gpointer data)
{
  Request *self = data;
  const char *method = g_dbus_method_invocation_get_method_name (self->invocation);
  const char *name = ctl_action_get_name (self->action);
  CtlAction *action = g_steal_pointer (&self->action);
  LoopTimerHandle *timer;

  if (g_str_equal (method, "CallAt"))
    timer = loop_event_loop_call_at_full (self->host->loop, self->seconds, ctl_action_run, action, ctl_action_free,
                                          &self->error);
  else
    timer = loop_event_loop_call_later_full (self->host->loop, self->seconds, ctl_action_run, action, ctl_action_free,
                                             &self->error);

  if (timer != NULL)
    {
      loop_timer_handle_set_name (timer, name);
      self->id = loop_timer_handle_get_id (timer);
    }
  request_done (self);
}

static void
endpoint_created (LoopFuture *future, gpointer user_data)
{
  Request *self = user_data;
  g_auto (GValue) value = G_VALUE_INIT;

  if (loop_future_result (future, &value, &self->error))
    {
      GObject *object = g_value_get_object (&value);

      if (LOOP_IS_SERVER (object))
        {
          self->id = loop_server_get_id (LOOP_SERVER (object));
          self->port = ctl_host_get_port (LOOP_SERVER (object));
        }
      else
        {
          self->id = loop_transport_get_id (LOOP_TRANSPORT (object));
        }
    }
  request_done (self);
}

static void
perform_endpoint (gpointer data)
{
  Request *self = data;
  const char *method = g_dbus_method_invocation_get_method_name (self->invocation);
  const char *hosts[] = { self->peer, NULL };
  g_autoptr (LoopFuture) future = NULL;

  if (g_str_equal (method, "CreateServer"))
    future = loop_event_loop_create_server (self->host->loop, *self->peer != '\0' ? hosts : NULL, self->port, NULL,
                                            self->factory, NULL, NULL);
  else
    future =
        loop_event_loop_create_connection (self->host->loop, self->peer, self->port, NULL, self->factory, NULL, NULL);

  loop_future_add_done_callback (future, endpoint_created, request_ref (self), request_unref);
}

static void
request_post (Request *self)
{
  self->deadline = g_timeout_source_new (DEADLINE_MS);
  g_source_set_callback (self->deadline, request_is_late, request_ref (self), request_unref);
  g_source_attach (self->deadline, self->context);

  if (!loop_event_loop_call_soon_threadsafe (self->host->loop, request_perform, request_ref (self), request_unref, NULL,
                                             &self->error))
    g_source_destroy (self->deadline);
}

static void
perform_call_soon (gpointer data)
{
  Request *self = data;
  const char *name = ctl_action_get_name (self->action);
  LoopHandle *handle = loop_event_loop_call_soon_full (self->host->loop, ctl_action_run,
                                                       g_steal_pointer (&self->action), ctl_action_free, &self->error);

  if (handle != NULL)
    {
      loop_handle_set_name (handle, name);
      self->id = loop_handle_get_id (handle);
    }
  request_done (self);
}

static void
perform_create_task (gpointer data)
{
  Request *self = data;

  self->id = ctl_work_spawn (g_steal_pointer (&self->work), &self->error);
  request_done (self);
}

static void
perform_run_in_executor (gpointer data)
{
  Request *self = data;
  g_autoptr (LoopFuture) future = loop_event_loop_run_in_executor (self->host->loop, NULL, ctl_action_run_in_thread,
                                                                   g_steal_pointer (&self->action), ctl_action_free);

  self->id = loop_future_get_id (future);
  request_done (self);
}

static void
perform_run_in_process (gpointer data)
{
  Request *self = data;

  self->id = ctl_host_run_in_process (self->host, (const char *const *) self->words, &self->error);
  request_done (self);
}

static void
perform_add_signal_handler (gpointer data)
{
  Request *self = data;

  loop_event_loop_add_signal_handler (self->host->loop, self->signum, ctl_action_run, g_steal_pointer (&self->action),
                                      ctl_action_free, &self->error);
  request_done (self);
}

static void
perform_remove_signal_handler (gpointer data)
{
  Request *self = data;

  g_autofree char *name = ctl_signal_get_name (self->signum);

  if (!loop_event_loop_remove_signal_handler (self->host->loop, self->signum))
    g_set_error (&self->error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "Signal %s has no handler", name);
  request_done (self);
}

/* A loop that is busy takes a handle at once, to run it later. It is named before it can run. */
static gboolean
call_soon_if_busy (Request *self)
{
  g_autoptr (GVariant) state = loop_inspector_dup_state (self->host->inspector, self->host->loop);
  g_autoptr (LoopHandle) handle = NULL;
  const char *name = ctl_action_get_name (self->action);
  CtlAction *action;

  if (ctl_value_get_id (state, "handle") == 0)
    return FALSE;

  action = g_steal_pointer (&self->action);
  if (loop_event_loop_call_soon_threadsafe (self->host->loop, ctl_action_run, action, ctl_action_free, &handle,
                                            &self->error))
    {
      loop_handle_set_name (handle, name);
      g_dbus_method_invocation_return_value (g_steal_pointer (&self->invocation),
                                             g_variant_new ("(t@a{sv})", loop_handle_get_id (handle), state));
    }
  else
    {
      request_fail (self);
    }

  return TRUE;
}

/* Takes the parameters apart. Returns: FALSE with an error if they are wrong */
static gboolean
request_parse (Request *self, GError **error)
{
  GVariant *parameters = g_dbus_method_invocation_get_parameters (self->invocation);
  const char *method = g_dbus_method_invocation_get_method_name (self->invocation);
  g_auto (GStrv) words = NULL;
  const char *signal_name;
  const char *service;

  if (g_str_equal (method, "CreateTask"))
    {
      g_variant_get (parameters, "(^as)", &words);
      self->perform = perform_create_task;
      self->work = ctl_work_new (self->host, (const char *const *) words, error);
      return self->work != NULL;
    }

  if (g_str_equal (method, "RunInProcess"))
    {
      g_variant_get (parameters, "(^as)", &self->words);
      self->perform = perform_run_in_process;
      self->action = ctl_action_new (self->host, (const char *const *) self->words, error);
      return self->action != NULL && ctl_action_can_run_in_process (self->action, error);
    }

  if (g_str_equal (method, "RemoveSignalHandler"))
    {
      g_variant_get (parameters, "(&s)", &signal_name);
      self->perform = perform_remove_signal_handler;
      return ctl_signal_parse (signal_name, &self->signum, error);
    }

  if (g_str_equal (method, "AddSignalHandler"))
    {
      g_variant_get (parameters, "(&s^as)", &signal_name, &self->words);
      self->perform = perform_add_signal_handler;
      if (!ctl_signal_parse (signal_name, &self->signum, error))
        return FALSE;
      self->action = ctl_action_new (self->host, (const char *const *) self->words, error);
      return self->action != NULL;
    }

  if (g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(as)")))
    {
      g_variant_get (parameters, "(^as)", &words);
      self->perform = g_str_equal (method, "CallSoon") ? perform_call_soon : perform_run_in_executor;
      self->action = ctl_action_new (self->host, (const char *const *) words, error);
      return self->action != NULL;
    }

  if (g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(das)")))
    {
      g_variant_get (parameters, "(d^as)", &self->seconds, &words);
      self->perform = perform_timer;
      self->action = ctl_action_new (self->host, (const char *const *) words, error);
      return self->action != NULL;
    }

  g_variant_get (parameters, "(sq&s)", &self->peer, &self->port, &service);
  self->perform = perform_endpoint;
  self->factory = ctl_service_find (service);
  if (self->factory != NULL)
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "There is no service “%s”, only “echo” and “discard”",
               service);

  return FALSE;
}

void
ctl_host_rpc_method (guint64 loop_id, GDBusMethodInvocation *invocation, gpointer user_data)
{
  CtlHost *host = user_data;
  Request *request = g_new0 (Request, 1);

  g_atomic_ref_count_init (&request->ref_count);
  request->host = host;
  request->context = g_main_context_ref_thread_default ();
  request->invocation = invocation;

  if (!request_parse (request, &request->error))
    request_fail (request);
  else if (request->perform != perform_call_soon || !call_soon_if_busy (request))
    request_post (request);
  request_unref (request);
}

GDBusInterfaceInfo *
ctl_host_rpc_get_info (void)
{
  static GDBusNodeInfo *info;

  if (info == NULL)
    info = g_dbus_node_info_new_for_xml (introspection_xml, NULL);

  return g_dbus_node_info_lookup_interface (info, CTL_HOST_INTERFACE);
}
