/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-fd-watcher.h"
#include "loop-signal-watcher-private.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

/* What cannot be caught is refused with a reason, and the data is destroyed. */

static void
check_refused (LoopEventLoop *loop, int signum, GQuark domain, int code, const char *text)
{
  g_autoptr (GError) error = NULL;

  ck_assert (!loop_event_loop_add_signal_handler (loop, signum, step_run, step_new ('a'), step_destroy, &error));
  ck_assert_msg (g_error_matches (error, domain, code), "%d: %s", signum, error != NULL ? error->message : "no error");
  ck_assert_msg (strstr (error->message, text) != NULL, "%s", error->message);
  check_steps ("A");

  /* Without an error to set, and without data to destroy. */
  ck_assert (!loop_event_loop_add_signal_handler (loop, signum, do_nothing, NULL, NULL, NULL));
}

START_TEST (test_invalid)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  const struct
  {
    int signum;
    const char *text;
  } cases[] = {
    { 0, "signal 0" },
    { -1, "signal -1" },
    { -SIGTERM, "signal -15" },
    { SIGRTMAX + 1, "signal 65" },
    { 1000, "signal 1000" },
    { G_MAXINT, "signal 2147483647" },
    { G_MININT, "signal -2147483648" },
    { SIGKILL, "SIGKILL cannot be caught" },
    { SIGSTOP, "SIGSTOP cannot be caught" },
    { 32, "Signal 32 is reserved" },
    { 33, "Signal 33 is reserved" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    check_refused (loop, cases[i].signum, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, cases[i].text);
  ck_assert_uint_eq (loop->poller.n_watches, 0);
}
END_TEST

START_TEST (test_closed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_close (loop);
  check_refused (loop, SIGUSR1, LOOP_ERROR, LOOP_ERROR_CLOSED, "closed");
  ck_assert (!loop_event_loop_remove_signal_handler (loop, SIGUSR1));
}
END_TEST

static gpointer
add_elsewhere (gpointer loop)
{
  check_refused (loop, SIGUSR1, LOOP_ERROR, LOOP_ERROR_WRONG_THREAD, "thread");
  return NULL;
}

static void
start_thread (gpointer loop)
{
  g_thread_join (g_thread_new ("elsewhere", add_elsewhere, loop));
}

START_TEST (test_wrong_thread)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_set_debug (loop, TRUE);
  loop_event_loop_set_slow_callback_duration (loop, 100.0);
  loop_event_loop_call_soon (loop, start_thread, loop, NULL);
  run_once (loop);
}
END_TEST

START_TEST (test_other_loop_has_it)
{
  g_autoptr (LoopEventLoop) first = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) second = loop_event_loop_new ();

  ck_assert (loop_event_loop_add_signal_handler (first, SIGUSR1, do_nothing, NULL, NULL, NULL));
  check_refused (second, SIGUSR1, G_IO_ERROR, G_IO_ERROR_EXISTS, "SIGUSR1 is handled by another event loop");
  ck_assert (!loop_event_loop_remove_signal_handler (second, SIGUSR1));
  ck_assert_uint_eq (second->poller.n_watches, 0);
  ck_assert (loop_event_loop_remove_signal_handler (first, SIGUSR1));
}
END_TEST

START_TEST (test_no_descriptors)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;
  struct sigaction action;
  struct rlimit limit;
  struct rlimit none;
  int fd = dup (0);

  ck_assert_int_ge (fd, 0);
  close (fd);
  ck_assert_int_eq (getrlimit (RLIMIT_NOFILE, &limit), 0);
  none = limit;
  none.rlim_cur = (rlim_t) fd;
  ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &none), 0);
  ck_assert (!loop_event_loop_add_signal_handler (loop, SIGUSR1, step_run, step_new ('a'), step_destroy, &error));
  ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &limit), 0);
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES));
  check_steps ("A");

  sigaction (SIGUSR1, NULL, &action);
  ck_assert (action.sa_handler == SIG_DFL);
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR1, do_nothing, NULL, NULL, NULL));
}
END_TEST

/* The number of the eventfd is that of a file that was closed while it was watched. */
static void
close_loop (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  note_step ('!');
  if (user_data != NULL)
    ck_assert (loop_event_loop_close (loop));
}

static void
add_over_lost_watch (gboolean close_in_report)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;
  gboolean is_added;
  int fds[2];

  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
  loop_event_loop_set_exception_handler (loop, close_loop, close_in_report ? loop : NULL, NULL);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  close (fds[0]);

  is_added = loop_event_loop_add_signal_handler (loop, SIGUSR1, step_run, step_new ('a'), step_destroy, &error);
  ck_assert_int_eq (is_added, !close_in_report);
  if (is_added)
    {
      raise (SIGUSR1);
      run_once (loop);
      run_once (loop);
      check_steps ("R!a");
    }
  else
    {
      ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
      check_steps ("R!A");
    }
  close (fds[1]);
}

START_TEST (test_over_lost_watch) { add_over_lost_watch (FALSE); }
END_TEST

START_TEST (test_closed_on_the_way) { add_over_lost_watch (TRUE); }
END_TEST

/* Not one that was closed after that: the poller had only not been told yet. */
START_TEST (test_over_removed_watch)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int fds[2];

  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  run_once (loop);
  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  close (fds[0]);
  loop_event_loop_set_exception_handler (loop, close_loop, NULL, NULL);

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR1, step_run, step_new ('a'), step_destroy, NULL));
  raise (SIGUSR1);
  run_once (loop);
  run_once (loop);
  check_steps ("Ra");
  close (fds[1]);
}
END_TEST

/* The eventfd is not for others. */
START_TEST (test_descriptor_in_use)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR1, do_nothing, NULL, NULL, NULL));
  ck_assert (!loop_event_loop_add_reader_full (loop, loop->signal_watcher->watch.fd, step_run, step_new ('r'),
                                               step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE));
  check_steps ("R");
}
END_TEST

START_TEST (test_arguments)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_check_expect_critical ("*callback != NULL*");
  ck_assert (!loop_event_loop_add_signal_handler (loop, SIGUSR1, NULL, NULL, NULL, NULL));
  loop_check_expect_critical ("*LOOP_IS_EVENT_LOOP*");
  ck_assert (!loop_event_loop_add_signal_handler (NULL, SIGUSR1, do_nothing, NULL, NULL, NULL));
  loop_check_expect_critical ("*LOOP_IS_EVENT_LOOP*");
  ck_assert (!loop_event_loop_remove_signal_handler (NULL, SIGUSR1));
}
END_TEST

LOOP_TEST_MAIN ("signal-errors",
                test_invalid,
                test_closed,
                test_wrong_thread,
                test_other_loop_has_it,
                test_no_descriptors,
                test_over_lost_watch,
                test_over_removed_watch,
                test_closed_on_the_way,
                test_descriptor_in_use,
                test_arguments)
