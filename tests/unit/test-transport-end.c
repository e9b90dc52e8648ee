/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <unistd.h>
#include <sys/wait.h>
#include <signal.h>
#include <sys/socket.h>

/*
 * All the ways in which a connection ends. In each of them connection_lost comes exactly once, with an
 * error or without, and nothing comes after it: TcpPeer sees to that.
 */

static guint n_sigpipes;

static void
count_sigpipe (int signum)
{
  n_sigpipes++;
}

static void
run_to_loss (Tcp *tcp, TcpPeer *peer)
{
  tcp_run_until (tcp->loop, peer->n_lost == 1);
  /* Whatever else might come has its chance. */
  tcp_run_for (tcp->loop, 0.005);
  ck_assert_ptr_null (loop_transport_get_protocol (peer->transport));
  ck_assert_uint_eq (n_sigpipes, 0);
}

static void
assert_reset (TcpPeer *peer)
{
  ck_assert_ptr_nonnull (peer->error);
  ck_assert_msg (g_error_matches (peer->error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED), "%s", peer->error->message);
}

START_TEST (test_peer_closes)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  tcp_raw_close (&tcp, fd);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made eof lost");
  ck_assert_ptr_null (peer->error);
}
END_TEST

START_TEST (test_peer_sends_and_closes)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  tcp_raw_send (fd, "goodbye");
  tcp_raw_close (&tcp, fd);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made data eof lost");
  tcp_assert_received (peer, "goodbye");
  ck_assert_ptr_null (peer->error);
}
END_TEST

/* All there is to a connection happens before the loop looks for the first time. */
START_TEST (test_peer_comes_and_goes)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopServer) server = tcp_serve (&tcp, hosts, 0, NULL);
  int fd = tcp_raw_connect (&tcp, tcp_server_port (server, 0));

  tcp_raw_send (fd, "in a hurry");
  tcp_raw_close (&tcp, fd);
  tcp_run_until (tcp.loop, tcp.accepted->len == 1);
  run_to_loss (&tcp, tcp_last_accepted (&tcp));
  ck_assert_str_eq (tcp_last_accepted (&tcp)->events->str, "made data eof lost");
  tcp_assert_received (tcp_last_accepted (&tcp), "in a hurry");
}
END_TEST

START_TEST (test_peer_resets)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  tcp_raw_reset (&tcp, fd);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made lost");
  assert_reset (peer);
}
END_TEST

START_TEST (test_peer_sends_and_resets)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  tcp_raw_send (fd, "last words");
  tcp_raw_reset (&tcp, fd);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made data lost");
  tcp_assert_received (peer, "last words");
  assert_reset (peer);
}
END_TEST

/* While reading is paused the reset shows when reading goes on. */
START_TEST (test_peer_resets_while_paused)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_pause_reading (peer->transport);
  tcp_raw_send (fd, "last words");
  tcp_raw_reset (&tcp, fd);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_str_eq (peer->events->str, "made");
  loop_transport_resume_reading (peer->transport);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made data lost");
}
END_TEST

START_TEST (test_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_close (peer->transport);
  ck_assert (loop_transport_is_closing (peer->transport));
  ck_assert_uint_eq (peer->n_lost, 0);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made lost");
  ck_assert_ptr_null (peer->error);
  ck_assert (tcp_raw_is_eof (fd));
}
END_TEST

START_TEST (test_abort)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_abort (peer->transport);
  ck_assert (loop_transport_is_closing (peer->transport));
  ck_assert_uint_eq (peer->n_lost, 0);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made lost");
  ck_assert_ptr_null (peer->error);
}
END_TEST

/* Over and over, in any order: it is closed once. */
START_TEST (test_close_and_abort)
{
  g_auto (Tcp) tcp = tcp_new ();

  for (guint order = 0; order < 16; order++)
    {
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

      for (guint bit = 0; bit < 4; bit++)
        {
          if (order & 1 << bit)
            loop_transport_close (peer->transport);
          else
            loop_transport_abort (peer->transport);
        }
      run_to_loss (&tcp, peer);
      ck_assert_str_eq (peer->events->str, "made lost");
      ck_assert_ptr_null (peer->error);
      loop_transport_close (peer->transport);
      loop_transport_abort (peer->transport);
    }
  tcp_run_for (tcp.loop, 0.005);
}
END_TEST

/* What comes after close() is not received any more. */
START_TEST (test_close_with_data_on_the_way)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  tcp_raw_send (fd, "too late");
  loop_transport_close (peer->transport);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made lost");
  ck_assert_ptr_null (peer->error);
}
END_TEST

START_TEST (test_both_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *server = tcp_last_accepted (&tcp);

  loop_transport_close (client->transport);
  loop_transport_close (server->transport);
  run_to_loss (&tcp, client);
  run_to_loss (&tcp, server);
  ck_assert_str_eq (client->events->str, "made lost");
  ck_assert_str_eq (server->events->str, "made lost");
}
END_TEST

/* The buffer still holds data when the peer goes: closing ends, with an error. */
START_TEST (test_peer_resets_while_closing)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (16 * 1024 * 1024);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_write_bytes (peer->transport, bytes);
  loop_transport_close (peer->transport);
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_uint_eq (peer->n_lost, 0);
  ck_assert_uint_gt (loop_transport_get_write_buffer_size (peer->transport), 0);
  tcp_raw_reset (&tcp, fd);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made lost");
  assert_reset (peer);
}
END_TEST

START_TEST (test_abort_while_closing)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (16 * 1024 * 1024);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_write_bytes (peer->transport, bytes);
  loop_transport_close (peer->transport);
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_uint_eq (peer->n_lost, 0);
  loop_transport_abort (peer->transport);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 0);
  run_to_loss (&tcp, peer);
  ck_assert_ptr_null (peer->error);
}
END_TEST

/* A reset in the middle of a long write: no signal, one loss. */
START_TEST (test_reset_in_mid_write)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (16 * 1024 * 1024);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  g_autofree char *some = NULL;

  signal (SIGPIPE, count_sigpipe);
  loop_transport_write_bytes (peer->transport, bytes);
  tcp_run_for (tcp.loop, 0.002);
  some = tcp_raw_receive (fd, 100 * 1000);
  tcp_run_for (tcp.loop, 0.002);
  tcp_raw_reset (&tcp, fd);
  run_to_loss (&tcp, peer);
  assert_reset (peer);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 0);
}
END_TEST

/* The peer has gone, and has said so with a FIN only: a write finds out. */
START_TEST (test_write_to_closed_peer)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  signal (SIGPIPE, count_sigpipe);
  peer->keep_open = TRUE;
  tcp_raw_close (&tcp, fd);
  tcp_run_until (tcp.loop, peer->n_eof == 1);
  ck_assert_uint_eq (peer->n_lost, 0);

  /* It is answered with a RST; the next one fails. */
  loop_transport_write (peer->transport, (const guint8 *) "x", 1);
  tcp_run_for (tcp.loop, 0.01);
  if (peer->n_lost == 0)
    loop_transport_write (peer->transport, (const guint8 *) "x", 1);
  ck_assert_uint_eq (peer->n_lost, 0);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made eof lost");
  assert_reset (peer);
}
END_TEST

START_TEST (test_write_to_reset_peer)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  signal (SIGPIPE, count_sigpipe);
  tcp_raw_reset (&tcp, fd);
  loop_transport_write (peer->transport, (const guint8 *) "x", 1);
  /* Never from inside the call. */
  ck_assert_uint_eq (peer->n_lost, 0);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made lost");
  assert_reset (peer);
}
END_TEST

/* After a failed write, close() and abort() of the user's come too late to make a second loss. */
START_TEST (test_close_after_failed_write)
{
  g_auto (Tcp) tcp = tcp_new ();

  for (guint i = 0; i < 2; i++)
    {
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

      tcp_raw_reset (&tcp, fd);
      loop_transport_write (peer->transport, (const guint8 *) "x", 1);
      if (i == 0)
        loop_transport_close (peer->transport);
      else
        loop_transport_abort (peer->transport);
      run_to_loss (&tcp, peer);
      ck_assert_str_eq (peer->events->str, "made lost");
    }
}
END_TEST

/* FIN, then RST: the first is told as the end of file, the second must not be told twice. */
START_TEST (test_fin_then_reset)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (16 * 1024 * 1024);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->keep_open = TRUE;
  loop_transport_write_bytes (peer->transport, bytes);
  shutdown (fd, SHUT_WR);
  tcp_run_until (tcp.loop, peer->n_eof == 1);
  tcp_raw_reset (&tcp, fd);
  run_to_loss (&tcp, peer);
  ck_assert_str_eq (peer->events->str, "made eof lost");
  assert_reset (peer);
}
END_TEST

/* At once, in the same moment. */
START_TEST (test_fin_and_reset)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  shutdown (fd, SHUT_WR);
  tcp_raw_reset (&tcp, fd);
  run_to_loss (&tcp, peer);
  ck_assert_uint_eq (peer->n_lost, 1);
}
END_TEST

/* What a transport had is given back with the connection, even if somebody keeps the transport. */
/* The peer's process is killed while it sends and receives: the kernel says so at once. */
START_TEST (test_peer_killed)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (8 << 20);
  int listener = tcp_raw_listen (&tcp, "127.0.0.1", 1, &tcp.port);
  g_autoptr (LoopFuture) future = NULL;
  TcpPeer *peer = tcp_add_client (&tcp);
  gint64 start;
  pid_t pid = fork ();

  if (pid == 0)
    {
      int fd = accept (listener, NULL, NULL);

      while (send (fd, "x", 1, MSG_NOSIGNAL) == 1)
        g_usleep (100);
      _exit (0);
    }

  tcp_raw_close (&tcp, listener);
  peer->is_discarding = TRUE;
  future = loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, tcp_client_factory, &tcp, NULL);
  g_object_unref (tcp_take_transport (&tcp, future));
  loop_transport_write_bytes (peer->transport, bytes);
  tcp_run_until (tcp.loop, peer->n_bytes > 10);

  ck_assert_int_eq (kill (pid, SIGKILL), 0);
  ck_assert_int_eq (waitpid (pid, NULL, 0), pid);
  start = g_get_monotonic_time ();
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_int_lt (g_get_monotonic_time () - start, G_USEC_PER_SEC);
}
END_TEST

START_TEST (test_descriptor_is_closed)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  guint n_fds = tcp_count_fds ();

  tcp_raw_close (&tcp, fd);
  run_to_loss (&tcp, peer);
  ck_assert_uint_eq (tcp_count_fds (), n_fds - 2);
  ck_assert (LOOP_IS_TRANSPORT (peer->transport));
  ck_assert_ptr_null (peer->protocol);
}
END_TEST

LOOP_TEST_MAIN ("transport-end",
                test_peer_closes,
                test_peer_sends_and_closes,
                test_peer_comes_and_goes,
                test_peer_resets,
                test_peer_sends_and_resets,
                test_peer_resets_while_paused,
                test_close,
                test_abort,
                test_close_and_abort,
                test_close_with_data_on_the_way,
                test_both_close,
                test_peer_resets_while_closing,
                test_abort_while_closing,
                test_reset_in_mid_write,
                test_write_to_closed_peer,
                test_write_to_reset_peer,
                test_close_after_failed_write,
                test_fin_then_reset,
                test_fin_and_reset,
                test_peer_killed,
                test_descriptor_is_closed)
