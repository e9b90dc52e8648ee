/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-check.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* Processes in a small world: one whose numbers are given out again soon, and one whose disk is full. */

/* What a namespace says that may not be made here. */
#define SKIPPED 77

static void
write_file (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);

  ck_assert_msg (fd >= 0, "%s: %s", path, g_strerror (errno));
  ck_assert_int_eq (write (fd, text, strlen (text)), (gssize) strlen (text));
  close (fd);
}

/* In a process of its own, where it is the first one. */
static void
run_in_namespace (void (*function) (void))
{
  int flags = CLONE_NEWPID | CLONE_NEWNS;
  int status;
  pid_t pid = fork ();

  ck_assert_int_ge (pid, 0);
  if (pid == 0)
    {
      if (unshare (flags) < 0 || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        _exit (SKIPPED);
      pid = fork ();
      if (pid == 0)
        {
          if (mount ("proc", "/proc", "proc", 0, NULL) < 0)
            _exit (SKIPPED);
          function ();
          _exit (0);
        }
      waitpid (pid, &status, 0);
      _exit (WIFEXITED (status) ? WEXITSTATUS (status) : 1);
    }
  ck_assert_int_eq (waitpid (pid, &status, 0), pid);
  ck_assert (WIFEXITED (status));
  tcp_skip_unless (WEXITSTATUS (status) != SKIPPED, "this process may not have namespaces of its own");
  ck_assert_int_eq (WEXITSTATUS (status), 0);
}

/* The next process has this number, unless one has it. */
static void
set_next_pid (pid_t pid)
{
  g_autofree char *text = g_strdup_printf ("%d", (int) pid - 1);

  write_file ("/proc/sys/kernel/ns_last_pid", text);
}

static Child *
start (Tcp *tcp, const char *command, pid_t pid)
{
  Child *child;

  set_next_pid (pid);
  child = child_shell (tcp, command, NULL);
  ck_assert_int_eq (loop_subprocess_transport_get_pid (child->transport), pid);

  return child;
}

/*
 * All have the same number, one after another, while the transports of those before are there still:
 * each has its own status, and a signal that is meant for an earlier one reaches nobody.
 */
static void
use_number_again (void)
{
  g_auto (Tcp) tcp = tcp_new ();
  Child *children[50];

  if (access ("/proc/sys/kernel/ns_last_pid", W_OK) < 0)
    _exit (SKIPPED);

  for (int i = 0; i < (int) G_N_ELEMENTS (children); i++)
    {
      g_autofree char *command = g_strdup_printf ("read line; exit %d", i);

      children[i] = start (&tcp, command, 4242);
      for (int j = 0; j < i; j++)
        {
          g_autoptr (GError) error = NULL;

          ck_assert (!loop_subprocess_transport_kill (children[j]->transport, &error));
          tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
          loop_subprocess_transport_close (children[j]->transport);
        }
      loop_transport_close (loop_subprocess_transport_get_pipe_transport (children[i]->transport, 0));
      tcp_run_until (tcp.loop, children[i]->n_lost == 1);
      ck_assert_int_eq (children[i]->returncode, i);
    }
  for (int i = 0; i < (int) G_N_ELEMENTS (children); i++)
    child_free (children[i]);
  ck_assert (child_has_none ());
}

/* Past the last number, where the kernel begins anew. */
static void
wrap_around (void)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *text = NULL;
  Child *children[100];
  pid_t max;
  pid_t last = 0;
  guint n_wrapped = 0;

  if (access ("/proc/sys/kernel/ns_last_pid", W_OK) < 0)
    _exit (SKIPPED);

  ck_assert (g_file_get_contents ("/proc/sys/kernel/pid_max", &text, NULL, NULL));
  max = atoi (text);
  set_next_pid (max - 50);
  for (int i = 0; i < (int) G_N_ELEMENTS (children); i++)
    {
      g_autofree char *command = g_strdup_printf ("exit %d", i);

      children[i] = child_shell (&tcp, command, NULL);
      n_wrapped += loop_subprocess_transport_get_pid (children[i]->transport) < last;
      last = loop_subprocess_transport_get_pid (children[i]->transport);
    }
  ck_assert_uint_eq (n_wrapped, 1);
  for (int i = 0; i < (int) G_N_ELEMENTS (children); i++)
    {
      tcp_run_until (tcp.loop, children[i]->n_lost == 1);
      ck_assert_int_eq (children[i]->returncode, i);
      child_free (children[i]);
    }
  ck_assert (child_has_none ());
}

/* Fault 36. */
START_TEST (test_number_used_again) { run_in_namespace (use_number_again); }
END_TEST

START_TEST (test_numbers_wrap) { run_in_namespace (wrap_around); }
END_TEST

static void
write_much (LoopSubprocessTransport *transport)
{
  LoopTransport *input = loop_subprocess_transport_get_pipe_transport (transport, 0);
  g_autoptr (GBytes) bytes = tcp_random_bytes (4 * 1024 * 1024);

  loop_transport_write_bytes (input, bytes);
  loop_transport_write_eof (input);
}

static void
fill_disk (void)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  g_autoptr (Child) writer = child_new ();
  g_autoptr (Child) redirected = NULL;
  g_autoptr (LoopFuture) future = NULL;
  int fd;

  if (mount ("none", "/mnt", "tmpfs", 0, "size=1m") < 0)
    _exit (SKIPPED);

  /* By way of a pipe: the process cannot write on, so that we cannot. */
  writer->made = write_much;
  future = loop_event_loop_subprocess_shell (tcp.loop, "exec cat >/mnt/piped", NULL, child_factory, writer, NULL);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, future, NULL, NULL));
  tcp_run_until (tcp.loop, writer->n_lost == 1);
  tcp_assert_error (writer->error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  tcp_assert_contains (writer->output[2]->str, "No space left");
  ck_assert_int_eq (writer->returncode, 1);

  /* A process that writes to a file that we have opened. */
  fd = open ("/mnt/redirected", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ck_assert_int_ge (fd, 0);
  loop_subprocess_options_set_stdout (options, fd);
  redirected = child_shell (&tcp, "exec head -c 2000000 /dev/zero", options);
  close (fd);
  child_wait (&tcp, redirected);
  tcp_assert_contains (redirected->output[2]->str, "No space left");
  ck_assert_int_eq (redirected->returncode, 1);
  ck_assert (child_has_none ());
}

/* Fault 23. */
START_TEST (test_disk_full) { run_in_namespace (fill_disk); }
END_TEST

LOOP_TEST_MAIN ("subprocess-namespaces", test_number_used_again, test_numbers_wrap, test_disk_full)
