/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-datagram-endpoint.h"

#include "loop-datagram-options.h"
#include "loop-datagram-transport-private.h"
#include "loop-resolver-private.h"
#include "loop-unix-path-private.h"

#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

typedef enum
{
  LOCAL,
  REMOTE,
  N_SIDES,
} Side;

/*
 * One call of create_datagram_endpoint, while the addresses are looked up. As with a connector,
 * the future's done callback takes it apart.
 */
typedef struct
{
  guint ref_count; /* one more for a lookup that may still call back, and for the factory while it runs */
  LoopEventLoop *loop;
  LoopFuture *future;
  LoopCloseHook hook;

  int family;
  int proto;
  int flags;
  gboolean reuse_port;
  gboolean allow_broadcast;
  GSocketConnectable *addresses[N_SIDES]; /* or NULL */
  GPtrArray *found[N_SIDES];              /* or NULL: LoopResolvedAddress */
  LoopProtocolFactory factory;
  gpointer factory_data;
  GDestroyNotify factory_notify;

  LoopFuture *lookup;
  guint64 lookup_callback;
  LoopTransport *transport;
} Creation;

static void look_up_side (Creation *self, Side side);

static void
creation_unref (gpointer data)
{
  Creation *self = data;

  if (--self->ref_count > 0)
    return;

  loop_destroy_user_data (self->factory_data, self->factory_notify);
  g_object_unref (self->future);
  g_free (self);
}

static void
creation_end (Creation *self)
{
  loop_close_hook_remove (&self->hook);
  loop_resolver_abandon (&self->lookup, self->lookup_callback);

  for (Side side = LOCAL; side < N_SIDES; side++)
    {
      g_clear_object (&self->addresses[side]);
      g_clear_pointer (&self->found[side], g_ptr_array_unref);
    }
  g_clear_object (&self->transport);
  creation_unref (self);
}

static void
creation_loop_closed (LoopCloseHook *hook)
{
  creation_end ((Creation *) ((char *) hook - G_STRUCT_OFFSET (Creation, hook)));
}

static void
creation_done (LoopFuture *future, gpointer user_data)
{
  Creation *self = user_data;

  if (loop_future_cancelled (future) && self->transport != NULL)
    loop_transport_abort (self->transport);

  creation_end (self);
}

/* @socket, if there is one, owns @fd. */
static void
make_transport (Creation *self, int fd, GSocket *socket, GSocketAddress *remote)
{
  g_autoptr (GObject) protocol = NULL;
  g_autoptr (LoopDatagramTransport) transport = NULL;
  GError *error = NULL;

  /* In a main loop of its own, the factory may see the future cancelled. */
  self->ref_count++;
  protocol = self->factory (self->factory_data);
  if (loop_future_is_pending (self->future))
    transport = loop_datagram_transport_new (self->loop, fd, socket, remote, protocol, &error);

  if (transport != NULL)
    {
      self->transport = LOOP_TRANSPORT (g_object_ref (transport));
      loop_flow_transport_start ((LoopFlowTransport *) transport, self->future, NULL, NULL);
    }
  else
    {
      if (socket == NULL)
        close (fd);
      if (error != NULL)
        loop_future_fail (self->future, error);
    }

  creation_unref (self);
}

static gboolean
set_option (int fd, int option, const char *name, GError **error)
{
  int one = 1;

  if (setsockopt (fd, SOL_SOCKET, option, &one, sizeof one) == 0)
    return TRUE;

  loop_set_error_from_errno (error, errno, "Could not set %s", name);

  return FALSE;
}

static char *
address_to_string (const LoopResolvedAddress *address)
{
  if (address->family == AF_UNIX)
    return loop_unix_path_to_string ((const struct sockaddr_un *) &address->address, address->length);

  return loop_resolved_address_to_string ((const struct sockaddr *) &address->address, address->length);
}

static gboolean
bind_socket (int fd, const LoopResolvedAddress *local, GError **error)
{
  g_autofree char *text = NULL;

  /* The file is left behind, as asyncio does; it goes when somebody else wants the path. */
  if (local->family == AF_UNIX)
    {
      g_auto (LoopUnixFile) file = { 0 };

      return loop_unix_path_bind (fd, (const struct sockaddr_un *) &local->address, local->length, &file, error);
    }

  if (bind (fd, (const struct sockaddr *) &local->address, local->length) == 0)
    return TRUE;

  text = address_to_string (local);
  loop_set_error_from_errno (error, errno, "Could not bind to %s", text);

  return FALSE;
}

static gboolean
connect_socket (int fd, const LoopResolvedAddress *remote, GError **error)
{
  g_autofree char *text = NULL;
  int status;

  do
    status = connect (fd, (const struct sockaddr *) &remote->address, remote->length);
  while (status < 0 && errno == EINTR);

  if (status == 0)
    return TRUE;

  text = address_to_string (remote);
  loop_set_error_from_errno (error, errno, "Could not connect to %s", text);

  return FALSE;
}

static gboolean
set_up_socket (Creation *self,
               int fd,
               const LoopResolvedAddress *local,
               const LoopResolvedAddress *remote,
               GError **error)
{
  return (!self->reuse_port || set_option (fd, SO_REUSEPORT, "SO_REUSEPORT", error)) &&
         (!self->allow_broadcast || set_option (fd, SO_BROADCAST, "SO_BROADCAST", error)) &&
         (local == NULL || bind_socket (fd, local, error)) &&
         (remote == NULL || self->allow_broadcast || connect_socket (fd, remote, error));
}

/* Returns: a socket with those of the options that are set on it, or -1 */
static int
open_socket (Creation *self,
             int family,
             int proto,
             const LoopResolvedAddress *local,
             const LoopResolvedAddress *remote,
             GError **error)
{
  int fd = socket (family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);

  if (fd < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not create a socket");
      return -1;
    }

  if (set_up_socket (self, fd, local, remote, error))
    return fd;

  close (fd);

  return -1;
}

static const LoopResolvedAddress *
find_partner (GPtrArray *addresses, const LoopResolvedAddress *address)
{
  for (guint i = 0; i < addresses->len; i++)
    {
      const LoopResolvedAddress *other = g_ptr_array_index (addresses, i);

      if (other->family == address->family && other->proto == address->proto)
        return other;
    }

  return NULL;
}

/* Tries the addresses, one pair of a family after another. */
static void
open_endpoint (Creation *self)
{
  GPtrArray *locals = self->found[LOCAL];
  GPtrArray *remotes = self->found[REMOTE];
  GPtrArray *first = locals != NULL ? locals : remotes;
  g_autoptr (GSocketAddress) remote_object = NULL;
  GError *error = NULL;
  int fd = -1;

  if (first == NULL)
    fd = open_socket (self, self->family, self->proto, NULL, NULL, &error);

  for (guint i = 0; first != NULL && i < first->len && fd < 0; i++)
    {
      const LoopResolvedAddress *address = g_ptr_array_index (first, i);
      const LoopResolvedAddress *local = locals != NULL ? address : NULL;
      const LoopResolvedAddress *remote = locals == NULL    ? address
                                          : remotes != NULL ? find_partner (remotes, address)
                                                            : NULL;

      if (remotes != NULL && remote == NULL)
        continue;

      fd = open_socket (self, address->family, address->proto, local, remote, error == NULL ? &error : NULL);
      if (fd >= 0 && remote != NULL)
        remote_object = g_socket_address_new_from_native ((gpointer) &remote->address, remote->length);
    }

  if (fd >= 0)
    {
      g_clear_error (&error);
      make_transport (self, fd, NULL, remote_object);
      return;
    }

  if (error == NULL)
    error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                                 "The local and the remote address have no address family in common");
  loop_future_fail (self->future, error);
}

/* Takes @addresses. */
static void
side_found (Creation *self, Side side, GPtrArray *addresses)
{
  self->found[side] = addresses;

  if (side == LOCAL)
    look_up_side (self, REMOTE);
  else
    open_endpoint (self);
}

static void
host_found (LoopFuture *lookup, gpointer user_data)
{
  Creation *self = user_data;
  /* The local address is looked up first. */
  Side side = self->addresses[LOCAL] != NULL && self->found[LOCAL] == NULL ? LOCAL : REMOTE;
  g_autoptr (GPtrArray) addresses = NULL;
  GError *error = NULL;

  if (!loop_future_is_pending (self->future))
    return;

  addresses = loop_resolver_dup_result (lookup, &error);
  g_clear_object (&self->lookup);

  if (addresses == NULL)
    loop_future_fail (self->future, error);
  else if (addresses->len == 0)
    loop_future_fail (self->future,
                      g_error_new (G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "“%s” has no address",
                                   g_network_address_get_hostname (G_NETWORK_ADDRESS (self->addresses[side]))));
  else
    side_found (self, side, g_steal_pointer (&addresses));
}

static GPtrArray *
take_native (Creation *self, GSocketAddress *address, GError **error)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_free);
  LoopResolvedAddress *native = g_new0 (LoopResolvedAddress, 1);
  gssize length = g_socket_address_get_native_size (address);

  g_ptr_array_add (addresses, native);
  if (!g_socket_address_to_native (address, &native->address, sizeof native->address, error))
    return NULL;

  native->family = native->address.ss_family;
  native->type = SOCK_DGRAM;
  native->length = (socklen_t) length;
  /* As a lookup has it. */
  native->proto = native->family == AF_UNIX ? self->proto : self->proto != 0 ? self->proto : IPPROTO_UDP;
  if (self->family == AF_UNSPEC || self->family == native->family)
    return g_steal_pointer (&addresses);

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                       "An address is of another family than the one that was asked for");

  return NULL;
}

static void
look_up_side (Creation *self, Side side)
{
  GSocketConnectable *connectable = self->addresses[side];
  GPtrArray *addresses = NULL;
  GError *error = NULL;

  if (connectable != NULL && G_IS_NETWORK_ADDRESS (connectable))
    {
      GNetworkAddress *address = G_NETWORK_ADDRESS (connectable);
      const char *host = g_network_address_get_hostname (address);

      self->lookup =
          loop_resolver_lookup (self->loop, *host != '\0' ? host : NULL, g_network_address_get_port (address),
                                self->family, SOCK_DGRAM, self->proto, self->flags | (side == LOCAL ? AI_PASSIVE : 0));
      self->ref_count++;
      self->lookup_callback = loop_future_add_done_callback (self->lookup, host_found, self, creation_unref);
      return;
    }

  if (connectable != NULL)
    addresses = take_native (self, G_SOCKET_ADDRESS (connectable), &error);

  if (error != NULL)
    loop_future_fail (self->future, error);
  else
    side_found (self, side, addresses);
}

static gboolean
refuse (GError **error, const char *message)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, message);

  return FALSE;
}

static gboolean
check_socket (LoopDatagramOptions *options, GError **error)
{
  GSocket *sock = loop_datagram_options_get_sock (options);

  if (g_socket_is_closed (sock))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The socket is closed");
      return FALSE;
    }

  if (g_socket_get_socket_type (sock) != G_SOCKET_TYPE_DATAGRAM)
    return refuse (error, "A datagram socket was expected");

  if (loop_datagram_options_get_local_addr (options) != NULL ||
      loop_datagram_options_get_remote_addr (options) != NULL || loop_datagram_options_get_family (options) != 0 ||
      loop_datagram_options_get_proto (options) != 0 || loop_datagram_options_get_flags (options) != 0 ||
      loop_datagram_options_get_reuse_port (options) || loop_datagram_options_get_allow_broadcast (options))
    return refuse (error, "A socket, and options of one that is made, cannot be given at the same time");

  return TRUE;
}

static gboolean
check_address (LoopDatagramOptions *options, GSocketConnectable *address, GError **error)
{
  gboolean is_unix = loop_datagram_options_get_family (options) == AF_UNIX;

  if (address == NULL)
    return TRUE;

  if (!G_IS_UNIX_SOCKET_ADDRESS (address) && !G_IS_NETWORK_ADDRESS (address) && !G_IS_INET_SOCKET_ADDRESS (address))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "An address must be a GInetSocketAddress, a GNetworkAddress or a GUnixSocketAddress, not %s",
                   G_OBJECT_TYPE_NAME (address));
      return FALSE;
    }

  if (is_unix && !G_IS_UNIX_SOCKET_ADDRESS (address))
    return refuse (error, "An address of the family AF_UNIX must be a GUnixSocketAddress");

  return TRUE;
}

static gboolean
check_options (LoopDatagramOptions *options, GError **error)
{
  GSocketConnectable *local = loop_datagram_options_get_local_addr (options);
  GSocketConnectable *remote = loop_datagram_options_get_remote_addr (options);

  if (loop_datagram_options_get_sock (options) != NULL)
    return check_socket (options, error);

  if (local == NULL && remote == NULL && loop_datagram_options_get_family (options) == 0)
    return refuse (error, "No address, no address family and no socket was given");

  if (!check_address (options, local, error) || !check_address (options, remote, error))
    return FALSE;

  if (local != NULL && remote != NULL && G_IS_UNIX_SOCKET_ADDRESS (local) != G_IS_UNIX_SOCKET_ADDRESS (remote))
    return refuse (error, "The local and the remote address have no address family in common");

  return TRUE;
}

/**
 * loop_event_loop_create_datagram_endpoint:
 * @self: an event loop
 * @options: options, of which at least an address, an address family or a socket is needed
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol, a [iface@DatagramProtocol]
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Makes an endpoint for datagrams, of UDP or on a unix socket. Names are looked up in
 * another thread; the addresses are tried one after another. Then @factory is called for a
 * protocol, the protocol's `connection_made` is called, and the future is fulfilled with
 * the [class@DatagramTransport], which knows its protocol.
 *
 * The path of a unix socket that nobody has any more is taken over; it is not removed when
 * the endpoint is closed. What else can be done with a socket, such as joining a multicast
 * group, is done with the `socket` of [method@Transport.get_extra_info].
 *
 * Cancelling the future gives up, at whatever point.
 *
 * Returns: (transfer full): a future for the transport; it fails with
 *   %G_IO_ERROR_INVALID_ARGUMENT, with an error of %G_RESOLVER_ERROR, with the I/O error of
 *   the first address that was tried, or with %LOOP_ERROR_PROTOCOL_FACTORY
 */
LoopFuture *
loop_event_loop_create_datagram_endpoint (LoopEventLoop *self,
                                          LoopDatagramOptions *options,
                                          LoopProtocolFactory factory,
                                          gpointer user_data,
                                          GDestroyNotify notify)
{
  g_autoptr (LoopFuture) future = NULL;
  Creation *creation;
  GSocket *sock;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (LOOP_IS_DATAGRAM_OPTIONS (options), NULL);
  g_return_val_if_fail (factory != NULL, NULL);

  if (!loop_event_loop_check_usable (self, &error) || !check_options (options, &error))
    {
      loop_destroy_user_data (user_data, notify);
      return loop_future_new_failed (self, "create_datagram_endpoint", error);
    }

  future = loop_future_new (self, "create_datagram_endpoint");

  creation = g_new0 (Creation, 1);
  creation->ref_count = 1;
  creation->loop = self;
  creation->future = g_object_ref (future);
  creation->family = loop_datagram_options_get_family (options);
  creation->proto = loop_datagram_options_get_proto (options);
  creation->flags = loop_datagram_options_get_flags (options);
  creation->reuse_port = loop_datagram_options_get_reuse_port (options);
  creation->allow_broadcast = loop_datagram_options_get_allow_broadcast (options);
  g_set_object (&creation->addresses[LOCAL], loop_datagram_options_get_local_addr (options));
  g_set_object (&creation->addresses[REMOTE], loop_datagram_options_get_remote_addr (options));
  creation->factory = factory;
  creation->factory_data = user_data;
  creation->factory_notify = notify;
  creation->hook.closed = creation_loop_closed;
  loop_event_loop_add_close_hook (self, &creation->hook);
  loop_future_add_done_callback (future, creation_done, creation, NULL);

  sock = loop_datagram_options_get_sock (options);
  if (sock == NULL)
    {
      look_up_side (creation, LOCAL);
    }
  else
    {
      g_socket_set_blocking (sock, FALSE);
      make_transport (creation, g_socket_get_fd (sock), sock, NULL);
    }

  return g_steal_pointer (&future);
}
