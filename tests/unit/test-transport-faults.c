/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/*
 * A kernel that does what it may and seldom does. The recv(), send(), sendmsg(), shutdown() and epoll_ctl() of
 * this program stand before the real ones.
 */

typedef ssize_t (*Recv) (int fd, void *data, size_t length, int flags);
typedef ssize_t (*Send) (int fd, const void *data, size_t length, int flags);
typedef ssize_t (*SendMsg) (int fd, const struct msghdr *message, int flags);
typedef int (*Shutdown) (int fd, int how);
typedef int (*EpollCtl) (int epoll_fd, int operation, int fd, struct epoll_event *event);

static struct
{
  gsize max_length; /* of each call; 0: no limit */
  int errno_every_other;
  int recv_errno; /* of the next call */
  int send_errno;
  int shutdown_errno;
  int epoll_errno; /* of all calls for epoll_victim; -1: for any */
  int epoll_victim;
  guint n_full_reads; /* this many calls fill the buffer; all later ones find the end of the file */
  gboolean is_scripted;
  guint n_calls;
} fault = { .epoll_victim = -2 };

static gboolean
fails (int *next_errno)
{
  fault.n_calls++;
  if (*next_errno != 0)
    {
      errno = *next_errno;
      *next_errno = 0;
      return TRUE;
    }
  if (fault.errno_every_other != 0 && fault.n_calls % 2 == 0)
    {
      errno = fault.errno_every_other;
      return TRUE;
    }

  return FALSE;
}

ssize_t
recv (int fd, void *data, size_t length, int flags)
{
  Recv real = (Recv) dlsym (RTLD_NEXT, "recv");

  if (fails (&fault.recv_errno))
    return -1;
  if (fault.is_scripted)
    {
      if (fault.n_full_reads == 0)
        return 0;
      fault.n_full_reads--;
      memset (data, 'x', length);
      return (ssize_t) length;
    }

  return real (fd, data, fault.max_length > 0 ? MIN (length, fault.max_length) : length, flags);
}

ssize_t
send (int fd, const void *data, size_t length, int flags)
{
  Send real = (Send) dlsym (RTLD_NEXT, "send");

  if (fails (&fault.send_errno))
    return -1;

  return real (fd, data, fault.max_length > 0 ? MIN (length, fault.max_length) : length, flags);
}

ssize_t
sendmsg (int fd, const struct msghdr *message, int flags)
{
  SendMsg real = (SendMsg) dlsym (RTLD_NEXT, "sendmsg");

  if (fault.max_length > 0 && message->msg_iovlen > 0)
    return send (fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, flags);
  if (fails (&fault.send_errno))
    return -1;

  return real (fd, message, flags);
}

int
shutdown (int fd, int how)
{
  Shutdown real = (Shutdown) dlsym (RTLD_NEXT, "shutdown");

  return fails (&fault.shutdown_errno) ? -1 : real (fd, how);
}

int
epoll_ctl (int epoll_fd, int operation, int fd, struct epoll_event *event)
{
  EpollCtl real = (EpollCtl) dlsym (RTLD_NEXT, "epoll_ctl");

  if (operation != EPOLL_CTL_DEL && (fd == fault.epoll_victim || fault.epoll_victim == -1))
    {
      errno = fault.epoll_errno;
      return -1;
    }

  return real (epoll_fd, operation, fd, event);
}

static int
get_fd (TcpPeer *peer)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_transport_get_extra_info (peer->transport, "socket", &value));

  return g_socket_get_fd (g_value_get_object (&value));
}

/* An echo of @length bytes, by all ways of writing. */
static void
check_echo (gsize length)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (length);
  g_autoptr (GBytes) front = g_bytes_new_from_bytes (bytes, 0, length / 3);
  g_autoptr (GBytes) back = g_bytes_new_from_bytes (bytes, length / 3, length - length / 3);
  GBytes *lines[] = { front, back };
  TcpPeer *client = tcp_connect (&tcp);

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  loop_transport_write (client->transport, g_bytes_get_data (bytes, NULL), length);
  loop_transport_write_bytes (client->transport, bytes);
  loop_transport_writelines (client->transport, lines, 2);
  tcp_run_until (tcp.loop, client->n_bytes == 3 * length);
  for (guint i = 0; i < 3; i++)
    ck_assert_int_eq (memcmp (client->received->data + i * length, g_bytes_get_data (bytes, NULL), length), 0);

  loop_transport_close (client->transport);
  tcp_run_until (tcp.loop, client->n_lost == 1 && tcp_last_accepted (&tcp)->n_lost == 1);
  ck_assert_ptr_null (client->error);
  ck_assert_ptr_null (tcp_last_accepted (&tcp)->error);
}

START_TEST (test_one_byte_at_a_time)
{
  fault.max_length = 1;
  check_echo (3000);
  ck_assert_uint_gt (fault.n_calls, 4 * 3 * 3000);
}
END_TEST

START_TEST (test_odd_lengths)
{
  fault.max_length = 4095;
  check_echo (300 * 1000);
}
END_TEST

START_TEST (test_interrupted)
{
  fault.errno_every_other = EINTR;
  check_echo (500 * 1000);
  fault.max_length = 7;
  check_echo (3000);
}
END_TEST

/* Readiness that turns out not to be any: the call neither blocks nor loses anything. */
START_TEST (test_not_ready_after_all)
{
  fault.errno_every_other = EAGAIN;
  check_echo (500 * 1000);
  fault.max_length = 1000;
  check_echo (50 * 1000);
}
END_TEST

/* Whatever the error of a read: it is reported with its code, once, and the others go on. */
START_TEST (test_read_errors)
{
  static const int errors[] = { ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETDOWN, EIO, ENOMEM, ENOTCONN, EBADF };
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *other = tcp_connect (&tcp);

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (errors); i++)
    {
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

      tcp_raw_send (fd, "x");
      fault.recv_errno = errors[i];
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      ck_assert_str_eq (peer->events->str, "made lost");
      tcp_assert_error (peer->error, G_IO_ERROR, (int) g_io_error_from_errno (errors[i]));
      tcp_assert_contains (peer->error->message, g_strerror (errors[i]));
    }
  loop_transport_write (other->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, other->n_bytes == 1);
}
END_TEST

START_TEST (test_write_errors)
{
  static const int errors[] = { ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, ENOBUFS, ENOMEM, EIO, EBADF };
  g_auto (Tcp) tcp = tcp_new ();

  for (guint i = 0; i < 2 * G_N_ELEMENTS (errors); i++)
    {
      int saved_errno = errors[i / 2];
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

      /* In the call itself, or later in the loop. */
      if (i % 2 == 0)
        {
          fault.send_errno = saved_errno;
          loop_transport_write (peer->transport, (const guint8 *) "x", 1);
        }
      else
        {
          fault.send_errno = EAGAIN;
          loop_transport_write (peer->transport, (const guint8 *) "x", 1);
          ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 1);
          fault.send_errno = saved_errno;
        }
      ck_assert_uint_eq (peer->n_lost, 0);
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      ck_assert_str_eq (peer->events->str, "made lost");
      tcp_assert_error (peer->error, G_IO_ERROR, (int) g_io_error_from_errno (saved_errno));
      tcp_assert_contains (peer->error->message, g_strerror (saved_errno));
      ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 0);
    }
}
END_TEST

/* The end that could not be told: at once, and after what was buffered. */
START_TEST (test_eof_error)
{
  g_auto (Tcp) tcp = tcp_new ();

  for (guint i = 0; i < 2; i++)
    {
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

      if (i == 1)
        {
          fault.send_errno = EAGAIN;
          loop_transport_write (peer->transport, (const guint8 *) "x", 1);
        }
      fault.shutdown_errno = ENOBUFS;
      loop_transport_write_eof (peer->transport);
      ck_assert_uint_eq (peer->n_lost, 0);
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      ck_assert_str_eq (peer->events->str, "made lost");
      tcp_assert_contains (peer->error->message, g_strerror (ENOBUFS));
    }
}
END_TEST

static void
close_transport (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_close (self->transport);
}

static void
abort_transport (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_abort (self->transport);
}

static void
pause_transport (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_pause_reading (self->transport);
}

static void
abort_iterate_and_drop (TcpPeer *self, const guint8 *data, gsize length)
{
  LoopEventLoop *loop = loop_transport_get_loop (self->transport);

  loop_transport_abort (self->transport);
  while (self->n_lost == 0)
    g_main_context_iteration (loop_event_loop_get_context (loop), TRUE);
  g_clear_object (&self->transport);
}

/* There is more in the same event, but the protocol has had enough. */
START_TEST (test_enough_in_data_received)
{
  static void (*ways[]) (TcpPeer *, const guint8 *, gsize) = {
    close_transport,
    abort_transport,
    pause_transport,
    abort_iterate_and_drop,
  };

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

      peer->is_discarding = TRUE;
      peer->data = ways[i];
      fault.is_scripted = TRUE;
      fault.n_full_reads = 5;
      tcp_raw_send (fd, "x");
      tcp_run_until (tcp.loop, peer->n_data == 1);
      tcp_run_for (tcp.loop, 0.003);
      ck_assert_uint_eq (peer->n_data, 1);
      ck_assert_uint_eq (fault.n_full_reads, 4);
      ck_assert_str_eq (peer->events->str, ways[i] == pause_transport ? "made data" : "made data lost");
      fault.is_scripted = FALSE;
    }
}
END_TEST

static void
iterate_to_eof (TcpPeer *self, const guint8 *data, gsize length)
{
  while (self->n_eof == 0)
    g_main_context_iteration (loop_event_loop_get_context (loop_transport_get_loop (self->transport)), TRUE);
}

/* A main loop inside data_received reads to the end: when the outer call goes on, that was all. */
START_TEST (test_end_inside_data_received)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->keep_open = TRUE;
  peer->is_discarding = TRUE;
  peer->data = iterate_to_eof;
  fault.is_scripted = TRUE;
  fault.n_full_reads = 1;
  tcp_raw_send (fd, "x");
  tcp_run_until (tcp.loop, peer->n_eof == 1);
  tcp_run_for (tcp.loop, 0.003);
  ck_assert_str_eq (peer->events->str, "made data eof");
}
END_TEST

/* A failed write while it is closing: what was promised is not delivered, and that is said. */
START_TEST (test_write_error_while_closing)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  fault.send_errno = EAGAIN;
  loop_transport_write (peer->transport, (const guint8 *) "x", 1);
  loop_transport_close (peer->transport);
  fault.send_errno = ETIMEDOUT;
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  tcp_assert_error (peer->error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
}
END_TEST

/* The poller refuses a descriptor that a transport has: the connection is lost, with the reason. */
START_TEST (test_transport_not_watched)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  TcpPeer *other = tcp_connect (&tcp);

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  fault.epoll_errno = ENOSPC;
  fault.epoll_victim = get_fd (peer);
  loop_transport_pause_reading (peer->transport);
  tcp_run_for (tcp.loop, 0.003);
  loop_transport_resume_reading (peer->transport);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  tcp_assert_error (peer->error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  ck_assert_str_eq (peer->events->str, "made lost");
  fault.epoll_victim = -2;
  ck_assert (tcp_raw_is_eof (fd));
  loop_transport_write (other->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, other->n_bytes == 1);
}
END_TEST

START_TEST (test_accepted_not_watched)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *other = tcp_connect (&tcp);

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  tcp_run_for (tcp.loop, 0.002);
  fault.epoll_errno = ENOMEM;
  fault.epoll_victim = -1;
  tcp_raw_connect (&tcp, tcp.port);
  tcp_run_until (tcp.loop, tcp.accepted->len == 2 && tcp_last_accepted (&tcp)->n_lost == 1);
  ck_assert_ptr_nonnull (tcp_last_accepted (&tcp)->error);
  fault.epoll_victim = -2;
  loop_transport_write (other->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, other->n_bytes == 1);
}
END_TEST

START_TEST (test_connection_not_watched)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  guint n_fds;

  tcp_connect (&tcp);
  n_fds = tcp_count_fds ();
  fault.epoll_errno = ENOSPC;
  fault.epoll_victim = -1;
  tcp_add_client (&tcp);
  future = loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, tcp_client_factory, &tcp, NULL);
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  fault.epoll_victim = -2;
  ck_assert_uint_le (tcp_count_fds (), n_fds);
}
END_TEST

/* A server that cannot be watched is reported and closed, rather than deaf. */
START_TEST (test_server_not_watched)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopExceptionContext) report = NULL;

  fault.epoll_errno = ENOSPC;
  fault.epoll_victim = -1;
  tcp.server = tcp_serve (&tcp, hosts, 0, NULL);
  tcp_run_until (tcp.loop, tcp.reports->len == 1);
  fault.epoll_victim = -2;
  report = tcp_take_report (&tcp);
  tcp_assert_error (loop_exception_context_get_exception (report), G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  ck_assert (!loop_server_is_serving (tcp.server));
  ck_assert_ptr_null (loop_server_get_sockets (tcp.server));
}
END_TEST

LOOP_TEST_MAIN ("transport-faults",
                test_one_byte_at_a_time,
                test_odd_lengths,
                test_interrupted,
                test_not_ready_after_all,
                test_read_errors,
                test_write_errors,
                test_eof_error,
                test_enough_in_data_received,
                test_end_inside_data_received,
                test_write_error_while_closing,
                test_transport_not_watched,
                test_accepted_not_watched,
                test_connection_not_watched,
                test_server_not_watched)
