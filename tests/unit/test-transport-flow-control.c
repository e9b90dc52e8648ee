/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/*
 * pause_writing and resume_writing, to the byte. The socket takes as much as this program's send()
 * and sendmsg() let through.
 */

typedef ssize_t (*Send) (int fd, const void *data, size_t length, int flags);
typedef ssize_t (*SendMsg) (int fd, const struct msghdr *message, int flags);

#define UNLIMITED G_MAXSIZE

static gsize budget = UNLIMITED;

ssize_t
send (int fd, const void *data, size_t length, int flags)
{
  Send real = (Send) dlsym (RTLD_NEXT, "send");
  ssize_t n;

  if (budget == 0)
    {
      errno = EAGAIN;
      return -1;
    }

  n = real (fd, data, MIN (length, budget), flags);
  if (budget != UNLIMITED && n > 0)
    budget -= (gsize) n;

  return n;
}

ssize_t
sendmsg (int fd, const struct msghdr *message, int flags)
{
  SendMsg real = (SendMsg) dlsym (RTLD_NEXT, "sendmsg");

  for (gsize i = 0; budget != UNLIMITED && i < message->msg_iovlen; i++)
    {
      if (message->msg_iov[i].iov_len > 0)
        return send (fd, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len, flags);
    }

  return real (fd, message, flags);
}

static const guint8 zeros[256 * 1024];

typedef void (*WriteFunc) (LoopTransport *transport, gsize length);

static void
write_plain (LoopTransport *transport, gsize length)
{
  loop_transport_write (transport, zeros, length);
}

static void
write_one_bytes (LoopTransport *transport, gsize length)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (zeros, length);

  loop_transport_write_bytes (transport, bytes);
}

static void
write_lines (LoopTransport *transport, gsize length)
{
  g_autoptr (GBytes) front = g_bytes_new_static (zeros, length / 3);
  g_autoptr (GBytes) back = g_bytes_new_static (zeros, length - length / 3);
  GBytes *lines[] = { front, back };

  loop_transport_writelines (transport, lines, 2);
}

static const WriteFunc write_funcs[] = { write_plain, write_one_bytes, write_lines };

static gsize
get_size (TcpPeer *peer)
{
  return loop_transport_get_write_buffer_size (peer->transport);
}

static void
assert_limits (TcpPeer *peer, gsize wanted_low, gsize wanted_high)
{
  gsize low;
  gsize high;

  loop_transport_get_write_buffer_limits (peer->transport, &low, &high);
  ck_assert_uint_eq (low, wanted_low);
  ck_assert_uint_eq (high, wanted_high);
}

/* Lets @n bytes of the buffer go. */
static void
let_through (Tcp *tcp, TcpPeer *peer, gsize n)
{
  gsize wanted = get_size (peer) - n;

  budget = n;
  tcp_run_until (tcp->loop, get_size (peer) == wanted);
  tcp_run_for (tcp->loop, 0.002);
  ck_assert_uint_eq (get_size (peer), wanted);
}

static void
check_marks (WriteFunc write, gsize high, gsize low)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer = tcp_connect (&tcp);
  GError *error = NULL;

  ck_assert (loop_transport_set_write_buffer_limits (peer->transport, (gssize) high, (gssize) low, &error));
  assert_limits (peer, low, high);
  budget = 0;

  if (high > 0)
    write (peer->transport, high);
  ck_assert_uint_eq (get_size (peer), high);
  ck_assert_uint_eq (peer->n_paused, 0);

  write (peer->transport, 1);
  ck_assert_uint_eq (get_size (peer), high + 1);
  ck_assert_uint_eq (peer->n_paused, 1);

  /* Only once, however much there is. */
  write (peer->transport, 1000);
  ck_assert_uint_eq (peer->n_paused, 1);
  let_through (&tcp, peer, 1000);

  if (high > low)
    let_through (&tcp, peer, high - low);
  ck_assert_uint_eq (get_size (peer), low + 1);
  ck_assert_uint_eq (peer->n_resumed, 0);

  let_through (&tcp, peer, 1);
  ck_assert_uint_eq (peer->n_resumed, 1);

  /* And from the start again. */
  write (peer->transport, high - low);
  ck_assert_uint_eq (peer->n_paused, 1);
  write (peer->transport, 1);
  ck_assert_uint_eq (peer->n_paused, 2);
  budget = UNLIMITED;
  tcp_run_until (tcp.loop, peer->n_resumed == 2 && get_size (peer) == 0);
  tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_bytes == high + 1 + 1000 + high - low + 1);
}

START_TEST (test_marks)
{
  for (guint i = 0; i < G_N_ELEMENTS (write_funcs); i++)
    {
      check_marks (write_funcs[i], 1000, 100);
      check_marks (write_funcs[i], 64 * 1024, 16 * 1024);
      check_marks (write_funcs[i], 5000, 5000);
      check_marks (write_funcs[i], 5000, 0);
      check_marks (write_funcs[i], 0, 0);
    }
}
END_TEST

START_TEST (test_default_marks)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer = tcp_connect (&tcp);

  assert_limits (peer, 16 * 1024, 64 * 1024);
  budget = 0;
  write_plain (peer->transport, 64 * 1024);
  ck_assert_uint_eq (peer->n_paused, 0);
  write_plain (peer->transport, 1);
  ck_assert_uint_eq (peer->n_paused, 1);
  loop_transport_abort (peer->transport);
}
END_TEST

/* What the socket takes at once never is in the buffer. */
START_TEST (test_nothing_buffered)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer = tcp_connect (&tcp);

  ck_assert (loop_transport_set_write_buffer_limits (peer->transport, 0, 0, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (write_funcs); i++)
    write_funcs[i](peer->transport, 1000);
  ck_assert_uint_eq (get_size (peer), 0);
  ck_assert_uint_eq (peer->n_paused, 0);
}
END_TEST

START_TEST (test_set_limits)
{
  static const struct
  {
    gssize high, low;
    gsize wanted_low, wanted_high;
  } good[] = {
    { -1, -1, 16 * 1024, 64 * 1024 },
    { 1000, -1, 250, 1000 },
    { 1, -1, 0, 1 },
    { 0, -1, 0, 0 },
    { -1, 1000, 1000, 4000 },
    { -1, 0, 0, 0 },
    { 7, 7, 7, 7 },
    { G_MAXSSIZE, G_MAXSSIZE, G_MAXSSIZE, G_MAXSSIZE },
    { -1, G_MAXSSIZE, G_MAXSSIZE, G_MAXSSIZE },
  };
  static const gssize bad[][2] = {
    { 1, 2 }, { 0, 1 }, { -2, -1 }, { -1, -2 }, { -2, -2 }, { 100, -2 }, { G_MINSSIZE, G_MINSSIZE }, { G_MINSSIZE, -1 }
  };
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer = tcp_connect (&tcp);
  g_autoptr (GError) none = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      ck_assert (loop_transport_set_write_buffer_limits (peer->transport, good[i].high, good[i].low, &none));
      assert_limits (peer, good[i].wanted_low, good[i].wanted_high);
    }

  ck_assert (loop_transport_set_write_buffer_limits (peer->transport, 200, 100, &none));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      ck_assert (!loop_transport_set_write_buffer_limits (peer->transport, bad[i][0], bad[i][1], &error));
      tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      assert_limits (peer, 100, 200);
    }

  /* Either may be asked for alone. */
  loop_transport_get_write_buffer_limits (peer->transport, NULL, NULL);
}
END_TEST

/* New limits hold for what is in the buffer already. */
START_TEST (test_lower_limits)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer = tcp_connect (&tcp);

  budget = 0;
  write_plain (peer->transport, 5000);
  ck_assert_uint_eq (peer->n_paused, 0);
  ck_assert (loop_transport_set_write_buffer_limits (peer->transport, 5000, 1000, NULL));
  ck_assert_uint_eq (peer->n_paused, 0);
  ck_assert (loop_transport_set_write_buffer_limits (peer->transport, 4999, 1000, NULL));
  ck_assert_uint_eq (peer->n_paused, 1);

  /* Higher ones let it go on, no later than the next byte. */
  ck_assert (loop_transport_set_write_buffer_limits (peer->transport, 10000, 8000, NULL));
  let_through (&tcp, peer, 1);
  ck_assert_uint_eq (peer->n_resumed, 1);
  loop_transport_abort (peer->transport);
}
END_TEST

static void
write_more (TcpPeer *self)
{
  while (self->n_paused == self->n_resumed && self->tag < 2000)
    {
      self->tag++;
      write_funcs[self->tag % 3](self->transport, 10 * 1000);
      /* Over the mark by no more than the write that went over it. */
      ck_assert_uint_le (get_size (self), 64 * 1024 + 10 * 1000);
    }
  if (self->tag == 2000)
    loop_transport_close (self->transport);
}

/* A writer that heeds the calls never has more in the buffer than the mark and one write. */
START_TEST (test_bounded)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpSink *sink;
  gsize length;
  g_autofree char *checksum = NULL;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->resumed = write_more;
  write_more (peer);
  ck_assert_uint_eq (peer->n_paused, 1);
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_int_lt (peer->tag, 2000);

  sink = tcp_sink_new (fd);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  checksum = tcp_sink_finish (sink, &length, NULL);
  ck_assert_uint_eq (length, 20 * 1000 * 1000);
  ck_assert_uint_eq (peer->n_paused, peer->n_resumed);
}
END_TEST

static void
close_transport (TcpPeer *self)
{
  loop_transport_close (self->transport);
}

static void
abort_transport (TcpPeer *self)
{
  loop_transport_abort (self->transport);
}

/* The calls come from inside write() and from the loop, and may end the connection. */
START_TEST (test_end_in_pause_writing)
{
  g_auto (Tcp) tcp = tcp_new ();

  for (guint i = 0; i < 6; i++)
    {
      TcpPeer *peer = tcp_connect (&tcp);

      budget = 0;
      peer->paused = i < 3 ? close_transport : abort_transport;
      write_funcs[i % 3](peer->transport, 100 * 1000);
      ck_assert_uint_eq (peer->n_paused, 1);
      ck_assert (loop_transport_is_closing (peer->transport));
      budget = UNLIMITED;
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_lost == 1);
      ck_assert_uint_eq (tcp_last_accepted (&tcp)->n_bytes, i < 3 ? 100 * 1000 : 0);
    }
}
END_TEST

START_TEST (test_end_in_resume_writing)
{
  g_auto (Tcp) tcp = tcp_new ();

  for (guint i = 0; i < 4; i++)
    {
      TcpPeer *peer = tcp_connect (&tcp);

      budget = 0;
      peer->resumed = i < 2 ? close_transport : abort_transport;
      ck_assert (loop_transport_set_write_buffer_limits (peer->transport, 10000, i % 2 == 0 ? 0 : 5000, NULL));
      write_plain (peer->transport, 20000);
      budget = 16000;
      tcp_run_for (tcp.loop, 0.003);
      budget = UNLIMITED;
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_lost == 1);
      ck_assert_uint_eq (peer->n_resumed, 1);
      ck_assert_uint_eq (tcp_last_accepted (&tcp)->n_bytes, i == 3 ? 16000 : 20000);
    }
}
END_TEST

static void
write_from_callback (TcpPeer *self)
{
  write_plain (self->transport, 100 * 1000);
}

/* Writing from inside the calls neither recurses nor is lost. */
START_TEST (test_write_in_callbacks)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer = tcp_connect (&tcp);

  budget = 0;
  peer->paused = write_from_callback;
  write_plain (peer->transport, 100 * 1000);
  ck_assert_uint_eq (get_size (peer), 200 * 1000);
  ck_assert_uint_eq (peer->n_paused, 1);
  peer->paused = NULL;
  peer->resumed = write_from_callback;
  budget = 190 * 1000;
  tcp_run_until (tcp.loop, peer->n_resumed == 1);
  ck_assert_uint_eq (peer->n_paused, 2);
  peer->resumed = NULL;
  budget = UNLIMITED;
  tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_bytes == 300 * 1000);
  ck_assert_uint_eq (peer->n_resumed, 2);
}
END_TEST

/* A connection that is lost while it is paused is not resumed, as in asyncio. */
START_TEST (test_lost_while_paused)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer = tcp_connect (&tcp);

  budget = 0;
  write_plain (peer->transport, 100 * 1000);
  loop_transport_abort (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_uint_eq (peer->n_paused, 1);
  ck_assert_uint_eq (peer->n_resumed, 0);
}
END_TEST

/* close() while paused: the rest goes out, and the protocol hears of it. */
START_TEST (test_close_while_paused)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer = tcp_connect (&tcp);

  budget = 0;
  write_plain (peer->transport, 100 * 1000);
  loop_transport_close (peer->transport);
  budget = UNLIMITED;
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_lost == 1);
  ck_assert_uint_eq (tcp_last_accepted (&tcp)->n_bytes, 100 * 1000);
  ck_assert_uint_eq (peer->n_resumed, 1);
}
END_TEST

LOOP_TEST_MAIN ("transport-flow-control",
                test_marks,
                test_default_marks,
                test_nothing_buffered,
                test_set_limits,
                test_lower_limits,
                test_bounded,
                test_end_in_pause_writing,
                test_end_in_resume_writing,
                test_write_in_callbacks,
                test_lost_while_paused,
                test_close_while_paused)
