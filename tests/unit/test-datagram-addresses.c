/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dgram-check.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* What an endpoint can be bound to, and what it can send to. */

START_TEST (test_name)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_peer_new ();
  g_autoptr (DgramPeer) client = dgram_peer_new ();
  g_autoptr (LoopDatagramOptions) server_options = dgram_options ("localhost:0", NULL);
  g_autoptr (LoopDatagramOptions) client_options = NULL;
  g_autofree char *target = NULL;

  loop_datagram_options_set_family (server_options, AF_INET);
  dgram_open_full (&tcp, server, server_options);
  target = g_strdup_printf ("localhost:%u", dgram_get_port (server));
  client_options = dgram_options ("127.0.0.1:0", target);
  dgram_open_full (&tcp, client, client_options);
  server->is_echo = TRUE;
  dgram_send (client, "by name", NULL);
  tcp_run_until (tcp.loop, client->n_received == 1);
}
END_TEST

START_TEST (test_family_alone)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autoptr (DgramPeer) client = dgram_peer_new ();
  g_autoptr (LoopDatagramOptions) options = dgram_options (NULL, NULL);
  g_autoptr (GSocketAddress) address = dgram_get_address (server);

  loop_datagram_options_set_family (options, AF_INET);
  dgram_open_full (&tcp, client, options);
  server->is_echo = TRUE;
  dgram_send (client, "x", address);
  tcp_run_until (tcp.loop, client->n_received == 1);
}
END_TEST

START_TEST (test_reuse_port)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) first = dgram_peer_new ();
  g_autoptr (DgramPeer) second = dgram_peer_new ();
  g_autoptr (LoopDatagramOptions) options = dgram_options ("127.0.0.1:0", NULL);
  g_autoptr (LoopDatagramOptions) same = NULL;
  g_autofree char *name = NULL;

  loop_datagram_options_set_reuse_port (options, TRUE);
  dgram_open_full (&tcp, first, options);
  name = dgram_name (first);
  same = dgram_options (name, NULL);
  loop_datagram_options_set_reuse_port (same, TRUE);
  dgram_open_full (&tcp, second, same);
  ck_assert_uint_eq (dgram_get_port (first), dgram_get_port (second));

  /* Of many senders each reaches one of the two. */
  for (guint i = 1; i <= 20; i++)
    {
      g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);

      dgram_send (client, "x", NULL);
      tcp_run_until (tcp.loop, first->n_received + second->n_received == i);
    }
  ck_assert_uint_gt (first->n_received, 0);
  ck_assert_uint_gt (second->n_received, 0);
}
END_TEST

/* Without the option the kernel does not let it. */
START_TEST (test_broadcast)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "0.0.0.0:0", NULL);
  g_autofree char *target = g_strdup_printf ("127.255.255.255:%u", dgram_get_port (server));
  g_autoptr (LoopDatagramOptions) options = dgram_options (NULL, target);
  g_autoptr (DgramPeer) client = dgram_peer_new ();
  g_autoptr (GError) error = dgram_open_fails (&tcp, options);
  g_auto (GValue) peername = G_VALUE_INIT;

  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);

  loop_datagram_options_set_allow_broadcast (options, TRUE);
  dgram_open_full (&tcp, client, options);
  ck_assert (g_socket_get_broadcast (dgram_get_socket (client)));
  dgram_send (client, "all", NULL);
  tcp_run_until (tcp.loop, server->n_received == 1);

  /* It is not connected, so that it hears who answers, whoever that is. */
  ck_assert (!loop_transport_get_extra_info (LOOP_TRANSPORT (client->transport), "peername", &peername));
  dgram_send (server, "me", g_ptr_array_index (server->addresses, 0));
  tcp_run_until (tcp.loop, client->n_received == 1);
}
END_TEST

/* By the socket, which knows groups and interfaces. */
START_TEST (test_multicast)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "0.0.0.0:0", NULL);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autoptr (GInetAddress) group = g_inet_address_new_from_string ("239.255.77.77");
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (group, dgram_get_port (server));
  struct in_addr loopback = { .s_addr = g_htonl (INADDR_LOOPBACK) };
  g_autoptr (GError) error = NULL;
  GSocket *socket = dgram_get_socket (server);

  ck_assert_msg (g_socket_join_multicast_group (socket, group, FALSE, "lo", &error), "%s",
                 error != NULL ? error->message : "");
  socket = dgram_get_socket (client);
  ck_assert_int_eq (setsockopt (g_socket_get_fd (socket), IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback), 0);
  g_socket_set_multicast_loopback (socket, TRUE);

  for (guint i = 0; i < 3; i++)
    dgram_send (client, "group", address);
  tcp_run_until (tcp.loop, server->n_received == 3);

  ck_assert (g_socket_leave_multicast_group (dgram_get_socket (server), group, FALSE, "lo", NULL));
  dgram_send (client, "group", address);
  tcp_run_for (tcp.loop, 0.02);
  ck_assert_uint_eq (server->n_received, 3);
}
END_TEST

static LoopDatagramOptions *
unix_options (const char *local, const char *remote)
{
  LoopDatagramOptions *options = loop_datagram_options_new ();

  if (local != NULL)
    {
      g_autoptr (GSocketAddress) address = g_unix_socket_address_new (local);

      loop_datagram_options_set_local_addr (options, G_SOCKET_CONNECTABLE (address));
    }
  if (remote != NULL)
    {
      g_autoptr (GSocketAddress) address = g_unix_socket_address_new (remote);

      loop_datagram_options_set_remote_addr (options, G_SOCKET_CONNECTABLE (address));
    }

  return options;
}

static DgramPeer *
open_unix (Tcp *tcp, const char *local, const char *remote)
{
  g_autoptr (LoopDatagramOptions) options = unix_options (local, remote);
  DgramPeer *peer = dgram_peer_new ();

  dgram_open_full (tcp, peer, options);

  return peer;
}

START_TEST (test_unix)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *folder = g_dir_make_tmp ("libloop-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "server", NULL);
  g_autofree char *client_path = g_build_filename (folder, "client", NULL);
  g_autoptr (DgramPeer) server = open_unix (&tcp, path, NULL);
  g_autoptr (DgramPeer) named = open_unix (&tcp, client_path, path);
  g_autoptr (DgramPeer) unnamed = open_unix (&tcp, NULL, path);
  g_autoptr (LoopDatagramOptions) again = unix_options (path, NULL);
  g_autoptr (GError) error = NULL;
  GSocketAddress *from;

  server->is_echo = FALSE;
  dgram_send (unnamed, "who?", NULL);
  tcp_run_until (tcp.loop, server->n_received == 1);
  ck_assert_ptr_null (g_ptr_array_index (server->addresses, 0));

  dgram_send (named, "me", NULL);
  tcp_run_until (tcp.loop, server->n_received == 2);
  from = g_ptr_array_index (server->addresses, 1);
  ck_assert_str_eq (g_unix_socket_address_get_path (G_UNIX_SOCKET_ADDRESS (from)), client_path);
  dgram_send (server, "you", from);
  tcp_run_until (tcp.loop, named->n_received == 1);

  /* C30: it is somebody's. Once it is nobody's any more, it can be had. */
  error = dgram_open_fails (&tcp, again);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  dgram_close (&tcp, server);
  ck_assert (g_file_test (path, G_FILE_TEST_EXISTS));
  {
    g_autoptr (DgramPeer) next = open_unix (&tcp, path, NULL);
    g_autoptr (DgramPeer) other = open_unix (&tcp, NULL, path);

    dgram_send (other, "x", NULL);
    tcp_run_until (tcp.loop, next->n_received == 1);
  }

  g_unlink (path);
  g_unlink (client_path);
  g_rmdir (folder);
}
END_TEST

/* More than a datagram of UDP may have, in both directions. */
START_TEST (test_large_unix_datagram)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *folder = g_dir_make_tmp ("libloop-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "server", NULL);
  g_autoptr (DgramPeer) server = open_unix (&tcp, path, NULL);
  g_autoptr (DgramPeer) client = open_unix (&tcp, NULL, path);
  g_autoptr (GBytes) bytes = tcp_random_bytes (150000);
  gsize length;
  const guint8 *data = g_bytes_get_data (bytes, &length);

  ck_assert (loop_datagram_transport_sendto (client->transport, data, length, NULL, NULL));
  tcp_run_until (tcp.loop, server->n_received == 1);
  ck_assert (g_bytes_equal (g_ptr_array_index (server->received, 0), bytes));
  g_unlink (path);
  g_rmdir (folder);
}
END_TEST

START_TEST (test_sock)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autoptr (DgramPeer) other = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autoptr (GSocketAddress) address = dgram_get_address (server);
  g_autoptr (GSocketAddress) wrong = dgram_get_address (other);
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  g_autoptr (LoopDatagramOptions) options = loop_datagram_options_new ();
  g_autoptr (DgramPeer) client = dgram_peer_new ();

  ck_assert (g_socket_connect (socket, address, NULL, NULL));
  loop_datagram_options_set_sock (options, socket);
  dgram_open_full (&tcp, client, options);
  ck_assert_ptr_eq (dgram_get_socket (client), socket);
  server->is_echo = TRUE;
  dgram_send (client, "x", NULL);
  tcp_run_until (tcp.loop, client->n_received == 1);
  ck_assert (!loop_datagram_transport_sendto (client->transport, (const guint8 *) "x", 1, wrong, NULL));
  dgram_close (&tcp, client);
  ck_assert (g_socket_is_closed (socket));
}
END_TEST

LOOP_TEST_MAIN ("datagram-addresses",
                test_name,
                test_family_alone,
                test_reuse_port,
                test_broadcast,
                test_multicast,
                test_unix,
                test_large_unix_datagram,
                test_sock)
