/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <string.h>

/* A process gives back what it is given, and ends as it was told to. */

#define N_BYTES 5000
#define RETURNCODE 3

typedef struct
{
  Scene *scene;
  LoopSubprocessTransport *transport;
  gsize n_received;
  int returncode;
} Process;

static guint n_complete;

static void
process_made (LoopSubprocessTransport *transport, gpointer user_data)
{
  Process *self = user_data;
  LoopTransport *input = loop_subprocess_transport_get_pipe_transport (transport, 0);
  g_autofree guint8 *data = g_malloc (N_BYTES);

  self->transport = g_object_ref (transport);
  memset (data, 'x', N_BYTES);
  loop_transport_write (input, data, N_BYTES);
  loop_transport_write_eof (input);
}

static void
process_data (LoopSubprocessTransport *transport, int fd, const guint8 *data, gsize length, gpointer user_data)
{
  Process *self = user_data;

  if (fd != 1 || memchr (data, 'x', length) != data)
    torture_fail ("this was not written");
  self->n_received += length;
}

static void
process_pipe_lost (LoopSubprocessTransport *transport, int fd, const GError *error, gpointer user_data)
{
  if (error != NULL)
    scene_report (((Process *) user_data)->scene, "pipe", error);
}

static void
process_exited (LoopSubprocessTransport *transport, gpointer user_data)
{
  Process *self = user_data;

  if (!loop_subprocess_transport_get_returncode (transport, &self->returncode))
    torture_fail ("a process that has ended has no exit code");
  if (self->returncode != RETURNCODE)
    scene_report (self->scene, "exit code", NULL);
}

static void
process_lost (LoopSubprocessTransport *transport, const GError *error, gpointer user_data)
{
  Process *self = user_data;

  if (self->returncode == RETURNCODE && self->n_received == N_BYTES)
    n_complete++;
  g_clear_object (&self->transport);
}

static const LoopSubprocessProtocolVTable vtable = {
  .connection_made = process_made,
  .connection_lost = process_lost,
  .pipe_data_received = process_data,
  .pipe_connection_lost = process_pipe_lost,
  .process_exited = process_exited,
};

static void
process_free (gpointer data)
{
  Process *self = data;

  g_clear_object (&self->transport);
  scene_release (self->scene);
}

static void
kill_process (Scene *scene, gpointer process)
{
  Process *self = process;

  if (self->transport != NULL)
    loop_subprocess_transport_close (self->transport);
}

static GObject *
make_protocol (gpointer process)
{
  scene_hold (((Process *) process)->scene);

  return G_OBJECT (loop_subprocess_protocol_new (&vtable, process, process_free));
}

static void
run (void)
{
  /* It is not to be tortured itself. */
  static const char *const env[] = { "PATH=/bin:/usr/bin", NULL };
  Scene *scene = scene_new ();
  Process process = { .scene = scene, .returncode = -1 };
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();

  scene->give_up = kill_process;
  scene->give_up_data = &process;
  loop_subprocess_options_set_env (options, env);
  loop_subprocess_options_set_stderr (options, LOOP_SUBPROCESS_DEVNULL);
  scene_take_future (
      scene, loop_event_loop_subprocess_shell (scene->loop, "cat; exit 3", options, make_protocol, &process, NULL),
      NULL, NULL);
  scene_run (scene);
  torture_expect (n_complete == 1, "all came back, and the exit code is right");
  scene_end (scene);
}

TORTURE_MAIN ("subprocess", run)
