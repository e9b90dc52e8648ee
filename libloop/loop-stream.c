/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-stream.h"

#include "loop-composite-future-private.h"
#include "loop-connection-options.h"
#include "loop-connector.h"
#include "loop-exception-context.h"
#include "loop-server-options.h"
#include "loop-server.h"
#include "loop-stream-result-private.h"
#include "loop-task.h"
#include "loop-transport.h"

/* --- Clients ------------------------------------------------------------------------------------ */

/* Done when the one of create_connection() is. */
typedef struct
{
  LoopCompositeFuture parent_instance;

  LoopStreamReader *reader;
  LoopStreamReaderProtocol *protocol;
} LoopStreamOpening;

typedef struct
{
  LoopCompositeFutureClass parent_class;
} LoopStreamOpeningClass;

static GType loop_stream_opening_get_type (void);

G_DEFINE_FINAL_TYPE (LoopStreamOpening, loop_stream_opening, LOOP_TYPE_COMPOSITE_FUTURE)

static LoopTransport *
dup_transport (LoopChild *child)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (loop_child_is_cancelled (child) || !loop_future_result (child->future, &value, NULL))
    return NULL;

  return g_value_dup_object (&value);
}

static void
loop_stream_opening_child_done (LoopCompositeFuture *base, LoopChild *child)
{
  LoopStreamOpening *self = (LoopStreamOpening *) base;
  LoopFuture *future = &base->parent_instance;
  g_autoptr (LoopTransport) transport = dup_transport (child);
  g_autoptr (LoopStreamWriter) writer = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  if (transport == NULL)
    {
      loop_future_follow (future, child->future);
      return;
    }

  /* Nobody wants it any more: then it is closed as soon as the writer is freed. */
  writer = loop_stream_writer_new (transport, self->protocol, self->reader);
  g_value_init (&value, LOOP_TYPE_STREAM_RESULT);
  g_value_take_boxed (&value, loop_stream_result_new (self->reader, writer));
  loop_future_fulfil_value (future, &value);
}

static gboolean
loop_stream_opening_cancel (LoopFuture *future, const char *message)
{
  LoopStreamOpening *self = (LoopStreamOpening *) future;

  if (!loop_future_is_pending (future))
    return FALSE;

  /* If the other one is done, we are about to be told. */
  g_object_ref (self);
  loop_composite_future_cancel_children (&self->parent_instance, message);
  loop_future_finish_cancelled (future, message);
  g_object_unref (self);

  return TRUE;
}

static void
loop_stream_opening_finalize (GObject *object)
{
  LoopStreamOpening *self = (LoopStreamOpening *) object;

  g_clear_object (&self->reader);
  g_clear_object (&self->protocol);

  G_OBJECT_CLASS (loop_stream_opening_parent_class)->finalize (object);
}

static void
loop_stream_opening_class_init (LoopStreamOpeningClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_stream_opening_finalize;
  ((LoopFutureClass *) klass)->cancel = loop_stream_opening_cancel;
  LOOP_COMPOSITE_FUTURE_CLASS (klass)->child_done = loop_stream_opening_child_done;
}

static void
loop_stream_opening_init (LoopStreamOpening *self)
{
}

static GObject *
give_protocol (gpointer protocol)
{
  return g_object_ref (protocol);
}

static LoopStreamOpening *
opening_new (LoopEventLoop *loop, const char *name, gssize limit)
{
  LoopStreamOpening *self = loop_composite_future_new (loop_stream_opening_get_type (), loop, name);

  self->reader = loop_stream_reader_new (loop, limit);
  self->protocol = loop_stream_reader_protocol_new (self->reader, NULL, NULL, NULL);

  return self;
}

/* Takes @connection, the future of a transport with the protocol. */
static LoopFuture *
opening_wait (LoopStreamOpening *self, LoopFuture *connection)
{
  /* Its error is told by us, or concerns nobody any more. */
  connection->is_retrieved = TRUE;
  loop_composite_future_watch (&self->parent_instance, &connection, 1);
  g_object_unref (connection);

  return LOOP_FUTURE (self);
}

/**
 * loop_open_connection:
 * @loop: an event loop
 * @host: (nullable) (type filename): a host name or address, or %NULL if the options have a socket
 * @port: a port
 * @limit: the limit of the reader in bytes; 0 or -1 for the default, 64 KiB
 * @options: (nullable): options
 *
 * Connects to a TCP server as [method@EventLoop.create_connection] does, to read from the
 * connection and to write to it with futures.
 *
 * Cancelling the future gives up, at whatever point.
 *
 * Returns: (transfer full): a future for a [struct@StreamResult]; it fails as that of
 *   [method@EventLoop.create_connection]
 */
LoopFuture *
loop_open_connection (LoopEventLoop *loop, const char *host, guint16 port, gssize limit, LoopConnectionOptions *options)
{
  LoopStreamOpening *self;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_CONNECTION_OPTIONS (options), NULL);

  self = opening_new (loop, "open_connection", limit);

  return opening_wait (self, loop_event_loop_create_connection (loop, host, port, options, give_protocol,
                                                                g_object_ref (self->protocol), g_object_unref));
}

/**
 * loop_open_unix_connection:
 * @loop: an event loop
 * @path: (nullable) (type filename): the path of a unix socket, or `@` and a name in the abstract namespace; %NULL if the
 *   options have a socket
 * @limit: the limit of the reader in bytes; 0 or -1 for the default, 64 KiB
 * @options: (nullable): options
 *
 * As [func@open_connection], with a unix socket: see [method@EventLoop.create_unix_connection].
 *
 * Returns: (transfer full): a future for a [struct@StreamResult]; it fails as that of
 *   [method@EventLoop.create_unix_connection]
 */
LoopFuture *
loop_open_unix_connection (LoopEventLoop *loop, const char *path, gssize limit, LoopConnectionOptions *options)
{
  LoopStreamOpening *self;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_CONNECTION_OPTIONS (options), NULL);

  self = opening_new (loop, "open_unix_connection", limit);

  return opening_wait (self, loop_event_loop_create_unix_connection (loop, path, options, give_protocol,
                                                                     g_object_ref (self->protocol), g_object_unref));
}

/* --- Servers ------------------------------------------------------------------------------------ */

/* What a server does with its clients. Its factory has a reference, and each of its protocols. */
typedef struct
{
  LoopEventLoop *loop; /* not referenced: its server and its protocols are its own */
  gssize limit;
  LoopStreamClientFunc client_func;
  LoopStreamFiberFunc fiber_func;
  gpointer user_data;
  GDestroyNotify notify;
} Service;

static void
service_clear (gpointer data)
{
  Service *self = data;

  loop_destroy_user_data (self->user_data, self->notify);
}

static void
service_unref (gpointer self)
{
  g_atomic_rc_box_release_full (self, service_clear);
}

/* A client that is served in a fiber. */
typedef struct
{
  Service *service;
  LoopStreamReader *reader;
  LoopStreamWriter *writer;
} Client;

static void
client_free (gpointer data)
{
  Client *self = data;

  g_object_unref (self->reader);
  g_object_unref (self->writer);
  service_unref (self->service);
  g_free (self);
}

static void
report_failure (Client *self, const GError *error)
{
  LoopTransport *transport = loop_stream_writer_get_transport (self->writer);
  LoopExceptionContext *context = loop_exception_context_new ("Unhandled exception in the function of a client", error);

  loop_exception_context_set_transport (context, transport);
  loop_event_loop_call_exception_handler (self->service->loop, context);
  loop_exception_context_unref (context);
  loop_transport_close (transport);
}

static gboolean
serve_client (GValue *result, gpointer user_data, GError **error)
{
  Client *self = user_data;
  g_autoptr (GError) failure = NULL;

  if (self->service->fiber_func (self->reader, self->writer, self->service->user_data, &failure))
    return TRUE;

  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }

  report_failure (self, failure);

  return TRUE;
}

static void
serve (LoopStreamReader *reader, LoopStreamWriter *writer, gpointer user_data)
{
  Service *self = user_data;
  Client *client;
  g_autoptr (LoopTask) task = NULL;

  if (self->client_func != NULL)
    {
      self->client_func (reader, writer, self->user_data);
      return;
    }

  client = g_new (Client, 1);
  client->service = g_atomic_rc_box_acquire (self);
  client->reader = g_object_ref (reader);
  client->writer = g_object_ref (writer);
  task = loop_event_loop_spawn (self->loop, serve_client, client, client_free);
}

static GObject *
make_protocol (gpointer user_data)
{
  Service *self = user_data;
  g_autoptr (LoopStreamReader) reader = loop_stream_reader_new (self->loop, self->limit);

  return G_OBJECT (loop_stream_reader_protocol_new (reader, serve, g_atomic_rc_box_acquire (self), service_unref));
}

/* One of the functions is %NULL. */
static Service *
service_new (LoopEventLoop *loop,
             gssize limit,
             LoopStreamClientFunc client_func,
             LoopStreamFiberFunc fiber_func,
             gpointer user_data,
             GDestroyNotify notify)
{
  Service *self = g_atomic_rc_box_new0 (Service);

  self->loop = loop;
  self->limit = limit;
  self->client_func = client_func;
  self->fiber_func = fiber_func;
  self->user_data = user_data;
  self->notify = notify;

  return self;
}

/**
 * loop_start_server:
 * @loop: an event loop
 * @client_connected: (scope notified) (closure user_data) (destroy notify): is called for each client
 * @user_data: data for @client_connected
 * @notify: frees @user_data
 * @hosts: (nullable) (array zero-terminated=1) (element-type filename): host names or addresses; an empty one, and
 *   %NULL in the place of the array, stand for all interfaces
 * @port: a port; 0 for one that the kernel chooses
 * @limit: the limit of each reader in bytes; 0 or -1 for the default, 64 KiB
 * @options: (nullable): options
 *
 * Makes a TCP server as [method@EventLoop.create_server] does, to read from its connections and
 * to write to them with futures.
 *
 * Returns: (transfer full): a future for the [class@Server]; it fails as that of
 *   [method@EventLoop.create_server]
 */
LoopFuture *
loop_start_server (LoopEventLoop *loop,
                   LoopStreamClientFunc client_connected,
                   gpointer user_data,
                   GDestroyNotify notify,
                   const char *const *hosts,
                   guint16 port,
                   gssize limit,
                   LoopServerOptions *options)
{
  Service *service;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (client_connected != NULL, NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_SERVER_OPTIONS (options), NULL);

  service = service_new (loop, limit, client_connected, NULL, user_data, notify);

  return loop_event_loop_create_server (loop, hosts, port, options, make_protocol, service, service_unref);
}

/**
 * loop_start_fiber_server: (skip)
 * @loop: an event loop
 * @client_connected: (scope notified) (closure user_data) (destroy notify): runs in a fiber for each client
 * @user_data: data for @client_connected
 * @notify: frees @user_data
 * @hosts: (nullable) (array zero-terminated=1) (element-type filename): host names or addresses; an empty one, and
 *   %NULL in the place of the array, stand for all interfaces
 * @port: a port; 0 for one that the kernel chooses
 * @limit: the limit of each reader in bytes; 0 or -1 for the default, 64 KiB
 * @options: (nullable): options
 *
 * As [func@start_server], with a task for each client, which runs @client_connected in a fiber.
 *
 * Returns: (transfer full): a future for the [class@Server]; it fails as that of
 *   [method@EventLoop.create_server]
 */
LoopFuture *
loop_start_fiber_server (LoopEventLoop *loop,
                         LoopStreamFiberFunc client_connected,
                         gpointer user_data,
                         GDestroyNotify notify,
                         const char *const *hosts,
                         guint16 port,
                         gssize limit,
                         LoopServerOptions *options)
{
  Service *service;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (client_connected != NULL, NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_SERVER_OPTIONS (options), NULL);

  service = service_new (loop, limit, NULL, client_connected, user_data, notify);

  return loop_event_loop_create_server (loop, hosts, port, options, make_protocol, service, service_unref);
}

/**
 * loop_start_unix_server:
 * @loop: an event loop
 * @client_connected: (scope notified) (closure user_data) (destroy notify): is called for each client
 * @user_data: data for @client_connected
 * @notify: frees @user_data
 * @path: (nullable) (type filename): a path, or `@` and a name in the abstract namespace; %NULL if the options have a
 *   socket
 * @limit: the limit of each reader in bytes; 0 or -1 for the default, 64 KiB
 * @options: (nullable): options
 *
 * As [func@start_server], with a unix socket: see [method@EventLoop.create_unix_server].
 *
 * Returns: (transfer full): a future for the [class@Server]; it fails as that of
 *   [method@EventLoop.create_unix_server]
 */
LoopFuture *
loop_start_unix_server (LoopEventLoop *loop,
                        LoopStreamClientFunc client_connected,
                        gpointer user_data,
                        GDestroyNotify notify,
                        const char *path,
                        gssize limit,
                        LoopServerOptions *options)
{
  Service *service;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (client_connected != NULL, NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_SERVER_OPTIONS (options), NULL);

  service = service_new (loop, limit, client_connected, NULL, user_data, notify);

  return loop_event_loop_create_unix_server (loop, path, options, make_protocol, service, service_unref);
}

/**
 * loop_start_unix_fiber_server: (skip)
 * @loop: an event loop
 * @client_connected: (scope notified) (closure user_data) (destroy notify): runs in a fiber for each client
 * @user_data: data for @client_connected
 * @notify: frees @user_data
 * @path: (nullable) (type filename): a path, or `@` and a name in the abstract namespace; %NULL if the options have a
 *   socket
 * @limit: the limit of each reader in bytes; 0 or -1 for the default, 64 KiB
 * @options: (nullable): options
 *
 * As [func@start_unix_server], with a task for each client, which runs @client_connected in a fiber.
 *
 * Returns: (transfer full): a future for the [class@Server]; it fails as that of
 *   [method@EventLoop.create_unix_server]
 */
LoopFuture *
loop_start_unix_fiber_server (LoopEventLoop *loop,
                              LoopStreamFiberFunc client_connected,
                              gpointer user_data,
                              GDestroyNotify notify,
                              const char *path,
                              gssize limit,
                              LoopServerOptions *options)
{
  Service *service;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (client_connected != NULL, NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_SERVER_OPTIONS (options), NULL);

  service = service_new (loop, limit, NULL, client_connected, user_data, notify);

  return loop_event_loop_create_unix_server (loop, path, options, make_protocol, service, service_unref);
}
