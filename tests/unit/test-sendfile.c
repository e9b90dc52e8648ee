/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "file-check.h"

#include <string.h>

/* Whatever is sent, from wherever, in whatever length: C3. */

#define SIZE 300001

static void
check_sent (Tcp *tcp, TcpPeer *client, FileKind kind, GBytes *bytes, gint64 offset, gint64 count, gboolean fallback)
{
  TcpPeer *peer = tcp_last_accepted (tcp);
  g_autoptr (GInputStream) file = file_open (kind, bytes);
  g_autoptr (LoopFuture) future = NULL;
  g_autofree char *what = g_strdup_printf ("%s, offset %" G_GINT64_FORMAT ", count %" G_GINT64_FORMAT,
                                           file_kind_name (kind), offset, count);
  gint64 left = MAX (SIZE - offset, 0);
  gint64 wanted = count < 0 ? left : MIN (count, left);
  gint64 sent;

  /* Wherever it was before: an offset of 0 is one. */
  if (file_can_move (kind))
    {
      ck_assert_int_eq (g_input_stream_skip (file, 777, NULL, NULL), 777);
      ck_assert_int_eq (file_tell (file), 777);
    }

  g_byte_array_set_size (peer->received, 0);
  future = loop_event_loop_sendfile (tcp->loop, client->transport, file, offset, count, fallback);
  sent = file_take_sent (tcp, future);
  ck_assert_msg (sent == wanted, "%s: %" G_GINT64_FORMAT " bytes", what, sent);

  /* A byte that comes after it shows that there are no more. */
  loop_transport_write (client->transport, (const guint8 *) "!", 1);
  tcp_run_until (tcp->loop, peer->received->len > wanted);
  ck_assert_msg (peer->received->len == wanted + 1, "%s: %u bytes have come", what, peer->received->len);
  ck_assert_int_eq (peer->received->data[wanted], '!');
  if (wanted > 0)
    ck_assert_msg (
        memcmp (peer->received->data, (const guint8 *) g_bytes_get_data (bytes, NULL) + offset, (gsize) wanted) == 0,
        "%s: not these bytes", what);

  if (kind == FILE_MEMORY && offset > SIZE)
    ck_assert_int_eq (file_tell (file), SIZE);
  else if (file_can_move (kind) && kind != FILE_BUFFERED)
    ck_assert_msg (file_tell (file) == offset + wanted, "%s: at %" G_GINT64_FORMAT, what, file_tell (file));
}

static void
check_kind (FileKind kind)
{
  static const gint64 offsets[] = { 0, 1, 777, 65536, SIZE - 1, SIZE, SIZE + 10 };
  static const gint64 counts[] = { -1, 0, 1, 4096, 65537, SIZE - 1, SIZE, SIZE + 10, G_MAXINT64 };
  guint n_offsets = file_can_move (kind) ? G_N_ELEMENTS (offsets) : 1;
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  TcpPeer *client = tcp_connect (&tcp);

  for (guint i = 0; i < n_offsets; i++)
    {
      for (guint j = 0; j < G_N_ELEMENTS (counts); j++)
        {
          check_sent (&tcp, client, kind, bytes, offsets[i], counts[j], TRUE);
          if (kind < FILE_MEMORY)
            check_sent (&tcp, client, kind, bytes, offsets[i], counts[j], FALSE);
        }
    }
}

START_TEST (test_local) { check_kind (FILE_LOCAL); }
END_TEST

START_TEST (test_unix) { check_kind (FILE_UNIX); }
END_TEST

START_TEST (test_pipe) { check_kind (FILE_PIPE); }
END_TEST

START_TEST (test_memory) { check_kind (FILE_MEMORY); }
END_TEST

START_TEST (test_buffered) { check_kind (FILE_BUFFERED); }
END_TEST

START_TEST (test_converted) { check_kind (FILE_CONVERTED); }
END_TEST

START_TEST (test_slow) { check_kind (FILE_SLOW); }
END_TEST

/* More than any buffer, in all ways, after what was written before: the checksum is right. */
START_TEST (test_large)
{
  static const FileKind kinds[] = { FILE_LOCAL, FILE_PIPE, FILE_MEMORY, FILE_BUFFERED, FILE_SLOW };
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (8 * 1024 * 1024);
  g_autofree char *wanted = tcp_checksum (bytes);
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *peer = tcp_last_accepted (&tcp);
  int fd = loop_transport_get_fd (client->transport);

  /* The kernel's buffers could take all of it. */
  ck_assert_int_eq (setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &(int) { 64 * 1024 }, sizeof (int)), 0);

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      gsize size = g_bytes_get_size (bytes);
      g_autoptr (GInputStream) file = file_open (kinds[i], bytes);
      g_autoptr (LoopFuture) future = NULL;
      g_autoptr (GBytes) before = NULL;
      g_autoptr (GBytes) after = NULL;
      g_autofree char *found_before = NULL;
      g_autofree char *found_after = NULL;

      g_byte_array_set_size (peer->received, 0);
      loop_transport_write_bytes (client->transport, bytes);
      ck_assert_uint_gt (loop_transport_get_write_buffer_size (client->transport), 0);
      future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, TRUE);
      ck_assert_int_eq (file_take_sent (&tcp, future), size);
      tcp_run_until (tcp.loop, peer->received->len >= 2 * size);

      before = g_bytes_new (peer->received->data, size);
      after = g_bytes_new (peer->received->data + size, size);
      found_before = tcp_checksum (before);
      found_after = tcp_checksum (after);
      ck_assert_str_eq (found_before, wanted);
      ck_assert_str_eq (found_after, wanted);
    }
}
END_TEST

/* An empty file, and a special one that says it was empty. */
START_TEST (test_empty)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = g_bytes_new (NULL, 0);
  g_autoptr (GFile) proc = g_file_new_for_path ("/proc/self/limits");
  g_autoptr (GInputStream) limits = G_INPUT_STREAM (g_file_read (proc, NULL, NULL));
  TcpPeer *client = tcp_connect (&tcp);

  for (FileKind kind = 0; kind < FILE_N_KINDS; kind++)
    {
      g_autoptr (GInputStream) file = file_open (kind, bytes);
      g_autoptr (LoopFuture) future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, TRUE);

      ck_assert_int_eq (file_take_sent (&tcp, future), 0);
    }

  ck_assert_ptr_nonnull (limits);
  {
    g_autoptr (LoopFuture) future = loop_event_loop_sendfile (tcp.loop, client->transport, limits, 0, -1, TRUE);
    gint64 sent = file_take_sent (&tcp, future);
    TcpPeer *peer = tcp_last_accepted (&tcp);

    ck_assert_int_gt (sent, 100);
    tcp_run_until (tcp.loop, peer->received->len == sent);
    ck_assert_int_eq (memcmp (peer->received->data, "Limit", 5), 0);
  }
}
END_TEST

/* Without a fallback, what the kernel cannot do is not done: nothing is sent or moved. */
START_TEST (test_not_available)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (1000);
  TcpPeer *client = tcp_connect (&tcp);

  for (FileKind kind = FILE_MEMORY; kind < FILE_N_KINDS; kind++)
    {
      g_autoptr (GInputStream) file = file_open (kind, bytes);
      g_autoptr (LoopFuture) future = loop_event_loop_sendfile (tcp.loop, client->transport, file, 0, -1, FALSE);
      g_autoptr (GError) error = tcp_take_error (&tcp, future);

      tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_SENDFILE_NOT_AVAILABLE);
      tcp_assert_contains (error->message, "sendfile");
      ck_assert_int_le (file_tell (file), 0);
      ck_assert (!g_input_stream_has_pending (file));
    }

  loop_transport_write (client->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_bytes == 1);
}
END_TEST

static void
check_refused (Tcp *tcp, TcpPeer *client, GInputStream *file, gint64 offset, gint64 count, GQuark domain, int code)
{
  g_autoptr (LoopFuture) future = loop_event_loop_sendfile (tcp->loop, client->transport, file, offset, count, TRUE);
  g_autoptr (GError) error = tcp_take_error (tcp, future);

  tcp_assert_error (error, domain, code);
}

START_TEST (test_arguments)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopEventLoop) other = loop_event_loop_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (1000);
  g_autoptr (GInputStream) memory = file_open (FILE_MEMORY, bytes);
  g_autoptr (GInputStream) local = file_open (FILE_LOCAL, bytes);
  g_autoptr (GInputStream) pipe = file_open (FILE_PIPE, bytes);
  g_autoptr (GInputStream) converted = file_open (FILE_CONVERTED, bytes);
  TcpPeer *client = tcp_connect (&tcp);

  check_refused (&tcp, client, local, -1, -1, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  check_refused (&tcp, client, local, 0, -2, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  check_refused (&tcp, client, pipe, 1, -1, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  check_refused (&tcp, client, converted, 1, -1, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);

  ck_assert (g_input_stream_set_pending (memory, NULL));
  check_refused (&tcp, client, memory, 0, -1, G_IO_ERROR, G_IO_ERROR_PENDING);
  g_input_stream_clear_pending (memory);
  ck_assert (g_input_stream_close (memory, NULL, NULL));
  check_refused (&tcp, client, memory, 0, -1, G_IO_ERROR, G_IO_ERROR_CLOSED);

  {
    g_autoptr (LoopFuture) future = loop_event_loop_sendfile (other, client->transport, local, 0, -1, TRUE);
    g_autoptr (GError) error = NULL;

    ck_assert (!loop_event_loop_run_until_complete (other, future, NULL, &error));
    tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
    loop_event_loop_close (other);
  }

  loop_transport_write_eof (client->transport);
  check_refused (&tcp, client, local, 0, -1, LOOP_ERROR, LOOP_ERROR_INVALID_STATE);
  loop_transport_close (client->transport);
  check_refused (&tcp, client, local, 0, -1, LOOP_ERROR, LOOP_ERROR_CLOSED);
}
END_TEST

LOOP_TEST_MAIN ("sendfile",
                test_local,
                test_unix,
                test_pipe,
                test_memory,
                test_buffered,
                test_converted,
                test_slow,
                test_large,
                test_empty,
                test_not_available,
                test_arguments)
