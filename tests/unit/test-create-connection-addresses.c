/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fake-resolver.h"
#include "tcp-check.h"

#include <sys/socket.h>

/* A name with several addresses: they are tried one after another. */

static LoopFuture *
create_connection (Tcp *tcp, const char *host)
{
  tcp_add_client (tcp);

  return loop_event_loop_create_connection (tcp->loop, host, tcp->port, NULL, tcp_client_factory, tcp, NULL);
}

static void
serve (Tcp *tcp, const char *host)
{
  const char *const hosts[] = { host, NULL };

  tcp->server = tcp_serve (tcp, hosts, 0, NULL);
  tcp->port = tcp_server_port (tcp->server, 0);
}

static char *
get_peer_address (LoopTransport *transport)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_transport_get_extra_info (transport, "peername", &value));

  return g_inet_address_to_string (g_inet_socket_address_get_address (g_value_get_object (&value)));
}

/* Connects to a host of several names, of which only @wanted serves. */
static void
check_finds (const char *addresses, const char *wanted)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  g_autofree char *address = NULL;
  guint n_fds;

  fake_resolver_add ("several.test", addresses);
  serve (&tcp, wanted);
  n_fds = tcp_count_fds ();
  future = create_connection (&tcp, "several.test");
  transport = tcp_take_transport (&tcp, future);
  address = get_peer_address (transport);
  ck_assert_str_eq (address, wanted);
  tcp_run_until (tcp.loop, tcp.accepted->len == 1);

  /* The sockets of the attempts in vain are closed. */
  ck_assert_uint_eq (tcp_count_fds (), n_fds + 2);
}

START_TEST (test_first_serves) { check_finds ("127.0.0.1 127.0.0.2", "127.0.0.1"); }
END_TEST

START_TEST (test_first_refuses) { check_finds ("127.0.0.2 127.0.0.1", "127.0.0.1"); }
END_TEST

START_TEST (test_last_of_many) { check_finds ("127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 127.0.0.1", "127.0.0.1"); }
END_TEST

START_TEST (test_ipv6_refuses)
{
  tcp_skip_unless (tcp_has_ipv6 (), "this machine has no ::1");
  check_finds ("::1 127.0.0.1", "127.0.0.1");
}
END_TEST

START_TEST (test_ipv4_refuses)
{
  tcp_skip_unless (tcp_has_ipv6 (), "this machine has no ::1");
  check_finds ("127.0.0.1 ::1", "::1");
}
END_TEST

/* An address to which there is no way fails in the call of connect() itself. */
START_TEST (test_first_fails_at_once) { check_finds ("255.255.255.255 127.0.0.1", "127.0.0.1"); }
END_TEST

START_TEST (test_refused)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;

  tcp.port = tcp_unused_port ();
  future = create_connection (&tcp, "127.0.0.1");
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  name = g_strdup_printf ("127.0.0.1:%u", tcp.port);
  tcp_assert_contains (error->message, name);
  ck_assert_uint_eq (tcp_peer_at (tcp.clients, 0)->n_made, 0);
}
END_TEST

START_TEST (test_all_refuse)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  guint n_fds;

  fake_resolver_add ("several.test", "127.0.0.2 127.0.0.3 127.0.0.4");
  tcp.port = tcp_unused_port ();
  n_fds = tcp_count_fds ();
  future = create_connection (&tcp, "several.test");
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  tcp_assert_contains (error->message, "127.0.0.2");
  tcp_assert_contains (error->message, "127.0.0.3");
  tcp_assert_contains (error->message, "127.0.0.4");
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
}
END_TEST

/* A name is looked up in a thread: the loop goes on meanwhile. */
static void
count (gpointer data)
{
  ++*(guint *) data;
}

START_TEST (test_slow_name)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  guint n_ticks = 0;

  fake_resolver_add_slow ("slow.test", "127.0.0.1");
  serve (&tcp, "127.0.0.1");
  future = create_connection (&tcp, "slow.test");
  for (guint i = 0; i < 5; i++)
    loop_event_loop_call_later (tcp.loop, 0.001 * i, count, &n_ticks, NULL);
  tcp_run_until (tcp.loop, n_ticks == 5);
  fake_resolver_wait (1);
  ck_assert (!loop_future_done (future));
  fake_resolver_release ();
  g_object_unref (tcp_take_transport (&tcp, future));
}
END_TEST

/* Slow names do not stand in the way of others: there are threads enough, and numbers need none. */
START_TEST (test_slow_names_beside_others)
{
  g_auto (Tcp) tcp = tcp_new ();
  LoopFuture *slow[4];
  g_autoptr (LoopFuture) number = NULL;
  g_autoptr (LoopFuture) name = NULL;

  fake_resolver_add_slow ("slow.test", "127.0.0.1");
  fake_resolver_add ("quick.test", "127.0.0.1");
  serve (&tcp, "127.0.0.1");
  for (guint i = 0; i < G_N_ELEMENTS (slow); i++)
    slow[i] = loop_event_loop_create_connection (tcp.loop, "slow.test", tcp.port, NULL, tcp_accept_factory, &tcp, NULL);
  fake_resolver_wait (G_N_ELEMENTS (slow));

  number = create_connection (&tcp, "127.0.0.1");
  g_object_unref (tcp_take_transport (&tcp, number));
  name = create_connection (&tcp, "quick.test");
  g_object_unref (tcp_take_transport (&tcp, name));

  fake_resolver_release ();
  for (guint i = 0; i < G_N_ELEMENTS (slow); i++)
    {
      g_object_unref (tcp_take_transport (&tcp, slow[i]));
      g_object_unref (slow[i]);
    }
}
END_TEST

LOOP_TEST_MAIN ("create-connection-addresses",
                test_first_serves,
                test_first_refuses,
                test_last_of_many,
                test_ipv6_refuses,
                test_ipv4_refuses,
                test_first_fails_at_once,
                test_refused,
                test_all_refuse,
                test_slow_name,
                test_slow_names_beside_others)
