/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "unix-check.h"

#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Servers on unix sockets, and whose files they are. */

static guint n_destroyed;

static void
count_destroyed (gpointer user_data)
{
  n_destroyed++;
}

static LoopFuture *
create_server (Tcp *tcp, const char *path, LoopServerOptions *options)
{
  return loop_event_loop_create_unix_server (tcp->loop, path, options, tcp_accept_factory, tcp, count_destroyed);
}

static LoopServer *
serve (Tcp *tcp, const char *path, LoopServerOptions *options)
{
  g_autoptr (LoopFuture) future = create_server (tcp, path, options);

  return tcp_take_server (tcp, future);
}

static void
check_fails (Tcp *tcp, const char *path, LoopServerOptions *options, int code, const char *text)
{
  guint n = n_destroyed;
  guint n_fds = tcp_count_fds ();
  g_autoptr (LoopFuture) future = create_server (tcp, path, options);
  g_autoptr (GError) error = tcp_take_error (tcp, future);

  tcp_assert_error (error, G_IO_ERROR, code);
  tcp_assert_contains (error->message, text);
  ck_assert_uint_eq (n_destroyed, n + 1);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
}

static void
check_echo (Tcp *tcp, const char *path)
{
  int fd = unix_raw_connect (tcp, path);
  g_autofree char *text = NULL;
  guint n = tcp->accepted->len;
  TcpPeer *peer;

  tcp_run_until (tcp->loop, tcp->accepted->len == n + 1);
  peer = tcp_last_accepted (tcp);
  peer->is_echo = TRUE;
  tcp_raw_send (fd, "hello");
  tcp_run_until (tcp->loop, peer->n_bytes == 5);
  text = tcp_raw_receive (fd, 5);
  ck_assert_str_eq (text, "hello");
  tcp_raw_close (tcp, fd);
  tcp_run_until (tcp->loop, peer->n_lost == 1);
  ck_assert_str_eq (peer->events->str, "made data eof lost");
}

START_TEST (test_path)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server = serve (&tcp, place.path, NULL);
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (server);
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (g_ptr_array_index (sockets, 0), NULL);

  ck_assert (loop_server_is_serving (server));
  ck_assert_uint_eq (sockets->len, 1);
  ck_assert_str_eq (g_unix_socket_address_get_path (G_UNIX_SOCKET_ADDRESS (address)), place.path);
  check_echo (&tcp, place.path);
  check_echo (&tcp, place.path);
  loop_server_close (server);
  ck_assert (!unix_exists (place.path));
  ck_assert_uint_eq (n_destroyed, 1);
}
END_TEST

START_TEST (test_abstract)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *path = g_strdup_printf ("@loop-test-unix-server-%d", getpid ());
  g_autoptr (LoopServer) server G_GNUC_UNUSED = serve (&tcp, path, NULL);

  check_echo (&tcp, path);
  check_fails (&tcp, path, NULL, G_IO_ERROR_ADDRESS_IN_USE, path);
}
END_TEST

START_TEST (test_extra_info)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server G_GNUC_UNUSED = serve (&tcp, place.path, NULL);
  g_autofree char *sockname = NULL;
  g_autofree char *peername = NULL;

  unix_raw_connect (&tcp, place.path);
  tcp_run_until (tcp.loop, tcp.accepted->len == 1 && tcp_last_accepted (&tcp)->n_made == 1);
  sockname = unix_get_path (tcp_last_accepted (&tcp)->transport, "sockname");
  ck_assert_str_eq (sockname, place.path);
  peername = unix_get_path (tcp_last_accepted (&tcp)->transport, "peername");
  ck_assert_str_eq (peername, "");
}
END_TEST

START_TEST (test_stale)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server = NULL;

  unix_leave_behind (&tcp, place.path);
  server = serve (&tcp, place.path, NULL);
  check_echo (&tcp, place.path);
}
END_TEST

/* gh-133354, and what asyncio does to this day: it takes the path from whoever has it. */
START_TEST (test_live)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server = serve (&tcp, place.path, NULL);
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  int listener;

  check_fails (&tcp, place.path, NULL, G_IO_ERROR_ADDRESS_IN_USE, place.path);
  check_echo (&tcp, place.path);
  loop_server_close (server);

  /* Nor from one who does not listen yet. */
  g_clear_object (&server);
  loop_server_options_set_start_serving (options, FALSE);
  server = serve (&tcp, place.path, options);
  check_fails (&tcp, place.path, NULL, G_IO_ERROR_ADDRESS_IN_USE, place.path);
  ck_assert (!loop_server_is_serving (server));
  g_object_unref (loop_server_start_serving (server));
  check_echo (&tcp, place.path);
  loop_server_close (server);

  /* Nor from one of another kind. */
  listener = unix_raw_listen (&tcp, place.path, 1);
  check_fails (&tcp, place.path, NULL, G_IO_ERROR_ADDRESS_IN_USE, place.path);
  ck_assert_int_eq (poll (&(struct pollfd) { .fd = listener, .events = POLLIN }, 1, 0), 0);
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

START_TEST (test_other_file)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();

  ck_assert (g_file_set_contents (place.path, "precious", -1, NULL));
  check_fails (&tcp, place.path, NULL, G_IO_ERROR_ADDRESS_IN_USE, "is not a socket");
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

/* gh-121252: somebody has removed the file and bound the path anew. */
START_TEST (test_replaced)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server = serve (&tcp, place.path, NULL);

  ck_assert_int_eq (g_unlink (place.path), 0);
  unix_raw_listen (&tcp, place.path, 1);
  loop_server_close (server);
  unix_raw_connect (&tcp, place.path);
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

START_TEST (test_no_cleanup)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) server = NULL;

  loop_server_options_set_cleanup_socket (options, FALSE);
  server = serve (&tcp, place.path, options);
  loop_server_close (server);
  ck_assert (unix_exists (place.path));
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

START_TEST (test_loop_closed)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server G_GNUC_UNUSED = serve (&tcp, place.path, NULL);

  tcp_close_loop (&tcp);
  ck_assert (!unix_exists (place.path));
}
END_TEST

/* A child has the loop too, and the socket, and closes them: the server of the parent is not harmed. */
START_TEST (test_child)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server = serve (&tcp, place.path, NULL);
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    {
      loop_server_close (server);
      loop_event_loop_close (tcp.loop);
      _exit (0);
    }
  ck_assert_int_eq (waitpid (pid, &status, 0), pid);
  ck_assert_int_eq (status, 0);
  check_echo (&tcp, place.path);
}
END_TEST

/* One that the caller has bound, or inherited: the server closes it and leaves the file to its maker. */
START_TEST (test_sock)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (GSocket) sock = g_socket_new_from_fd (dup (unix_raw_listen (&tcp, place.path, 1)), NULL);
  g_autoptr (LoopServer) server = NULL;

  loop_server_options_set_sock (options, sock);
  server = serve (&tcp, NULL, options);
  check_echo (&tcp, place.path);
  loop_server_close (server);
  ck_assert (g_socket_is_closed (sock));
  ck_assert (unix_exists (place.path));
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

static void
check_sock_refused (Tcp *tcp, const char *path, GSocketFamily family, GSocketType type, const char *text)
{
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (GSocket) sock = g_socket_new (family, type, 0, NULL);

  loop_server_options_set_sock (options, sock);
  check_fails (tcp, path, options, G_IO_ERROR_INVALID_ARGUMENT, text);
  ck_assert (!g_socket_is_closed (sock));
}

START_TEST (test_arguments)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *too_long = g_strnfill (108, 'x');

  check_fails (&tcp, NULL, NULL, G_IO_ERROR_INVALID_ARGUMENT, "Neither a path nor a socket");
  check_fails (&tcp, "", NULL, G_IO_ERROR_INVALID_ARGUMENT, "empty");
  check_fails (&tcp, too_long, NULL, G_IO_ERROR_FILENAME_TOO_LONG, too_long);
  check_fails (&tcp, "/nonexistent/socket", NULL, G_IO_ERROR_NOT_FOUND, "/nonexistent/socket");
  check_sock_refused (&tcp, place.path, G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, "at the same time");
  check_sock_refused (&tcp, NULL, G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, "unix socket");
  check_sock_refused (&tcp, NULL, G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_DATAGRAM, "stream socket");
}
END_TEST

START_TEST (test_closed_loop)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  tcp_close_loop (&tcp);
  future = create_server (&tcp, place.path, NULL);
  error = loop_future_exception (future, NULL);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_CLOSED);
  ck_assert_uint_eq (n_destroyed, 1);
}
END_TEST

/*
 * C28, CVE-2020-12049: descriptors that a peer sends along with its bytes are nobody's business here, and closed by the
 * kernel, for nothing asks for them.
 */
START_TEST (test_descriptors_sent)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServer) server G_GNUC_UNUSED = serve (&tcp, place.path, NULL);
  int fd = unix_raw_connect (&tcp, place.path);
  int ends[2];
  TcpPeer *peer;
  guint n_fds;
  char byte;

  tcp_run_until (tcp.loop, tcp.accepted->len == 1 && tcp_last_accepted (&tcp)->n_made == 1);
  peer = tcp_last_accepted (&tcp);
  ck_assert_int_eq (pipe (ends), 0);
  n_fds = tcp_count_fds ();

  for (guint i = 0; i < 100; i++)
    {
      union
      {
        struct cmsghdr header;
        char data[CMSG_SPACE (8 * sizeof (int))];
      } control = { 0 };
      struct iovec iov = { .iov_base = (char *) "x", .iov_len = 1 };
      struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
      };

      control.header = (struct cmsghdr) { CMSG_LEN (8 * sizeof (int)), SOL_SOCKET, SCM_RIGHTS };
      for (guint j = 0; j < 8; j++)
        memcpy (CMSG_DATA (&control.header) + j * sizeof (int), &ends[1], sizeof (int));
      ck_assert_int_eq (sendmsg (fd, &message, MSG_NOSIGNAL), 1);
      tcp_run_until (tcp.loop, peer->n_bytes == i + 1);
      ck_assert_uint_eq (tcp_count_fds (), n_fds);
    }

  /* Not even the kernel has one: with ours, the pipe loses its last writer. */
  close (ends[1]);
  ck_assert_int_eq (read (ends[0], &byte, 1), 0);
  close (ends[0]);
}
END_TEST

LOOP_TEST_MAIN ("unix-server",
                test_path,
                test_abstract,
                test_extra_info,
                test_stale,
                test_live,
                test_other_file,
                test_replaced,
                test_no_cleanup,
                test_loop_closed,
                test_child,
                test_sock,
                test_arguments,
                test_closed_loop,
                test_descriptors_sent)
