/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "file-check.h"
#include "loop-steps.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <string.h>
#include <unistd.h>

/* Files that are sent to a socket of the user's. What is sent and how is tested with transports: test-sendfile.c. */

#define SIZE (4 * 1024 * 1024)

static const FileKind kinds[] = { FILE_LOCAL, FILE_PIPE, FILE_MEMORY, FILE_BUFFERED, FILE_SLOW };

/* Returns: (transfer full): one end of a pair; the other one is blocking */
static GSocket *
make_pair (Tcp *tcp, int *other)
{
  g_autoptr (GError) error = NULL;
  struct timeval timeout = { .tv_sec = 15 };
  GSocket *socket;
  int fds[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  setsockopt (fds[1], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  g_array_append_val (tcp->raw, fds[1]);
  *other = fds[1];
  socket = g_socket_new_from_fd (fds[0], &error);
  ck_assert_ptr_nonnull (socket);
  g_socket_set_blocking (socket, FALSE);

  return socket;
}

/* So much of the front of @bytes, and then the rest. Returns: how much */
static gsize
check_received (GBytes *bytes, TcpSink *sink, const char *rest)
{
  g_autoptr (GByteArray) wanted = g_byte_array_new ();
  g_autoptr (GBytes) all = NULL;
  g_autofree char *checksum = NULL;
  g_autofree char *wanted_checksum = NULL;
  gsize length;
  int last_errno;

  checksum = tcp_sink_finish (sink, &length, &last_errno);
  ck_assert_uint_ge (length, strlen (rest));
  length -= strlen (rest);
  g_byte_array_append (wanted, g_bytes_get_data (bytes, NULL), (guint) length);
  g_byte_array_append (wanted, (const guint8 *) rest, (guint) strlen (rest));
  all = g_byte_array_free_to_bytes (g_steal_pointer (&wanted));
  wanted_checksum = tcp_checksum (all);
  ck_assert_str_eq (checksum, wanted_checksum);

  return length;
}

START_TEST (test_sent)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);

  for (FileKind kind = 0; kind < FILE_N_KINDS; kind++)
    {
      g_autoptr (GInputStream) file = file_open (kind, bytes);
      g_autoptr (LoopFuture) future = NULL;
      int fd;
      g_autoptr (GSocket) socket = make_pair (&tcp, &fd);
      TcpSink *sink = tcp_sink_new (fd);

      future = loop_event_loop_sock_sendfile (tcp.loop, socket, file, 0, -1, kind >= FILE_MEMORY);
      ck_assert_int_eq (file_take_sent (&tcp, future), SIZE);
      g_socket_close (socket, NULL);
      ck_assert_uint_eq (check_received (bytes, sink, ""), SIZE);
      ck_assert (!file_can_move (kind) || kind == FILE_BUFFERED || file_tell (file) == SIZE);
    }
}
END_TEST

START_TEST (test_part)
{
  static const gint64 offsets[] = { 0, 1, 65536, SIZE - 1, SIZE, SIZE + 1 };
  static const gint64 counts[] = { -1, 0, 1, 65537, SIZE };
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);

  for (guint i = 0; i < G_N_ELEMENTS (offsets) * G_N_ELEMENTS (counts); i++)
    {
      for (FileKind kind = FILE_LOCAL; kind <= FILE_MEMORY; kind += FILE_MEMORY)
        {
          gint64 offset = offsets[i % G_N_ELEMENTS (offsets)];
          gint64 count = counts[i / G_N_ELEMENTS (offsets)];
          gint64 left = MAX (SIZE - offset, 0);
          gint64 wanted = count < 0 ? left : MIN (count, left);
          g_autoptr (GBytes) part = g_bytes_new_from_bytes (bytes, (gsize) (SIZE - left), (gsize) wanted);
          g_autoptr (GInputStream) file = file_open (kind, bytes);
          g_autoptr (LoopFuture) future = NULL;
          int fd;
          g_autoptr (GSocket) socket = make_pair (&tcp, &fd);
          TcpSink *sink = tcp_sink_new (fd);

          ck_assert_int_eq (g_input_stream_skip (file, 99, NULL, NULL), 99);
          future = loop_event_loop_sock_sendfile (tcp.loop, socket, file, offset, count, TRUE);
          ck_assert_int_eq (file_take_sent (&tcp, future), wanted);
          g_socket_close (socket, NULL);
          ck_assert_uint_eq (check_received (part, sink, ""), wanted);
          ck_assert_int_eq (file_tell (file), kind == FILE_MEMORY ? MIN (offset + wanted, SIZE) : offset + wanted);
        }
    }
}
END_TEST

static GError *
send_in_vain (Tcp *tcp, GSocket *socket, GInputStream *file, gint64 offset, gint64 count, gboolean fallback)
{
  g_autoptr (LoopFuture) future = loop_event_loop_sock_sendfile (tcp->loop, socket, file, offset, count, fallback);

  return tcp_take_error (tcp, future);
}

START_TEST (test_refused)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (1000);
  g_autoptr (GInputStream) memory = file_open (FILE_MEMORY, bytes);
  g_autoptr (GInputStream) local = file_open (FILE_LOCAL, bytes);
  g_autoptr (GSocket) datagrams = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, 0, NULL);
  TcpPeer *client = tcp_connect (&tcp);
  g_auto (GValue) taken = G_VALUE_INIT;
  int fd;
  g_autoptr (GSocket) socket = make_pair (&tcp, &fd);
  g_autoptr (GError) not_available = send_in_vain (&tcp, socket, memory, 0, -1, FALSE);
  g_autoptr (GError) no_stream = send_in_vain (&tcp, datagrams, local, 0, -1, TRUE);
  g_autoptr (GError) bad_offset = send_in_vain (&tcp, socket, local, -1, -1, TRUE);
  g_autoptr (GError) bad_count = send_in_vain (&tcp, socket, local, 0, -5, TRUE);
  g_autoptr (GError) in_use = NULL;
  g_autoptr (GError) closed = NULL;

  tcp_assert_error (not_available, LOOP_ERROR, LOOP_ERROR_SENDFILE_NOT_AVAILABLE);
  tcp_assert_error (no_stream, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  tcp_assert_error (bad_offset, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  tcp_assert_error (bad_count, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);

  /* The transport's own. */
  ck_assert (loop_transport_get_extra_info (client->transport, "socket", &taken));
  in_use = send_in_vain (&tcp, g_value_get_object (&taken), local, 0, -1, TRUE);
  tcp_assert_error (in_use, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE);

  g_socket_close (socket, NULL);
  closed = send_in_vain (&tcp, socket, memory, 0, -1, TRUE);
  tcp_assert_error (closed, G_IO_ERROR, G_IO_ERROR_CLOSED);
  ck_assert (!g_input_stream_has_pending (memory));
  ck_assert (!g_input_stream_has_pending (local));
}
END_TEST

/* One after another, in the order of the calls; what is read in blocks keeps its own. */
START_TEST (test_turns)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  g_autoptr (GBytes) end = g_bytes_new_static ("end", 3);
  g_autoptr (GInputStream) file = file_open (FILE_LOCAL, bytes);
  g_autoptr (LoopFuture) first = NULL;
  g_autoptr (LoopFuture) second = NULL;
  int fd;
  g_autoptr (GSocket) socket = make_pair (&tcp, &fd);
  TcpSink *sink;

  first = loop_event_loop_sock_sendfile (tcp.loop, socket, file, 0, -1, TRUE);
  second = loop_event_loop_sock_sendall (tcp.loop, socket, end);
  tcp_run_for (tcp.loop, 0.02);
  ck_assert (!loop_future_done (first) && !loop_future_done (second));
  sink = tcp_sink_new (fd);
  ck_assert_int_eq (file_take_sent (&tcp, first), SIZE);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, second, NULL, NULL));
  g_socket_close (socket, NULL);
  ck_assert_uint_eq (check_received (bytes, sink, "end"), SIZE);
}
END_TEST

/* Nothing of it is left, and the socket goes on where it was. */
START_TEST (test_cancel)
{
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      for (int n_turns = 0; n_turns < 6; n_turns++)
        {
          g_auto (Tcp) tcp = tcp_new ();
          g_autoptr (GBytes) end = g_bytes_new_static ("end", 3);
          g_autoptr (GInputStream) file = file_open (kinds[i], bytes);
          g_autoptr (LoopFuture) future = NULL;
          g_autoptr (LoopFuture) next = NULL;
          int fd;
          g_autoptr (GSocket) socket = make_pair (&tcp, &fd);
          TcpSink *sink;
          gsize length;

          future = loop_event_loop_sock_sendfile (tcp.loop, socket, file, 0, -1, TRUE);
          for (int j = 0; j < n_turns; j++)
            run_once (tcp.loop);
          ck_assert (loop_future_cancel (future));
          ck_assert (loop_future_cancelled (future));
          sink = tcp_sink_new (fd);
          next = loop_event_loop_sock_sendall (tcp.loop, socket, end);
          ck_assert (loop_event_loop_run_until_complete (tcp.loop, next, NULL, NULL));
          g_socket_close (socket, NULL);
          length = check_received (bytes, sink, "end");
          if (kinds[i] == FILE_LOCAL || kinds[i] == FILE_MEMORY)
            ck_assert_int_eq (file_tell (file), length);
        }
    }
}
END_TEST

START_TEST (test_peer_closed)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
      g_autoptr (GInputStream) file = file_open (kinds[i], bytes);
      g_autoptr (LoopFuture) future = NULL;
      g_autoptr (GError) error = NULL;
      int fd;
      g_autoptr (GSocket) socket = make_pair (&tcp, &fd);

      future = loop_event_loop_sock_sendfile (tcp.loop, socket, file, 0, -1, TRUE);
      tcp_run_for (tcp.loop, 0.02);
      tcp_raw_close (&tcp, fd);
      error = tcp_take_error (&tcp, future);
      tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
      ck_assert (!g_input_stream_has_pending (file));
    }
}
END_TEST

START_TEST (test_loop_closed)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
      g_autoptr (GInputStream) file = file_open (kinds[i], bytes);
      g_autoptr (LoopFuture) future = NULL;
      int fd;
      g_autoptr (GSocket) socket = make_pair (&tcp, &fd);

      future = loop_event_loop_sock_sendfile (tcp.loop, socket, file, 0, -1, TRUE);
      for (guint j = 0; j < i % 3; j++)
        run_once (tcp.loop);
    }
}
END_TEST

/* A pipe that has nothing is waited for, without a watch of the socket. */
START_TEST (test_slow_source)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GInputStream) file = NULL;
  g_autoptr (LoopFuture) future = NULL;
  g_autofree char *received = NULL;
  int fd;
  g_autoptr (GSocket) socket = make_pair (&tcp, &fd);
  double before;
  int fds[2];

  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
  file = g_unix_input_stream_new (fds[0], TRUE);
  future = loop_event_loop_sock_sendfile (tcp.loop, socket, file, 0, -1, FALSE);
  before = get_cpu_time ();
  tcp_run_for (tcp.loop, 0.2);
  ck_assert_double_lt (get_cpu_time () - before, 0.1);
  ck_assert_int_eq (write (fds[1], "abcd", 4), 4);
  close (fds[1]);
  ck_assert_int_eq (file_take_sent (&tcp, future), 4);
  received = tcp_raw_receive (fd, 4);
  ck_assert_str_eq (received, "abcd");
}
END_TEST

/* A stream that never blocks, and a peer that takes all: others have their turn. */
START_TEST (test_fairness)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (16 * SIZE);
  g_autoptr (GInputStream) file = file_open (FILE_MEMORY, bytes);
  g_autoptr (LoopFuture) future = NULL;
  int fd;
  g_autoptr (GSocket) socket = make_pair (&tcp, &fd);
  TcpSink *sink = tcp_sink_new (fd);
  int n_iterations = 0;

  future = loop_event_loop_sock_sendfile (tcp.loop, socket, file, 0, -1, TRUE);
  for (; !loop_future_done (future); n_iterations++)
    run_once (tcp.loop);
  ck_assert_int_ge (n_iterations, 16 * SIZE / (1024 * 1024) / 2);
  g_socket_close (socket, NULL);
  ck_assert_uint_eq (check_received (bytes, sink, ""), 16 * SIZE);
}
END_TEST

LOOP_TEST_MAIN ("sock-sendfile",
                test_sent,
                test_part,
                test_refused,
                test_turns,
                test_cancel,
                test_peer_closed,
                test_loop_closed,
                test_slow_source,
                test_fairness)
