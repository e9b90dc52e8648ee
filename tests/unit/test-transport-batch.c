/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

/*
 * Many answers to what came at once: they go with few system calls, in order, and before anybody could wait for them.
 * The send() and sendmsg() of this program count.
 */

#define N_MESSAGES 16

typedef ssize_t (*Send) (int fd, const void *data, size_t length, int flags);
typedef ssize_t (*SendMsg) (int fd, const struct msghdr *message, int flags);

static guint n_sends;
static int failing_errno;

static gboolean
counts (void)
{
  n_sends++;
  errno = failing_errno;

  return failing_errno == 0;
}

ssize_t
send (int fd, const void *data, size_t length, int flags)
{
  return counts () ? ((Send) dlsym (RTLD_NEXT, "send")) (fd, data, length, flags) : -1;
}

ssize_t
sendmsg (int fd, const struct msghdr *message, int flags)
{
  return counts () ? ((SendMsg) dlsym (RTLD_NEXT, "sendmsg")) (fd, message, flags) : -1;
}

/* An answer of two bytes to each one. */
static void
answer_each (TcpPeer *self, const guint8 *data, gsize length)
{
  for (gsize i = 0; i < length; i++)
    loop_transport_write (self->transport, (const guint8[]) { data[i], '.' }, 2);
}

static void
check_answers (Tcp *tcp, TcpPeer *peer, int fd, const char *questions, guint max_sends)
{
  gsize length = strlen (questions);
  g_autofree char *answers = NULL;
  guint before;

  /* The question is none of those that are counted. */
  tcp_raw_send (fd, questions);
  before = n_sends;
  tcp_run_until (tcp->loop, n_sends > before);
  answers = tcp_raw_receive (fd, 2 * length);
  ck_assert_uint_le (n_sends - before, max_sends);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 0);
  for (gsize i = 0; i < length; i++)
    {
      ck_assert_int_eq (answers[2 * i], questions[i]);
      ck_assert_int_eq (answers[2 * i + 1], '.');
    }
}

/* The first time nobody knows that there will be more; a single answer goes at once again. */
START_TEST (test_few_calls)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->data = answer_each;
  check_answers (&tcp, peer, fd, "0123456789abcdef", 2);
  check_answers (&tcp, peer, fd, "0123456789abcdef", 1);
  check_answers (&tcp, peer, fd, "x", 1);
  check_answers (&tcp, peer, fd, "y", 1);
  check_answers (&tcp, peer, fd, "0123456789abcdef", 2);
  ck_assert_uint_eq (peer->n_paused, 0);
}
END_TEST

static void
answer_and_look (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_write (self->transport, data, length);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (self->transport), 0);
}

/* A first answer does not wait for the end of the call. */
START_TEST (test_first_at_once)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->data = answer_and_look;
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *answer = NULL;

      tcp_raw_send (fd, "ping");
      tcp_run_until (tcp.loop, peer->n_bytes == 4 * (i + 1));
      answer = tcp_raw_receive (fd, 4);
      ck_assert_str_eq (answer, "ping");
    }
}
END_TEST

/* Whoever waits in there for what the peer says to the answers. */
static void
answer_and_wait (TcpPeer *self, const guint8 *data, gsize length)
{
  TcpPeer *other = self->user_data;

  if (self->n_data > 2)
    return;

  answer_each (self, data, length);
  while (other->n_bytes < 2 * self->n_bytes)
    g_main_context_iteration (NULL, TRUE);
}

START_TEST (test_main_loop_inside)
{
  g_auto (Tcp) tcp = tcp_new_for_context (g_main_context_default ());
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *peer = tcp_last_accepted (&tcp);

  peer->data = answer_and_wait;
  peer->user_data = client;
  for (guint i = 1; i <= 2; i++)
    {
      loop_transport_write (client->transport, (const guint8 *) "abcd", 4);
      tcp_run_until (tcp.loop, client->n_bytes == 8 * i);
    }
  tcp_assert_received (client, "a.b.c.d.a.b.c.d.");
}
END_TEST

static void
answer_and_close (TcpPeer *self, const guint8 *data, gsize length)
{
  answer_each (self, data, length);
  loop_transport_close (self->transport);
}

static void
answer_and_end (TcpPeer *self, const guint8 *data, gsize length)
{
  answer_each (self, data, length);
  loop_transport_write_eof (self->transport);
}

START_TEST (test_last_answers)
{
  for (int i = 0; i < 2; i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autofree char *answer = NULL;
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

      peer->data = i == 0 ? answer_and_close : answer_and_end;
      tcp_raw_send (fd, "abc");
      tcp_run_until (tcp.loop, i == 0 ? peer->n_lost == 1 : peer->n_bytes == 3);
      answer = tcp_raw_receive (fd, 100);
      ck_assert_str_eq (answer, "a.b.c.");
      ck_assert_uint_eq (peer->n_lost, i == 0);
    }
}
END_TEST

/* All that is written in there, in pieces, comes to a megabyte: it does not pile up while it is taken. */
static void
answer_at_length (TcpPeer *self, const guint8 *data, gsize length)
{
  static const guint8 piece[1000];
  gsize *max_size = self->user_data;

  for (int i = 0; i < 200; i++)
    {
      loop_transport_write (self->transport, piece, sizeof piece);
      *max_size = MAX (*max_size, loop_transport_get_write_buffer_size (self->transport));
    }
}

START_TEST (test_no_heap)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *answer = NULL;
  gsize max_size = 0;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->data = answer_at_length;
  peer->user_data = &max_size;
  tcp_raw_send (fd, "x");
  tcp_run_until (tcp.loop, peer->n_bytes == 1);
  answer = tcp_raw_receive (fd, 200 * 1000);
  ck_assert_uint_gt (max_size, 1000);
  ck_assert_uint_le (max_size, 33 * 1024);
  ck_assert_uint_eq (peer->n_paused, 0);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 0);
}
END_TEST

/* Who wants to hear of each byte that waits hears of those alone that the peer does not take. */
START_TEST (test_water_marks)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->data = answer_each;
  ck_assert (loop_transport_set_write_buffer_limits (peer->transport, 0, 0, NULL));
  check_answers (&tcp, peer, fd, "0123456789abcdef", N_MESSAGES);
  check_answers (&tcp, peer, fd, "0123456789abcdef", N_MESSAGES);
  ck_assert_uint_eq (peer->n_paused, 0);
}
END_TEST

START_TEST (test_failure)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->data = answer_each;
  check_answers (&tcp, peer, fd, "0123", 2);
  tcp_raw_send (fd, "4567");
  failing_errno = ENOBUFS;
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  failing_errno = 0;
  tcp_assert_contains (peer->error->message, g_strerror (ENOBUFS));
  ck_assert_str_eq (peer->events->str, "made data lost");
}
END_TEST

/* What is written before the call to abort() that nobody waits for is lost, as all that is buffered. */
static void
answer_and_abort (TcpPeer *self, const guint8 *data, gsize length)
{
  answer_each (self, data, length);
  loop_transport_abort (self->transport);
}

START_TEST (test_abort)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->data = answer_and_abort;
  tcp_raw_send (fd, "abc");
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_ptr_null (peer->error);
}
END_TEST

LOOP_TEST_MAIN ("transport-batch",
                test_few_calls,
                test_first_at_once,
                test_main_loop_inside,
                test_last_answers,
                test_no_heap,
                test_water_marks,
                test_failure,
                test_abort)
