/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

/* A client says all that it has, and that this was all; the server answers afterwards. Another one breaks off. */

#define N_QUESTION 5000
#define N_ANSWER 7000

static guint n_answers;

static void
question_ended (ScenePeer *self)
{
  if (self->n_received == N_QUESTION)
    scene_peer_send (self, N_ANSWER);
  loop_transport_close (self->transport);
}

static GObject *
accept_peer (gpointer user_data)
{
  ScenePeer *self = scene_peer_new (user_data);

  self->keep_open = TRUE;
  self->eof = question_ended;

  return scene_peer_take_protocol (self);
}

static void
break_off (ScenePeer *self)
{
  scene_peer_send (self, 10);
  loop_transport_abort (self->transport);
  loop_server_close (self->scene->server);
}

static void
answer_ended (ScenePeer *self)
{
  ScenePeer *other;

  if (self->n_received == N_ANSWER)
    n_answers++;
  loop_transport_close (self->transport);

  if (self->scene->is_giving_up)
    return;

  other = scene_peer_new (self->scene);
  other->made = break_off;
  scene_peer_connect (other, "127.0.0.1", scene_get_port (self->scene));
}

static void
ask (ScenePeer *self)
{
  scene_peer_send (self, N_QUESTION);
  loop_transport_write_eof (self->transport);
}

static void
connect_client (Scene *self, const GValue *result, gpointer user_data)
{
  ScenePeer *client = scene_peer_new (self);

  client->n_expected = N_ANSWER;
  client->keep_open = TRUE;
  client->made = ask;
  client->eof = answer_ended;
  scene_peer_connect (client, "127.0.0.1", scene_get_port (self));
}

static void
run (void)
{
  Scene *scene = scene_new ();

  scene_serve (scene, accept_peer, connect_client);
  scene_run (scene);
  torture_expect (n_answers == 1, "the whole answer came");
  scene_end (scene);
}

TORTURE_MAIN ("half-close", run)
