/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-connection-options.h"
#include "loop-connecting-private.h"
#include "loop-connector.h"
#include "loop-happy-eyeballs-private.h"
#include "loop-resolver-private.h"
#include "loop-socket-private.h"

/* One call of create_connection: it looks up the addresses, and tries them. */
typedef struct
{
  LoopConnecting connecting;

  int family;
  int proto;
  int flags;
  guint16 port;
  char *host;
  GSocketConnectable *local_addr;
  double happy_eyeballs_delay;
  int interleave;
  gboolean all_errors;

  LoopFuture *lookup; /* of the host, or of the local address */
  guint64 lookup_callback;
  GPtrArray *addresses;
  GPtrArray *local_addresses; /* or NULL */
  LoopHappyEyeballs *race;
} Connector;

static void look_up_local (Connector *self);

/* Of the futures that have failed, if all errors were asked for. */
#define ERRORS_KEY "loop-connection-errors"

static void
connector_end (LoopConnecting *connecting)
{
  Connector *self = (Connector *) connecting;

  loop_resolver_abandon (&self->lookup, self->lookup_callback);
  g_clear_pointer (&self->race, loop_happy_eyeballs_free);
  g_clear_pointer (&self->addresses, g_ptr_array_unref);
  g_clear_pointer (&self->local_addresses, g_ptr_array_unref);
  g_clear_object (&self->local_addr);
  g_clear_pointer (&self->host, g_free);
}

/* asyncio's way: the message that all of them have, or all messages. */
static char *
join_messages (GPtrArray *errors)
{
  const GError *first = g_ptr_array_index (errors, 0);
  g_autoptr (GString) text = g_string_new (first->message);
  gboolean is_same = TRUE;

  for (guint i = 1; i < errors->len; i++)
    {
      const GError *error = g_ptr_array_index (errors, i);

      is_same = is_same && g_str_equal (error->message, first->message);
      g_string_append_printf (text, "; %s", error->message);
    }

  return is_same ? g_strdup (first->message) : g_string_free (g_steal_pointer (&text), FALSE);
}

/* All attempts have failed. */
static void
fail_with_errors (Connector *self)
{
  g_autoptr (GPtrArray) errors = loop_happy_eyeballs_dup_errors (self->race);
  const GError *first = g_ptr_array_index (errors, 0);
  g_autofree char *text = join_messages (errors);

  if (self->all_errors)
    g_object_set_data_full (G_OBJECT (self->connecting.future), ERRORS_KEY, g_ptr_array_ref (errors),
                            (GDestroyNotify) g_ptr_array_unref);

  loop_connecting_fail (&self->connecting, g_error_new_literal (first->domain, first->code, text));
}

static void
race_done (int fd, gpointer user_data)
{
  Connector *self = user_data;

  if (fd >= 0)
    loop_connecting_take_fd (&self->connecting, fd);
  else
    fail_with_errors (self);
}

static void
begin_race (Connector *self)
{
  int first_family_count = self->interleave;

  /* asyncio's default is to try one family after the other unless there is a race between them. */
  if (first_family_count < 0)
    first_family_count = self->happy_eyeballs_delay >= 0 ? 1 : 0;
  if (first_family_count > 0)
    loop_happy_eyeballs_interleave (self->addresses, (guint) first_family_count);

  self->race = loop_happy_eyeballs_new (self->connecting.future, self->addresses, self->local_addresses,
                                        self->happy_eyeballs_delay, race_done, self);
  loop_happy_eyeballs_start (self->race);
}

static void
host_found (LoopFuture *lookup, gpointer user_data)
{
  Connector *self = user_data;
  GError *error = NULL;

  if (!loop_future_is_pending (self->connecting.future))
    return;

  self->addresses = loop_resolver_dup_result (lookup, &error);
  g_clear_object (&self->lookup);

  if (self->addresses == NULL)
    loop_connecting_fail (&self->connecting, error);
  else if (self->addresses->len == 0)
    loop_connecting_fail (&self->connecting, g_error_new (G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND,
                                                          "“%s” has no address", self->host != NULL ? self->host : ""));
  else
    look_up_local (self);
}

static void
local_found (LoopFuture *lookup, gpointer user_data)
{
  Connector *self = user_data;
  GError *error = NULL;

  if (!loop_future_is_pending (self->connecting.future))
    return;

  self->local_addresses = loop_resolver_dup_result (lookup, &error);
  g_clear_object (&self->lookup);

  if (self->local_addresses == NULL)
    loop_connecting_fail (&self->connecting, error);
  else
    begin_race (self);
}

static void
look_up (Connector *self, const char *host, guint16 port, int flags, LoopFutureCallback found)
{
  self->lookup =
      loop_resolver_lookup (self->connecting.loop, host, port, self->family, SOCK_STREAM, self->proto, flags);
  self->connecting.ref_count++;
  self->lookup_callback = loop_future_add_done_callback (self->lookup, found, self, loop_connecting_unref);
}

/* With the scope, without which a link-local address means nothing: fe80::1%2. */
static char *
get_numeric_host (GInetSocketAddress *address)
{
  g_autofree char *number = g_inet_address_to_string (g_inet_socket_address_get_address (address));
  guint32 scope = 0;

  if (g_socket_address_get_family (G_SOCKET_ADDRESS (address)) == G_SOCKET_FAMILY_IPV6)
    scope = g_inet_socket_address_get_scope_id (address);

  return scope != 0 ? g_strdup_printf ("%s%%%u", number, scope) : g_steal_pointer (&number);
}

static void
look_up_local (Connector *self)
{
  if (self->local_addr == NULL)
    {
      begin_race (self);
    }
  else if (G_IS_NETWORK_ADDRESS (self->local_addr))
    {
      GNetworkAddress *address = G_NETWORK_ADDRESS (self->local_addr);

      look_up (self, g_network_address_get_hostname (address), g_network_address_get_port (address), AI_PASSIVE,
               local_found);
    }
  else
    {
      GInetSocketAddress *address = G_INET_SOCKET_ADDRESS (self->local_addr);
      g_autofree char *host = get_numeric_host (address);

      look_up (self, host, g_inet_socket_address_get_port (address), AI_PASSIVE | AI_NUMERICHOST, local_found);
    }
}

static gboolean
check_arguments (const char *host, guint16 port, LoopConnectionOptions *options, GError **error)
{
  GSocket *sock = options != NULL ? loop_connection_options_get_sock (options) : NULL;
  GSocketConnectable *local_addr = options != NULL ? loop_connection_options_get_local_addr (options) : NULL;

  if (sock != NULL && (host != NULL || port != 0 || local_addr != NULL))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                           "A host, a port or a local address, and a socket, cannot be given at the same time");
      return FALSE;
    }

  if (sock == NULL && (host == NULL ? port == 0 : *host == '\0'))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "Neither a host nor a socket was given");
      return FALSE;
    }

  if (local_addr != NULL && !G_IS_NETWORK_ADDRESS (local_addr) && !G_IS_INET_SOCKET_ADDRESS (local_addr))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "A local address must be a GInetSocketAddress or a GNetworkAddress, not %s",
                   G_OBJECT_TYPE_NAME (local_addr));
      return FALSE;
    }

  return sock == NULL || loop_socket_check_stream (sock, error);
}

/**
 * loop_event_loop_create_connection:
 * @self: an event loop
 * @host: (nullable) (type filename): a host name or address; %NULL if the options have a socket, or for this machine
 * @port: a port
 * @options: (nullable): options
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Connects to a TCP server. The host is looked up in another thread; its addresses are
 * tried one after another, or with [property@ConnectionOptions:happy-eyeballs-delay] at the same time. Once connected, @factory is called for a protocol, the
 * protocol's `connection_made` is called, and the future is fulfilled with the
 * [class@Transport], which knows its protocol.
 *
 * Cancelling the future gives up, at whatever point.
 *
 * Returns: (transfer full): a future for the transport; it fails with
 *   %G_IO_ERROR_INVALID_ARGUMENT, with an error of %G_RESOLVER_ERROR, with the I/O error
 *   of the attempts, or with %LOOP_ERROR_PROTOCOL_FACTORY
 */
LoopFuture *
loop_event_loop_create_connection (LoopEventLoop *self,
                                   const char *host,
                                   guint16 port,
                                   LoopConnectionOptions *options,
                                   LoopProtocolFactory factory,
                                   gpointer user_data,
                                   GDestroyNotify notify)
{
  g_autoptr (LoopFuture) future = NULL;
  Connector *connector;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_CONNECTION_OPTIONS (options), NULL);
  g_return_val_if_fail (factory != NULL, NULL);

  if (!loop_event_loop_check_usable (self, &error) || !check_arguments (host, port, options, &error))
    {
      loop_destroy_user_data (user_data, notify);
      return loop_future_new_failed (self, "create_connection", error);
    }

  connector =
      loop_connecting_new (sizeof *connector, self, "create_connection", connector_end, factory, user_data, notify);
  connector->port = port;
  connector->host = g_strdup (host);
  connector->happy_eyeballs_delay = -1;
  connector->interleave = -1;
  future = g_object_ref (connector->connecting.future);

  if (options != NULL)
    {
      connector->family = loop_connection_options_get_family (options);
      connector->proto = loop_connection_options_get_proto (options);
      connector->flags = loop_connection_options_get_flags (options);
      connector->happy_eyeballs_delay = loop_connection_options_get_happy_eyeballs_delay (options);
      connector->interleave = loop_connection_options_get_interleave (options);
      connector->all_errors = loop_connection_options_get_all_errors (options);
      g_set_object (&connector->local_addr, loop_connection_options_get_local_addr (options));
    }

  if (options != NULL && loop_connection_options_get_sock (options) != NULL)
    loop_connecting_set_socket (&connector->connecting, loop_connection_options_get_sock (options));
  else
    look_up (connector, host, port, connector->flags, host_found);

  return g_steal_pointer (&future);
}

/**
 * loop_connection_get_errors:
 * @future: what [method@EventLoop.create_connection] has returned
 *
 * Gets what went wrong with each address that was tried, if that was asked for with [property@ConnectionOptions:all-errors]
 * and all of them have failed. The error of the future tells of the first, and has the messages of all.
 *
 * Returns: (transfer container) (element-type GError) (nullable): the errors, in the order of the addresses, or %NULL
 */
GPtrArray *
loop_connection_get_errors (LoopFuture *future)
{
  GPtrArray *errors;

  g_return_val_if_fail (LOOP_IS_FUTURE (future), NULL);

  errors = g_object_get_data (G_OBJECT (future), ERRORS_KEY);

  return errors != NULL ? g_ptr_array_ref (errors) : NULL;
}
