/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-check.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Processes: what their protocol is told, and in which order. */

START_TEST (test_order)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_shell (&tcp, "echo out; echo err >&2; exit 3", NULL);

  child_wait (&tcp, child);
  ck_assert_str_eq (child->output[1]->str, "out\n");
  ck_assert_str_eq (child->output[2]->str, "err\n");
  ck_assert_int_eq (child->returncode, 3);
  ck_assert (g_str_has_prefix (child->events->str, "made "));
  ck_assert_msg (g_str_has_suffix (child->events->str, " exited lost"), "%s", child->events->str);
  ck_assert (child_has_none ());
}
END_TEST

/* A child that ends at once, and much that it has written: all of it comes before its end. C12. */
START_TEST (test_drained)
{
  g_auto (Tcp) tcp = tcp_new ();

  for (int i = 0; i < 20; i++)
    {
      g_autoptr (Child) child = child_shell (&tcp, "head -c 60000 /dev/zero", NULL);

      child_wait (&tcp, child);
      ck_assert_uint_eq (child->output[1]->len, 60000);
      ck_assert_msg (strstr (child->events->str, "1:data") != NULL && strstr (child->events->str, "1:lost") != NULL &&
                         g_str_has_suffix (child->events->str, " exited lost"),
                     "%s", child->events->str);
    }
}
END_TEST

START_TEST (test_large_output)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_shell (&tcp, "head -c 20000000 /dev/zero", NULL);

  child_wait (&tcp, child);
  ck_assert_uint_eq (child->output[1]->len, 20000000);
  ck_assert_int_eq (child->returncode, 0);
}
END_TEST

/* A process that is left behind has the pipe: it is open until that has gone as well. */
START_TEST (test_grandchild)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_shell (&tcp, "exec 3<&0; (read line <&3; echo late) & exit 0", NULL);
  LoopTransport *input = loop_subprocess_transport_get_pipe_transport (child->transport, 0);

  tcp_run_until (tcp.loop, child->n_exited == 1);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (child->n_lost, 0);
  loop_transport_write (input, (const guint8 *) "go\n", 3);
  tcp_run_until (tcp.loop, child->n_lost == 1);
  ck_assert_str_eq (child->output[1]->str, "late\n");
}
END_TEST

static void
write_much (LoopSubprocessTransport *transport)
{
  LoopTransport *input = loop_subprocess_transport_get_pipe_transport (transport, 0);
  g_autoptr (GBytes) bytes = tcp_random_bytes (8 * 1024 * 1024);

  loop_transport_write_bytes (input, bytes);
  loop_transport_write_eof (input);
}

START_TEST (test_input)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_new ();
  g_autoptr (LoopFuture) future = NULL;

  child->made = write_much;
  future = loop_event_loop_subprocess_shell (tcp.loop, "exec wc -c", NULL, child_factory, child, NULL);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, future, NULL, NULL));
  tcp_run_until (tcp.loop, child->n_lost == 1);
  ck_assert_str_eq (child->output[1]->str, "8388608\n");
  ck_assert_uint_eq (child->n_paused, 1);
  ck_assert_uint_eq (child->n_resumed, 1);
  ck_assert_ptr_null (child->error);
}
END_TEST

/* The process does not want to know. */
START_TEST (test_input_refused)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_new ();
  g_autoptr (LoopFuture) future = NULL;

  child->made = write_much;
  future = loop_event_loop_subprocess_shell (tcp.loop, "exec true", NULL, child_factory, child, NULL);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, future, NULL, NULL));
  tcp_run_until (tcp.loop, child->n_lost == 1);
  tcp_assert_error (child->error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  ck_assert_int_eq (child->returncode, 0);
}
END_TEST

START_TEST (test_pause_reading)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_shell (&tcp, "read line; echo out", NULL);
  LoopTransport *output = loop_subprocess_transport_get_pipe_transport (child->transport, 1);

  loop_transport_pause_reading (output);
  loop_transport_close (loop_subprocess_transport_get_pipe_transport (child->transport, 0));
  tcp_run_until (tcp.loop, child->n_exited == 1);
  ck_assert_uint_eq (child->output[1]->len, 0);
  loop_transport_resume_reading (output);
  tcp_run_until (tcp.loop, child->n_lost == 1);
  ck_assert_str_eq (child->output[1]->str, "out\n");
}
END_TEST

START_TEST (test_set_protocol)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = child_shell (&tcp, "read line; echo out", NULL);
  g_autoptr (Child) other = child_new ();
  g_autoptr (GObject) protocol = child_factory (other);

  /* It is not called by the transport, but a protocol of plain functions learns its transport from it. */
  loop_subprocess_protocol_connection_made ((LoopSubprocessProtocol *) protocol, child->transport);
  loop_subprocess_transport_set_protocol (child->transport, protocol);
  ck_assert_ptr_eq (loop_subprocess_transport_get_protocol (child->transport), protocol);
  child_wait (&tcp, other);
  ck_assert_str_eq (other->output[1]->str, "out\n");
  ck_assert_str_eq (child->events->str, "made");
  ck_assert_ptr_null (loop_subprocess_transport_get_protocol (child->transport));
}
END_TEST

static void
check_returncode (Tcp *tcp, const char *command, int returncode)
{
  g_autoptr (Child) child = child_shell (tcp, command, NULL);
  int found = -1;

  child_wait (tcp, child);
  ck_assert (loop_subprocess_transport_get_returncode (child->transport, &found));
  ck_assert_int_eq (found, returncode);
}

START_TEST (test_returncodes)
{
  g_auto (Tcp) tcp = tcp_new ();

  check_returncode (&tcp, "exit 0", 0);
  check_returncode (&tcp, "exit 255", 255);
  check_returncode (&tcp, "exit 130", 130);
  check_returncode (&tcp, "kill -TERM $$", -SIGTERM);
  check_returncode (&tcp, "kill -HUP $$", -SIGHUP);
  check_returncode (&tcp, "ulimit -c 0; kill -SEGV $$", -SIGSEGV);
  ck_assert (child_has_none ());
}
END_TEST

/* Fault 36. */
START_TEST (test_thousand_children)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  Child *children[1000];
  const int n_at_once = 50;

  loop_subprocess_options_set_stdin (options, LOOP_SUBPROCESS_DEVNULL);
  for (int i = 0; i < 1000; i++)
    {
      g_autofree char *command = g_strdup_printf ("exit %d", i % 256);
      g_autoptr (LoopFuture) future = NULL;

      children[i] = child_new ();
      future = loop_event_loop_subprocess_shell (tcp.loop, command, options, child_factory, children[i], NULL);
      if (i >= n_at_once)
        tcp_run_until (tcp.loop, children[i - n_at_once]->n_lost == 1);
    }
  for (int i = 0; i < 1000; i++)
    {
      tcp_run_until (tcp.loop, children[i]->n_lost == 1);
      ck_assert_int_eq (children[i]->returncode, i % 256);
      child_free (children[i]);
    }
  ck_assert (child_has_none ());
}
END_TEST

LOOP_TEST_MAIN_TIMEOUT ("subprocess",
                        60,
                        test_order,
                        test_drained,
                        test_large_output,
                        test_grandchild,
                        test_input,
                        test_input_refused,
                        test_pause_reading,
                        test_set_protocol,
                        test_returncodes,
                        test_thousand_children)
