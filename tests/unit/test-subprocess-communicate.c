/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-check.h"

#include <signal.h>

/* Processes of which only the outcome matters. */

static LoopSubprocessResult *
take_result (Tcp *tcp, LoopFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_event_loop_run_until_complete (tcp->loop, future, &value, &error), "%s",
                 error != NULL ? error->message : "");

  return g_value_dup_object (&value);
}

static LoopFuture *
communicate (Tcp *tcp, const char *command, LoopSubprocessOptions *options, GBytes *input)
{
  const char *argv[] = { "sh", "-c", command, NULL };

  return loop_event_loop_subprocess_communicate (tcp->loop, argv, options, input);
}

START_TEST (test_both_ways)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) input = tcp_random_bytes (4 * 1024 * 1024);
  g_autoptr (LoopFuture) future = communicate (&tcp, "tee /dev/stderr; exit 5", NULL, input);
  g_autoptr (LoopSubprocessResult) result = take_result (&tcp, future);

  ck_assert (g_bytes_equal (loop_subprocess_result_get_stdout (result), input));
  ck_assert (g_bytes_equal (loop_subprocess_result_get_stderr (result), input));
  ck_assert_int_eq (loop_subprocess_result_get_returncode (result), 5);
  ck_assert (child_has_none ());
}
END_TEST

START_TEST (test_no_pipes)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopSubprocessResult) result = NULL;

  loop_subprocess_options_set_stdout (options, LOOP_SUBPROCESS_DEVNULL);
  future = communicate (&tcp, "cat; echo x; kill -9 $$", options, NULL);
  result = take_result (&tcp, future);
  ck_assert_ptr_null (loop_subprocess_result_get_stdout (result));
  ck_assert_uint_eq (g_bytes_get_size (loop_subprocess_result_get_stderr (result)), 0);
  ck_assert_int_eq (loop_subprocess_result_get_returncode (result), -SIGKILL);
}
END_TEST

/* That a process does not read all is its own business. */
START_TEST (test_input_not_read)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) input = tcp_random_bytes (4 * 1024 * 1024);
  g_autoptr (LoopFuture) future = communicate (&tcp, "exit 0", NULL, input);
  g_autoptr (LoopSubprocessResult) result = take_result (&tcp, future);

  ck_assert_int_eq (loop_subprocess_result_get_returncode (result), 0);
}
END_TEST

START_TEST (test_no_program)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *argv[] = { "no-such-program-anywhere", NULL };
  g_autoptr (LoopFuture) future = loop_event_loop_subprocess_communicate (tcp.loop, argv, NULL, NULL);
  g_autoptr (GError) error = tcp_take_error (&tcp, future);

  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  tcp_assert_contains (error->message, "no-such-program-anywhere");
}
END_TEST

/* At once, and when the process runs. */
START_TEST (test_cancel)
{
  g_auto (Tcp) tcp = tcp_new ();

  for (int is_running = 0; is_running < 2; is_running++)
    {
      g_autoptr (LoopFuture) future = communicate (&tcp, "exec sleep 1000", NULL, NULL);

      if (is_running)
        tcp_run_for (tcp.loop, 0.01);
      loop_future_cancel (future);
      tcp_run_until (tcp.loop, child_has_none ());
    }
}
END_TEST

START_TEST (test_loop_closed)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = communicate (&tcp, "exec sleep 1000", NULL, NULL);
  g_autoptr (GError) error = NULL;

  tcp_run_for (tcp.loop, 0.01);
  tcp_close_loop (&tcp);
  ck_assert (!loop_future_result (future, NULL, &error));
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_CLOSED);
}
END_TEST

LOOP_TEST_MAIN ("subprocess-communicate",
                test_both_ways,
                test_no_pipes,
                test_input_not_read,
                test_no_program,
                test_cancel,
                test_loop_closed)
