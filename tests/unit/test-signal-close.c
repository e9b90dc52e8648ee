/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-signal-watcher-private.h"

#include <signal.h>
#include <unistd.h>

/* A loop that ends, or loses its descriptor, with signals pending. */

static void
add_step (LoopEventLoop *loop, int signum, char letter)
{
  ck_assert (loop_event_loop_add_signal_handler (loop, signum, step_run, step_new (letter), step_destroy, NULL));
}

static void
check_default (int signum)
{
  struct sigaction action;

  ck_assert_int_eq (sigaction (signum, NULL, &action), 0);
  ck_assert (action.sa_handler == SIG_DFL);
}

/* Caught, and not yet seen by the loop. */
START_TEST (test_unseen)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add_step (loop, SIGUSR1, 'a');
  raise (SIGUSR1);
  ck_assert (loop_event_loop_close (loop));
  check_steps ("A");
  check_default (SIGUSR1);
}
END_TEST

/* Seen, and the callback in the queue. */
START_TEST (test_queued)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add_step (loop, SIGRTMIN, 'a');
  add_step (loop, SIGUSR1, 'b');
  for (int i = 0; i < 5; i++)
    raise (SIGRTMIN);
  raise (SIGUSR1);
  run_once (loop);
  ck_assert (loop_event_loop_close (loop));
  check_steps ("BA");
  check_default (SIGUSR1);
  check_default (SIGRTMIN);
}
END_TEST

START_TEST (test_without_handlers)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add_step (loop, SIGUSR1, 'a');
  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  ck_assert (loop_event_loop_close (loop));
  ck_assert_ptr_null (loop->signal_watcher);
  check_steps ("A");
}
END_TEST

/* Data that is destroyed with the loop finds it closed. */
static void
destroy_adding (gpointer loop)
{
  g_autoptr (GError) error = NULL;

  note_step ('D');
  ck_assert (!loop_event_loop_remove_signal_handler (loop, SIGUSR2));
  ck_assert (!loop_event_loop_add_signal_handler (loop, SIGUSR1, step_run, step_new ('n'), step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
  check_default (SIGUSR1);
  check_default (SIGUSR2);
}

START_TEST (test_add_in_notify)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR1, do_nothing, loop, destroy_adding, NULL));
  add_step (loop, SIGUSR2, 'b');
  ck_assert (loop_event_loop_close (loop));
  check_steps ("DNB");
}
END_TEST

static void
keep_report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  note_step ('!');
}

/* Somebody closed the eventfd: it is told, and the signals are left alone. */
START_TEST (test_descriptor_lost)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "planted");
  LoopWatch *watch;

  loop_event_loop_set_exception_handler (loop, keep_report, NULL, NULL);
  add_step (loop, SIGUSR1, 'a');
  add_step (loop, SIGUSR2, 'b');
  watch = &loop->signal_watcher->watch;
  watch->klass->failed (watch, error);
  check_steps ("AB!");
  check_default (SIGUSR1);
  check_default (SIGUSR2);
  ck_assert_uint_eq (loop->poller.n_watches, 0);

  /* It may be tried again. */
  add_step (loop, SIGUSR1, 'c');
  raise (SIGUSR1);
  run_for (loop, 0.002);
  check_steps ("c");
}
END_TEST

LOOP_TEST_MAIN ("signal-close",
                test_unseen,
                test_queued,
                test_without_handlers,
                test_add_in_notify,
                test_descriptor_lost)
