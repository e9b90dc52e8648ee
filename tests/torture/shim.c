/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Loaded before all else (LD_PRELOAD), it stands between a program and the C library, and fails calls as the plan has
 * it. What the C library calls itself does not come by here, and what it is called for by number does: syscall().
 */

#define _GNU_SOURCE

#include "shim.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPORT __attribute__ ((visibility ("default")))

EXPORT TortureState *torture_shim_state;

static const TortureCallInfo calls[] = {
#define TORTURE_CALL_INFO(name, ...) { #name, { __VA_ARGS__ } },
  TORTURE_CALLS (TORTURE_CALL_INFO)
#undef TORTURE_CALL_INFO
};

static void *real_calls[TORTURE_N_CALLS];

static void *
get_real (TortureCall call)
{
  if (real_calls[call] == NULL)
    real_calls[call] = dlsym (RTLD_NEXT, calls[call].name);

  return real_calls[call];
}

#define REAL(name) ((typeof (&name)) get_real (TORTURE_CALL_##name))

static gboolean
is_armed (void)
{
  return torture_shim_state != NULL && __atomic_load_n (&torture_shim_state->is_armed, __ATOMIC_ACQUIRE) &&
         torture_shim_state->driver != getpid ();
}

static gboolean
knows_error (TortureCall call, int error)
{
  for (const int *known = calls[call].errors; *known != 0; known++)
    {
      if (*known == error)
        return TRUE;
    }

  return FALSE;
}

/* That nothing is there to be had is said of what can have nothing, and does not block: not of the loop's eventfd. */
static gboolean
is_plausible (int error, int fd)
{
  struct stat status;

  if (fd >= 0 && fd <= STDERR_FILENO)
    return FALSE;
  if (error == EINTR || fd < 0)
    return TRUE;
  if (REAL (fstat) (fd, &status) < 0)
    return FALSE;
  if (!S_ISSOCK (status.st_mode) && !S_ISFIFO (status.st_mode) && !S_ISREG (status.st_mode) &&
      !S_ISCHR (status.st_mode))
    return FALSE;

  return error != EAGAIN || (REAL (fcntl) (fd, F_GETFL) & O_NONBLOCK);
}

/* Whether this call is to fail; errno is then set. @fd: what it reads or writes, or -1. */
static gboolean
fails (TortureCall call, int fd)
{
  const TorturePlan *plan;
  guint n;
  gboolean is_due;

  if (!is_armed ())
    return FALSE;

  plan = &torture_shim_state->plan;
  n = __atomic_add_fetch (&torture_shim_state->n_calls[call], 1, __ATOMIC_RELAXED);
  if (plan->call != call &&
      (plan->call != TORTURE_ANY_CALL || !knows_error (call, plan->error) || !torture_is_try_again (call, plan->error)))
    return FALSE;

  is_due = plan->when == TORTURE_ONCE          ? n == plan->nth
           : plan->when == TORTURE_FOR_EVER    ? n >= plan->nth
           : plan->when == TORTURE_EVERY_OTHER ? n >= plan->nth && (n - plan->nth) % 2 == 0
                                               : FALSE;
  if (!is_due || !is_plausible (plan->error, fd))
    return FALSE;

  __atomic_add_fetch (&torture_shim_state->n_injected, 1, __ATOMIC_RELAXED);
  errno = plan->error;

  return TRUE;
}

static gboolean
is_stream (int fd)
{
  struct stat status;
  int type = 0;
  socklen_t length = sizeof type;

  if (fd <= STDERR_FILENO || REAL (fstat) (fd, &status) < 0)
    return FALSE;

  return S_ISFIFO (status.st_mode) ||
         (S_ISSOCK (status.st_mode) && REAL (getsockopt) (fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
          type == SOCK_STREAM);
}

/* How much of @length is moved: streams may move less than they were asked to. */
static size_t
shorten (int fd, size_t length)
{
  if (length <= 1 || !is_armed () || !torture_shim_state->plan.is_short || !is_stream (fd))
    return length;

  __atomic_add_fetch (&torture_shim_state->n_injected, 1, __ATOMIC_RELAXED);

  return 1;
}

/* The same for vectors: a byte of the first that has one. Returns: whether @one is to be used in the place of @vector */
static gboolean
shorten_vector (int fd, const struct iovec *vector, size_t n, struct iovec *one)
{
  size_t length = 0;

  for (size_t i = 0; i < n; i++)
    length += vector[i].iov_len;
  if (shorten (fd, length) == length)
    return FALSE;

  while (vector->iov_len == 0)
    vector++;
  *one = (struct iovec) { vector->iov_base, 1 };

  return TRUE;
}

/* --- Calls that fail or do not ------------------------------------------------------------------ */

#define HOOK_AT(type, name, parameters, arguments, fd)                                                                 \
  EXPORT type name parameters { return fails (TORTURE_CALL_##name, fd) ? (type) -1 : REAL (name) arguments; }
#define HOOK(type, name, parameters, arguments) HOOK_AT (type, name, parameters, arguments, -1)

/* Programs that have large files on smaller machines, as GLib, call these. */
#define ALIAS_64(type, name, parameters) EXPORT type name##64 parameters __attribute__ ((alias (#name)))

HOOK (int, bind, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
HOOK (int, dup, (int fd), (fd))
HOOK (int, dup2, (int fd, int to), (fd, to))
HOOK (int, dup3, (int fd, int to, int flags), (fd, to, flags))
HOOK (int, epoll_create1, (int flags), (flags))
HOOK (int,
      epoll_pwait,
      (int fd, struct epoll_event *events, int n, int timeout, const sigset_t *mask),
      (fd, events, n, timeout, mask))
HOOK (int,
      epoll_pwait2,
      (int fd, struct epoll_event *events, int n, const struct timespec *timeout, const sigset_t *mask),
      (fd, events, n, timeout, mask))
HOOK (int, epoll_wait, (int fd, struct epoll_event *events, int n, int timeout), (fd, events, n, timeout))
HOOK (int, eventfd, (unsigned int value, int flags), (value, flags))
HOOK (int,
      execve,
      (const char *path, char *const arguments[], char *const environment[]),
      (path, arguments, environment))
HOOK (int, fchmod, (int fd, mode_t mode), (fd, mode))
HOOK (int, flock, (int fd, int operation), (fd, operation))
HOOK (pid_t, fork, (void), ())
HOOK (int, fstat, (int fd, struct stat *status), (fd, status))
HOOK (int, fstatat, (int fd, const char *path, struct stat *status, int flags), (fd, path, status, flags))
HOOK (int, ftruncate, (int fd, off_t length), (fd, length))
HOOK (int, getpeername, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
HOOK (int, getsockname, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
HOOK (int, getsockopt, (int fd, int level, int name, void *value, socklen_t *length), (fd, level, name, value, length))
HOOK (int, kill, (pid_t pid, int signum), (pid, signum))
HOOK (int, listen, (int fd, int backlog), (fd, backlog))
HOOK (off_t, lseek, (int fd, off_t offset, int whence), (fd, offset, whence))
HOOK (int, lstat, (const char *path, struct stat *status), (path, status))
HOOK (int, madvise, (void *address, size_t length, int advice), (address, length, advice))
HOOK (int, mkdir, (const char *path, mode_t mode), (path, mode))
HOOK (int, mprotect, (void *address, size_t length, int protection), (address, length, protection))
HOOK (int, pidfd_open, (pid_t pid, unsigned int flags), (pid, flags))
HOOK (int, pidfd_send_signal, (int fd, int signum, siginfo_t *info, unsigned int flags), (fd, signum, info, flags))
HOOK (int, pipe, (int fds[2]), (fds))
HOOK (int, pipe2, (int fds[2], int flags), (fds, flags))
HOOK (int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))
HOOK (int,
      ppoll,
      (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask),
      (fds, n, timeout, mask))
HOOK_AT (ssize_t, pread, (int fd, void *data, size_t length, off_t offset), (fd, data, length, offset), fd)
HOOK (int,
      setsockopt,
      (int fd, int level, int name, const void *value, socklen_t length),
      (fd, level, name, value, length))
HOOK (int, shutdown, (int fd, int how), (fd, how))
HOOK (int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
HOOK (int, socket, (int domain, int type, int protocol), (domain, type, protocol))
HOOK (int, socketpair, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds))
HOOK (int, stat, (const char *path, struct stat *status), (path, status))
HOOK (int, timerfd_create, (clockid_t clock, int flags), (clock, flags))
HOOK (int,
      timerfd_settime,
      (int fd, int flags, const struct itimerspec *value, struct itimerspec *old),
      (fd, flags, value, old))
HOOK (int, unlink, (const char *path), (path))
HOOK (int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
HOOK (int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))
HOOK (pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
HOOK_AT (ssize_t,
         recvfrom,
         (int fd, void *data, size_t length, int flags, struct sockaddr *address, socklen_t *address_length),
         (fd, data, length, flags, address, address_length),
         fd)
HOOK_AT (int,
         recvmmsg,
         (int fd, struct mmsghdr *messages, unsigned int n, int flags, struct timespec *timeout),
         (fd, messages, n, flags, timeout),
         fd)
HOOK_AT (int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned int n, int flags), (fd, messages, n, flags), fd)
HOOK_AT (ssize_t,
         sendto,
         (int fd, const void *data, size_t length, int flags, const struct sockaddr *address, socklen_t address_length),
         (fd, data, length, flags, address, address_length),
         fd)
ALIAS_64 (int, fstat, (int fd, struct stat64 *status));
ALIAS_64 (int, fstatat, (int fd, const char *path, struct stat64 *status, int flags));
ALIAS_64 (int, ftruncate, (int fd, off64_t length));
ALIAS_64 (off64_t, lseek, (int fd, off64_t offset, int whence));
ALIAS_64 (int, lstat, (const char *path, struct stat64 *status));
ALIAS_64 (ssize_t, pread, (int fd, void *data, size_t length, off64_t offset));
ALIAS_64 (int, stat, (const char *path, struct stat64 *status));

/* --- Calls that return the error ----------------------------------------------------------------- */

#define HOOK_ERROR(name, parameters, arguments)                                                                        \
  EXPORT int name parameters { return fails (TORTURE_CALL_##name, -1) ? errno : REAL (name) arguments; }

HOOK_ERROR (pthread_create,
            (pthread_t * thread, const pthread_attr_t *attributes, void *(*function) (void *), void *data),
            (thread, attributes, function, data))
HOOK_ERROR (posix_spawn,
            (pid_t * pid,
             const char *path,
             const posix_spawn_file_actions_t *actions,
             const posix_spawnattr_t *attributes,
             char *const arguments[],
             char *const environment[]),
            (pid, path, actions, attributes, arguments, environment))
HOOK_ERROR (posix_spawnp,
            (pid_t * pid,
             const char *path,
             const posix_spawn_file_actions_t *actions,
             const posix_spawnattr_t *attributes,
             char *const arguments[],
             char *const environment[]),
            (pid, path, actions, attributes, arguments, environment))

EXPORT int
getaddrinfo (const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **addresses)
{
  int status;

  if (!fails (TORTURE_CALL_getaddrinfo, -1))
    return REAL (getaddrinfo) (host, service, hints, addresses);

  status = errno;
  errno = EMFILE; /* for EAI_SYSTEM */

  return status;
}

HOOK_ERROR (getnameinfo,
            (const struct sockaddr *address,
             socklen_t length,
             char *host,
             socklen_t host_length,
             char *service,
             socklen_t service_length,
             int flags),
            (address, length, host, host_length, service, service_length, flags))

/* --- Calls that do something all the same -------------------------------------------------------- */

/* A GSocket closes again when it is freed what it could not close: of that we can only say that it is GLib's. */
static gboolean
is_gio (const void *address)
{
  Dl_info info;

  return dladdr (address, &info) != 0 && strstr (info.dli_fname, "/libgio-") != NULL;
}

/* What Linux was told to close it has closed, whatever it returns. */
EXPORT int
close (int fd)
{
  gboolean is_failing = !is_gio (__builtin_return_address (0)) && fails (TORTURE_CALL_close, -1);
  int saved_errno = errno;
  int status = REAL (close) (fd);

  if (status < 0 && errno == EBADF && is_armed ())
    __atomic_add_fetch (&torture_shim_state->n_bad_closes, 1, __ATOMIC_RELAXED);
  if (!is_failing)
    return status;
  errno = saved_errno;

  return -1;
}

/* An interrupted call goes on by itself. */
EXPORT int
connect (int fd, const struct sockaddr *address, socklen_t length)
{
  if (!fails (TORTURE_CALL_connect, -1))
    return REAL (connect) (fd, address, length);

  if (errno == EINTR)
    {
      if (REAL (connect) (fd, address, length) < 0 && errno != EINPROGRESS)
        return -1;
      errno = EINTR;
    }

  return -1;
}

/* A connection that was given up is not in the queue any more. */
static int
fail_accept (int fd, int error)
{
  if (error == ECONNABORTED || error == EPROTO || error == EPERM)
    {
      int accepted = REAL (accept4) (fd, NULL, NULL, SOCK_CLOEXEC);

      if (accepted < 0)
        return -1;
      REAL (close) (accepted);
    }
  errno = error;

  return -1;
}

EXPORT int
accept (int fd, struct sockaddr *address, socklen_t *length)
{
  return fails (TORTURE_CALL_accept, fd) ? fail_accept (fd, errno) : REAL (accept) (fd, address, length);
}

EXPORT int
accept4 (int fd, struct sockaddr *address, socklen_t *length, int flags)
{
  return fails (TORTURE_CALL_accept4, fd) ? fail_accept (fd, errno) : REAL (accept4) (fd, address, length, flags);
}

EXPORT int
clone (int (*function) (void *), void *stack, int flags, void *data, ...)
{
  int *pidfd = NULL;
  va_list args;

  if (fails (TORTURE_CALL_clone, -1))
    return -1;

  if ((flags & CLONE_PIDFD) != 0)
    {
      va_start (args, data);
      pidfd = va_arg (args, int *);
      va_end (args);
    }

  return REAL (clone) (function, stack, flags, data, pidfd);
}

/* To take a descriptor out of a set needs nothing that could be missing. */
EXPORT int
epoll_ctl (int epoll_fd, int operation, int fd, struct epoll_event *event)
{
  if (operation != EPOLL_CTL_DEL && fails (TORTURE_CALL_epoll_ctl, -1))
    return -1;

  return REAL (epoll_ctl) (epoll_fd, operation, fd, event);
}

EXPORT void *
mmap (void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
  return fails (TORTURE_CALL_mmap, -1) ? MAP_FAILED : REAL (mmap) (address, length, protection, flags, fd, offset);
}
ALIAS_64 (void *, mmap, (void *address, size_t length, int protection, int flags, int fd, off64_t offset));

/* --- Calls with as many arguments as they like ---------------------------------------------------- */

static long
take_argument (va_list arguments)
{
  return va_arg (arguments, long);
}

#define TAKE_ARGUMENT(variable, last)                                                                                  \
  va_list variable##_list;                                                                                             \
  long variable;                                                                                                       \
  va_start (variable##_list, last);                                                                                    \
  variable = take_argument (variable##_list);                                                                          \
  va_end (variable##_list)

EXPORT int
fcntl (int fd, int command, ...)
{
  TAKE_ARGUMENT (argument, command);

  return fails (TORTURE_CALL_fcntl, -1) ? -1 : REAL (fcntl) (fd, command, argument);
}
ALIAS_64 (int, fcntl, (int fd, int command, ...));

EXPORT int
ioctl (int fd, unsigned long request, ...)
{
  TAKE_ARGUMENT (argument, request);

  return fails (TORTURE_CALL_ioctl, -1) ? -1 : REAL (ioctl) (fd, request, argument);
}

EXPORT int
open (const char *path, int flags, ...)
{
  TAKE_ARGUMENT (mode, flags);

  return fails (TORTURE_CALL_open, -1) ? -1 : REAL (open) (path, flags, (mode_t) mode);
}
ALIAS_64 (int, open, (const char *path, int flags, ...));

EXPORT int
openat (int fd, const char *path, int flags, ...)
{
  TAKE_ARGUMENT (mode, flags);

  return fails (TORTURE_CALL_openat, -1) ? -1 : REAL (openat) (fd, path, flags, (mode_t) mode);
}
ALIAS_64 (int, openat, (int fd, const char *path, int flags, ...));

EXPORT long
syscall (long number, ...)
{
  static long (*real) (long number, ...);
  long arguments[6];
  va_list list;
  gboolean is_failing = FALSE;

  va_start (list, number);
  for (guint i = 0; i < G_N_ELEMENTS (arguments); i++)
    arguments[i] = va_arg (list, long);
  va_end (list);

  if (number == SYS_membarrier)
    is_failing = fails (TORTURE_CALL_membarrier, -1);
  else if (number == SYS_pidfd_open)
    is_failing = fails (TORTURE_CALL_pidfd_open, -1);
  else if (number == SYS_pidfd_send_signal)
    is_failing = fails (TORTURE_CALL_pidfd_send_signal, -1);
  if (is_failing)
    return -1;

  if (real == NULL)
    real = (long (*) (long number, ...)) dlsym (RTLD_NEXT, "syscall");

  return real (number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

/* --- Calls that move bytes ------------------------------------------------------------------------ */

EXPORT ssize_t
read (int fd, void *data, size_t length)
{
  return fails (TORTURE_CALL_read, fd) ? -1 : REAL (read) (fd, data, shorten (fd, length));
}

EXPORT ssize_t
write (int fd, const void *data, size_t length)
{
  return fails (TORTURE_CALL_write, fd) ? -1 : REAL (write) (fd, data, shorten (fd, length));
}

EXPORT ssize_t
recv (int fd, void *data, size_t length, int flags)
{
  return fails (TORTURE_CALL_recv, fd) ? -1 : REAL (recv) (fd, data, shorten (fd, length), flags);
}

EXPORT ssize_t
send (int fd, const void *data, size_t length, int flags)
{
  return fails (TORTURE_CALL_send, fd) ? -1 : REAL (send) (fd, data, shorten (fd, length), flags);
}

EXPORT ssize_t
sendfile (int to_fd, int fd, off_t *offset, size_t count)
{
  return fails (TORTURE_CALL_sendfile, to_fd) ? -1 : REAL (sendfile) (to_fd, fd, offset, shorten (to_fd, count));
}
ALIAS_64 (ssize_t, sendfile, (int to_fd, int fd, off64_t *offset, size_t count));

EXPORT ssize_t
splice (int fd, off64_t *offset, int to_fd, off64_t *to_offset, size_t length, unsigned int flags)
{
  if (fails (TORTURE_CALL_splice, to_fd))
    return -1;

  return REAL (splice) (fd, offset, to_fd, to_offset, shorten (to_fd, length), flags);
}

#define VECTOR_CALL(name)                                                                                              \
  EXPORT ssize_t name (int fd, const struct iovec *vector, int n)                                                      \
  {                                                                                                                    \
    struct iovec one;                                                                                                  \
                                                                                                                       \
    if (fails (TORTURE_CALL_##name, fd))                                                                               \
      return -1;                                                                                                       \
    if (shorten_vector (fd, vector, (size_t) n, &one))                                                                 \
      return REAL (name) (fd, &one, 1);                                                                                \
                                                                                                                       \
    return REAL (name) (fd, vector, n);                                                                                \
  }

VECTOR_CALL (readv)
VECTOR_CALL (writev)

EXPORT ssize_t
recvmsg (int fd, struct msghdr *message, int flags)
{
  struct iovec one;
  struct msghdr shortened = *message;
  ssize_t n;

  if (fails (TORTURE_CALL_recvmsg, fd))
    return -1;
  if (!shorten_vector (fd, message->msg_iov, message->msg_iovlen, &one))
    return REAL (recvmsg) (fd, message, flags);

  shortened.msg_iov = &one;
  shortened.msg_iovlen = 1;
  n = REAL (recvmsg) (fd, &shortened, flags);
  shortened.msg_iov = message->msg_iov;
  shortened.msg_iovlen = message->msg_iovlen;
  *message = shortened;

  return n;
}

EXPORT ssize_t
sendmsg (int fd, const struct msghdr *message, int flags)
{
  struct iovec one;
  struct msghdr shortened = *message;

  if (fails (TORTURE_CALL_sendmsg, fd))
    return -1;
  if (shorten_vector (fd, message->msg_iov, message->msg_iovlen, &one))
    {
      shortened.msg_iov = &one;
      shortened.msg_iovlen = 1;
    }

  return REAL (sendmsg) (fd, &shortened, flags);
}
