/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

/* How long after the first error the rest may still come to an end by itself: a paused server looks again in 0.25 s. */
#define PATIENCE 0.4

void
scene_hold (Scene *self)
{
  self->n_held++;
}

void
scene_release (Scene *self)
{
  g_assert (self->n_held > 0);

  if (--self->n_held == 0 && !loop_event_loop_is_closed (self->loop))
    loop_event_loop_stop (self->loop);
}

/* --- Errors --------------------------------------------------------------------------------------- */

/* From now on everything that is left is to end. */
void
scene_give_up (Scene *self)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_copy (self->futures, (GCopyFunc) g_object_ref, NULL);

  if (self->is_giving_up)
    return;

  self->is_giving_up = TRUE;
  g_ptr_array_set_free_func (futures, g_object_unref);
  if (self->give_up != NULL)
    self->give_up (self, self->give_up_data);
  if (self->server != NULL)
    loop_server_close (self->server);
  for (guint i = 0; i < futures->len; i++)
    loop_future_cancel (g_ptr_array_index (futures, i));
  for (guint i = 0; i < self->peers->len; i++)
    {
      ScenePeer *peer = g_ptr_array_index (self->peers, i);

      if (peer->transport != NULL)
        loop_transport_abort (peer->transport);
    }
}

static void
lose_patience (gpointer data)
{
  scene_give_up (data);
}

void
scene_report (Scene *self, const char *what, const GError *error)
{
  torture_report ("%s: %s", what, error != NULL ? error->message : "");

  if (self->patience != NULL || self->is_giving_up || loop_event_loop_is_closed (self->loop))
    return;

  self->patience = loop_event_loop_call_later (self->loop, PATIENCE, lose_patience, self, NULL);
  if (self->patience != NULL)
    loop_timer_handle_ref (self->patience);
}

static void
handle_exception (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  scene_report (user_data, loop_exception_context_get_message (context),
                loop_exception_context_get_exception (context));
}

/* --- Futures -------------------------------------------------------------------------------------- */

typedef struct
{
  Scene *scene;
  SceneFutureFunc done;
  gpointer user_data;
} Waiting;

static void
future_done (LoopFuture *future, gpointer user_data)
{
  Waiting *waiting = user_data;
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  if (!loop_future_result (future, &value, &error))
    scene_report (waiting->scene, "future", error);
  else if (waiting->done != NULL)
    waiting->done (waiting->scene, &value, waiting->user_data);

  g_ptr_array_remove_fast (waiting->scene->futures, future);
}

static void
waiting_free (gpointer data)
{
  Waiting *self = data;

  scene_release (self->scene);
  g_free (self);
}

/* Takes @future, and calls @done when it has a result; that it failed is reported. */
void
scene_take_future (Scene *self, LoopFuture *future, SceneFutureFunc done, gpointer user_data)
{
  Waiting *waiting = g_new (Waiting, 1);

  *waiting = (Waiting) { self, done, user_data };
  scene_hold (self);
  g_ptr_array_add (self->futures, future);
  loop_future_add_done_callback (future, future_done, waiting, waiting_free);
}

/* --- Peers ---------------------------------------------------------------------------------------- */

guint8
scene_byte (gsize i)
{
  return (guint8) (i ^ i >> 8);
}

static void
peer_made (LoopTransport *transport, gpointer user_data)
{
  ScenePeer *self = user_data;

  self->transport = g_object_ref (transport);
  if (self->made != NULL)
    self->made (self);
}

static void
peer_data (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  ScenePeer *self = user_data;

  for (gsize i = 0; i < length; i++)
    {
      if (data[i] != scene_byte (self->n_received + i))
        torture_fail ("byte %" G_GSIZE_FORMAT " is not the one that was sent", self->n_received + i);
    }
  self->n_received += length;
  if (self->is_echo)
    scene_peer_send (self, length);
  if (self->data != NULL)
    self->data (self);
}

static gboolean
peer_eof (LoopTransport *transport, gpointer user_data)
{
  ScenePeer *self = user_data;

  self->has_eof = TRUE;
  if (self->n_received < self->n_expected)
    scene_report (self->scene, "the end came early", NULL);
  if (self->eof != NULL)
    self->eof (self);

  return self->keep_open;
}

static void
peer_lost (LoopTransport *transport, const GError *error, gpointer user_data)
{
  ScenePeer *self = user_data;

  self->n_lost++;
  if (self->n_lost > 1)
    torture_fail ("a connection was lost twice");
  if (error != NULL)
    scene_report (self->scene, "connection_lost", error);
  g_clear_object (&self->transport);
}

static void
peer_paused (LoopTransport *transport, gpointer user_data)
{
  ScenePeer *self = user_data;

  if (self->paused != NULL)
    self->paused (self);
}

static void
peer_resumed (LoopTransport *transport, gpointer user_data)
{
  ScenePeer *self = user_data;

  if (self->resumed != NULL)
    self->resumed (self);
}

static const LoopProtocolVTable peer_vtable = {
  .connection_made = peer_made,
  .connection_lost = peer_lost,
  .data_received = peer_data,
  .eof_received = peer_eof,
  .pause_writing = peer_paused,
  .resume_writing = peer_resumed,
};

ScenePeer *
scene_peer_new (Scene *self)
{
  ScenePeer *peer = g_new0 (ScenePeer, 1);

  peer->scene = self;
  g_ptr_array_add (self->peers, peer);
  scene_hold (self);

  return peer;
}

static void
peer_free (gpointer data)
{
  ScenePeer *self = data;
  Scene *scene = self->scene;

  if (self->transport != NULL && !loop_event_loop_is_closed (scene->loop))
    torture_fail ("a protocol went before its connection was lost");
  g_clear_object (&self->transport);
  g_ptr_array_remove_fast (scene->peers, self);
  g_free (self);
  scene_release (scene);
}

GObject *
scene_peer_take_protocol (ScenePeer *self)
{
  return G_OBJECT (loop_protocol_new (&peer_vtable, self, peer_free));
}

void
scene_peer_send (ScenePeer *self, gsize n)
{
  g_autofree guint8 *data = g_new (guint8, n);

  for (gsize i = 0; i < n; i++)
    data[i] = scene_byte (self->n_sent + i);
  self->n_sent += n;
  loop_transport_write (self->transport, data, n);
}

typedef struct
{
  ScenePeer *peer;
} Connecting;

static GObject *
hand_out_protocol (gpointer user_data)
{
  Connecting *connecting = user_data;

  return scene_peer_take_protocol (g_steal_pointer (&connecting->peer));
}

/* The factory may never be called. */
static void
connecting_free (gpointer data)
{
  Connecting *self = data;

  if (self->peer != NULL)
    peer_free (self->peer);
  g_free (self);
}

static Connecting *
connecting_new (ScenePeer *peer)
{
  Connecting *self = g_new (Connecting, 1);

  self->peer = peer;

  return self;
}

void
scene_peer_connect (ScenePeer *self, const char *host, guint16 port)
{
  scene_peer_connect_with (self, host, port, NULL);
}

void
scene_peer_connect_with (ScenePeer *self, const char *host, guint16 port, LoopConnectionOptions *options)
{
  Scene *scene = self->scene;

  scene_take_future (scene,
                     loop_event_loop_create_connection (scene->loop, host, port, options, hand_out_protocol,
                                                        connecting_new (self), connecting_free),
                     NULL, NULL);
}

void
scene_peer_connect_unix (ScenePeer *self, const char *path)
{
  Scene *scene = self->scene;

  scene_take_future (scene,
                     loop_event_loop_create_unix_connection (scene->loop, path, NULL, hand_out_protocol,
                                                             connecting_new (self), connecting_free),
                     NULL, NULL);
}

/* --- The server ----------------------------------------------------------------------------------- */

static void
served (Scene *self, const GValue *result, gpointer user_data)
{
  SceneFutureFunc then = (SceneFutureFunc) user_data;

  self->server = g_value_dup_object (result);
  if (self->is_giving_up)
    loop_server_close (self->server);
  else
    then (self, result, NULL);
}

/* A factory of peers that send back what they receive. */
GObject *
scene_accept_echo (gpointer scene)
{
  ScenePeer *self = scene_peer_new (scene);

  self->is_echo = TRUE;

  return scene_peer_take_protocol (self);
}

/* Serves on a port of 127.0.0.1, and calls @then. The factory is given the scene. */
void
scene_serve (Scene *self, LoopProtocolFactory factory, SceneFutureFunc then)
{
  scene_serve_at (self, 0, factory, then);
}

void
scene_serve_at (Scene *self, guint16 port, LoopProtocolFactory factory, SceneFutureFunc then)
{
  static const char *const hosts[] = { "127.0.0.1", NULL };

  scene_take_future (self, loop_event_loop_create_server (self->loop, hosts, port, NULL, factory, self, NULL), served,
                     (gpointer) then);
}

void
scene_serve_unix (Scene *self, const char *path, LoopProtocolFactory factory, SceneFutureFunc then)
{
  scene_take_future (self, loop_event_loop_create_unix_server (self->loop, path, NULL, factory, self, NULL), served,
                     (gpointer) then);
}

/* Returns: the port, or 0 if it could not be found out, which is reported */
guint16
scene_get_port (Scene *self)
{
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (self->server);
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GError) error = NULL;

  if (sockets != NULL)
    address = g_socket_get_local_address (g_ptr_array_index (sockets, 0), &error);
  if (address == NULL)
    {
      scene_report (self, "port", error);
      scene_give_up (self);
      return 0;
    }

  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
}

/* --- The loop ------------------------------------------------------------------------------------- */

static Scene *
make (GMainContext *context)
{
  Scene *self = g_new0 (Scene, 1);

  self->futures = g_ptr_array_new_with_free_func (g_object_unref);
  self->peers = g_ptr_array_new ();
  self->loop = context != NULL ? loop_event_loop_new_for_context (context) : loop_event_loop_new ();
  loop_event_loop_set_exception_handler (self->loop, handle_exception, self, NULL);
  torture_start ();

  return self;
}

Scene *
scene_new (void)
{
  return make (NULL);
}

/* On a main context, which scene_run() iterates. */
Scene *
scene_new_for_context (GMainContext *context)
{
  return make (context);
}

/* Runs the loop until nothing is held any more. */
void
scene_run (Scene *self)
{
  while (self->n_held > 0)
    {
      g_autoptr (GError) error = NULL;

      if (loop_event_loop_get_context (self->loop) == g_main_context_default ())
        g_main_context_iteration (NULL, TRUE);
      else if (!loop_event_loop_run_forever_full (self->loop, &error))
        {
          scene_report (self, "run_forever", error);
          break;
        }
    }
}

void
scene_end (Scene *self)
{
  g_autoptr (LoopMetrics) metrics = loop_event_loop_get_metrics (self->loop);
  gpointer weak = self->loop;

  if (self->patience != NULL)
    loop_timer_handle_cancel (self->patience);
  g_clear_pointer (&self->patience, loop_timer_handle_unref);
  if (self->server != NULL)
    loop_server_close (self->server);
  if (!loop_event_loop_close (self->loop))
    torture_fail ("the loop could not be closed");

  g_clear_object (&self->server);
  g_ptr_array_set_size (self->futures, 0);
  if (self->peers->len > 0 || self->n_held > 0)
    torture_fail ("the loop is closed, but of %u peers the protocol lives, and %u are held", self->peers->len,
                  self->n_held);

  torture_count_iterations (loop_metrics_get_iterations (metrics));
  g_object_add_weak_pointer (G_OBJECT (self->loop), &weak);
  g_object_unref (self->loop);
  g_ptr_array_unref (self->futures);
  g_ptr_array_unref (self->peers);
  g_free (self);
  /* A thread may have the last reference for a moment. */
  for (guint i = 0; i < 1000 && g_atomic_pointer_get (&weak) != NULL; i++)
    g_usleep (1000);
  if (weak != NULL)
    torture_fail ("something has a reference to the loop still");

  torture_stop ();
}
