/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-future-private.h"
#include "loop-server-private.h"
#include "loop-socket-private.h"
#include "loop-socket-transport-private.h"

/**
 * LoopServer:
 *
 * Listens on sockets and makes a transport and a protocol for each connection that it
 * accepts. Servers come from [method@EventLoop.create_server].
 *
 * The loop keeps a server alive until it is closed. Its connections outlive it.
 */
G_DEFINE_FINAL_TYPE (LoopServer, loop_server, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_SOCKETS,
  PROP_ID,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

static void
loop_server_dispose (GObject *object)
{
  LoopServer *self = LOOP_SERVER (object);

  loop_server_close (self);

  if (self->loop != NULL)
    {
      loop_event_loop_unregister (self->loop, LOOP_REGISTRY_SERVERS, &self->node);
      loop_event_loop_untrace (self->loop, self->node.id);
    }

  G_OBJECT_CLASS (loop_server_parent_class)->dispose (object);
}

static void
loop_server_finalize (GObject *object)
{
  LoopServer *self = LOOP_SERVER (object);

  g_clear_pointer (&self->closed_waiters, g_ptr_array_unref);
  g_clear_pointer (&self->loop, loop_event_loop_unref_anywhere);

  G_OBJECT_CLASS (loop_server_parent_class)->finalize (object);
}

static void
loop_server_get_property (GObject *object, guint property_id, GValue *value, GParamSpec *pspec)
{
  LoopServer *self = LOOP_SERVER (object);

  switch (property_id)
    {
    case PROP_SOCKETS:
      g_value_take_boxed (value, loop_server_get_sockets (self));
      break;
    case PROP_ID:
      g_value_set_uint64 (value, self->node.id);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_server_class_init (LoopServerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = loop_server_dispose;
  object_class->finalize = loop_server_finalize;
  object_class->get_property = loop_server_get_property;

  /**
   * LoopServer:sockets: (getter get_sockets) (type GPtrArray(GSocket))
   *
   * The sockets that the server listens on, or %NULL once it is closed.
   */
  properties[PROP_SOCKETS] =
      g_param_spec_boxed ("sockets", NULL, NULL, G_TYPE_PTR_ARRAY, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * LoopServer:id: (getter get_id)
   *
   * The id by which an inspector knows the server.
   */
  properties[PROP_ID] =
      g_param_spec_uint64 ("id", NULL, NULL, 0, G_MAXUINT64, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loop_server_init (LoopServer *self)
{
  self->closed_waiters = g_ptr_array_new_with_free_func (g_object_unref);
}

LoopServer *
loop_server_new (LoopEventLoop *loop,
                 int backlog,
                 LoopProtocolFactory factory,
                 gpointer factory_data,
                 GDestroyNotify factory_notify)
{
  LoopServer *self = g_object_new (LOOP_TYPE_SERVER, NULL);

  self->loop = g_object_ref (loop);
  self->backlog = backlog;
  self->factory = factory;
  self->factory_data = factory_data;
  self->factory_notify = factory_notify;
  self->listeners = g_ptr_array_new ();

  loop_event_loop_enter (loop);
  self->made = loop_clock_now ();
  loop_registry_add (&loop->registry, LOOP_REGISTRY_SERVERS, &self->node, loop_event_loop_next_id (loop));
  loop_event_loop_leave (loop);
  loop_event_loop_trace (loop, self->node.id);

  return self;
}

static void
wake_closed_waiters (LoopServer *self)
{
  g_autoptr (GPtrArray) waiters = NULL;

  if (self->listeners != NULL || self->n_clients > 0)
    return;

  waiters = g_steal_pointer (&self->closed_waiters);
  self->closed_waiters = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < waiters->len; i++)
    loop_future_fulfil (g_ptr_array_index (waiters, i));
}

static void
client_lost (LoopTransport *transport, gpointer user_data)
{
  LoopServer *self = user_data;

  loop_event_loop_enter (self->loop);
  self->n_clients--;
  loop_event_loop_leave (self->loop);

  wake_closed_waiters (self);
}

/* Destroys the factory's data once the server is closed, but not while the factory runs. */
static void
release_factory (LoopServer *self)
{
  GDestroyNotify notify;

  if (self->listeners != NULL || self->n_in_factory > 0)
    return;

  notify = g_steal_pointer (&self->factory_notify);
  loop_destroy_user_data (self->factory_data, notify);
}

static GObject *
call_factory (LoopServer *self)
{
  GObject *protocol;

  self->n_in_factory++;
  protocol = self->factory (self->factory_data);
  self->n_in_factory--;
  release_factory (self);

  return protocol;
}

/*
 * loop_server_serve_connection:
 * @fd: a socket that was accepted; on error it still belongs to the caller
 *
 * Makes a protocol and a transport for it.
 */
gboolean
loop_server_serve_connection (LoopServer *self,
                              int fd,
                              const struct sockaddr *peer,
                              socklen_t peer_length,
                              GError **error)
{
  g_autoptr (GObject) protocol = call_factory (self);
  g_autoptr (LoopSocketTransport) transport =
      loop_socket_transport_new (self->loop, fd, NULL, peer, peer_length, protocol, error);

  if (transport == NULL)
    return FALSE;

  loop_event_loop_enter (self->loop);
  self->n_clients++;
  transport->flow.parent_instance.owner_id = self->node.id;
  self->n_accepted++;
  self->loop->metrics.n_accepted++;
  loop_event_loop_leave (self->loop);

  loop_flow_transport_start (&transport->flow, NULL, client_lost, self);

  return TRUE;
}

/*
 * Adds a bound socket, which belongs to the server from then on, and the file that was made by binding it, if there is
 * one: it is removed before the socket is closed.
 */
gboolean
loop_server_add_socket (LoopServer *self, GSocket *socket, LoopUnixFile *file, GError **error)
{
  LoopListener *listener = loop_listener_new (self, socket, error);

  if (listener == NULL)
    return FALSE;

  /* Accepted sockets inherit it. */
  loop_socket_set_nodelay (g_socket_get_fd (socket));
  if (file != NULL)
    listener->file = *file, *file = (LoopUnixFile) { 0 };

  loop_event_loop_enter (self->loop);
  g_ptr_array_add (self->listeners, listener);
  loop_event_loop_leave (self->loop);

  /* The loop's reference, until the server is closed. */
  if (self->listeners->len == 1)
    g_object_ref (self);

  return TRUE;
}

/* Starts to listen and to accept; does nothing if it does so already. */
gboolean
loop_server_listen (LoopServer *self, GError **error)
{
  if (self->is_serving)
    return TRUE;

  if (self->listeners == NULL)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_CLOSED, "The server is closed");
      return FALSE;
    }

  for (guint i = 0; i < self->listeners->len; i++)
    {
      if (!loop_listener_listen (g_ptr_array_index (self->listeners, i), error))
        return FALSE;
    }

  loop_event_loop_enter (self->loop);
  self->is_serving = TRUE;
  for (guint i = 0; i < self->listeners->len; i++)
    {
      LoopListener *listener = g_ptr_array_index (self->listeners, i);

      loop_poller_set_interest (&self->loop->poller, &listener->watch, LOOP_INTEREST_READ);
    }
  loop_event_loop_leave (self->loop);

  return TRUE;
}

/**
 * loop_server_get_loop:
 * @self: a server
 *
 * Gets the loop that the server belongs to.
 *
 * Returns: (transfer none): the loop
 */
LoopEventLoop *
loop_server_get_loop (LoopServer *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER (self), NULL);

  return self->loop;
}

/**
 * loop_server_get_id:
 * @self: a server
 *
 * Gets the id by which an inspector knows the server.
 *
 * Returns: the id
 */
guint64
loop_server_get_id (LoopServer *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER (self), 0);

  return self->node.id;
}

/**
 * loop_server_is_serving:
 * @self: a server
 *
 * Tells whether the server accepts connections.
 *
 * Returns: %TRUE if it does
 */
gboolean
loop_server_is_serving (LoopServer *self)
{
  g_return_val_if_fail (LOOP_IS_SERVER (self), FALSE);

  return self->is_serving;
}

/**
 * loop_server_get_sockets:
 * @self: a server
 *
 * Gets the sockets that the server listens on.
 *
 * Returns: (transfer container) (element-type GSocket) (nullable): the sockets, or %NULL
 *   once the server is closed
 */
GPtrArray *
loop_server_get_sockets (LoopServer *self)
{
  GPtrArray *sockets;

  g_return_val_if_fail (LOOP_IS_SERVER (self), NULL);

  if (self->listeners == NULL)
    return NULL;

  sockets = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < self->listeners->len; i++)
    {
      LoopListener *listener = g_ptr_array_index (self->listeners, i);

      g_ptr_array_add (sockets, g_object_ref (listener->socket));
    }

  return sockets;
}

/**
 * loop_server_start_serving:
 * @self: a server
 *
 * Starts to accept connections. Does nothing if the server does so already.
 *
 * Returns: (transfer full): a future, fulfilled without a value once the server listens;
 *   it fails with %LOOP_ERROR_CLOSED or an I/O error
 */
LoopFuture *
loop_server_start_serving (LoopServer *self)
{
  LoopFuture *future;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_SERVER (self), NULL);

  if (!loop_server_listen (self, &error))
    return loop_future_new_failed (self->loop, "start_serving", error);

  future = loop_future_new (self->loop, "start_serving");
  loop_future_fulfil (future);

  return future;
}

static void
serve_forever_done (LoopFuture *future, gpointer user_data)
{
  LoopServer *self = user_data;

  if (self->serve_forever == future)
    g_clear_object (&self->serve_forever);

  loop_server_close (self);
}

/**
 * loop_server_serve_forever:
 * @self: a server
 *
 * Accepts connections until the future is cancelled, which closes the server. When the
 * server is closed, the future is cancelled. There can be one such future at a time.
 *
 * Returns: (transfer full): a future that has no result; it fails with
 *   %LOOP_ERROR_CLOSED, with %LOOP_ERROR_RUNNING if the server is serving for ever
 *   already, or with an I/O error
 */
LoopFuture *
loop_server_serve_forever (LoopServer *self)
{
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_SERVER (self), NULL);

  if (self->serve_forever != NULL)
    return loop_future_new_failed (
        self->loop, "serve_forever",
        g_error_new_literal (LOOP_ERROR, LOOP_ERROR_RUNNING, "The server is serving for ever already"));

  if (!loop_server_listen (self, &error))
    return loop_future_new_failed (self->loop, "serve_forever", error);

  self->serve_forever = loop_future_new (self->loop, "serve_forever");
  loop_future_add_done_callback (self->serve_forever, serve_forever_done, g_object_ref (self), g_object_unref);

  return g_object_ref (self->serve_forever);
}

/**
 * loop_server_close:
 * @self: a server
 *
 * Stops accepting connections and closes the listening sockets. Connections that were
 * accepted stay open. Closing again does nothing.
 */
void
loop_server_close (LoopServer *self)
{
  g_autoptr (GPtrArray) listeners = NULL;
  g_autoptr (LoopFuture) serve_forever = NULL;

  g_return_if_fail (LOOP_IS_SERVER (self));

  if (self->listeners == NULL)
    return;

  for (guint i = 0; i < self->listeners->len; i++)
    loop_listener_stop (g_ptr_array_index (self->listeners, i));

  loop_event_loop_enter (self->loop);
  listeners = g_steal_pointer (&self->listeners);
  self->is_serving = FALSE;
  loop_event_loop_leave (self->loop);

  release_factory (self);

  serve_forever = g_steal_pointer (&self->serve_forever);
  if (serve_forever != NULL)
    loop_future_cancel (serve_forever);

  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SOCKETS]);
  wake_closed_waiters (self);

  if (listeners->len > 0)
    {
      g_ptr_array_set_free_func (listeners, loop_listener_close);
      g_object_unref (self);
    }
}

/**
 * loop_server_wait_closed:
 * @self: a server
 *
 * Waits until the server is closed and the last of its connections is lost. It does not
 * close anything by itself.
 *
 * Returns: (transfer full): a future, fulfilled without a value
 */
LoopFuture *
loop_server_wait_closed (LoopServer *self)
{
  LoopFuture *future;

  g_return_val_if_fail (LOOP_IS_SERVER (self), NULL);

  future = loop_future_new (self->loop, "wait_closed");
  g_ptr_array_add (self->closed_waiters, g_object_ref (future));
  wake_closed_waiters (self);

  return future;
}

static void
end_clients (LoopServer *self, void (*end) (LoopTransport *transport))
{
  g_autoptr (GPtrArray) clients = g_ptr_array_new ();

  loop_event_loop_enter (self->loop);
  LOOP_REGISTRY_FOREACH (&self->loop->registry, LOOP_REGISTRY_TRANSPORTS, node)
    {
      LoopTransport *transport = (LoopTransport *) ((char *) node - G_STRUCT_OFFSET (LoopTransport, node));

      if (transport->owner_id == self->node.id && transport->protocol != NULL)
        g_ptr_array_add (clients, transport);
    }
  loop_event_loop_leave (self->loop);

  /* Connections are only lost later, so none of these goes away meanwhile. */
  for (guint i = 0; i < clients->len; i++)
    end (g_ptr_array_index (clients, i));
}

/**
 * loop_server_close_clients:
 * @self: a server
 *
 * Closes the connections that the server has accepted. See [method@Transport.close].
 */
void
loop_server_close_clients (LoopServer *self)
{
  g_return_if_fail (LOOP_IS_SERVER (self));

  end_clients (self, loop_transport_close);
}

/**
 * loop_server_abort_clients:
 * @self: a server
 *
 * Closes the connections that the server has accepted at once. See
 * [method@Transport.abort].
 */
void
loop_server_abort_clients (LoopServer *self)
{
  g_return_if_fail (LOOP_IS_SERVER (self));

  end_clients (self, loop_transport_abort);
}
