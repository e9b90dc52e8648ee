/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host-request.h"

#include <string.h>

/* What can be asked of a host: servers, connections and subprocesses, and to write to them. */

/* Takes the reference to a future, whose end is the end of the request. */
static void
wait_for (CtlRequest *self, LoopFuture *future, LoopFutureCallback done)
{
  loop_future_add_done_callback (future, done, ctl_request_ref (self), ctl_request_unref);
  g_object_unref (future);
}

static gboolean
parse_server (CtlRequest *self, GVariant *parameters, GError **error)
{
  const char *service;

  g_variant_get (parameters, "(sq&s)", &self->place, &self->port, &service);
  self->factory = ctl_service_find (service, TRUE, error);

  return self->factory != NULL;
}

static gboolean
parse_connection (CtlRequest *self, GVariant *parameters, GError **error)
{
  const char *service;

  g_variant_get (parameters, "(sq&s)", &self->place, &self->port, &service);
  self->factory = ctl_service_find (service, FALSE, error);

  return self->factory != NULL;
}

static void
server_created (LoopFuture *future, gpointer user_data)
{
  CtlRequest *self = user_data;
  g_auto (GValue) value = G_VALUE_INIT;
  LoopServer *server;

  if (!loop_future_result (future, &value, &self->error))
    {
      ctl_request_done (self, NULL);
      return;
    }

  server = g_value_get_object (&value);
  ctl_request_done (self, g_variant_new ("(tq)", loop_server_get_id (server), ctl_host_get_port (server)));
}

static void
perform_create_server (CtlRequest *self)
{
  const char *hosts[] = { self->place, NULL };

  wait_for (self,
            loop_event_loop_create_server (self->host->loop, *self->place != '\0' ? hosts : NULL, self->port, NULL,
                                           self->factory, self->host, NULL),
            server_created);
}

static void
connected (LoopFuture *future, gpointer user_data)
{
  CtlRequest *self = user_data;
  g_auto (GValue) value = G_VALUE_INIT;

  if (loop_future_result (future, &value, &self->error))
    ctl_request_done_with_id (self, loop_transport_get_id (g_value_get_object (&value)));
  else
    ctl_request_done (self, NULL);
}

static void
perform_create_connection (CtlRequest *self)
{
  wait_for (self,
            loop_event_loop_create_connection (self->host->loop, self->place, self->port, NULL, self->factory,
                                               self->host, NULL),
            connected);
}

static gboolean
parse_exec (CtlRequest *self, GVariant *parameters, GError **error)
{
  g_variant_get (parameters, "(^as)", &self->words);
  if (self->words[0] != NULL && *self->words[0] != '\0')
    return TRUE;

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "There is no program to run");

  return FALSE;
}

static gboolean
parse_shell (CtlRequest *self, GVariant *parameters, GError **error)
{
  g_variant_get (parameters, "(s)", &self->place);

  return TRUE;
}

static void
spawned (LoopFuture *future, gpointer user_data)
{
  CtlRequest *self = user_data;
  g_auto (GValue) value = G_VALUE_INIT;
  LoopSubprocessTransport *process;

  if (!loop_future_result (future, &value, &self->error))
    {
      ctl_request_done (self, NULL);
      return;
    }

  process = g_value_get_object (&value);
  ctl_request_done (self, g_variant_new ("(tu)", loop_subprocess_transport_get_id (process),
                                         (guint32) loop_subprocess_transport_get_pid (process)));
}

/* Ctrl-C is for the shell, and not for what the host runs. */
static LoopSubprocessOptions *
new_options (void)
{
  LoopSubprocessOptions *options = loop_subprocess_options_new ();

  loop_subprocess_options_set_start_new_session (options, TRUE);

  return options;
}

static void
perform_subprocess_exec (CtlRequest *self)
{
  g_autoptr (LoopSubprocessOptions) options = new_options ();

  wait_for (self,
            loop_event_loop_subprocess_exec (self->host->loop, (const char *const *) self->words, options,
                                             ctl_child_new, self->host, NULL),
            spawned);
}

static void
perform_subprocess_shell (CtlRequest *self)
{
  g_autoptr (LoopSubprocessOptions) options = new_options ();

  wait_for (self,
            loop_event_loop_subprocess_shell (self->host->loop, self->place, options, ctl_child_new, self->host, NULL),
            spawned);
}

static gboolean
parse_write (CtlRequest *self, GVariant *parameters, GError **error)
{
  g_autoptr (GVariant) data = NULL;

  g_variant_get (parameters, "(t@ay)", &self->id, &data);
  self->data = g_variant_get_data_as_bytes (data);

  return TRUE;
}

static void
perform_write (CtlRequest *self)
{
  guint64 n_buffered = ctl_host_write (self->host, self->id, self->data, &self->error);

  ctl_request_done (self, g_variant_new ("(t)", n_buffered));
}

static gboolean
parse_id (CtlRequest *self, GVariant *parameters, GError **error)
{
  g_variant_get (parameters, "(t)", &self->id);

  return TRUE;
}

static void
perform_write_eof (CtlRequest *self)
{
  guint64 n_buffered = ctl_host_write_eof (self->host, self->id, &self->error);

  ctl_request_done (self, g_variant_new ("(t)", n_buffered));
}

const CtlHostMethod ctl_host_network_methods[] = {
  { "CreateServer", parse_server, perform_create_server },
  { "CreateConnection", parse_connection, perform_create_connection },
  { "SubprocessExec", parse_exec, perform_subprocess_exec },
  { "SubprocessShell", parse_shell, perform_subprocess_shell },
  { "Write", parse_write, perform_write },
  { "WriteEof", parse_id, perform_write_eof },
  { NULL },
};
