/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-connection-options.h"
#include "loop-connector.h"
#include "loop-fd-watcher-private.h"
#include "loop-resolver-private.h"
#include "loop-socket-private.h"
#include "loop-socket-transport-private.h"

#include <errno.h>
#include <unistd.h>

/*
 * One call of create_connection. It lives until its future is done, by whatever way:
 * the future's done callback takes it apart, and cancels what is under way.
 */
typedef struct
{
  guint ref_count; /* one more for a lookup that may still call back */
  LoopEventLoop *loop;
  LoopFuture *future;
  LoopCloseHook hook;

  int family;
  int proto;
  int flags;
  guint16 port;
  char *host;
  GSocketConnectable *local_addr;
  LoopProtocolFactory factory;
  gpointer factory_data;
  GDestroyNotify factory_notify;

  LoopFuture *lookup; /* of the host, or of the local address */
  guint64 lookup_callback;
  GPtrArray *addresses;
  GPtrArray *local_addresses; /* or NULL */
  guint next_address;
  GPtrArray *errors; /* GError: one for each attempt */

  LoopWatch watch;
  int fd; /* of the attempt that is under way, or -1 */
  gboolean is_in_factory;
  gboolean is_abandoned; /* done while the factory, on the stack, ran a main loop of its own */
  LoopTransport *transport;
} Connector;

static void try_next_address (Connector *self);
static void look_up_local (Connector *self);

static void
close_attempt (Connector *self)
{
  loop_event_loop_enter (self->loop);
  if (self->watch.fd >= 0)
    loop_poller_remove (&self->loop->poller, &self->watch);
  loop_event_loop_leave (self->loop);

  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

static void
drop_lookup (Connector *self)
{
  g_autoptr (LoopFuture) lookup = g_steal_pointer (&self->lookup);

  if (lookup == NULL)
    return;

  loop_future_remove_done_callback (lookup, self->lookup_callback);
  loop_future_cancel (lookup);
}

static void
connector_unref (gpointer data)
{
  Connector *self = data;

  if (--self->ref_count > 0)
    return;

  g_object_unref (self->future);
  g_free (self);
}

static void
connector_end (Connector *self)
{
  loop_close_hook_remove (&self->hook);
  drop_lookup (self);
  close_attempt (self);

  loop_destroy_user_data (self->factory_data, self->factory_notify);

  g_clear_pointer (&self->addresses, g_ptr_array_unref);
  g_clear_pointer (&self->local_addresses, g_ptr_array_unref);
  g_clear_pointer (&self->errors, g_ptr_array_unref);
  g_clear_object (&self->transport);
  g_clear_object (&self->local_addr);
  g_clear_pointer (&self->host, g_free);
  connector_unref (self);
}

static void
connector_loop_closed (LoopCloseHook *hook)
{
  connector_end ((Connector *) ((char *) hook - G_STRUCT_OFFSET (Connector, hook)));
}

static void
connector_done (LoopFuture *future, gpointer user_data)
{
  Connector *self = user_data;

  if (self->is_in_factory)
    {
      self->is_abandoned = TRUE;
      return;
    }

  if (loop_future_cancelled (future) && self->transport != NULL)
    loop_transport_abort (self->transport);

  connector_end (self);
}

/* Takes @error. */
static void
connector_fail (Connector *self, GError *error)
{
  loop_future_fail (self->future, error);
}

/* All attempts have failed: with the one error there was, or with all of them. */
static void
fail_with_errors (Connector *self)
{
  const GError *first = g_ptr_array_index (self->errors, 0);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < self->errors->len; i++)
    {
      const GError *error = g_ptr_array_index (self->errors, i);

      g_string_append_printf (text, "%s%s", i > 0 ? "; " : "", error->message);
    }

  connector_fail (self, g_error_new_literal (first->domain, first->code, text->str));
}

static void
end_abandoned (gpointer data)
{
  connector_end (data);
}

static void
make_transport (Connector *self, int fd, GSocket *socket)
{
  g_autoptr (GObject) protocol = NULL;
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  GError *error = NULL;

  if (getpeername (fd, (struct sockaddr *) &peer, &length) < 0)
    length = 0;

  self->is_in_factory = TRUE;
  protocol = self->factory (self->factory_data);
  self->is_in_factory = FALSE;

  if (self->is_abandoned)
    {
      if (socket == NULL)
        close (fd);
      loop_event_loop_schedule (self->loop, end_abandoned, self, NULL, "create_connection");
      return;
    }

  self->transport = (LoopTransport *) loop_socket_transport_new (self->loop, fd, socket, (struct sockaddr *) &peer,
                                                                 length, protocol, &error);
  if (self->transport == NULL)
    {
      if (socket == NULL)
        close (fd);
      connector_fail (self, error);
      return;
    }

  loop_socket_transport_start ((LoopSocketTransport *) self->transport, self->future, NULL, NULL);
}

/* Takes @error. */
static void
attempt_failed (Connector *self, GError *error)
{
  close_attempt (self);
  g_ptr_array_add (self->errors, error);
  try_next_address (self);
}

static void
attempt_succeeded (Connector *self)
{
  int fd = self->fd;

  loop_event_loop_enter (self->loop);
  loop_poller_remove (&self->loop->poller, &self->watch);
  loop_event_loop_leave (self->loop);
  self->fd = -1;

  loop_socket_set_nodelay (fd);
  make_transport (self, fd, NULL);
}

static GError *
make_connect_error (Connector *self, const LoopResolvedAddress *address, int saved_errno)
{
  g_autofree char *text =
      loop_resolved_address_to_string ((const struct sockaddr *) &address->address, address->length);
  GError *error = NULL;

  loop_set_error_from_errno (&error, saved_errno, "Could not connect to %s", text);

  return error;
}

static Connector *
from_watch (const LoopWatch *watch)
{
  return (Connector *) ((char *) watch - G_STRUCT_OFFSET (Connector, watch));
}

static void
connector_writable (LoopWatch *watch)
{
  Connector *self = from_watch (watch);
  int status = 0;
  socklen_t length = sizeof status;

  if (!loop_future_is_pending (self->future))
    {
      /* Cancelled, and about to be taken apart. */
      close_attempt (self);
      return;
    }

  if (getsockopt (self->fd, SOL_SOCKET, SO_ERROR, &status, &length) < 0)
    status = errno;

  if (status != 0)
    attempt_failed (self,
                    make_connect_error (self, g_ptr_array_index (self->addresses, self->next_address - 1), status));
  else
    attempt_succeeded (self);
}

static void
connector_watch_failed (LoopWatch *watch, GError *error)
{
  attempt_failed (from_watch (watch), g_error_copy (error));
}

static void
connector_describe (const LoopWatch *watch, gboolean is_writer, LoopDescription *description)
{
  description->id = watch->id;
  description->kind = "connection";
  description->name = "create_connection";
  description->fd = watch->fd;
}

static const LoopWatchClass connector_watch_class = {
  .readable = connector_writable,
  .writable = connector_writable,
  .failed = connector_watch_failed,
  .describe = connector_describe,
};

static gboolean
bind_local (Connector *self, int fd, int family, GError **error)
{
  g_autofree char *text = NULL;
  int saved_errno = EADDRNOTAVAIL;

  if (self->local_addresses == NULL)
    return TRUE;

  for (guint i = 0; i < self->local_addresses->len; i++)
    {
      const LoopResolvedAddress *local = g_ptr_array_index (self->local_addresses, i);

      if (local->family != family)
        continue;
      if (bind (fd, (const struct sockaddr *) &local->address, local->length) == 0)
        return TRUE;

      saved_errno = errno;
      g_free (text);
      text = loop_resolved_address_to_string ((const struct sockaddr *) &local->address, local->length);
    }

  loop_set_error_from_errno (error, saved_errno, "Could not bind to %s",
                             text != NULL ? text : "a local address of the family of the remote one");

  return FALSE;
}

/* Starts an attempt. Returns: %FALSE with an error if it failed at once */
static gboolean
try_address (Connector *self, const LoopResolvedAddress *address, GError **error)
{
  gboolean is_watched;

  self->fd = loop_socket_new (address->family, address->proto, error);
  if (self->fd < 0 || !bind_local (self, self->fd, address->family, error))
    return FALSE;

  loop_fd_watcher_evict (self->loop, self->fd);

  /* Even one that succeeds at once is only looked at in the next iteration. An interrupted
   * call goes on by itself, as POSIX has it. */
  if (connect (self->fd, (const struct sockaddr *) &address->address, address->length) < 0 && errno != EINPROGRESS &&
      errno != EINTR)
    {
      g_propagate_error (error, make_connect_error (self, address, errno));
      return FALSE;
    }

  loop_event_loop_enter (self->loop);
  is_watched = loop_poller_add (&self->loop->poller, &self->watch, self->fd, LOOP_INTEREST_WRITE, error);
  loop_event_loop_leave (self->loop);

  return is_watched;
}

static void
try_next_address (Connector *self)
{
  while (self->next_address < self->addresses->len)
    {
      const LoopResolvedAddress *address = g_ptr_array_index (self->addresses, self->next_address++);
      GError *error = NULL;

      if (try_address (self, address, &error))
        return;

      close_attempt (self);
      g_ptr_array_add (self->errors, error);
    }

  fail_with_errors (self);
}

static void
host_found (LoopFuture *lookup, gpointer user_data)
{
  Connector *self = user_data;
  GError *error = NULL;

  if (!loop_future_is_pending (self->future))
    return;

  self->addresses = loop_resolver_dup_result (lookup, &error);
  g_clear_object (&self->lookup);

  if (self->addresses == NULL)
    connector_fail (self, error);
  else if (self->addresses->len == 0)
    connector_fail (self,
                    g_error_new (G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "“%s” has no address", self->host));
  else
    look_up_local (self);
}

static void
local_found (LoopFuture *lookup, gpointer user_data)
{
  Connector *self = user_data;
  GError *error = NULL;

  if (!loop_future_is_pending (self->future))
    return;

  self->local_addresses = loop_resolver_dup_result (lookup, &error);
  g_clear_object (&self->lookup);

  if (self->local_addresses == NULL)
    connector_fail (self, error);
  else
    try_next_address (self);
}

static void
look_up (Connector *self, const char *host, guint16 port, int flags, LoopFutureCallback found)
{
  self->lookup = loop_resolver_lookup (self->loop, host, port, self->family, SOCK_STREAM, self->proto, flags);
  self->ref_count++;
  self->lookup_callback = loop_future_add_done_callback (self->lookup, found, self, connector_unref);
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
      try_next_address (self);
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
check_arguments (const char *host, LoopConnectionOptions *options, GError **error)
{
  GSocket *sock = options != NULL ? loop_connection_options_get_sock (options) : NULL;
  GSocketConnectable *local_addr = options != NULL ? loop_connection_options_get_local_addr (options) : NULL;

  if (sock != NULL && (host != NULL || local_addr != NULL))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                           "A host or a local address, and a socket, cannot be given at the same time");
      return FALSE;
    }

  if (sock == NULL && (host == NULL || *host == '\0'))
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
 * @host: (nullable) (type filename): a host name or address, or %NULL if the options have a socket
 * @port: a port
 * @options: (nullable): options
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Connects to a TCP server. The host is looked up in another thread; its addresses are
 * tried one after another. Once connected, @factory is called for a protocol, the
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

  if (!loop_event_loop_check_usable (self, &error) || !check_arguments (host, options, &error))
    {
      loop_destroy_user_data (user_data, notify);
      return loop_future_new_failed (self, "create_connection", error);
    }

  future = loop_future_new (self, "create_connection");

  connector = g_new0 (Connector, 1);
  connector->ref_count = 1;
  connector->loop = self;
  connector->future = g_object_ref (future);
  connector->port = port;
  connector->host = g_strdup (host);
  connector->factory = factory;
  connector->factory_data = user_data;
  connector->factory_notify = notify;
  connector->fd = -1;
  connector->errors = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);
  connector->hook.closed = connector_loop_closed;
  loop_watch_init (&connector->watch, &connector_watch_class, loop_event_loop_next_id (self));
  loop_event_loop_add_close_hook (self, &connector->hook);
  loop_future_add_done_callback (future, connector_done, connector, NULL);

  if (options != NULL)
    {
      connector->family = loop_connection_options_get_family (options);
      connector->proto = loop_connection_options_get_proto (options);
      connector->flags = loop_connection_options_get_flags (options);
      g_set_object (&connector->local_addr, loop_connection_options_get_local_addr (options));
    }

  if (options != NULL && loop_connection_options_get_sock (options) != NULL)
    {
      GSocket *sock = loop_connection_options_get_sock (options);

      g_socket_set_blocking (sock, FALSE);
      loop_socket_set_nodelay (g_socket_get_fd (sock));
      make_transport (connector, g_socket_get_fd (sock), sock);
    }
  else
    {
      look_up (connector, host, port, connector->flags, host_found);
    }

  return g_steal_pointer (&future);
}
