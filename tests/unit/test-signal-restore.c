/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-signal-watcher.h"

#include <signal.h>

/* The action that a signal had before comes back. */

static int n_handled;

static void
handle (int signum)
{
  n_handled++;
}

static void
handle_with_info (int signum, siginfo_t *info, void *context)
{
  n_handled++;
}

static void
add (LoopEventLoop *loop, int signum)
{
  ck_assert (loop_event_loop_add_signal_handler (loop, signum, do_nothing, NULL, NULL, NULL));
}

static void
check_action (int signum, const struct sigaction *expected)
{
  struct sigaction action;

  ck_assert_int_eq (sigaction (signum, NULL, &action), 0);
  ck_assert (action.sa_handler == expected->sa_handler);
  ck_assert_int_eq (action.sa_flags & (SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_RESETHAND | SA_NOCLDSTOP),
                    expected->sa_flags);
#ifndef LOOP_WITH_TSAN /* which blocks all of them */
  for (int other = 1; other <= SIGRTMAX; other++)
    ck_assert_int_eq (sigismember (&action.sa_mask, other), sigismember (&expected->sa_mask, other));
#endif
}

typedef void (*Undo) (LoopEventLoop *loop, int signum);

static void
undo_by_remove (LoopEventLoop *loop, int signum)
{
  ck_assert (loop_event_loop_remove_signal_handler (loop, signum));
  loop_event_loop_close (loop);
  g_object_unref (loop);
}

static void
undo_by_close (LoopEventLoop *loop, int signum)
{
  ck_assert (loop_event_loop_close (loop));
  g_object_unref (loop);
}

static void
undo_by_dispose (LoopEventLoop *loop, int signum)
{
  g_object_unref (loop);
}

static void
check_undone (Undo undo)
{
  struct sigaction actions[] = {
    { .sa_handler = SIG_DFL },
    { .sa_handler = SIG_IGN },
    { .sa_handler = handle, .sa_flags = SA_RESTART | SA_NODEFER },
    { .sa_sigaction = handle_with_info, .sa_flags = SA_SIGINFO },
  };

  sigaddset (&actions[2].sa_mask, SIGUSR2);
  sigaddset (&actions[3].sa_mask, SIGRTMIN + 1);

  for (gsize i = 0; i < G_N_ELEMENTS (actions); i++)
    {
      LoopEventLoop *loop = loop_event_loop_new ();

      ck_assert_int_eq (sigaction (SIGCHLD, &actions[i], NULL), 0);
      ck_assert_int_eq (sigaction (SIGRTMIN, &actions[i], NULL), 0);
      add (loop, SIGCHLD);
      add (loop, SIGRTMIN);
      /* Replacing keeps what there was. */
      add (loop, SIGRTMIN);
      undo (loop, SIGRTMIN);
      check_action (SIGRTMIN, &actions[i]);
      check_action (SIGCHLD, &actions[i]);
    }
}

START_TEST (test_on_remove) { check_undone (undo_by_remove); }
END_TEST

START_TEST (test_on_close) { check_undone (undo_by_close); }
END_TEST

START_TEST (test_on_dispose) { check_undone (undo_by_dispose); }
END_TEST

/* It is called again, and the loop not any more. */
START_TEST (test_is_called)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  signal (SIGUSR1, handle);
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR1, step_run, step_new ('a'), step_destroy, NULL));
  raise (SIGUSR1);
  ck_assert_int_eq (n_handled, 0);
  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  raise (SIGUSR1);
  ck_assert_int_eq (n_handled, 1);
  run_for (loop, 0.005);
  check_steps ("A");
}
END_TEST

/* Who came after the loop stays. */
START_TEST (test_not_over_somebody_else)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGUSR1);
  signal (SIGUSR1, handle);
  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  raise (SIGUSR1);
  ck_assert_int_eq (n_handled, 1);
}
END_TEST

/* Who brings back what there was while the loop had the signal brings back nothing of the loop's. */
START_TEST (test_brought_back)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  struct sigaction ours;
  struct sigaction action;

  add (loop, SIGUSR1);
  ck_assert_int_eq (sigaction (SIGUSR1, NULL, &ours), 0);
  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  ck_assert_int_eq (sigaction (SIGUSR1, &ours, NULL), 0);
  raise (SIGUSR1);

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR1, step_run, step_new ('a'), step_destroy, NULL));
  raise (SIGUSR1);
  run_for (loop, 0.005);
  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  check_steps ("aA");
  ck_assert_int_eq (sigaction (SIGUSR1, NULL, &action), 0);
  ck_assert (action.sa_handler == SIG_DFL);
}
END_TEST

LOOP_TEST_MAIN ("signal-restore",
                test_on_remove,
                test_on_close,
                test_on_dispose,
                test_is_called,
                test_not_over_somebody_else,
                test_brought_back)
