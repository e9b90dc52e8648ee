/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dgram-check.h"

#include <string.h>

/* Datagrams over UDP, from one endpoint to another and back. */

#define N_MANY 5000

START_TEST (test_echo)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);
  g_autofree char *client_name = dgram_name (client);
  g_autofree char *text = NULL;
  g_autofree char *from = NULL;

  server->is_echo = TRUE;
  dgram_send (client, "hello", NULL);
  tcp_run_until (tcp.loop, client->n_received == 1);
  text = dgram_text (client, 0);
  ck_assert_str_eq (text, "hello");

  from = g_socket_connectable_to_string (g_ptr_array_index (server->addresses, 0));
  ck_assert_str_eq (from, client_name);
  g_free (from);
  from = g_socket_connectable_to_string (g_ptr_array_index (client->addresses, 0));
  ck_assert_str_eq (from, name);

  dgram_close (&tcp, client);
  dgram_close (&tcp, server);
  ck_assert_str_eq (client->events->str, "made lost");
  ck_assert_ptr_null (client->error);
}
END_TEST

START_TEST (test_ipv6)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = NULL;
  g_autoptr (DgramPeer) client = NULL;
  g_autofree char *name G_GNUC_UNUSED = NULL;
  g_autofree char *target = NULL;

  tcp_skip_unless (tcp_has_ipv6 (), "there is no IPv6");

  server = dgram_open (&tcp, "::1:0", NULL);
  target = g_strdup_printf ("::1:%u", dgram_get_port (server));
  client = dgram_open (&tcp, NULL, target);
  server->is_echo = TRUE;
  dgram_send (client, "six", NULL);
  tcp_run_until (tcp.loop, client->n_received == 1);
  ck_assert_int_eq (g_socket_address_get_family (g_ptr_array_index (server->addresses, 0)), G_SOCKET_FAMILY_IPV6);
}
END_TEST

/* C21: an empty datagram is one, in both directions, alone and among others. */
START_TEST (test_empty)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);
  static const char *const texts[] = { "", "one", "", "", "two", "" };

  server->is_echo = TRUE;
  dgram_send (client, "", NULL);
  tcp_run_until (tcp.loop, client->n_received == 1);
  ck_assert_uint_eq (server->n_received, 1);
  ck_assert_uint_eq (client->n_bytes, 0);
  ck_assert_ptr_nonnull (g_ptr_array_index (client->addresses, 0));

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    dgram_send (client, texts[i], NULL);
  tcp_run_until (tcp.loop, client->n_received == 1 + G_N_ELEMENTS (texts));
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autofree char *text = dgram_text (client, 1 + i);

      ck_assert_str_eq (text, texts[i]);
    }

  ck_assert (loop_datagram_transport_sendto (client->transport, NULL, 0, NULL, NULL));
  tcp_run_until (tcp.loop, client->n_received == 2 + G_N_ELEMENTS (texts));
}
END_TEST

/* Fault 25: the largest datagram of UDP arrives whole, and one of a byte more is an error, after which all goes on. */
START_TEST (test_sizes)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);
  g_autoptr (GBytes) bytes = tcp_random_bytes (65508);
  const guint8 *data = g_bytes_get_data (bytes, NULL);
  static const gsize sizes[] = { 0, 65507, 1472, 1473, 65506 };

  server->is_echo = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      ck_assert (loop_datagram_transport_sendto (client->transport, data, sizes[i], NULL, NULL));
      tcp_run_until (tcp.loop, client->n_received == i + 1);
      ck_assert_uint_eq (g_bytes_get_size (g_ptr_array_index (client->received, i)), sizes[i]);
      if (sizes[i] > 0)
        ck_assert_mem_eq (g_bytes_get_data (g_ptr_array_index (client->received, i), NULL), data, sizes[i]);
    }
  ck_assert_uint_eq (client->errors->len, 0);

  ck_assert (loop_datagram_transport_sendto (client->transport, data, 65508, NULL, NULL));
  tcp_run_until (tcp.loop, client->errors->len == 1);
  tcp_assert_error (g_ptr_array_index (client->errors, 0), G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (LOOP_TRANSPORT (client->transport)), 0);

  dgram_send (client, "after", NULL);
  tcp_run_until (tcp.loop, client->n_received == G_N_ELEMENTS (sizes) + 1);
  ck_assert_str_eq (client->events->str, "made");
}
END_TEST

/* Each is its number, so that one that is lost, doubled, cut or moved is seen. */
static void
check_number (DgramPeer *self, const guint8 *data, gsize length, GSocketAddress *addr)
{
  guint32 number;

  ck_assert_uint_ge (length, sizeof number);
  memcpy (&number, data, sizeof number);
  ck_assert_uint_eq (number, self->tag);
  ck_assert_uint_eq (length, sizeof number + number % 700);
  self->tag++;
}

static void
send_number (DgramPeer *peer, guint32 number)
{
  guint8 data[1024] = { 0 };

  memcpy (data, &number, sizeof number);
  ck_assert (loop_datagram_transport_sendto (peer->transport, data, sizeof number + number % 700, NULL, NULL));
}

/* In slices that the receiver's buffer has room for: what it has not, the kernel drops. */
START_TEST (test_many_in_order)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);

  server->is_echo = server->is_discarding = client->is_discarding = TRUE;
  server->datagram = client->datagram = check_number;
  for (guint32 i = 0; i < N_MANY; i += 50)
    {
      for (guint32 j = 0; j < 50; j++)
        send_number (client, i + j);
      tcp_run_until (tcp.loop, client->tag == i + 50);
    }
  ck_assert_uint_eq (server->tag, N_MANY);
}
END_TEST

START_TEST (test_many_peers)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  DgramPeer *clients[100];

  server->is_echo = server->is_discarding = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (clients); i++)
    clients[i] = dgram_open (&tcp, NULL, name);
  for (guint i = 0; i < 3 * G_N_ELEMENTS (clients); i++)
    {
      g_autofree char *text = g_strdup_printf ("%u", i);

      dgram_send (clients[i % G_N_ELEMENTS (clients)], text, NULL);
      /* The kernel drops what it has no room for. */
      if (i % 50 == 49)
        tcp_run_until (tcp.loop, server->n_received == i + 1);
    }

  for (guint i = 0; i < G_N_ELEMENTS (clients); i++)
    {
      tcp_run_until (tcp.loop, clients[i]->n_received == 3);
      for (guint j = 0; j < 3; j++)
        {
          g_autofree char *text = dgram_text (clients[i], j);
          g_autofree char *wanted = g_strdup_printf ("%u", i + j * (guint) G_N_ELEMENTS (clients));

          ck_assert_str_eq (text, wanted);
        }
      dgram_peer_free (clients[i]);
    }
}
END_TEST

/* An endpoint without a remote address talks to whom it likes. */
START_TEST (test_unconnected)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) a = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autoptr (DgramPeer) b = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autoptr (DgramPeer) c = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autoptr (GSocketAddress) b_address = dgram_get_address (b);
  g_autoptr (GSocketAddress) c_address = dgram_get_address (c);

  b->is_echo = c->is_echo = TRUE;
  dgram_send (a, "to b", b_address);
  dgram_send (a, "to c", c_address);
  tcp_run_until (tcp.loop, a->n_received == 2);
  ck_assert_uint_eq (b->n_bytes, 4);
  ck_assert_uint_eq (c->n_bytes, 4);
}
END_TEST

START_TEST (test_extra_info)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) missing = G_VALUE_INIT;
  g_autofree char *peer = NULL;

  ck_assert (loop_transport_get_extra_info (LOOP_TRANSPORT (client->transport), "peername", &value));
  peer = g_socket_connectable_to_string (g_value_get_object (&value));
  ck_assert_str_eq (peer, name);
  ck_assert (!loop_transport_get_extra_info (LOOP_TRANSPORT (server->transport), "peername", &missing));
  ck_assert_int_eq (g_socket_get_socket_type (dgram_get_socket (client)), G_SOCKET_TYPE_DATAGRAM);

  ck_assert (!loop_transport_can_write_eof (LOOP_TRANSPORT (client->transport)));
  loop_check_expect_critical ("*sendto*");
  loop_transport_write (LOOP_TRANSPORT (client->transport), (const guint8 *) "x", 1);
  loop_check_expect_critical ("*sendto*");
  loop_transport_write_eof (LOOP_TRANSPORT (client->transport));
}
END_TEST

/* The new protocol is told what comes from then on. */
START_TEST (test_set_protocol)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);
  DgramPeer *other = dgram_peer_new ();
  g_autoptr (GObject) protocol = dgram_peer_factory (other);
  g_autoptr (GObject) stream = G_OBJECT (loop_protocol_new (&(const LoopProtocolVTable) { NULL }, NULL, NULL));

  loop_check_expect_critical ("*loop_transport_accepts*");
  loop_transport_set_protocol (LOOP_TRANSPORT (server->transport), stream);

  loop_datagram_protocol_connection_made (LOOP_DATAGRAM_PROTOCOL (protocol), server->transport);
  loop_transport_set_protocol (LOOP_TRANSPORT (server->transport), protocol);
  ck_assert_ptr_eq (loop_transport_get_protocol (LOOP_TRANSPORT (server->transport)), protocol);
  dgram_send (client, "x", NULL);
  tcp_run_until (tcp.loop, other->n_received == 1);
  ck_assert_uint_eq (server->n_received, 0);
  loop_transport_close (LOOP_TRANSPORT (server->transport));
  tcp_run_until (tcp.loop, other->n_lost == 1);
  dgram_peer_free (other);
}
END_TEST

LOOP_TEST_MAIN ("datagram",
                test_echo,
                test_ipv6,
                test_empty,
                test_sizes,
                test_many_in_order,
                test_many_peers,
                test_unconnected,
                test_extra_info,
                test_set_protocol)
