/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <netinet/in.h>
#include <string.h>

/* An endpoint that echoes, and two that send it what is empty, small and large, and go when they have it back. */

#define N_CLIENTS 2
#define N_DATAGRAMS 12

typedef struct
{
  Scene *scene;
  LoopDatagramTransport *transport; /* while it is there */
  guint n_received;
  gboolean is_echo;
} Endpoint;

static Endpoint server;
static Endpoint clients[N_CLIENTS];

/* Lengths are what tells them apart. */
static gsize
get_length (guint i)
{
  return i % 4 * 900;
}

static void
send_datagram (Endpoint *self, const guint8 *data, gsize length, GSocketAddress *addr)
{
  g_autoptr (GError) error = NULL;

  if (!loop_datagram_transport_sendto (self->transport, data, length, addr, &error))
    scene_report (self->scene, "sendto", error);
}

static void
endpoint_made (LoopDatagramTransport *transport, gpointer user_data)
{
  Endpoint *self = user_data;
  guint8 data[4 * 900] = { 0 };

  self->transport = transport;
  scene_hold (self->scene);
  for (guint i = 0; !self->is_echo && i < N_DATAGRAMS; i++)
    send_datagram (self, data, get_length (i), NULL);
}

static void
endpoint_lost (LoopDatagramTransport *transport, const GError *exception, gpointer user_data)
{
  Endpoint *self = user_data;

  self->transport = NULL;
  if (exception != NULL)
    scene_report (self->scene, "connection_lost", exception);
  scene_release (self->scene);
}

static gboolean
has_all (const Endpoint *self)
{
  return self->n_received == N_DATAGRAMS;
}

static void
endpoint_received (LoopDatagramTransport *transport,
                   const guint8 *data,
                   gsize length,
                   GSocketAddress *addr,
                   gpointer user_data)
{
  Endpoint *self = user_data;

  if (self->is_echo)
    {
      send_datagram (self, data, length, addr);
      return;
    }

  /* What the user was told of may be missing. */
  if (!torture_has_reported () && length != get_length (self->n_received))
    torture_fail ("datagram %u has %zu bytes", self->n_received, length);
  self->n_received++;
  if (!has_all (self))
    return;

  loop_transport_close (LOOP_TRANSPORT (transport));
  if (has_all (&clients[0]) && has_all (&clients[1]) && server.transport != NULL)
    loop_transport_close (LOOP_TRANSPORT (server.transport));
}

static void
endpoint_failed (LoopDatagramTransport *transport, const GError *exception, gpointer user_data)
{
  Endpoint *self = user_data;

  scene_report (self->scene, "error_received", exception);
}

static const LoopDatagramProtocolVTable vtable = {
  .connection_made = endpoint_made,
  .connection_lost = endpoint_lost,
  .datagram_received = endpoint_received,
  .error_received = endpoint_failed,
};

static GObject *
make_protocol (gpointer endpoint)
{
  return G_OBJECT (loop_datagram_protocol_new (&vtable, endpoint, NULL));
}

static void
open_endpoint (Scene *scene, Endpoint *self, LoopDatagramOptions *options, SceneFutureFunc done)
{
  self->scene = scene;
  scene_take_future (scene, loop_event_loop_create_datagram_endpoint (scene->loop, options, make_protocol, self, NULL),
                     done, NULL);
}

static void
open_clients (Scene *scene, const GValue *result, gpointer user_data)
{
  g_auto (GValue) name = G_VALUE_INIT;
  guint16 port;

  if (!loop_transport_get_extra_info (g_value_get_object (result), "sockname", &name))
    {
      scene_report (scene, "the server has no address", NULL);
      return;
    }

  port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (g_value_get_object (&name)));
  for (guint i = 0; i < N_CLIENTS; i++)
    {
      g_autoptr (LoopDatagramOptions) options = loop_datagram_options_new ();
      g_autoptr (GSocketConnectable) address = g_network_address_new (i == 0 ? "localhost" : "127.0.0.1", port);

      loop_datagram_options_set_family (options, AF_INET);
      loop_datagram_options_set_remote_addr (options, address);
      open_endpoint (scene, &clients[i], options, NULL);
    }
}

static void
abort_all (Scene *scene, gpointer user_data)
{
  Endpoint *all[] = { &server, &clients[0], &clients[1] };

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    {
      if (all[i]->transport != NULL)
        loop_transport_abort (LOOP_TRANSPORT (all[i]->transport));
    }
}

static void
run (void)
{
  Scene *scene = scene_new ();
  g_autoptr (LoopDatagramOptions) options = loop_datagram_options_new ();
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string ("127.0.0.1", 0);

  memset (&server, 0, sizeof server);
  memset (clients, 0, sizeof clients);
  server.is_echo = TRUE;
  scene->give_up = abort_all;
  loop_datagram_options_set_local_addr (options, G_SOCKET_CONNECTABLE (any));
  open_endpoint (scene, &server, options, open_clients);
  scene_run (scene);
  torture_expect (has_all (&clients[0]) && has_all (&clients[1]), "each client has got back what it sent");
  scene_end (scene);
}

TORTURE_MAIN ("datagram", run)
