/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sock-check.h"
#include "tcp-check.h"

#include "loop-exception-context.h"

#include <fcntl.h>

/*
 * C7: the number of a socket that is closed is given out again. Nothing that was meant for the one gets
 * to the other, whether or not the operation on the first was cancelled before.
 */

/* Two sockets whose numbers nothing else gets once they are closed. */
static void
make_pair (int fds[2])
{
  int low[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, low), 0);
  for (int i = 0; i < 2; i++)
    {
      fds[i] = fcntl (low[i], F_DUPFD_CLOEXEC, 500);
      ck_assert_int_ge (fds[i], 500);
      close (low[i]);
    }
}

typedef struct
{
  SockPair pair;
  GSocket *old;
  int old_peer;
  int new_peer;
  GSocket *new;
} Fixture;

static Fixture
set_up (void)
{
  Fixture f = { sock_pair_new (SOCK_STREAM) };
  int fds[2];

  make_pair (fds);
  f.old = sock_wrap (fds[0]);
  f.old_peer = fds[1];

  return f;
}

/* Closes the old socket without a word, and gives its number to another one. */
static void
reuse (Fixture *f)
{
  int number = g_socket_get_fd (f->old);
  int fds[2];

  ck_assert (g_socket_close (f->old, NULL));
  make_pair (fds);
  if (fds[0] != number)
    {
      ck_assert_int_eq (dup3 (fds[0], number, O_CLOEXEC), number);
      close (fds[0]);
    }
  f->new = sock_wrap (number);
  f->new_peer = fds[1];
}

static void
tear_down (Fixture *f)
{
  g_clear_object (&f->old);
  g_clear_object (&f->new);
  close (f->old_peer);
  close (f->new_peer);
  sock_pair_clear (&f->pair);
}

static void
send_text (int fd, const char *text)
{
  ck_assert_int_eq (send (fd, text, strlen (text), MSG_NOSIGNAL), (gssize) strlen (text));
}

START_TEST (test_cancelled)
{
  Fixture f = set_up ();
  LoopFuture *stale = loop_event_loop_sock_recv (f.pair.loop, f.old, 100);
  LoopFuture *fresh;
  g_autofree char *text = NULL;

  run_once (f.pair.loop);
  loop_future_cancel (stale);
  reuse (&f);
  fresh = loop_event_loop_sock_recv (f.pair.loop, f.new, 100);
  run_once (f.pair.loop);
  send_text (f.new_peer, "new");
  text = sock_take_text (fresh);
  ck_assert_str_eq (text, "new");
  g_object_unref (stale);
  tear_down (&f);
}
END_TEST

/* The operation on the closed socket fails, without taking anything of the new one's. */
START_TEST (test_closed_without_a_word)
{
  Fixture f = set_up ();
  LoopFuture *stale = loop_event_loop_sock_recv (f.pair.loop, f.old, 100);
  LoopFuture *fresh;
  g_autofree char *text = NULL;

  run_once (f.pair.loop);
  reuse (&f);
  fresh = loop_event_loop_sock_recv (f.pair.loop, f.new, 100);
  check_failed (stale, G_IO_ERROR, G_IO_ERROR_CLOSED);
  run_once (f.pair.loop);
  ck_assert (!loop_future_done (fresh));
  send_text (f.new_peer, "new");
  text = sock_take_text (fresh);
  ck_assert_str_eq (text, "new");
  g_object_unref (stale);
  tear_down (&f);
}
END_TEST

/* The same for plain descriptors, of which nobody knows to what file they belong. */
START_TEST (test_wait)
{
  Fixture f = set_up ();
  LoopFuture *stale = loop_event_loop_sock_wait (f.pair.loop, g_socket_get_fd (f.old), G_IO_IN);
  LoopFuture *fresh;

  run_once (f.pair.loop);
  reuse (&f);
  fresh = loop_event_loop_sock_wait (f.pair.loop, g_socket_get_fd (f.new), G_IO_IN);
  check_failed (stale, G_IO_ERROR, G_IO_ERROR_CLOSED);
  send_text (f.new_peer, "new");
  sock_take_nothing (fresh);
  g_object_unref (stale);
  tear_down (&f);
}
END_TEST

/* A transport that gets the number fails what waits for the closed socket. */
START_TEST (test_reader_of_new_file)
{
  Fixture f = set_up ();
  LoopFuture *stale = loop_event_loop_sock_recv (f.pair.loop, f.old, 100);
  int n = 0;

  run_once (f.pair.loop);
  reuse (&f);
  ck_assert (loop_event_loop_add_reader (f.pair.loop, g_socket_get_fd (f.new), count_up, &n, NULL));
  check_failed (stale, G_IO_ERROR, G_IO_ERROR_CLOSED);
  send_text (f.new_peer, "new");
  run_once (f.pair.loop);
  run_once (f.pair.loop);
  ck_assert_int_gt (n, 0);
  ck_assert (loop_event_loop_remove_reader (f.pair.loop, g_socket_get_fd (f.new)));
  run_once (f.pair.loop);
  g_object_unref (stale);
  tear_down (&f);
}
END_TEST

/* Of a duplicate that lives on, epoll goes on to report events, and they are nobody's. */
START_TEST (test_duplicate)
{
  Fixture f = set_up ();
  LoopFuture *stale = loop_event_loop_sock_recv (f.pair.loop, f.old, 100);
  int duplicate = fcntl (g_socket_get_fd (f.old), F_DUPFD_CLOEXEC, 600);
  LoopFuture *fresh;
  double begun;

  run_once (f.pair.loop);
  reuse (&f);
  fresh = loop_event_loop_sock_recv (f.pair.loop, f.new, 100);
  check_failed (stale, G_IO_ERROR, G_IO_ERROR_CLOSED);
  send_text (f.old_peer, "old");
  begun = get_cpu_time ();
  run_for (f.pair.loop, 0.05);
  ck_assert_double_lt (get_cpu_time () - begun, 0.03);
  ck_assert (!loop_future_done (fresh));
  loop_future_cancel (fresh);
  g_object_unref (fresh);
  close (duplicate);
  g_object_unref (stale);
  tear_down (&f);
}
END_TEST

/* A storm: each connection has a token, and gets only its own, with operations cancelled and sockets closed all the time. */
START_TEST (test_storm)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  struct
  {
    GSocket *socket;
    int peer;
    LoopFuture *future;
    char token[16];
  } slots[8] = { 0 };
  guint n_received = 0;

  for (int round = 0; round < 4000; round++)
    {
      typeof (slots[0]) *slot = &slots[g_rand_int_range (rand, 0, G_N_ELEMENTS (slots))];

      if (slot->socket == NULL)
        {
          int fds[2];

          ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
          slot->socket = sock_wrap (fds[0]);
          slot->peer = fds[1];
          g_snprintf (slot->token, sizeof slot->token, "%d", round);
          slot->future = loop_event_loop_sock_recv (pair.loop, slot->socket, 100);
          continue;
        }

      if (g_rand_boolean (rand))
        send_text (slot->peer, slot->token);
      if (g_rand_boolean (rand))
        run_once (pair.loop);

      if (loop_future_done (slot->future))
        {
          g_autofree char *text = sock_take_text (g_steal_pointer (&slot->future));

          ck_assert_msg (g_str_has_prefix (text, slot->token), "%s is not %s", text, slot->token);
          n_received++;
        }
      else if (g_rand_boolean (rand))
        loop_future_cancel (slot->future);
      g_clear_object (&slot->future);
      ck_assert (g_socket_close (slot->socket, NULL));
      g_clear_object (&slot->socket);
      close (slot->peer);
    }

  ck_assert_uint_gt (n_received, 100);
  for (guint i = 0; i < G_N_ELEMENTS (slots); i++)
    if (slots[i].socket != NULL)
      {
        loop_future_cancel (slots[i].future);
        g_clear_object (&slots[i].future);
        g_clear_object (&slots[i].socket);
        close (slots[i].peer);
      }
  loop_event_loop_close (pair.loop);
}
END_TEST

LOOP_TEST_MAIN ("sock-reuse",
                test_cancelled,
                test_closed_without_a_word,
                test_wait,
                test_reader_of_new_file,
                test_duplicate,
                test_storm)
