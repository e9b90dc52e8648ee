/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include <libloop/loop.h>
#include <math.h>
#include <netdb.h>
#include <sys/socket.h>

/* LoopServerOptions and LoopConnectionOptions: asyncio's names and defaults, as properties. */

static guint n_notified;

static void
count_notified (GObject *object, GParamSpec *pspec, gpointer name)
{
  ck_assert_str_eq (pspec->name, name);
  n_notified++;
}

/* Sets a property to the value it has, and then to another. */
static void
check_notify (gpointer object, const char *name, const GValue *other)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) found = G_VALUE_INIT;
  gulong id = g_signal_connect (object, "notify", G_CALLBACK (count_notified), (gpointer) name);

  n_notified = 0;
  g_value_init (&value, G_VALUE_TYPE (other));
  g_object_get_property (object, name, &value);
  g_object_set_property (object, name, &value);
  ck_assert_uint_eq (n_notified, 0);
  g_object_set_property (object, name, other);
  ck_assert_uint_eq (n_notified, 1);
  g_object_set_property (object, name, other);
  ck_assert_uint_eq (n_notified, 1);

  g_value_init (&found, G_VALUE_TYPE (other));
  g_object_get_property (object, name, &found);
  ck_assert_int_eq (
      g_param_values_cmp (g_object_class_find_property (G_OBJECT_GET_CLASS (object), name), &found, other), 0);
  g_signal_handler_disconnect (object, id);
}

static void
check_int (gpointer object, const char *name, int other)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  g_value_set_int (&value, other);
  check_notify (object, name, &value);
}

static void
check_boolean (gpointer object, const char *name, gboolean other)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_BOOLEAN);
  g_value_set_boolean (&value, other);
  check_notify (object, name, &value);
}

static void
check_double (gpointer object, const char *name, double other)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_DOUBLE);
  g_value_set_double (&value, other);
  check_notify (object, name, &value);
}

static void
check_object (gpointer object, const char *name, gpointer other)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_OBJECT_TYPE (other));
  g_value_set_object (&value, other);
  check_notify (object, name, &value);
}

START_TEST (test_server_defaults)
{
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();

  ck_assert_int_eq (loop_server_options_get_family (options), AF_UNSPEC);
  ck_assert_int_eq (loop_server_options_get_flags (options), AI_PASSIVE);
  ck_assert_ptr_null (loop_server_options_get_sock (options));
  ck_assert_int_eq (loop_server_options_get_backlog (options), 100);
  ck_assert (loop_server_options_get_reuse_address (options));
  ck_assert (!loop_server_options_get_reuse_port (options));
  ck_assert (loop_server_options_get_start_serving (options));
  ck_assert (!loop_server_options_get_keep_alive (options));
  ck_assert (loop_server_options_get_cleanup_socket (options));
}
END_TEST

START_TEST (test_server_properties)
{
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();
  g_autoptr (GSocket) sock = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);

  check_int (options, "family", AF_INET6);
  check_int (options, "flags", AI_NUMERICHOST);
  check_int (options, "backlog", 7);
  check_boolean (options, "reuse-address", FALSE);
  check_boolean (options, "reuse-port", TRUE);
  check_boolean (options, "start-serving", FALSE);
  check_boolean (options, "keep-alive", TRUE);
  check_boolean (options, "cleanup-socket", FALSE);
  check_object (options, "sock", sock);

  ck_assert_int_eq (loop_server_options_get_family (options), AF_INET6);
  ck_assert_int_eq (loop_server_options_get_flags (options), AI_NUMERICHOST);
  ck_assert_int_eq (loop_server_options_get_backlog (options), 7);
  ck_assert (!loop_server_options_get_reuse_address (options));
  ck_assert (loop_server_options_get_reuse_port (options));
  ck_assert (!loop_server_options_get_start_serving (options));
  ck_assert (loop_server_options_get_keep_alive (options));
  ck_assert (!loop_server_options_get_cleanup_socket (options));
  ck_assert_ptr_eq (loop_server_options_get_sock (options), sock);
  loop_server_options_set_sock (options, NULL);
  ck_assert_ptr_null (loop_server_options_get_sock (options));
}
END_TEST

/* Any true value is TRUE. */
START_TEST (test_booleans)
{
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();

  loop_server_options_set_reuse_port (options, 42);
  ck_assert_int_eq (loop_server_options_get_reuse_port (options), TRUE);
  loop_server_options_set_reuse_address (options, 42);
  ck_assert_int_eq (loop_server_options_get_reuse_address (options), TRUE);
  loop_server_options_set_start_serving (options, 42);
  ck_assert_int_eq (loop_server_options_get_start_serving (options), TRUE);
  loop_server_options_set_keep_alive (options, 42);
  ck_assert_int_eq (loop_server_options_get_keep_alive (options), TRUE);
  loop_server_options_set_cleanup_socket (options, 42);
  ck_assert_int_eq (loop_server_options_get_cleanup_socket (options), TRUE);
}
END_TEST

START_TEST (test_bad_backlog)
{
  g_autoptr (LoopServerOptions) options = loop_server_options_new ();

  loop_check_expect_critical ("*backlog >= 0*");
  loop_server_options_set_backlog (options, -1);
  ck_assert_int_eq (loop_server_options_get_backlog (options), 100);
}
END_TEST

START_TEST (test_connection_defaults)
{
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();

  ck_assert_int_eq (loop_connection_options_get_family (options), AF_UNSPEC);
  ck_assert_int_eq (loop_connection_options_get_proto (options), 0);
  ck_assert_int_eq (loop_connection_options_get_flags (options), 0);
  ck_assert_ptr_null (loop_connection_options_get_sock (options));
  ck_assert_ptr_null (loop_connection_options_get_local_addr (options));
  ck_assert_double_lt (loop_connection_options_get_happy_eyeballs_delay (options), 0.0);
  ck_assert_int_lt (loop_connection_options_get_interleave (options), 0);
  ck_assert (!loop_connection_options_get_all_errors (options));
}
END_TEST

START_TEST (test_bad_delay)
{
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();

  loop_check_expect_critical ("*happy_eyeballs_delay*");
  loop_connection_options_set_happy_eyeballs_delay (options, NAN);
  ck_assert_double_lt (loop_connection_options_get_happy_eyeballs_delay (options), 0.0);
}
END_TEST

START_TEST (test_connection_properties)
{
  g_autoptr (LoopConnectionOptions) options = loop_connection_options_new ();
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 80);
  g_autoptr (GSocket) sock = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);

  check_int (options, "family", AF_INET);
  check_int (options, "proto", IPPROTO_TCP);
  check_int (options, "flags", AI_NUMERICHOST);
  check_object (options, "sock", sock);
  check_object (options, "local-addr", address);
  check_double (options, "happy-eyeballs-delay", 0.25);
  check_int (options, "interleave", 2);
  check_boolean (options, "all-errors", TRUE);

  ck_assert_int_eq (loop_connection_options_get_family (options), AF_INET);
  ck_assert_int_eq (loop_connection_options_get_proto (options), IPPROTO_TCP);
  ck_assert_int_eq (loop_connection_options_get_flags (options), AI_NUMERICHOST);
  ck_assert_ptr_eq (loop_connection_options_get_sock (options), sock);
  ck_assert_ptr_eq (loop_connection_options_get_local_addr (options), address);
  ck_assert_double_eq (loop_connection_options_get_happy_eyeballs_delay (options), 0.25);
  ck_assert_int_eq (loop_connection_options_get_interleave (options), 2);
  ck_assert_int_eq (loop_connection_options_get_all_errors (options), TRUE);
  loop_connection_options_set_sock (options, NULL);
  loop_connection_options_set_local_addr (options, NULL);
  ck_assert_ptr_null (loop_connection_options_get_sock (options));
  ck_assert_ptr_null (loop_connection_options_get_local_addr (options));
}
END_TEST

LOOP_TEST_MAIN ("tcp-options",
                test_server_defaults,
                test_server_properties,
                test_booleans,
                test_bad_backlog,
                test_connection_defaults,
                test_bad_delay,
                test_connection_properties)
