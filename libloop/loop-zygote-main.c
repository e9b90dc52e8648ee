/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-zygote-private.h"

#include "loop-process-worker-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct
{
  pid_t pid;
  int status_fd;
  gboolean is_killed;
} Child;

/*
 * It ends with its parent, and so do the workers: it looks at the parent itself, since of the
 * socket somebody may have a copy. The parent's end is not told by PR_SET_PDEATHSIG: that
 * tells the end of a thread.
 */
typedef struct
{
  int control;
  int parent;
  int child_signals;
  GArray *children;
  GArray *pollfds;
} Zygote;

enum
{
  POLL_CONTROL,
  POLL_PARENT,
  POLL_CHILD_SIGNALS,
  N_POLL_OWN
};

static void
close_range_of (int first, int last)
{
  if (first > last || syscall (SYS_close_range, first, last, 0) == 0)
    return;

  /* Before Linux 5.9. */
  for (long fd = first; fd <= MIN (last, sysconf (_SC_OPEN_MAX)); fd++)
    close ((int) fd);
}

static int
compare_fds (gconstpointer a, gconstpointer b)
{
  return *(const int *) a - *(const int *) b;
}

/* But for standard input, output and error. */
static void
close_all_but (int *fds, guint n_fds)
{
  int next = STDERR_FILENO + 1;

  qsort (fds, n_fds, sizeof *fds, compare_fds);
  for (guint i = 0; i < n_fds; i++)
    {
      close_range_of (next, fds[i] - 1);
      next = fds[i] + 1;
    }
  close_range_of (next, G_MAXINT);
}

/* As in a program that is run, but that what was ignored stays so. */
static void
reset_signal_handlers (void)
{
  for (int signum = 1; signum < NSIG; signum++)
    {
      struct sigaction action;

      if (sigaction (signum, NULL, &action) == 0 && action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL)
        signal (signum, SIG_DFL);
    }

  /* Else nobody would tell how a worker has ended. */
  signal (SIGCHLD, SIG_DFL);
}

/* Away from the numbers of the standard streams, should the parent have closed these. */
static int
move_up (int fd)
{
  int moved = fcntl (fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

  if (moved < 0)
    _exit (EXIT_FAILURE);

  return moved;
}

/* What a worker reads, the parent would miss. */
static void
drop_standard_input (void)
{
  int fd = open ("/dev/null", O_RDONLY);

  if (fd > STDIN_FILENO)
    {
      dup2 (fd, STDIN_FILENO);
      close (fd);
    }
}

/* If it cannot be sent, there is nobody to read it. */
static void
report (int status_fd, LoopZygoteReport message)
{
  while (send (status_fd, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
    ;
}

static void
report_failure (int status_fd, int error_number)
{
  report (status_fd, (LoopZygoteReport) { LOOP_ZYGOTE_FAILED, 0, error_number });
  close (status_fd);
}

static void
become_worker (pid_t zygote, int fd)
{
  sigset_t none;

  /* However the zygote ends, if it does before the worker. */
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != zygote)
    _exit (EXIT_FAILURE);

  prctl (PR_SET_NAME, LOOP_PROCESS_WORKER_NAME);
  close_all_but (&fd, 1);
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
  loop_process_worker_main (fd);
}

static void
fork_worker (Zygote *self, int status_fd, int worker_fd)
{
  pid_t zygote = getpid ();
  Child child = { fork (), status_fd, FALSE };
  int saved_errno = errno;

  if (child.pid == 0)
    become_worker (zygote, worker_fd);

  close (worker_fd);
  if (child.pid < 0)
    {
      report_failure (status_fd, saved_errno);
      return;
    }

  report (status_fd, (LoopZygoteReport) { LOOP_ZYGOTE_BEGUN, child.pid, 0 });
  g_array_append_val (self->children, child);
}

/* Returns: %FALSE if the other end is closed */
static gboolean
read_control (Zygote *self)
{
  char byte;
  struct iovec iovec = { &byte, 1 };
  union
  {
    char data[CMSG_SPACE (2 * sizeof (int))];
    struct cmsghdr aligned;
  } control;
  struct msghdr message = {
    .msg_iov = &iovec,
    .msg_iovlen = 1,
    .msg_control = control.data,
    .msg_controllen = sizeof control.data,
  };
  gssize n = recvmsg (self->control, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);
  int fds[2] = { -1, -1 };

  if (n <= 0)
    return n < 0 && (errno == EINTR || errno == EAGAIN);

  if (header != NULL)
    memcpy (fds, CMSG_DATA (header), MIN (header->cmsg_len - CMSG_LEN (0), sizeof fds));

  /* The kernel leaves out those for which it has no number. */
  if (fds[1] >= 0)
    fork_worker (self, fds[0], fds[1]);
  else if (fds[0] >= 0)
    report_failure (fds[0], EMFILE);

  return TRUE;
}

static void
reap (Zygote *self)
{
  struct signalfd_siginfo info;
  pid_t pid;
  int status;

  while (read (self->child_signals, &info, sizeof info) > 0)
    ;

  while ((pid = waitpid (-1, &status, WNOHANG)) > 0)
    for (guint i = 0; i < self->children->len; i++)
      {
        Child *child = &g_array_index (self->children, Child, i);

        if (child->pid != pid)
          continue;

        report (child->status_fd, (LoopZygoteReport) { LOOP_ZYGOTE_ENDED, pid, status });
        close (child->status_fd);
        g_array_remove_index_fast (self->children, i);
        break;
      }
}

/* Those whose status socket was shut down. */
static void
kill_unwanted (Zygote *self)
{
  for (guint i = 0; i < self->children->len; i++)
    {
      Child *child = &g_array_index (self->children, Child, i);

      if (g_array_index (self->pollfds, struct pollfd, N_POLL_OWN + i).revents == 0)
        continue;

      kill (child->pid, SIGKILL);
      child->is_killed = TRUE;
    }
}

static void
add_pollfd (Zygote *self, int fd)
{
  struct pollfd pollfd = { fd, POLLIN, 0 };

  g_array_append_val (self->pollfds, pollfd);
}

/* Returns: %FALSE once the parent has gone */
static gboolean
serve (Zygote *self)
{
  const struct pollfd *own;

  g_array_set_size (self->pollfds, 0);
  add_pollfd (self, self->control);
  add_pollfd (self, self->parent);
  add_pollfd (self, self->child_signals);
  for (guint i = 0; i < self->children->len; i++)
    {
      const Child *child = &g_array_index (self->children, Child, i);

      add_pollfd (self, child->is_killed ? -1 : child->status_fd);
    }

  if (poll ((struct pollfd *) (void *) self->pollfds->data, self->pollfds->len, -1) < 0)
    return TRUE;

  own = (const struct pollfd *) (const void *) self->pollfds->data;
  kill_unwanted (self);
  if (own[POLL_CHILD_SIGNALS].revents != 0)
    reap (self);

  return own[POLL_PARENT].revents == 0 && (own[POLL_CONTROL].revents == 0 || read_control (self));
}

static void
kill_all (Zygote *self)
{
  for (guint i = 0; i < self->children->len; i++)
    kill (g_array_index (self->children, Child, i).pid, SIGKILL);
  while (waitpid (-1, NULL, 0) > 0 || errno == EINTR)
    ;
}

void
loop_zygote_main (int control, int parent, int child_signals)
{
  Zygote self = { move_up (control), move_up (parent), move_up (child_signals), NULL, NULL };
  int kept[] = { self.control, self.parent, self.child_signals };

  prctl (PR_SET_NAME, "loop-zygote");
  /* What is typed at a terminal is meant for the parent. */
  setpgid (0, 0);
  reset_signal_handlers ();
  close_all_but (kept, G_N_ELEMENTS (kept));
  drop_standard_input ();

  self.children = g_array_new (FALSE, FALSE, sizeof (Child));
  self.pollfds = g_array_new (FALSE, FALSE, sizeof (struct pollfd));
  while (serve (&self))
    ;

  kill_all (&self);
  _exit (EXIT_SUCCESS);
}
