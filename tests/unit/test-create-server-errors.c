/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fake-resolver.h"
#include "tcp-check.h"

#include <netdb.h>
#include <string.h>

/* create_server with arguments that cannot do. On every path the factory's data is destroyed, once. */

static const char *const localhost[] = { "127.0.0.1", NULL };
static guint n_destroyed;

static GObject *
unused_factory (gpointer user_data)
{
  ck_abort_msg ("the factory was called");
}

static void
count_destroyed (gpointer user_data)
{
  ck_assert_str_eq (user_data, "data");
  n_destroyed++;
}

static LoopFuture *
create_server (Tcp *tcp, const char *const *hosts, guint16 port, LoopServerOptions *options)
{
  n_destroyed = 0;

  return loop_event_loop_create_server (tcp->loop, hosts, port, options, unused_factory, (gpointer) "data",
                                        count_destroyed);
}

/* Returns: the error that the call failed with */
static GError *
fail_to_serve (Tcp *tcp, const char *const *hosts, guint16 port, LoopServerOptions *options)
{
  g_autoptr (LoopFuture) future = create_server (tcp, hosts, port, options);
  GError *error = tcp_take_error (tcp, future);

  tcp_run_for (tcp->loop, 0.0);
  ck_assert_uint_eq (n_destroyed, 1);

  return error;
}

START_TEST (test_data_destroyed_at_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = create_server (&tcp, localhost, 0, NULL);
  g_autoptr (LoopServer) server = tcp_take_server (&tcp, future);

  tcp_run_for (tcp.loop, 0.0);
  ck_assert_uint_eq (n_destroyed, 0);
  loop_server_close (server);
  loop_server_close (server);
  tcp_run_for (tcp.loop, 0.0);
  ck_assert_uint_eq (n_destroyed, 1);
}
END_TEST

START_TEST (test_data_destroyed_with_loop)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = create_server (&tcp, localhost, 0, NULL);
  g_autoptr (LoopServer) server = tcp_take_server (&tcp, future);

  tcp_close_loop (&tcp);
  ck_assert_uint_eq (n_destroyed, 1);
  ck_assert_ptr_null (loop_server_get_sockets (server));
  ck_assert (!loop_server_is_serving (server));
}
END_TEST

/* The server is there, but the loop has not come round to telling. */
START_TEST (test_loop_closed_before_report)
{
  g_auto (Tcp) tcp = tcp_new ();
  G_GNUC_UNUSED g_autoptr (LoopFuture) future = create_server (&tcp, localhost, 0, NULL);

  tcp_close_loop (&tcp);
  ck_assert_uint_eq (n_destroyed, 1);
}
END_TEST

START_TEST (test_closed_loop)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  tcp_close_loop (&tcp);
  future = create_server (&tcp, localhost, 0, NULL);
  ck_assert (loop_future_done (future));
  ck_assert (!loop_future_result (future, NULL, &error));
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_CLOSED);
  ck_assert_uint_eq (n_destroyed, 1);
}
END_TEST

START_TEST (test_unknown_host)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", "nonexistent.invalid", NULL };
  g_autoptr (GError) error = fail_to_serve (&tcp, hosts, 0, NULL);

  ck_assert_uint_eq (error->domain, G_RESOLVER_ERROR);
  tcp_assert_contains (error->message, "nonexistent.invalid");
}
END_TEST

START_TEST (test_resolver_codes)
{
  static const struct
  {
    int status;
    GResolverError code;
  } cases[] = {
    { EAI_NONAME, G_RESOLVER_ERROR_NOT_FOUND },
    { EAI_AGAIN, G_RESOLVER_ERROR_TEMPORARY_FAILURE },
    { EAI_FAIL, G_RESOLVER_ERROR_INTERNAL },
  };
  g_auto (Tcp) tcp = tcp_new ();

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *name = g_strdup_printf ("failing-%u.test", i);
      const char *const hosts[] = { name, NULL };
      g_autoptr (GError) error = NULL;

      fake_resolver_add_failing (name, cases[i].status);
      error = fail_to_serve (&tcp, hosts, 0, NULL);
      tcp_assert_error (error, G_RESOLVER_ERROR, (int) cases[i].code);
      tcp_assert_contains (error->message, name);
    }
}
END_TEST

START_TEST (test_long_host)
{
  static const guint lengths[] = { 255, 256, 300, 65536 };
  g_auto (Tcp) tcp = tcp_new ();
  guint n_lookups = fake_resolver_get_n_lookups ();

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      g_autofree char *name = g_strnfill (lengths[i], 'a');
      const char *const hosts[] = { name, NULL };
      g_autoptr (GError) error = fail_to_serve (&tcp, hosts, 0, NULL);

      tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      tcp_assert_contains (error->message, "aaaa");
      ck_assert_uint_lt (strlen (error->message), 200);
    }

  /* Nobody was asked, least of all about a shorter name. */
  ck_assert_uint_eq (fake_resolver_get_n_lookups (), n_lookups);
}
END_TEST

START_TEST (test_longest_host)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *name = g_strnfill (253, 'a');
  const char *const hosts[] = { name, NULL };
  g_autoptr (GError) error = NULL;

  fake_resolver_add_failing (name, EAI_NONAME);
  error = fail_to_serve (&tcp, hosts, 0, NULL);
  tcp_assert_error (error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND);
}
END_TEST

START_TEST (test_foreign_address)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "192.0.2.77", NULL };
  g_autoptr (GError) error = fail_to_serve (&tcp, hosts, 0, NULL);

  ck_assert_uint_eq (error->domain, G_IO_ERROR);
  tcp_assert_contains (error->message, "192.0.2.77");
}
END_TEST

START_TEST (test_sock_and_host)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  g_autoptr (GError) error = NULL;

  loop_server_options_set_sock (options, socket);
  error = fail_to_serve (&tcp, localhost, 0, options);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  error = fail_to_serve (&tcp, NULL, 80, options);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  ck_assert (!g_socket_is_closed (socket));
}
END_TEST

START_TEST (test_bad_sock)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GError) error = NULL;

  socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  loop_server_options_set_sock (options, socket);
  error = fail_to_serve (&tcp, NULL, 0, options);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_clear_object (&socket);

  socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
  ck_assert (g_socket_close (socket, NULL));
  loop_server_options_set_sock (options, socket);
  error = fail_to_serve (&tcp, NULL, 0, options);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
}
END_TEST

START_TEST (test_sock_in_use)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (LoopServer) server = tcp_serve (&tcp, localhost, 0, NULL);
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (server);
  g_autoptr (GError) error = NULL;

  loop_server_options_set_sock (options, g_ptr_array_index (sockets, 0));
  error = fail_to_serve (&tcp, NULL, 0, options);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE);

  tcp_raw_connect (&tcp, tcp_server_port (server, 0));
  tcp_run_until (tcp.loop, tcp.accepted->len == 1);
}
END_TEST

/* The error is there, whether or not somebody looks; if not, the loop says so. */
START_TEST (test_error_nobody_looks_at)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "nonexistent.invalid", NULL };
  g_autoptr (LoopExceptionContext) report = NULL;

  fake_resolver_add_failing (hosts[0], EAI_NONAME);
  g_object_unref (create_server (&tcp, hosts, 0, NULL));
  tcp_run_until (tcp.loop, tcp.reports->len == 1);
  report = tcp_take_report (&tcp);
  tcp_assert_error (loop_exception_context_get_exception (report), G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND);
  ck_assert_uint_eq (n_destroyed, 1);
}
END_TEST

START_TEST (test_no_factory)
{
  g_auto (Tcp) tcp = tcp_new ();

  loop_check_expect_critical ("*factory != NULL*");
  ck_assert_ptr_null (loop_event_loop_create_server (tcp.loop, localhost, 0, NULL, NULL, NULL, NULL));
}
END_TEST

LOOP_TEST_MAIN ("create-server-errors",
                test_data_destroyed_at_close,
                test_data_destroyed_with_loop,
                test_loop_closed_before_report,
                test_closed_loop,
                test_unknown_host,
                test_resolver_codes,
                test_long_host,
                test_longest_host,
                test_foreign_address,
                test_sock_and_host,
                test_bad_sock,
                test_sock_in_use,
                test_error_nobody_looks_at,
                test_no_factory)
