/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>

/* What create_server makes of addresses that the kernel refuses. The bind() of this program fails on demand. */

typedef int (*Bind) (int fd, const struct sockaddr *address, socklen_t length);

static guint n_binds;
static guint fail_from; /* the first and */
static guint fail_to;   /* the last call to fail */
static int fail_errno;

int
bind (int fd, const struct sockaddr *address, socklen_t length)
{
  n_binds++;
  if (n_binds >= fail_from && n_binds <= fail_to)
    {
      errno = fail_errno;
      return -1;
    }

  return ((Bind) dlsym (RTLD_NEXT, "bind")) (fd, address, length);
}

static void
fail_binds (guint from, guint to, int with_errno)
{
  n_binds = 0;
  fail_from = from;
  fail_to = to;
  fail_errno = with_errno;
}

static LoopFuture *
create_server (Tcp *tcp)
{
  static const char *const hosts[] = { "127.0.0.1", "127.0.0.2", NULL };

  return loop_event_loop_create_server (tcp->loop, hosts, 0, NULL, tcp_accept_factory, tcp, NULL);
}

/* The port of the first socket is taken on the second address: that one gets a port of its own. */
START_TEST (test_port_taken)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopServer) server = NULL;

  fail_binds (2, 2, EADDRINUSE);
  future = create_server (&tcp);
  server = tcp_take_server (&tcp, future);

  ck_assert_uint_eq (n_binds, 3);
  ck_assert_uint_ne (tcp_server_port (server, 0), tcp_server_port (server, 1));
  tcp_raw_connect (&tcp, tcp_server_port (server, 0));
  tcp_run_until (tcp.loop, tcp.accepted->len == 1);
}
END_TEST

/* An address that is not there, like that of IPv6 where it is switched off, is left out. */
START_TEST (test_address_missing)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopServer) server = NULL;
  g_autoptr (GPtrArray) sockets = NULL;
  g_autofree char *address = NULL;

  fail_binds (1, 1, EADDRNOTAVAIL);
  future = create_server (&tcp);
  server = tcp_take_server (&tcp, future);
  sockets = loop_server_get_sockets (server);

  address = tcp_server_address (server, 0);

  ck_assert_uint_eq (sockets->len, 1);
  ck_assert_str_eq (address, "127.0.0.2");
}
END_TEST

START_TEST (test_all_addresses_missing)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  fail_binds (1, 100, EADDRNOTAVAIL);
  future = create_server (&tcp);
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  tcp_assert_contains (error->message, "127.0.0.1, 127.0.0.2");
}
END_TEST

START_TEST (test_permission_denied)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  guint n_fds;

  n_fds = tcp_count_fds ();
  fail_binds (2, 100, EACCES);
  future = create_server (&tcp);
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
  tcp_assert_contains (error->message, "127.0.0.2");
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
}
END_TEST

LOOP_TEST_MAIN ("create-server-bind",
                test_port_taken,
                test_address_missing,
                test_all_addresses_missing,
                test_permission_denied)
