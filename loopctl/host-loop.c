/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"

/* The host's loop, on a thread of its own, and what the main thread asks of it. */

static gboolean
quit_service (gpointer user_data)
{
  CtlHost *self = user_data;

  if (self->service != NULL)
    g_main_loop_quit (self->service);

  return G_SOURCE_REMOVE;
}

static gpointer
loop_thread (gpointer data)
{
  CtlHost *self = data;

  loop_event_loop_run_forever (self->loop);
  g_mutex_lock (&self->mutex);
  self->is_ending = TRUE;
  g_cond_broadcast (&self->ending);
  g_mutex_unlock (&self->mutex);
  ctl_host_end_work (self);
  ctl_host_end_processes (self);
  /* Stopped by a client, say: then there is nothing left to serve. */
  g_main_context_invoke (NULL, quit_service, self);

  return NULL;
}

gboolean
ctl_host_start_loop (CtlHost *self, GError **error)
{
  self->thread = g_thread_try_new ("loop", loop_thread, self, error);

  return self->thread != NULL;
}

static void
stop (gpointer user_data)
{
  loop_event_loop_stop (user_data);
}

void
ctl_host_stop_loop (CtlHost *self)
{
  g_mutex_lock (&self->mutex);
  self->is_ending = TRUE;
  g_cond_broadcast (&self->ending);
  g_mutex_unlock (&self->mutex);

  if (self->thread != NULL)
    {
      loop_event_loop_call_soon_threadsafe (self->loop, stop, self->loop, NULL, NULL, NULL);
      g_thread_join (g_steal_pointer (&self->thread));
    }
  loop_event_loop_close (self->loop);
}

/* Returns: the port that the server's first socket has, or 0 */
guint16
ctl_host_get_port (LoopServer *server)
{
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (server);
  g_autoptr (GSocketAddress) address = NULL;

  if (sockets->len > 0)
    address = g_socket_get_local_address (g_ptr_array_index (sockets, 0), NULL);
  if (address == NULL || !G_IS_INET_SOCKET_ADDRESS (address))
    return 0;

  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
}

typedef struct
{
  CtlHost *self;
  const char *host;
  guint16 port;
  LoopProtocolFactory factory;
  gboolean is_done;
  GError *error;
} Serving;

static void
serving (LoopFuture *future, gpointer user_data)
{
  Serving *serving = user_data;
  CtlHost *self = serving->self;
  g_auto (GValue) value = G_VALUE_INIT;

  g_mutex_lock (&self->mutex);
  if (loop_future_result (future, &value, &serving->error))
    serving->port = ctl_host_get_port (g_value_get_object (&value));
  serving->is_done = TRUE;
  g_cond_broadcast (&self->ending);
  g_mutex_unlock (&self->mutex);
}

static void
serve (gpointer user_data)
{
  Serving *self = user_data;
  const char *hosts[] = { self->host, NULL };
  g_autoptr (LoopFuture) future = loop_event_loop_create_server (self->self->loop, *self->host != '\0' ? hosts : NULL,
                                                                 self->port, NULL, self->factory, self->self, NULL);

  loop_future_add_done_callback (future, serving, self, NULL);
}

/* Starts a server, and waits until it serves. Returns: its port, or 0 */
guint16
ctl_host_serve (CtlHost *self, const char *host, guint16 port, const char *service, GError **error)
{
  Serving request = { self, host, port, ctl_service_find (service, TRUE, error) };

  if (!loop_event_loop_call_soon_threadsafe (self->loop, serve, &request, NULL, NULL, error))
    return 0;

  g_mutex_lock (&self->mutex);
  while (!request.is_done)
    g_cond_wait (&self->ending, &self->mutex);
  g_mutex_unlock (&self->mutex);

  if (request.error == NULL)
    return request.port;

  g_propagate_error (error, request.error);

  return 0;
}
