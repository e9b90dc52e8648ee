/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

/* A loop on GLib's default context, which others iterate, beside sources of GLib's: timers, a connection, a thread. */

static guint n_fired;
static guint n_echoes;
static guint n_jobs;
static guint n_idle;

static void
fire (gpointer data)
{
  n_fired++;
  scene_release (data);
}

static gboolean
be_idle (gpointer data)
{
  n_idle++;
  scene_release (data);

  return G_SOURCE_REMOVE;
}

static gboolean
do_job (GValue *result, gpointer user_data, GError **error)
{
  return TRUE;
}

static void
job_done (Scene *self, const GValue *result, gpointer user_data)
{
  n_jobs++;
}

static void
greet (ScenePeer *self)
{
  scene_peer_send (self, 100);
}

static void
client_data (ScenePeer *self)
{
  if (self->n_received < 100)
    return;

  n_echoes++;
  loop_transport_close (self->transport);
  loop_server_close (self->scene->server);
}

static void
connect_client (Scene *self, const GValue *result, gpointer user_data)
{
  ScenePeer *client = scene_peer_new (self);

  client->n_expected = 100;
  client->made = greet;
  client->data = client_data;
  scene_peer_connect (client, "127.0.0.1", scene_get_port (self));
}

static void
run (void)
{
  Scene *scene = scene_new_for_context (g_main_context_default ());

  for (guint i = 0; i < 3; i++)
    {
      scene_hold (scene);
      loop_event_loop_call_later (scene->loop, 0.001 * i, fire, scene, NULL);
    }
  scene_hold (scene);
  g_idle_add (be_idle, scene);
  scene_take_future (scene, loop_event_loop_run_in_executor (scene->loop, NULL, do_job, NULL, NULL), job_done, NULL);
  scene_serve (scene, scene_accept_echo, connect_client);
  scene_run (scene);
  torture_expect (n_fired == 3 && n_idle == 1, "each timer and GLib's source have come");
  torture_expect (n_jobs == 1, "the function has run");
  torture_expect (n_echoes == 1, "the client has got back what it sent");
  scene_end (scene);
}

TORTURE_MAIN ("context", run)
