/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sock-check.h"

#include "tcp-check.h"

#include "loop-event-loop-private.h"

#include <errno.h>

GSocket *
sock_wrap (int fd)
{
  g_autoptr (GError) error = NULL;
  GSocket *socket;

  ck_assert_int_ge (fd, 0);
  socket = g_socket_new_from_fd (fd, &error);
  ck_assert_msg (socket != NULL, "%s", error != NULL ? error->message : "");
  g_socket_set_blocking (socket, FALSE);

  return socket;
}

GSocket *
sock_new (GSocketFamily family, GSocketType type)
{
  g_autoptr (GError) error = NULL;
  GSocket *socket = g_socket_new (family, type, G_SOCKET_PROTOCOL_DEFAULT, &error);

  ck_assert_msg (socket != NULL, "%s", error != NULL ? error->message : "");
  g_socket_set_blocking (socket, FALSE);

  return socket;
}

SockPair
sock_pair_new (int type)
{
  SockPair self = { 0 };
  int fds[2];

  /* GLib makes it sooner or later, and keeps it. */
  g_main_context_default ();
  self.n_fds = tcp_count_fds ();
  self.loop = loop_event_loop_new ();
  ck_assert_int_eq (socketpair (AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
  self.a = sock_wrap (fds[0]);
  self.b = sock_wrap (fds[1]);

  return self;
}

void
sock_pair_clear (SockPair *self)
{
  ck_assert_uint_eq (sock_count_watches (self->loop), 0);
  loop_event_loop_close (self->loop);
  ck_assert_uint_eq (G_OBJECT (self->a)->ref_count, 1);
  g_clear_object (&self->a);
  g_clear_object (&self->b);
  g_assert_finalize_object (self->loop);
  tcp_assert_fds (self->n_fds);
}

GSocket *
sock_listen (void)
{
  GSocket *socket = sock_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 0);

  g_socket_set_listen_backlog (socket, 100);
  ck_assert (g_socket_bind (socket, address, TRUE, NULL));
  ck_assert (g_socket_listen (socket, NULL));

  return socket;
}

GSocket *
sock_connect (GSocket *listener)
{
  GSocket *socket = sock_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM);
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (listener, NULL);
  g_autoptr (GError) error = NULL;

  g_socket_set_blocking (socket, TRUE);
  ck_assert_msg (g_socket_connect (socket, address, NULL, &error), "%s", error != NULL ? error->message : "");
  g_socket_set_blocking (socket, FALSE);

  return socket;
}

void
sock_finish (LoopFuture *future)
{
  tcp_run_until (loop_future_get_loop (future), loop_future_done (future));
}

static void
take (LoopFuture *future, GValue *value)
{
  g_autoptr (LoopFuture) done = future;
  g_autoptr (GError) error = NULL;

  sock_finish (done);
  ck_assert_msg (loop_future_result (done, value, &error), "%s", error != NULL ? error->message : "");
}

char *
sock_take_text (LoopFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;
  GBytes *bytes;

  take (future, &value);
  bytes = g_value_get_boxed (&value);

  return g_string_free (g_string_new_len (g_bytes_get_data (bytes, NULL), (gssize) g_bytes_get_size (bytes)), FALSE);
}

gint64
sock_take_number (LoopFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;

  take (future, &value);

  return g_value_get_int64 (&value);
}

void
sock_take_nothing (LoopFuture *future)
{
  take (future, NULL);
}

GSocket *
sock_take_accepted (LoopFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;

  take (future, &value);

  return g_object_ref (loop_accept_result_get_socket (g_value_get_boxed (&value)));
}

void
sock_take_error (LoopFuture *future, GQuark domain, int code, const char *part)
{
  g_autoptr (LoopFuture) done = future;
  g_autoptr (GError) error = NULL;

  sock_finish (done);
  ck_assert (!loop_future_result (done, NULL, &error));
  ck_assert_msg (g_error_matches (error, domain, code), "%s", error->message);
  tcp_assert_contains (error->message, part);
}

void
sock_write (GSocket *socket, const char *text)
{
  ck_assert_int_eq (send (g_socket_get_fd (socket), text, strlen (text), MSG_NOSIGNAL), (gssize) strlen (text));
}

char *
sock_read (GSocket *socket)
{
  char buffer[1024];
  gssize n = recv (g_socket_get_fd (socket), buffer, sizeof buffer, MSG_DONTWAIT);

  ck_assert_msg (n >= 0, "%s", g_strerror (errno));

  return g_strndup (buffer, (gsize) n);
}

guint
sock_count_watches (LoopEventLoop *loop)
{
  return loop->poller.n_watches;
}
