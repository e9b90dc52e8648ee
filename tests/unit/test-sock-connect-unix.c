/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sock-check.h"
#include "unix-check.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <unistd.h>

/* The queue of a unix server is full: sock_connect waits for it. What asyncio takes for a connection then is none. */

typedef struct
{
  Tcp tcp;
  UnixPlace place;
  int listener;
  GSocket *socket;
  LoopFuture *future;
} Waiting;

static Waiting
waiting_new (void)
{
  Waiting self = { .tcp = tcp_new (), .place = unix_place_new () };
  g_autoptr (GSocketAddress) address = g_unix_socket_address_new (self.place.path);

  self.listener = unix_raw_listen (&self.tcp, self.place.path, 0);
  unix_raw_connect (&self.tcp, self.place.path);
  self.socket = sock_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM);
  self.future = loop_event_loop_sock_connect (self.tcp.loop, self.socket, G_SOCKET_CONNECTABLE (address));
  tcp_run_for (self.tcp.loop, 0.01);
  ck_assert (!loop_future_done (self.future));

  return self;
}

static void
waiting_clear (Waiting *self)
{
  g_clear_object (&self->future);
  g_object_unref (self->socket);
  ck_assert_int_eq (g_unlink (self->place.path), 0);
  tcp_clear (&self->tcp);
  unix_place_clear (&self->place);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Waiting, waiting_clear)

START_TEST (test_connects)
{
  for (int is_debugged = 0; is_debugged < 2; is_debugged++)
    {
      g_auto (Waiting) self = waiting_new ();
      g_autofree char *received = NULL;
      int fd;

      loop_event_loop_set_debug (self.tcp.loop, is_debugged);
      tcp_run_for (self.tcp.loop, 0.1);
      ck_assert (!loop_future_done (self.future));
      tcp_raw_accept (&self.tcp, self.listener);
      tcp_run_until (self.tcp.loop, loop_future_done (self.future));
      ck_assert (loop_future_result (self.future, NULL, NULL));
      ck_assert (g_socket_is_connected (self.socket));

      fd = tcp_raw_accept (&self.tcp, self.listener);
      sock_write (self.socket, "hello");
      received = tcp_raw_receive (fd, 5);
      ck_assert_str_eq (received, "hello");
    }
}
END_TEST

/* Whoever drops the future still gets a connection. */
START_TEST (test_dropped)
{
  g_auto (Waiting) self = waiting_new ();

  g_clear_object (&self.future);
  tcp_run_for (self.tcp.loop, 0.01);
  tcp_raw_accept (&self.tcp, self.listener);
  tcp_run_until (self.tcp.loop, g_socket_is_connected (self.socket));
  tcp_raw_accept (&self.tcp, self.listener);
}
END_TEST

START_TEST (test_without_spinning)
{
  g_auto (Waiting) self = waiting_new ();
  guint64 n;

  tcp_run_for (self.tcp.loop, 0.2);
  n = tcp_count_iterations (self.tcp.loop);
  tcp_run_for (self.tcp.loop, 0.5);
  ck_assert_uint_le (tcp_count_iterations (self.tcp.loop) - n, 20);
}
END_TEST

START_TEST (test_cancelled)
{
  g_auto (Waiting) self = waiting_new ();

  ck_assert (loop_future_cancel (self.future));
  ck_assert (loop_future_cancelled (self.future));
  tcp_raw_accept (&self.tcp, self.listener);
  tcp_run_for (self.tcp.loop, 0.1);
  ck_assert (!g_socket_is_connected (self.socket));
}
END_TEST

/* The server goes, or the socket. */
START_TEST (test_fails)
{
  for (int is_closed_here = 0; is_closed_here < 2; is_closed_here++)
    {
      g_auto (Waiting) self = waiting_new ();
      g_autoptr (GError) error = NULL;

      if (is_closed_here)
        g_socket_close (self.socket, NULL);
      else
        tcp_raw_close (&self.tcp, self.listener);
      error = tcp_take_error (&self.tcp, self.future);
      tcp_assert_error (error, G_IO_ERROR, is_closed_here ? G_IO_ERROR_CLOSED : G_IO_ERROR_CONNECTION_REFUSED);
    }
}
END_TEST

START_TEST (test_loop_closed)
{
  for (int is_dropped = 0; is_dropped < 2; is_dropped++)
    {
      g_auto (Waiting) self = waiting_new ();

      loop_event_loop_set_debug (self.tcp.loop, TRUE);
      if (is_dropped)
        g_clear_object (&self.future);
      tcp_close_loop (&self.tcp);
      ck_assert (is_dropped || !loop_future_done (self.future));
    }
}
END_TEST

LOOP_TEST_MAIN ("sock-connect-unix",
                test_connects,
                test_dropped,
                test_without_spinning,
                test_cancelled,
                test_fails,
                test_loop_closed)
