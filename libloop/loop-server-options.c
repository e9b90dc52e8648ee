/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-server-options.h"

#include "loop-options-private.h"

#include <netdb.h>

/**
 * LoopServerOptions:
 *
 * How a server is made: the keyword arguments of asyncio's `create_server`.
 *
 * Options may be used any number of times; a call looks at them before it returns.
 */
struct _LoopServerOptions
{
  GObject parent_instance;

  int family;
  int flags;
  GSocket *sock;
  int backlog;
  gboolean reuse_address;
  gboolean reuse_port;
  gboolean start_serving;
  gboolean keep_alive;
  gboolean cleanup_socket;
};

G_DEFINE_FINAL_TYPE (LoopServerOptions, loop_server_options, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_FAMILY,
  PROP_FLAGS,
  PROP_SOCK,
  PROP_BACKLOG,
  PROP_REUSE_ADDRESS,
  PROP_REUSE_PORT,
  PROP_START_SERVING,
  PROP_KEEP_ALIVE,
  PROP_CLEANUP_SOCKET,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

/* Where the properties are in the instance. */
static const gsize offsets[N_PROPS] = {
  [PROP_FAMILY] = G_STRUCT_OFFSET (LoopServerOptions, family),
  [PROP_FLAGS] = G_STRUCT_OFFSET (LoopServerOptions, flags),
  [PROP_SOCK] = G_STRUCT_OFFSET (LoopServerOptions, sock),
  [PROP_BACKLOG] = G_STRUCT_OFFSET (LoopServerOptions, backlog),
  [PROP_REUSE_ADDRESS] = G_STRUCT_OFFSET (LoopServerOptions, reuse_address),
  [PROP_REUSE_PORT] = G_STRUCT_OFFSET (LoopServerOptions, reuse_port),
  [PROP_START_SERVING] = G_STRUCT_OFFSET (LoopServerOptions, start_serving),
  [PROP_KEEP_ALIVE] = G_STRUCT_OFFSET (LoopServerOptions, keep_alive),
  [PROP_CLEANUP_SOCKET] = G_STRUCT_OFFSET (LoopServerOptions, cleanup_socket),
};

static void
loop_server_options_dispose (GObject *object)
{
  LoopServerOptions *self = LOOP_SERVER_OPTIONS (object);

  g_clear_object (&self->sock);

  G_OBJECT_CLASS (loop_server_options_parent_class)->dispose (object);
}

static void
loop_server_options_get_property (GObject *object, guint property_id, GValue *value, GParamSpec *pspec)
{
  loop_options_get_property (object, offsets[property_id], value);
}

static void
loop_server_options_set_property (GObject *object, guint property_id, const GValue *value, GParamSpec *pspec)
{
  loop_options_set_property (object, offsets[property_id], value, pspec);
}

static void
loop_server_options_class_init (LoopServerOptionsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = loop_server_options_dispose;
  object_class->get_property = loop_server_options_get_property;
  object_class->set_property = loop_server_options_set_property;

  /**
   * LoopServerOptions:family: (getter get_family) (setter set_family)
   *
   * The address family, such as `AF_INET6`; 0 for any.
   */
  properties[PROP_FAMILY] = g_param_spec_int ("family", NULL, NULL, 0, G_MAXINT, 0,
                                              G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopServerOptions:flags: (getter get_flags) (setter set_flags)
   *
   * The flags that are passed to `getaddrinfo()`: `AI_PASSIVE` if nothing else is set.
   */
  properties[PROP_FLAGS] = g_param_spec_int ("flags", NULL, NULL, 0, G_MAXINT, AI_PASSIVE,
                                             G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopServerOptions:sock: (getter get_sock) (setter set_sock)
   *
   * A bound stream socket to be used, in the place of hosts and a port. The server closes
   * it in the end.
   */
  properties[PROP_SOCK] = g_param_spec_object ("sock", NULL, NULL, G_TYPE_SOCKET,
                                               G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopServerOptions:backlog: (getter get_backlog) (setter set_backlog)
   *
   * How many connections the kernel may keep waiting to be accepted.
   */
  properties[PROP_BACKLOG] = g_param_spec_int ("backlog", NULL, NULL, 0, G_MAXINT, 100,
                                               G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopServerOptions:reuse-address: (getter get_reuse_address) (setter set_reuse_address)
   *
   * Whether an address may be bound again while old connections to it linger in the
   * state TIME_WAIT.
   */
  properties[PROP_REUSE_ADDRESS] = g_param_spec_boolean (
      "reuse-address", NULL, NULL, TRUE, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopServerOptions:reuse-port: (getter get_reuse_port) (setter set_reuse_port)
   *
   * Whether several sockets, of several processes perhaps, may listen on the same port.
   */
  properties[PROP_REUSE_PORT] = g_param_spec_boolean (
      "reuse-port", NULL, NULL, FALSE, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopServerOptions:start-serving: (getter get_start_serving) (setter set_start_serving)
   *
   * Whether connections are accepted from the start. If not, use
   * [method@Server.start_serving] or [method@Server.serve_forever].
   */
  properties[PROP_START_SERVING] = g_param_spec_boolean (
      "start-serving", NULL, NULL, TRUE, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopServerOptions:keep-alive: (getter get_keep_alive) (setter set_keep_alive)
   *
   * Whether the kernel looks from time to time if the peer of a TCP connection on which nothing is sent is still there.
   */
  properties[PROP_KEEP_ALIVE] = g_param_spec_boolean (
      "keep-alive", NULL, NULL, FALSE, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopServerOptions:cleanup-socket: (getter get_cleanup_socket) (setter set_cleanup_socket)
   *
   * Whether the file of a unix socket is removed when the server is closed. Only a file that this process has made by
   * binding to a path is removed, and only while it is still that file.
   */
  properties[PROP_CLEANUP_SOCKET] = g_param_spec_boolean (
      "cleanup-socket", NULL, NULL, TRUE, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loop_server_options_init (LoopServerOptions *self)
{
  self->flags = AI_PASSIVE;
  self->backlog = 100;
  self->reuse_address = TRUE;
  self->start_serving = TRUE;
  self->cleanup_socket = TRUE;
}

/**
 * loop_server_options_new:
 *
 * Makes options with their default values.
 *
 * Returns: (transfer full): the options
 */
LoopServerOptions *
loop_server_options_new (void)
{
  return g_object_new (LOOP_TYPE_SERVER_OPTIONS, NULL);
}

/**
 * loop_server_options_get_family:
 * @self: the options
 *
 * Gets [property@ServerOptions:family].
 *
 * Returns: the value
 */
int
loop_server_options_get_family (LoopServerOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER_OPTIONS (self), 0);

  return self->family;
}

/**
 * loop_server_options_set_family:
 * @self: the options
 * @family: the value
 *
 * Sets [property@ServerOptions:family].
 */
void
loop_server_options_set_family (LoopServerOptions *self, int family)
{
  g_return_if_fail (LOOP_IS_SERVER_OPTIONS (self));

  loop_options_set_int (self, &self->family, family, properties[PROP_FAMILY]);
}

/**
 * loop_server_options_get_flags:
 * @self: the options
 *
 * Gets [property@ServerOptions:flags].
 *
 * Returns: the value
 */
int
loop_server_options_get_flags (LoopServerOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER_OPTIONS (self), 0);

  return self->flags;
}

/**
 * loop_server_options_set_flags:
 * @self: the options
 * @flags: the value
 *
 * Sets [property@ServerOptions:flags].
 */
void
loop_server_options_set_flags (LoopServerOptions *self, int flags)
{
  g_return_if_fail (LOOP_IS_SERVER_OPTIONS (self));

  loop_options_set_int (self, &self->flags, flags, properties[PROP_FLAGS]);
}

/**
 * loop_server_options_get_sock:
 * @self: the options
 *
 * Gets [property@ServerOptions:sock].
 *
 * Returns: (transfer none) (nullable): the value
 */
GSocket *
loop_server_options_get_sock (LoopServerOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER_OPTIONS (self), NULL);

  return self->sock;
}

/**
 * loop_server_options_set_sock:
 * @self: the options
 * @sock: (nullable): the value
 *
 * Sets [property@ServerOptions:sock].
 */
void
loop_server_options_set_sock (LoopServerOptions *self, GSocket *sock)
{
  g_return_if_fail (LOOP_IS_SERVER_OPTIONS (self));

  loop_options_set_object (self, &self->sock, sock, properties[PROP_SOCK]);
}

/**
 * loop_server_options_get_backlog:
 * @self: the options
 *
 * Gets [property@ServerOptions:backlog].
 *
 * Returns: the value
 */
int
loop_server_options_get_backlog (LoopServerOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER_OPTIONS (self), 0);

  return self->backlog;
}

/**
 * loop_server_options_set_backlog:
 * @self: the options
 * @backlog: the value
 *
 * Sets [property@ServerOptions:backlog].
 */
void
loop_server_options_set_backlog (LoopServerOptions *self, int backlog)
{
  g_return_if_fail (LOOP_IS_SERVER_OPTIONS (self));
  g_return_if_fail (backlog >= 0);

  loop_options_set_int (self, &self->backlog, backlog, properties[PROP_BACKLOG]);
}

/**
 * loop_server_options_get_reuse_address:
 * @self: the options
 *
 * Gets [property@ServerOptions:reuse-address].
 *
 * Returns: the value
 */
gboolean
loop_server_options_get_reuse_address (LoopServerOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER_OPTIONS (self), FALSE);

  return self->reuse_address;
}

/**
 * loop_server_options_set_reuse_address:
 * @self: the options
 * @reuse_address: the value
 *
 * Sets [property@ServerOptions:reuse-address].
 */
void
loop_server_options_set_reuse_address (LoopServerOptions *self, gboolean reuse_address)
{
  g_return_if_fail (LOOP_IS_SERVER_OPTIONS (self));

  loop_options_set_boolean (self, &self->reuse_address, reuse_address, properties[PROP_REUSE_ADDRESS]);
}

/**
 * loop_server_options_get_reuse_port:
 * @self: the options
 *
 * Gets [property@ServerOptions:reuse-port].
 *
 * Returns: the value
 */
gboolean
loop_server_options_get_reuse_port (LoopServerOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER_OPTIONS (self), FALSE);

  return self->reuse_port;
}

/**
 * loop_server_options_set_reuse_port:
 * @self: the options
 * @reuse_port: the value
 *
 * Sets [property@ServerOptions:reuse-port].
 */
void
loop_server_options_set_reuse_port (LoopServerOptions *self, gboolean reuse_port)
{
  g_return_if_fail (LOOP_IS_SERVER_OPTIONS (self));

  loop_options_set_boolean (self, &self->reuse_port, reuse_port, properties[PROP_REUSE_PORT]);
}

/**
 * loop_server_options_get_start_serving:
 * @self: the options
 *
 * Gets [property@ServerOptions:start-serving].
 *
 * Returns: the value
 */
gboolean
loop_server_options_get_start_serving (LoopServerOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER_OPTIONS (self), FALSE);

  return self->start_serving;
}

/**
 * loop_server_options_set_start_serving:
 * @self: the options
 * @start_serving: the value
 *
 * Sets [property@ServerOptions:start-serving].
 */
void
loop_server_options_set_start_serving (LoopServerOptions *self, gboolean start_serving)
{
  g_return_if_fail (LOOP_IS_SERVER_OPTIONS (self));

  loop_options_set_boolean (self, &self->start_serving, start_serving, properties[PROP_START_SERVING]);
}

/**
 * loop_server_options_get_keep_alive:
 * @self: the options
 *
 * Gets [property@ServerOptions:keep-alive].
 *
 * Returns: the value
 */
gboolean
loop_server_options_get_keep_alive (LoopServerOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER_OPTIONS (self), FALSE);

  return self->keep_alive;
}

/**
 * loop_server_options_set_keep_alive:
 * @self: the options
 * @keep_alive: the value
 *
 * Sets [property@ServerOptions:keep-alive].
 */
void
loop_server_options_set_keep_alive (LoopServerOptions *self, gboolean keep_alive)
{
  g_return_if_fail (LOOP_IS_SERVER_OPTIONS (self));

  loop_options_set_boolean (self, &self->keep_alive, keep_alive, properties[PROP_KEEP_ALIVE]);
}

/**
 * loop_server_options_get_cleanup_socket:
 * @self: the options
 *
 * Gets [property@ServerOptions:cleanup-socket].
 *
 * Returns: the value
 */
gboolean
loop_server_options_get_cleanup_socket (LoopServerOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER_OPTIONS (self), FALSE);

  return self->cleanup_socket;
}

/**
 * loop_server_options_set_cleanup_socket:
 * @self: the options
 * @cleanup_socket: the value
 *
 * Sets [property@ServerOptions:cleanup-socket].
 */
void
loop_server_options_set_cleanup_socket (LoopServerOptions *self, gboolean cleanup_socket)
{
  g_return_if_fail (LOOP_IS_SERVER_OPTIONS (self));

  loop_options_set_boolean (self, &self->cleanup_socket, cleanup_socket, properties[PROP_CLEANUP_SOCKET]);
}
