/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * The link goes down: nothing comes any more, and nobody says so. Each test has a network of its own, whose loopback
 * interface is the link. What ends the waiting is the caller's timeout.
 */

/* Returns: whether this machine lets a test have its own network */
static gboolean
unshare_network (void)
{
  if (unshare (CLONE_NEWNET) == 0 || unshare (CLONE_NEWUSER | CLONE_NEWNET) == 0)
    return TRUE;

  g_printerr ("skipped: no network namespace is to be had: %s\n", g_strerror (errno));

  return FALSE;
}

static void
set_link (gboolean is_up)
{
  struct ifreq request = { .ifr_name = "lo" };
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  ck_assert_int_eq (ioctl (fd, SIOCGIFFLAGS, &request), 0);
  request.ifr_flags = (short) (is_up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
  ck_assert_int_eq (ioctl (fd, SIOCSIFFLAGS, &request), 0);
  close (fd);
}

START_TEST (test_while_connecting)
{
  if (!unshare_network ())
    return;

  {
    g_auto (Tcp) tcp = tcp_new ();
    g_autoptr (LoopFuture) connecting = NULL;
    g_autoptr (LoopFuture) waiting = NULL;
    g_autoptr (GError) error = NULL;
    guint n_fds;

    set_link (TRUE);
    tcp_raw_listen_full (&tcp, "127.0.0.1", &tcp.port);
    n_fds = tcp_count_fds ();
    tcp_add_client (&tcp);
    connecting =
        loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, tcp_client_factory, &tcp, NULL);
    tcp_run_for (tcp.loop, 0.02);
    ck_assert_uint_eq (tcp_count_fds (), n_fds + 1);
    set_link (FALSE);

    waiting = loop_wait_for (connecting, 0.1);
    error = tcp_take_error (&tcp, waiting);
    tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
    ck_assert (loop_future_cancelled (connecting));
    ck_assert_uint_eq (tcp_count_fds (), n_fds);
  }
}
END_TEST

static gboolean
echo (Tcp *tcp, TcpPeer *client)
{
  gsize n = client->n_bytes;
  gint64 end = g_get_monotonic_time () + G_USEC_PER_SEC / 5;

  loop_transport_write (client->transport, (const guint8 *) "x", 1);
  while (client->n_bytes == n && g_get_monotonic_time () < end)
    tcp_run_for (tcp->loop, 0.001);

  return client->n_bytes > n;
}

static void
fulfil_lost (TcpPeer *self)
{
  loop_future_set_result (self->user_data, NULL, NULL);
}

START_TEST (test_while_connected)
{
  if (!unshare_network ())
    return;

  {
    g_auto (Tcp) tcp = tcp_new ();
    g_autoptr (LoopFuture) lost = loop_event_loop_create_future (tcp.loop);
    g_autoptr (LoopFuture) waiting = NULL;
    g_autoptr (GError) error = NULL;
    TcpPeer *client;

    set_link (TRUE);
    client = tcp_connect (&tcp);
    client->lost = fulfil_lost;
    client->user_data = lost;
    tcp_last_accepted (&tcp)->is_echo = TRUE;
    ck_assert (echo (&tcp, client));

    set_link (FALSE);
    ck_assert (!echo (&tcp, client));
    waiting = loop_wait_for (lost, 0.1);
    error = tcp_take_error (&tcp, waiting);
    tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
    ck_assert_str_eq (client->events->str, "made data");

    /* What cannot be told to the peer any more ends here all the same. */
    client->lost = NULL;
    loop_transport_abort (client->transport);
    tcp_run_until (tcp.loop, client->n_lost == 1);
  }
}
END_TEST

/* The link comes back, and what was written meanwhile arrives. */
START_TEST (test_comes_back)
{
  if (!unshare_network ())
    return;

  {
    g_auto (Tcp) tcp = tcp_new ();
    TcpPeer *client;

    set_link (TRUE);
    client = tcp_connect (&tcp);
    tcp_last_accepted (&tcp)->is_echo = TRUE;
    set_link (FALSE);
    ck_assert (!echo (&tcp, client));
    set_link (TRUE);
    tcp_run_until (tcp.loop, client->n_bytes == 1);
  }
}
END_TEST

LOOP_TEST_MAIN ("link-down", test_while_connecting, test_while_connected, test_comes_back)
