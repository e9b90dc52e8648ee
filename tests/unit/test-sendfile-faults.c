/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "file-check.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gfiledescriptorbased.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A kernel that does what it may and seldom does. The sendfile(), splice(), send() and sendmsg() of this program
 * stand before the real ones.
 */

#define SIZE (2 * 1024 * 1024)

typedef ssize_t (*SendFile) (int out, int in, off_t *offset, size_t count);
typedef ssize_t (*Splice) (int in, off64_t *in_offset, int out, off64_t *out_offset, size_t count, unsigned flags);
typedef off_t (*Seek) (int fd, off_t offset, int whence);
typedef ssize_t (*Send) (int fd, const void *data, size_t length, int flags);
typedef ssize_t (*SendMsg) (int fd, const struct msghdr *message, int flags);

static struct
{
  gsize max_length; /* of each call; 0: no limit */
  int errno_every_other;
  guint n_calls;
  guint failing_call; /* this one, from 1 on, */
  int failing_errno;  /* fails with that */
  gboolean is_for_ever;
  gboolean is_active;
  int seek_errno; /* of each call, unless it is 0 */
} fault;

static gboolean
fails (void)
{
  if (!fault.is_active)
    return FALSE;

  fault.n_calls++;
  if (fault.failing_call > 0 &&
      (fault.n_calls == fault.failing_call || (fault.is_for_ever && fault.n_calls > fault.failing_call)))
    {
      errno = fault.failing_errno;
      return TRUE;
    }
  if (fault.errno_every_other != 0 && fault.n_calls % 2 == 0)
    {
      errno = fault.errno_every_other;
      return TRUE;
    }

  return FALSE;
}

static size_t
cut (size_t count)
{
  return fault.is_active && fault.max_length > 0 ? MIN (count, fault.max_length) : count;
}

ssize_t
sendfile (int out, int in, off_t *offset, size_t count)
{
  return fails () ? -1 : ((SendFile) dlsym (RTLD_NEXT, "sendfile")) (out, in, offset, cut (count));
}

ssize_t
splice (int in, off64_t *in_offset, int out, off64_t *out_offset, size_t count, unsigned flags)
{
  Splice real = (Splice) dlsym (RTLD_NEXT, "splice");

  return fails () ? -1 : real (in, in_offset, out, out_offset, cut (count), flags);
}

ssize_t
send (int fd, const void *data, size_t length, int flags)
{
  Send real = (Send) dlsym (RTLD_NEXT, "send");

  return fails () ? -1 : real (fd, data, cut (length), flags);
}

ssize_t
sendmsg (int fd, const struct msghdr *message, int flags)
{
  SendMsg real = (SendMsg) dlsym (RTLD_NEXT, "sendmsg");
  struct iovec first;

  if (fails ())
    return -1;
  if (!fault.is_active || fault.max_length == 0)
    return real (fd, message, flags);

  first = (struct iovec) { message->msg_iov[0].iov_base, cut (message->msg_iov[0].iov_len) };

  return real (fd, &(struct msghdr) { .msg_iov = &first, .msg_iovlen = 1 }, flags);
}

off_t
lseek (int fd, off_t offset, int whence)
{
  if (fault.seek_errno != 0)
    {
      errno = fault.seek_errno;
      return -1;
    }

  return ((Seek) dlsym (RTLD_NEXT, "lseek")) (fd, offset, whence);
}

static const FileKind kinds[] = { FILE_LOCAL, FILE_PIPE, FILE_MEMORY, FILE_BUFFERED };

static void
check_transfer (gsize size)
{
  fault.is_active = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (size);
      g_autoptr (GInputStream) file = file_open (kinds[i], bytes);
      g_autoptr (LoopFuture) future = NULL;
      TcpPeer *client = tcp_connect (&tcp);
      TcpPeer *peer = tcp_last_accepted (&tcp);

      fault.n_calls = 0;
      future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, TRUE);
      ck_assert_int_eq (file_take_sent (&tcp, future), size);
      ck_assert_uint_gt (fault.n_calls, 0);
      tcp_run_until (tcp.loop, peer->n_bytes == size);
      ck_assert_int_eq (memcmp (peer->received->data, g_bytes_get_data (bytes, NULL), size), 0);
      if (kinds[i] == FILE_LOCAL)
        ck_assert_int_eq (file_tell (file), size);
    }
}

START_TEST (test_interrupted)
{
  fault.errno_every_other = EINTR;
  check_transfer (SIZE);
}
END_TEST

START_TEST (test_one_byte_at_a_time)
{
  fault.max_length = 1;
  check_transfer (2000);
}
END_TEST

START_TEST (test_odd_lengths)
{
  fault.max_length = 4095;
  check_transfer (SIZE / 4);
}
END_TEST

START_TEST (test_not_ready_after_all)
{
  fault.errno_every_other = EAGAIN;
  check_transfer (SIZE);
  fault.max_length = 1000;
  check_transfer (20000);
}
END_TEST

/* Not even at the first call, or from some byte on: what is missing is read. */
START_TEST (test_refused_by_kernel)
{
  static const int errors[] = { EINVAL, ENOSYS, EOPNOTSUPP };

  for (guint i = 0; i < 2 * G_N_ELEMENTS (errors); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
      g_autoptr (GInputStream) file = file_open (FILE_LOCAL, bytes);
      g_autoptr (LoopFuture) refused = NULL;
      g_autoptr (LoopFuture) future = NULL;
      g_autoptr (GError) error = NULL;
      TcpPeer *client = tcp_connect (&tcp);
      TcpPeer *peer = tcp_last_accepted (&tcp);

      fault.is_active = TRUE;
      fault.n_calls = 0;
      fault.failing_call = 1;
      fault.failing_errno = errors[i % G_N_ELEMENTS (errors)];
      refused = loop_event_loop_sendfile (tcp.loop, client->transport, file, 10, -1, FALSE);
      error = tcp_take_error (&tcp, refused);
      tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_SENDFILE_NOT_AVAILABLE);
      ck_assert_int_eq (file_tell (file), 10);
      ck_assert_uint_eq (peer->n_bytes, 0);

      fault.n_calls = 0;
      fault.failing_call = 1 + i / G_N_ELEMENTS (errors);
      fault.max_length = SIZE / 16;
      future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 10, -1, TRUE);
      ck_assert_int_eq (file_take_sent (&tcp, future), SIZE - 10);
      ck_assert_int_eq (file_tell (file), SIZE);
      tcp_run_until (tcp.loop, peer->n_bytes == SIZE - 10);
      ck_assert_int_eq (memcmp (peer->received->data, (const guint8 *) g_bytes_get_data (bytes, NULL) + 10, SIZE - 10),
                        0);
      fault.max_length = 0;
      fault.is_active = FALSE;
    }
}
END_TEST

/* The socket's errors end the connection, and the position says how far it has got. */
START_TEST (test_connection_errors)
{
  static const int errors[] = { EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOBUFS };

  fault.max_length = 1000;
  for (guint i = 0; i < G_N_ELEMENTS (errors); i++)
    {
      for (guint call = 1; call <= 3; call++)
        {
          for (guint j = 0; j < G_N_ELEMENTS (kinds); j++)
            {
              g_auto (Tcp) tcp = tcp_new ();
              g_autoptr (GBytes) bytes = tcp_random_bytes (20000);
              g_autoptr (GInputStream) file = file_open (kinds[j], bytes);
              g_autoptr (LoopFuture) future = NULL;
              g_autoptr (GError) error = NULL;
              TcpPeer *client = tcp_connect (&tcp);
              TcpPeer *peer = tcp_last_accepted (&tcp);

              fault.is_active = TRUE;
              fault.n_calls = 0;
              fault.failing_call = call;
              fault.failing_errno = errors[i];
              fault.is_for_ever = i % 2 == 0;
              future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, TRUE);
              error = tcp_take_error (&tcp, future);
              fault.is_active = FALSE;
              tcp_assert_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errors[i]));
              tcp_assert_contains (error->message, g_strerror (errors[i]));
              tcp_run_until (tcp.loop, client->n_lost == 1 && peer->n_lost == 1);
              ck_assert_ptr_nonnull (client->error);
              ck_assert_str_eq (client->error->message, error->message);
              /* A pipe may have been asked in vain. */
              ck_assert_uint_le (peer->n_bytes, (call - 1) * 1000);
              ck_assert (kinds[j] == FILE_PIPE || peer->n_bytes == (call - 1) * 1000);
              if (kinds[j] == FILE_LOCAL || kinds[j] == FILE_MEMORY)
                ck_assert_int_eq (file_tell (file), (call - 1) * 1000);
            }
        }
    }
}
END_TEST

/* The file's leave the connection as it is. */
START_TEST (test_file_errors)
{
  static const int errors[] = { EIO, ENOMEM, EOVERFLOW, EBADF };

  fault.max_length = 1000;
  for (guint i = 0; i < G_N_ELEMENTS (errors); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (20000);
      g_autoptr (GInputStream) file = file_open (FILE_LOCAL, bytes);
      g_autoptr (LoopFuture) future = NULL;
      g_autoptr (LoopFuture) again = NULL;
      g_autoptr (GError) error = NULL;
      TcpPeer *client = tcp_connect (&tcp);
      TcpPeer *peer = tcp_last_accepted (&tcp);

      fault.is_active = TRUE;
      fault.n_calls = 0;
      fault.failing_call = 3;
      fault.failing_errno = errors[i];
      future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, TRUE);
      error = tcp_take_error (&tcp, future);
      tcp_assert_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errors[i]));
      ck_assert_int_eq (file_tell (file), 2000);

      again = loop_event_loop_sendfile (tcp.loop, client->transport, file, 2000, -1, TRUE);
      ck_assert_int_eq (file_take_sent (&tcp, again), 18000);
      tcp_run_until (tcp.loop, peer->n_bytes == 20000);
      ck_assert_int_eq (memcmp (peer->received->data, g_bytes_get_data (bytes, NULL), 20000), 0);
    }
}
END_TEST

/* Whoever goes on with the file has to know that it is not where it should be; what was sent is sent. */
static void
check_position_refused (FileKind kind, gboolean is_to_socket)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (20000);
  g_autoptr (GInputStream) file = file_open (kind, bytes);
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (LoopFuture) future = NULL;
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *peer = tcp_last_accepted (&tcp);

  if (is_to_socket)
    socket = g_socket_new_from_fd (dup (loop_transport_get_fd (client->transport)), NULL);
  /* One that is read went to its place in the beginning. */
  fault.seek_errno = kind == FILE_BUFFERED ? 0 : EIO;
  future = is_to_socket ? loop_event_loop_sock_sendfile (tcp.loop, socket, file, 0, -1, TRUE)
                        : loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, TRUE);
  fault.seek_errno = EIO;
  if (kind == FILE_LOCAL)
    {
      g_autoptr (GError) error = tcp_take_error (&tcp, future);

      tcp_assert_error (error, G_IO_ERROR, (int) g_io_error_from_errno (EIO));
      tcp_assert_contains (error->message, "20000");
    }
  else
    {
      ck_assert_int_eq (file_take_sent (&tcp, future), 20000);
    }
  fault.seek_errno = 0;
  tcp_run_until (tcp.loop, peer->n_bytes == 20000);
  ck_assert_uint_eq (client->n_lost, 0);
}

START_TEST (test_position_refused)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      check_position_refused (kinds[i], FALSE);
      check_position_refused (kinds[i], TRUE);
    }
}
END_TEST

/* Somebody cuts the file while it is sent: fault 24. */
START_TEST (test_truncated)
{
  for (FileKind kind = FILE_LOCAL; kind <= FILE_UNIX; kind++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (8 * SIZE);
      g_autoptr (GInputStream) file = file_open (kind, bytes);
      g_autoptr (LoopFuture) future = NULL;
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
      g_autoptr (GBytes) wanted = g_bytes_new_from_bytes (bytes, 0, 6 * SIZE);
      g_autofree char *wanted_checksum = tcp_checksum (wanted);
      g_autofree char *checksum = NULL;
      g_autofree char *link = NULL;
      gsize length;
      int last_errno;
      gint64 sent;
      TcpSink *sink;

      future = loop_event_loop_sendfile (tcp.loop, peer->transport, file, 0, 8 * SIZE, TRUE);
      tcp_run_for (tcp.loop, 0.02);
      ck_assert (!loop_future_done (future));
      link = g_strdup_printf ("/proc/self/fd/%d", g_file_descriptor_based_get_fd (G_FILE_DESCRIPTOR_BASED (file)));
      ck_assert_int_eq (truncate (link, 6 * SIZE), 0);
      sink = tcp_sink_new (fd);
      sent = file_take_sent (&tcp, future);
      loop_transport_close (peer->transport);
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      checksum = tcp_sink_finish (sink, &length, &last_errno);
      ck_assert_int_eq (sent, 6 * SIZE);
      ck_assert_uint_eq (length, 6 * SIZE);
      ck_assert_str_eq (checksum, wanted_checksum);
      ck_assert_int_eq (file_tell (file), sent);
    }
}
END_TEST

/* Fault 18. */
START_TEST (test_small_buffers)
{
  int size = 4096;

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
      g_autoptr (GInputStream) file = file_open (kinds[i], bytes);
      g_autoptr (LoopFuture) future = NULL;
      g_auto (GValue) value = G_VALUE_INIT;
      TcpPeer *client = tcp_connect (&tcp);
      TcpPeer *peer = tcp_last_accepted (&tcp);

      ck_assert (loop_transport_get_extra_info (client->transport, "socket", &value));
      ck_assert_int_eq (
          setsockopt (g_socket_get_fd (g_value_get_object (&value)), SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
      future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, TRUE);
      ck_assert_int_eq (file_take_sent (&tcp, future), SIZE);
      tcp_run_until (tcp.loop, peer->n_bytes == SIZE);
      ck_assert_int_eq (memcmp (peer->received->data, g_bytes_get_data (bytes, NULL), SIZE), 0);
    }
}
END_TEST

LOOP_TEST_MAIN ("sendfile-faults",
                test_interrupted,
                test_one_byte_at_a_time,
                test_odd_lengths,
                test_not_ready_after_all,
                test_refused_by_kernel,
                test_connection_errors,
                test_file_errors,
                test_position_refused,
                test_truncated,
                test_small_buffers)
