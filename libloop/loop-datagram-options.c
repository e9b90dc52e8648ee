/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-datagram-options.h"

#include "loop-options-private.h"

/**
 * LoopDatagramOptions:
 *
 * How a datagram endpoint is made: the keyword arguments of asyncio's
 * `create_datagram_endpoint`.
 *
 * Options may be used any number of times; a call looks at them before it returns.
 */
struct _LoopDatagramOptions
{
  GObject parent_instance;

  int family;
  int proto;
  int flags;
  gboolean reuse_port;
  gboolean allow_broadcast;
  GSocket *sock;
  GSocketConnectable *local_addr;
  GSocketConnectable *remote_addr;
};

G_DEFINE_FINAL_TYPE (LoopDatagramOptions, loop_datagram_options, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_FAMILY,
  PROP_PROTO,
  PROP_FLAGS,
  PROP_SOCK,
  PROP_LOCAL_ADDR,
  PROP_REMOTE_ADDR,
  PROP_REUSE_PORT,
  PROP_ALLOW_BROADCAST,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

/* Where the properties are in the instance. */
static const gsize offsets[N_PROPS] = {
  [PROP_FAMILY] = G_STRUCT_OFFSET (LoopDatagramOptions, family),
  [PROP_PROTO] = G_STRUCT_OFFSET (LoopDatagramOptions, proto),
  [PROP_FLAGS] = G_STRUCT_OFFSET (LoopDatagramOptions, flags),
  [PROP_SOCK] = G_STRUCT_OFFSET (LoopDatagramOptions, sock),
  [PROP_LOCAL_ADDR] = G_STRUCT_OFFSET (LoopDatagramOptions, local_addr),
  [PROP_REMOTE_ADDR] = G_STRUCT_OFFSET (LoopDatagramOptions, remote_addr),
  [PROP_REUSE_PORT] = G_STRUCT_OFFSET (LoopDatagramOptions, reuse_port),
  [PROP_ALLOW_BROADCAST] = G_STRUCT_OFFSET (LoopDatagramOptions, allow_broadcast),
};

static void
loop_datagram_options_dispose (GObject *object)
{
  LoopDatagramOptions *self = LOOP_DATAGRAM_OPTIONS (object);

  g_clear_object (&self->sock);
  g_clear_object (&self->local_addr);
  g_clear_object (&self->remote_addr);

  G_OBJECT_CLASS (loop_datagram_options_parent_class)->dispose (object);
}

static void
loop_datagram_options_get_property (GObject *object, guint property_id, GValue *value, GParamSpec *pspec)
{
  loop_options_get_property (object, offsets[property_id], value);
}

static void
loop_datagram_options_set_property (GObject *object, guint property_id, const GValue *value, GParamSpec *pspec)
{
  loop_options_set_property (object, offsets[property_id], value, pspec);
}

static void
loop_datagram_options_class_init (LoopDatagramOptionsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = loop_datagram_options_dispose;
  object_class->get_property = loop_datagram_options_get_property;
  object_class->set_property = loop_datagram_options_set_property;

  /**
   * LoopDatagramOptions:family: (getter get_family) (setter set_family)
   *
   * The address family, such as `AF_INET6`; 0 for any.
   */
  properties[PROP_FAMILY] = g_param_spec_int ("family", NULL, NULL, 0, G_MAXINT, 0,
                                              G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopDatagramOptions:proto: (getter get_proto) (setter set_proto)
   *
   * The protocol that is passed to `getaddrinfo()` and `socket()`.
   */
  properties[PROP_PROTO] = g_param_spec_int ("proto", NULL, NULL, 0, G_MAXINT, 0,
                                             G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopDatagramOptions:flags: (getter get_flags) (setter set_flags)
   *
   * The flags that are passed to `getaddrinfo()`.
   */
  properties[PROP_FLAGS] = g_param_spec_int ("flags", NULL, NULL, 0, G_MAXINT, 0,
                                             G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopDatagramOptions:sock: (getter get_sock) (setter set_sock)
   *
   * A datagram socket to be used, with no other option. The transport closes it in the end.
   */
  properties[PROP_SOCK] = g_param_spec_object ("sock", NULL, NULL, G_TYPE_SOCKET,
                                               G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopDatagramOptions:local-addr: (getter get_local_addr) (setter set_local_addr)
   *
   * The address to bind to: a [class@Gio.InetSocketAddress], a [class@Gio.NetworkAddress]
   * that is looked up, or a [class@Gio.UnixSocketAddress].
   */
  properties[PROP_LOCAL_ADDR] =
      g_param_spec_object ("local-addr", NULL, NULL, G_TYPE_SOCKET_CONNECTABLE,
                           G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopDatagramOptions:remote-addr: (getter get_remote_addr) (setter set_remote_addr)
   *
   * The address to connect to, and to receive from alone; of the kinds that
   * [property@DatagramOptions:local-addr] may be of. With
   * [property@DatagramOptions:allow-broadcast] it is only what is sent to when no other
   * address is given.
   */
  properties[PROP_REMOTE_ADDR] =
      g_param_spec_object ("remote-addr", NULL, NULL, G_TYPE_SOCKET_CONNECTABLE,
                           G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopDatagramOptions:reuse-port: (getter get_reuse_port) (setter set_reuse_port)
   *
   * Whether other sockets may be bound to the same address and port, all of which set this.
   */
  properties[PROP_REUSE_PORT] = g_param_spec_boolean (
      "reuse-port", NULL, NULL, FALSE, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopDatagramOptions:allow-broadcast: (getter get_allow_broadcast) (setter set_allow_broadcast)
   *
   * Whether datagrams may be sent to broadcast addresses.
   */
  properties[PROP_ALLOW_BROADCAST] = g_param_spec_boolean (
      "allow-broadcast", NULL, NULL, FALSE, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loop_datagram_options_init (LoopDatagramOptions *self)
{
}

/**
 * loop_datagram_options_new:
 *
 * Makes options with their default values.
 *
 * Returns: (transfer full): the options
 */
LoopDatagramOptions *
loop_datagram_options_new (void)
{
  return g_object_new (LOOP_TYPE_DATAGRAM_OPTIONS, NULL);
}

/**
 * loop_datagram_options_get_family:
 * @self: the options
 *
 * Gets [property@DatagramOptions:family].
 *
 * Returns: the value
 */
int
loop_datagram_options_get_family (LoopDatagramOptions *self)
{
  g_return_val_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self), 0);

  return self->family;
}

/**
 * loop_datagram_options_set_family:
 * @self: the options
 * @family: the value
 *
 * Sets [property@DatagramOptions:family].
 */
void
loop_datagram_options_set_family (LoopDatagramOptions *self, int family)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self));

  loop_options_set_int (self, &self->family, family, properties[PROP_FAMILY]);
}

/**
 * loop_datagram_options_get_proto:
 * @self: the options
 *
 * Gets [property@DatagramOptions:proto].
 *
 * Returns: the value
 */
int
loop_datagram_options_get_proto (LoopDatagramOptions *self)
{
  g_return_val_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self), 0);

  return self->proto;
}

/**
 * loop_datagram_options_set_proto:
 * @self: the options
 * @proto: the value
 *
 * Sets [property@DatagramOptions:proto].
 */
void
loop_datagram_options_set_proto (LoopDatagramOptions *self, int proto)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self));

  loop_options_set_int (self, &self->proto, proto, properties[PROP_PROTO]);
}

/**
 * loop_datagram_options_get_flags:
 * @self: the options
 *
 * Gets [property@DatagramOptions:flags].
 *
 * Returns: the value
 */
int
loop_datagram_options_get_flags (LoopDatagramOptions *self)
{
  g_return_val_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self), 0);

  return self->flags;
}

/**
 * loop_datagram_options_set_flags:
 * @self: the options
 * @flags: the value
 *
 * Sets [property@DatagramOptions:flags].
 */
void
loop_datagram_options_set_flags (LoopDatagramOptions *self, int flags)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self));

  loop_options_set_int (self, &self->flags, flags, properties[PROP_FLAGS]);
}

/**
 * loop_datagram_options_get_sock:
 * @self: the options
 *
 * Gets [property@DatagramOptions:sock].
 *
 * Returns: (transfer none) (nullable): the value
 */
GSocket *
loop_datagram_options_get_sock (LoopDatagramOptions *self)
{
  g_return_val_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self), NULL);

  return self->sock;
}

/**
 * loop_datagram_options_set_sock:
 * @self: the options
 * @sock: (nullable): the value
 *
 * Sets [property@DatagramOptions:sock].
 */
void
loop_datagram_options_set_sock (LoopDatagramOptions *self, GSocket *sock)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self));

  loop_options_set_object (self, &self->sock, sock, properties[PROP_SOCK]);
}

/**
 * loop_datagram_options_get_local_addr:
 * @self: the options
 *
 * Gets [property@DatagramOptions:local-addr].
 *
 * Returns: (transfer none) (nullable): the value
 */
GSocketConnectable *
loop_datagram_options_get_local_addr (LoopDatagramOptions *self)
{
  g_return_val_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self), NULL);

  return self->local_addr;
}

/**
 * loop_datagram_options_set_local_addr:
 * @self: the options
 * @local_addr: (nullable): the value
 *
 * Sets [property@DatagramOptions:local-addr].
 */
void
loop_datagram_options_set_local_addr (LoopDatagramOptions *self, GSocketConnectable *local_addr)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self));

  loop_options_set_object (self, &self->local_addr, local_addr, properties[PROP_LOCAL_ADDR]);
}

/**
 * loop_datagram_options_get_remote_addr:
 * @self: the options
 *
 * Gets [property@DatagramOptions:remote-addr].
 *
 * Returns: (transfer none) (nullable): the value
 */
GSocketConnectable *
loop_datagram_options_get_remote_addr (LoopDatagramOptions *self)
{
  g_return_val_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self), NULL);

  return self->remote_addr;
}

/**
 * loop_datagram_options_set_remote_addr:
 * @self: the options
 * @remote_addr: (nullable): the value
 *
 * Sets [property@DatagramOptions:remote-addr].
 */
void
loop_datagram_options_set_remote_addr (LoopDatagramOptions *self, GSocketConnectable *remote_addr)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self));

  loop_options_set_object (self, &self->remote_addr, remote_addr, properties[PROP_REMOTE_ADDR]);
}

/**
 * loop_datagram_options_get_reuse_port:
 * @self: the options
 *
 * Gets [property@DatagramOptions:reuse-port].
 *
 * Returns: the value
 */
gboolean
loop_datagram_options_get_reuse_port (LoopDatagramOptions *self)
{
  g_return_val_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self), FALSE);

  return self->reuse_port;
}

/**
 * loop_datagram_options_set_reuse_port:
 * @self: the options
 * @reuse_port: the value
 *
 * Sets [property@DatagramOptions:reuse-port].
 */
void
loop_datagram_options_set_reuse_port (LoopDatagramOptions *self, gboolean reuse_port)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self));

  loop_options_set_boolean (self, &self->reuse_port, reuse_port, properties[PROP_REUSE_PORT]);
}

/**
 * loop_datagram_options_get_allow_broadcast:
 * @self: the options
 *
 * Gets [property@DatagramOptions:allow-broadcast].
 *
 * Returns: the value
 */
gboolean
loop_datagram_options_get_allow_broadcast (LoopDatagramOptions *self)
{
  g_return_val_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self), FALSE);

  return self->allow_broadcast;
}

/**
 * loop_datagram_options_set_allow_broadcast:
 * @self: the options
 * @allow_broadcast: the value
 *
 * Sets [property@DatagramOptions:allow-broadcast].
 */
void
loop_datagram_options_set_allow_broadcast (LoopDatagramOptions *self, gboolean allow_broadcast)
{
  g_return_if_fail (LOOP_IS_DATAGRAM_OPTIONS (self));

  loop_options_set_boolean (self, &self->allow_broadcast, allow_broadcast, properties[PROP_ALLOW_BROADCAST]);
}
