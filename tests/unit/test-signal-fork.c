/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-signal-watcher-private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child process has nothing of the parent's handlers, however it was made. */

/* ThreadSanitizer does not know of a child that is not made with fork(). */
#ifdef LOOP_WITH_TSAN
#define IS_TSAN TRUE
#else
#define IS_TSAN FALSE
#endif

static LoopEventLoop *
make_loop (void)
{
  LoopEventLoop *loop = loop_event_loop_new ();

  /* Check has a handler of its own for this one. */
  signal (SIGTERM, SIG_DFL);
  signal (SIGUSR2, SIG_IGN);
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGTERM, step_run, step_new ('t'), step_destroy, NULL));
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR1, step_run, step_new ('u'), step_destroy, NULL));
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR2, step_run, step_new ('v'), step_destroy, NULL));
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGRTMIN, step_run, step_new ('r'), step_destroy, NULL));

  return loop;
}

static int
wait_for (pid_t pid)
{
  int status;

  while (waitpid (pid, &status, 0) < 0)
    ck_assert_int_eq (errno, EINTR);

  return status;
}

static void
check_terminated (pid_t pid)
{
  int status = wait_for (pid);

  ck_assert (WIFSIGNALED (status));
  ck_assert_int_eq (WTERMSIG (status), SIGTERM);
}

static gboolean
is_readable (int fd)
{
  struct pollfd pollfd = { fd, POLLIN, 0 };

  return poll (&pollfd, 1, 0) > 0;
}

/* Nothing of what happened in the child has come to the parent, whose handlers work. */
static void
check_parent (LoopEventLoop *loop)
{
  ck_assert (!is_readable (loop->signal_watcher->watch.fd));
  run_once (loop);
  run_once (loop);
  check_steps ("");
  raise (SIGUSR1);
  run_once (loop);
  run_once (loop);
  check_steps ("u");
}

START_TEST (test_fork)
{
  g_autoptr (LoopEventLoop) loop = make_loop ();
  pid_t pid = fork ();

  if (pid == 0)
    {
      /* Ignored, as it was. */
      raise (SIGUSR2);
      if (is_readable (loop->signal_watcher->watch.fd))
        _exit (1);
      raise (SIGTERM);
      _exit (2);
    }

  check_terminated (pid);
  check_parent (loop);
}
END_TEST

/* A child may have a loop of its own, and may drop that of its parent. */
START_TEST (test_loop_in_fork)
{
  g_autoptr (LoopEventLoop) loop = make_loop ();
  pid_t pid;
  int status;

  /* It has been seen, and has yet to run. */
  raise (SIGUSR1);
  run_once (loop);

  pid = fork ();
  if (pid == 0)
    {
      g_autoptr (LoopEventLoop) own = loop_event_loop_new ();
      g_autofree char *steps = NULL;

      if (!loop_event_loop_add_signal_handler (own, SIGTERM, step_run, step_new ('c'), step_destroy, NULL))
        _exit (1);
      raise (SIGTERM);
      run_for (own, 0.005);
      steps = take_steps ();
      if (!g_str_equal (steps, "c"))
        _exit (2);
      if (!loop_event_loop_remove_signal_handler (loop, SIGTERM))
        _exit (3);
      raise (SIGTERM);
      run_for (own, 0.005);
      g_free (steps);
      steps = take_steps ();
      _exit (g_str_equal (steps, "Tc") ? 0 : 4);
    }

  status = wait_for (pid);
  ck_assert (WIFEXITED (status));
  ck_assert_int_eq (WEXITSTATUS (status), 0);
  run_once (loop);
  check_steps ("u");
  check_parent (loop);
}
END_TEST

/* Made without the C library's knowledge, and without that of pthread_atfork(). */
START_TEST (test_bare_fork)
{
  g_autoptr (LoopEventLoop) loop = make_loop ();
  pid_t pid;

  if (IS_TSAN)
    return;

  pid = (pid_t) syscall (SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
  ck_assert_int_ge (pid, 0);
  if (pid == 0)
    {
      syscall (SYS_tgkill, getpid (), syscall (SYS_gettid), SIGUSR2);
      if (is_readable (loop->signal_watcher->watch.fd))
        _exit (1);
      syscall (SYS_tgkill, getpid (), syscall (SYS_gettid), SIGTERM);
      _exit (2);
    }

  check_terminated (pid);
  check_parent (loop);
}
END_TEST

/* The child has the parent's memory. */
START_TEST (test_vfork)
{
  g_autoptr (LoopEventLoop) loop = make_loop ();
  pid_t pid;

  if (IS_TSAN)
    return;

  pid = vfork ();
  ck_assert_int_ge (pid, 0);
  if (pid == 0)
    {
      syscall (SYS_tgkill, getpid (), syscall (SYS_gettid), SIGTERM);
      _exit (2);
    }

  check_terminated (pid);
  check_parent (loop);
}
END_TEST

static guint64
get_set (const char *text, const char *name)
{
  g_autofree char *key = g_strdup_printf ("\n%s:\t", name);
  const char *value = strstr (text, key);

  ck_assert_ptr_nonnull (value);

  return g_ascii_strtoull (value + strlen (key), NULL, 16);
}

/* What it is for a program that is run from a process without a loop, it is from one with. */
static void
check_program (GSpawnFlags flags, const char *expected)
{
  char *argv[] = { (char *) "/bin/cat", (char *) "/proc/self/status", NULL };
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  ck_assert (g_spawn_sync (NULL, argv, NULL, flags, NULL, NULL, &text, NULL, NULL, &error));
  ck_assert_uint_eq (get_set (text, "SigBlk"), get_set (expected, "SigBlk"));
  ck_assert_uint_eq (get_set (text, "SigCgt"), get_set (expected, "SigCgt"));
  ck_assert_uint_eq (get_set (text, "SigPnd"), 0);
}

static void
set_up_child (gpointer data)
{
}

START_TEST (test_exec)
{
  char *argv[] = { (char *) "/bin/cat", (char *) "/proc/self/status", NULL };
  g_autofree char *expected = NULL;
  g_autofree char *text = NULL;
  g_autoptr (LoopEventLoop) loop = NULL;

  ck_assert (g_spawn_sync (NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &expected, NULL, NULL, NULL));
  ck_assert_uint_eq (get_set (expected, "SigCgt"), 0);

  loop = make_loop ();
  check_program (G_SPAWN_DEFAULT, expected);
  check_program (G_SPAWN_LEAVE_DESCRIPTORS_OPEN, expected);

  /* With a function to call in the child, GLib forks; then even what was ignored is again. */
  ck_assert (g_spawn_sync (NULL, argv, NULL, G_SPAWN_DEFAULT, set_up_child, NULL, &text, NULL, NULL, NULL));
  ck_assert_uint_eq (get_set (text, "SigBlk"), get_set (expected, "SigBlk"));
  ck_assert_uint_eq (get_set (text, "SigCgt"), 0);
  ck_assert ((get_set (text, "SigIgn") & (1 << (SIGUSR2 - 1))) != 0);
  ck_assert ((get_set (text, "SigIgn") & (1 << (SIGTERM - 1))) == 0);
}
END_TEST

/* Neither has the loop's own thread a signal blocked. */
START_TEST (test_mask_is_left_alone)
{
  g_autoptr (LoopEventLoop) loop = NULL;
  sigset_t before;
  sigset_t after;

  ck_assert_int_eq (sigprocmask (SIG_SETMASK, NULL, &before), 0);
  loop = make_loop ();
  run_for (loop, 0.002);
  ck_assert_int_eq (sigprocmask (SIG_SETMASK, NULL, &after), 0);
  for (int signum = 1; signum <= SIGRTMAX; signum++)
    ck_assert_int_eq (sigismember (&before, signum), sigismember (&after, signum));
}
END_TEST

LOOP_TEST_MAIN ("signal-fork",
                test_fork,
                test_loop_in_fork,
                test_bare_fork,
                test_vfork,
                test_exec,
                test_mask_is_left_alone)
