/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <sys/mman.h>
#include <unistd.h>

/* A stream of bytes of which some are written and the rest comes from a file, a pipe, and a stream read in a thread. */

#define N_WRITTEN 2000
#define N_FILE 9000
#define N_PIPE 5000
#define N_BYTES (N_WRITTEN + N_FILE + N_PIPE + N_FILE)

/* All bytes that are sent, each where it will be in the stream; the pipe has only its own. */
static GInputStream *file;
static GInputStream *source;
static GInputStream *stream;
static gsize n_arrived;

static void
put (int fd, gsize from, gsize n)
{
  g_autofree guint8 *data = g_new (guint8, n);

  for (gsize i = 0; i < n; i++)
    data[i] = scene_byte (from + i);
  if (write (fd, data, n) != (gssize) n)
    g_error ("the scenario has no bytes");
}

static void
make_files (void)
{
  int fd = memfd_create ("scene", MFD_CLOEXEC);
  int fds[2];

  if (fd < 0 || pipe2 (fds, O_CLOEXEC) < 0)
    g_error ("the scenario has no files");

  put (fd, 0, N_BYTES);
  put (fds[1], N_WRITTEN + N_FILE, N_PIPE);
  close (fds[1]);
  file = g_unix_input_stream_new (fd, TRUE);
  source = g_unix_input_stream_new (fds[0], TRUE);
  stream = g_buffered_input_stream_new (file);
}

static void
drop_files (void)
{
  g_clear_object (&stream);
  g_clear_object (&source);
  g_clear_object (&file);
}

static void
count_bytes (ScenePeer *self)
{
  n_arrived = self->n_received;
}

static void
accepted (ScenePeer *self)
{
  loop_server_close (self->scene->server);
}

static GObject *
accept_peer (gpointer user_data)
{
  ScenePeer *self = scene_peer_new (user_data);

  self->n_expected = N_BYTES;
  self->made = accepted;
  self->data = count_bytes;

  return scene_peer_take_protocol (self);
}

static void
send_from (ScenePeer *self, GInputStream *from, gint64 offset, gint64 count, SceneFutureFunc done)
{
  if (self->transport != NULL)
    scene_take_future (self->scene,
                       loop_event_loop_sendfile (self->scene->loop, self->transport, from, offset, count, TRUE), done,
                       self);
}

static void
stream_sent (Scene *scene, const GValue *result, gpointer user_data)
{
  ScenePeer *self = user_data;

  torture_expect (g_value_get_int64 (result) == N_FILE, "the stream was sent");
  if (self->transport != NULL)
    loop_transport_close (self->transport);
}

static void
pipe_sent (Scene *scene, const GValue *result, gpointer user_data)
{
  torture_expect (g_value_get_int64 (result) == N_PIPE, "the pipe was sent");
  send_from (user_data, stream, 0, -1, stream_sent);
}

static void
file_sent (Scene *scene, const GValue *result, gpointer user_data)
{
  torture_expect (g_value_get_int64 (result) == N_FILE, "the file was sent");
  if (lseek (g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (file)), N_BYTES - N_FILE, SEEK_SET) < 0)
    scene_report (scene, "the scenario cannot move its file", NULL);
  else
    send_from (user_data, source, 0, -1, pipe_sent);
}

static void
start_sending (ScenePeer *self)
{
  scene_peer_send (self, N_WRITTEN);
  send_from (self, file, N_WRITTEN, N_FILE, file_sent);
}

static void
connect_client (Scene *self, const GValue *result, gpointer user_data)
{
  ScenePeer *client = scene_peer_new (self);

  client->made = start_sending;
  scene_peer_connect (client, "127.0.0.1", scene_get_port (self));
}

static void
run (void)
{
  Scene *scene;

  make_files ();
  scene = scene_new ();
  scene_serve (scene, accept_peer, connect_client);
  scene_run (scene);
  torture_expect (n_arrived == N_BYTES, "all bytes have arrived");
  drop_files ();
  scene_end (scene);
}

TORTURE_MAIN ("sendfile", run)
