/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-zygote-private.h"

#include "loop-error-private.h"
#include "loop-fork-private.h"
#include "loop-process-pool-executor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD ((idtype_t) 3)
#endif

/* ThreadSanitizer has some of its own: one more after a fork. */
#ifdef LOOP_WITH_TSAN
#define N_THREADS_ALLOWED 3
#else
#define N_THREADS_ALLOWED 1
#endif

/* How long a thread that was joined may take to be gone. */
#define MAX_WAIT_MS 50

struct _LoopZygote
{
  guint ref_count;
  pid_t owner; /* a child of whose is none of the zygote's */
  int control;
  int pid_fd; /* or -1: it has ended */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static LoopZygote *current; /* without a reference */
static LoopZygote *kept;    /* with one: it was started on its own */

LOOP_FORK_WATCH (LOOP_FORK_ZYGOTE, .mutex = &mutex)

/* With the lock. It is killed: it has nothing to tidy up. */
static void
end (LoopZygote *self)
{
  siginfo_t info;

  if (self->pid_fd < 0)
    return;

  if (self->owner == getpid ())
    {
      syscall (SYS_pidfd_send_signal, self->pid_fd, SIGKILL, NULL, 0);
      /* It fails if SIGCHLD is ignored, or somebody waits for all children: then there is nothing to wait for. */
      while (waitid (P_PIDFD, (id_t) self->pid_fd, &info, WEXITED) < 0 && errno == EINTR)
        ;
    }

  close (self->pid_fd);
  self->pid_fd = -1;
  close (self->control);
  if (current == self)
    current = NULL;
}

/* Makes sure that it has ended, and with it the workers. It can be replaced then. */
void
loop_zygote_end (LoopZygote *self)
{
  pthread_mutex_lock (&mutex);
  end (self);
  pthread_mutex_unlock (&mutex);
}

static void
unref_locked (LoopZygote *self)
{
  if (--self->ref_count > 0)
    return;

  end (self);
  g_free (self);
}

void
loop_zygote_unref (LoopZygote *self)
{
  pthread_mutex_lock (&mutex);
  unref_locked (self);
  pthread_mutex_unlock (&mutex);
}

static gboolean
is_usable (LoopZygote *self)
{
  return self != NULL && self->pid_fd >= 0 && self->owner == getpid ();
}

gboolean
loop_zygote_is_running (void)
{
  gboolean is_running;

  pthread_mutex_lock (&mutex);
  is_running = is_usable (current);
  pthread_mutex_unlock (&mutex);

  return is_running;
}

/* --- Starting --------------------------------------------------------------------------------- */

static int
count_threads (GError **error)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, error);
  int n = 0;

  if (dir == NULL)
    return -1;

  while (g_dir_read_name (dir) != NULL)
    n++;

  return n;
}

/* A lock that another thread holds at the moment would be held in the zygote for ever. */
static gboolean
check_threads (GError **error)
{
  int n = count_threads (error);

  for (int i = 0; i < MAX_WAIT_MS && n > N_THREADS_ALLOWED; i++)
    {
      g_usleep (1000);
      n = count_threads (error);
    }

  if (n > N_THREADS_ALLOWED)
    g_set_error (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE,
                 "A process pool forks its zygote before other threads are started, and the process has %d threads", n);

  return n >= 0 && n <= N_THREADS_ALLOWED;
}

static int
open_child_signals (void)
{
  sigset_t child;

  sigemptyset (&child);
  sigaddset (&child, SIGCHLD);

  return signalfd (-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What the zygote needs is made before it is, so that it cannot fail. */
typedef struct
{
  int control[2]; /* the zygote's is the second one */
  int parent;
  int child_signals;
} Descriptors;

static void
descriptors_close (Descriptors *self)
{
  int fds[] = { self->control[0], self->control[1], self->parent, self->child_signals };

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    if (fds[i] >= 0)
      close (fds[i]);
}

static gboolean
descriptors_open (Descriptors *self)
{
  *self = (Descriptors) { { -1, -1 }, -1, -1 };

  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->control) < 0)
    return FALSE;

  self->parent = (int) syscall (SYS_pidfd_open, getpid (), 0);
  if (self->parent < 0)
    return FALSE;

  self->child_signals = open_child_signals ();

  return self->child_signals >= 0;
}

/* With the lock, which is given back meanwhile, for forking takes it: there is no thread that could come in between. */
static pid_t
fork_zygote (const Descriptors *descriptors)
{
  sigset_t all;
  sigset_t before;
  pid_t pid;
  int saved_errno;

  /* Else it would be written by each process. */
  fflush (NULL);
  sigfillset (&all);
  /* No handler of ours is to run in the zygote. */
  pthread_sigmask (SIG_SETMASK, &all, &before);
  pthread_mutex_unlock (&mutex);
  pid = fork ();
  saved_errno = errno;
  if (pid == 0)
    loop_zygote_main (descriptors->control[1], descriptors->parent, descriptors->child_signals);
  pthread_mutex_lock (&mutex);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  errno = saved_errno;

  return pid;
}

/* With the lock. */
static LoopZygote *
start (GError **error)
{
  LoopZygote *self;
  Descriptors descriptors;
  pid_t pid = -1;
  int pid_fd = -1;

  if (!check_threads (error))
    return NULL;

  if (descriptors_open (&descriptors))
    pid = fork_zygote (&descriptors);
  if (pid > 0)
    pid_fd = (int) syscall (SYS_pidfd_open, pid, 0);
  if (pid_fd < 0)
    {
      loop_set_error_from_errno (error, errno, "Cannot start the zygote of a process pool");
      descriptors_close (&descriptors);
      /* It sees that the other end of its socket is closed. */
      if (pid > 0)
        waitpid (pid, NULL, 0);
      return NULL;
    }

  self = g_new0 (LoopZygote, 1);
  self->owner = getpid ();
  self->pid_fd = pid_fd;
  self->control = descriptors.control[0];
  descriptors.control[0] = -1;
  descriptors_close (&descriptors);

  return self;
}

/* With the lock. */
static LoopZygote *
get (GError **error)
{
  if (!is_usable (current))
    current = start (error);
  if (current != NULL)
    current->ref_count++;

  return current;
}

/* Returns: (transfer full): the zygote of the process, which is started if there is none */
LoopZygote *
loop_zygote_get (GError **error)
{
  LoopZygote *self;

  pthread_mutex_lock (&mutex);
  self = get (error);
  pthread_mutex_unlock (&mutex);

  return self;
}

/**
 * loop_process_pool_executor_start_zygote:
 * @error: return location for an error
 *
 * Forks the process that the workers of all process pools are forked from, for a program
 * that makes its pools at a time when it has threads. To be called while there are none, and
 * when all functions are registered. The zygote then runs for as long as the process; if it
 * runs already, nothing is done.
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_INVALID_STATE if the process has threads, and
 *   with an error of %G_IO_ERROR if the system refuses
 */
gboolean
loop_process_pool_executor_start_zygote (GError **error)
{
  gboolean success;

  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  pthread_mutex_lock (&mutex);
  success = is_usable (kept);
  if (!success)
    {
      LoopZygote *zygote = get (error);

      success = zygote != NULL;
      if (success)
        {
          g_clear_pointer (&kept, unref_locked);
          kept = zygote;
        }
    }
  pthread_mutex_unlock (&mutex);

  return success;
}

/* --- Forking workers -------------------------------------------------------------------------- */

void
loop_zygote_set_ended_error (GError **error)
{
  g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_BROKEN_PROCESS_POOL,
                       "The zygote, which forks the workers of process pools, has ended");
}

/*
 * Has a worker forked that has one end of a socket. From any thread. The descriptors stay the caller's.
 *
 * Returns: %TRUE if the zygote has been told
 */
gboolean
loop_zygote_fork_worker (LoopZygote *self, int worker_fd, int status_fd, GError **error)
{
  char byte = 0;
  struct iovec iovec = { &byte, 1 };
  union
  {
    char data[CMSG_SPACE (2 * sizeof (int))];
    struct cmsghdr aligned;
  } control = { .data = { 0 } };
  struct msghdr message = {
    .msg_iov = &iovec,
    .msg_iovlen = 1,
    .msg_control = control.data,
    .msg_controllen = sizeof control.data,
  };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);
  int fds[2] = { status_fd, worker_fd };
  int saved_errno = EPIPE;
  gssize n = -1;

  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (sizeof fds);
  memcpy (CMSG_DATA (header), fds, sizeof fds);

  pthread_mutex_lock (&mutex);
  if (self->pid_fd >= 0)
    {
      do
        n = sendmsg (self->control, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      while (n < 0 && errno == EINTR);
      saved_errno = errno;
    }
  pthread_mutex_unlock (&mutex);

  if (n >= 0)
    return TRUE;

  if (saved_errno == EPIPE || saved_errno == ECONNRESET)
    loop_zygote_set_ended_error (error);
  else
    loop_set_error_from_errno (error, saved_errno, "Cannot have a worker forked");

  return FALSE;
}
