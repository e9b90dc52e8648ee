/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

/* Errors that accept(2) knows. The accept4() of this program returns them on demand. */

typedef int (*Accept4) (int fd, struct sockaddr *address, socklen_t *length, int flags);

static int fail_errno;
static int n_failures; /* how often still; -1 for ever */
static guint n_calls;

int
accept4 (int fd, struct sockaddr *address, socklen_t *length, int flags)
{
  n_calls++;
  if (n_failures != 0)
    {
      if (n_failures > 0)
        n_failures--;
      errno = fail_errno;
      return -1;
    }

  return ((Accept4) dlsym (RTLD_NEXT, "accept4")) (fd, address, length, flags);
}

static void
fail_accepts (int with_errno, int n)
{
  fail_errno = with_errno;
  n_failures = n;
  n_calls = 0;
}

/* What went wrong with one connection is nothing to others, and not worth a word. */
START_TEST (test_error_of_a_connection)
{
  static const int errors[] = { EINTR,        ECONNABORTED, EPROTO,     ENETDOWN,    ENOPROTOOPT, EHOSTDOWN,
                                EHOSTUNREACH, ENONET,       EOPNOTSUPP, ENETUNREACH, EPERM };
  g_auto (Tcp) tcp = tcp_new ();

  tcp_connect (&tcp);
  for (guint i = 0; i < G_N_ELEMENTS (errors); i++)
    {
      guint n_accepted = tcp.accepted->len;

      fail_accepts (errors[i], 3);
      tcp_raw_connect (&tcp, tcp.port);
      tcp_run_until (tcp.loop, tcp.accepted->len == n_accepted + 1);
      ck_assert_int_eq (n_failures, 0);
    }
}
END_TEST

/* Readiness that turns out not to be any: the kernel has dropped the connection meanwhile. */
START_TEST (test_nothing_there)
{
  g_auto (Tcp) tcp = tcp_new ();

  tcp_connect (&tcp);
  fail_accepts (EAGAIN, 2);
  tcp_raw_connect (&tcp, tcp.port);
  tcp_run_until (tcp.loop, tcp.accepted->len == 2);
}
END_TEST

/* Out of something that the whole process or machine shares: once a quarter second, until it is over. */
START_TEST (test_out_of_resources)
{
  static const int errors[] = { ENFILE, ENOBUFS, ENOMEM };
  g_auto (Tcp) tcp = tcp_new ();

  tcp_connect (&tcp);
  for (guint i = 0; i < G_N_ELEMENTS (errors); i++)
    {
      g_autoptr (LoopExceptionContext) report = NULL;

      fail_accepts (errors[i], -1);
      tcp_raw_connect (&tcp, tcp.port);
      tcp_run_for (tcp.loop, 0.3);
      ck_assert_uint_ge (n_calls, 1);
      ck_assert_uint_le (n_calls, 6);
      ck_assert_uint_eq (tcp.accepted->len, i + 1);
      ck_assert_uint_eq (tcp.reports->len, 1);
      report = tcp_take_report (&tcp);

      fail_accepts (0, 0);
      tcp_run_until (tcp.loop, tcp.accepted->len == i + 2);
      ck_assert_uint_eq (tcp.reports->len, 0);
    }
}
END_TEST

/* Something that nobody has thought of does not make it spin either. */
START_TEST (test_unknown_error)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopExceptionContext) report = NULL;

  tcp_connect (&tcp);
  fail_accepts (EDOM, -1);
  tcp_raw_connect (&tcp, tcp.port);
  tcp_run_for (tcp.loop, 0.3);
  ck_assert_uint_le (n_calls, 6);
  report = tcp_take_report (&tcp);
  ck_assert_uint_eq (tcp.reports->len, 0);
}
END_TEST

/* An endless row of connections that break off leaves time for the rest of the loop. */
START_TEST (test_endless_errors)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  fail_accepts (ECONNABORTED, -1);
  tcp_raw_connect (&tcp, tcp.port);
  loop_transport_write (client->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, client->n_bytes == 1);
  fail_accepts (0, 0);
  tcp_run_until (tcp.loop, tcp.accepted->len == 2);
}
END_TEST

LOOP_TEST_MAIN ("server-accept-errors",
                test_error_of_a_connection,
                test_nothing_there,
                test_out_of_resources,
                test_unknown_error,
                test_endless_errors)
