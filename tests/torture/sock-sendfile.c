/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* A file and a stream that is read in a thread, to a socket whose other end is read as well. */

#define N_FILE 9000
#define N_BYTES (2 * N_FILE)

static Scene *scene;
static GSocket *sender;
static GSocket *receiver;
static GInputStream *file;
static GInputStream *stream;
static gsize n_arrived;

static void
make_file (void)
{
  g_autofree guint8 *data = g_new (guint8, N_BYTES);
  int fd = memfd_create ("scene", MFD_CLOEXEC);

  for (gsize i = 0; i < N_BYTES; i++)
    data[i] = scene_byte (i);
  if (fd < 0 || write (fd, data, N_BYTES) != N_BYTES || lseek (fd, N_FILE, SEEK_SET) < 0)
    g_error ("the scenario has no file");

  file = g_unix_input_stream_new (fd, TRUE);
  stream = g_buffered_input_stream_new (file);
}

static GSocket *
wrap (int fd)
{
  GSocket *socket = g_socket_new_from_fd (fd, NULL);

  if (socket == NULL)
    g_error ("the scenario has no sockets");
  g_socket_set_blocking (socket, FALSE);

  return socket;
}

static void
make_sockets (void)
{
  int fds[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
    g_error ("the scenario has no sockets");
  sender = wrap (fds[0]);
  receiver = wrap (fds[1]);
}

static void receive (void);

static void
received (Scene *self, const GValue *result, gpointer user_data)
{
  gsize length;
  const guint8 *data = g_bytes_get_data (g_value_get_boxed (result), &length);

  for (gsize i = 0; i < length; i++)
    {
      if (data[i] != scene_byte (n_arrived + i))
        torture_fail ("byte %" G_GSIZE_FORMAT " is not the one that was sent", n_arrived + i);
    }
  n_arrived += length;
  if (length > 0 && n_arrived < N_BYTES)
    receive ();
}

static void
receive (void)
{
  scene_take_future (scene, loop_event_loop_sock_recv (scene->loop, receiver, 5000), received, NULL);
}

static void
stream_sent (Scene *self, const GValue *result, gpointer user_data)
{
  torture_expect (g_value_get_int64 (result) == N_FILE, "the stream was sent");
}

static void
file_sent (Scene *self, const GValue *result, gpointer user_data)
{
  torture_expect (g_value_get_int64 (result) == N_FILE, "the file was sent");
  if (lseek (g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (file)), N_FILE, SEEK_SET) < 0)
    scene_report (self, "the scenario cannot move its file", NULL);
  else
    scene_take_future (self, loop_event_loop_sock_sendfile (self->loop, sender, stream, 0, -1, TRUE), stream_sent,
                       NULL);
}

static void
run (void)
{
  make_file ();
  make_sockets ();
  scene = scene_new ();
  receive ();
  scene_take_future (scene, loop_event_loop_sock_sendfile (scene->loop, sender, file, 0, N_FILE, TRUE), file_sent,
                     NULL);
  scene_run (scene);
  torture_expect (n_arrived == N_BYTES, "all bytes have arrived");

  g_clear_object (&stream);
  g_clear_object (&file);
  g_clear_object (&sender);
  g_clear_object (&receiver);
  scene_end (scene);
}

TORTURE_MAIN ("sock-sendfile", run)
