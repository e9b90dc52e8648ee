/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * How what is queued leaves, on sockets and on pipes: many pieces with one system call, those of GBytes from where
 * they are, and with water marks however they were written. This program's sendmsg() and writev() look at it.
 */

typedef ssize_t (*SendMsg) (int fd, const struct msghdr *message, int flags);
typedef ssize_t (*Send) (int fd, const void *data, size_t length, int flags);
typedef ssize_t (*WriteV) (int fd, const struct iovec *iov, int n_iov);

static gboolean is_blocked;
static gboolean is_watching;
static guint n_calls;
static int max_iov;
static const guint8 *source; /* of the GBytes that are written */
static gsize source_size;

static gboolean
look (const struct iovec *iov, int n_iov)
{
  if (!is_watching)
    return TRUE;

  if (is_blocked)
    {
      errno = EAGAIN;
      return FALSE;
    }

  n_calls++;
  max_iov = MAX (max_iov, n_iov);
  for (int i = 0; source != NULL && i < n_iov; i++)
    ck_assert_msg ((const guint8 *) iov[i].iov_base >= source &&
                       (const guint8 *) iov[i].iov_base + iov[i].iov_len <= source + source_size,
                   "a copy was written");

  return TRUE;
}

ssize_t
send (int fd, const void *data, size_t length, int flags)
{
  struct iovec iov = { (gpointer) data, length };

  return look (&iov, 1) ? ((Send) dlsym (RTLD_NEXT, "send")) (fd, data, length, flags) : -1;
}

ssize_t
sendmsg (int fd, const struct msghdr *message, int flags)
{
  return look (message->msg_iov, (int) message->msg_iovlen)
             ? ((SendMsg) dlsym (RTLD_NEXT, "sendmsg")) (fd, message, flags)
             : -1;
}

ssize_t
writev (int fd, const struct iovec *iov, int n_iov)
{
  return look (iov, n_iov) ? ((WriteV) dlsym (RTLD_NEXT, "writev")) (fd, iov, n_iov) : -1;
}

/* A transport to write to, and where it arrives. */
static TcpPeer *
set_up (Tcp *tcp, gboolean is_pipe, int *fd)
{
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  TcpPeer *peer;
  int fds[2];

  is_watching = is_blocked = FALSE;
  source = NULL;
  if (!is_pipe)
    {
      peer = tcp_raw_pair (tcp, fd);
    }
  else
    {
      ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
      *fd = fds[0];
      g_array_append_val (tcp->raw, fds[0]);
      peer = tcp_add_client (tcp);
      future = loop_event_loop_connect_write_pipe (tcp->loop, fds[1], tcp_peer_factory, peer, NULL);
      transport = tcp_take_transport (tcp, future);
    }

  n_calls = 0;
  max_iov = 0;
  is_watching = is_blocked = TRUE;

  return peer;
}

static void
assert_arrives (Tcp *tcp, TcpPeer *peer, int fd, const guint8 *data, gsize size)
{
  g_autofree char *wanted = g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, size);
  g_autofree char *found = NULL;
  TcpSink *sink;
  gsize length;

  is_blocked = FALSE;
  sink = tcp_sink_new (fd);
  loop_transport_close (peer->transport);
  tcp_run_until (tcp->loop, peer->n_lost == 1);
  is_watching = FALSE;
  found = tcp_sink_finish (sink, &length, NULL);
  ck_assert_uint_eq (length, size);
  ck_assert_str_eq (found, wanted);
}

/* 1,000 requests of 16 bytes, which were to be copied for they may change, are one system call or few. */
START_TEST (test_small_writes)
{
  for (int is_pipe = 0; is_pipe < 2; is_pipe++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (16 * 1000);
      const guint8 *data = g_bytes_get_data (bytes, NULL);
      int fd;
      TcpPeer *peer = set_up (&tcp, is_pipe, &fd);

      for (guint i = 0; i < 1000; i++)
        loop_transport_write (peer->transport, data + 16 * i, 16);
      ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 16 * 1000);
      assert_arrives (&tcp, peer, fd, data, 16 * 1000);
      ck_assert_uint_le (n_calls, 4);
    }
}
END_TEST

static void
check_bytes (gboolean is_pipe, gboolean is_blocked_first)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (32 * 1000);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  int fd;
  TcpPeer *peer = set_up (&tcp, is_pipe, &fd);

  source = g_bytes_get_data (bytes, &source_size);
  is_blocked = is_blocked_first;
  for (guint i = 0; i < 32; i++)
    g_ptr_array_add (lines, g_bytes_new_from_bytes (bytes, i * 1000, 1000));
  loop_transport_writelines (peer->transport, (GBytes **) lines->pdata, 16);
  for (guint i = 16; i < 32; i++)
    loop_transport_write_bytes (peer->transport, g_ptr_array_index (lines, i));
  if (is_blocked_first)
    ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 32 * 1000);
  assert_arrives (&tcp, peer, fd, source, source_size);
  ck_assert_int_eq (max_iov, is_blocked_first ? 32 : 16);
  ck_assert_uint_le (n_calls, is_blocked_first ? 4 : 20);
}

/* GBytes are never copied, whether they leave at once or wait. */
START_TEST (test_bytes)
{
  for (int i = 0; i < 4; i++)
    check_bytes (i % 2, i / 2);
}
END_TEST

static void
write_by (LoopTransport *transport, int how, const guint8 *data, gsize length)
{
  g_autoptr (GBytes) front = g_bytes_new (data, length / 2);
  g_autoptr (GBytes) back = g_bytes_new (data + length / 2, length - length / 2);
  g_autoptr (GBytes) whole = g_bytes_new (data, length);
  GBytes *lines[] = { front, back };

  if (how == 0)
    loop_transport_write (transport, data, length);
  else if (how == 1)
    loop_transport_write_bytes (transport, whole);
  else
    loop_transport_writelines (transport, lines, 2);
}

/* Every way of writing knows the marks, on a pipe as well: C19. */
START_TEST (test_marks)
{
  for (int i = 0; i < 6; i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (GBytes) bytes = tcp_random_bytes (3000);
      const guint8 *data = g_bytes_get_data (bytes, NULL);
      int fd;
      TcpPeer *peer = set_up (&tcp, i % 2, &fd);

      ck_assert (loop_transport_set_write_buffer_limits (peer->transport, 2000, 1000, NULL));
      write_by (peer->transport, i / 2, data, 2000);
      ck_assert_uint_eq (peer->n_paused, 0);
      write_by (peer->transport, i / 2, data + 2000, 1000);
      ck_assert_uint_eq (peer->n_paused, 1);
      tcp_run_for (tcp.loop, 0.002);
      ck_assert_uint_eq (peer->n_resumed, 0);
      is_blocked = FALSE;
      tcp_run_until (tcp.loop, peer->n_resumed == 1);
      assert_arrives (&tcp, peer, fd, data, 3000);
    }
}
END_TEST

/* What was kept back while data_received runs is sent all the same when it ends the connection. */
static void
answer_in_pieces (TcpPeer *peer, const guint8 *data, gsize length)
{
  g_autoptr (GBytes) last = g_bytes_new_static ("three", 5);

  loop_transport_write (peer->transport, (const guint8 *) "one ", 4);
  loop_transport_write (peer->transport, (const guint8 *) "two ", 4);
  loop_transport_write_bytes (peer->transport, last);
  if (data[length - 1] == 'c')
    loop_transport_close (peer->transport);
  if (data[length - 1] != '+')
    loop_transport_abort (peer->transport);
}

START_TEST (test_abort_after_writes)
{
  static const char *const endings[] = { "a", "c", "+a", "+c" };

  for (guint i = 0; i < G_N_ELEMENTS (endings); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

      peer->data = answer_in_pieces;
      for (const char *message = endings[i]; *message != '\0'; message++)
        {
          g_autofree char *answer = NULL;

          tcp_raw_send (fd, (char[]) { *message, '\0' });
          tcp_run_until (tcp.loop, peer->n_bytes == (gsize) (message - endings[i] + 1));
          answer = tcp_raw_receive (fd, strlen ("one two three"));
          ck_assert_str_eq (answer, "one two three");
        }
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      ck_assert_ptr_null (peer->error);
      ck_assert (tcp_raw_is_eof (fd));
    }
}
END_TEST

/* What the peer does not take is dropped, whether it was there before or not. */
static void
answer_much (TcpPeer *peer, const guint8 *data, gsize length)
{
  g_autofree guint8 *much = g_malloc0 (1000);

  for (int i = 0; i < 10; i++)
    loop_transport_write (peer->transport, much, 1000);
  if (data[length - 1] == '!')
    loop_transport_abort (peer->transport);
}

START_TEST (test_abort_before_room)
{
  static const char *const messages[] = { "!", ".!" };

  for (guint i = 0; i < G_N_ELEMENTS (messages); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      int fd;
      TcpPeer *peer = set_up (&tcp, FALSE, &fd);

      peer->data = answer_much;
      for (const char *message = messages[i]; *message != '\0'; message++)
        {
          is_blocked = FALSE;
          tcp_raw_send (fd, (char[]) { *message, '\0' });
          is_blocked = TRUE;
          tcp_run_for (tcp.loop, 0.01);
        }
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      ck_assert_ptr_null (peer->error);
      ck_assert (tcp_raw_is_eof (fd));
    }
}
END_TEST

LOOP_TEST_MAIN ("transport-gather",
                test_small_writes,
                test_bytes,
                test_marks,
                test_abort_after_writes,
                test_abort_before_room)
