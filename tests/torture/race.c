/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Happy eyeballs: this machine has two addresses. One of them, ::1, neither accepts nor refuses, for its queue is full;
 * and where there is no IPv6 it refuses.
 */

#define N_CLIENTS 3

static int silent_fds[6] = { -1, -1, -1, -1, -1, -1 };
static guint n_answered;

static void
client_made (ScenePeer *self)
{
  scene_peer_send (self, 1);
}

static void
client_data (ScenePeer *self)
{
  loop_transport_close (self->transport);
  if (++n_answered == N_CLIENTS)
    loop_server_close (self->scene->server);
}

static void
connect_clients (Scene *self, const GValue *result, gpointer user_data)
{
  guint16 port = scene_get_port (self);

  for (guint i = 0; i < N_CLIENTS && port != 0; i++)
    {
      g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
      ScenePeer *client = scene_peer_new (self);

      loop_connection_options_set_happy_eyeballs_delay (options, 0.002 * i);
      client->n_expected = 1;
      client->made = client_made;
      client->data = client_data;
      scene_peer_connect_with (client, NULL, port, options);
    }
}

/* Returns: the port on ::1, or 0 */
static guint16
make_silent (void)
{
  struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
  socklen_t length = sizeof address;

  for (guint i = 0; i < G_N_ELEMENTS (silent_fds); i++)
    silent_fds[i] = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (bind (silent_fds[0], (const struct sockaddr *) &address, length) < 0 || listen (silent_fds[0], 0) < 0 ||
      getsockname (silent_fds[0], (struct sockaddr *) &address, &length) < 0)
    return 0;

  for (guint i = 1; i < G_N_ELEMENTS (silent_fds); i++)
    connect (silent_fds[i], (const struct sockaddr *) &address, length);

  return g_ntohs (address.sin6_port);
}

/* From then on ::1 refuses, for those whose other address has failed. */
static void
end_silence (gpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (silent_fds); i++)
    {
      if (silent_fds[i] >= 0)
        close (silent_fds[i]);
      silent_fds[i] = -1;
    }
}

static void
run (void)
{
  guint16 port = make_silent ();
  Scene *scene = scene_new ();

  loop_event_loop_call_later (scene->loop, 0.3, end_silence, NULL, NULL);
  scene_serve_at (scene, port, scene_accept_echo, connect_clients);
  scene_run (scene);
  torture_expect (n_answered == N_CLIENTS, "all clients were answered");
  end_silence (NULL);
  scene_end (scene);
}

TORTURE_MAIN ("race", run)
