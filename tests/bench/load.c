/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A load generator for the echo servers
 *
 * load PORT CONNS SIZE SECONDS [IDLE] plays ping-pong with CONNS connections
 * on 127.0.0.1, or on a socket if PORT is a path, each sending SIZE bytes when the answer to the last is
 * complete, and verifies every byte.  Before that, IDLE connections are
 * opened, each of which sends one message, gets its answer, and then says
 * nothing more.
 *
 *   --warmup S     seconds of play before the measurement (0.3)
 *   --requests N   end after N requests instead of SECONDS
 *   --mark-fd FD   write 'b' and 'e' there, at the begin and the end
 *   --pid PID      report the resident memory of that process
 *   --depth N      send N messages at once, and count each
 *   --reconnect    close the connection after each answer, and make another
 *   --tls          talk TLS
 *   --websocket    send each message as a frame of a WebSocket
 *   --hold         measure nothing: keep the idle connections open until the
 *                  end of standard input
 */

#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench-tls.h"
#include "bench-util.h"

#define MAX_EVENTS 512
#define MAX_SIZE 65536
#define PERIOD 4093
#define GRACE_NS UINT64_C (10000000000)

/* Latencies: 32 buckets in each power of two. */
#define SUB_BITS 5
#define N_BUCKETS (64 << SUB_BITS)

typedef struct
{
  int fd;
  BenchTls *tls; /* or NULL */
  unsigned int phase;
  size_t sent;
  size_t received;
  uint64_t sent_at;
} Connection;

static char pattern[PERIOD + MAX_SIZE];
static char inbox[MAX_SIZE];
static uint64_t histogram[N_BUCKETS];
static union
{
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_un un;
} server;
static Connection *connections;
static unsigned int n_connections;
static size_t size;
static unsigned int depth = 1;
static bool reconnect;
static bool use_tls;
static bool use_websocket;

/* A frame has the message after these; a client's has a mask, too, here of zeros. */
static size_t out_header_size;
static size_t in_header_size;
static char out_frame[MAX_SIZE];
static char in_frame[MAX_SIZE];
static int epoll_fd;

static unsigned int outstanding;
static uint64_t requests;
static uint64_t request_limit;
static bool playing;
static bool recording;

static void
fail (const char *what)
{
  fprintf (stderr, "load: %s: %s\n", what, strerror (errno));
  exit (1);
}

static unsigned int
bucket_of (uint64_t ns)
{
  unsigned int shift;

  if (ns < (1u << SUB_BITS))
    return (unsigned int) ns;
  shift = 63 - (unsigned int) __builtin_clzll (ns) - SUB_BITS;
  return ((shift + 1) << SUB_BITS) + (unsigned int) ((ns >> shift) - (1u << SUB_BITS));
}

static double
percentile_us (double fraction)
{
  uint64_t wanted = (uint64_t) (fraction * (double) requests);
  uint64_t seen = 0;
  unsigned int i;

  for (i = 0; i < N_BUCKETS; i++)
    if ((seen += histogram[i]) > wanted)
      {
        unsigned int shift = i >> SUB_BITS;

        if (shift <= 1)
          return i / 1e3;
        return (double) ((uint64_t) ((i & ((1u << SUB_BITS) - 1)) + (1u << SUB_BITS)) << (shift - 1)) / 1e3;
      }
  return 0.0;
}

static const char *
message_of (const Connection *connection)
{
  return use_websocket ? out_frame : pattern + connection->phase;
}

static const char *
answer_to (const Connection *connection)
{
  return use_websocket ? in_frame : pattern + connection->phase;
}

static size_t
message_size (void)
{
  return out_header_size + size;
}

static size_t
answer_size (void)
{
  return in_header_size + size;
}

/* Binary frames of fewer than 126 bytes, RFC 6455, section 5.2. */
static void
make_frames (void)
{
  out_header_size = 6;
  in_header_size = 2;
  out_frame[0] = in_frame[0] = (char) 0x82;
  out_frame[1] = (char) (0x80 | size);
  in_frame[1] = (char) size;
  memcpy (out_frame + out_header_size, pattern, size);
  memcpy (in_frame + in_header_size, pattern, size);
}

static int
open_connection (void)
{
  int fd = socket (server.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct linger linger = { .l_onoff = 1, .l_linger = 0 };
  int one = 1;

  if (fd < 0)
    fail ("socket");
  if (connect (fd, &server.any, server.any.sa_family == AF_UNIX ? sizeof server.un : sizeof server.in) != 0)
    fail ("connect");
  if (server.any.sa_family == AF_UNIX)
    return fd;
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  /* Reset at close: no port is left in TIME_WAIT for the next run. */
  setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  return fd;
}

static ssize_t
send_data (int fd, BenchTls *tls, const void *data, size_t length)
{
  return tls != NULL ? bench_tls_send (tls, data, length) : send (fd, data, length, MSG_NOSIGNAL);
}

static ssize_t
recv_data (int fd, BenchTls *tls, void *data, size_t length)
{
  return tls != NULL ? bench_tls_recv (tls, data, length) : recv (fd, data, length, 0);
}

/* Over a blocking socket. */
static void
upgrade (int fd)
{
  static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
  size_t n_received = 0;

  if (send (fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1)
    fail ("send");
  do
    {
      ssize_t n = recv (fd, inbox + n_received, sizeof inbox - 1 - n_received, 0);

      if (n <= 0)
        fail ("the answer to the upgrade");
      n_received += (size_t) n;
      inbox[n_received] = '\0';
    }
  while (strstr (inbox, "\r\n\r\n") == NULL);
}

static void
connection_open (Connection *connection)
{
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

  connection->fd = open_connection ();
  if (use_tls)
    connection->tls = bench_tls_connect (connection->fd);
  if (use_websocket)
    upgrade (connection->fd);
  fcntl (connection->fd, F_SETFL, O_NONBLOCK);
  /* We always read all that we wait for; with TLS, after what is not data there may be more. */
  if (!use_tls)
    event.events |= EPOLLET;
  /* Only messages that may not fit need to know when there is room. */
  if (size > 16384)
    event.events |= EPOLLOUT;
  if (epoll_ctl (epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0)
    fail ("epoll_ctl");
}

static void
connection_send (Connection *connection)
{
  ssize_t n = send_data (connection->fd, connection->tls, message_of (connection) + connection->sent,
                         message_size () - connection->sent);

  if (n < 0 && errno != EAGAIN)
    fail ("send");
  if (n > 0)
    connection->sent += (size_t) n;
}

static void
connection_start (Connection *connection, uint64_t now)
{
  connection->phase = (connection->phase + 1) % PERIOD;
  connection->sent = 0;
  connection->received = 0;
  connection->sent_at = now;
  outstanding++;
  connection_send (connection);
}

/* Returns: whether the answer is not complete yet, and there may be more of it */
static bool
connection_receive_some (Connection *connection)
{
  ssize_t n = recv_data (connection->fd, connection->tls, inbox, sizeof inbox);

  if (n < 0 && errno == EAGAIN)
    return false;
  if (n < 0)
    fail ("recv");
  if (n == 0 || (size_t) n > answer_size () - connection->received ||
      memcmp (inbox, answer_to (connection) + connection->received, (size_t) n) != 0)
    {
      fprintf (stderr, "load: the echo is wrong\n");
      exit (1);
    }
  connection->received += (size_t) n;
  return connection->received < answer_size ();
}

static void
connection_receive (Connection *connection)
{
  uint64_t now;

  /* A record is read by itself; of a socket, what is there comes at once. */
  while (connection_receive_some (connection) && use_tls)
    ;
  if (connection->received < answer_size ())
    return;

  now = bench_now_ns ();
  outstanding--;
  if (recording)
    {
      requests += depth;
      histogram[bucket_of (now - connection->sent_at)] += depth;
      if (request_limit > 0 && requests >= request_limit)
        playing = false;
    }
  if (reconnect)
    {
      close (connection->fd);
      connection_open (connection);
    }
  if (playing)
    connection_start (connection, now);
}

static void
mark (int fd, char c)
{
  if (fd >= 0 && write (fd, &c, 1) != 1)
    fail ("mark");
}

static void
turn (uint64_t deadline)
{
  struct epoll_event events[MAX_EVENTS];
  int n = epoll_wait (epoll_fd, events, MAX_EVENTS, 100);
  int i;

  if (n < 0 && errno != EINTR)
    fail ("epoll_wait");
  for (i = 0; i < n; i++)
    {
      Connection *connection = events[i].data.ptr;

      if ((events[i].events & EPOLLOUT) && connection->sent < message_size ())
        connection_send (connection);
      if (events[i].events & ~(uint32_t) EPOLLOUT)
        connection_receive (connection);
    }
  if (bench_now_ns () >= deadline)
    playing = false;
}

/* All connections play until the deadline; then the last answers are awaited,
 * outside the measured time.  Returns the measured time. */
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
  for (i = 0; i < n_connections; i++)
    connection_start (&connections[i], bench_now_ns ());
  while (playing)
    turn (deadline);

  ended_at = bench_now_ns ();
  mark (mark_fd, 'e');
  recording = false;
  while (outstanding > 0)
    {
      turn (ended_at);
      if (bench_now_ns () > ended_at + GRACE_NS)
        {
          errno = ETIMEDOUT;
          fail ("the last answers");
        }
    }
  return ended_at - started_at;
}

static void
open_active (void)
{
  unsigned int i;

  connections = calloc (n_connections, sizeof *connections);
  for (i = 0; i < n_connections; i++)
    {
      connections[i].phase = (i * 7) % PERIOD;
      connection_open (&connections[i]);
    }
}

/* An idle connection's one message; blocking. */
static void
exchange (int fd)
{
  BenchTls *tls = use_tls ? bench_tls_connect (fd) : NULL;
  size_t received = 0;

  if (send_data (fd, tls, pattern, size) != (ssize_t) size)
    fail ("send");
  while (received < size)
    {
      ssize_t n = recv_data (fd, tls, inbox, size - received);

      /* TLS had something for itself. */
      if (n < 0 && errno == EAGAIN && tls != NULL)
        continue;
      if (n <= 0)
        fail ("recv");
      if (memcmp (inbox, pattern + received, (size_t) n) != 0)
        {
          fprintf (stderr, "load: the echo is wrong\n");
          exit (1);
        }
      received += (size_t) n;
    }
}

static void
open_idle (unsigned int n_idle)
{
  int fds[100];
  unsigned int opened = 0;

  while (opened < n_idle)
    {
      unsigned int n = n_idle - opened < 100 ? n_idle - opened : 100;
      unsigned int i;

      for (i = 0; i < n; i++)
        fds[i] = open_connection ();
      for (i = 0; i < n; i++)
        exchange (fds[i]);
      opened += n;
    }
}

static long
resident_bytes (const char *pid)
{
  char path[64];
  long pages = 0;
  FILE *file;

  if (pid == NULL)
    return 0;
  snprintf (path, sizeof path, "/proc/%s/statm", pid);
  file = fopen (path, "r");
  if (file == NULL || fscanf (file, "%*d %ld", &pages) != 1)
    fail (path);
  fclose (file);
  return pages * sysconf (_SC_PAGESIZE);
}

static void
hold_idle (long resident_before, long resident_after)
{
  char byte;

  printf ("{\"resident_before\": %ld, \"resident_after\": %ld}\n", resident_before, resident_after);
  fflush (stdout);
  alarm (300);
  while (read (STDIN_FILENO, &byte, 1) > 0)
    ;
}

static void
set_server (const char *text)
{
  if (text[0] == '/')
    {
      server.un.sun_family = AF_UNIX;
      strncpy (server.un.sun_path, text, sizeof server.un.sun_path - 1);
      return;
    }
  server.in.sin_family = AF_INET;
  server.in.sin_port = htons ((uint16_t) atoi (text));
  server.in.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
}

static void
fill_pattern (void)
{
  BenchRandom rng = BENCH_RANDOM_INIT;
  size_t i;

  for (i = 0; i < sizeof pattern; i++)
    pattern[i] = (char) bench_random_below (&rng, 256);
}

int
main (int argc, char **argv)
{
  static const struct option options[] = {
    { "warmup", required_argument, NULL, 'w' },  { "requests", required_argument, NULL, 'r' },
    { "mark-fd", required_argument, NULL, 'm' }, { "pid", required_argument, NULL, 'p' },
    { "hold", no_argument, NULL, 'h' },          { "depth", required_argument, NULL, 'd' },
    { "reconnect", no_argument, NULL, 'c' },     { "tls", no_argument, NULL, 't' },
    { "websocket", no_argument, NULL, 's' },     { NULL, 0, NULL, 0 },
  };
  double warmup = 0.3;
  double duration;
  const char *pid = NULL;
  int mark_fd = -1;
  bool hold = false;
  unsigned int n_idle;
  long resident_before, resident_after;
  uint64_t elapsed, waited;
  int c;

  while ((c = getopt_long (argc, argv, "", options, NULL)) != -1)
    if (c == 'w')
      warmup = atof (optarg);
    else if (c == 'r')
      request_limit = strtoull (optarg, NULL, 10);
    else if (c == 'm')
      mark_fd = atoi (optarg);
    else if (c == 'p')
      pid = optarg;
    else if (c == 'h')
      hold = true;
    else if (c == 'd')
      depth = (unsigned int) atoi (optarg);
    else if (c == 'c')
      reconnect = true;
    else if (c == 't')
      use_tls = true;
    else if (c == 's')
      use_websocket = true;
    else
      return 2;

  argv += optind;
  argc -= optind;
  if (argc < 4 || depth < 1 || (use_tls && reconnect) ||
      (use_websocket && ((size_t) atoi (argv[2]) * depth >= 126 || argc > 4)) || atoi (argv[1]) < 1 ||
      atoi (argv[2]) < 1 || (size_t) atoi (argv[2]) > MAX_SIZE / depth)
    {
      fprintf (stderr, "usage: load [--warmup S] [--requests N] [--mark-fd FD]"
                       " [--pid PID] [--depth N] [--reconnect] [--tls] [--websocket] PORT CONNS SIZE SECONDS [IDLE]\n");
      return 2;
    }
  set_server (argv[0]);
  n_connections = (unsigned int) atoi (argv[1]);
  size = (size_t) atoi (argv[2]) * depth;
  duration = atof (argv[3]);
  n_idle = argc > 4 ? (unsigned int) atoi (argv[4]) : 0;

  bench_init ((unsigned int) (warmup + duration) + 60);
  bench_pin (BENCH_ROLE_DRIVER);
  fill_pattern ();
  if (use_websocket)
    make_frames ();
  epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  open_active ();
  play (warmup, false, -1);

  resident_before = resident_bytes (pid);
  open_idle (n_idle);
  resident_after = resident_bytes (pid);
  if (hold)
    {
      hold_idle (resident_before, resident_after);
      return 0;
    }
  if (n_idle > 0)
    play (warmup, false, -1);

  waited = bench_waited_ns ();
  elapsed = play (duration, true, mark_fd);
  waited = bench_waited_ns () - waited;
  printf ("{\"connections\": %u, \"size\": %zu, \"idle\": %u"
          ", \"requests\": %" PRIu64 ", \"seconds\": %.6f, \"waited_s\": %.6f"
          ", \"rate\": %.1f"
          ", \"p50_us\": %.1f, \"p99_us\": %.1f"
          ", \"resident_before\": %ld, \"resident_after\": %ld}\n",
          n_connections, size, n_idle, requests, (double) elapsed / 1e9, (double) waited / 1e9,
          (double) requests * 1e9 / (double) elapsed, percentile_us (0.50), percentile_us (0.99), resident_before,
          resident_after);
  return 0;
}
