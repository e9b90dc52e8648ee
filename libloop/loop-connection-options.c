/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-connection-options.h"

#include "loop-options-private.h"

#include <math.h>
#include <netdb.h>

/**
 * LoopConnectionOptions:
 *
 * How a connection is made: the keyword arguments of asyncio's `create_connection`.
 *
 * Options may be used any number of times; a call looks at them before it returns.
 */
struct _LoopConnectionOptions
{
  GObject parent_instance;

  int family;
  int proto;
  int flags;
  GSocket *sock;
  GSocketConnectable *local_addr;
  double happy_eyeballs_delay;
  int interleave;
  gboolean all_errors;
};

G_DEFINE_FINAL_TYPE (LoopConnectionOptions, loop_connection_options, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_FAMILY,
  PROP_PROTO,
  PROP_FLAGS,
  PROP_SOCK,
  PROP_LOCAL_ADDR,
  PROP_HAPPY_EYEBALLS_DELAY,
  PROP_INTERLEAVE,
  PROP_ALL_ERRORS,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

/* Where the properties are in the instance. */
static const gsize offsets[N_PROPS] = {
  [PROP_FAMILY] = G_STRUCT_OFFSET (LoopConnectionOptions, family),
  [PROP_PROTO] = G_STRUCT_OFFSET (LoopConnectionOptions, proto),
  [PROP_FLAGS] = G_STRUCT_OFFSET (LoopConnectionOptions, flags),
  [PROP_SOCK] = G_STRUCT_OFFSET (LoopConnectionOptions, sock),
  [PROP_LOCAL_ADDR] = G_STRUCT_OFFSET (LoopConnectionOptions, local_addr),
  [PROP_HAPPY_EYEBALLS_DELAY] = G_STRUCT_OFFSET (LoopConnectionOptions, happy_eyeballs_delay),
  [PROP_INTERLEAVE] = G_STRUCT_OFFSET (LoopConnectionOptions, interleave),
  [PROP_ALL_ERRORS] = G_STRUCT_OFFSET (LoopConnectionOptions, all_errors),
};

static void
loop_connection_options_dispose (GObject *object)
{
  LoopConnectionOptions *self = LOOP_CONNECTION_OPTIONS (object);

  g_clear_object (&self->sock);
  g_clear_object (&self->local_addr);

  G_OBJECT_CLASS (loop_connection_options_parent_class)->dispose (object);
}

static void
loop_connection_options_get_property (GObject *object, guint property_id, GValue *value, GParamSpec *pspec)
{
  loop_options_get_property (object, offsets[property_id], value);
}

static void
loop_connection_options_set_property (GObject *object, guint property_id, const GValue *value, GParamSpec *pspec)
{
  loop_options_set_property (object, offsets[property_id], value, pspec);
}

static void
loop_connection_options_class_init (LoopConnectionOptionsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = loop_connection_options_dispose;
  object_class->get_property = loop_connection_options_get_property;
  object_class->set_property = loop_connection_options_set_property;

  /**
   * LoopConnectionOptions:family: (getter get_family) (setter set_family)
   *
   * The address family, such as `AF_INET6`; 0 for any.
   */
  properties[PROP_FAMILY] = g_param_spec_int ("family", NULL, NULL, 0, G_MAXINT, 0,
                                              G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopConnectionOptions:proto: (getter get_proto) (setter set_proto)
   *
   * The protocol that is passed to `getaddrinfo()`.
   */
  properties[PROP_PROTO] = g_param_spec_int ("proto", NULL, NULL, 0, G_MAXINT, 0,
                                             G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopConnectionOptions:flags: (getter get_flags) (setter set_flags)
   *
   * The flags that are passed to `getaddrinfo()`.
   */
  properties[PROP_FLAGS] = g_param_spec_int ("flags", NULL, NULL, 0, G_MAXINT, 0,
                                             G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopConnectionOptions:sock: (getter get_sock) (setter set_sock)
   *
   * A connected stream socket to be used, in the place of a host and a port. The
   * transport closes it in the end.
   */
  properties[PROP_SOCK] = g_param_spec_object ("sock", NULL, NULL, G_TYPE_SOCKET,
                                               G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopConnectionOptions:local-addr: (getter get_local_addr) (setter set_local_addr)
   *
   * The address to bind to: a [class@Gio.InetSocketAddress], or a
   * [class@Gio.NetworkAddress] that is looked up.
   */
  properties[PROP_LOCAL_ADDR] =
      g_param_spec_object ("local-addr", NULL, NULL, G_TYPE_SOCKET_CONNECTABLE,
                           G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopConnectionOptions:happy-eyeballs-delay: (getter get_happy_eyeballs_delay) (setter set_happy_eyeballs_delay)
   *
   * How long, in seconds, an attempt has before the next address is tried beside it: RFC 8305 recommends 0.25. Negative,
   * which is the default, means that addresses are tried one after another.
   */
  properties[PROP_HAPPY_EYEBALLS_DELAY] =
      g_param_spec_double ("happy-eyeballs-delay", NULL, NULL, -G_MAXDOUBLE, G_MAXDOUBLE, -1.0,
                           G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopConnectionOptions:interleave: (getter get_interleave) (setter set_interleave)
   *
   * How addresses of IPv4 and IPv6 are put in turn: so many of the family that was found first, then one of each. 0 leaves
   * them in the order in which they were found. Negative, which is the default, is 1 with
   * [property@ConnectionOptions:happy-eyeballs-delay], and 0 without.
   */
  properties[PROP_INTERLEAVE] = g_param_spec_int ("interleave", NULL, NULL, G_MININT, G_MAXINT, -1,
                                                  G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopConnectionOptions:all-errors: (getter get_all_errors) (setter set_all_errors)
   *
   * Whether the errors of all attempts are kept for [func@connection_get_errors], if all of them fail.
   */
  properties[PROP_ALL_ERRORS] = g_param_spec_boolean (
      "all-errors", NULL, NULL, FALSE, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loop_connection_options_init (LoopConnectionOptions *self)
{
  self->happy_eyeballs_delay = -1.0;
  self->interleave = -1;
}

/**
 * loop_connection_options_new:
 *
 * Makes options with their default values.
 *
 * Returns: (transfer full): the options
 */
LoopConnectionOptions *
loop_connection_options_new (void)
{
  return g_object_new (LOOP_TYPE_CONNECTION_OPTIONS, NULL);
}

/**
 * loop_connection_options_get_family:
 * @self: the options
 *
 * Gets [property@ConnectionOptions:family].
 *
 * Returns: the value
 */
int
loop_connection_options_get_family (LoopConnectionOptions *self)
{
  g_return_val_if_fail (LOOP_IS_CONNECTION_OPTIONS (self), 0);

  return self->family;
}

/**
 * loop_connection_options_set_family:
 * @self: the options
 * @family: the value
 *
 * Sets [property@ConnectionOptions:family].
 */
void
loop_connection_options_set_family (LoopConnectionOptions *self, int family)
{
  g_return_if_fail (LOOP_IS_CONNECTION_OPTIONS (self));

  loop_options_set_int (self, &self->family, family, properties[PROP_FAMILY]);
}

/**
 * loop_connection_options_get_proto:
 * @self: the options
 *
 * Gets [property@ConnectionOptions:proto].
 *
 * Returns: the value
 */
int
loop_connection_options_get_proto (LoopConnectionOptions *self)
{
  g_return_val_if_fail (LOOP_IS_CONNECTION_OPTIONS (self), 0);

  return self->proto;
}

/**
 * loop_connection_options_set_proto:
 * @self: the options
 * @proto: the value
 *
 * Sets [property@ConnectionOptions:proto].
 */
void
loop_connection_options_set_proto (LoopConnectionOptions *self, int proto)
{
  g_return_if_fail (LOOP_IS_CONNECTION_OPTIONS (self));

  loop_options_set_int (self, &self->proto, proto, properties[PROP_PROTO]);
}

/**
 * loop_connection_options_get_flags:
 * @self: the options
 *
 * Gets [property@ConnectionOptions:flags].
 *
 * Returns: the value
 */
int
loop_connection_options_get_flags (LoopConnectionOptions *self)
{
  g_return_val_if_fail (LOOP_IS_CONNECTION_OPTIONS (self), 0);

  return self->flags;
}

/**
 * loop_connection_options_set_flags:
 * @self: the options
 * @flags: the value
 *
 * Sets [property@ConnectionOptions:flags].
 */
void
loop_connection_options_set_flags (LoopConnectionOptions *self, int flags)
{
  g_return_if_fail (LOOP_IS_CONNECTION_OPTIONS (self));

  loop_options_set_int (self, &self->flags, flags, properties[PROP_FLAGS]);
}

/**
 * loop_connection_options_get_sock:
 * @self: the options
 *
 * Gets [property@ConnectionOptions:sock].
 *
 * Returns: (transfer none) (nullable): the value
 */
GSocket *
loop_connection_options_get_sock (LoopConnectionOptions *self)
{
  g_return_val_if_fail (LOOP_IS_CONNECTION_OPTIONS (self), NULL);

  return self->sock;
}

/**
 * loop_connection_options_set_sock:
 * @self: the options
 * @sock: (nullable): the value
 *
 * Sets [property@ConnectionOptions:sock].
 */
void
loop_connection_options_set_sock (LoopConnectionOptions *self, GSocket *sock)
{
  g_return_if_fail (LOOP_IS_CONNECTION_OPTIONS (self));

  loop_options_set_object (self, &self->sock, sock, properties[PROP_SOCK]);
}

/**
 * loop_connection_options_get_local_addr:
 * @self: the options
 *
 * Gets [property@ConnectionOptions:local-addr].
 *
 * Returns: (transfer none) (nullable): the value
 */
GSocketConnectable *
loop_connection_options_get_local_addr (LoopConnectionOptions *self)
{
  g_return_val_if_fail (LOOP_IS_CONNECTION_OPTIONS (self), NULL);

  return self->local_addr;
}

/**
 * loop_connection_options_set_local_addr:
 * @self: the options
 * @local_addr: (nullable): the value
 *
 * Sets [property@ConnectionOptions:local-addr].
 */
void
loop_connection_options_set_local_addr (LoopConnectionOptions *self, GSocketConnectable *local_addr)
{
  g_return_if_fail (LOOP_IS_CONNECTION_OPTIONS (self));

  loop_options_set_object (self, &self->local_addr, local_addr, properties[PROP_LOCAL_ADDR]);
}

/**
 * loop_connection_options_get_happy_eyeballs_delay:
 * @self: the options
 *
 * Gets [property@ConnectionOptions:happy-eyeballs-delay].
 *
 * Returns: the value
 */
double
loop_connection_options_get_happy_eyeballs_delay (LoopConnectionOptions *self)
{
  g_return_val_if_fail (LOOP_IS_CONNECTION_OPTIONS (self), 0.0);

  return self->happy_eyeballs_delay;
}

/**
 * loop_connection_options_set_happy_eyeballs_delay:
 * @self: the options
 * @happy_eyeballs_delay: the value
 *
 * Sets [property@ConnectionOptions:happy-eyeballs-delay].
 */
void
loop_connection_options_set_happy_eyeballs_delay (LoopConnectionOptions *self, double happy_eyeballs_delay)
{
  g_return_if_fail (LOOP_IS_CONNECTION_OPTIONS (self));
  g_return_if_fail (!isnan (happy_eyeballs_delay));

  loop_options_set_double (self, &self->happy_eyeballs_delay, happy_eyeballs_delay,
                           properties[PROP_HAPPY_EYEBALLS_DELAY]);
}

/**
 * loop_connection_options_get_interleave:
 * @self: the options
 *
 * Gets [property@ConnectionOptions:interleave].
 *
 * Returns: the value
 */
int
loop_connection_options_get_interleave (LoopConnectionOptions *self)
{
  g_return_val_if_fail (LOOP_IS_CONNECTION_OPTIONS (self), 0);

  return self->interleave;
}

/**
 * loop_connection_options_set_interleave:
 * @self: the options
 * @interleave: the value
 *
 * Sets [property@ConnectionOptions:interleave].
 */
void
loop_connection_options_set_interleave (LoopConnectionOptions *self, int interleave)
{
  g_return_if_fail (LOOP_IS_CONNECTION_OPTIONS (self));

  loop_options_set_int (self, &self->interleave, interleave, properties[PROP_INTERLEAVE]);
}

/**
 * loop_connection_options_get_all_errors:
 * @self: the options
 *
 * Gets [property@ConnectionOptions:all-errors].
 *
 * Returns: the value
 */
gboolean
loop_connection_options_get_all_errors (LoopConnectionOptions *self)
{
  g_return_val_if_fail (LOOP_IS_CONNECTION_OPTIONS (self), FALSE);

  return self->all_errors;
}

/**
 * loop_connection_options_set_all_errors:
 * @self: the options
 * @all_errors: the value
 *
 * Sets [property@ConnectionOptions:all-errors].
 */
void
loop_connection_options_set_all_errors (LoopConnectionOptions *self, gboolean all_errors)
{
  g_return_if_fail (LOOP_IS_CONNECTION_OPTIONS (self));

  loop_options_set_boolean (self, &self->all_errors, all_errors, properties[PROP_ALL_ERRORS]);
}
