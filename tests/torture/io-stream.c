/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

/* A connection becomes a stream of GIO's, and that a transport again: what it writes comes back. */

#define N_BYTES 20000

static guint n_complete;

static void
ask (ScenePeer *self)
{
  scene_peer_send (self, N_BYTES);
}

static void
receive (ScenePeer *self)
{
  if (self->n_received == N_BYTES)
    loop_transport_write_eof (self->transport);
}

static void
end (ScenePeer *self)
{
  if (self->n_received == N_BYTES)
    n_complete++;
  if (self->scene->server != NULL)
    loop_server_close (self->scene->server);
}

static GObject *
give_protocol (gpointer user_data)
{
  return g_object_ref (user_data);
}

static void
take_over (ScenePeer *self)
{
  g_autoptr (LoopTransport) transport = g_steal_pointer (&self->transport);
  Scene *scene = self->scene;
  ScenePeer *second = scene_peer_new (scene);
  g_autoptr (LoopIOStream) stream = loop_io_stream_new (transport);
  GObject *protocol = scene_peer_take_protocol (second);

  second->n_expected = N_BYTES;
  second->made = ask;
  second->data = receive;
  second->eof = end;
  scene_take_future (
      scene,
      loop_event_loop_connect_io_stream (scene->loop, G_IO_STREAM (stream), give_protocol, protocol, g_object_unref),
      NULL, NULL);
}

static void
connect_client (Scene *self, const GValue *result, gpointer user_data)
{
  ScenePeer *client = scene_peer_new (self);

  client->made = take_over;
  scene_peer_connect (client, "127.0.0.1", scene_get_port (self));
}

static void
run (void)
{
  Scene *scene = scene_new ();

  scene_serve (scene, scene_accept_echo, connect_client);
  scene_run (scene);
  torture_expect (n_complete == 1, "all came back");
  scene_end (scene);
}

/* What GIO opens for its tasks stays open. */
static void __attribute__ ((constructor)) prepare (void) { g_type_class_unref (g_type_class_ref (G_TYPE_TASK)); }

TORTURE_MAIN ("io-stream", run)
