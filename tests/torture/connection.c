/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

/* Connections by a name that has several addresses, from a local address, and to where nobody listens. */

static guint n_connected;
static guint n_refused;

static void
client_made (ScenePeer *self)
{
  n_connected++;
  scene_peer_send (self, 1);
}

static void
client_data (ScenePeer *self)
{
  loop_transport_close (self->transport);
  if (n_connected == 2)
    loop_server_close (self->scene->server);
}

static GObject *
refuse_protocol (gpointer user_data)
{
  torture_fail ("a connection was made to a port on which nobody listens");
}

static void
not_connected (LoopFuture *future, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (!loop_future_cancelled (future) && !loop_future_result (future, NULL, &error))
    n_refused++;
  scene_release (user_data);
}

/* A port that was given up a moment ago, for one after another is given out. */
static void
connect_to_nobody (Scene *self)
{
  g_autoptr (GSocket) taken = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new (loopback, 0);
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (LoopFuture) future = NULL;
  guint16 port;

  if (taken != NULL && g_socket_bind (taken, any, FALSE, NULL))
    address = g_socket_get_local_address (taken, NULL);
  if (address == NULL)
    {
      torture_report ("the scenario has no socket");
      return;
    }

  /* Bound and not listening: it stays ours until the end of the connection. */
  port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
  future = loop_event_loop_create_connection (self->loop, "127.0.0.1", port, NULL, refuse_protocol, NULL, NULL);
  scene_hold (self);
  loop_future_add_done_callback (future, not_connected, self, NULL);
  g_object_set_data_full (G_OBJECT (future), "taken", g_steal_pointer (&taken), g_object_unref);
  g_ptr_array_add (self->futures, g_steal_pointer (&future));
}

static void
connect_all (Scene *self, const GValue *result, gpointer user_data)
{
  guint16 port = scene_get_port (self);

  for (guint i = 0; i < 2 && port != 0; i++)
    {
      ScenePeer *client = scene_peer_new (self);

      client->n_expected = 1;
      client->made = client_made;
      client->data = client_data;
      scene_peer_connect (client, i == 0 ? "localhost" : "127.0.0.1", port);
    }
  connect_to_nobody (self);
}

static void
run (void)
{
  Scene *scene = scene_new ();

  scene_serve (scene, scene_accept_echo, connect_all);
  scene_run (scene);
  torture_expect (n_connected == 2, "both clients were connected");
  torture_expect (n_refused == 1, "nobody listens, and that was said");
  scene_end (scene);
}

TORTURE_MAIN ("connection", run)
