/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dgram-check.h"

#include <netinet/in.h>
#include <string.h>

static void
note (DgramPeer *self, const char *event)
{
  g_string_append_printf (self->events, "%s%s", self->events->len > 0 ? " " : "", event);
}

static void
peer_made (LoopDatagramTransport *transport, gpointer user_data)
{
  DgramPeer *self = user_data;

  ck_assert_ptr_null (self->transport);
  self->transport = g_object_ref (transport);
  self->n_made++;
  note (self, "made");
  if (self->made != NULL)
    self->made (self);
}

static void
peer_lost (LoopDatagramTransport *transport, const GError *exception, gpointer user_data)
{
  DgramPeer *self = user_data;

  ck_assert_ptr_eq (transport, self->transport);
  ck_assert_uint_eq (self->n_made, 1);
  ck_assert_uint_eq (self->n_lost, 0);
  ck_assert (loop_transport_is_closing (LOOP_TRANSPORT (transport)));
  self->n_lost++;
  self->error = exception != NULL ? g_error_copy (exception) : NULL;
  note (self, "lost");
  if (self->lost != NULL)
    self->lost (self);
}

static void
peer_paused (LoopDatagramTransport *transport, gpointer user_data)
{
  DgramPeer *self = user_data;

  ck_assert_uint_eq (self->n_paused, self->n_resumed);
  self->n_paused++;
  note (self, "paused");
  if (self->paused != NULL)
    self->paused (self);
}

static void
peer_resumed (LoopDatagramTransport *transport, gpointer user_data)
{
  DgramPeer *self = user_data;

  ck_assert_uint_eq (self->n_paused, self->n_resumed + 1);
  self->n_resumed++;
  note (self, "resumed");
  if (self->resumed != NULL)
    self->resumed (self);
}

static void
peer_received (LoopDatagramTransport *transport,
               const guint8 *data,
               gsize length,
               GSocketAddress *addr,
               gpointer user_data)
{
  DgramPeer *self = user_data;

  ck_assert_ptr_eq (transport, self->transport);
  ck_assert_uint_eq (self->n_lost, 0);
  ck_assert (loop_transport_is_reading (LOOP_TRANSPORT (transport)));
  self->n_received++;
  self->n_bytes += length;
  if (!self->is_discarding)
    {
      g_ptr_array_add (self->received, g_bytes_new (data, length));
      g_ptr_array_add (self->addresses, addr != NULL ? g_object_ref (addr) : NULL);
    }
  if (self->is_echo)
    ck_assert (loop_datagram_transport_sendto (transport, data, length, addr, NULL));
  if (self->datagram != NULL)
    self->datagram (self, data, length, addr);
}

static void
peer_failed (LoopDatagramTransport *transport, const GError *exception, gpointer user_data)
{
  DgramPeer *self = user_data;

  ck_assert_ptr_eq (transport, self->transport);
  ck_assert_uint_eq (self->n_lost, 0);
  ck_assert_ptr_nonnull (exception);
  g_ptr_array_add (self->errors, g_error_copy (exception));
  if (self->failed != NULL)
    self->failed (self, exception);
}

static const LoopDatagramProtocolVTable peer_vtable = {
  .connection_made = peer_made,
  .connection_lost = peer_lost,
  .pause_writing = peer_paused,
  .resume_writing = peer_resumed,
  .datagram_received = peer_received,
  .error_received = peer_failed,
};

static void
clear_address (gpointer address)
{
  if (address != NULL)
    g_object_unref (address);
}

DgramPeer *
dgram_peer_new (void)
{
  DgramPeer *self = g_new0 (DgramPeer, 1);

  self->events = g_string_new (NULL);
  self->received = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->addresses = g_ptr_array_new_with_free_func (clear_address);
  self->errors = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);

  return self;
}

void
dgram_peer_free (DgramPeer *self)
{
  if (self->transport != NULL && self->n_lost == 0 && loop_transport_get_protocol (LOOP_TRANSPORT (self->transport)))
    {
      loop_transport_abort (LOOP_TRANSPORT (self->transport));
      tcp_run_until (loop_transport_get_loop (LOOP_TRANSPORT (self->transport)), self->n_lost == 1);
    }
  g_clear_object (&self->transport);
  g_string_free (self->events, TRUE);
  g_ptr_array_unref (self->received);
  g_ptr_array_unref (self->addresses);
  g_ptr_array_unref (self->errors);
  g_clear_error (&self->error);
  g_free (self);
}

GObject *
dgram_peer_factory (gpointer peer)
{
  return G_OBJECT (loop_datagram_protocol_new (&peer_vtable, peer, NULL));
}

GObject *
dgram_refuse_factory (gpointer unused)
{
  ck_abort_msg ("a protocol is made although the options are bad");
}

static GSocketConnectable *
parse (const char *text)
{
  g_autofree char *host = NULL;
  const char *colon = strrchr (text, ':');
  g_autoptr (GSocketAddress) numeric = NULL;
  guint port = (guint) g_ascii_strtoull (colon + 1, NULL, 10);

  host = g_strndup (text, (gsize) (colon - text));
  numeric = g_inet_socket_address_new_from_string (host, port);
  if (numeric != NULL)
    return G_SOCKET_CONNECTABLE (g_steal_pointer (&numeric));

  return g_network_address_new (host, (guint16) port);
}

LoopDatagramOptions *
dgram_options (const char *local, const char *remote)
{
  LoopDatagramOptions *options = loop_datagram_options_new ();

  if (local != NULL)
    {
      g_autoptr (GSocketConnectable) address = parse (local);

      loop_datagram_options_set_local_addr (options, address);
    }
  if (remote != NULL)
    {
      g_autoptr (GSocketConnectable) address = parse (remote);

      loop_datagram_options_set_remote_addr (options, address);
    }

  return options;
}

void
dgram_open_full (Tcp *tcp, DgramPeer *peer, LoopDatagramOptions *options)
{
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_datagram_endpoint (tcp->loop, options, dgram_peer_factory, peer, NULL);
  g_autoptr (LoopTransport) transport = tcp_take_transport (tcp, future);

  ck_assert_ptr_eq (transport, peer->transport);
  ck_assert_uint_eq (peer->n_made, 1);
}

DgramPeer *
dgram_open (Tcp *tcp, const char *local, const char *remote)
{
  DgramPeer *peer = dgram_peer_new ();
  g_autoptr (LoopDatagramOptions) options = dgram_options (local, remote);

  dgram_open_full (tcp, peer, options);

  return peer;
}

GError *
dgram_open_fails (Tcp *tcp, LoopDatagramOptions *options)
{
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_datagram_endpoint (tcp->loop, options, dgram_refuse_factory, NULL, NULL);

  return tcp_take_error (tcp, future);
}

void
dgram_close (Tcp *tcp, DgramPeer *peer)
{
  loop_transport_close (LOOP_TRANSPORT (peer->transport));
  tcp_run_until (tcp->loop, peer->n_lost == 1);
}

GSocketAddress *
dgram_get_address (DgramPeer *peer)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_transport_get_extra_info (LOOP_TRANSPORT (peer->transport), "sockname", &value));

  return g_value_dup_object (&value);
}

GSocket *
dgram_get_socket (DgramPeer *peer)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_transport_get_extra_info (LOOP_TRANSPORT (peer->transport), "socket", &value));

  return g_value_get_object (&value);
}

guint16
dgram_get_port (DgramPeer *peer)
{
  g_autoptr (GSocketAddress) address = dgram_get_address (peer);

  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
}

char *
dgram_name (DgramPeer *peer)
{
  g_autoptr (GSocketAddress) address = dgram_get_address (peer);

  return g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));
}

void
dgram_send (DgramPeer *peer, const char *text, GSocketAddress *addr)
{
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_datagram_transport_sendto (peer->transport, (const guint8 *) text, strlen (text), addr, &error),
                 "%s", error != NULL ? error->message : "");
}

char *
dgram_text (DgramPeer *peer, guint i)
{
  gsize length;
  const char *data;

  ck_assert_uint_lt (i, peer->received->len);
  data = g_bytes_get_data (g_ptr_array_index (peer->received, i), &length);

  return g_strndup (data != NULL ? data : "", length);
}

int
dgram_raw_socket (Tcp *tcp, guint16 *port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = g_htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof address;
  struct timeval timeout = { .tv_sec = 10 };
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  ck_assert_int_ge (fd, 0);
  g_array_append_val (tcp->raw, fd);
  ck_assert_int_eq (setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
  ck_assert_int_eq (bind (fd, (struct sockaddr *) &address, sizeof address), 0);
  ck_assert_int_eq (getsockname (fd, (struct sockaddr *) &address, &length), 0);
  *port = g_ntohs (address.sin_port);

  return fd;
}
