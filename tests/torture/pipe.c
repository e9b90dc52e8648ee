/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <fcntl.h>
#include <unistd.h>

/* What is written to one end of a pipe comes out at the other. */

#define N_BYTES 6000

static guint n_complete;

static void
send_all (ScenePeer *self)
{
  for (int i = 0; i < 3; i++)
    scene_peer_send (self, N_BYTES / 3);
  loop_transport_write_eof (self->transport);
}

static void
count_complete (ScenePeer *self)
{
  if (self->n_received == N_BYTES)
    n_complete++;
}

static GObject *
give_protocol (gpointer user_data)
{
  return g_object_ref (user_data);
}

/* A descriptor that was refused is the caller's. */
static void
close_if_refused (LoopFuture *future, gpointer fd)
{
  g_autoptr (GError) error = NULL;

  if (!loop_future_cancelled (future) && !loop_future_result (future, NULL, &error))
    close (GPOINTER_TO_INT (fd));
}

static void
connect_end (Scene *self, int fd, gboolean is_writer, ScenePeer *peer)
{
  GObject *protocol = scene_peer_take_protocol (peer);
  LoopFuture *future =
      is_writer ? loop_event_loop_connect_write_pipe (self->loop, fd, give_protocol, protocol, g_object_unref)
                : loop_event_loop_connect_read_pipe (self->loop, fd, give_protocol, protocol, g_object_unref);

  loop_future_add_done_callback (future, close_if_refused, GINT_TO_POINTER (fd), NULL);
  scene_take_future (self, future, NULL, NULL);
}

static void
run (void)
{
  Scene *scene;
  ScenePeer *reader;
  ScenePeer *writer;
  int fds[2];

  if (pipe2 (fds, O_CLOEXEC) < 0)
    g_error ("no pipe");

  scene = scene_new ();
  reader = scene_peer_new (scene);
  reader->n_expected = N_BYTES;
  reader->eof = count_complete;
  writer = scene_peer_new (scene);
  writer->made = send_all;
  connect_end (scene, fds[0], FALSE, reader);
  connect_end (scene, fds[1], TRUE, writer);
  scene_run (scene);
  torture_expect (n_complete == 1, "all came out");
  scene_end (scene);
}

TORTURE_MAIN ("pipe", run)
