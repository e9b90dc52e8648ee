/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host-request.h"

#include <sys/socket.h>

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

/* Of a Unix socket. */
static gboolean
parse_path (CtlRequest *self, GVariant *parameters, GError **error)
{
  gboolean is_server = g_str_equal (self->method->name, "CreateUnixServer");
  const char *service;

  g_variant_get (parameters, "(s&s)", &self->place, &service);
  self->factory = ctl_service_find (service, is_server, error);

  return self->factory != NULL;
}

static void
unix_server_created (LoopFuture *future, gpointer user_data)
{
  CtlRequest *self = user_data;
  g_auto (GValue) value = G_VALUE_INIT;

  if (loop_future_result (future, &value, &self->error))
    ctl_request_done_with_id (self, loop_server_get_id (g_value_get_object (&value)));
  else
    ctl_request_done (self, NULL);
}

static void
perform_create_unix_server (CtlRequest *self)
{
  wait_for (self,
            loop_event_loop_create_unix_server (self->host->loop, self->place, NULL, self->factory, self->host, NULL),
            unix_server_created);
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

static void
perform_create_unix_connection (CtlRequest *self)
{
  wait_for (
      self,
      loop_event_loop_create_unix_connection (self->host->loop, self->place, NULL, self->factory, self->host, NULL),
      connected);
}

/* Returns: whether @text, "HOST:PORT", is an address, or empty */
static gboolean
parse_address (const char *text, GSocketConnectable **address, GError **error)
{
  if (*text == '\0')
    return TRUE;

  *address = g_network_address_parse (text, 0, error);
  if (*address != NULL)
    return TRUE;

  g_clear_error (error);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "“%s” is not an address: write HOST:PORT", text);

  return FALSE;
}

static gboolean
parse_endpoint (CtlRequest *self, GVariant *parameters, GError **error)
{
  const char *local;
  const char *remote;
  const char *service;

  g_variant_get (parameters, "(&s&s&s)", &local, &remote, &service);
  self->factory = ctl_datagram_service_find (service, error);

  return self->factory != NULL && parse_address (local, &self->addresses[0], error) &&
         parse_address (remote, &self->addresses[1], error);
}

static void
perform_create_datagram_endpoint (CtlRequest *self)
{
  g_autoptr (LoopDatagramOptions) options = loop_datagram_options_new ();

  loop_datagram_options_set_local_addr (options, self->addresses[0]);
  loop_datagram_options_set_remote_addr (options, self->addresses[1]);
  wait_for (self, loop_event_loop_create_datagram_endpoint (self->host->loop, options, self->factory, self->host, NULL),
            connected);
}

static gboolean
parse_sendto (CtlRequest *self, GVariant *parameters, GError **error)
{
  g_autoptr (GVariant) data = NULL;
  const char *address;

  g_variant_get (parameters, "(t&s@ay)", &self->id, &address, &data);
  self->data = g_variant_get_data_as_bytes (data);
  if (*address != '\0')
    return parse_address (address, &self->addresses[1], error);

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "There is no address to send to");

  return FALSE;
}

static void
perform_sendto (CtlRequest *self)
{
  guint64 n_buffered = ctl_host_sendto (self->host, self->id, self->addresses[1], self->data, &self->error);

  ctl_request_done (self, g_variant_new ("(t)", n_buffered));
}

static gboolean
parse_lookup (CtlRequest *self, GVariant *parameters, GError **error)
{
  g_variant_get (parameters, "(ss)", &self->place, &self->service);

  return TRUE;
}

static void
looked_up (LoopFuture *future, gpointer user_data)
{
  CtlRequest *self = user_data;
  g_auto (GValue) value = G_VALUE_INIT;
  GVariantBuilder rows;
  GPtrArray *addresses;

  if (!loop_future_result (future, &value, &self->error))
    {
      ctl_request_done (self, NULL);
      return;
    }

  addresses = loop_address_info_result_get_addresses (g_value_get_boxed (&value));
  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < addresses->len; i++)
    {
      LoopAddressInfo *info = g_ptr_array_index (addresses, i);
      g_autoptr (GSocketAddress) address = loop_address_info_get_address (info);

      g_variant_builder_open (&rows, G_VARIANT_TYPE_VARDICT);
      g_variant_builder_add (
          &rows, "{sv}", "family",
          g_variant_new_string (loop_address_info_get_family (info) == AF_INET6 ? "AF_INET6" : "AF_INET"));
      g_variant_builder_add (
          &rows, "{sv}", "address",
          g_variant_new_take_string (g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address))));
      g_variant_builder_close (&rows);
    }
  ctl_request_done (self, g_variant_new ("(aa{sv})", &rows));
}

/* One of each address is enough. */
static void
perform_getaddrinfo (CtlRequest *self)
{
  const char *service = *self->service != '\0' ? self->service : NULL;

  wait_for (self, loop_event_loop_getaddrinfo_service (self->host->loop, self->place, service, 0, SOCK_STREAM, 0, 0),
            looked_up);
}

static gboolean
parse_numbers (CtlRequest *self, GVariant *parameters, GError **error)
{
  const char *address;
  guint16 port;

  g_variant_get (parameters, "(&sq)", &address, &port);
  self->addresses[1] = (GSocketConnectable *) g_inet_socket_address_new_from_string (address, port);
  if (self->addresses[1] != NULL)
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "“%s” is not a numeric address", address);

  return FALSE;
}

static void
names_found (LoopFuture *future, gpointer user_data)
{
  CtlRequest *self = user_data;
  g_auto (GValue) value = G_VALUE_INIT;
  GVariantBuilder rows;
  LoopNameInfoResult *names;

  if (!loop_future_result (future, &value, &self->error))
    {
      ctl_request_done (self, NULL);
      return;
    }

  names = g_value_get_boxed (&value);
  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  g_variant_builder_add_parsed (&rows, "{'host': <%s>, 'service': <%s>}", loop_name_info_result_get_host (names),
                                loop_name_info_result_get_service (names));
  ctl_request_done (self, g_variant_new ("(aa{sv})", &rows));
}

static void
perform_getnameinfo (CtlRequest *self)
{
  wait_for (self, loop_event_loop_getnameinfo (self->host->loop, G_SOCKET_ADDRESS (self->addresses[1]), 0),
            names_found);
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
  { "CreateUnixServer", parse_path, perform_create_unix_server },
  { "CreateUnixConnection", parse_path, perform_create_unix_connection },
  { "CreateDatagramEndpoint", parse_endpoint, perform_create_datagram_endpoint },
  { "Sendto", parse_sendto, perform_sendto },
  { "Getaddrinfo", parse_lookup, perform_getaddrinfo },
  { "Getnameinfo", parse_numbers, perform_getnameinfo },
  { "SubprocessExec", parse_exec, perform_subprocess_exec },
  { "SubprocessShell", parse_shell, perform_subprocess_shell },
  { "Write", parse_write, perform_write },
  { "WriteEof", parse_id, perform_write_eof },
  { NULL },
};
