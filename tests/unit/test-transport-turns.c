/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * What callbacks of the loop write that are no events of the transport: it leaves with what others write in the same
 * iteration. This program's send(), sendmsg() and epoll_ctl() count.
 */

typedef ssize_t (*SendMsg) (int fd, const struct msghdr *message, int flags);
typedef ssize_t (*Send) (int fd, const void *data, size_t length, int flags);
typedef int (*EpollCtl) (int epoll_fd, int operation, int fd, struct epoll_event *event);

static guint n_calls;
static guint n_controls;

ssize_t
send (int fd, const void *data, size_t length, int flags)
{
  n_calls++;

  return ((Send) dlsym (RTLD_NEXT, "send")) (fd, data, length, flags);
}

ssize_t
sendmsg (int fd, const struct msghdr *message, int flags)
{
  n_calls++;

  return ((SendMsg) dlsym (RTLD_NEXT, "sendmsg")) (fd, message, flags);
}

int
epoll_ctl (int epoll_fd, int operation, int fd, struct epoll_event *event)
{
  n_controls++;

  return ((EpollCtl) dlsym (RTLD_NEXT, "epoll_ctl")) (epoll_fd, operation, fd, event);
}

/* A transport, the other end of its connection, and what callbacks do with it. */
typedef struct
{
  Tcp tcp;
  TcpPeer *peer;
  int fd;
  GString *log; /* a digit for each callback: how many calls there were when it began */
} Turns;

static Turns
turns_new (void)
{
  Turns self = { .tcp = tcp_new (), .log = g_string_new (NULL) };

  self.peer = tcp_raw_pair (&self.tcp, &self.fd);
  tcp_run_for (self.tcp.loop, 0.0);
  n_calls = n_controls = 0;

  return self;
}

static void
turns_clear (Turns *self)
{
  tcp_clear (&self->tcp);
  g_string_free (self->log, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Turns, turns_clear)

static void
put (Turns *self, const char *text)
{
  loop_transport_write (self->peer->transport, (const guint8 *) text, strlen (text));
}

static void
schedule (Turns *self, LoopCallback callback)
{
  loop_event_loop_call_soon (self->tcp.loop, callback, self, NULL);
}

static void
assert_received (Turns *self, const char *text)
{
  g_autofree char *received = tcp_raw_receive (self->fd, strlen (text));

  ck_assert_str_eq (received, text);
}

static void
note (gpointer data)
{
  Turns *self = data;

  g_string_append_printf (self->log, "%u", n_calls);
}

static void
write_one (gpointer data)
{
  note (data);
  put (data, "1");
}

static void
write_three (gpointer data)
{
  note (data);
  put (data, "a");
  put (data, "b");
  put (data, "c");
}

static void
stop (gpointer data)
{
  loop_event_loop_stop (((Turns *) data)->tcp.loop);
}

static void
write_one_and_stop (gpointer data)
{
  write_one (data);
  schedule (data, stop);
}

static void
write_three_and_stop (gpointer data)
{
  write_three (data);
  schedule (data, stop);
}

/* With no other callback in the iteration. */
static void
check_alone (Turns *self, LoopCallback callback, const char *text, guint wanted_calls)
{
  n_calls = 0;
  schedule (self, callback);
  loop_event_loop_run_forever (self->tcp.loop);
  assert_received (self, text);
  ck_assert_uint_eq (n_calls, wanted_calls);
}

/* Nobody waits: the first piece goes at once, and the others when the callback is over. */
START_TEST (test_alone)
{
  g_auto (Turns) turns = turns_new ();

  check_alone (&turns, write_one_and_stop, "1", 1);
  check_alone (&turns, write_three_and_stop, "abc", 2);
  /* Then it is known to write in pieces, until it does not. */
  check_alone (&turns, write_three_and_stop, "abc", 1);
  check_alone (&turns, write_one_and_stop, "1", 1);
  check_alone (&turns, write_three_and_stop, "abc", 2);
  ck_assert_uint_eq (n_controls, 0);
}
END_TEST

/* Those that wait for their turn have it first. */
START_TEST (test_with_others)
{
  g_auto (Turns) turns = turns_new ();

  schedule (&turns, write_one);
  schedule (&turns, note);
  schedule (&turns, write_three);
  schedule (&turns, note);
  tcp_run_for (turns.tcp.loop, 0.0);
  assert_received (&turns, "1abc");
  ck_assert_str_eq (turns.log->str, "0000");
  ck_assert_uint_eq (n_calls, 1);
  /* The kernel is not asked when there is room. */
  ck_assert_uint_eq (n_controls, 0);
}
END_TEST

static void
take_long (gpointer data)
{
  note (data);
  g_usleep (3000);
}

/* But not for many that take long: the clock is not read after each. */
START_TEST (test_with_slow_others)
{
  g_auto (Turns) turns = turns_new ();

  schedule (&turns, write_one);
  for (int i = 0; i < 8; i++)
    schedule (&turns, take_long);
  tcp_run_for (turns.tcp.loop, 0.0);
  assert_received (&turns, "1");
  ck_assert_msg (g_str_has_suffix (turns.log->str, "11111"), "%s", turns.log->str);
}
END_TEST

static void
write_and_pause (gpointer data)
{
  write_three (data);
  loop_transport_pause_reading (((Turns *) data)->peer->transport);
}

static void
write_and_close (gpointer data)
{
  write_three (data);
  loop_transport_close (((Turns *) data)->peer->transport);
}

static void
write_and_abort (gpointer data)
{
  write_three (data);
  loop_transport_abort (((Turns *) data)->peer->transport);
}

static void
write_and_end (gpointer data)
{
  write_three (data);
  loop_transport_write_eof (((Turns *) data)->peer->transport);
}

static void
write_and_stop (gpointer data)
{
  write_three (data);
  loop_event_loop_stop (((Turns *) data)->tcp.loop);
}

/* Whatever is done with the transport afterwards, what was written goes. */
START_TEST (test_then)
{
  static const LoopCallback callbacks[] = { write_and_pause, write_and_close, write_and_abort, write_and_end,
                                            write_and_stop };

  for (guint i = 0; i < G_N_ELEMENTS (callbacks); i++)
    {
      g_auto (Turns) turns = turns_new ();

      schedule (&turns, callbacks[i]);
      schedule (&turns, note);
      tcp_run_for (turns.tcp.loop, 0.0);
      tcp_run_for (turns.tcp.loop, 0.0);
      assert_received (&turns, "abc");
      ck_assert_str_eq (turns.log->str, callbacks[i] == write_and_abort ? "01" : "00");
      if (callbacks[i] == write_and_close || callbacks[i] == write_and_abort || callbacks[i] == write_and_end)
        ck_assert (tcp_raw_is_eof (turns.fd));
      ck_assert_uint_eq (n_calls, 1);
    }
}
END_TEST

static void
write_and_iterate (gpointer data)
{
  Turns *self = data;

  write_three (self);
  /* Whoever waits for the answer in a main loop of his own does not wait in vain. */
  g_main_context_iteration (loop_event_loop_get_context (self->tcp.loop), FALSE);
  assert_received (self, "abc");
}

START_TEST (test_nested)
{
  g_auto (Turns) turns = turns_new ();

  schedule (&turns, write_and_iterate);
  schedule (&turns, note);
  tcp_run_for (turns.tcp.loop, 0.0);
  ck_assert_str_eq (turns.log->str, "00");
}
END_TEST

#define MUCH (8 * 1024 * 1024)

static void
write_much (gpointer data)
{
  Turns *self = data;
  g_autofree guint8 *much = g_malloc0 (MUCH);

  put (self, "1");
  loop_transport_write (self->peer->transport, much, MUCH);
  put (self, "2");
  /* It does not wait: there is room for some of it, and the rest is more than the mark. */
  note (self);
  ck_assert_uint_eq (self->peer->n_paused, 1);
  ck_assert_uint_lt (loop_transport_get_write_buffer_size (self->peer->transport), MUCH);
}

START_TEST (test_much)
{
  g_auto (Turns) turns = turns_new ();
  TcpSink *sink;
  gsize length;
  g_autofree char *checksum = NULL;

  schedule (&turns, write_much);
  schedule (&turns, note);
  tcp_run_for (turns.tcp.loop, 0.0);
  ck_assert_str_ne (turns.log->str, "00");
  sink = tcp_sink_new (turns.fd);
  tcp_run_until (turns.tcp.loop, turns.peer->n_resumed == 1);
  loop_transport_close (turns.peer->transport);
  tcp_run_until (turns.tcp.loop, turns.peer->n_lost == 1);
  checksum = tcp_sink_finish (sink, &length, NULL);
  ck_assert_uint_eq (length, MUCH + 2);
}
END_TEST

/* The peer has gone: the one who is to be told is, and only once. */
START_TEST (test_peer_gone)
{
  g_auto (Turns) turns = turns_new ();

  loop_transport_pause_reading (turns.peer->transport);
  tcp_raw_reset (&turns.tcp, turns.fd);
  schedule (&turns, write_three);
  schedule (&turns, write_three);
  tcp_run_until (turns.tcp.loop, turns.peer->n_lost == 1);
  ck_assert_ptr_nonnull (turns.peer->error);
}
END_TEST

/* What was written before the loop was stopped and closed has gone. */
START_TEST (test_loop_closed)
{
  g_auto (Turns) turns = turns_new ();

  schedule (&turns, write_three);
  schedule (&turns, write_and_stop);
  tcp_run_for (turns.tcp.loop, 0.0);
  put (&turns, "outside");
  tcp_close_loop (&turns.tcp);
  assert_received (&turns, "abcabcoutside");
}
END_TEST

LOOP_TEST_MAIN ("transport-turns",
                test_alone,
                test_with_others,
                test_with_slow_others,
                test_then,
                test_nested,
                test_much,
                test_peer_gone,
                test_loop_closed)
