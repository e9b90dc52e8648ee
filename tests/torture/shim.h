/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <errno.h>
#include <glib.h>
#include <netdb.h>
#include <sys/types.h>

/*
 * What the driver and the shim share, in memory that is mapped into both and into the processes that they fork.
 *
 * Each call with the errors that it plausibly has. EINTR and EAGAIN come once or every other time, never for ever: to
 * try again is the right answer to them. Those of the last lines are made with syscall() as well.
 */
#define TORTURE_CALLS(CALL)                                                                                            \
  CALL (accept, EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPROTO, EPERM, EINTR, EAGAIN)                           \
  CALL (accept4, EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPROTO, EPERM, EINTR, EAGAIN)                          \
  CALL (bind, EADDRINUSE, EADDRNOTAVAIL, EACCES, ENOMEM)                                                               \
  CALL (clone, EAGAIN, ENOMEM, EINVAL)                                                                                 \
  CALL (close, EIO, EINTR)                                                                                             \
  CALL (connect, ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EADDRNOTAVAIL, EACCES, ENOBUFS, EINTR)                          \
  CALL (dup, EMFILE)                                                                                                   \
  CALL (dup2, EMFILE, EINTR)                                                                                           \
  CALL (dup3, EMFILE, EINTR)                                                                                           \
  CALL (epoll_create1, EMFILE, ENFILE, ENOMEM)                                                                         \
  CALL (epoll_ctl, ENOSPC, ENOMEM, EPERM)                                                                              \
  CALL (epoll_pwait, EINTR)                                                                                            \
  CALL (epoll_pwait2, ENOSYS, EPERM, EINTR)                                                                            \
  CALL (epoll_wait, EINTR)                                                                                             \
  CALL (eventfd, EMFILE, ENFILE, ENOMEM)                                                                               \
  CALL (execve, EACCES, ENOENT, ENOMEM)                                                                                \
  CALL (fchmod, EPERM, EIO)                                                                                            \
  CALL (fcntl, EMFILE, EINVAL)                                                                                         \
  CALL (flock, ENOLCK, EINTR, EAGAIN)                                                                                  \
  CALL (fork, EAGAIN, ENOMEM)                                                                                          \
  CALL (fstat, ENOMEM, EIO)                                                                                            \
  CALL (fstatat, EACCES, ENOMEM)                                                                                       \
  CALL (ftruncate, ENOSPC, EIO, EINTR)                                                                                 \
  CALL (getaddrinfo, EAI_AGAIN, EAI_FAIL, EAI_MEMORY, EAI_NONAME, EAI_SYSTEM)                                          \
  CALL (getnameinfo, EAI_AGAIN, EAI_FAIL, EAI_MEMORY)                                                                  \
  CALL (getpeername, ENOTCONN, ENOBUFS)                                                                                \
  CALL (getsockname, ENOBUFS)                                                                                          \
  CALL (getsockopt, ENOBUFS)                                                                                           \
  CALL (ioctl, ENOTTY, EINVAL)                                                                                         \
  CALL (kill, EPERM, ESRCH)                                                                                            \
  CALL (listen, EADDRINUSE)                                                                                            \
  CALL (lseek, ESPIPE, EINVAL)                                                                                         \
  CALL (lstat, EACCES, ENOENT, ENOMEM)                                                                                 \
  CALL (madvise, EINVAL, ENOMEM)                                                                                       \
  CALL (mkdir, EACCES, ENOSPC)                                                                                         \
  CALL (mmap, ENOMEM)                                                                                                  \
  CALL (mprotect, ENOMEM)                                                                                              \
  CALL (open, EMFILE, ENFILE, ENOENT, EACCES, EINTR)                                                                   \
  CALL (openat, EMFILE, ENFILE, ENOENT, EACCES, EINTR)                                                                 \
  CALL (pipe, EMFILE, ENFILE)                                                                                          \
  CALL (pipe2, EMFILE, ENFILE)                                                                                         \
  CALL (poll, EINTR)                                                                                                   \
  CALL (posix_spawn, EAGAIN, ENOMEM, ENOENT)                                                                           \
  CALL (posix_spawnp, EAGAIN, ENOMEM, ENOENT)                                                                          \
  CALL (ppoll, ENOMEM, EINTR)                                                                                          \
  CALL (pread, EIO, EINTR)                                                                                             \
  CALL (pthread_create, EAGAIN)                                                                                        \
  CALL (read, EIO, ENOMEM, EINTR, EAGAIN)                                                                              \
  CALL (readv, EIO, EINTR, EAGAIN)                                                                                     \
  CALL (recv, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM, EINTR, EAGAIN)                                              \
  CALL (recvfrom, ECONNREFUSED, ENOMEM, EINTR, EAGAIN)                                                                 \
  CALL (recvmmsg, ECONNREFUSED, ENOMEM, EINTR, EAGAIN)                                                                 \
  CALL (recvmsg, ECONNRESET, ENOMEM, EINTR, EAGAIN)                                                                    \
  CALL (send, EPIPE, ECONNRESET, ENOBUFS, ENOMEM, EINTR, EAGAIN)                                                       \
  CALL (sendfile, EIO, EINVAL, ENOMEM, EPIPE, EINTR, EAGAIN)                                                           \
  CALL (sendmmsg, ECONNREFUSED, ENOBUFS, EPERM, EINTR, EAGAIN)                                                         \
  CALL (sendmsg, EPIPE, ECONNRESET, ENOBUFS, ENOMEM, EINTR, EAGAIN)                                                    \
  CALL (sendto, ECONNREFUSED, ENOBUFS, EPERM, EINTR, EAGAIN)                                                           \
  CALL (setsockopt, ENOPROTOOPT, ENOMEM, EPERM)                                                                        \
  CALL (shutdown, ENOTCONN)                                                                                            \
  CALL (signalfd, EMFILE, ENFILE, ENOMEM)                                                                              \
  CALL (socket, EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT)                                                 \
  CALL (socketpair, EMFILE, ENFILE, ENOMEM)                                                                            \
  CALL (splice, EINVAL, ENOMEM, EPIPE, EINTR, EAGAIN)                                                                  \
  CALL (stat, EACCES, ENOENT, ENOMEM)                                                                                  \
  CALL (timerfd_create, EMFILE, ENFILE, ENOMEM)                                                                        \
  CALL (timerfd_settime, EPERM)                                                                                        \
  CALL (unlink, EACCES, EIO)                                                                                           \
  CALL (unlinkat, EACCES, EIO)                                                                                         \
  CALL (waitid, ECHILD, EINTR)                                                                                         \
  CALL (waitpid, ECHILD, EINTR)                                                                                        \
  CALL (write, EIO, EPIPE, ENOSPC, EINTR, EAGAIN)                                                                      \
  CALL (writev, EIO, EPIPE, ENOSPC, EINTR, EAGAIN)                                                                     \
  CALL (membarrier, ENOSYS, EPERM)                                                                                     \
  CALL (pidfd_open, EMFILE, ENFILE, ENOSYS, EPERM)                                                                     \
  CALL (pidfd_send_signal, ESRCH, ENOSYS, EPERM)

typedef enum
{
#define TORTURE_CALL_ID(name, ...) TORTURE_CALL_##name,
  TORTURE_CALLS (TORTURE_CALL_ID)
#undef TORTURE_CALL_ID
      TORTURE_N_CALLS,
  TORTURE_ANY_CALL = TORTURE_N_CALLS, /* each that knows the error */
} TortureCall;

/* Of a call that makes a thread or a process it is an error like any other. */
static inline gboolean
torture_is_try_again (TortureCall call, int error)
{
  return error == EINTR ||
         (error == EAGAIN && call != TORTURE_CALL_clone && call != TORTURE_CALL_fork &&
          call != TORTURE_CALL_posix_spawn && call != TORTURE_CALL_posix_spawnp && call != TORTURE_CALL_pthread_create);
}

#define TORTURE_MAX_ERRORS 12

typedef struct
{
  const char *name;
  int errors[TORTURE_MAX_ERRORS]; /* ends with a 0 */
} TortureCallInfo;

typedef enum
{
  TORTURE_NEVER,
  TORTURE_ONCE,
  TORTURE_FOR_EVER,
  TORTURE_EVERY_OTHER,
} TortureWhen;

typedef struct
{
  TortureCall call;
  TortureWhen when;
  guint nth; /* from 1 */
  int error;
  gboolean is_short; /* streams take and give one byte at a time */
} TorturePlan;

typedef struct
{
  TorturePlan plan;
  gboolean is_armed;
  pid_t driver; /* or 0; its own calls never fail */
  guint n_calls[TORTURE_N_CALLS];
  guint n_injected;
  guint n_bad_closes; /* of numbers that were not open: another's, in a process with threads */

  /* The scenario's verdict. */
  gboolean has_started;
  gboolean has_ended;
  gboolean has_reported; /* an error has reached the user */
  guint64 n_iterations;
} TortureState;

/* What the shim exports. The driver looks it up by name, for it may not be there. */
extern TortureState *torture_shim_state;
