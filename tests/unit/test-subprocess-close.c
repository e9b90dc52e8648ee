/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-check.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Processes that are signalled, closed, cancelled and left behind. None of them becomes a zombie. */

static void
wait_for_no_children (void)
{
  while (!child_has_none ())
    g_usleep (1000);
}

START_TEST (test_signals)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_shell (&tcp, "trap 'echo usr1' USR1; echo ready; while :; do read line; done", NULL);
  g_autoptr (GError) error = NULL;

  ck_assert (!loop_subprocess_transport_get_returncode (child->transport, NULL));
  ck_assert_int_eq (kill (loop_subprocess_transport_get_pid (child->transport), 0), 0);
  tcp_run_until (tcp.loop, child->output[1]->len == 6);
  ck_assert (loop_subprocess_transport_send_signal (child->transport, SIGUSR1, NULL));
  tcp_run_until (tcp.loop, child->output[1]->len == 11);
  ck_assert_str_eq (child->output[1]->str, "ready\nusr1\n");
  ck_assert (loop_subprocess_transport_terminate (child->transport, NULL));
  tcp_run_until (tcp.loop, child->n_lost == 1);
  ck_assert_int_eq (child->returncode, -SIGTERM);
  ck_assert (!loop_subprocess_transport_kill (child->transport, &error));
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
}
END_TEST

START_TEST (test_bad_signal)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_shell (&tcp, "read line", NULL);
  g_autoptr (GError) error = NULL;

  ck_assert (!loop_subprocess_transport_send_signal (child->transport, 1000, &error));
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  ck_assert (loop_subprocess_transport_kill (child->transport, NULL));
  tcp_run_until (tcp.loop, child->n_lost == 1);
  ck_assert_int_eq (child->returncode, -SIGKILL);
}
END_TEST

START_TEST (test_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_shell (&tcp, "exec sleep 1000", NULL);

  loop_subprocess_transport_close (child->transport);
  ck_assert (loop_subprocess_transport_is_closing (child->transport));
  loop_subprocess_transport_close (child->transport);
  tcp_run_until (tcp.loop, child->n_lost == 1);
  ck_assert_int_eq (child->returncode, -SIGKILL);
  ck_assert (child_has_none ());
}
END_TEST

START_TEST (test_cancel)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_new ();
  g_autoptr (LoopFuture) future =
      loop_event_loop_subprocess_shell (tcp.loop, "exec sleep 1000", NULL, child_factory, child, NULL);

  loop_future_cancel (future);
  tcp_run_until (tcp.loop, child->n_lost == 1);
  ck_assert_int_eq (child->returncode, -SIGKILL);
  ck_assert (child_has_none ());
}
END_TEST

/* Before and after the process is known to run, and when it has ended and its pipe is open still. */
START_TEST (test_loop_closed)
{
  for (int stage = 0; stage < 3; stage++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (Child) child = child_new ();
      g_autoptr (LoopFuture) future = loop_event_loop_subprocess_shell (
          tcp.loop, stage < 2 ? "exec sleep 1000" : "sleep 1000 & echo $!", NULL, child_factory, child, NULL);

      if (stage > 0)
        ck_assert (loop_event_loop_run_until_complete (tcp.loop, future, NULL, NULL));
      if (stage == 2)
        tcp_run_until (tcp.loop, child->n_exited == 1);
      tcp_close_loop (&tcp);
      wait_for_no_children ();
      ck_assert_uint_eq (child->n_lost, 0);
      if (stage == 0)
        {
          g_autoptr (GError) error = NULL;

          ck_assert (!loop_future_result (future, NULL, &error));
          tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
        }
      if (stage == 2)
        kill ((pid_t) g_ascii_strtoll (child->output[1]->str, NULL, 10), SIGKILL);
    }
}
END_TEST

START_TEST (test_debug)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = NULL;

  loop_event_loop_set_debug (tcp.loop, TRUE);
  child = child_shell (&tcp, "exec sleep 1000", NULL);
  loop_check_expect_warning ("*closed with the transport of process*sh*");
  for (int i = 0; i < 3; i++)
    loop_check_expect_warning ("*transport*still open*");
  tcp_close_loop (&tcp);
  wait_for_no_children ();
}
END_TEST

/* The copy of the loop that a child of a fork has is not its parent's: nothing is killed. */
START_TEST (test_fork)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_shell (&tcp, "read line; exit 7", NULL);
  pid_t pid = fork ();
  int status;

  if (pid == 0)
    {
      loop_event_loop_close (tcp.loop);
      _exit (0);
    }
  ck_assert_int_eq (waitpid (pid, &status, 0), pid);
  ck_assert_int_eq (status, 0);
  child_wait (&tcp, child);
  ck_assert_int_eq (child->returncode, 7);
}
END_TEST

LOOP_TEST_MAIN ("subprocess-close",
                test_signals,
                test_bad_signal,
                test_close,
                test_cancel,
                test_loop_closed,
                test_debug,
                test_fork)
