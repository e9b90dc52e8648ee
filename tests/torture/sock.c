/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

/* A connection that is made, accepted, written to and read from by operations on sockets, and a datagram. */

#define N_BYTES 2000

static GSocket *listener;
static GSocket *client;
static GSocket *accepted;
static GSocket *from;
static GSocket *to;
static GBytes *sent;
static gsize n_echoed;
static gsize n_received;
static guint n_datagrams;

static GSocket *
make_socket (Scene *self, GSocketType type)
{
  g_autoptr (GError) error = NULL;
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, type, G_SOCKET_PROTOCOL_DEFAULT, &error);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string ("127.0.0.1", 0);

  if (socket == NULL || !g_socket_bind (socket, any, TRUE, &error))
    {
      scene_report (self, "the scenario has no socket", error);
      g_clear_object (&socket);
    }
  else
    g_socket_set_blocking (socket, FALSE);

  return socket;
}

static void
check_bytes (GBytes *bytes, gsize offset)
{
  g_autoptr (GBytes) expected = NULL;

  if (offset + g_bytes_get_size (bytes) > N_BYTES)
    torture_fail ("more was received than was sent");
  expected = g_bytes_new_from_bytes (sent, offset, g_bytes_get_size (bytes));
  if (!g_bytes_equal (bytes, expected))
    torture_fail ("what was received is not what was sent");
}

static void echo (Scene *self, const GValue *result, gpointer user_data);

static void
echoed (Scene *self, const GValue *result, gpointer user_data)
{
  if (n_echoed < N_BYTES)
    scene_take_future (self, loop_event_loop_sock_recv (self->loop, accepted, 700), echo, NULL);
}

static void
echo (Scene *self, const GValue *result, gpointer user_data)
{
  GBytes *bytes = g_value_get_boxed (result);

  if (g_bytes_get_size (bytes) == 0)
    {
      scene_report (self, "the end came early", NULL);
      return;
    }

  check_bytes (bytes, n_echoed);
  n_echoed += g_bytes_get_size (bytes);
  scene_take_future (self, loop_event_loop_sock_sendall (self->loop, accepted, bytes), echoed, NULL);
}

static void
was_accepted (Scene *self, const GValue *result, gpointer user_data)
{
  accepted = g_object_ref (loop_accept_result_get_socket (g_value_get_boxed (result)));
  echoed (self, NULL, NULL);
}

static void
receive (Scene *self, const GValue *result, gpointer user_data)
{
  GBytes *bytes = result != NULL ? g_value_get_boxed (result) : NULL;

  if (bytes != NULL)
    {
      check_bytes (bytes, n_received);
      n_received += g_bytes_get_size (bytes);
      if (g_bytes_get_size (bytes) == 0)
        {
          scene_report (self, "the end came early", NULL);
          return;
        }
    }
  if (n_received < N_BYTES)
    scene_take_future (self, loop_event_loop_sock_recv (self->loop, client, 900), receive, NULL);
}

static void
connected (Scene *self, const GValue *result, gpointer user_data)
{
  scene_take_future (self, loop_event_loop_sock_sendall (self->loop, client, sent), NULL, NULL);
  receive (self, NULL, NULL);
}

static void
start_stream (Scene *self)
{
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GSocketConnectable) name = NULL;
  g_autoptr (GError) error = NULL;

  listener = make_socket (self, G_SOCKET_TYPE_STREAM);
  client = make_socket (self, G_SOCKET_TYPE_STREAM);
  if (listener == NULL || client == NULL)
    return;

  if (g_socket_listen (listener, &error))
    address = g_socket_get_local_address (listener, &error);
  if (address == NULL)
    {
      scene_report (self, "the scenario has no socket that listens", error);
      return;
    }

  name = g_network_address_new ("127.0.0.1", g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)));
  scene_take_future (self, loop_event_loop_sock_accept (self->loop, listener), was_accepted, NULL);
  scene_take_future (self, loop_event_loop_sock_connect (self->loop, client, name), connected, NULL);
}

static void
datagram_received (Scene *self, const GValue *result, gpointer user_data)
{
  LoopRecvfromResult *received = g_value_get_boxed (result);

  check_bytes (loop_recvfrom_result_get_data (received), 0);
  if (loop_recvfrom_result_get_address (received) == NULL)
    torture_fail ("a datagram came from nowhere");
  n_datagrams++;
}

static void
start_datagram (Scene *self)
{
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GBytes) data = g_bytes_new_from_bytes (sent, 0, 100);
  g_autoptr (GError) error = NULL;

  from = make_socket (self, G_SOCKET_TYPE_DATAGRAM);
  to = make_socket (self, G_SOCKET_TYPE_DATAGRAM);
  if (from == NULL || to == NULL)
    return;

  address = g_socket_get_local_address (to, &error);
  if (address == NULL)
    {
      scene_report (self, "the scenario has no address", error);
      return;
    }
  scene_take_future (self, loop_event_loop_sock_recvfrom (self->loop, to, 1000), datagram_received, NULL);
  scene_take_future (self, loop_event_loop_sock_sendto (self->loop, from, data, address), NULL, NULL);
}

static void
run (void)
{
  Scene *scene = scene_new ();
  guint8 *bytes = g_malloc (N_BYTES);

  for (gsize i = 0; i < N_BYTES; i++)
    bytes[i] = (guint8) (i * 7);
  sent = g_bytes_new_take (bytes, N_BYTES);

  start_stream (scene);
  start_datagram (scene);
  scene_run (scene);
  torture_expect (n_echoed == N_BYTES && n_received == N_BYTES, "all bytes came back");
  torture_expect (n_datagrams == 1, "the datagram has come");

  g_clear_object (&listener);
  g_clear_object (&client);
  g_clear_object (&accepted);
  g_clear_object (&from);
  g_clear_object (&to);
  g_clear_pointer (&sent, g_bytes_unref);
  scene_end (scene);
}

TORTURE_MAIN ("sock", run)
