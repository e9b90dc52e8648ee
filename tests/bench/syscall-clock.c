/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The time that a thread spends outside system calls
 *
 * A kernel without CONFIG_VIRT_CPU_ACCOUNTING_GEN splits the CPU time of a
 * process into user and system by sampling it at the timer tick.  A server
 * that spends 3 % of its time in user space would have to run for minutes
 * before getrusage() told libuv's user time from anyone else's.  So the
 * system calls that event loops make are wrapped here: the executable's
 * definitions precede libc's, for the shared libraries too.  Each wrapper
 * reads the time stamp counter on entry and on exit, and what lies between an
 * exit and the next entry is user time, exact to some nanoseconds.
 *
 * Only the thread that started the clock is measured.
 */

#undef _FORTIFY_SOURCE

#include "config.h"

#include <dlfcn.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bench-util.h"
#include "syscall-clock.h"

/* Longer than any loop computes, shorter than a time slice. */
#define PREEMPTED_NS 2000000

#define WRAPPER __attribute__ ((visibility ("default")))

static __thread bool counting;
static __thread uint64_t left_at;
static __thread uint64_t user_ticks;
static __thread uint64_t preempted_ticks;
static __thread uint64_t n_syscalls;

static uint64_t limit_ticks;
static uint64_t own_ticks;
static uint64_t start_ticks;
static uint64_t start_ns;

static inline uint64_t
read_ticks (void)
{
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_ia32_rdtsc ();
#else
  return bench_now_ns ();
#endif
}

static inline void
enter (void)
{
  uint64_t ticks = read_ticks () - left_at;

  n_syscalls++;
  if (ticks < limit_ticks)
    user_ticks += ticks;
  else
    preempted_ticks += ticks;
}

static inline void
leave (void)
{
  left_at = read_ticks ();
}

/* The next definition after ours, looked up once. */
#define REAL(name)                                                                                                     \
  ({                                                                                                                   \
    static __typeof__ (&name) found;                                                                                   \
    if (__builtin_expect (found == NULL, 0))                                                                           \
      found = (__typeof__ (&name)) dlsym (RTLD_NEXT, #name);                                                           \
    found;                                                                                                             \
  })

/* While nothing is measured a wrapper is a jump, so that counts of instructions
 * are those of the loop. */
#define WRAP(type, name, params, args)                                                                                 \
  static __attribute__ ((noinline)) type name##_counted params                                                         \
  {                                                                                                                    \
    __typeof__ (&name) real = REAL (name);                                                                             \
    type result;                                                                                                       \
                                                                                                                       \
    enter ();                                                                                                          \
    result = real args;                                                                                                \
    leave ();                                                                                                          \
    return result;                                                                                                     \
  }                                                                                                                    \
                                                                                                                       \
  WRAPPER type name params                                                                                             \
  {                                                                                                                    \
    __typeof__ (&name) real = REAL (name);                                                                             \
                                                                                                                       \
    return counting ? name##_counted args : real args;                                                                 \
  }

WRAP (ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
WRAP (ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))
WRAP (ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP (ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP (ssize_t, recv, (int fd, void *buf, size_t n, int flags), (fd, buf, n, flags))
WRAP (ssize_t, send, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags))
WRAP (ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))
WRAP (ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags))
WRAP (ssize_t,
      recvfrom,
      (int fd, void *buf, size_t n, int flags, struct sockaddr *from, socklen_t *length),
      (fd, buf, n, flags, from, length))
WRAP (ssize_t,
      sendto,
      (int fd, const void *buf, size_t n, int flags, const struct sockaddr *to, socklen_t length),
      (fd, buf, n, flags, to, length))
WRAP (int,
      recvmmsg,
      (int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout),
      (fd, msgs, n, flags, timeout))
WRAP (int, sendmmsg, (int fd, struct mmsghdr *msgs, unsigned int n, int flags), (fd, msgs, n, flags))
WRAP (int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))
WRAP (int,
      ppoll,
      (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask),
      (fds, n, timeout, mask))
WRAP (int, epoll_wait, (int fd, struct epoll_event *ev, int n, int timeout), (fd, ev, n, timeout))
WRAP (int,
      epoll_pwait,
      (int fd, struct epoll_event *ev, int n, int timeout, const sigset_t *mask),
      (fd, ev, n, timeout, mask))
WRAP (int,
      epoll_pwait2,
      (int fd, struct epoll_event *ev, int n, const struct timespec *timeout, const sigset_t *mask),
      (fd, ev, n, timeout, mask))
WRAP (int, epoll_ctl, (int fd, int op, int target, struct epoll_event *ev), (fd, op, target, ev))

/* What libraries built with _FORTIFY_SOURCE call instead. */
ssize_t __read_chk (int fd, void *buf, size_t n, size_t size);
ssize_t __recv_chk (int fd, void *buf, size_t n, size_t size, int flags);
int __poll_chk (struct pollfd *fds, nfds_t n, int timeout, size_t size);

WRAP (ssize_t, __read_chk, (int fd, void *buf, size_t n, size_t size), (fd, buf, n, size))
WRAP (ssize_t, __recv_chk, (int fd, void *buf, size_t n, size_t size, int flags), (fd, buf, n, size, flags))
WRAP (int, __poll_chk, (struct pollfd * fds, nfds_t n, int timeout, size_t size), (fds, n, timeout, size))

WRAPPER int
ioctl (int fd, unsigned long request, ...)
{
  int (*real) (int, unsigned long, ...) = REAL (ioctl);
  va_list ap;
  void *argument;
  int result;

  va_start (ap, request);
  argument = va_arg (ap, void *);
  va_end (ap);
  if (!counting)
    return real (fd, request, argument);
  enter ();
  result = real (fd, request, argument);
  leave ();
  return result;
}

WRAPPER long
syscall (long number, ...)
{
  long (*real) (long, ...) = REAL (syscall);
  va_list ap;
  long a[6];
  long result;
  int i;

  va_start (ap, number);
  for (i = 0; i < 6; i++)
    a[i] = va_arg (ap, long);
  va_end (ap);
  if (!counting)
    return real (number, a[0], a[1], a[2], a[3], a[4], a[5]);
  enter ();
  result = real (number, a[0], a[1], a[2], a[3], a[4], a[5]);
  leave ();
  return result;
}

/* The rate of the counter, and what the clock itself costs: a call that fails
 * at once has nothing else around it. */
void
syscall_clock_init (void)
{
  uint64_t least = UINT64_MAX;
  uint64_t ns = bench_now_ns ();
  uint64_t ticks = read_ticks ();
  double ticks_per_ns;
  int i;

  while (bench_now_ns () - ns < UINT64_C (1000000))
    ;
  ticks_per_ns = (double) (read_ticks () - ticks) / (double) (bench_now_ns () - ns);

  limit_ticks = UINT64_MAX;
  counting = true;
  recv (-1, NULL, 0, 0);
  for (i = 0; i < 5000; i++)
    {
      uint64_t before = user_ticks;

      recv (-1, NULL, 0, 0);
      if (user_ticks - before < least)
        least = user_ticks - before;
    }
  counting = false;

  own_ticks = least;
  limit_ticks = (uint64_t) (PREEMPTED_NS * ticks_per_ns);
}

void
syscall_clock_start (void)
{
  user_ticks = 0;
  preempted_ticks = 0;
  n_syscalls = 0;
  start_ns = bench_now_ns ();
  start_ticks = left_at = read_ticks ();
  counting = true;
}

void
syscall_clock_stop (SyscallClock *result)
{
  double ticks_per_ns = (double) (read_ticks () - start_ticks) / (double) (bench_now_ns () - start_ns);
  uint64_t own = own_ticks * n_syscalls;

  counting = false;
  result->user_ns = user_ticks > own ? (uint64_t) ((double) (user_ticks - own) / ticks_per_ns) : 0;
  result->preempted_ns = (uint64_t) ((double) preempted_ticks / ticks_per_ns);
  result->syscalls = n_syscalls;
}
