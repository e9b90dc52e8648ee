/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-future-private.h"
#include "loop-resolver-private.h"
#include "loop-server-options.h"
#include "loop-server-private.h"
#include "loop-socket-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/*
 * One call of create_server, while the hosts are looked up. As with a connector, the
 * future's done callback takes it apart.
 */
typedef struct
{
  guint ref_count; /* one more for a lookup that may still call back */
  LoopEventLoop *loop;
  LoopFuture *future;
  LoopCloseHook hook;
  LoopServer *server;
  GStrv hosts;
  guint16 port;
  int family;
  int flags;
  gboolean reuse_address;
  gboolean reuse_port;
  gboolean keep_alive;
  gboolean start_serving;
  GPtrArray *addresses; /* of all hosts so far */
  guint next_host;
  LoopFuture *lookup;
  guint64 lookup_callback;
} ServerCreation;

static void look_up_next_host (ServerCreation *self);

static void
server_creation_unref (gpointer data)
{
  ServerCreation *self = data;

  if (--self->ref_count > 0)
    return;

  g_object_unref (self->future);
  g_free (self);
}

static void
server_creation_end (ServerCreation *self)
{
  loop_close_hook_remove (&self->hook);
  loop_resolver_abandon (&self->lookup, self->lookup_callback);

  if (self->server != NULL)
    loop_server_close (self->server);

  g_clear_object (&self->server);
  g_clear_pointer (&self->addresses, g_ptr_array_unref);
  g_clear_pointer (&self->hosts, g_strfreev);
  server_creation_unref (self);
}

static void
server_creation_loop_closed (LoopCloseHook *hook)
{
  server_creation_end ((ServerCreation *) ((char *) hook - G_STRUCT_OFFSET (ServerCreation, hook)));
}

static void
server_creation_done (LoopFuture *future, gpointer user_data)
{
  ServerCreation *self = user_data;

  /* The server is the caller's now, unless it was made for nothing. */
  if (!loop_future_cancelled (future) && self->server != NULL && self->server->listeners != NULL &&
      self->server->listeners->len > 0)
    g_clear_object (&self->server);

  server_creation_end (self);
}

static gboolean
contains_address (GPtrArray *addresses, const LoopResolvedAddress *address)
{
  for (guint i = 0; i < addresses->len; i++)
    {
      const LoopResolvedAddress *other = g_ptr_array_index (addresses, i);

      if (other->length == address->length && memcmp (&other->address, &address->address, address->length) == 0)
        return TRUE;
    }

  return FALSE;
}

static guint16
get_port (const struct sockaddr_storage *address)
{
  if (address->ss_family == AF_INET6)
    return g_ntohs (((const struct sockaddr_in6 *) address)->sin6_port);
  if (address->ss_family == AF_INET)
    return g_ntohs (((const struct sockaddr_in *) address)->sin_port);

  return 0;
}

static void
set_port (struct sockaddr_storage *address, guint16 port)
{
  if (address->ss_family == AF_INET6)
    ((struct sockaddr_in6 *) address)->sin6_port = g_htons (port);
  else if (address->ss_family == AF_INET)
    ((struct sockaddr_in *) address)->sin_port = g_htons (port);
}

/*
 * Binds, for port 0 first to the port that the server's first socket got, so that a
 * server on several addresses is reached at one port wherever that is possible.
 */
static gboolean
bind_address (ServerCreation *self, int fd, LoopResolvedAddress *address)
{
  struct sockaddr_storage bound;
  socklen_t length = sizeof bound;

  if (self->port == 0 && self->server->port != 0)
    {
      set_port (&address->address, self->server->port);
      if (bind (fd, (const struct sockaddr *) &address->address, address->length) == 0)
        return TRUE;
      set_port (&address->address, 0);
    }

  if (bind (fd, (const struct sockaddr *) &address->address, address->length) < 0)
    return FALSE;

  if (self->server->port == 0 && getsockname (fd, (struct sockaddr *) &bound, &length) == 0)
    self->server->port = get_port (&bound);

  return TRUE;
}

static gboolean
set_options (ServerCreation *self, int fd, int family, GError **error)
{
  int one = 1;

  if (self->keep_alive && setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one) < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not set SO_KEEPALIVE");
      return FALSE;
    }

  if (self->reuse_address && setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not set SO_REUSEADDR");
      return FALSE;
    }

  if (self->reuse_port && setsockopt (fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not set SO_REUSEPORT");
      return FALSE;
    }

  /* IPv4 has a socket of its own. */
  if (family == AF_INET6 && setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not set IPV6_V6ONLY");
      return FALSE;
    }

  return TRUE;
}

/* Returns: %FALSE on an error that ends the whole call; an address family that is missing does not */
static gboolean
open_socket (ServerCreation *self, LoopResolvedAddress *address, GError **error)
{
  g_autoptr (GSocket) socket = NULL;
  int fd = loop_socket_new (address->family, address->proto, NULL);

  if (fd < 0)
    {
      if (errno == EAFNOSUPPORT)
        return TRUE;
      loop_set_error_from_errno (error, errno, "Could not create a socket");
      return FALSE;
    }

  if (!set_options (self, fd, address->family, error))
    {
      close (fd);
      return FALSE;
    }

  if (!bind_address (self, fd, address))
    {
      int saved_errno = errno;
      g_autofree char *text = NULL;

      close (fd);

      /* IPv6, for example, may be there and switched off. */
      if (saved_errno == EADDRNOTAVAIL)
        return TRUE;

      text = loop_resolved_address_to_string ((const struct sockaddr *) &address->address, address->length);
      loop_set_error_from_errno (error, saved_errno, "Could not bind to %s", text);
      return FALSE;
    }

  socket = loop_socket_wrap (fd, error);
  if (socket == NULL)
    return FALSE;
  g_socket_set_blocking (socket, FALSE);

  return loop_server_add_socket (self->server, socket, NULL, error);
}

static gboolean
open_sockets (ServerCreation *self, GError **error)
{
  for (guint i = 0; i < self->addresses->len; i++)
    {
      if (!open_socket (self, g_ptr_array_index (self->addresses, i), error))
        return FALSE;
    }

  if (self->server->listeners->len == 0)
    {
      g_autofree char *hosts = g_strjoinv (", ", self->hosts);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "No address of “%s” is there to be bound to", hosts);
      return FALSE;
    }

  return TRUE;
}

static void
finish (ServerCreation *self)
{
  GError *error = NULL;

  if (self->start_serving && !loop_server_listen (self->server, &error))
    {
      loop_server_close (self->server);
      loop_future_fail (self->future, error);
      return;
    }

  loop_future_fulfil_object (self->future, self->server);
}

static void
host_found (LoopFuture *lookup, gpointer user_data)
{
  ServerCreation *self = user_data;
  g_autoptr (GPtrArray) found = NULL;
  GError *error = NULL;

  if (!loop_future_is_pending (self->future))
    return;

  found = loop_resolver_dup_result (lookup, &error);
  g_clear_object (&self->lookup);

  if (found == NULL)
    {
      loop_future_fail (self->future, error);
      return;
    }

  for (guint i = 0; i < found->len; i++)
    {
      const LoopResolvedAddress *address = g_ptr_array_index (found, i);

      if (!contains_address (self->addresses, address))
        g_ptr_array_add (self->addresses, g_memdup2 (address, sizeof *address));
    }

  look_up_next_host (self);
}

static void
look_up_next_host (ServerCreation *self)
{
  const char *host = self->hosts[self->next_host];
  GError *error = NULL;

  if (host != NULL)
    {
      self->next_host++;
      self->lookup = loop_resolver_lookup (self->loop, *host != '\0' ? host : NULL, self->port, self->family,
                                           SOCK_STREAM, 0, self->flags);
      self->ref_count++;
      self->lookup_callback = loop_future_add_done_callback (self->lookup, host_found, self, server_creation_unref);
      return;
    }

  if (open_sockets (self, &error))
    {
      finish (self);
      return;
    }

  loop_server_close (self->server);
  loop_future_fail (self->future, error);
}

static gboolean
check_arguments (const char *const *hosts, guint16 port, LoopServerOptions *options, GError **error)
{
  GSocket *sock = options != NULL ? loop_server_options_get_sock (options) : NULL;

  if (sock != NULL && (hosts != NULL || port != 0))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                           "A host or port, and a socket, cannot be given at the same time");
      return FALSE;
    }

  return sock == NULL || loop_socket_check_stream (sock, error);
}

/**
 * loop_event_loop_create_server:
 * @self: an event loop
 * @hosts: (nullable) (array zero-terminated=1) (element-type filename): host names or addresses; an empty one, and
 *   %NULL in the place of the array, stand for all interfaces
 * @port: a port; 0 for one that the kernel chooses, the same for all hosts if possible
 * @options: (nullable): options
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol for each connection
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Makes a TCP server that listens on all addresses of @hosts.
 *
 * Returns: (transfer full): a future for the [class@Server]; it fails with
 *   %G_IO_ERROR_INVALID_ARGUMENT, with an error of %G_RESOLVER_ERROR, or with an I/O error
 *   such as %G_IO_ERROR_ADDRESS_IN_USE
 */
LoopFuture *
loop_event_loop_create_server (LoopEventLoop *self,
                               const char *const *hosts,
                               guint16 port,
                               LoopServerOptions *options,
                               LoopProtocolFactory factory,
                               gpointer user_data,
                               GDestroyNotify notify)
{
  static const char *const all_interfaces[] = { "", NULL };
  g_autoptr (LoopServerOptions) defaults = NULL;
  g_autoptr (LoopFuture) future = NULL;
  ServerCreation *creation;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_SERVER_OPTIONS (options), NULL);
  g_return_val_if_fail (factory != NULL, NULL);

  if (!loop_event_loop_check_usable (self, &error) || !check_arguments (hosts, port, options, &error))
    {
      loop_destroy_user_data (user_data, notify);
      return loop_future_new_failed (self, "create_server", error);
    }

  if (options == NULL)
    options = defaults = loop_server_options_new ();

  future = loop_future_new (self, "create_server");

  creation = g_new0 (ServerCreation, 1);
  creation->ref_count = 1;
  creation->loop = self;
  creation->future = g_object_ref (future);
  creation->server = loop_server_new (self, loop_server_options_get_backlog (options), factory, user_data, notify);
  creation->hosts = g_strdupv ((GStrv) (hosts != NULL && hosts[0] != NULL ? hosts : all_interfaces));
  creation->port = port;
  creation->family = loop_server_options_get_family (options);
  creation->flags = loop_server_options_get_flags (options);
  creation->reuse_address = loop_server_options_get_reuse_address (options);
  creation->reuse_port = loop_server_options_get_reuse_port (options);
  creation->keep_alive = loop_server_options_get_keep_alive (options);
  creation->start_serving = loop_server_options_get_start_serving (options);
  creation->addresses = g_ptr_array_new_with_free_func (g_free);
  creation->hook.closed = server_creation_loop_closed;
  loop_event_loop_add_close_hook (self, &creation->hook);
  loop_future_add_done_callback (future, server_creation_done, creation, NULL);

  if (loop_server_options_get_sock (options) == NULL)
    {
      look_up_next_host (creation);
    }
  else if (loop_server_add_socket (creation->server, loop_server_options_get_sock (options), NULL, &error))
    {
      g_socket_set_blocking (loop_server_options_get_sock (options), FALSE);
      finish (creation);
    }
  else
    {
      loop_future_fail (future, error);
    }

  return g_steal_pointer (&future);
}
