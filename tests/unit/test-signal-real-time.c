/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-signal-watcher.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

/* Real-time signals are queued: each that was sent arrives. */

/* ThreadSanitizer makes one of several signals that wait. */
#ifdef LOOP_WITH_TSAN
#define IS_TSAN TRUE
#else
#define IS_TSAN FALSE
#endif

static void
queue (int signum, int n)
{
  const union sigval value = { .sival_int = 1 };

  for (int i = 0; i < n; i++)
    ck_assert_int_eq (sigqueue (getpid (), signum, value), 0);
}

static void
run_until_counted (LoopEventLoop *loop, const int *counter, int expected)
{
  for (int i = 0; i < 2000 && *counter < expected; i++)
    run_for (loop, 0.002);
  run_for (loop, 0.005);
  ck_assert_int_eq (*counter, expected);
}

START_TEST (test_each_is_run)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int first = 0;
  int last = 0;

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGRTMIN, count_up, &first, NULL, NULL));
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGRTMAX, count_up, &last, NULL, NULL));
  queue (SIGRTMIN, 500);
  queue (SIGRTMAX, 7);
  run_until_counted (loop, &first, 500);
  run_until_counted (loop, &last, 7);
}
END_TEST

/* Blocked while they are sent, so that it is the kernel that holds them; standard ones it holds once. */
START_TEST (test_queued_by_the_kernel)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int n_real_time = 0;
  int n_standard = 0;
  sigset_t set;

  if (IS_TSAN)
    return;

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGRTMIN + 1, count_up, &n_real_time, NULL, NULL));
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR1, count_up, &n_standard, NULL, NULL));

  sigemptyset (&set);
  sigaddset (&set, SIGRTMIN + 1);
  sigaddset (&set, SIGUSR1);
  ck_assert_int_eq (sigprocmask (SIG_BLOCK, &set, NULL), 0);
  queue (SIGRTMIN + 1, 200);
  queue (SIGUSR1, 200);
  run_for (loop, 0.005);
  ck_assert_int_eq (n_real_time, 0);
  ck_assert_int_eq (n_standard, 0);

  ck_assert_int_eq (sigprocmask (SIG_UNBLOCK, &set, NULL), 0);
  run_until_counted (loop, &n_real_time, 200);
  ck_assert_int_eq (n_standard, 1);
}
END_TEST

/* One at a time, with other callbacks in between. */
static void
note_r (gpointer data)
{
  LoopEventLoop *loop = data;

  note_step ('r');
  loop_event_loop_call_soon (loop, step_run, step_new ('s'), g_free);
}

START_TEST (test_others_have_their_turn)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGRTMIN, note_r, loop, NULL, NULL));
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGTERM, step_run, step_new ('t'), g_free, NULL));
  queue (SIGRTMIN, 3);
  raise (SIGTERM);
  for (int i = 0; i < 6; i++)
    run_once (loop);
  check_steps ("trrsrss");
}
END_TEST

START_TEST (test_posix_timer)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 5 };
  struct itimerspec spec = { .it_value.tv_nsec = 1000000 };
  timer_t timer;
  int n = 0;

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGRTMIN + 5, count_up, &n, NULL, NULL));
  ck_assert_int_eq (timer_create (CLOCK_MONOTONIC, &event, &timer), 0);
  ck_assert_int_eq (timer_settime (timer, 0, &spec, NULL), 0);
  run_until_counted (loop, &n, 1);
  timer_delete (timer);
}
END_TEST

LOOP_TEST_MAIN ("signal-real-time",
                test_each_is_run,
                test_queued_by_the_kernel,
                test_others_have_their_turn,
                test_posix_timer)
