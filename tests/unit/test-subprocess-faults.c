/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-check.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Processes that cannot be started, and kernels that cannot do all. The clone(), pipe2() and
 * syscall() of this program stand before the real ones.
 */

static struct
{
  int clone_errno;
  gboolean has_no_pidfd;
  int n_pipes; /* that can be made before there are no more; -1: any number */
} fault = { .n_pipes = -1 };

typedef int (*Clone) (int (*func) (void *), void *stack, int flags, void *data, ...);

int
clone (int (*func) (void *), void *stack, int flags, void *data, ...)
{
  Clone real = (Clone) dlsym (RTLD_NEXT, "clone");
  int *pidfd = NULL;
  va_list args;

  if (fault.clone_errno != 0)
    {
      errno = fault.clone_errno;
      return -1;
    }
  if ((flags & CLONE_PIDFD) != 0)
    {
      if (fault.has_no_pidfd)
        {
          errno = EINVAL;
          return -1;
        }
      va_start (args, data);
      pidfd = va_arg (args, int *);
      va_end (args);
    }

  return real (func, stack, flags, data, pidfd);
}

int
pipe2 (int fds[2], int flags)
{
  int (*real) (int *, int) = (int (*) (int *, int)) dlsym (RTLD_NEXT, "pipe2");

  if (fault.n_pipes == 0)
    {
      errno = EMFILE;
      return -1;
    }
  if (fault.n_pipes > 0)
    fault.n_pipes--;

  return real (fds, flags);
}

long
syscall (long number, ...)
{
  long (*real) (long, ...) = (long (*) (long, ...)) dlsym (RTLD_NEXT, "syscall");
  long a[6];
  va_list args;

  va_start (args, number);
  for (int i = 0; i < 6; i++)
    a[i] = va_arg (args, long);
  va_end (args);
  if (fault.has_no_pidfd && (number == SYS_pidfd_open || number == SYS_pidfd_send_signal))
    {
      errno = ENOSYS;
      return -1;
    }

  return real (number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void
check_fails (Tcp *tcp, const char *program, LoopSubprocessOptions *options, int code, const char *text)
{
  const char *argv[] = { program, NULL };
  g_autoptr (Child) child = child_new ();
  g_autoptr (LoopFuture) future =
      loop_event_loop_subprocess_exec (tcp->loop, argv, options, child_factory, child, NULL);
  g_autoptr (GError) error = tcp_take_error (tcp, future);

  tcp_assert_error (error, G_IO_ERROR, code);
  tcp_assert_contains (error->message, program);
  tcp_assert_contains (error->message, text);
  ck_assert_str_eq (child->events->str, "");
  ck_assert (child_has_none ());
}

/* Fault 12. */
START_TEST (test_exec_errors)
{
  g_auto (Tcp) tcp = tcp_new ();

  check_fails (&tcp, "no-such-program-anywhere", NULL, G_IO_ERROR_NOT_FOUND, "No such file");
  check_fails (&tcp, "/no/such/program", NULL, G_IO_ERROR_NOT_FOUND, "No such file");
  check_fails (&tcp, "/etc/passwd", NULL, G_IO_ERROR_PERMISSION_DENIED, "Permission denied");
  check_fails (&tcp, "/etc/passwd/x", NULL, G_IO_ERROR_NOT_DIRECTORY, "Not a directory");
  check_fails (&tcp, "", NULL, G_IO_ERROR_NOT_FOUND, "Could not run “”");
}
END_TEST

START_TEST (test_option_errors)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopSubprocessOptions) options = loop_subprocess_options_new ();
  int closed = 999;

  loop_subprocess_options_set_cwd (options, "/no/such/directory");
  check_fails (&tcp, "true", options, G_IO_ERROR_NOT_FOUND, "/no/such/directory");
  loop_subprocess_options_set_cwd (options, NULL);
  loop_subprocess_options_set_process_group (options, G_MAXINT);
  check_fails (&tcp, "true", options, G_IO_ERROR_PERMISSION_DENIED, "process group");
  loop_subprocess_options_set_process_group (options, -1);
  loop_subprocess_options_set_stdout (options, closed);
  check_fails (&tcp, "true", options, g_io_error_from_errno (EBADF), "descriptors");
  loop_subprocess_options_set_stdout (options, LOOP_SUBPROCESS_PIPE);
  loop_subprocess_options_set_pass_fds (options, &closed, 1);
  check_fails (&tcp, "true", options, g_io_error_from_errno (EBADF), "descriptors");
}
END_TEST

START_TEST (test_clone_fails)
{
  g_auto (Tcp) tcp = tcp_new ();

  fault.clone_errno = EAGAIN;
  check_fails (&tcp, "true", NULL, g_io_error_from_errno (EAGAIN), "Could not run");
}
END_TEST

START_TEST (test_no_descriptors)
{
  g_auto (Tcp) tcp = tcp_new ();

  for (int i = 0; i < 4; i++)
    {
      const char *argv[] = { "true", NULL };
      g_autoptr (Child) child = child_new ();
      g_autoptr (LoopFuture) future = NULL;
      g_autoptr (GError) error = NULL;

      fault.n_pipes = i;
      future = loop_event_loop_subprocess_exec (tcp.loop, argv, NULL, child_factory, child, NULL);
      error = tcp_take_error (&tcp, future);
      tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
      ck_assert (child_has_none ());
    }
}
END_TEST

START_TEST (test_bad_factory)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future =
      loop_event_loop_subprocess_shell (tcp.loop, "true", NULL, tcp_make_no_protocol, NULL, NULL);
  g_autoptr (GError) error = tcp_take_error (&tcp, future);

  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY);
  ck_assert (child_has_none ());
}
END_TEST

/* A kernel, or a sandbox, without pidfds: it is said, and then all is as it was. */
START_TEST (test_no_pidfd)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (Child) child = NULL;
  g_autoptr (Child) other = NULL;

  fault.has_no_pidfd = TRUE;
  loop_check_expect_warning ("*pidfd*");
  child = child_shell (&tcp, "echo out; exit 3", NULL);
  loop_check_forbid_warnings ();
  child_wait (&tcp, child);
  ck_assert_int_eq (child->returncode, 3);
  ck_assert_str_eq (child->output[1]->str, "out\n");
  ck_assert (!loop_subprocess_transport_kill (child->transport, NULL));

  other = child_shell (&tcp, "exec sleep 1000", NULL);
  ck_assert (loop_subprocess_transport_terminate (other->transport, NULL));
  tcp_run_until (tcp.loop, other->n_lost == 1);
  ck_assert_int_eq (other->returncode, -SIGTERM);
  ck_assert (child_has_none ());
}
END_TEST

LOOP_TEST_MAIN ("subprocess-faults",
                test_exec_errors,
                test_option_errors,
                test_clone_fails,
                test_no_descriptors,
                test_bad_factory,
                test_no_pidfd)
