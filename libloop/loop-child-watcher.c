/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-child-private.h"

#include "loop-error-private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The end of a process, without SIGCHLD, which is somebody else's, and without ever asking for
 * another process than this one, so that nobody else is robbed of an exit status.
 */

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* What Linux 6.15 tells of a process even when somebody else has reaped it. */
typedef struct
{
  guint64 mask;
  guint64 cgroup_id;
  guint32 ids[11];
  gint32 exit_code;
} PidfdInfo;

#define PIDFD_GET_INFO_IOCTL _IOWR (0xFF, 11, PidfdInfo)
#define PIDFD_GET_INFO_EXIT (G_GUINT64_CONSTANT (1) << 3)

/* asyncio's, for what nobody knows. */
#define UNKNOWN_RETURNCODE 255

typedef struct
{
  pid_t pid;
  int fd;
} Wait;

/* The process stays a zombie until the loop reaps it, and its number its own. */
static gpointer
wait_in_thread (gpointer data)
{
  Wait *wait = data;
  guint64 one = 1;
  gssize written G_GNUC_UNUSED;
  siginfo_t info;

  while (waitid (P_PID, (id_t) wait->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
    ;
  written = write (wait->fd, &one, sizeof one);
  close (wait->fd);
  g_free (wait);

  return NULL;
}

static int
start_thread (pid_t pid, GError **error)
{
  static gsize has_warned;
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  int copy = fd >= 0 ? fcntl (fd, F_DUPFD_CLOEXEC, 0) : -1;
  g_autoptr (GThread) thread = NULL;
  Wait *wait;

  if (g_once_init_enter (&has_warned))
    {
      g_warning ("The kernel refuses to watch processes by a pidfd: a thread waits for each of them");
      g_once_init_leave (&has_warned, 1);
    }

  if (copy < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not watch process %d", (int) pid);
      if (fd >= 0)
        close (fd);
      return -1;
    }

  wait = g_new (Wait, 1);
  *wait = (Wait) { pid, copy };
  thread = g_thread_try_new ("loop-child", wait_in_thread, wait, error);
  if (thread == NULL)
    {
      close (fd);
      close (copy);
      g_free (wait);
      return -1;
    }

  return fd;
}

/* Watches the process, which is killed on error. @pidfd, or -1 if there is none yet, is taken. */
gboolean
loop_child_watch (LoopChild *self, pid_t pid, int pidfd, GError **error)
{
  *self = (LoopChild) { .pid = pid, .owner = getpid (), .fd = pidfd, .is_pidfd = TRUE };

  if (self->fd < 0)
    self->fd = (int) syscall (SYS_pidfd_open, pid, 0);
  if (self->fd < 0)
    {
      self->is_pidfd = FALSE;
      self->fd = start_thread (pid, error);
    }
  if (self->fd >= 0)
    return TRUE;

  kill (pid, SIGKILL);
  while (waitpid (pid, NULL, 0) < 0 && errno == EINTR)
    ;

  return FALSE;
}

static int
wait_for (LoopChild *self, siginfo_t *info, int flags)
{
  int status = -1;

  info->si_pid = 0;
  do
    {
      errno = EINVAL;
      if (self->is_pidfd)
        status = waitid (P_PIDFD, (id_t) self->fd, info, WEXITED | flags);
      /* A pidfd that cannot be waited for is that of an old kernel. */
      if (status < 0 && errno == EINVAL)
        status = waitid (P_PID, (id_t) self->pid, info, WEXITED | flags);
    }
  while (status < 0 && errno == EINTR);

  return status;
}

static int
get_returncode (int status)
{
  return WIFSIGNALED (status) ? -WTERMSIG (status) : WEXITSTATUS (status);
}

/* Somebody else has it, or nobody, if the process ignores SIGCHLD. */
static int
find_lost_returncode (LoopChild *self)
{
  PidfdInfo info = { .mask = PIDFD_GET_INFO_EXIT };

  if (self->is_pidfd && ioctl (self->fd, PIDFD_GET_INFO_IOCTL, &info) == 0 && (info.mask & PIDFD_GET_INFO_EXIT) != 0)
    return get_returncode (info.exit_code);

  g_warning ("Unknown exit status of process %d, %d is taken: SIGCHLD is ignored, or somebody else waits for all "
             "children",
             (int) self->pid, UNKNOWN_RETURNCODE);

  return UNKNOWN_RETURNCODE;
}

/* Returns: %FALSE if the process has not ended yet. Otherwise nothing is left of it but our descriptor. */
gboolean
loop_child_reap (LoopChild *self, int *returncode)
{
  siginfo_t info;

  if (wait_for (self, &info, WNOHANG) < 0)
    *returncode = find_lost_returncode (self);
  else if (info.si_pid == 0)
    return FALSE;
  else
    *returncode = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;

  return TRUE;
}

gboolean
loop_child_signal (LoopChild *self, int signum, GError **error)
{
  int status;

  if (self->fd < 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "Process %d has exited already", (int) self->pid);
      return FALSE;
    }

  /* Without a pidfd it is certain as well that the number still is that of the process: it was not reaped. */
  if (self->is_pidfd)
    status = (int) syscall (SYS_pidfd_send_signal, self->fd, signum, NULL, 0);
  else
    status = kill (self->pid, signum);

  if (status == 0)
    return TRUE;

  if (errno == ESRCH)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "Process %d has exited already", (int) self->pid);
  else
    loop_set_error_from_errno (error, errno, "Could not send signal %d to process %d", signum, (int) self->pid);

  return FALSE;
}

static void
reap_abandoned (gpointer data, gpointer user_data)
{
  LoopChild *self = data;
  siginfo_t info;

  wait_for (self, &info, 0);
  close (self->fd);
  g_free (self);
}

/*
 * Kills a process that nobody will hear of any more. Another thread reaps it: it may take its
 * time to end.
 */
void
loop_child_abandon (LoopChild *self)
{
  static gsize pool;

  if (self->fd < 0)
    return;

  if (self->owner != getpid ())
    {
      close (self->fd);
      self->fd = -1;
      return;
    }

  if (g_once_init_enter (&pool))
    g_once_init_leave (&pool, (gsize) g_thread_pool_new (reap_abandoned, NULL, -1, FALSE, NULL));

  loop_child_signal (self, SIGKILL, NULL);
  g_thread_pool_push ((GThreadPool *) pool, g_memdup2 (self, sizeof *self), NULL);
  self->fd = -1;
}
