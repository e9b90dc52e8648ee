/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-signal-watcher.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* SIGCHLD: children that end are told, and none is overlooked. */

#define N_CHILDREN 100

typedef struct
{
  int n_reaped;
  gboolean is_done;
} Reaper;

static void
reap (gpointer data)
{
  Reaper *self = data;
  int status;

  /* The kernel may have made one signal of several. */
  while (waitpid (-1, &status, WNOHANG) > 0)
    {
      ck_assert (WIFEXITED (status));
      self->n_reaped++;
    }
  self->is_done = self->n_reaped == N_CHILDREN;
}

START_TEST (test_children)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Reaper reaper = { 0 };

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGCHLD, reap, &reaper, NULL, NULL));
  for (int i = 0; i < N_CHILDREN; i++)
    {
      pid_t pid = fork ();

      ck_assert_int_ge (pid, 0);
      if (pid == 0)
        _exit (0);
    }

  run_until (loop, &reaper.is_done);
  ck_assert_int_eq (waitpid (-1, NULL, WNOHANG), -1);
  ck_assert_int_eq (errno, ECHILD);
}
END_TEST

/* System calls that are interrupted go on by themselves. */
START_TEST (test_restarts)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Reaper reaper = { 0 };
  int fds[2];
  pid_t pid;
  char byte;

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR1, do_nothing, NULL, NULL, NULL));
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGCHLD, reap, &reaper, NULL, NULL));
  ck_assert_int_eq (pipe (fds), 0);
  pid = fork ();
  if (pid == 0)
    {
      for (int i = 0; i < 20; i++)
        {
          g_usleep (1000);
          kill (getppid (), SIGUSR1);
        }
      _exit (write (fds[1], "x", 1) != 1);
    }
  ck_assert_int_eq (read (fds[0], &byte, 1), 1);
  for (int i = 0; i < 1000 && reaper.n_reaped == 0; i++)
    run_for (loop, 0.005);
  ck_assert_int_eq (reaper.n_reaped, 1);
  close (fds[0]);
  close (fds[1]);
}
END_TEST

LOOP_TEST_MAIN ("signal-child", test_children, test_restarts)
