/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <sys/resource.h>
#include <unistd.h>

/* A server in a process that has no descriptors left (joyent/libuv#690): it waits, and does not spin. */

static rlim_t original_limit;

static void
set_limit (rlim_t limit)
{
  struct rlimit value;

  ck_assert_int_eq (getrlimit (RLIMIT_NOFILE, &value), 0);
  if (original_limit == 0)
    original_limit = value.rlim_cur;
  value.rlim_cur = limit;
  ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &value), 0);
}

/* No descriptor is to be had from now on. */
static void
exhaust (void)
{
  int fd = dup (STDERR_FILENO);

  close (fd);
  set_limit ((rlim_t) fd);
  ck_assert_int_lt (dup (STDERR_FILENO), 0);
}

static void
recover (void)
{
  set_limit (original_limit);
}

static void
take_emfile_report (Tcp *tcp)
{
  g_autoptr (LoopExceptionContext) report = tcp_take_report (tcp);

  tcp_assert_error (loop_exception_context_get_exception (report), G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  ck_assert_ptr_nonnull (loop_exception_context_get_socket (report));
}

static void
connect_raw (Tcp *tcp, guint n)
{
  while (n-- > 0)
    tcp_raw_connect (tcp, tcp->port);
}

START_TEST (test_pauses_and_recovers)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  guint64 n_iterations;

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  for (guint episode = 0; episode < 2; episode++)
    {
      guint n_accepted = tcp.accepted->len;

      connect_raw (&tcp, 5);
      exhaust ();
      tcp_run_for (tcp.loop, 0.01);

      n_iterations = tcp_count_iterations (tcp.loop);
      tcp_run_for (tcp.loop, 0.5);
      ck_assert_uint_le (tcp_count_iterations (tcp.loop) - n_iterations, 10);
      ck_assert_uint_eq (tcp.accepted->len, n_accepted);

      /* Said once, and again only after it had passed. */
      ck_assert_uint_eq (tcp.reports->len, 1);
      take_emfile_report (&tcp);

      /* Meanwhile the others are served. */
      n_iterations = client->n_bytes;
      loop_transport_write (client->transport, (const guint8 *) "echo", 4);
      tcp_run_until (tcp.loop, client->n_bytes == n_iterations + 4);

      recover ();
      tcp_run_until (tcp.loop, tcp.accepted->len == n_accepted + 5);
    }

  ck_assert_uint_eq (tcp.reports->len, 0);
  for (guint i = 0; i < tcp.accepted->len; i++)
    tcp_run_until (tcp.loop, tcp_peer_at (tcp.accepted, i)->n_made == 1);
}
END_TEST

static void
close_server (gpointer server)
{
  loop_server_close (server);
}

START_TEST (test_server_closed_while_paused)
{
  g_auto (Tcp) tcp = tcp_new ();

  tcp_connect (&tcp);
  connect_raw (&tcp, 2);
  exhaust ();
  tcp_run_for (tcp.loop, 0.01);
  take_emfile_report (&tcp);
  loop_event_loop_call_soon (tcp.loop, close_server, tcp.server, NULL);
  tcp_run_for (tcp.loop, 0.3);
  recover ();
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (tcp.accepted->len, 1);
}
END_TEST

START_TEST (test_loop_closed_while_paused)
{
  g_auto (Tcp) tcp = tcp_new ();

  tcp_connect (&tcp);
  connect_raw (&tcp, 2);
  exhaust ();
  tcp_run_for (tcp.loop, 0.01);
  take_emfile_report (&tcp);
  tcp_close_loop (&tcp);
  recover ();
}
END_TEST

static void
close_in_handler (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  Tcp *tcp = user_data;

  loop_server_close (tcp->server);
  g_clear_object (&tcp->server);
}

/* Whoever is told may put an end to it. */
START_TEST (test_handler_closes_server)
{
  g_auto (Tcp) tcp = tcp_new ();

  tcp_connect (&tcp);
  connect_raw (&tcp, 2);
  loop_event_loop_set_exception_handler (tcp.loop, close_in_handler, &tcp, NULL);
  exhaust ();
  tcp_run_until (tcp.loop, tcp.server == NULL);
  tcp_run_for (tcp.loop, 0.3);
  recover ();
}
END_TEST

/* With no descriptor for a new socket, the caller is told. */
START_TEST (test_new_sockets)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopFuture) server = NULL;
  g_autoptr (LoopFuture) client = NULL;
  g_autoptr (GError) error = NULL;

  tcp_connect (&tcp);
  exhaust ();
  server = loop_event_loop_create_server (tcp.loop, hosts, 0, NULL, tcp_accept_factory, &tcp, NULL);
  error = tcp_take_error (&tcp, server);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  g_clear_error (&error);

  tcp_add_client (&tcp);
  client = loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, tcp_client_factory, &tcp, NULL);
  error = tcp_take_error (&tcp, client);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  recover ();
}
END_TEST

LOOP_TEST_MAIN ("server-emfile",
                test_pauses_and_recovers,
                test_server_closed_while_paused,
                test_loop_closed_while_paused,
                test_handler_closes_server,
                test_new_sockets)
