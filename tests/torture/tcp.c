/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

/* A server that echoes, and clients that come, write in several ways, get back what they wrote, and go. */

#define N_CLIENTS 3
#define N_BYTES 3000

static guint n_complete;
static guint n_lost_accepted;

static void
client_made (ScenePeer *self)
{
  for (guint i = 0; i < 3; i++)
    scene_peer_send (self, N_BYTES / 3);
}

static void
client_data (ScenePeer *self)
{
  if (self->n_received < N_BYTES)
    return;

  n_complete++;
  loop_transport_close (self->transport);
}

static void
all_accepted_lost (Scene *self, const GValue *result, gpointer user_data)
{
  n_lost_accepted++;
}

/* Once the last client has come to its end, the server may go. */
static void
accepted_eof (ScenePeer *self)
{
  Scene *scene = self->scene;

  if (n_complete < N_CLIENTS || !loop_server_is_serving (scene->server))
    return;

  loop_server_close (scene->server);
  scene_take_future (scene, loop_server_wait_closed (scene->server), all_accepted_lost, NULL);
}

static GObject *
accept_peer (gpointer user_data)
{
  ScenePeer *self = scene_peer_new (user_data);

  self->is_echo = TRUE;
  self->eof = accepted_eof;

  return scene_peer_take_protocol (self);
}

static void
connect_clients (Scene *self, const GValue *result, gpointer user_data)
{
  guint16 port = scene_get_port (self);

  for (guint i = 0; i < N_CLIENTS && port != 0; i++)
    {
      ScenePeer *client = scene_peer_new (self);

      client->n_expected = N_BYTES;
      client->made = client_made;
      client->data = client_data;
      scene_peer_connect (client, "127.0.0.1", port);
    }
}

static void
run (void)
{
  Scene *scene = scene_new ();

  scene_serve (scene, accept_peer, connect_clients);
  scene_run (scene);
  torture_expect (n_complete == N_CLIENTS, "each client has got back what it sent");
  torture_expect (n_lost_accepted == 1, "the server saw all connections end");
  scene_end (scene);
}

TORTURE_MAIN ("tcp", run)
