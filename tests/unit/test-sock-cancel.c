/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sock-check.h"
#include "tcp-check.h"

#include "loop-fiber.h"
#include "loop-future-private.h"
#include "loop-wait-for.h"

#include <errno.h>

/*
 * Cancelling an operation on a socket leaves no watch behind, and loses nothing: no byte, no datagram,
 * and no connection.
 */

START_TEST (test_no_watch_left)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  LoopFuture *first = loop_event_loop_sock_recv (pair.loop, pair.a, 100);
  LoopFuture *second = loop_event_loop_sock_recv (pair.loop, pair.a, 100);

  ck_assert_uint_eq (sock_count_watches (pair.loop), 1);
  ck_assert (loop_future_cancel (first));
  ck_assert (!loop_future_cancel (first));
  ck_assert_uint_eq (sock_count_watches (pair.loop), 1);
  ck_assert (loop_future_cancel (second));
  /* At once: whoever cancels may close the socket next. */
  ck_assert_uint_eq (sock_count_watches (pair.loop), 0);
  ck_assert (loop_future_cancelled (first) && loop_future_cancelled (second));

  /* Neither the operations nor the loop has anything of it. */
  g_assert_finalize_object (first);
  g_assert_finalize_object (second);
}
END_TEST

/* One that was dropped goes on, and is not in the way of those behind it. */
START_TEST (test_dropped)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  LoopFuture *second;
  g_autofree char *text = NULL;

  g_object_unref (loop_event_loop_sock_recv (pair.loop, pair.a, 1));
  second = loop_event_loop_sock_recv (pair.loop, pair.a, 100);
  sock_write (pair.b, "abc");
  text = sock_take_text (second);
  ck_assert_str_eq (text, "bc");
}
END_TEST

START_TEST (test_recv_takes_nothing)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  LoopFuture *future = loop_event_loop_sock_recv (pair.loop, pair.a, 100);
  g_autofree char *text = NULL;

  run_once (pair.loop);
  sock_write (pair.b, "abc");
  ck_assert (loop_future_cancel (future));
  run_for (pair.loop, 0.01);
  text = sock_read (pair.a);
  ck_assert_str_eq (text, "abc");
  g_object_unref (future);
}
END_TEST

START_TEST (test_sendall_in_the_midst)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GBytes) data = tcp_random_bytes (4 * 1024 * 1024);
  LoopFuture *future = loop_event_loop_sock_sendall (pair.loop, pair.a, data);

  ck_assert (loop_future_cancel (future));
  g_assert_finalize_object (future);
  ck_assert_uint_eq (sock_count_watches (pair.loop), 0);
}
END_TEST

/* --- A task that is cancelled when what it waited for has come: nobody else knows of it -------- */

typedef struct
{
  SockPair *pair;
  GSocket *socket;
  LoopFuture *(*start) (LoopEventLoop *loop, GSocket *socket);
  gboolean has_timeout;
  void (*accepted) (LoopFuture *future);
  LoopFuture *awaited; /* with a reference */
} Waiter;

static gboolean
wait_in_fiber (GValue *result, gpointer user_data, GError **error)
{
  Waiter *self = user_data;
  g_autoptr (LoopFuture) inner = self->start (self->pair->loop, self->socket);
  g_autoptr (LoopFuture) outer = self->has_timeout ? loop_wait_for (inner, 100.0) : g_object_ref (inner);

  self->awaited = g_object_ref (inner);

  if (!loop_await (outer, error))
    return FALSE;
  if (self->accepted != NULL)
    self->accepted (inner);

  return TRUE;
}

/* Cancels the task of a waiter in the iteration in which its operation was done, before the task has gone on. */
static void
cancel_too_late (Waiter *self, void (*make_ready) (SockPair *pair, gpointer data), gpointer data)
{
  LoopEventLoop *loop = self->pair->loop;
  g_autoptr (LoopTask) task = loop_event_loop_spawn (loop, wait_in_fiber, self, NULL);

  run_once (loop);
  run_once (loop);
  ck_assert (!loop_future_done (self->awaited));
  make_ready (self->pair, data);
  for (int i = 0; i < 1000 && !loop_future_done (self->awaited); i++)
    run_once (loop);
  ck_assert (loop_future_done (self->awaited));
  ck_assert (!loop_future_done (LOOP_FUTURE (task)));
  loop_future_cancel (LOOP_FUTURE (task));
  sock_finish (LOOP_FUTURE (task));
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
  g_clear_object (&self->awaited);
}

static LoopFuture *
start_recv (LoopEventLoop *loop, GSocket *socket)
{
  return loop_event_loop_sock_recv (loop, socket, 100);
}

static LoopFuture *
start_recvfrom (LoopEventLoop *loop, GSocket *socket)
{
  return loop_event_loop_sock_recvfrom (loop, socket, 100);
}

static guint8 into_buffer[100];

static LoopFuture *
start_recv_into (LoopEventLoop *loop, GSocket *socket)
{
  return loop_event_loop_sock_recv_into (loop, socket, into_buffer, sizeof into_buffer);
}

static LoopFuture *(*const receiving[]) (LoopEventLoop *, GSocket *) = { start_recv, start_recvfrom, start_recv_into };

static void
write_text (SockPair *pair, gpointer text)
{
  sock_write (pair->b, text);
}

static void
check_stream_is_given_back (LoopFuture *(*start) (LoopEventLoop *, GSocket *), gboolean has_timeout)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  Waiter waiter = { &pair, pair.a, start, has_timeout };
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *third = NULL;

  cancel_too_late (&waiter, write_text, (gpointer) "abc");
  sock_write (pair.b, "def");

  /* In the order in which it was sent, in portions as they are asked for. */
  first = sock_take_text (loop_event_loop_sock_recv (pair.loop, pair.a, 2));
  ck_assert_str_eq (first, "ab");
  second = sock_take_text (loop_event_loop_sock_recv (pair.loop, pair.a, 2));
  ck_assert_str_eq (second, "c");
  third = sock_take_text (loop_event_loop_sock_recv (pair.loop, pair.a, 100));
  ck_assert_str_eq (third, "def");
}

static void
check_message_is_given_back (LoopFuture *(*start) (LoopEventLoop *, GSocket *), gboolean has_timeout)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_SEQPACKET);
  Waiter waiter = { &pair, pair.a, start, has_timeout };
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  cancel_too_late (&waiter, write_text, (gpointer) "abc");
  sock_write (pair.b, "def");

  first = sock_take_text (loop_event_loop_sock_recv (pair.loop, pair.a, 2));
  ck_assert_str_eq (first, "ab");
  second = sock_take_text (loop_event_loop_sock_recv (pair.loop, pair.a, 100));
  ck_assert_str_eq (second, "def");
}

START_TEST (test_given_back)
{
  for (guint i = 0; i < G_N_ELEMENTS (receiving); i++)
    for (int has_timeout = 0; has_timeout < 2; has_timeout++)
      {
        check_stream_is_given_back (receiving[i], has_timeout);
        check_message_is_given_back (receiving[i], has_timeout);
      }
}
END_TEST

/* It goes to whoever waits already. */
START_TEST (test_given_back_to_next)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  Waiter waiter = { &pair, pair.a, start_recv };
  g_autoptr (LoopTask) task = loop_event_loop_spawn (pair.loop, wait_in_fiber, &waiter, NULL);
  LoopFuture *next;
  g_autofree char *text = NULL;

  run_once (pair.loop);
  run_once (pair.loop);
  next = loop_event_loop_sock_recv (pair.loop, pair.a, 100);
  sock_write (pair.b, "abc");
  for (int i = 0; i < 1000 && !loop_future_done (waiter.awaited); i++)
    run_once (pair.loop);
  ck_assert (!loop_future_done (next));
  loop_future_cancel (LOOP_FUTURE (task));
  g_object_unref (waiter.awaited);
  text = sock_take_text (next);
  ck_assert_str_eq (text, "abc");
}
END_TEST

/* Several have come, and are given back in the order in which the tasks went: they are taken as they were sent. */
START_TEST (test_given_back_in_order)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_SEQPACKET);
  Waiter waiters[3];
  LoopTask *tasks[3];
  const char *texts[] = { "a", "bb", "ccc" };

  for (int i = 0; i < 3; i++)
    {
      waiters[i] = (Waiter) { &pair, pair.a, start_recv };
      tasks[i] = loop_event_loop_spawn (pair.loop, wait_in_fiber, &waiters[i], NULL);
    }
  run_once (pair.loop);
  run_once (pair.loop);
  for (int i = 0; i < 3; i++)
    sock_write (pair.b, texts[i]);
  while (!loop_future_done (waiters[2].awaited))
    run_once (pair.loop);
  for (int i = 2; i >= 0; i--)
    LOOP_FUTURE_GET_CLASS (waiters[i].awaited)->give_back (waiters[i].awaited);
  for (int i = 0; i < 3; i++)
    {
      loop_future_cancel (LOOP_FUTURE (tasks[i]));
      sock_finish (LOOP_FUTURE (tasks[i]));
      g_object_unref (tasks[i]);
      g_object_unref (waiters[i].awaited);
    }
  for (int i = 0; i < 3; i++)
    {
      g_autofree char *text = sock_take_text (loop_event_loop_sock_recv (pair.loop, pair.a, 100));

      ck_assert_str_eq (text, texts[i]);
    }
}
END_TEST

/* What nobody asks for any more goes with the socket. */
START_TEST (test_given_back_to_nobody)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  Waiter waiter = { &pair, pair.a, start_recv };

  cancel_too_late (&waiter, write_text, (gpointer) "abc");
}
END_TEST

static int accepted_tokens[100];
static int n_accepted;

static LoopFuture *
start_accept (LoopEventLoop *loop, GSocket *socket)
{
  return loop_event_loop_sock_accept (loop, socket);
}

#define N_CLIENTS 60

static void
connect_clients (SockPair *pair, gpointer data)
{
  GSocket **sockets = data; /* the listener, and room for the clients */

  for (int i = 1; i <= N_CLIENTS; i++)
    {
      char token[16];

      g_snprintf (token, sizeof token, "%d", i);
      sockets[i] = sock_connect (sockets[0]);
      sock_write (sockets[i], token);
    }
}

static int
read_token (GSocket *accepted)
{
  g_autofree char *token = sock_read (accepted);

  return atoi (token);
}

/* In the task that waited for it. */
static void
note_accepted (LoopFuture *future)
{
  g_autoptr (GSocket) accepted = sock_take_accepted (g_object_ref (future));

  accepted_tokens[read_token (accepted)]++;
  n_accepted++;
}

/* C6: as many are accepted as have connected, whatever is cancelled at whatever point. */
START_TEST (test_no_connection_is_lost)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  GSocket *sockets[1 + N_CLIENTS] = { sock_listen () };
  Waiter waiters[N_CLIENTS];
  LoopTask *tasks[N_CLIENTS];
  LoopFuture *last;

  /* Some wait for a connection by themselves, and some with a timeout. Before there is one, every fifth gives up. */
  for (int i = 0; i < N_CLIENTS; i++)
    {
      waiters[i] = (Waiter) { &pair, sockets[0], start_accept, i % 3 == 0, note_accepted };
      tasks[i] = loop_event_loop_spawn (pair.loop, wait_in_fiber, &waiters[i], NULL);
    }
  run_once (pair.loop);
  run_once (pair.loop);
  for (int i = 0; i < N_CLIENTS; i += 5)
    loop_future_cancel (LOOP_FUTURE (tasks[i]));

  connect_clients (&pair, sockets);
  while (!loop_future_done (waiters[N_CLIENTS - 1].awaited))
    run_once (pair.loop);

  /* Now they are accepted; and every other task hears that it is cancelled. */
  for (int i = 0; i < N_CLIENTS; i += 2)
    loop_future_cancel (LOOP_FUTURE (tasks[i]));
  for (int i = 0; i < N_CLIENTS; i++)
    {
      sock_finish (LOOP_FUTURE (tasks[i]));
      if (i % 5 == 0 || i % 2 == 0)
        ck_assert (loop_future_cancelled (LOOP_FUTURE (tasks[i])));
      g_object_unref (tasks[i]);
      g_object_unref (waiters[i].awaited);
    }

  for (int i = 0; i < N_CLIENTS - n_accepted; i++)
    {
      g_autoptr (GSocket) accepted = sock_take_accepted (loop_event_loop_sock_accept (pair.loop, sockets[0]));

      accepted_tokens[read_token (accepted)]++;
    }
  for (int i = 1; i <= N_CLIENTS; i++)
    ck_assert_int_eq (accepted_tokens[i], 1);

  last = loop_event_loop_sock_accept (pair.loop, sockets[0]);
  run_for (pair.loop, 0.01);
  ck_assert (!loop_future_done (last));
  loop_future_cancel (last);
  g_object_unref (last);
  for (int i = 0; i <= N_CLIENTS; i++)
    g_object_unref (sockets[i]);
}
END_TEST

/* Cancelled in the midst, and never looked at again: the connection that is being made is the user's to close. */
START_TEST (test_connect)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GSocket) listener = sock_listen ();
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (listener, NULL);
  g_autoptr (GSocket) socket = sock_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM);
  LoopFuture *future = loop_event_loop_sock_connect (pair.loop, socket, G_SOCKET_CONNECTABLE (address));

  if (!loop_future_done (future))
    ck_assert (loop_future_cancel (future));
  g_assert_finalize_object (future);
  ck_assert_uint_eq (sock_count_watches (pair.loop), 0);
}
END_TEST

/* The loop is closed while all kinds of operations wait, their futures alive or dropped. */
START_TEST (test_loop_closed)
{
  g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM);
  g_autoptr (GBytes) data = tcp_random_bytes (4 * 1024 * 1024);
  g_autoptr (GSocket) listener = sock_listen ();
  g_autoptr (LoopFuture) kept = NULL;
  g_autoptr (LoopFuture) late = NULL;

  kept = loop_event_loop_sock_recv (pair.loop, pair.a, 1);
  g_object_unref (loop_event_loop_sock_recv (pair.loop, pair.a, 1));
  g_object_unref (loop_event_loop_sock_sendall (pair.loop, pair.a, data));
  g_object_unref (loop_event_loop_sock_accept (pair.loop, listener));
  g_object_unref (loop_event_loop_sock_wait (pair.loop, g_socket_get_fd (pair.b), G_IO_IN));

  loop_event_loop_close (pair.loop);
  ck_assert (!loop_future_done (kept));
  ck_assert (loop_future_cancel (kept));

  late = loop_event_loop_sock_recv (pair.loop, pair.a, 1);
  check_failed (late, LOOP_ERROR, LOOP_ERROR_CLOSED);
}
END_TEST

LOOP_TEST_MAIN ("sock-cancel",
                test_no_watch_left,
                test_dropped,
                test_recv_takes_nothing,
                test_sendall_in_the_midst,
                test_given_back,
                test_given_back_to_next,
                test_given_back_in_order,
                test_given_back_to_nobody,
                test_no_connection_is_lost,
                test_connect,
                test_loop_closed)
