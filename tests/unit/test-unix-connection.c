/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "unix-check.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections to unix sockets. */

static guint n_destroyed;

static void
count_destroyed (gpointer user_data)
{
  n_destroyed++;
}

static LoopFuture *
create_connection (Tcp *tcp, const char *path, LoopConnectionOptions *options)
{
  tcp_add_client (tcp);

  return loop_event_loop_create_unix_connection (tcp->loop, path, options, tcp_client_factory, tcp, count_destroyed);
}

static void
check_fails (Tcp *tcp, const char *path, LoopConnectionOptions *options, int code, const char *text)
{
  guint n = n_destroyed;
  guint n_fds = tcp_count_fds ();
  g_autoptr (LoopFuture) future = create_connection (tcp, path, options);
  g_autoptr (GError) error = tcp_take_error (tcp, future);

  tcp_assert_error (error, G_IO_ERROR, code);
  tcp_assert_contains (error->message, text);
  tcp_run_for (tcp->loop, 0.0);
  ck_assert_uint_eq (n_destroyed, n + 1);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
}

/* Says hello to the plain socket at the other end, and closes. */
static void
check_talks (Tcp *tcp, LoopTransport *transport, int fd)
{
  TcpPeer *peer = tcp_peer_at (tcp->clients, tcp->clients->len - 1);
  g_autofree char *text = NULL;

  ck_assert_ptr_eq (peer->transport, transport);
  loop_transport_write (transport, (const guint8 *) "hello", 5);
  text = tcp_raw_receive (fd, 5);
  ck_assert_str_eq (text, "hello");
  loop_transport_close (transport);
  tcp_run_until (tcp->loop, peer->n_lost == 1);
  ck_assert (tcp_raw_is_eof (fd));
  ck_assert_uint_eq (n_destroyed, 1);
}

START_TEST (test_path)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  int listener = unix_raw_listen (&tcp, place.path, 1);
  g_autoptr (LoopFuture) future = create_connection (&tcp, place.path, NULL);
  g_autoptr (LoopTransport) transport = tcp_take_transport (&tcp, future);
  g_autofree char *peername = unix_get_path (transport, "peername");
  g_autofree char *sockname = unix_get_path (transport, "sockname");

  ck_assert_str_eq (peername, place.path);
  ck_assert_str_eq (sockname, "");
  check_talks (&tcp, transport, tcp_raw_accept (&tcp, listener));
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

START_TEST (test_abstract)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *path = g_strdup_printf ("@loop-test-unix-connection-%d", getpid ());
  int listener = unix_raw_listen (&tcp, path, 1);
  g_autoptr (LoopFuture) future = create_connection (&tcp, path, NULL);
  g_autoptr (LoopTransport) transport = tcp_take_transport (&tcp, future);

  check_talks (&tcp, transport, tcp_raw_accept (&tcp, listener));
}
END_TEST

START_TEST (test_sock)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  g_autoptr (GSocket) sock = NULL;
  int fds[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  g_array_append_val (tcp.raw, fds[1]);
  sock = g_socket_new_from_fd (fds[0], NULL);
  loop_connection_options_set_sock (options, sock);
  future = create_connection (&tcp, NULL, options);
  transport = tcp_take_transport (&tcp, future);
  check_talks (&tcp, transport, fds[1]);
  ck_assert (g_socket_is_closed (sock));
}
END_TEST

/* The queue of the server is full: the connection waits for it, and does not fail as in asyncio. */
static void
fill_queue (Tcp *tcp, const char *path)
{
  unix_raw_connect (tcp, path);
}

START_TEST (test_queue_is_full)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  int listener = unix_raw_listen (&tcp, place.path, 0);
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;

  fill_queue (&tcp, place.path);
  future = create_connection (&tcp, place.path, NULL);
  tcp_run_for (tcp.loop, 0.2);
  ck_assert (!loop_future_done (future));

  tcp_raw_accept (&tcp, listener);
  transport = tcp_take_transport (&tcp, future);
  check_talks (&tcp, transport, tcp_raw_accept (&tcp, listener));
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

START_TEST (test_waits_without_spinning)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  guint64 n;

  unix_raw_listen (&tcp, place.path, 0);
  fill_queue (&tcp, place.path);
  future = create_connection (&tcp, place.path, NULL);
  tcp_run_for (tcp.loop, 0.2);
  n = tcp_count_iterations (tcp.loop);
  tcp_run_for (tcp.loop, 0.5);
  ck_assert_uint_le (tcp_count_iterations (tcp.loop) - n, 20);

  ck_assert (loop_future_cancel (future));
  tcp_run_for (tcp.loop, 0.0);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

START_TEST (test_server_goes_while_waiting)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  int listener = unix_raw_listen (&tcp, place.path, 0);
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  fill_queue (&tcp, place.path);
  future = create_connection (&tcp, place.path, NULL);
  tcp_run_for (tcp.loop, 0.01);
  tcp_raw_close (&tcp, listener);
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

START_TEST (test_loop_closed_while_waiting)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;

  unix_raw_listen (&tcp, place.path, 0);
  fill_queue (&tcp, place.path);
  future = create_connection (&tcp, place.path, NULL);
  tcp_run_for (tcp.loop, 0.005);
  loop_event_loop_set_debug (tcp.loop, TRUE);
  tcp_close_loop (&tcp);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

START_TEST (test_cancelled_at_once)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  int listener = unix_raw_listen (&tcp, place.path, 1);
  g_autoptr (LoopFuture) future = create_connection (&tcp, place.path, NULL);

  ck_assert (loop_future_cancel (future));
  tcp_run_for (tcp.loop, 0.002);
  ck_assert (tcp_raw_is_eof (tcp_raw_accept (&tcp, listener)));
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

static GObject *
close_loop_and_make (gpointer user_data)
{
  tcp_close_loop (user_data);
  ck_assert_uint_eq (n_destroyed, 0);

  return tcp_client_factory (user_data);
}

START_TEST (test_loop_closed_in_factory)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  int listener = unix_raw_listen (&tcp, place.path, 1);
  g_autoptr (LoopFuture) future = NULL;

  tcp_add_client (&tcp);
  future =
      loop_event_loop_create_unix_connection (tcp.loop, place.path, NULL, close_loop_and_make, &tcp, count_destroyed);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert (tcp_raw_is_eof (tcp_raw_accept (&tcp, listener)));
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

START_TEST (test_errors)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *too_long = g_strnfill (108, 'x');

  check_fails (&tcp, place.path, NULL, G_IO_ERROR_NOT_FOUND, place.path);
  check_fails (&tcp, "@loop-test-nobody", NULL, G_IO_ERROR_CONNECTION_REFUSED, "@loop-test-nobody");
  unix_leave_behind (&tcp, place.path);
  check_fails (&tcp, place.path, NULL, G_IO_ERROR_CONNECTION_REFUSED, place.path);
  ck_assert_int_eq (g_unlink (place.path), 0);

  check_fails (&tcp, "", NULL, G_IO_ERROR_INVALID_ARGUMENT, "empty");
  check_fails (&tcp, too_long, NULL, G_IO_ERROR_FILENAME_TOO_LONG, too_long);
  check_fails (&tcp, NULL, NULL, G_IO_ERROR_INVALID_ARGUMENT, "Neither a path nor a socket");
}
END_TEST

static void
check_sock_refused (Tcp *tcp, const char *path, GSocketFamily family, GSocketType type, const char *text)
{
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (GSocket) sock = g_socket_new (family, type, 0, NULL);

  loop_connection_options_set_sock (options, sock);
  check_fails (tcp, path, options, G_IO_ERROR_INVALID_ARGUMENT, text);
  ck_assert (!g_socket_is_closed (sock));
}

START_TEST (test_wrong_options)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (GSocketAddress) local = g_inet_socket_address_new_from_string ("127.0.0.1", 0);

  check_sock_refused (&tcp, "/x", G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, "at the same time");
  check_sock_refused (&tcp, NULL, G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, "unix socket");
  check_sock_refused (&tcp, NULL, G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_DATAGRAM, "stream socket");
  loop_connection_options_set_local_addr (options, G_SOCKET_CONNECTABLE (local));
  check_fails (&tcp, "/x", options, G_IO_ERROR_INVALID_ARGUMENT, "local address");
}
END_TEST

START_TEST (test_no_protocol)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  int listener = unix_raw_listen (&tcp, place.path, 1);
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_unix_connection (tcp.loop, place.path, NULL, tcp_make_no_protocol, NULL, NULL);
  g_autoptr (GError) error = tcp_take_error (&tcp, future);

  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY);
  ck_assert (tcp_raw_is_eof (tcp_raw_accept (&tcp, listener)));
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

LOOP_TEST_MAIN ("unix-connection",
                test_path,
                test_abstract,
                test_sock,
                test_queue_is_full,
                test_waits_without_spinning,
                test_server_goes_while_waiting,
                test_loop_closed_while_waiting,
                test_cancelled_at_once,
                test_loop_closed_in_factory,
                test_errors,
                test_wrong_options,
                test_no_protocol)
