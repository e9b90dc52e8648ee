/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "client.h"
#include "host-request.h"

/*
 * org.libloop.Host1. A call comes on the inspector's thread, is done on the loop's, and answered on
 * the inspector's again, which alone may look at the loop. When a callback blocks the loop, the call
 * is given up: it is either done and answered, or not done at all.
 */

#define DEADLINE_MS 1000
#define ERROR_PREFIX "org.libloop.Error."

#define IN(name, type) "<arg name='" name "' type='" type "' direction='in'/>"
#define OUT(name, type) "<arg name='" name "' type='" type "' direction='out'/>"
#define METHOD(name, arguments) "<method name='" name "'>" arguments OUT ("state", "a{sv}") "</method>"

/* clang-format off */
static const char introspection_xml[] =
  "<node><interface name='" CTL_HOST_INTERFACE "'>"
  METHOD ("CallSoon", IN ("action", "as") OUT ("id", "t"))
  METHOD ("CallLater", IN ("delay", "d") IN ("action", "as") OUT ("id", "t"))
  METHOD ("CallAt", IN ("when", "d") IN ("action", "as") OUT ("id", "t"))
  METHOD ("CreateTask", IN ("work", "as") OUT ("id", "t"))
  METHOD ("RunInExecutor", IN ("action", "as") OUT ("id", "t"))
  METHOD ("RunInProcess", IN ("action", "as") OUT ("id", "t"))
  METHOD ("AddSignalHandler", IN ("signal", "s") IN ("action", "as") OUT ("number", "i"))
  METHOD ("RemoveSignalHandler", IN ("signal", "s") OUT ("number", "i"))
  METHOD ("CreateServer", IN ("host", "s") IN ("port", "q") IN ("service", "s") OUT ("id", "t") OUT ("port", "q"))
  METHOD ("CreateConnection", IN ("host", "s") IN ("port", "q") IN ("service", "s") OUT ("id", "t"))
  METHOD ("CreateUnixServer", IN ("path", "s") IN ("service", "s") OUT ("id", "t"))
  METHOD ("CreateUnixConnection", IN ("path", "s") IN ("service", "s") OUT ("id", "t"))
  METHOD ("CreateDatagramEndpoint",
          IN ("local_addr", "s") IN ("remote_addr", "s") IN ("service", "s") OUT ("id", "t"))
  METHOD ("Sendto", IN ("id", "t") IN ("addr", "s") IN ("data", "ay") OUT ("buffered", "t"))
  METHOD ("Getaddrinfo", IN ("host", "s") IN ("port", "s") OUT ("addresses", "aa{sv}"))
  METHOD ("Getnameinfo", IN ("addr", "s") IN ("port", "q") OUT ("names", "aa{sv}"))
  METHOD ("SubprocessExec", IN ("argv", "as") OUT ("id", "t") OUT ("pid", "u"))
  METHOD ("SubprocessShell", IN ("command", "s") OUT ("id", "t") OUT ("pid", "u"))
  METHOD ("Write", IN ("id", "t") IN ("data", "ay") OUT ("buffered", "t"))
  METHOD ("WriteEof", IN ("id", "t") OUT ("buffered", "t"))
  "</interface></node>";
/* clang-format on */

enum
{
  REQUEST_PENDING,
  REQUEST_TAKEN,   /* by the loop */
  REQUEST_EXPIRED, /* the deadline was first */
};

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
void
ctl_request_fail (CtlRequest *self)
{
  if (self->error == NULL)
    g_set_error_literal (&self->error, LOOP_ERROR, LOOP_ERROR_CLOSED, "The loop is closed");

  answer_with_error (g_steal_pointer (&self->invocation), self->error);
}

void
ctl_request_unref (gpointer data)
{
  CtlRequest *self = data;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  /* The loop was closed with the request in its queue. */
  if (self->invocation != NULL)
    ctl_request_fail (self);
  if (self->action != NULL)
    ctl_action_free (self->action);
  if (self->work != NULL)
    ctl_work_free (self->work);
  g_clear_pointer (&self->result, g_variant_unref);
  g_clear_error (&self->error);
  g_main_context_unref (self->context);
  g_clear_pointer (&self->deadline, g_source_unref);
  g_clear_pointer (&self->data, g_bytes_unref);
  g_strfreev (self->words);
  g_free (self->place);
  g_free (self->service);
  g_clear_object (&self->addresses[0]);
  g_clear_object (&self->addresses[1]);
  g_free (self);
}

CtlRequest *
ctl_request_ref (CtlRequest *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

/* Answers with the result, and @state behind it. */
void
ctl_request_answer (CtlRequest *self, GVariant *state)
{
  GVariantBuilder reply;
  gsize n = g_variant_n_children (self->result);

  g_variant_builder_init (&reply, G_VARIANT_TYPE_TUPLE);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) value = g_variant_get_child_value (self->result, i);

      g_variant_builder_add_value (&reply, value);
    }
  g_variant_builder_add_value (&reply, state);
  g_dbus_method_invocation_return_value (g_steal_pointer (&self->invocation), g_variant_builder_end (&reply));
}

/* On the inspector's thread. */
static gboolean
answer (gpointer data)
{
  CtlRequest *self = data;
  g_autoptr (GVariant) state = NULL;

  g_source_destroy (self->deadline);
  if (self->error != NULL)
    {
      ctl_request_fail (self);
      return G_SOURCE_REMOVE;
    }

  state = loop_inspector_dup_state (self->host->inspector, self->host->loop);
  ctl_request_answer (self, state);

  return G_SOURCE_REMOVE;
}

/* On the loop's thread: it is done, with a tuple, or has failed with self->error. Takes @result if it is floating. */
void
ctl_request_done (CtlRequest *self, GVariant *result)
{
  self->result = result != NULL ? g_variant_ref_sink (result) : NULL;
  g_main_context_invoke_full (self->context, G_PRIORITY_DEFAULT, answer, ctl_request_ref (self), ctl_request_unref);
}

void
ctl_request_done_with_id (CtlRequest *self, guint64 id)
{
  ctl_request_done (self, g_variant_new ("(t)", id));
}

static gboolean
is_late (gpointer data)
{
  CtlRequest *self = data;

  if (!g_atomic_int_compare_and_exchange (&self->state, REQUEST_PENDING, REQUEST_EXPIRED))
    return G_SOURCE_REMOVE;

  g_set_error_literal (&self->error, G_IO_ERROR, G_IO_ERROR_BUSY,
                       "The loop did not get to it in time; nothing was done");
  ctl_request_fail (self);

  return G_SOURCE_REMOVE;
}

/* On the loop's thread. */
static void
perform (gpointer data)
{
  CtlRequest *self = data;

  if (g_atomic_int_compare_and_exchange (&self->state, REQUEST_PENDING, REQUEST_TAKEN))
    self->method->perform (self);
}

static void
post (CtlRequest *self)
{
  self->deadline = g_timeout_source_new (DEADLINE_MS);
  g_source_set_callback (self->deadline, is_late, ctl_request_ref (self), ctl_request_unref);
  g_source_attach (self->deadline, self->context);

  if (!loop_event_loop_call_soon_threadsafe (self->host->loop, perform, ctl_request_ref (self), ctl_request_unref, NULL,
                                             &self->error))
    g_source_destroy (self->deadline);
}

static const CtlHostMethod *
find_method (const char *name)
{
  static const CtlHostMethod *const lists[] = { ctl_host_call_methods, ctl_host_network_methods };

  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      for (const CtlHostMethod *method = lists[i]; method->name != NULL; method++)
        {
          if (g_str_equal (method->name, name))
            return method;
        }
    }

  g_assert_not_reached ();
}

void
ctl_host_rpc_method (guint64 loop_id, GDBusMethodInvocation *invocation, gpointer user_data)
{
  CtlRequest *request = g_new0 (CtlRequest, 1);

  g_atomic_ref_count_init (&request->ref_count);
  request->host = user_data;
  request->method = find_method (g_dbus_method_invocation_get_method_name (invocation));
  request->context = g_main_context_ref_thread_default ();
  request->invocation = invocation;

  if (!request->method->parse (request, g_dbus_method_invocation_get_parameters (invocation), &request->error))
    ctl_request_fail (request);
  else if (request->method->perform_if_busy == NULL || !request->method->perform_if_busy (request))
    post (request);
  ctl_request_unref (request);
}

GDBusInterfaceInfo *
ctl_host_rpc_get_info (void)
{
  static GDBusNodeInfo *info;

  if (info == NULL)
    info = g_dbus_node_info_new_for_xml (introspection_xml, NULL);

  return g_dbus_node_info_lookup_interface (info, CTL_HOST_INTERFACE);
}
