/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fake-resolver.h"
#include "tcp-check.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Giving up create_connection, or the whole loop, while it is under way. */

static guint n_destroyed;

static void
count_destroyed (gpointer user_data)
{
  n_destroyed++;
}

static LoopFuture *
create_connection (Tcp *tcp, const char *host)
{
  tcp_add_client (tcp);

  return loop_event_loop_create_connection (tcp->loop, host, tcp->port, NULL, tcp_client_factory, tcp, count_destroyed);
}

static void
assert_cancelled (Tcp *tcp, LoopFuture *future)
{
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();

  ck_assert (loop_future_cancel (future));
  error = tcp_take_error (tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  tcp_run_for (tcp->loop, 0.0);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_int_lt (g_get_monotonic_time () - start, 500 * 1000);
}

START_TEST (test_while_resolving)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;

  fake_resolver_add_slow ("slow.test", "127.0.0.1");
  tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);
  future = create_connection (&tcp, "slow.test");
  tcp_run_for (tcp.loop, 0.0);
  fake_resolver_wait (1);
  assert_cancelled (&tcp, future);

  /* The answer comes after all, and leads to nothing. */
  fake_resolver_release ();
  tcp_run_for (tcp.loop, 0.02);
  ck_assert_str_eq (tcp_peer_at (tcp.clients, 0)->events->str, "");
  ck_assert_uint_eq (n_destroyed, 1);
}
END_TEST

/* The answer is there, and the loop has not looked at it, when nobody wants it any more. */
START_TEST (test_with_answer_waiting)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  int listener = tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);

  fake_resolver_add_slow ("slow.test", "127.0.0.1");
  future = create_connection (&tcp, "slow.test");
  tcp_run_for (tcp.loop, 0.0);
  fake_resolver_wait (1);
  fake_resolver_release ();
  g_usleep (20 * 1000);
  loop_future_cancel (future);
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_int_lt (tcp_raw_accept (&tcp, listener), 0);
}
END_TEST

/* So is a failure, of which nobody is told then: that it was never retrieved, neither. */
START_TEST (test_with_failure_waiting)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;

  fake_resolver_add_failing ("failing.test", EAI_FAIL);
  future = create_connection (&tcp, "failing.test");
  g_usleep (20 * 1000);
  assert_cancelled (&tcp, future);
}
END_TEST

START_TEST (test_while_resolving_local_addr)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (GSocketConnectable) local = g_network_address_new ("slow.test", 0);
  g_autoptr (LoopFuture) future = NULL;

  fake_resolver_add_slow ("slow.test", "127.0.0.1");
  tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);
  loop_connection_options_set_local_addr (options, local);
  tcp_add_client (&tcp);
  future = loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, options, tcp_client_factory, &tcp,
                                              count_destroyed);
  tcp_run_for (tcp.loop, 0.0);
  fake_resolver_wait (1);
  assert_cancelled (&tcp, future);
  fake_resolver_release ();
}
END_TEST

START_TEST (test_while_connecting)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  guint n_fds;

  tcp_raw_listen_full (&tcp, "127.0.0.1", &tcp.port);
  n_fds = tcp_count_fds ();
  future = create_connection (&tcp, "127.0.0.1");
  tcp_run_for (tcp.loop, 0.02);
  ck_assert (!loop_future_done (future));
  ck_assert_uint_eq (tcp_count_fds (), n_fds + 1);
  assert_cancelled (&tcp, future);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
  ck_assert_str_eq (tcp_peer_at (tcp.clients, 0)->events->str, "");
}
END_TEST

/* After any number of iterations: from before the lookup to after the report. */
START_TEST (test_at_each_step)
{
  g_auto (Tcp) tcp = tcp_new ();
  int listener = tcp_raw_listen (&tcp, "127.0.0.1", 50, &tcp.port);
  guint n_made = 0;
  guint n_cancelled = 0;
  guint n_fds = tcp_count_fds ();
  int fd;

  for (guint n_iterations = 0; n_iterations < 10; n_iterations++)
    {
      g_autoptr (LoopFuture) future = create_connection (&tcp, "127.0.0.1");
      TcpPeer *client = tcp_peer_at (tcp.clients, n_iterations);
      g_auto (GValue) value = G_VALUE_INIT;

      for (guint i = 0; i < n_iterations; i++)
        {
          loop_event_loop_stop (tcp.loop);
          loop_event_loop_run_forever (tcp.loop);
        }
      loop_future_cancel (future);
      tcp_run_for (tcp.loop, 0.003);

      ck_assert (loop_future_done (future));
      if (loop_future_cancelled (future))
        {
          n_cancelled++;
          ck_assert_msg (strcmp (client->events->str, "") == 0 || strcmp (client->events->str, "made lost") == 0,
                         "cancelled after %u iterations: %s", n_iterations, client->events->str);
          ck_assert_ptr_null (client->error);
        }
      else
        {
          n_made++;
          ck_assert_str_eq (client->events->str, "made");
          ck_assert (loop_future_result (future, &value, NULL));
          loop_transport_close (g_value_get_object (&value));
          tcp_run_until (tcp.loop, client->n_lost == 1);
        }
      ck_assert_uint_eq (n_destroyed, n_iterations + 1);
      ck_assert_uint_eq (tcp_count_fds (), n_fds);
    }

  ck_assert_uint_ge (n_cancelled, 3);
  ck_assert_uint_ge (n_made, 1);

  /* Whatever was connected was closed. */
  while ((fd = tcp_raw_accept (&tcp, listener)) >= 0)
    ck_assert (tcp_raw_is_eof (fd));
}
END_TEST

static LoopFuture *cancelled_in_factory;

static GObject *
cancel_and_make (gpointer user_data)
{
  loop_future_cancel (cancelled_in_factory);
  ck_assert_uint_eq (n_destroyed, 0);

  return tcp_client_factory (user_data);
}

START_TEST (test_in_factory)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  guint n_fds;

  tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);
  n_fds = tcp_count_fds ();
  tcp_add_client (&tcp);
  future =
      loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, cancel_and_make, &tcp, count_destroyed);
  cancelled_in_factory = future;
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  tcp_run_for (tcp.loop, 0.003);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
  ck_assert_uint_eq (tcp_peer_at (tcp.clients, 0)->n_made, tcp_peer_at (tcp.clients, 0)->n_lost);
}
END_TEST

static GObject *
cancel_iterate_and_make (gpointer user_data)
{
  Tcp *tcp = user_data;

  loop_future_cancel (cancelled_in_factory);
  for (guint i = 0; i < 5; i++)
    g_main_context_iteration (loop_event_loop_get_context (tcp->loop), FALSE);
  ck_assert_uint_eq (n_destroyed, 0);

  return tcp_client_factory (tcp);
}

START_TEST (test_in_main_loop_in_factory)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  int listener = tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);

  tcp_add_client (&tcp);
  future = loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, cancel_iterate_and_make, &tcp,
                                              count_destroyed);
  cancelled_in_factory = future;
  tcp_run_until (tcp.loop, n_destroyed == 1);
  ck_assert (loop_future_cancelled (future));
  tcp_run_for (tcp.loop, 0.003);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert (tcp_raw_is_eof (tcp_raw_accept (&tcp, listener)));
}
END_TEST

static void
cancel_in_made (TcpPeer *self)
{
  loop_future_cancel (self->user_data);
}

START_TEST (test_in_connection_made)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  TcpPeer *client;

  tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);
  future = create_connection (&tcp, "127.0.0.1");
  client = tcp_peer_at (tcp.clients, 0);
  client->made = cancel_in_made;
  client->user_data = future;
  tcp_run_until (tcp.loop, client->n_lost == 1);
  ck_assert (loop_future_cancelled (future));
  ck_assert_str_eq (client->events->str, "made lost");
  ck_assert_uint_eq (n_destroyed, 1);
}
END_TEST

START_TEST (test_loop_closed_while_resolving)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;

  fake_resolver_add_slow ("slow.test", "127.0.0.1");
  future = create_connection (&tcp, "slow.test");
  tcp_run_for (tcp.loop, 0.0);
  fake_resolver_wait (1);
  tcp_close_loop (&tcp);
  ck_assert_uint_eq (n_destroyed, 1);
  fake_resolver_release ();
}
END_TEST

START_TEST (test_loop_closed_while_connecting)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;

  tcp_raw_listen_full (&tcp, "127.0.0.1", &tcp.port);
  future = create_connection (&tcp, "127.0.0.1");
  tcp_run_for (tcp.loop, 0.005);
  tcp_close_loop (&tcp);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_str_eq (tcp_peer_at (tcp.clients, 0)->events->str, "");
}
END_TEST

static void
check_loop_closed_after (guint n_iterations)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  n_destroyed = 0;
  tcp_raw_listen (&tcp, "127.0.0.1", 50, &tcp.port);
  future = create_connection (&tcp, "127.0.0.1");
  for (guint i = 0; i < n_iterations; i++)
    {
      loop_event_loop_stop (tcp.loop);
      loop_event_loop_run_forever (tcp.loop);
    }
  tcp_close_loop (&tcp);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_uint_eq (tcp_peer_at (tcp.clients, 0)->n_lost, 0);
  /* If it failed, look at it, lest it be reported. */
  loop_future_result (future, NULL, &error);
}

START_TEST (test_loop_closed_at_each_step)
{
  for (guint n_iterations = 0; n_iterations < 10; n_iterations++)
    check_loop_closed_after (n_iterations);
}
END_TEST

LOOP_TEST_MAIN ("create-connection-cancel",
                test_while_resolving,
                test_with_answer_waiting,
                test_with_failure_waiting,
                test_while_resolving_local_addr,
                test_while_connecting,
                test_at_each_step,
                test_in_factory,
                test_in_main_loop_in_factory,
                test_in_connection_made,
                test_loop_closed_while_resolving,
                test_loop_closed_while_connecting,
                test_loop_closed_at_each_step)
