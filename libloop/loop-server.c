/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-fd-watcher-private.h"
#include "loop-future-private.h"
#include "loop-resolver-private.h"
#include "loop-server-private.h"
#include "loop-socket-private.h"
#include "loop-socket-transport-private.h"

#include <errno.h>
#include <unistd.h>

/**
 * LoopServer:
 *
 * Listens on sockets and makes a transport and a protocol for each connection that it
 * accepts. Servers come from [method@EventLoop.create_server].
 *
 * The loop keeps a server alive until it is closed. Its connections outlive it.
 */
G_DEFINE_FINAL_TYPE (LoopServer, loop_server, G_TYPE_OBJECT)

/* How long accepting pauses when the process has no descriptors or no memory left. */
#define ACCEPT_RETRY_NS (LOOP_NSEC_PER_SEC / 4)

enum
{
  PROP_0,
  PROP_SOCKETS,
  PROP_ID,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

static void
listener_stop (LoopListener *self)
{
  LoopEventLoop *loop = self->server->loop;

  if (self->retry != NULL)
    {
      loop_timer_handle_cancel (self->retry);
      g_clear_pointer (&self->retry, loop_timer_handle_unref);
    }

  loop_event_loop_enter (loop);
  if (self->watch.fd >= 0)
    loop_poller_remove (&loop->poller, &self->watch);
  loop_event_loop_leave (loop);
}

/* Lets go of the socket, and of the listener once no event of it is being handled. */
static void
listener_unref (gpointer data)
{
  LoopListener *self = data;

  if (--self->ref_count > 0)
    return;

  g_object_unref (self->socket);
  g_free (self);
}

static void
listener_close (gpointer data)
{
  LoopListener *self = data;

  g_socket_close (self->socket, NULL);
  listener_unref (self);
}

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

  g_clear_pointer (&self->clients, g_hash_table_unref);
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
  self->clients = g_hash_table_new (NULL, NULL);
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
  loop_registry_add (&loop->registry, LOOP_REGISTRY_SERVERS, &self->node, loop_event_loop_next_id (loop));
  loop_event_loop_leave (loop);
  loop_event_loop_trace (loop, self->node.id);

  return self;
}

static LoopListener *
from_watch (const LoopWatch *watch)
{
  return (LoopListener *) ((char *) watch - G_STRUCT_OFFSET (LoopListener, watch));
}

static void
wake_closed_waiters (LoopServer *self)
{
  g_autoptr (GPtrArray) waiters = NULL;

  if (self->listeners != NULL || g_hash_table_size (self->clients) > 0)
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
  g_hash_table_remove (self->clients, transport);
  loop_event_loop_leave (self->loop);

  wake_closed_waiters (self);
}

/* Takes @error. */
static void
report (LoopListener *self, const char *message, GError *error)
{
  LoopExceptionContext *context = loop_exception_context_new (message, error);

  loop_exception_context_set_socket (context, self->socket);
  loop_exception_context_take_source_traceback (context, loop_traceback_to_string (self->server->node.id));
  loop_event_loop_report (self->server->loop, context);
  g_error_free (error);
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

static void
serve_connection (LoopListener *self, int fd, const struct sockaddr *peer, socklen_t peer_length)
{
  LoopServer *server = self->server;
  g_autoptr (GObject) protocol = call_factory (server);
  LoopSocketTransport *transport;
  GError *error = NULL;

  transport = loop_socket_transport_new (server->loop, fd, NULL, peer, peer_length, protocol, &error);
  if (transport == NULL)
    {
      close (fd);
      report (self, "A connection was accepted but could not be served", error);
      return;
    }

  loop_event_loop_enter (server->loop);
  g_hash_table_add (server->clients, transport);
  server->n_accepted++;
  loop_event_loop_leave (server->loop);

  loop_socket_transport_start (transport, NULL, client_lost, server);
  g_object_unref (transport);
}

static void
retry_accepting (gpointer data)
{
  LoopListener *self = data;
  LoopEventLoop *loop = self->server->loop;

  g_clear_pointer (&self->retry, loop_timer_handle_unref);

  loop_event_loop_enter (loop);
  loop_poller_set_interest (&loop->poller, &self->watch, LOOP_INTEREST_READ);
  loop_event_loop_leave (loop);
}

/*
 * Out of descriptors or memory: the connection stays in the kernel's queue, and the
 * socket readable. Look again a little later rather than at once, and for ever.
 */
static void
pause_accepting (LoopListener *self, int saved_errno)
{
  LoopEventLoop *loop = self->server->loop;
  LoopTimerHandle *retry;

  loop_event_loop_enter (loop);
  loop_poller_set_interest (&loop->poller, &self->watch, LOOP_INTEREST_NONE);
  loop_event_loop_leave (loop);

  retry = loop_event_loop_schedule_at (loop, loop_clock_now () + ACCEPT_RETRY_NS, retry_accepting, self, NULL,
                                       "retry accept");
  self->retry = loop_timer_handle_ref (retry);

  if (!self->has_reported)
    {
      GError *error = NULL;

      self->has_reported = TRUE;
      loop_set_error_from_errno (&error, saved_errno, "Could not accept a connection");
      report (self, "Accepting connections is paused", error);
    }
}

/* Returns: whether there may be more to accept */
static gboolean
accept_one (LoopListener *self)
{
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  int fd = accept4 (self->watch.fd, (struct sockaddr *) &peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

  if (fd >= 0)
    {
      self->has_reported = FALSE;
      serve_connection (self, fd, (struct sockaddr *) &peer, length);
      return TRUE;
    }

  switch (errno)
    {
    case EAGAIN:
      return FALSE;

    /* Errors of the connection that was to be accepted, which is gone: see accept(2). */
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
      return TRUE;

    default:
      pause_accepting (self, errno);
      return FALSE;
    }
}

/* While an event is being handled, the server may be closed and dropped: see listener_done(). */
static void
listener_hold (LoopListener *self)
{
  self->ref_count++;
  g_object_ref (self->server);
}

static void
listener_readable (LoopWatch *watch)
{
  LoopListener *self = from_watch (watch);
  LoopServer *server = self->server;

  listener_hold (self);

  for (int i = 0; i < MAX (server->backlog, 1); i++)
    {
      /* The factory, or an exception handler, may close the server. */
      if (server->listeners == NULL || !accept_one (self))
        break;
    }
}

static void
listener_failed (LoopWatch *watch, GError *error)
{
  LoopListener *self = from_watch (watch);

  listener_hold (self);
  report (self, "A server cannot accept connections any more", g_error_copy (error));
  loop_server_close (self->server);
}

static void
listener_done (LoopWatch *watch)
{
  LoopListener *self = from_watch (watch);
  LoopServer *server = self->server;

  listener_unref (self);
  g_object_unref (server);
}

static void
listener_closed (LoopWatch *watch)
{
  LoopServer *server = from_watch (watch)->server;

  loop_event_loop_warn_of_open (server->loop, "server", server->node.id);
  loop_server_close (server);
}

static void
listener_describe (const LoopWatch *watch, gboolean is_writer, LoopDescription *description)
{
  description->id = from_watch (watch)->server->node.id;
  description->kind = "server";
  description->name = "accept";
  description->fd = watch->fd;
}

static const LoopWatchClass listener_watch_class = {
  .readable = listener_readable,
  .writable = listener_readable,
  .failed = listener_failed,
  .closed = listener_closed,
  .done = listener_done,
  .describe = listener_describe,
};

/* Adds a bound socket, which belongs to the server from then on. */
gboolean
loop_server_add_socket (LoopServer *self, GSocket *socket, GError **error)
{
  LoopListener *listener = g_new0 (LoopListener, 1);
  gboolean is_watched;

  listener->ref_count = 1;
  listener->server = self;
  listener->socket = g_object_ref (socket);
  loop_watch_init (&listener->watch, &listener_watch_class, self->node.id);
  loop_fd_watcher_evict (self->loop, g_socket_get_fd (socket));

  loop_event_loop_enter (self->loop);
  is_watched =
      loop_poller_add (&self->loop->poller, &listener->watch, g_socket_get_fd (socket), LOOP_INTEREST_NONE, error);
  if (is_watched)
    {
      g_ptr_array_add (self->listeners, listener);
      /* The loop's reference, until the server is closed. */
      if (self->listeners->len == 1)
        g_object_ref (self);
    }
  loop_event_loop_leave (self->loop);

  if (!is_watched)
    listener_unref (listener);

  return is_watched;
}

static void
set_listen_error (int fd, int saved_errno, GError **error)
{
  g_autofree char *text = NULL;
  struct sockaddr_storage address;
  socklen_t length = sizeof address;

  if (getsockname (fd, (struct sockaddr *) &address, &length) == 0)
    text = loop_resolved_address_to_string ((struct sockaddr *) &address, length);

  loop_set_error_from_errno (error, saved_errno, "Could not listen on %s", text != NULL ? text : "a socket");
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
      LoopListener *listener = g_ptr_array_index (self->listeners, i);

      if (listen (listener->watch.fd, self->backlog) < 0)
        {
          set_listen_error (listener->watch.fd, errno, error);
          return FALSE;
        }
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
    listener_stop (g_ptr_array_index (self->listeners, i));

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
      g_ptr_array_set_free_func (listeners, listener_close);
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
  g_autoptr (GList) clients = g_hash_table_get_keys (self->clients);

  /* Connections are only lost later, so none of these goes away meanwhile. */
  for (GList *l = clients; l != NULL; l = l->next)
    end (l->data);
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
