/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a GSocket that cannot be made does to its descriptor. GLib calls the functions of this program. */

#define FOR_GLIB __attribute__ ((visibility ("default")))

typedef int (*GetSockName) (int fd, struct sockaddr *address, socklen_t *length);

static gboolean is_failing;
static guint n_bad_closes;

FOR_GLIB int
getsockname (int fd, struct sockaddr *address, socklen_t *length)
{
  if (is_failing)
    {
      errno = ENOBUFS;
      return -1;
    }

  return ((GetSockName) dlsym (RTLD_NEXT, "getsockname")) (fd, address, length);
}

FOR_GLIB int
close (int fd)
{
  int status = ((int (*) (int fd)) dlsym (RTLD_NEXT, "close")) (fd);

  if (status < 0 && errno == EBADF)
    n_bad_closes++;

  return status;
}

/* Closing twice would close what another thread has just opened. */
START_TEST (test_server)
{
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  guint n_fds = tcp_count_fds ();

  is_failing = TRUE;
  future = loop_event_loop_create_server (tcp.loop, hosts, 0, NULL, tcp_accept_factory, &tcp, NULL);
  error = tcp_take_error (&tcp, future);
  is_failing = FALSE;
  ck_assert_ptr_nonnull (error);
  ck_assert_uint_eq (n_bad_closes, 0);
  ck_assert_uint_eq (tcp_count_fds (), n_fds);
}
END_TEST

/* The connection lives on, without a GSocket, and its descriptor is closed once. */
START_TEST (test_transport)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  is_failing = TRUE;
  for (guint i = 0; i < 2; i++)
    {
      g_auto (GValue) value = G_VALUE_INIT;

      ck_assert (!loop_transport_get_extra_info (client->transport, "socket", &value));
    }
  is_failing = FALSE;
  loop_transport_write (client->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, client->n_bytes == 1);

  loop_transport_close (client->transport);
  tcp_run_until (tcp.loop, client->n_lost == 1 && tcp_last_accepted (&tcp)->n_lost == 1);
  ck_assert_ptr_null (client->error);
  ck_assert_uint_eq (n_bad_closes, 0);
}
END_TEST

LOOP_TEST_MAIN ("socket-wrap", test_server, test_transport)
