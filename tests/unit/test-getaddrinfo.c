/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fake-resolver.h"
#include "sock-check.h"
#include "tcp-check.h"

#include "loop-address-info.h"

#include <net/if.h>
#include <netdb.h>

/* What getaddrinfo and getnameinfo answer. */

static GPtrArray *
take_addresses (LoopFuture *future)
{
  g_autoptr (LoopFuture) done = future;
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  sock_finish (done);
  ck_assert_msg (loop_future_result (done, &value, &error), "%s", error != NULL ? error->message : "");

  return g_ptr_array_ref (loop_address_info_result_get_addresses (g_value_get_boxed (&value)));
}

static char *
describe (LoopAddressInfo *info)
{
  g_autoptr (GSocketAddress) address = loop_address_info_get_address (info);
  g_autofree char *text = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));

  return g_strdup_printf ("%d %d %d %s", loop_address_info_get_family (info), loop_address_info_get_socktype (info),
                          loop_address_info_get_proto (info), text);
}

static void
check_one (LoopFuture *future, int family, int type, int proto, const char *address)
{
  g_autoptr (GPtrArray) addresses = take_addresses (future);
  g_autofree char *text = NULL;
  g_autofree char *expected = g_strdup_printf ("%d %d %d %s", family, type, proto, address);

  ck_assert_uint_eq (addresses->len, 1);
  text = describe (addresses->pdata[0]);
  ck_assert_str_eq (text, expected);
}

/* They are known at once, and no thread is asked. */
START_TEST (test_numbers)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *future = loop_event_loop_getaddrinfo (loop, "127.0.0.2", 80, AF_UNSPEC, SOCK_STREAM, 0, 0);

  ck_assert (loop_future_done (future));
  check_one (future, AF_INET, SOCK_STREAM, IPPROTO_TCP, "127.0.0.2:80");
  check_one (loop_event_loop_getaddrinfo (loop, "::1", 443, AF_INET6, SOCK_DGRAM, 0, 0), AF_INET6, SOCK_DGRAM,
             IPPROTO_UDP, "[::1]:443");
  check_one (loop_event_loop_getaddrinfo (loop, NULL, 7, AF_INET, SOCK_STREAM, 0, 0), AF_INET, SOCK_STREAM, IPPROTO_TCP,
             "127.0.0.1:7");
  check_one (loop_event_loop_getaddrinfo (loop, NULL, 7, AF_INET, SOCK_STREAM, 0, AI_PASSIVE), AF_INET, SOCK_STREAM,
             IPPROTO_TCP, "0.0.0.0:7");
  check_one (loop_event_loop_getaddrinfo_service (loop, "127.0.0.1", "8080", 0, SOCK_STREAM, 0, 0), AF_INET,
             SOCK_STREAM, IPPROTO_TCP, "127.0.0.1:8080");
  check_one (loop_event_loop_getaddrinfo_service (loop, "127.0.0.1", NULL, 0, SOCK_STREAM, 0, 0), AF_INET, SOCK_STREAM,
             IPPROTO_TCP, "127.0.0.1");
  ck_assert_uint_eq (fake_resolver_get_n_lookups (), 0);
}
END_TEST

/* One for each type of sockets, when none is asked for. */
START_TEST (test_all_types)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GPtrArray) addresses = take_addresses (loop_event_loop_getaddrinfo (loop, "127.0.0.1", 1, 0, 0, 0, 0));

  ck_assert_uint_eq (addresses->len, 3);
  ck_assert_int_eq (loop_address_info_get_socktype (addresses->pdata[0]), SOCK_STREAM);
  ck_assert_int_eq (loop_address_info_get_socktype (addresses->pdata[1]), SOCK_DGRAM);
  ck_assert_int_eq (loop_address_info_get_socktype (addresses->pdata[2]), SOCK_RAW);
}
END_TEST

START_TEST (test_scope)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  guint index = if_nametoindex ("lo");
  g_autoptr (GPtrArray) addresses = NULL;
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (LoopFuture) future = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  tcp_skip_unless (index != 0, "there is no interface “lo”");
  addresses = take_addresses (loop_event_loop_getaddrinfo (loop, "fe80::1%lo", 80, 0, SOCK_STREAM, 0, 0));
  address = loop_address_info_get_address (addresses->pdata[0]);
  ck_assert_uint_eq (g_inet_socket_address_get_scope_id (G_INET_SOCKET_ADDRESS (address)), index);

  /* And back. */
  future = loop_event_loop_getnameinfo (loop, address, NI_NUMERICHOST | NI_NUMERICSERV);
  ck_assert (loop_future_result (future, &value, NULL));
  ck_assert_str_eq (loop_name_info_result_get_host (g_value_get_boxed (&value)), "fe80::1%lo");
  ck_assert_str_eq (loop_name_info_result_get_service (g_value_get_boxed (&value)), "80");
}
END_TEST

START_TEST (test_names)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GPtrArray) addresses = NULL;
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  LoopFuture *future;

  fake_resolver_add ("several.test", "::1 127.0.0.9");
  future = loop_event_loop_getaddrinfo (loop, "several.test", 80, 0, SOCK_STREAM, 0, 0);
  ck_assert (!loop_future_done (future));
  addresses = take_addresses (future);
  ck_assert_uint_eq (addresses->len, 2);
  first = describe (addresses->pdata[0]);
  second = describe (addresses->pdata[1]);
  ck_assert_str_eq (first, "10 1 6 [::1]:80");
  ck_assert_str_eq (second, "2 1 6 127.0.0.9:80");

  /* The DNS knows it by another name. */
  fake_resolver_add ("xn--bcher-kva.test", "127.0.0.3");
  check_one (loop_event_loop_getaddrinfo (loop, "bücher.test", 80, 0, SOCK_STREAM, 0, 0), AF_INET, SOCK_STREAM,
             IPPROTO_TCP, "127.0.0.3:80");
}
END_TEST

/* The system knows them, in /etc/services. */
START_TEST (test_services)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GPtrArray) addresses G_GNUC_UNUSED = NULL;

  tcp_skip_unless (getservbyname ("https", "tcp") != NULL, "the service “https” is not known");
  check_one (loop_event_loop_getaddrinfo_service (loop, "127.0.0.1", "https", 0, SOCK_STREAM, 0, 0), AF_INET,
             SOCK_STREAM, IPPROTO_TCP, "127.0.0.1:443");
  check_one (loop_event_loop_getaddrinfo_service (loop, NULL, "https", AF_INET, SOCK_STREAM, 0, 0), AF_INET,
             SOCK_STREAM, IPPROTO_TCP, "127.0.0.1:443");
}
END_TEST

START_TEST (test_canonname)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GPtrArray) plain = take_addresses (loop_event_loop_getaddrinfo (loop, "127.0.0.1", 1, 0, 1, 0, 0));
  g_autoptr (GPtrArray) named =
      take_addresses (loop_event_loop_getaddrinfo (loop, "127.0.0.1", 1, 0, 1, 0, AI_CANONNAME));
  g_autoptr (LoopAddressInfo) kept = loop_address_info_ref (named->pdata[0]);

  ck_assert_ptr_null (loop_address_info_get_canonname (plain->pdata[0]));
  ck_assert_str_eq (loop_address_info_get_canonname (kept), "127.0.0.1");
}
END_TEST

/* C27, fault 22: what is longer than a name can be is no other name. */
START_TEST (test_too_long)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  const guint lengths[] = { 255, 256, 257, 64 * 1024, 1024 * 1024 };

  /* If it were cut, it would be found. */
  for (guint length = 250; length < 258; length++)
    {
      g_autofree char *name = g_strnfill (length, 'a');

      fake_resolver_add (name, "127.0.0.1");
    }

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      g_autofree char *name = g_strnfill (lengths[i], 'a');
      g_autofree char *umlauts = g_malloc0 (2 * lengths[i] + 1);
      LoopFuture *future = loop_event_loop_getaddrinfo (loop, name, 80, 0, SOCK_STREAM, 0, 0);

      for (guint j = 0; j < lengths[i]; j++)
        memcpy (umlauts + 2 * j, "ü", 2);
      ck_assert (loop_future_done (future));
      sock_take_error (future, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "aaaa…” is longer than 254 bytes");
      sock_take_error (loop_event_loop_getaddrinfo (loop, umlauts, 80, 0, SOCK_STREAM, 0, 0), G_IO_ERROR,
                       G_IO_ERROR_INVALID_ARGUMENT, "longer");
      sock_take_error (loop_event_loop_getaddrinfo_service (loop, "127.0.0.1", name, 0, SOCK_STREAM, 0, 0), G_IO_ERROR,
                       G_IO_ERROR_INVALID_ARGUMENT, "service name");
    }
  ck_assert_uint_eq (fake_resolver_get_n_lookups (), 0);
}
END_TEST

START_TEST (test_errors)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) closed = loop_event_loop_new ();
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 80);

  fake_resolver_add_failing ("none.test", EAI_NONAME);
  fake_resolver_add_failing ("busy.test", EAI_AGAIN);
  sock_take_error (loop_event_loop_getaddrinfo (loop, "none.test", 80, 0, 0, 0, 0), G_RESOLVER_ERROR,
                   G_RESOLVER_ERROR_NOT_FOUND, "none.test");
  sock_take_error (loop_event_loop_getaddrinfo (loop, "busy.test", 80, 0, 0, 0, 0), G_RESOLVER_ERROR,
                   G_RESOLVER_ERROR_TEMPORARY_FAILURE, "busy.test");
  sock_take_error (loop_event_loop_getaddrinfo (loop, "127.0.0.1", 80, AF_INET6, 0, 0, AI_NUMERICHOST),
                   G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "127.0.0.1");
  sock_take_error (loop_event_loop_getaddrinfo_service (loop, NULL, NULL, 0, 0, 0, 0), G_RESOLVER_ERROR,
                   G_RESOLVER_ERROR_NOT_FOUND, "");
  sock_take_error (loop_event_loop_getaddrinfo_service (loop, "127.0.0.1", "no-such-service", 0, SOCK_STREAM, 0, 0),
                   G_RESOLVER_ERROR, G_RESOLVER_ERROR_INTERNAL, "127.0.0.1");
  sock_take_error (loop_event_loop_getnameinfo (loop, address, 1 << 20), G_RESOLVER_ERROR, G_RESOLVER_ERROR_INTERNAL,
                   "127.0.0.1:80");
  sock_take_error (loop_event_loop_getnameinfo (loop, address, NI_NUMERICHOST | NI_NUMERICSERV | 1 << 20),
                   G_RESOLVER_ERROR, G_RESOLVER_ERROR_INTERNAL, "127.0.0.1:80");

  loop_event_loop_close (closed);
  sock_take_error (loop_event_loop_getaddrinfo (closed, "127.0.0.1", 80, 0, 0, 0, 0), LOOP_ERROR, LOOP_ERROR_CLOSED,
                   "closed");
  sock_take_error (loop_event_loop_getnameinfo (closed, address, 0), LOOP_ERROR, LOOP_ERROR_CLOSED, "closed");
}
END_TEST

static void
check_names (LoopFuture *future, const char *host, const char *service)
{
  g_autoptr (LoopFuture) done = future;
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  g_autoptr (LoopNameInfoResult) names = NULL;

  sock_finish (done);
  ck_assert_msg (loop_future_result (done, &value, &error), "%s", error != NULL ? error->message : "");
  names = loop_name_info_result_ref (g_value_get_boxed (&value));
  ck_assert_str_eq (loop_name_info_result_get_host (names), host);
  ck_assert_str_eq (loop_name_info_result_get_service (names), service);
}

START_TEST (test_getnameinfo)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 80);
  LoopFuture *future = loop_event_loop_getnameinfo (loop, address, NI_NUMERICHOST | NI_NUMERICSERV);

  ck_assert (loop_future_done (future));
  check_names (future, "127.0.0.1", "80");

  future = loop_event_loop_getnameinfo (loop, address, NI_NUMERICHOST);
  ck_assert (!loop_future_done (future));
  tcp_skip_unless (getservbyport (htons (80), "tcp") != NULL, "the port 80 has no name");
  check_names (future, "127.0.0.1", "http");
}
END_TEST

LOOP_TEST_MAIN ("getaddrinfo",
                test_numbers,
                test_all_types,
                test_scope,
                test_names,
                test_services,
                test_canonname,
                test_too_long,
                test_errors,
                test_getnameinfo)
