/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dgram-check.h"

#include <gio/gunixsocketaddress.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* What cannot be sent, cannot be had, or was not meant. */

/* Fault 26: nobody is there. The endpoint is told, and goes on when somebody is. */
START_TEST (test_port_unreachable)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint16 port;
  int fd = dgram_raw_socket (&tcp, &port);
  g_autofree char *name = g_strdup_printf ("127.0.0.1:%u", port);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);
  g_autoptr (DgramPeer) server = NULL;

  tcp_raw_close (&tcp, fd);
  dgram_send (client, "anybody?", NULL);
  tcp_run_until (tcp.loop, client->errors->len == 1);
  tcp_assert_error (g_ptr_array_index (client->errors, 0), G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);

  server = dgram_open (&tcp, name, NULL);
  server->is_echo = TRUE;
  dgram_send (client, "now?", NULL);
  tcp_run_until (tcp.loop, client->n_received == 1);
  ck_assert_str_eq (client->events->str, "made");
}
END_TEST

/* Several at once: each refusal is told, or the kernel has one for some; none is taken for a datagram that is there. */
START_TEST (test_port_unreachable_in_a_burst)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint16 port;
  int fd = dgram_raw_socket (&tcp, &port);
  g_autofree char *name = g_strdup_printf ("127.0.0.1:%u", port);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);

  tcp_raw_close (&tcp, fd);
  for (guint i = 0; i < 10; i++)
    dgram_send (client, "anybody?", NULL);
  tcp_run_until (tcp.loop, client->errors->len >= 5);
  ck_assert_uint_le (client->errors->len, 10);
  ck_assert_uint_eq (client->n_received, 0);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (LOOP_TRANSPORT (client->transport)), 0);
}
END_TEST

static void
assert_sendto_fails (DgramPeer *peer, GSocketAddress *addr, const char *message)
{
  g_autoptr (GError) error = NULL;

  ck_assert (!loop_datagram_transport_sendto (peer->transport, (const guint8 *) "x", 1, addr, &error));
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  tcp_assert_contains (error->message, message);
}

/* As in asyncio: an endpoint with a remote address sends to that one alone. */
START_TEST (test_wrong_address)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autoptr (DgramPeer) other = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);
  g_autoptr (GSocketAddress) right = dgram_get_address (server);
  g_autoptr (GSocketAddress) wrong = dgram_get_address (other);
  g_autoptr (GSocketAddress) proxy = NULL;
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);

  dgram_send (client, "one", right);
  dgram_send (client, "two", NULL);
  assert_sendto_fails (client, wrong, name);
  tcp_run_until (tcp.loop, server->n_received == 2);
  ck_assert_uint_eq (other->n_received, 0);

  assert_sendto_fails (server, NULL, "no remote address");
  proxy = g_proxy_address_new (loopback, 1, "socks", "example.org", 2, NULL, NULL);
  dgram_send (server, "through", proxy);

  ck_assert_uint_eq (client->errors->len + server->errors->len, 0);
}
END_TEST

static void
refuse_to_reply (DgramPeer *self, const guint8 *data, gsize length, GSocketAddress *addr)
{
  guint8 large[65508] = { 0 };

  ck_assert (loop_datagram_transport_sendto (self->transport, (const guint8 *) "a", 1, addr, NULL));
  ck_assert (loop_datagram_transport_sendto (self->transport, large, sizeof large, addr, NULL));
  ck_assert (loop_datagram_transport_sendto (self->transport, (const guint8 *) "b", 1, addr, NULL));
}

/* Also of what is collected while datagrams are handed over, one that fails is told of and the others are sent. */
START_TEST (test_error_in_a_batch)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);

  server->datagram = refuse_to_reply;
  for (guint i = 0; i < 3; i++)
    dgram_send (client, "x", NULL);
  tcp_run_until (tcp.loop, client->n_received == 6 && server->errors->len == 3);
  for (guint i = 0; i < 6; i++)
    {
      g_autofree char *text = dgram_text (client, i);

      ck_assert_str_eq (text, i % 2 == 0 ? "a" : "b");
    }
  for (guint i = 0; i < 3; i++)
    tcp_assert_error (g_ptr_array_index (server->errors, i), G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE);
}
END_TEST

static void
send_large_again (DgramPeer *self, const GError *exception)
{
  guint8 large[65508] = { 0 };

  if (self->errors->len < 50)
    ck_assert (loop_datagram_transport_sendto (self->transport, large, sizeof large, NULL, NULL));
}

/* It is told after the call has returned, so one that sends the same again does not run out of stack. */
START_TEST (test_send_from_error_received)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);

  client->failed = send_large_again;
  send_large_again (client, NULL);
  ck_assert_uint_eq (client->errors->len, 0);
  tcp_run_until (tcp.loop, client->errors->len == 50);
}
END_TEST

static void
expect_refused (Tcp *tcp, LoopDatagramOptions *options, const char *message)
{
  g_autoptr (GError) error = dgram_open_fails (tcp, options);

  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  tcp_assert_contains (error->message, message);
  g_object_unref (options);
}

START_TEST (test_bad_options)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GSocketAddress) unix_address = g_unix_socket_address_new ("/nowhere/socket");
  g_autoptr (GSocket) stream =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  g_autoptr (GSocket) sock =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) proxy = g_proxy_address_new (loopback, 1, "socks", "example.org", 2, NULL, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (LoopDatagramOptions) closed = dgram_options (NULL, NULL);
  LoopDatagramOptions *options;

  expect_refused (&tcp, dgram_options (NULL, NULL), "No address");
  expect_refused (&tcp, dgram_options ("127.0.0.1:0", "::1:1"), "in common");

  options = dgram_options ("127.0.0.1:0", NULL);
  loop_datagram_options_set_family (options, AF_UNIX);
  expect_refused (&tcp, options, "AF_UNIX");

  options = dgram_options ("127.0.0.1:0", NULL);
  loop_datagram_options_set_family (options, AF_INET6);
  expect_refused (&tcp, options, "another family");

  options = dgram_options ("127.0.0.1:0", NULL);
  loop_datagram_options_set_remote_addr (options, G_SOCKET_CONNECTABLE (unix_address));
  expect_refused (&tcp, options, "in common");

  options = dgram_options (NULL, NULL);
  loop_datagram_options_set_sock (options, stream);
  expect_refused (&tcp, options, "datagram socket");

  options = dgram_options ("127.0.0.1:0", NULL);
  loop_datagram_options_set_sock (options, sock);
  expect_refused (&tcp, options, "same time");

  options = dgram_options (NULL, NULL);
  loop_datagram_options_set_sock (options, sock);
  loop_datagram_options_set_reuse_port (options, TRUE);
  expect_refused (&tcp, options, "same time");

  g_socket_close (sock, NULL);
  loop_datagram_options_set_sock (closed, sock);
  error = dgram_open_fails (&tcp, closed);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);

  options = dgram_options (NULL, NULL);
  loop_datagram_options_set_remote_addr (options, G_SOCKET_CONNECTABLE (proxy));
  g_object_unref (options);
}
END_TEST

START_TEST (test_address_in_use)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (LoopDatagramOptions) options = dgram_options (name, NULL);
  g_autoptr (GError) error = dgram_open_fails (&tcp, options);

  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  tcp_assert_contains (error->message, name);
}
END_TEST

START_TEST (test_name_not_found)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopDatagramOptions) options = dgram_options (NULL, "no-such-host.invalid:1");
  g_autoptr (GError) error = dgram_open_fails (&tcp, options);

  ck_assert_uint_eq (error->domain, G_RESOLVER_ERROR);
  tcp_assert_contains (error->message, "no-such-host.invalid");
}
END_TEST

static GObject *
make_stream_protocol (gpointer unused)
{
  static const LoopProtocolVTable vtable = { NULL };

  return G_OBJECT (loop_protocol_new (&vtable, NULL, NULL));
}

START_TEST (test_bad_factory)
{
  g_auto (Tcp) tcp = tcp_new ();
  LoopProtocolFactory factories[] = { tcp_make_no_protocol, make_stream_protocol };

  for (guint i = 0; i < G_N_ELEMENTS (factories); i++)
    {
      g_autoptr (LoopDatagramOptions) options = dgram_options ("127.0.0.1:0", NULL);
      g_autoptr (LoopFuture) future =
          loop_event_loop_create_datagram_endpoint (tcp.loop, options, factories[i], NULL, NULL);
      g_autoptr (GError) error = tcp_take_error (&tcp, future);

      tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY);
      tcp_assert_contains (error->message, "LoopDatagramProtocol");
    }
}
END_TEST

LOOP_TEST_MAIN ("datagram-errors",
                test_port_unreachable,
                test_port_unreachable_in_a_burst,
                test_wrong_address,
                test_error_in_a_batch,
                test_send_from_error_received,
                test_bad_options,
                test_address_in_use,
                test_name_not_found,
                test_bad_factory)
