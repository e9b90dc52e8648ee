/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <sys/socket.h>

/* A sender that is faster than its receiver, which stops reading now and then: the water marks are passed often. */

#define N_BYTES 60000

static guint n_paused;
static guint n_resumed;
static gsize n_arrived;

/* The kernel is to keep little, so that the transport has to. A receiver with less would be probed by the second. */
static void
make_small (ScenePeer *self)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (!loop_transport_get_extra_info (self->transport, "socket", &value) ||
      !g_socket_set_option (g_value_get_object (&value), SOL_SOCKET, SO_SNDBUF, 2048, NULL))
    torture_report ("the scenario has a large buffer");
}

static void
resume_reading (gpointer transport)
{
  loop_transport_resume_reading (transport);
}

static void
read_slowly (ScenePeer *self)
{
  n_arrived = self->n_received;
  if (n_arrived % 7 != 0)
    return;

  loop_transport_pause_reading (self->transport);
  loop_event_loop_call_soon (self->scene->loop, resume_reading, g_object_ref (self->transport), g_object_unref);
}

static void
accepted (ScenePeer *self)
{
  make_small (self);
  loop_server_close (self->scene->server);
}

static GObject *
accept_peer (gpointer user_data)
{
  ScenePeer *self = scene_peer_new (user_data);

  self->n_expected = N_BYTES;
  self->made = accepted;
  self->data = read_slowly;

  return scene_peer_take_protocol (self);
}

/* As much as is taken without a pause, until it is all. */
static void
send_more (ScenePeer *self)
{
  while (n_paused == n_resumed && self->n_sent < N_BYTES)
    scene_peer_send (self, 10000);
  if (n_paused == n_resumed)
    loop_transport_close (self->transport);
}

static void
count_resumption (ScenePeer *self)
{
  n_resumed++;
  send_more (self);
}

static void
count_pause (ScenePeer *self)
{
  n_paused++;
}

static void
start_sending (ScenePeer *self)
{
  make_small (self);
  loop_transport_set_write_buffer_limits (self->transport, 3000, 1000, NULL);
  send_more (self);
}

static void
connect_client (Scene *self, const GValue *result, gpointer user_data)
{
  ScenePeer *client = scene_peer_new (self);

  client->made = start_sending;
  client->paused = count_pause;
  client->resumed = count_resumption;
  scene_peer_connect (client, "127.0.0.1", scene_get_port (self));
}

static void
run (void)
{
  Scene *scene = scene_new ();

  scene_serve (scene, accept_peer, connect_client);
  scene_run (scene);
  torture_expect (n_arrived >= N_BYTES, "all bytes have arrived");
  torture_expect (n_paused > 0 && n_paused == n_resumed, "the sender was paused, and resumed as often");
  scene_end (scene);
}

TORTURE_MAIN ("flow", run)
