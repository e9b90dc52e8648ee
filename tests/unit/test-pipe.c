/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"
#include "tcp-check.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* Transports on the ends of pipes, on terminals, and on sockets in the place of a pipe. */

#define SIZE (8 * 1024 * 1024)

/* Descriptors that this program's close(), which stands before the real one, says it was interrupted at. */
static struct
{
  int fds[2];
  int n_closed;
} interrupted = { { -1, -1 }, 0 };

int
close (int fd)
{
  int (*real) (int) = (int (*) (int)) dlsym (RTLD_NEXT, "close");
  int status = real (fd);

  if (fd < 0 || (fd != interrupted.fds[0] && fd != interrupted.fds[1]))
    return status;

  interrupted.n_closed++;
  errno = EINTR;

  return -1;
}

typedef LoopFuture *(*Connect) (LoopEventLoop *, int, LoopProtocolFactory, gpointer, GDestroyNotify);

static TcpPeer *
connect_pipe (Tcp *tcp, Connect connect, int fd)
{
  TcpPeer *peer = tcp_add_client (tcp);
  g_autoptr (LoopFuture) future = connect (tcp->loop, fd, tcp_peer_factory, peer, NULL);
  g_autoptr (LoopTransport) transport = tcp_take_transport (tcp, future);

  ck_assert_ptr_eq (transport, peer->transport);

  return peer;
}

static void
make_pipe (int fds[2])
{
  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
}

static void
put (int fd, const char *text)
{
  ck_assert_int_eq (write (fd, text, strlen (text)), (gssize) strlen (text));
}

static gboolean
is_blocking (int fd)
{
  int flags = fcntl (fd, F_GETFL);

  ck_assert_int_ge (flags, 0);

  return (flags & O_NONBLOCK) == 0;
}

START_TEST (test_read)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (GValue) value = G_VALUE_INIT;
  int fds[2];
  TcpPeer *peer;

  make_pipe (fds);
  peer = connect_pipe (&tcp, loop_event_loop_connect_read_pipe, fds[0]);
  peer->keep_open = TRUE;
  ck_assert (loop_transport_is_reading (peer->transport));
  ck_assert (!loop_transport_can_write_eof (peer->transport));
  ck_assert (loop_transport_get_extra_info (peer->transport, "pipe", &value));
  ck_assert_int_eq (g_value_get_int (&value), fds[0]);

  put (fds[1], "hello");
  tcp_run_until (tcp.loop, peer->n_bytes == 5);
  tcp_assert_received (peer, "hello");

  loop_transport_pause_reading (peer->transport);
  put (fds[1], " again");
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (peer->n_bytes, 5);
  loop_transport_resume_reading (peer->transport);
  tcp_run_until (tcp.loop, peer->n_bytes == 11);

  /* There is nothing that the transport could be kept open for. */
  close (fds[1]);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_ptr_null (peer->error);
  ck_assert_str_eq (peer->events->str, "made data eof lost");
  ck_assert_int_eq (fcntl (fds[0], F_GETFD), -1);
}
END_TEST

/* What is buffered is written before the end: C1. */
START_TEST (test_write_then_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autofree char *wanted = tcp_checksum (bytes);
  g_autofree char *found = NULL;
  gsize length;
  int last_errno;
  int fds[2];
  TcpPeer *peer;
  TcpSink *sink;

  make_pipe (fds);
  peer = connect_pipe (&tcp, loop_event_loop_connect_write_pipe, fds[1]);
  ck_assert (loop_transport_can_write_eof (peer->transport));
  ck_assert (!loop_transport_is_reading (peer->transport));
  loop_transport_write (peer->transport, g_bytes_get_data (bytes, NULL), SIZE / 2);
  ck_assert_uint_eq (peer->n_paused, 1);
  {
    g_autoptr (GBytes) rest = g_bytes_new_from_bytes (bytes, SIZE / 2, SIZE / 2);

    loop_transport_write_bytes (peer->transport, rest);
  }
  ck_assert_uint_gt (loop_transport_get_write_buffer_size (peer->transport), SIZE / 2);
  loop_transport_write_eof (peer->transport);
  ck_assert (loop_transport_is_closing (peer->transport));

  sink = tcp_sink_new (fds[0]);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  found = tcp_sink_finish (sink, &length, &last_errno);
  ck_assert_ptr_null (peer->error);
  ck_assert_int_eq (last_errno, 0);
  ck_assert_uint_eq (length, SIZE);
  ck_assert_str_eq (found, wanted);
  ck_assert_uint_eq (peer->n_resumed, 1);
  close (fds[0]);
}
END_TEST

/* A hang-up of the writer, that nobody wants to know of yet, does not keep the processor busy. */
START_TEST (test_hang_up_while_paused)
{
  g_auto (Tcp) tcp = tcp_new ();
  double cpu_time;
  int fds[2];
  TcpPeer *peer;

  make_pipe (fds);
  peer = connect_pipe (&tcp, loop_event_loop_connect_read_pipe, fds[0]);
  loop_transport_pause_reading (peer->transport);
  put (fds[1], "last");
  close (fds[1]);
  cpu_time = get_cpu_time ();
  tcp_run_for (tcp.loop, 0.3);
  ck_assert_double_lt (get_cpu_time () - cpu_time, 0.1);
  ck_assert_uint_eq (peer->n_bytes + peer->n_lost, 0);

  loop_transport_resume_reading (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  tcp_assert_received (peer, "last");
  ck_assert_str_eq (peer->events->str, "made data eof lost");
}
END_TEST

/* The descriptor is closed by that all the same, and its number may be another's. Fault 5. */
START_TEST (test_close_interrupted)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fds[2];
  TcpPeer *reader;
  TcpPeer *writer;

  make_pipe (fds);
  reader = connect_pipe (&tcp, loop_event_loop_connect_read_pipe, fds[0]);
  writer = connect_pipe (&tcp, loop_event_loop_connect_write_pipe, fds[1]);
  interrupted.fds[0] = fds[0];
  interrupted.fds[1] = fds[1];
  loop_transport_close (writer->transport);
  tcp_run_until (tcp.loop, reader->n_lost == 1 && writer->n_lost == 1);
  ck_assert_ptr_null (reader->error);
  ck_assert_ptr_null (writer->error);
  ck_assert_int_eq (interrupted.n_closed, 2);
  interrupted.fds[0] = interrupted.fds[1] = -1;
}
END_TEST

/* The reader goes away, while nothing waits to be written and while something does. */
START_TEST (test_peer_closes)
{
  for (int is_writing = 0; is_writing < 2; is_writing++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autofree guint8 *data = g_malloc0 (SIZE);
      int fds[2];
      TcpPeer *peer;

      make_pipe (fds);
      peer = connect_pipe (&tcp, loop_event_loop_connect_write_pipe, fds[1]);
      if (is_writing)
        loop_transport_write (peer->transport, data, SIZE);
      close (fds[0]);
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      if (is_writing)
        tcp_assert_error (peer->error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
      else
        ck_assert_ptr_null (peer->error);
    }
}
END_TEST

static int n_sigpipe;

static void
count_sigpipe (int signum)
{
  n_sigpipe++;
}

/* A write after that, when the loop has not seen it yet. */
START_TEST (test_sigpipe)
{
  g_auto (Tcp) tcp = tcp_new ();
  sigset_t sigpipe;
  sigset_t pending;

  sigemptyset (&sigpipe);
  sigaddset (&sigpipe, SIGPIPE);
  signal (SIGPIPE, count_sigpipe);
  for (int i = 0; i < 3; i++)
    {
      int fds[2];
      TcpPeer *peer;

      make_pipe (fds);
      peer = connect_pipe (&tcp, loop_event_loop_connect_write_pipe, fds[1]);
      close (fds[0]);
      /* One that waits already, since it is blocked, stays. */
      if (i > 0)
        sigprocmask (SIG_BLOCK, &sigpipe, NULL);
      if (i == 2)
        raise (SIGPIPE);
      loop_transport_write (peer->transport, (const guint8 *) "x", 1);
      ck_assert_int_eq (sigpending (&pending), 0);
      ck_assert_int_eq (sigismember (&pending, SIGPIPE), i == 2);
      sigprocmask (SIG_UNBLOCK, &sigpipe, NULL);
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      tcp_assert_error (peer->error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
      ck_assert_int_eq (n_sigpipe, i == 2);
    }
}
END_TEST

/* Other processes may have the same file. */
START_TEST (test_mode_is_restored)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fds[2];
  int copies[3];
  TcpPeer *reader;
  TcpPeer *copy;
  TcpPeer *writer;

  make_pipe (fds);
  for (int i = 0; i < 3; i++)
    copies[i] = dup (fds[i == 2]);
  ck_assert_int_eq (fcntl (copies[2], F_SETFL, O_NONBLOCK), 0);
  reader = connect_pipe (&tcp, loop_event_loop_connect_read_pipe, fds[0]);
  copy = connect_pipe (&tcp, loop_event_loop_connect_read_pipe, copies[0]);
  writer = connect_pipe (&tcp, loop_event_loop_connect_write_pipe, fds[1]);
  ck_assert (!is_blocking (copies[1]));

  /* As long as one of them needs it, it stays. */
  loop_transport_close (reader->transport);
  tcp_run_until (tcp.loop, reader->n_lost == 1);
  ck_assert (!is_blocking (copies[1]));
  loop_transport_close (copy->transport);
  tcp_run_until (tcp.loop, copy->n_lost == 1);
  ck_assert (is_blocking (copies[1]));

  loop_transport_close (writer->transport);
  tcp_run_until (tcp.loop, writer->n_lost == 1);
  ck_assert (!is_blocking (copies[2]));
  close (copies[1]);
  close (copies[2]);
}
END_TEST

static int stolen_fd;

static void
steal (TcpPeer *peer)
{
  stolen_fd = loop_transport_steal_fd (peer->transport);
}

/* As it was before the transport had it. */
START_TEST (test_stolen)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fds[2];
  TcpPeer *reader;

  make_pipe (fds);
  reader = connect_pipe (&tcp, loop_event_loop_connect_read_pipe, fds[0]);
  ck_assert (!is_blocking (fds[0]));
  reader->lost = steal;
  loop_transport_close (reader->transport);
  tcp_run_until (tcp.loop, reader->n_lost == 1);
  ck_assert_int_eq (stolen_fd, fds[0]);
  tcp_run_for (tcp.loop, 0);
  ck_assert (is_blocking (fds[0]));
  close (fds[0]);
  close (fds[1]);
}
END_TEST

START_TEST (test_terminal)
{
  g_auto (Tcp) tcp = tcp_new ();
  struct termios mode;
  int master = posix_openpt (O_RDWR | O_NOCTTY | O_CLOEXEC);
  int slave;
  char typed[16];
  TcpPeer *reader;
  TcpPeer *writer;

  ck_assert_int_ge (master, 0);
  ck_assert_int_eq (grantpt (master) | unlockpt (master), 0);
  slave = open (ptsname (master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ck_assert_int_ge (slave, 0);
  ck_assert_int_eq (tcgetattr (slave, &mode), 0);
  cfmakeraw (&mode);
  ck_assert_int_eq (tcsetattr (slave, TCSANOW, &mode), 0);

  reader = connect_pipe (&tcp, loop_event_loop_connect_read_pipe, dup (master));
  writer = connect_pipe (&tcp, loop_event_loop_connect_write_pipe, master);
  loop_transport_write (writer->transport, (const guint8 *) "typed", 5);
  ck_assert_int_eq (read (slave, typed, sizeof typed), 5);
  ck_assert_mem_eq (typed, "typed", 5);
  put (slave, "shown");
  tcp_run_until (tcp.loop, reader->n_bytes == 5);
  tcp_assert_received (reader, "shown");
  ck_assert_uint_eq (writer->n_lost, 0);

  /* To read on says EIO, which is no error. */
  close (slave);
  tcp_run_until (tcp.loop, reader->n_lost == 1);
  ck_assert_ptr_null (reader->error);
  ck_assert_uint_eq (reader->n_eof, 1);
  loop_transport_close (writer->transport);
  tcp_run_until (tcp.loop, writer->n_lost == 1);
}
END_TEST

START_TEST (test_socket)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fds[2];
  TcpPeer *reader;
  TcpPeer *writer;

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  reader = connect_pipe (&tcp, loop_event_loop_connect_read_pipe, fds[0]);
  writer = connect_pipe (&tcp, loop_event_loop_connect_write_pipe, fds[1]);
  loop_transport_write (writer->transport, (const guint8 *) "hello", 5);
  tcp_run_until (tcp.loop, reader->n_bytes == 5);

  /* That something comes the other way does not mean that the peer is gone. */
  put (fds[0], "x");
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (writer->n_lost, 0);
  loop_transport_close (writer->transport);
  tcp_run_until (tcp.loop, reader->n_lost == 1 && writer->n_lost == 1);

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  writer = connect_pipe (&tcp, loop_event_loop_connect_write_pipe, fds[1]);
  close (fds[0]);
  tcp_run_until (tcp.loop, writer->n_lost == 1);
}
END_TEST

static GObject *
refuse (gpointer user_data)
{
  ck_abort_msg ("the factory was called");
}

static void
check_refused (Tcp *tcp, Connect connect, int fd, int code, const char *text)
{
  g_autoptr (LoopFuture) future = connect (tcp->loop, fd, refuse, NULL, NULL);
  g_autoptr (GError) error = tcp_take_error (tcp, future);

  tcp_assert_error (error, G_IO_ERROR, code);
  tcp_assert_contains (error->message, text);
  if (fd >= 0)
    {
      ck_assert (is_blocking (fd));
      close (fd);
    }
}

START_TEST (test_refused)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fds[2];

  make_pipe (fds);
  check_refused (&tcp, loop_event_loop_connect_read_pipe, -1, G_IO_ERROR_INVALID_ARGUMENT, "not open");
  check_refused (&tcp, loop_event_loop_connect_read_pipe, open ("/proc/self/exe", O_RDONLY | O_CLOEXEC),
                 G_IO_ERROR_INVALID_ARGUMENT, "regular file");
  check_refused (&tcp, loop_event_loop_connect_write_pipe, open ("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600),
                 G_IO_ERROR_INVALID_ARGUMENT, "regular file");
  check_refused (&tcp, loop_event_loop_connect_write_pipe, fds[0], G_IO_ERROR_INVALID_ARGUMENT, "writing");
  check_refused (&tcp, loop_event_loop_connect_read_pipe, fds[1], G_IO_ERROR_INVALID_ARGUMENT, "reading");
  check_refused (&tcp, loop_event_loop_connect_read_pipe, open ("/dev/null", O_RDONLY | O_CLOEXEC),
                 G_IO_ERROR_NOT_SUPPORTED, "cannot be watched");
}
END_TEST

START_TEST (test_bad_factory)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  int fds[2];

  make_pipe (fds);
  future = loop_event_loop_connect_read_pipe (tcp.loop, fds[0], tcp_make_no_protocol, NULL, NULL);
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY);
  ck_assert (is_blocking (fds[0]));
  close (fds[0]);
  close (fds[1]);
}
END_TEST

START_TEST (test_in_use)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  int fds[2];
  TcpPeer *peer;

  make_pipe (fds);
  peer = connect_pipe (&tcp, loop_event_loop_connect_read_pipe, fds[0]);
  future = loop_event_loop_connect_read_pipe (tcp.loop, fds[0], tcp_peer_factory, tcp_add_client (&tcp), NULL);
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE);
  ck_assert (!is_blocking (fds[0]));
  ck_assert_uint_eq (peer->n_lost, 0);
  close (fds[1]);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
}
END_TEST

START_TEST (test_cancel)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  int fds[2];
  TcpPeer *peer = tcp_add_client (&tcp);

  make_pipe (fds);
  future = loop_event_loop_connect_read_pipe (tcp.loop, fds[0], tcp_peer_factory, peer, NULL);
  loop_future_cancel (future);
  tcp_run_until (tcp.loop, fcntl (fds[0], F_GETFD) == -1);
  ck_assert_uint_eq (peer->n_made, peer->n_lost);
  close (fds[1]);
}
END_TEST

START_TEST (test_misuse)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fds[2];
  TcpPeer *reader;
  TcpPeer *writer;

  make_pipe (fds);
  reader = connect_pipe (&tcp, loop_event_loop_connect_read_pipe, fds[0]);
  writer = connect_pipe (&tcp, loop_event_loop_connect_write_pipe, fds[1]);
  loop_check_expect_critical ("*read end of a pipe*");
  loop_transport_write (reader->transport, (const guint8 *) "x", 1);
  loop_check_expect_critical ("*read end of a pipe*");
  loop_transport_write_eof (reader->transport);

  /* There is nothing to pause: the peer's end is seen all the same. */
  loop_transport_pause_reading (writer->transport);
  loop_transport_close (reader->transport);
  tcp_run_until (tcp.loop, reader->n_lost == 1 && writer->n_lost == 1);
}
END_TEST

/* The test fails if a descriptor is left open. */
START_TEST (test_loop_closed)
{
  for (int is_connected = 0; is_connected < 2; is_connected++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (LoopFuture) future = NULL;
      int fds[2];

      make_pipe (fds);
      if (is_connected)
        connect_pipe (&tcp, loop_event_loop_connect_write_pipe, fds[1]);
      future = loop_event_loop_connect_read_pipe (tcp.loop, fds[0], tcp_peer_factory, tcp_add_client (&tcp), NULL);
      if (is_connected)
        tcp_run_for (tcp.loop, 0.001);
      tcp_close_loop (&tcp);
      ck_assert_int_eq (fcntl (fds[0], F_GETFD), -1);
      if (!is_connected)
        {
          check_failed (future, G_IO_ERROR, G_IO_ERROR_CLOSED);
          close (fds[1]);
        }
    }
}
END_TEST

LOOP_TEST_MAIN ("pipe",
                test_read,
                test_write_then_close,
                test_hang_up_while_paused,
                test_close_interrupted,
                test_peer_closes,
                test_sigpipe,
                test_mode_is_restored,
                test_stolen,
                test_terminal,
                test_socket,
                test_refused,
                test_bad_factory,
                test_in_use,
                test_cancel,
                test_misuse,
                test_loop_closed)
