/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-signal-watcher.h"

#include <signal.h>
#include <unistd.h>

/* Several loops, in several threads and in those of others. */

typedef struct
{
  GThread *thread;
  GMutex mutex;
  GCond cond;
  LoopEventLoop *loop;
  gboolean is_ready;
  int signum;
  int n_caught;
} Worker;

static void
caught (gpointer data)
{
  Worker *self = data;

  ck_assert_ptr_eq (g_thread_self (), self->thread);
  ck_assert_ptr_eq (loop_event_loop_get_running (), self->loop);
  g_atomic_int_inc (&self->n_caught);
}

static void
tell_ready (gpointer data)
{
  Worker *self = data;

  g_mutex_lock (&self->mutex);
  self->is_ready = TRUE;
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->mutex);
}

static gpointer
work (gpointer data)
{
  Worker *self = data;

  ck_assert (loop_event_loop_add_signal_handler (self->loop, self->signum, caught, self, NULL, NULL));
  loop_event_loop_call_soon (self->loop, tell_ready, self, NULL);
  ck_assert (loop_event_loop_run_forever (self->loop));
  ck_assert (loop_event_loop_close (self->loop));

  return NULL;
}

static void
start (Worker *self, int signum)
{
  self->signum = signum;
  self->loop = loop_event_loop_new ();
  g_mutex_lock (&self->mutex);
  self->thread = g_thread_new ("worker", work, self);
  while (!self->is_ready)
    g_cond_wait (&self->cond, &self->mutex);
  g_mutex_unlock (&self->mutex);
}

static void
stop (Worker *self)
{
  ck_assert (loop_event_loop_call_soon_threadsafe (self->loop, stop_loop, self->loop, NULL, NULL, NULL));
  g_thread_join (self->thread);
  g_object_unref (self->loop);
}

static void
wait_for_count (Worker *self, int n)
{
  for (int i = 0; i < 10000 && g_atomic_int_get (&self->n_caught) < n; i++)
    g_usleep (1000);
  ck_assert_int_eq (g_atomic_int_get (&self->n_caught), n);
}

/* Whichever thread the kernel takes for it, the signal is that of the loop that asked for it. */
START_TEST (test_two_threads)
{
  Worker a = { 0 };
  Worker b = { 0 };

  start (&a, SIGUSR1);
  start (&b, SIGUSR2);
  for (int i = 1; i <= 50; i++)
    {
      ck_assert_int_eq (kill (getpid (), SIGUSR1), 0);
      wait_for_count (&a, i);
      raise (SIGUSR2);
      wait_for_count (&b, i);
    }
  stop (&a);
  stop (&b);
}
END_TEST

/* The loop's own thread has it blocked. */
START_TEST (test_blocked_in_the_loops_thread)
{
  Worker a = { 0 };
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGUSR1);
  ck_assert_int_eq (pthread_sigmask (SIG_BLOCK, &set, NULL), 0);
  start (&a, SIGUSR1);
  ck_assert_int_eq (pthread_sigmask (SIG_UNBLOCK, &set, NULL), 0);
  kill (getpid (), SIGUSR1);
  wait_for_count (&a, 1);
  stop (&a);
}
END_TEST

/* A loop that has let go of a signal, or is closed, leaves it to another. */
START_TEST (test_hand_over)
{
  g_autoptr (LoopEventLoop) first = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) second = loop_event_loop_new ();

  ck_assert (loop_event_loop_add_signal_handler (first, SIGUSR1, step_run, step_new ('a'), step_destroy, NULL));
  ck_assert (!loop_event_loop_add_signal_handler (second, SIGUSR1, step_run, step_new ('b'), step_destroy, NULL));
  ck_assert (loop_event_loop_add_signal_handler (second, SIGUSR2, step_run, step_new ('c'), step_destroy, NULL));
  check_steps ("B");

  raise (SIGUSR1);
  ck_assert (loop_event_loop_remove_signal_handler (first, SIGUSR1));
  ck_assert (loop_event_loop_add_signal_handler (second, SIGUSR1, step_run, step_new ('d'), step_destroy, NULL));
  run_for (first, 0.002);
  run_for (second, 0.002);
  /* It was for the first. */
  check_steps ("A");

  raise (SIGUSR1);
  run_for (second, 0.002);
  check_steps ("d");
  ck_assert (loop_event_loop_close (second));
  {
    g_autofree char *steps = take_steps ();
    ck_assert (g_str_equal (steps, "DC") || g_str_equal (steps, "CD"));
  }

  ck_assert (loop_event_loop_add_signal_handler (first, SIGUSR1, step_run, step_new ('e'), step_destroy, NULL));
  raise (SIGUSR1);
  run_for (first, 0.002);
  check_steps ("e");
}
END_TEST

/* Somebody else iterates the context. */
START_TEST (test_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR1, step_run, step_new ('a'), step_destroy, NULL));
  ck_assert (!g_main_context_iteration (context, FALSE));
  raise (SIGUSR1);
  ck_assert (g_main_context_pending (context));
  while (g_main_context_iteration (context, FALSE))
    ;
  check_steps ("a");
}
END_TEST

static void
quit (gpointer main_loop)
{
  g_main_loop_quit (main_loop);
}

static gboolean
give_up (gpointer data)
{
  ck_abort_msg ("the signal did not wake the main loop");
}

START_TEST (test_wakes_foreign_main_loop)
{
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (NULL);
  guint timeout = g_timeout_add_seconds (10, give_up, NULL);

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGALRM, quit, main_loop, NULL, NULL));
  ualarm (20000, 0);
  g_main_loop_run (main_loop);
  g_source_remove (timeout);
}
END_TEST

LOOP_TEST_MAIN ("signal-loops",
                test_two_threads,
                test_blocked_in_the_loops_thread,
                test_hand_over,
                test_foreign_context,
                test_wakes_foreign_main_loop)
