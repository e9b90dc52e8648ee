/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-check.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* What a process gets: descriptors, surroundings and rights. */

/* Runs a command, and checks what it has written. */
static void
check_output (Tcp *tcp, LoopSubprocessOptions *options, const char *command, const char *output)
{
  g_autoptr (Child) child = child_shell (tcp, command, options);

  child_wait (tcp, child);
  ck_assert_str_eq (child->output[1]->str, output);
}

START_TEST (test_null_and_stdout)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();

  loop_subprocess_options_set_stdin (options, LOOP_SUBPROCESS_DEVNULL);
  loop_subprocess_options_set_stderr (options, LOOP_SUBPROCESS_STDOUT);
  check_output (&tcp, options, "cat; readlink /proc/self/fd/0; echo err >&2", "/dev/null\nerr\n");

  /* Nothing is there to be written where there is nothing. */
  loop_subprocess_options_set_stdout (options, LOOP_SUBPROCESS_DEVNULL);
  check_output (&tcp, options, "echo out; echo err >&2", "");
}
END_TEST

/* Descriptors that lie where the others are to be. */
START_TEST (test_fds_crossed)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  int fds[2];
  int saved[3];
  char text[16] = "";

  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
  for (int i = 0; i < 3; i++)
    saved[i] = fcntl (i, F_DUPFD_CLOEXEC, 10);
  ck_assert_int_eq (dup2 (fds[1], 0), 0);
  loop_subprocess_options_set_stdin (options, LOOP_SUBPROCESS_DEVNULL);
  loop_subprocess_options_set_stdout (options, 0);
  {
    g_autoptr (Child) child = child_shell (&tcp, "echo crossed; echo err >&2", options);

    child_wait (&tcp, child);
    ck_assert_str_eq (child->output[2]->str, "err\n");
  }
  ck_assert_int_eq (read (fds[0], text, sizeof text), 8);
  ck_assert_str_eq (text, "crossed\n");

  /* A program that was started without any. */
  close (0);
  close (1);
  loop_subprocess_options_set_stdout (options, LOOP_SUBPROCESS_PIPE);
  check_output (&tcp, options, "echo first", "first\n");

  for (int i = 0; i < 3; i++)
    {
      dup2 (saved[i], i);
      close (saved[i]);
    }
  close (fds[0]);
  close (fds[1]);
}
END_TEST

START_TEST (test_inherit)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  int saved = fcntl (1, F_DUPFD_CLOEXEC, 10);
  int fds[2];
  char text[16] = "";

  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
  dup2 (fds[1], 1);
  loop_subprocess_options_set_stdout (options, LOOP_SUBPROCESS_INHERIT);
  {
    g_autoptr (Child) child = child_shell (&tcp, "echo ours", options);

    ck_assert_ptr_null (loop_subprocess_transport_get_pipe_transport (child->transport, 1));
    ck_assert_ptr_nonnull (loop_subprocess_transport_get_pipe_transport (child->transport, 2));
    ck_assert_ptr_null (loop_subprocess_transport_get_pipe_transport (child->transport, 3));
    child_wait (&tcp, child);
  }
  dup2 (saved, 1);
  ck_assert_int_eq (read (fds[0], text, sizeof text), 5);
  ck_assert_str_eq (text, "ours\n");
  close (saved);
  close (fds[0]);
  close (fds[1]);
}
END_TEST

START_TEST (test_close_fds)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  g_autofree char *command = NULL;
  int open_fd = open ("/dev/null", O_RDONLY);
  int passed_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  gsize n_fds;

  command = g_strdup_printf ("for fd in %d %d; do [ -e /proc/self/fd/$fd ] && printf y || printf n; done", open_fd,
                             passed_fd);
  check_output (&tcp, options, command, "nn");
  loop_subprocess_options_set_pass_fds (options, &passed_fd, 1);
  ck_assert_int_eq (loop_subprocess_options_get_pass_fds (options, &n_fds)[0], passed_fd);
  ck_assert_uint_eq (n_fds, 1);
  check_output (&tcp, options, command, "ny");
  loop_subprocess_options_set_close_fds (options, FALSE);
  check_output (&tcp, options, command, "yy");
  ck_assert_int_eq (fcntl (passed_fd, F_GETFD), FD_CLOEXEC);
  close (open_fd);
  close (passed_fd);
}
END_TEST

START_TEST (test_surroundings)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  const char *const env[] = { "PATH=/bin:/usr/bin", "NAME=value", NULL };

  loop_subprocess_options_set_cwd (options, "/");
  loop_subprocess_options_set_env (options, env);
  loop_subprocess_options_set_umask (options, 0027);
  check_output (&tcp, options, "pwd; echo $NAME$HOME; umask", "/\nvalue\n0027\n");
}
END_TEST

/* The program is looked for in the new environment, and from the new directory. */
START_TEST (test_search)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  g_autofree char *directory = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (directory, "our-program", NULL);
  const char *const env[] = { "PATH=.", NULL };
  const char *argv[] = { "our-program", NULL };
  g_autoptr (Child) child = child_new ();
  g_autoptr (LoopFuture) future = NULL;

  ck_assert (g_file_set_contents (path, "#!/bin/sh\necho found\n", -1, NULL));
  ck_assert_int_eq (chmod (path, 0700), 0);
  loop_subprocess_options_set_cwd (options, directory);
  loop_subprocess_options_set_env (options, env);
  future = loop_event_loop_subprocess_exec (tcp.loop, argv, options, child_factory, child, NULL);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, future, NULL, NULL));
  child_wait (&tcp, child);
  ck_assert_str_eq (child->output[1]->str, "found\n");
  unlink (path);
  rmdir (directory);
}
END_TEST

START_TEST (test_executable)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();

  loop_subprocess_options_set_executable (options, "echo");
  check_output (&tcp, options, "text", "-c text\n");
}
END_TEST

START_TEST (test_session_and_group)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  g_autoptr (Child) child = NULL;
  pid_t pid;

  child = child_shell (&tcp, "read line", options);
  pid = loop_subprocess_transport_get_pid (child->transport);
  ck_assert_int_eq (getpgid (pid), getpgrp ());

  loop_subprocess_options_set_process_group (options, 0);
  {
    g_autoptr (Child) leader = child_shell (&tcp, "read line", options);
    pid_t leader_pid = loop_subprocess_transport_get_pid (leader->transport);

    ck_assert_int_eq (getpgid (leader_pid), leader_pid);
    ck_assert_int_eq (getsid (leader_pid), getsid (0));
    child_wait (&tcp, leader);
  }

  loop_subprocess_options_set_process_group (options, -1);
  loop_subprocess_options_set_start_new_session (options, TRUE);
  {
    g_autoptr (Child) leader = child_shell (&tcp, "read line", options);
    pid_t leader_pid = loop_subprocess_transport_get_pid (leader->transport);

    ck_assert_int_eq (getsid (leader_pid), leader_pid);
    child_wait (&tcp, leader);
  }
  child_wait (&tcp, child);
}
END_TEST

START_TEST (test_credentials)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  guint32 groups[] = { 4321, 1234 };
  gsize n_groups;

  tcp_skip_unless (getuid () == 0, "only root may become somebody else");
  ck_assert_ptr_null (loop_subprocess_options_get_extra_groups (options, &n_groups));
  loop_subprocess_options_set_uid (options, 12345);
  loop_subprocess_options_set_gid (options, 54321);
  loop_subprocess_options_set_extra_groups (options, groups, 2);
  check_output (&tcp, options, "id -u; id -g; id -G", "12345\n54321\n54321 1234 4321\n");
  ck_assert_uint_eq (loop_subprocess_options_get_extra_groups (options, &n_groups)[0], 4321);
  ck_assert_uint_eq (n_groups, 2);
  loop_subprocess_options_set_extra_groups (options, NULL, 0);
  ck_assert_ptr_nonnull (loop_subprocess_options_get_extra_groups (options, &n_groups));
  ck_assert_uint_eq (n_groups, 0);
  check_output (&tcp, options, "id -G", "54321\n");
  ck_assert_uint_eq (getuid (), 0);
}
END_TEST

static void
do_not_care (int signum)
{
}

/* Mask, handlers and what is ignored. */
START_TEST (test_signals)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  /* Without those of the C library. */
  const char *command = "exec sed -nE 's/^(Sig(Blk|Ign|Cgt)).*(.{7})$/\\1 \\3/p' /proc/self/status";
  sigset_t set;

  signal (SIGPIPE, SIG_IGN);
  signal (SIGUSR1, SIG_IGN);
  signal (SIGUSR2, do_not_care);
  sigemptyset (&set);
  sigaddset (&set, SIGUSR2);
  sigprocmask (SIG_BLOCK, &set, NULL);

  check_output (&tcp, options, command, "SigBlk 0000000\nSigIgn 0000200\nSigCgt 0000000\n");
  loop_subprocess_options_set_restore_signals (options, FALSE);
  check_output (&tcp, options, command, "SigBlk 0000000\nSigIgn 0001200\nSigCgt 0000000\n");

  ck_assert_int_eq (sigprocmask (SIG_BLOCK, NULL, &set), 0);
  ck_assert (sigismember (&set, SIGUSR2) && !sigismember (&set, SIGUSR1));
}
END_TEST

START_TEST (test_properties)
{
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  guint n;
  g_autofree GParamSpec **specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (options), &n);

  ck_assert_uint_eq (n, 13);
  for (guint i = 0; i < n; i++)
    {
      g_auto (GValue) value = G_VALUE_INIT;
      g_auto (GValue) found = G_VALUE_INIT;
      const char *strv[] = { "A=b", NULL };

      g_value_init (&value, specs[i]->value_type);
      g_value_init (&found, specs[i]->value_type);
      g_object_get_property (G_OBJECT (options), specs[i]->name, &found);
      if (specs[i]->value_type != G_TYPE_STRV)
        ck_assert_msg (g_param_value_defaults (specs[i], &found), "%s", specs[i]->name);
      if (G_VALUE_HOLDS_INT (&value))
        g_value_set_int (&value, 5);
      else if (G_VALUE_HOLDS_INT64 (&value))
        g_value_set_int64 (&value, 5);
      else if (G_VALUE_HOLDS_BOOLEAN (&value))
        g_value_set_boolean (&value, !g_value_get_boolean (&found));
      else if (G_VALUE_HOLDS_STRING (&value))
        g_value_set_string (&value, "text");
      else
        g_value_set_boxed (&value, strv);
      g_object_set_property (G_OBJECT (options), specs[i]->name, &value);
      g_object_get_property (G_OBJECT (options), specs[i]->name, &found);
      if (specs[i]->value_type != G_TYPE_STRV)
        ck_assert_int_eq (g_param_values_cmp (specs[i], &value, &found), 0);
      else
        ck_assert (g_strv_equal (g_value_get_boxed (&found), strv));
    }
}
END_TEST

LOOP_TEST_MAIN ("subprocess-options",
                test_null_and_stdout,
                test_fds_crossed,
                test_inherit,
                test_close_fds,
                test_surroundings,
                test_search,
                test_executable,
                test_session_and_group,
                test_credentials,
                test_signals,
                test_properties)
