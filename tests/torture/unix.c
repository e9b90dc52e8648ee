/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A server on a unix socket, where a file is in the way whose socket is gone, and clients that come and go. */

#define N_CLIENTS 3
#define N_BYTES 3000

static const char *path;
static guint n_complete;

static void
client_made (ScenePeer *self)
{
  scene_peer_send (self, N_BYTES);
}

static void
client_data (ScenePeer *self)
{
  if (self->n_received < N_BYTES)
    return;

  loop_transport_close (self->transport);
  if (++n_complete == N_CLIENTS)
    loop_server_close (self->scene->server);
}

static void
connect_clients (Scene *self, const GValue *result, gpointer user_data)
{
  for (guint i = 0; i < N_CLIENTS; i++)
    {
      ScenePeer *client = scene_peer_new (self);

      client->n_expected = N_BYTES;
      client->made = client_made;
      client->data = client_data;
      scene_peer_connect_unix (client, path);
    }
}

static void
leave_behind (void)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (fd < 0 || bind (fd, (const struct sockaddr *) &address, sizeof address) < 0)
    torture_fail ("%s cannot be bound", path);
  close (fd);
}

static void
run (void)
{
  g_autofree char *folder = g_dir_make_tmp ("loop-torture-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (folder, "socket", NULL);
  Scene *scene;

  path = file;
  leave_behind ();
  scene = scene_new ();
  scene_serve_unix (scene, path, scene_accept_echo, connect_clients);
  scene_run (scene);
  torture_expect (n_complete == N_CLIENTS, "each client has got back what it sent");
  scene_end (scene);

  /* What could not be removed, because that has failed, is removed here. */
  torture_expect (access (path, F_OK) != 0, "the file is removed");
  unlink (path);
  rmdir (folder);
}

TORTURE_MAIN ("unix", run)
