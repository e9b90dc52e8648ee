/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <sys/socket.h>

/* Protocol factories that fail, or do more than make protocols. */

typedef struct
{
  Tcp *tcp;
  LoopServer *server;
  guint n_calls;
  gboolean is_destroyed;
} Factory;

static void
destroy_factory (gpointer data)
{
  Factory *factory = data;

  ck_assert (!factory->is_destroyed);
  factory->is_destroyed = TRUE;
}

static void
serve (Factory *factory, Tcp *tcp, LoopProtocolFactory function)
{
  static const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopFuture) future = NULL;

  factory->tcp = tcp;
  future = loop_event_loop_create_server (tcp->loop, hosts, 0, NULL, function, factory, destroy_factory);
  tcp->server = tcp_take_server (tcp, future);
  tcp->port = tcp_server_port (tcp->server, 0);
  factory->server = tcp->server;
}

static gboolean
is_closed_by_peer (int fd)
{
  char byte;

  return recv (fd, &byte, 1, 0) <= 0;
}

static GObject *
make_every_other (gpointer data)
{
  Factory *factory = data;

  return ++factory->n_calls % 2 == 1 ? NULL : tcp_accept_factory (factory->tcp);
}

/* The connection is closed and reported; the others do not notice. */
START_TEST (test_returns_nothing)
{
  g_auto (Tcp) tcp = tcp_new ();
  Factory factory = { 0 };

  serve (&factory, &tcp, make_every_other);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (LoopExceptionContext) report = NULL;
      GSocket *socket;
      int refused = tcp_raw_connect (&tcp, tcp.port);
      int served;

      tcp_run_until (tcp.loop, tcp.reports->len == 1);
      report = tcp_take_report (&tcp);
      socket = loop_exception_context_get_socket (report);
      tcp_assert_error (loop_exception_context_get_exception (report), LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY);
      ck_assert_ptr_nonnull (socket);
      ck_assert (is_closed_by_peer (refused));

      served = tcp_raw_connect (&tcp, tcp.port);
      tcp_run_until (tcp.loop, tcp.accepted->len == i + 1 && tcp_last_accepted (&tcp)->n_made == 1);
      tcp_raw_send (served, "x");
      tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_bytes == 1);
    }

  ck_assert (loop_server_is_serving (tcp.server));
  for (guint i = 0; i < 4; i++)
    ck_assert_str_eq (tcp_peer_at (tcp.accepted, i)->events->str, "made data");
}
END_TEST

static GObject *
make_cancellable (gpointer data)
{
  return G_OBJECT (g_cancellable_new ());
}

START_TEST (test_returns_no_protocol)
{
  g_auto (Tcp) tcp = tcp_new ();
  Factory factory = { 0 };
  g_autoptr (LoopExceptionContext) report = NULL;
  const GError *error;
  int fd;

  serve (&factory, &tcp, make_cancellable);
  fd = tcp_raw_connect (&tcp, tcp.port);
  tcp_run_until (tcp.loop, tcp.reports->len == 1);
  report = tcp_take_report (&tcp);
  error = loop_exception_context_get_exception (report);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY);
  tcp_assert_contains (error->message, "GCancellable");
  ck_assert (is_closed_by_peer (fd));
  ck_assert (loop_server_is_serving (tcp.server));
}
END_TEST

/* By default it is logged. */
START_TEST (test_default_report)
{
  g_auto (Tcp) tcp = tcp_new ();
  Factory factory = { 0 };
  int fd;

  serve (&factory, &tcp, make_cancellable);
  loop_event_loop_set_exception_handler (tcp.loop, NULL, NULL, NULL);
  loop_check_expect_warning ("*connection*not a protocol*");
  fd = tcp_raw_connect (&tcp, tcp.port);
  tcp_run_for (tcp.loop, 0.02);
  ck_assert (is_closed_by_peer (fd));
}
END_TEST

static GObject *
close_and_make (gpointer data)
{
  Factory *factory = data;

  factory->n_calls++;
  loop_server_close (factory->server);
  ck_assert (!loop_server_is_serving (factory->server));
  /* The data of a function is not destroyed while the function runs. */
  ck_assert (!factory->is_destroyed);

  return tcp_accept_factory (factory->tcp);
}

START_TEST (test_closes_server)
{
  g_auto (Tcp) tcp = tcp_new ();
  Factory factory = { 0 };
  int fd;

  serve (&factory, &tcp, close_and_make);
  fd = tcp_raw_connect (&tcp, tcp.port);
  tcp_raw_connect (&tcp, tcp.port);
  tcp_raw_connect (&tcp, tcp.port);
  tcp_run_until (tcp.loop, factory.is_destroyed);
  tcp_run_until (tcp.loop, tcp.accepted->len == 1 && tcp_last_accepted (&tcp)->n_made == 1);
  tcp_raw_send (fd, "x");
  tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_bytes == 1);
  ck_assert_uint_eq (factory.n_calls, 1);
}
END_TEST

static GObject *
close_and_drop (gpointer data)
{
  Factory *factory = data;

  factory->n_calls++;
  loop_server_close (factory->server);
  g_clear_object (&factory->tcp->server);
  ck_assert (!factory->is_destroyed);

  return NULL;
}

/* Not even the last reference makes a difference. */
START_TEST (test_drops_server)
{
  g_auto (Tcp) tcp = tcp_new ();
  Factory factory = { 0 };

  serve (&factory, &tcp, close_and_drop);
  tcp_raw_connect (&tcp, tcp.port);
  tcp_run_until (tcp.loop, factory.is_destroyed);
  loop_exception_context_unref (tcp_take_report (&tcp));
  ck_assert_uint_eq (factory.n_calls, 1);
}
END_TEST

static void
close_server (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  Factory *factory = user_data;

  loop_server_close (factory->server);
  g_clear_object (&factory->tcp->server);
}

START_TEST (test_exception_handler_closes_server)
{
  g_auto (Tcp) tcp = tcp_new ();
  Factory factory = { 0 };

  serve (&factory, &tcp, make_cancellable);
  loop_event_loop_set_exception_handler (tcp.loop, close_server, &factory, NULL);
  tcp_raw_connect (&tcp, tcp.port);
  tcp_raw_connect (&tcp, tcp.port);
  tcp_run_until (tcp.loop, factory.is_destroyed);
  tcp_run_for (tcp.loop, 0.01);
}
END_TEST

static GObject *
stop_and_make (gpointer data)
{
  Factory *factory = data;

  factory->n_calls++;
  loop_event_loop_stop (factory->tcp->loop);

  return tcp_accept_factory (factory->tcp);
}

START_TEST (test_stops_loop)
{
  g_auto (Tcp) tcp = tcp_new ();
  Factory factory = { 0 };

  serve (&factory, &tcp, stop_and_make);
  tcp_raw_connect (&tcp, tcp.port);
  loop_event_loop_run_forever (tcp.loop);
  ck_assert_uint_eq (factory.n_calls, 1);
  tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_made == 1);
}
END_TEST

static GObject *
iterate_and_make (gpointer data)
{
  Factory *factory = data;

  if (factory->n_calls++ == 0)
    {
      while (factory->n_calls < 3)
        g_main_context_iteration (loop_event_loop_get_context (factory->tcp->loop), TRUE);
    }

  return tcp_accept_factory (factory->tcp);
}

static void
connect_two (gpointer data)
{
  Tcp *tcp = data;

  tcp_raw_connect (tcp, tcp->port);
  tcp_raw_connect (tcp, tcp->port);
}

/* A main loop inside the factory goes on accepting. */
START_TEST (test_runs_main_loop)
{
  g_auto (Tcp) tcp = tcp_new ();
  Factory factory = { 0 };

  serve (&factory, &tcp, iterate_and_make);
  tcp_raw_connect (&tcp, tcp.port);
  loop_event_loop_call_later (tcp.loop, 0.005, connect_two, &tcp, NULL);
  tcp_run_until (tcp.loop, tcp.accepted->len == 3);
  for (guint i = 0; i < 3; i++)
    tcp_run_until (tcp.loop, tcp_peer_at (tcp.accepted, i)->n_made == 1);
}
END_TEST

static GObject *
make_shared (gpointer data)
{
  Factory *factory = data;

  factory->n_calls++;

  return tcp_accept_factory (factory->tcp);
}

/* One call for each connection, and none before. */
START_TEST (test_called_once_each)
{
  g_auto (Tcp) tcp = tcp_new ();
  Factory factory = { 0 };

  serve (&factory, &tcp, make_shared);
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_uint_eq (factory.n_calls, 0);
  for (guint i = 0; i < 50; i++)
    tcp_raw_connect (&tcp, tcp.port);
  tcp_run_until (tcp.loop, tcp.accepted->len == 50);
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_uint_eq (factory.n_calls, 50);
}
END_TEST

LOOP_TEST_MAIN ("server-factory",
                test_returns_nothing,
                test_returns_no_protocol,
                test_default_report,
                test_closes_server,
                test_drops_server,
                test_exception_handler_closes_server,
                test_stops_loop,
                test_runs_main_loop,
                test_called_once_each)
