/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A load generator for the UDP echo servers
 *
 * load-udp PORT SOCKETS SIZE SECONDS keeps WINDOW datagrams of SIZE bytes on
 * their way from each of SOCKETS sockets on 127.0.0.1, and verifies every
 * byte of what comes back.  Datagrams are sent and received by many in one
 * system call, so that the server is what limits the rate.
 *
 *   --warmup S     seconds of play before the measurement (0.3)
 *   --window N     datagrams on their way from each socket (16)
 *   --trains       send trains of datagrams of which the kernel knows
 *   --requests N   end after N datagrams instead of SECONDS
 *   --mark-fd FD   write 'b' and 'e' there, at the begin and the end
 */

#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench-util.h"

#define MAX_SIZE 1472
#define MAX_WINDOW 64
#define MAX_SOCKETS 256
/* After so long without an answer, what is on its way is lost. */
#define PATIENCE_NS UINT64_C (200000000)

typedef struct
{
  int fd;
  uint64_t next; /* the number of the next datagram */
  unsigned int outstanding;
  uint64_t last_answer;
} Socket;

static Socket sockets[MAX_SOCKETS];
static unsigned int n_sockets;
static unsigned int window = 16;
static size_t size;
static bool with_trains;

static char outbox[MAX_WINDOW][MAX_SIZE];
static char inbox[MAX_WINDOW][MAX_SIZE + 1];
static struct iovec out_iov[MAX_WINDOW];
static struct iovec in_iov[MAX_WINDOW];
static struct mmsghdr out_messages[MAX_WINDOW];
static struct mmsghdr in_messages[MAX_WINDOW];

static uint64_t requests;
static uint64_t request_limit;
static uint64_t lost;
static uint64_t wait_ns;
static uint64_t n_waits;
static bool playing;
static bool recording;
static int epoll_fd;

static void
fail (const char *what)
{
  fprintf (stderr, "load-udp: %s: %s\n", what, strerror (errno));
  exit (1);
}

/* Each datagram begins with its number; the rest is the same in all. */
static void
fill (char *data, uint64_t number)
{
  memcpy (data, &number, sizeof number);
}

static void
send_train (Socket *self, unsigned int n)
{
  uint16_t segment = (uint16_t) size;
  struct iovec iov[MAX_WINDOW];
  union
  {
    char bytes[CMSG_SPACE (sizeof (uint16_t))];
    struct cmsghdr header;
  } control = { .header = { .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN (sizeof segment) } };
  struct msghdr message = { .msg_iov = iov, .msg_control = &control, .msg_controllen = sizeof control };
  unsigned int i;

  memcpy (CMSG_DATA (&control.header), &segment, sizeof segment);
  if (n > 65507 / size)
    n = (unsigned int) (65507 / size);
  for (i = 0; i < n; i++)
    {
      fill (outbox[i], self->next + i);
      iov[i] = (struct iovec) { outbox[i], size };
    }
  message.msg_iovlen = n;
  if (sendmsg (self->fd, &message, 0) < 0)
    {
      if (errno != EAGAIN)
        fail ("sendmsg");
      return;
    }
  self->next += n;
  self->outstanding += n;
}

static void
top_up (Socket *self)
{
  unsigned int n = window - self->outstanding;
  unsigned int i;
  int n_sent;

  if (n == 0)
    return;
  if (with_trains && n > 1)
    {
      send_train (self, n);
      return;
    }

  for (i = 0; i < n; i++)
    fill (outbox[i], self->next + i);
  n_sent = sendmmsg (self->fd, out_messages, n, 0);
  if (n_sent < 0)
    {
      if (errno != EAGAIN)
        fail ("sendmmsg");
      return;
    }
  self->next += (unsigned int) n_sent;
  self->outstanding += (unsigned int) n_sent;
}

static void
check (Socket *self, const char *data, size_t length)
{
  uint64_t number;

  memcpy (&number, data, sizeof number);
  if (length != size || number >= self->next ||
      memcmp (data + sizeof number, outbox[0] + sizeof number, size - sizeof number) != 0)
    {
      fprintf (stderr, "load-udp: the echo is wrong\n");
      exit (1);
    }
}

static void
receive (Socket *self)
{
  int n = recvmmsg (self->fd, in_messages, MAX_WINDOW, MSG_DONTWAIT, NULL);
  int i;

  if (n < 0 && errno != EAGAIN)
    fail ("recvmmsg");
  for (i = 0; i < n; i++)
    {
      check (self, inbox[i], in_messages[i].msg_len);
      /* One that was given up for lost may come yet. */
      if (self->outstanding > 0)
        self->outstanding--;
    }
  if (n > 0)
    {
      self->last_answer = bench_now_ns ();
      if (recording)
        requests += (unsigned int) n;
    }
  if (request_limit > 0 && requests >= request_limit)
    playing = false;
}

static void
look_for_losses (void)
{
  uint64_t now = bench_now_ns ();
  unsigned int i;

  for (i = 0; i < n_sockets; i++)
    if (sockets[i].outstanding > 0 && now - sockets[i].last_answer > PATIENCE_NS)
      {
        if (recording)
          lost += sockets[i].outstanding;
        sockets[i].outstanding = 0;
        sockets[i].last_answer = now;
        if (playing)
          top_up (&sockets[i]);
      }
}

static void
turn (uint64_t deadline)
{
  struct epoll_event events[MAX_SOCKETS];
  uint64_t before = bench_now_ns ();
  int n = epoll_wait (epoll_fd, events, MAX_SOCKETS, 50);
  uint64_t now = bench_now_ns ();
  int i;

  if (n < 0 && errno != EINTR)
    fail ("epoll_wait");
  if (recording)
    {
      wait_ns += now - before;
      n_waits++;
    }
  for (i = 0; i < n; i++)
    {
      receive (events[i].data.ptr);
      if (playing)
        top_up (events[i].data.ptr);
    }
  if (n == 0)
    look_for_losses ();
  if (now >= deadline)
    playing = false;
}

static void
mark (int fd, char c)
{
  if (fd >= 0 && write (fd, &c, 1) != 1)
    fail ("mark");
}

static uint64_t
play (double seconds, bool record, int mark_fd)
{
  uint64_t started_at = bench_now_ns ();
  uint64_t deadline = started_at + (uint64_t) (seconds * 1e9);
  uint64_t ended_at;
  unsigned int i;

  mark (mark_fd, 'b');
  playing = true;
  recording = record;
  for (i = 0; i < n_sockets; i++)
    {
      sockets[i].last_answer = started_at;
      top_up (&sockets[i]);
    }
  while (playing)
    turn (deadline);

  ended_at = bench_now_ns ();
  mark (mark_fd, 'e');
  recording = false;
  /* The last answers. */
  for (i = 0; i < n_sockets; i++)
    while (sockets[i].outstanding > 0 && bench_now_ns () < ended_at + PATIENCE_NS)
      turn (ended_at);
  for (i = 0; i < n_sockets; i++)
    sockets[i].outstanding = 0;
  return ended_at - started_at;
}

static void
open_sockets (struct sockaddr_in *server)
{
  int large = 4 * 1024 * 1024;
  unsigned int i;

  for (i = 0; i < n_sockets; i++)
    {
      struct epoll_event event = { .events = EPOLLIN, .data.ptr = &sockets[i] };

      sockets[i].fd = socket (AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (sockets[i].fd < 0 || connect (sockets[i].fd, (struct sockaddr *) server, sizeof *server) != 0)
        fail ("connect");
      setsockopt (sockets[i].fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
      setsockopt (sockets[i].fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
      if (epoll_ctl (epoll_fd, EPOLL_CTL_ADD, sockets[i].fd, &event) != 0)
        fail ("epoll_ctl");
    }
}

static void
prepare (void)
{
  BenchRandom rng = BENCH_RANDOM_INIT;
  unsigned int i;
  size_t j;

  for (j = 0; j < size; j++)
    outbox[0][j] = (char) bench_random_below (&rng, 256);
  for (i = 0; i < MAX_WINDOW; i++)
    {
      if (i > 0)
        memcpy (outbox[i], outbox[0], size);
      out_iov[i] = (struct iovec) { outbox[i], size };
      in_iov[i] = (struct iovec) { inbox[i], sizeof inbox[i] };
      out_messages[i].msg_hdr = (struct msghdr) { .msg_iov = &out_iov[i], .msg_iovlen = 1 };
      in_messages[i].msg_hdr = (struct msghdr) { .msg_iov = &in_iov[i], .msg_iovlen = 1 };
    }
}

int
main (int argc, char **argv)
{
  static const struct option options[] = {
    { "warmup", required_argument, NULL, 'w' },   { "window", required_argument, NULL, 'n' },
    { "requests", required_argument, NULL, 'r' }, { "mark-fd", required_argument, NULL, 'm' },
    { "trains", no_argument, NULL, 't' },         { NULL, 0, NULL, 0 },
  };
  struct sockaddr_in server = { .sin_family = AF_INET };
  double warmup = 0.3;
  double duration;
  int mark_fd = -1;
  uint64_t elapsed, waited;
  int c;

  while ((c = getopt_long (argc, argv, "", options, NULL)) != -1)
    if (c == 'w')
      warmup = atof (optarg);
    else if (c == 'n')
      window = (unsigned int) atoi (optarg);
    else if (c == 'r')
      request_limit = strtoull (optarg, NULL, 10);
    else if (c == 'm')
      mark_fd = atoi (optarg);
    else if (c == 't')
      with_trains = true;
    else
      return 2;

  argv += optind;
  argc -= optind;
  if (argc < 4 || atoi (argv[1]) < 1 || atoi (argv[1]) > MAX_SOCKETS || atoi (argv[2]) < 8 ||
      atoi (argv[2]) > MAX_SIZE || window < 1 || window > MAX_WINDOW)
    {
      fprintf (stderr, "usage: load-udp [--warmup S] [--window N] [--trains] [--requests N] [--mark-fd FD]"
                       " PORT SOCKETS SIZE SECONDS\n");
      return 2;
    }
  server.sin_port = htons ((uint16_t) atoi (argv[0]));
  server.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  n_sockets = (unsigned int) atoi (argv[1]);
  size = (size_t) atoi (argv[2]);
  duration = atof (argv[3]);

  bench_init ((unsigned int) (warmup + duration) + 60);
  bench_pin (BENCH_ROLE_DRIVER);
  prepare ();
  epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  open_sockets (&server);
  play (warmup, false, -1);

  waited = bench_waited_ns ();
  elapsed = play (duration, true, mark_fd);
  waited = bench_waited_ns () - waited;
  printf ("{\"connections\": %u, \"size\": %zu, \"requests\": %" PRIu64 ", \"lost\": %" PRIu64
          ", \"seconds\": %.6f, \"waited_s\": %.6f, \"asleep\": %.3f, \"rate\": %.1f}\n",
          n_sockets, size, requests, lost, (double) elapsed / 1e9, (double) waited / 1e9,
          (double) wait_ns / (double) elapsed, (double) requests * 1e9 / (double) elapsed);
  return 0;
}
