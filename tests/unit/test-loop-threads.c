/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-fd-watcher.h"

#include <unistd.h>

/* Several loops in several threads at once have nothing to do with each other. */

#define N_THREADS 4
#define N_ROUNDS 300

typedef struct
{
  LoopEventLoop *loop;
  GThread *thread;
  int fds[2];
  int n_left;
  int n_received;
} Worker;

static void
receive (gpointer data)
{
  Worker *self = data;
  char byte;

  ck_assert_ptr_eq (g_thread_self (), self->thread);
  ck_assert_ptr_eq (loop_event_loop_get_running (), self->loop);
  ck_assert_int_eq (read (self->fds[0], &byte, 1), 1);
  self->n_received++;

  if (self->n_left == 0)
    loop_event_loop_stop (self->loop);
}

static void
work (gpointer data)
{
  Worker *self = data;

  ck_assert_ptr_eq (g_thread_self (), self->thread);
  ck_assert_ptr_eq (loop_event_loop_get_running (), self->loop);
  self->n_left--;
  if (self->n_left > 0)
    {
      if (self->n_left % 3 == 0)
        loop_event_loop_call_later (self->loop, 0.0001, work, self, NULL);
      else if (self->n_left % 3 == 1)
        loop_event_loop_call_soon (self->loop, work, self, NULL);
      else
        ck_assert (loop_event_loop_call_soon_threadsafe (self->loop, work, self, NULL, NULL, NULL));
    }
  ck_assert_int_eq (write (self->fds[1], "x", 1), 1);
}

static gpointer
run_loop (gpointer data)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Worker self = { .loop = loop, .thread = g_thread_self (), .n_left = N_ROUNDS };

  ck_assert_int_eq (pipe (self.fds), 0);
  ck_assert_ptr_null (loop_event_loop_get_running ());
  ck_assert (loop_event_loop_add_reader (loop, self.fds[0], receive, &self, NULL));
  loop_event_loop_call_soon (loop, work, &self, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  ck_assert_ptr_null (loop_event_loop_get_running ());

  ck_assert_int_eq (self.n_left, 0);
  ck_assert (loop_event_loop_remove_reader (loop, self.fds[0]));
  close (self.fds[0]);
  close (self.fds[1]);

  return GINT_TO_POINTER (self.n_received);
}

/* The thread sanitizer does not see the lock behind which GLib makes a class. */
static void
make_class (void)
{
  g_object_unref (loop_event_loop_new ());
}

START_TEST (test_independent)
{
  GThread *threads[N_THREADS];

  make_class ();
  for (int i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("loop", run_loop, NULL);
  for (int i = 0; i < N_THREADS; i++)
    ck_assert_int_gt (GPOINTER_TO_INT (g_thread_join (threads[i])), 0);
}
END_TEST

/* Loops that come and go in many threads. */
static gpointer
make_loops (gpointer data)
{
  for (int i = 0; i < 50; i++)
    {
      g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
      int n_calls = 0;

      loop_event_loop_call_soon (loop, count_up, &n_calls, NULL);
      run_once (loop);
      ck_assert_int_eq (n_calls, 1);
    }

  return NULL;
}

START_TEST (test_come_and_go)
{
  GThread *threads[N_THREADS];

  make_class ();
  for (int i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("loops", make_loops, NULL);
  for (int i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
}
END_TEST

/* Two loops that call each other. */
typedef struct Peer
{
  LoopEventLoop *loop;
  struct Peer *other;
  int n_calls;
} Peer;

static void
call_other (gpointer data)
{
  Peer *self = data;

  ck_assert_ptr_eq (loop_event_loop_get_running (), self->loop);
  if (++self->n_calls <= 2000)
    ck_assert (loop_event_loop_call_soon_threadsafe (self->other->loop, call_other, self->other, NULL, NULL, NULL));
  else
    loop_event_loop_stop (self->loop);
}

static gpointer
run_peer (gpointer data)
{
  Peer *self = data;

  ck_assert (loop_event_loop_run_forever (self->loop));

  return NULL;
}

START_TEST (test_ping_pong)
{
  Peer a = { loop_event_loop_new () };
  Peer b = { loop_event_loop_new () };
  GThread *thread;

  a.other = &b;
  b.other = &a;
  thread = g_thread_new ("peer", run_peer, &b);
  loop_event_loop_call_soon (a.loop, call_other, &a, NULL);
  run_peer (&a);
  ck_assert (loop_event_loop_call_soon_threadsafe (b.loop, stop_loop, b.loop, NULL, NULL, NULL));
  g_thread_join (thread);

  ck_assert_int_eq (a.n_calls, 2001);
  ck_assert_int_eq (b.n_calls, 2000);
  g_object_unref (a.loop);
  g_object_unref (b.loop);
}
END_TEST

/* A loop may be made here, run there, and be closed here. */
START_TEST (test_handed_over)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Peer peer = { loop };

  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_later (loop, 0.001, stop_loop, loop, NULL);
  g_thread_join (g_thread_new ("runner", run_peer, &peer));
  check_steps ("aA");

  loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy);
  run_once (loop);
  check_steps ("bB");
  ck_assert (loop_event_loop_close (loop));
}
END_TEST

LOOP_TEST_MAIN ("loop-threads", test_independent, test_come_and_go, test_ping_pong, test_handed_over)
