/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-signal-watcher-private.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* Catching a signal, replacing its callback and removing it. */

/* The signal has been handled when raise() returns. Then it takes two iterations: one to see it, one to run. */
static void
run_signals (LoopEventLoop *loop)
{
  run_once (loop);
  run_once (loop);
}

static void
add (LoopEventLoop *loop, int signum, char letter)
{
  g_autoptr (GError) error = NULL;

  ck_assert (loop_event_loop_add_signal_handler (loop, signum, step_run, step_new (letter), step_destroy, &error));
  ck_assert_ptr_null (error);
}

START_TEST (test_catch)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGUSR1, 'a');
  run_signals (loop);
  check_steps ("");

  raise (SIGUSR1);
  check_steps ("");
  run_signals (loop);
  check_steps ("a");
  run_signals (loop);
  check_steps ("");

  raise (SIGUSR1);
  run_signals (loop);
  raise (SIGUSR1);
  run_signals (loop);
  check_steps ("aa");

  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  check_steps ("A");
}
END_TEST

/* A loop that sleeps is woken. */
static void
note_and_stop (gpointer loop)
{
  note_step ('t');
  loop_event_loop_stop (loop);
}

START_TEST (test_wakes_up)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  gint64 begun = g_get_monotonic_time ();

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGALRM, note_and_stop, loop, NULL, NULL));
  ualarm (20000, 0);
  run_for (loop, 10.0);
  check_steps ("t");
  ck_assert_int_lt (g_get_monotonic_time () - begun, 5 * G_USEC_PER_SEC);
}
END_TEST

START_TEST (test_several)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGUSR1, 'a');
  add (loop, SIGUSR2, 'b');
  add (loop, SIGTERM, 'c');
  raise (SIGUSR2);
  run_signals (loop);
  check_steps ("b");
  raise (SIGTERM);
  raise (SIGUSR1);
  run_signals (loop);
  {
    g_autofree char *steps = take_steps ();
    ck_assert (g_str_equal (steps, "ac") || g_str_equal (steps, "ca"));
  }

  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  raise (SIGUSR2);
  run_signals (loop);
  check_steps ("Ab");
}
END_TEST

START_TEST (test_replace)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGUSR1, 'a');
  add (loop, SIGUSR1, 'b');
  check_steps ("A");
  raise (SIGUSR1);
  run_signals (loop);
  check_steps ("b");
  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  ck_assert (!loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  check_steps ("B");
}
END_TEST

/* What came before is not lost on the new callback, whether the loop has seen it or not. */
START_TEST (test_replace_while_pending)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGUSR1, 'a');
  raise (SIGUSR1);
  add (loop, SIGUSR1, 'b');
  run_signals (loop);
  check_steps ("Ab");

  raise (SIGUSR1);
  run_once (loop);
  add (loop, SIGUSR1, 'c');
  run_signals (loop);
  check_steps ("Bc");
}
END_TEST

/* What came before is not delivered once the callback is removed, even if it is added again. */
START_TEST (test_remove_while_pending)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGUSR1, 'a');
  raise (SIGUSR1);
  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  add (loop, SIGUSR1, 'b');
  run_signals (loop);
  check_steps ("A");

  raise (SIGUSR1);
  run_once (loop);
  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  add (loop, SIGUSR1, 'c');
  run_signals (loop);
  check_steps ("B");
  raise (SIGUSR1);
  run_signals (loop);
  check_steps ("c");
}
END_TEST

START_TEST (test_remove_what_is_not_there)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  static const int signums[] = { SIGUSR1, SIGKILL, 0, -1, 32, NSIG, 1000, G_MAXINT, G_MININT };

  for (gsize i = 0; i < G_N_ELEMENTS (signums); i++)
    ck_assert (!loop_event_loop_remove_signal_handler (loop, signums[i]));
  add (loop, SIGUSR1, 'a');
  ck_assert (!loop_event_loop_remove_signal_handler (loop, SIGUSR2));
  for (gsize i = 1; i < G_N_ELEMENTS (signums); i++)
    ck_assert (!loop_event_loop_remove_signal_handler (loop, signums[i]));
  check_steps ("");
}
END_TEST

/* Without handlers there is no descriptor and nothing to poll. */
START_TEST (test_costs_nothing_when_idle)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  ck_assert_uint_eq (loop->poller.n_watches, 0);
  ck_assert_ptr_null (loop->signal_watcher);
  for (int i = 0; i < 3; i++)
    {
      add (loop, SIGUSR1, 'a');
      add (loop, SIGUSR2, 'b');
      ck_assert_uint_eq (loop->poller.n_watches, 1);
      ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
      ck_assert_uint_eq (loop->poller.n_watches, 1);
      ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR2));
      ck_assert_uint_eq (loop->poller.n_watches, 0);
      ck_assert_int_eq (loop->signal_watcher->watch.fd, -1);
    }
}
END_TEST

/* Every one that can be caught. */
START_TEST (test_every_signal)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  for (int signum = 1; signum <= SIGRTMAX; signum++)
    {
      if (signum == SIGKILL || signum == SIGSTOP || (signum > SIGSYS && signum < SIGRTMIN))
        continue;

      add (loop, signum, 'a');
      raise (signum);
      run_signals (loop);
      ck_assert (loop_event_loop_remove_signal_handler (loop, signum));
      check_steps ("aA");
    }
}
END_TEST

START_TEST (test_errno_is_kept)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGUSR1, 'a');
  /* The write fails. */
  close (loop->signal_watcher->watch.fd);
  errno = EDOM;
  raise (SIGUSR1);
  ck_assert_int_eq (errno, EDOM);
}
END_TEST

/* An inspector, and whoever reads the log, is told which signal it is. */
static void
describe_current (gpointer data)
{
  LoopEventLoop *loop = loop_event_loop_get_running ();
  LoopDescription description = { .fd = -1 };
  char **text = data;

  loop_ready_item_describe (loop->current.item, &description);
  *text = loop_description_to_string (&description);
  g_usleep (2000);
}

START_TEST (test_description)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree char *text = NULL;
  g_autofree char *real_time = NULL;

  loop_event_loop_set_debug (loop, TRUE);
  loop_event_loop_set_slow_callback_duration (loop, 0.001);
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGTERM, describe_current, &text, NULL, NULL));
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGRTMIN + 3, describe_current, &real_time, NULL, NULL));

  loop_check_expect_warning ("Executing signal #* SIGTERM took 0.*");
  raise (SIGTERM);
  run_signals (loop);
  ck_assert_msg (g_pattern_match_simple ("signal #* SIGTERM", text), "%s", text);

  loop_check_expect_warning ("Executing signal #* SIGRTMIN+3 took 0.*");
  raise (SIGRTMIN + 3);
  run_signals (loop);
  ck_assert_msg (g_pattern_match_simple ("signal #* SIGRTMIN+3", real_time), "%s", real_time);
}
END_TEST

LOOP_TEST_MAIN ("signal-handler",
                test_catch,
                test_wakes_up,
                test_several,
                test_replace,
                test_replace_while_pending,
                test_remove_while_pending,
                test_remove_what_is_not_there,
                test_costs_nothing_when_idle,
                test_every_signal,
                test_errno_is_kept,
                test_description)
