/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fake-resolver.h"
#include "tcp-check.h"

/* Giving up create_server while it is under way. */

static guint n_destroyed;

static GObject *
unused_factory (gpointer user_data)
{
  ck_abort_msg ("the factory was called");
}

static void
count_destroyed (gpointer user_data)
{
  n_destroyed++;
}

static LoopFuture *
create_server (Tcp *tcp, const char *host, guint16 port)
{
  const char *const hosts[] = { host, NULL };

  return loop_event_loop_create_server (tcp->loop, hosts, port, NULL, unused_factory, NULL, count_destroyed);
}

/* A server could be made on @port, for nothing is left of an earlier one. */
static void
assert_port_is_free (Tcp *tcp, guint16 port)
{
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopServer) server = tcp_serve (tcp, hosts, port, NULL);

  loop_server_close (server);
}

START_TEST (test_while_resolving)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  guint16 port = tcp_unused_port ();
  gint64 start;

  fake_resolver_add_slow ("slow.test", "127.0.0.1");
  future = create_server (&tcp, "slow.test", port);
  tcp_run_for (tcp.loop, 0.0);
  fake_resolver_wait (1);

  start = g_get_monotonic_time ();
  ck_assert (loop_future_cancel (future));
  error = tcp_take_error (&tcp, future);
  ck_assert_int_lt (g_get_monotonic_time () - start, 500 * 1000);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  tcp_run_for (tcp.loop, 0.0);
  ck_assert_uint_eq (n_destroyed, 1);
  assert_port_is_free (&tcp, port);

  /* The answer comes after all; nobody wants it. */
  fake_resolver_release ();
  tcp_run_for (tcp.loop, 0.03);
  ck_assert_uint_eq (n_destroyed, 1);
  assert_port_is_free (&tcp, port);
}
END_TEST

/* The answer is there, and the loop has not looked at it, when nobody wants it any more. */
START_TEST (test_with_answer_waiting)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  guint16 port = tcp_unused_port ();

  fake_resolver_add_slow ("slow.test", "127.0.0.1");
  future = create_server (&tcp, "slow.test", port);
  tcp_run_for (tcp.loop, 0.0);
  fake_resolver_wait (1);
  fake_resolver_release ();
  g_usleep (20 * 1000);
  loop_future_cancel (future);
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_uint_eq (n_destroyed, 1);
  assert_port_is_free (&tcp, port);
}
END_TEST

/* Closing the loop does not wait for the name server. */
START_TEST (test_loop_closed_while_resolving)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  gint64 start;

  fake_resolver_add_slow ("slow.test", "127.0.0.1");
  future = create_server (&tcp, "slow.test", 0);
  tcp_run_for (tcp.loop, 0.0);
  fake_resolver_wait (1);
  start = g_get_monotonic_time ();
  tcp_close_loop (&tcp);
  ck_assert_int_lt (g_get_monotonic_time () - start, 500 * 1000);
  ck_assert_uint_eq (n_destroyed, 1);

  /* The answer comes after all. */
  fake_resolver_release ();
}
END_TEST

START_TEST (test_second_host)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", "slow.test", NULL };
  g_autoptr (LoopFuture) future = NULL;
  guint16 port = tcp_unused_port ();
  guint n_fds;

  fake_resolver_add_slow ("slow.test", "127.0.0.2");
  n_fds = tcp_count_fds ();
  future = loop_event_loop_create_server (tcp.loop, hosts, port, NULL, unused_factory, NULL, count_destroyed);
  tcp_run_for (tcp.loop, 0.0);
  fake_resolver_wait (1);
  loop_future_cancel (future);
  tcp_run_for (tcp.loop, 0.0);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
  fake_resolver_release ();
}
END_TEST

/* Cancelled in the same breath: nothing is ever looked up or bound. */
START_TEST (test_at_once)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint16 port = tcp_unused_port ();
  g_autoptr (LoopFuture) numeric = create_server (&tcp, "127.0.0.1", port);
  g_autoptr (LoopFuture) named = create_server (&tcp, "localhost", port);

  ck_assert (loop_future_cancel (numeric));
  ck_assert (loop_future_cancel (named));
  tcp_run_for (tcp.loop, 0.02);
  ck_assert (loop_future_cancelled (numeric));
  ck_assert (loop_future_cancelled (named));
  ck_assert_uint_eq (n_destroyed, 2);
  assert_port_is_free (&tcp, port);
}
END_TEST

/* At every step of a call that takes several iterations. Afterwards there is a server, or nothing. */
START_TEST (test_at_each_step)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint16 port = tcp_unused_port ();
  guint n_servers = 0;

  for (guint n_iterations = 0; n_iterations < 6; n_iterations++)
    {
      g_autoptr (LoopFuture) future = create_server (&tcp, "127.0.0.1", port);
      g_auto (GValue) value = G_VALUE_INIT;

      for (guint i = 0; i < n_iterations; i++)
        {
          loop_event_loop_stop (tcp.loop);
          loop_event_loop_run_forever (tcp.loop);
        }
      loop_future_cancel (future);
      tcp_run_for (tcp.loop, 0.002);

      ck_assert (loop_future_done (future));
      if (!loop_future_cancelled (future))
        {
          ck_assert (loop_future_result (future, &value, NULL));
          ck_assert (loop_server_is_serving (g_value_get_object (&value)));
          loop_server_close (g_value_get_object (&value));
          n_servers++;
        }
      ck_assert_uint_eq (n_destroyed, n_iterations + 1);
      assert_port_is_free (&tcp, port);
    }

  ck_assert_uint_gt (n_servers, 0);
  ck_assert_uint_lt (n_servers, 6);
}
END_TEST

/* A result that is there cannot be cancelled away. */
START_TEST (test_too_late)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_server (tcp.loop, hosts, 0, NULL, tcp_accept_factory, &tcp, NULL);
  g_autoptr (LoopServer) server = tcp_take_server (&tcp, future);

  ck_assert (!loop_future_cancel (future));
  tcp_run_for (tcp.loop, 0.0);
  ck_assert (loop_server_is_serving (server));
}
END_TEST

/* The future need not be kept: the server runs all the same. */
START_TEST (test_future_dropped)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  guint16 port = tcp_unused_port ();

  g_object_unref (loop_event_loop_create_server (tcp.loop, hosts, port, NULL, tcp_accept_factory, &tcp, NULL));
  tcp_run_for (tcp.loop, 0.01);
  tcp_raw_connect (&tcp, port);
  tcp_run_until (tcp.loop, tcp.accepted->len == 1);
}
END_TEST

LOOP_TEST_MAIN ("create-server-cancel",
                test_while_resolving,
                test_with_answer_waiting,
                test_loop_closed_while_resolving,
                test_second_host,
                test_at_once,
                test_at_each_step,
                test_too_late,
                test_future_dropped)
