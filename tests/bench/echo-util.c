/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the echo servers share */

#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench-util.h"
#include "echo-util.h"
#include "syscall-clock.h"

typedef struct
{
  struct rusage usage;
  uint64_t requests;
  uint64_t now;
  uint64_t waited;
} Snapshot;

uint64_t echo_requests;
size_t echo_message_size;
const char *echo_unix_path;

static const char *server_name;
static Snapshot begin;
static bool reported;

static void
take_snapshot (Snapshot *snapshot)
{
  getrusage (RUSAGE_SELF, &snapshot->usage);
  snapshot->requests = echo_requests;
  snapshot->now = bench_now_ns ();
  snapshot->waited = bench_waited_ns ();
}

static double
seconds (const struct timeval *from, const struct timeval *to)
{
  return (double) (to->tv_sec - from->tv_sec) + (double) (to->tv_usec - from->tv_usec) / 1e6;
}

static void
report (const SyscallClock *user_clock)
{
  Snapshot end;

  take_snapshot (&end);
  reported = true;
  printf ("{\"server\": \"%s\", \"requests\": %" PRIu64
          ", \"seconds\": %.6f, \"waited_s\": %.6f, \"user_s\": %.6f, \"sys_s\": %.6f"
          ", \"user_ns\": %" PRIu64 ", \"preempted_ns\": %" PRIu64 ", \"syscalls\": %" PRIu64 "}\n",
          server_name, end.requests - begin.requests, (double) (end.now - begin.now) / 1e9,
          (double) (end.waited - begin.waited) / 1e9, seconds (&begin.usage.ru_utime, &end.usage.ru_utime),
          seconds (&begin.usage.ru_stime, &end.usage.ru_stime), user_clock->user_ns, user_clock->preempted_ns,
          user_clock->syscalls);
  fflush (stdout);
}

void
echo_init (const char *name)
{
  struct stat info;

  if (fstat (STDIN_FILENO, &info) != 0 || !(S_ISFIFO (info.st_mode) || S_ISSOCK (info.st_mode)))
    {
      fprintf (stderr, "echo-%s: standard input must be a pipe\n", name);
      exit (2);
    }

  server_name = name;
  echo_unix_path = getenv ("BENCH_UNIX");
  if (getenv ("BENCH_MESSAGE") != NULL)
    echo_message_size = (size_t) atoi (getenv ("BENCH_MESSAGE"));
  bench_init (300);
  bench_pin (BENCH_ROLE_MEASURED);
  fcntl (STDIN_FILENO, F_SETFL, O_NONBLOCK);
  syscall_clock_init ();
  take_snapshot (&begin);
}

static int
listen_on_path (void)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  strncpy (address.sun_path, echo_unix_path, sizeof address.sun_path - 1);
  unlink (address.sun_path);
  if (fd < 0 || bind (fd, (struct sockaddr *) &address, sizeof address) != 0 || listen (fd, 4096) != 0)
    {
      perror ("listen");
      exit (1);
    }
  echo_ready (0, NULL);
  return fd;
}

/* A listening socket for those that do not make their own. */
int
echo_listen (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;
  int fd;

  if (echo_unix_path != NULL)
    return listen_on_path ();

  fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  /* What is accepted inherits it: nobody waits for acknowledgements before the next answer goes out. */
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &(int) { 1 }, sizeof (int));
  if (fd < 0 || bind (fd, (struct sockaddr *) &address, sizeof address) != 0 || listen (fd, 4096) != 0 ||
      getsockname (fd, (struct sockaddr *) &address, &length) != 0)
    {
      perror ("listen");
      exit (1);
    }
  echo_ready (ntohs (address.sin_port), NULL);
  return fd;
}

/* So large that no server loses what has been sent to it. */
void
echo_set_udp_buffers (int fd)
{
  int size = 4 * 1024 * 1024;

  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

/* A datagram socket for those that do not make their own. */
int
echo_bind_udp (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  if (fd < 0 || bind (fd, (struct sockaddr *) &address, sizeof address) != 0 ||
      getsockname (fd, (struct sockaddr *) &address, &length) != 0)
    {
      perror ("bind");
      exit (1);
    }
  echo_set_udp_buffers (fd);
  echo_ready (ntohs (address.sin_port), NULL);
  return fd;
}

void
echo_ready (unsigned int port, const char *inspector)
{
  printf ("{\"port\": %u, \"inspector\": \"%s\"}\n", port, inspector != NULL ? inspector : "");
  fflush (stdout);
}

/* Call it when standard input is readable; FALSE means the end. */
bool
echo_control (void)
{
  SyscallClock user_clock;
  char bytes[16];
  ssize_t n = read (STDIN_FILENO, bytes, sizeof bytes);
  ssize_t i;

  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
    return false;

  for (i = 0; i < n; i++)
    if (bytes[i] == 'b')
      {
        take_snapshot (&begin);
        syscall_clock_start ();
      }
    else if (bytes[i] == 'e')
      {
        syscall_clock_stop (&user_clock);
        report (&user_clock);
      }
  return true;
}

void
echo_finish (void)
{
  static const SyscallClock none;

  if (!reported)
    report (&none);
}
