/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-signal-watcher-private.h"

#include <signal.h>
#include <unistd.h>

/* However many signals there are, none that was delivered is lost, and they end in an orderly manner. */

#define N_SIGNALS 100000

typedef struct
{
  LoopEventLoop *loop;
  GThread *thread;
  int n_usr1;
  int n_term;
  gboolean is_done;
  int is_stopping; /* atomic */
  int n_seen;      /* atomic */
} Storm;

static void
note_usr1 (gpointer data)
{
  ((Storm *) data)->n_usr1++;
}

static void
note_term (gpointer data)
{
  Storm *self = data;

  self->n_term++;
  self->is_done = TRUE;
}

static void
set_up (Storm *self)
{
  self->loop = loop_event_loop_new ();
  ck_assert (loop_event_loop_add_signal_handler (self->loop, SIGUSR1, note_usr1, self, NULL, NULL));
  ck_assert (loop_event_loop_add_signal_handler (self->loop, SIGTERM, note_term, self, NULL, NULL));
}

/* The loop does not look before it is over: asyncio's pipe is full by then. */
START_TEST (test_before_the_loop_runs)
{
  Storm storm = { 0 };

  set_up (&storm);
  for (int i = 0; i < N_SIGNALS; i++)
    raise (SIGUSR1);
  raise (SIGTERM);

  run_until (storm.loop, &storm.is_done);
  ck_assert_int_eq (storm.n_term, 1);
  /* TERM does not have to wait for them all. */
  ck_assert_int_lt (storm.n_usr1, N_SIGNALS);

  /* Each of them was delivered before the next one was sent. */
  for (int i = 0; i < 1000 && storm.n_usr1 < N_SIGNALS; i++)
    run_for (storm.loop, 0.01);
  ck_assert_int_eq (storm.n_usr1, N_SIGNALS);
  ck_assert_int_eq (storm.n_term, 1);
  g_object_unref (storm.loop);
}
END_TEST

static gpointer
send_signals (gpointer data)
{
  for (int i = 0; i < N_SIGNALS; i++)
    kill (getpid (), SIGUSR1);
  kill (getpid (), SIGTERM);

  return NULL;
}

START_TEST (test_from_another_thread)
{
  Storm storm = { 0 };
  GThread *thread;

  set_up (&storm);
  thread = g_thread_new ("storm", send_signals, NULL);
  run_until (storm.loop, &storm.is_done);
  g_thread_join (thread);
  ck_assert_int_eq (storm.n_term, 1);
  /* The kernel may have made one of several. */
  ck_assert_int_gt (storm.n_usr1, 0);
  ck_assert_int_le (storm.n_usr1, N_SIGNALS);
  g_object_unref (storm.loop);
}
END_TEST

static gpointer
send_for_ever (gpointer data)
{
  Storm *self = data;

  while (!g_atomic_int_get (&self->is_stopping))
    kill (getpid (), SIGUSR1);

  return NULL;
}

/* A storm without end does not keep timers from running, nor the loop from stopping. */
START_TEST (test_without_end)
{
  Storm storm = { 0 };
  gint64 begun;

  set_up (&storm);
  storm.thread = g_thread_new ("storm", send_for_ever, &storm);
  begun = g_get_monotonic_time ();
  run_for (storm.loop, 0.05);
  ck_assert_int_lt (g_get_monotonic_time () - begun, 5 * G_USEC_PER_SEC);
  ck_assert_int_gt (storm.n_usr1, 0);

  raise (SIGTERM);
  run_until (storm.loop, &storm.is_done);
  g_atomic_int_set (&storm.is_stopping, TRUE);
  g_thread_join (storm.thread);
  g_object_unref (storm.loop);
}
END_TEST

/* So that the kernel takes other threads for it, at the same time. */
static void
block_usr1 (void)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGUSR1);
  ck_assert_int_eq (pthread_sigmask (SIG_BLOCK, &set, NULL), 0);
}

static void
note_seen (gpointer data)
{
  g_atomic_int_inc (&((Storm *) data)->n_seen);
}

/* Two at a time, and the second at any moment while the loop looks at the first. */
#define N_PAIRS 20000

static gpointer
send_pairs (gpointer data)
{
  Storm *self = data;

  for (int i = 1; i <= N_PAIRS; i++)
    {
      gint64 begun;

      raise (SIGRTMIN);
      for (volatile int delay = i * 7 % 60000; delay > 0; delay--)
        ;
      raise (SIGRTMIN);

      begun = g_get_monotonic_time ();
      while (g_atomic_int_get (&self->n_seen) < 2 * i)
        {
          if (g_get_monotonic_time () - begun > 10 * G_USEC_PER_SEC)
            ck_abort_msg ("pair %d was not seen", i);
          g_thread_yield ();
        }
    }
  ck_assert (loop_event_loop_call_soon_threadsafe (self->loop, stop_loop, self->loop, NULL, NULL, NULL));

  return NULL;
}

START_TEST (test_pairs)
{
  Storm storm = { .loop = loop_event_loop_new () };

  ck_assert (loop_event_loop_add_signal_handler (storm.loop, SIGRTMIN, note_seen, &storm, NULL, NULL));
  storm.thread = g_thread_new ("pairs", send_pairs, &storm);
  ck_assert (loop_event_loop_run_forever (storm.loop));
  g_thread_join (storm.thread);
  ck_assert_int_eq (storm.n_seen, 2 * N_PAIRS);
  g_object_unref (storm.loop);
}
END_TEST

/*
 * Handlers come and go in the middle of it, and so do eventfds, whose numbers other files
 * get at once: none of them may find a signal in it. SIGUSR1 is ignored otherwise.
 */
START_TEST (test_adding_and_removing)
{
  Storm storm = { 0 };
  GThread *threads[3];
  int n_rounds = 0;
  gint64 end = g_get_monotonic_time () + G_USEC_PER_SEC / 2;

  signal (SIGUSR1, SIG_IGN);
  storm.loop = loop_event_loop_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("storm", send_for_ever, &storm);
  block_usr1 ();

  while (g_get_monotonic_time () < end || storm.n_usr1 == 0)
    {
      int fds[2];
      int fd;
      char bytes[64];

      ck_assert (loop_event_loop_add_signal_handler (storm.loop, SIGUSR1, note_usr1, &storm, NULL, NULL));
      fd = storm.loop->signal_watcher->watch.fd;
      if (n_rounds++ % 20 == 0)
        g_usleep (500);
      run_once (storm.loop);
      run_once (storm.loop);
      ck_assert (loop_event_loop_remove_signal_handler (storm.loop, SIGUSR1));

      ck_assert_int_eq (pipe (fds), 0);
      ck_assert_int_eq (dup2 (fds[1], fd), fd);
      if (fd != fds[1])
        close (fds[1]);
      close (fd);
      if (fd != fds[0])
        {
          ck_assert_int_eq (read (fds[0], bytes, sizeof bytes), 0);
          close (fds[0]);
        }
    }
  g_atomic_int_set (&storm.is_stopping, TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_object_unref (storm.loop);
}
END_TEST

LOOP_TEST_MAIN_TIMEOUT ("signal-storm",
                        60,
                        test_before_the_loop_runs,
                        test_from_another_thread,
                        test_without_end,
                        test_pairs,
                        test_adding_and_removing)
