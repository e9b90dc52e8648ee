/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fake-resolver.h"
#include "tcp-check.h"

#include "loop-happy-eyeballs-private.h"
#include "loop-resolver-private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Several addresses at the same time: RFC 8305. 127.0.0.2, .3, ... neither accept nor refuse, or nobody listens there. */

#define NEVER 1000.0

static LoopFuture *
connect_with (Tcp *tcp, const char *addresses, double delay, gboolean all_errors)
{
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();

  fake_resolver_add ("several.test", addresses);
  loop_connection_options_set_happy_eyeballs_delay (options, delay);
  loop_connection_options_set_all_errors (options, all_errors);
  tcp_add_client (tcp);

  return loop_event_loop_create_connection (tcp->loop, "several.test", tcp->port, options, tcp_client_factory, tcp,
                                            NULL);
}

static char *
get_peer_address (LoopTransport *transport)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_transport_get_extra_info (transport, "peername", &value));

  return g_inet_address_to_string (g_inet_socket_address_get_address (g_value_get_object (&value)));
}

/* Fulfils @future, and fails the test unless that is with a connection to @address and all else is closed. */
static void
check_wins (Tcp *tcp, LoopFuture *future, const char *address, guint n_fds)
{
  g_autoptr (LoopTransport) transport = tcp_take_transport (tcp, future);
  g_autofree char *peer = get_peer_address (transport);

  ck_assert_str_eq (peer, address);
  ck_assert_uint_eq (tcp_count_fds (), n_fds + 1);
  loop_transport_close (transport);
  tcp_run_until (tcp->loop, tcp_peer_at (tcp->clients, tcp->clients->len - 1)->n_lost == 1);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
}

START_TEST (test_first_is_silent)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  guint n_fds;

  tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);
  tcp_raw_listen_full (&tcp, "127.0.0.2", &tcp.port);
  n_fds = tcp_count_fds ();
  future = connect_with (&tcp, "127.0.0.2 127.0.0.1", 0.02, FALSE);
  check_wins (&tcp, future, "127.0.0.1", n_fds);
}
END_TEST

/* The control: without a delay the second is never tried. */
START_TEST (test_without_delay)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  int listener = tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);

  tcp_raw_listen_full (&tcp, "127.0.0.2", &tcp.port);
  future = connect_with (&tcp, "127.0.0.2 127.0.0.1", -1.0, FALSE);
  tcp_run_for (tcp.loop, 0.2);
  ck_assert (!loop_future_done (future));
  ck_assert_int_lt (tcp_raw_accept (&tcp, listener), 0);
}
END_TEST

static guint n_fds_in_factory;

static GObject *
count_fds_and_make (gpointer tcp)
{
  n_fds_in_factory = tcp_count_fds ();

  return tcp_client_factory (tcp);
}

/* At once, however long the user takes to make a protocol. */
START_TEST (test_losers_are_closed_first)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (LoopFuture) future = NULL;
  guint n_fds;

  tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);
  tcp_raw_listen_full (&tcp, "127.0.0.2", &tcp.port);
  n_fds = tcp_count_fds ();
  fake_resolver_add ("several.test", "127.0.0.2 127.0.0.1");
  loop_connection_options_set_happy_eyeballs_delay (options, 0.0);
  tcp_add_client (&tcp);
  future =
      loop_event_loop_create_connection (tcp.loop, "several.test", tcp.port, options, count_fds_and_make, &tcp, NULL);
  g_object_unref (tcp_take_transport (&tcp, future));
  ck_assert_uint_eq (n_fds_in_factory, n_fds + 1);
}
END_TEST

START_TEST (test_first_answers)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  guint n_fds;
  int other;

  tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);
  other = tcp_raw_listen (&tcp, "127.0.0.2", 5, &tcp.port);
  n_fds = tcp_count_fds ();
  future = connect_with (&tcp, "127.0.0.1 127.0.0.2", NEVER, FALSE);
  check_wins (&tcp, future, "127.0.0.1", n_fds);
  ck_assert_int_lt (tcp_raw_accept (&tcp, other), 0);
}
END_TEST

/* Who is refused does not wait for the delay. */
START_TEST (test_first_refuses)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  guint n_fds;

  tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);
  n_fds = tcp_count_fds ();
  future = connect_with (&tcp, "127.0.0.2 127.0.0.3 255.255.255.255 127.0.0.1", NEVER, FALSE);
  check_wins (&tcp, future, "127.0.0.1", n_fds);
}
END_TEST

/* That others have failed does not end the attempt that is still under way. */
START_TEST (test_first_answers_last)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  int listener = tcp_raw_listen_full (&tcp, "127.0.0.2", &tcp.port);
  guint n_fds;

  future = connect_with (&tcp, "127.0.0.2 127.0.0.3 127.0.0.4", 0.01, FALSE);
  tcp_run_for (tcp.loop, 0.1);
  ck_assert (!loop_future_done (future));

  /* There is room in the queue from now on: the kernel asks again after a second, and so do those that have filled it. */
  for (guint i = 0; i < 1500 && !loop_future_done (future); i++)
    {
      while (tcp_raw_accept (&tcp, listener) >= 0)
        ;
      tcp_run_for (tcp.loop, 0.01);
    }
  n_fds = tcp_count_fds () - 1;
  check_wins (&tcp, future, "127.0.0.2", n_fds);
}
END_TEST

START_TEST (test_all_at_once)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  guint n_fds;

  for (guint i = 2; i < 6; i++)
    {
      g_autofree char *address = g_strdup_printf ("127.0.0.%u", i);

      tcp_raw_listen_full (&tcp, address, &tcp.port);
    }
  n_fds = tcp_count_fds ();
  future = connect_with (&tcp, "127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5", 0.0, FALSE);
  tcp_run_until (tcp.loop, tcp_count_fds () == n_fds + 4);
  ck_assert (!loop_future_done (future));

  loop_future_cancel (future);
  tcp_run_for (tcp.loop, 0.0);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
}
END_TEST

START_TEST (test_loop_closed)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  guint n_fds;

  tcp_raw_listen_full (&tcp, "127.0.0.2", &tcp.port);
  tcp_raw_listen_full (&tcp, "127.0.0.3", &tcp.port);
  n_fds = tcp_count_fds ();
  future = connect_with (&tcp, "127.0.0.2 127.0.0.3 127.0.0.4", 0.01, FALSE);
  tcp_run_until (tcp.loop, tcp_count_fds () == n_fds + 2);
  tcp_close_loop (&tcp);
}
END_TEST

/* gh-124309: whoever loses is closed, at whatever point of the race, and however often there is one. */
START_TEST (test_losers)
{
  g_auto (Tcp) tcp = tcp_new ();
  static const char *const localhost[] = { "127.0.0.1", "127.0.0.3", NULL };
  guint n_fds;

  tcp.server = tcp_serve (&tcp, localhost, 0, NULL);
  tcp.port = tcp_server_port (tcp.server, 0);
  ck_assert_uint_eq (tcp_server_port (tcp.server, 1), tcp.port);
  tcp_raw_listen_full (&tcp, "127.0.0.2", &tcp.port);
  fake_resolver_add ("several.test", "127.0.0.2 127.0.0.1 127.0.0.4 127.0.0.3");
  n_fds = tcp_count_fds ();

  for (guint round = 0; round < 200; round++)
    {
      g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
      g_autoptr (LoopFuture) future = NULL;
      TcpPeer *client = tcp_add_client (&tcp);

      loop_connection_options_set_happy_eyeballs_delay (options, round % 4 * 0.00005);
      future = loop_event_loop_create_connection (tcp.loop, "several.test", tcp.port, options, tcp_client_factory, &tcp,
                                                  NULL);
      if (round % 3 == 0)
        tcp_run_for (tcp.loop, round * 0.00001);
      if (round % 3 == 0 && loop_future_cancel (future))
        {
          tcp_run_for (tcp.loop, 0.0);
          tcp_run_until (tcp.loop, client->n_made == client->n_lost);
          continue;
        }
      g_object_unref (tcp_take_transport (&tcp, future));
      loop_transport_close (client->transport);
      tcp_run_until (tcp.loop, client->n_lost == 1);
    }

  /* The server's side sees all of them end. */
  tcp_run_until (tcp.loop, tcp_count_fds () == n_fds);
}
END_TEST

static void
check_errors (gboolean all_errors, double delay)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GPtrArray) errors = NULL;
  g_autoptr (GError) error = NULL;
  static const char *const addresses[] = { "127.0.0.2", "127.0.0.3", "127.0.0.4" };

  tcp.port = tcp_unused_port ();
  future = connect_with (&tcp, "127.0.0.2 127.0.0.3 127.0.0.4", delay, all_errors);
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  errors = loop_connection_get_errors (future);
  ck_assert_int_eq (errors != NULL, all_errors);

  for (guint i = 0; i < G_N_ELEMENTS (addresses); i++)
    {
      tcp_assert_contains (error->message, addresses[i]);
      if (errors == NULL)
        continue;
      ck_assert_uint_eq (errors->len, G_N_ELEMENTS (addresses));
      tcp_assert_error (g_ptr_array_index (errors, i), G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
      tcp_assert_contains (((const GError *) g_ptr_array_index (errors, i))->message, addresses[i]);
    }
}

START_TEST (test_errors) { check_errors (FALSE, -1.0); }
END_TEST

START_TEST (test_all_errors) { check_errors (TRUE, -1.0); }
END_TEST

START_TEST (test_all_errors_of_race) { check_errors (TRUE, 0.0); }
END_TEST

START_TEST (test_no_errors)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;

  tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);
  future = connect_with (&tcp, "127.0.0.2 127.0.0.1", -1.0, TRUE);
  ck_assert_ptr_null (loop_connection_get_errors (future));
  g_object_unref (tcp_take_transport (&tcp, future));
  ck_assert_ptr_null (loop_connection_get_errors (future));
}
END_TEST

/* --- The order ---------------------------------------------------------------------------------- */

/* Addresses as letters for their family, and a number. */
static void
check_interleaved (const char *before, guint first_family_count, const char *after)
{
  g_auto (GStrv) words = g_strsplit (before, " ", -1);
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; words[i] != NULL; i++)
    {
      LoopResolvedAddress *address = g_new0 (LoopResolvedAddress, 1);

      address->family = words[i][0];
      address->proto = words[i][1];
      g_ptr_array_add (addresses, address);
    }

  loop_happy_eyeballs_interleave (addresses, first_family_count);

  for (guint i = 0; i < addresses->len; i++)
    {
      const LoopResolvedAddress *address = g_ptr_array_index (addresses, i);

      g_string_append_printf (text, "%s%c%c", i > 0 ? " " : "", address->family, address->proto);
    }
  ck_assert_str_eq (text->str, after);
}

START_TEST (test_interleave)
{
  check_interleaved ("a1", 1, "a1");
  check_interleaved ("a1 a2 a3", 1, "a1 a2 a3");
  check_interleaved ("a1 a2 a3", 5, "a1 a2 a3");
  check_interleaved ("a1 a2 a3 b1 b2", 1, "a1 b1 a2 b2 a3");
  check_interleaved ("a1 a2 a3 b1 b2", 2, "a1 a2 b1 a3 b2");
  check_interleaved ("a1 a2 a3 b1 b2", 3, "a1 a2 a3 b1 b2");
  check_interleaved ("a1 a2 a3 b1 b2", 9, "a1 a2 a3 b1 b2");
  check_interleaved ("b1 a1 b2 a2 c1 a3", 1, "b1 a1 c1 b2 a2 a3");
  check_interleaved ("a1 b1 b2 b3", 1, "a1 b1 b2 b3");
  check_interleaved ("a1 b1 b2 b3", 2, "a1 b1 b2 b3");
}
END_TEST

/* With two families there is a turn for the second before the last of the first. */
static void
check_order (double delay, int interleave, const char *winner)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  g_autofree char *address = NULL;

  tcp_skip_unless (tcp_has_ipv6 (), "this machine has no ::1");
  fake_resolver_add ("several.test", "127.0.0.2 127.0.0.1 ::1");
  tcp_raw_listen (&tcp, "127.0.0.1", 5, &tcp.port);
  tcp_raw_listen (&tcp, "::1", 5, &tcp.port);
  loop_connection_options_set_happy_eyeballs_delay (options, delay);
  loop_connection_options_set_interleave (options, interleave);
  tcp_add_client (&tcp);
  future =
      loop_event_loop_create_connection (tcp.loop, "several.test", tcp.port, options, tcp_client_factory, &tcp, NULL);
  transport = tcp_take_transport (&tcp, future);
  address = get_peer_address (transport);
  ck_assert_str_eq (address, winner);
}

START_TEST (test_default_order) { check_order (-1.0, -1, "127.0.0.1"); }
END_TEST

START_TEST (test_default_order_of_race) { check_order (NEVER, -1, "::1"); }
END_TEST

START_TEST (test_order_interleaved) { check_order (-1.0, 1, "::1"); }
END_TEST

START_TEST (test_order_of_race_not_interleaved) { check_order (NEVER, 0, "127.0.0.1"); }
END_TEST

START_TEST (test_order_second_of_first_family) { check_order (NEVER, 2, "127.0.0.1"); }
END_TEST

LOOP_TEST_MAIN ("happy-eyeballs",
                test_first_is_silent,
                test_without_delay,
                test_losers_are_closed_first,
                test_first_answers,
                test_first_refuses,
                test_first_answers_last,
                test_all_at_once,
                test_loop_closed,
                test_losers,
                test_errors,
                test_all_errors,
                test_all_errors_of_race,
                test_no_errors,
                test_interleave,
                test_default_order,
                test_default_order_of_race,
                test_order_interleaved,
                test_order_of_race_not_interleaved,
                test_order_second_of_first_family)
