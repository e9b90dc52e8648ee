/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "io-check.h"

#include "loop-error.h"

#include <string.h>
#include <unistd.h>

/* How a transport as a GIOStream ends. */

#define SIZE (8 * 1024 * 1024)

/* Of the output alone: all is sent, then the end; the other direction goes on. */
START_TEST (test_half_close)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  g_autofree guint8 *data = g_malloc0 (SIZE);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  TcpSink *sink;
  gsize n;
  int fd;

  stream = io_stream_new (&tcp, &fd);
  transport = loop_io_stream_dup_transport (stream);
  sink = tcp_sink_new (fd);
  ck_assert (io_write (&tcp, io_output (stream), data, SIZE, &error));
  ck_assert (io_close (&tcp, io_output (stream), &error));
  g_free (tcp_sink_finish (sink, &n, NULL));
  ck_assert_uint_eq (n, SIZE);
  ck_assert (!loop_transport_is_closing (transport));
  ck_assert (!io_write (&tcp, io_output (stream), "x", 1, &error));
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);

  tcp_raw_send (fd, "late");
  shutdown (fd, SHUT_WR);
  bytes = io_read_to_end (&tcp, io_input (stream), &error);
  ck_assert_uint_eq (g_bytes_get_size (bytes), 4);

  /* Now the other one: that is the end of both. */
  ck_assert (io_close (&tcp, io_input (stream), &error));
  ck_assert (loop_transport_is_closing (transport));
  ck_assert (io_close (&tcp, stream, &error));
  ck_assert (io_is_lost (stream));
  ck_assert (!io_has_pool ());
}
END_TEST

/* Of the input alone: nobody reads, and the output goes on. */
START_TEST (test_close_input)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *received = NULL;
  char buffer[1];
  int fd;

  stream = io_stream_new (&tcp, &fd);
  transport = loop_io_stream_dup_transport (stream);
  tcp_raw_send (fd, "unread");
  tcp_run_for (tcp.loop, 0.01);
  ck_assert (io_close (&tcp, io_input (stream), &error));
  tcp_run_until (tcp.loop, !loop_transport_is_reading (transport));
  ck_assert_int_eq (g_input_stream_read (io_input (stream), buffer, 1, NULL, &error), -1);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  ck_assert (io_write (&tcp, io_output (stream), "answer", 6, &error));
  received = tcp_raw_receive (fd, 6);
  ck_assert_str_eq (received, "answer");
  ck_assert (io_close (&tcp, stream, &error));
}
END_TEST

/* What was written is sent first; a read that waits is told. */
START_TEST (test_close)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autofree guint8 *data = g_malloc0 (SIZE);
  g_autoptr (GError) error = NULL;
  g_auto (IODone) read = { 0 };
  g_auto (IODone) closed = { 0 };
  gsize n, n_written = 0;
  TcpSink *sink;
  char buffer[1];
  int fd;

  stream = io_stream_new (&tcp, &fd);
  g_input_stream_read_async (io_input (stream), buffer, 1, G_PRIORITY_DEFAULT, NULL, io_done, &read);
  tcp_run_for (tcp.loop, 0.01);

  /* The loop's thread cannot wait, and need not. */
  ck_assert (g_output_stream_write_all (io_output (stream), data, SIZE, &n_written, NULL, &error));
  ck_assert_uint_eq (n_written, SIZE);
  g_io_stream_close_async (G_IO_STREAM (stream), G_PRIORITY_DEFAULT, NULL, io_done, &closed);
  io_wait (&tcp, &read);
  ck_assert_int_eq (g_input_stream_read_finish (io_input (stream), read.result, &error), -1);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_ptr_null (closed.result);

  sink = tcp_sink_new (fd);
  io_wait (&tcp, &closed);
  ck_assert (g_io_stream_close_finish (G_IO_STREAM (stream), closed.result, &error));
  g_free (tcp_sink_finish (sink, &n, NULL));
  ck_assert_uint_eq (n, SIZE);
  ck_assert (g_io_stream_is_closed (G_IO_STREAM (stream)));
  ck_assert (g_input_stream_is_closed (io_input (stream)) || read.result != NULL);
  ck_assert (g_output_stream_is_closed (io_output (stream)));
}
END_TEST

/* The peer does not take the rest: a close that is cancelled does not wait for it. */
START_TEST (test_cancel_close)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree guint8 *data = g_malloc0 (SIZE);
  g_autoptr (GError) error = NULL;
  g_auto (IODone) closed = { 0 };
  int fd;

  stream = io_stream_new (&tcp, &fd);
  ck_assert (g_output_stream_write_all (io_output (stream), data, SIZE, NULL, NULL, &error));
  g_io_stream_close_async (G_IO_STREAM (stream), G_PRIORITY_DEFAULT, cancellable, io_done, &closed);
  tcp_run_for (tcp.loop, 0.01);
  g_cancellable_cancel (cancellable);
  io_wait (&tcp, &closed);
  ck_assert (!g_io_stream_close_finish (G_IO_STREAM (stream), closed.result, &error));
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  tcp_run_until (tcp.loop, io_is_lost (stream));
}
END_TEST

/* The last reference. */
START_TEST (test_drop)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (GInputStream) input = NULL;
  g_autoptr (GError) error = NULL;
  LoopIOStream *stream;
  char *received;
  char buffer[1];
  int fd;

  stream = io_stream_new (&tcp, &fd);
  input = g_object_ref (io_input (stream));
  ck_assert (g_output_stream_write_all (io_output (stream), "last", 4, NULL, NULL, &error));
  g_object_unref (stream);
  tcp_run_for (tcp.loop, 0.01);
  received = tcp_raw_receive (fd, 4);
  ck_assert_str_eq (received, "last");
  ck_assert (tcp_raw_is_eof (fd));
  g_free (received);
  ck_assert_int_eq (g_input_stream_read (input, buffer, 1, NULL, &error), -1);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
}
END_TEST

/* What came before an error can be read; then it is told, and once it was, the close says nothing. */
START_TEST (test_reset)
{
  for (int is_told = 0; is_told < 2; is_told++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_autoptr (LoopIOStream) stream = NULL;
      g_autoptr (GError) error = NULL;
      char buffer[10];
      int fd;

      stream = io_stream_new (&tcp, &fd);
      tcp_raw_send (fd, "before");
      tcp_run_until (tcp.loop, g_pollable_input_stream_is_readable (G_POLLABLE_INPUT_STREAM (io_input (stream))));
      tcp_raw_reset (&tcp, fd);
      tcp_run_until (tcp.loop, io_is_lost (stream));
      ck_assert_int_eq (io_read (&tcp, io_input (stream), buffer, 10, &error), 6);
      if (is_told)
        {
          ck_assert_int_eq (io_read (&tcp, io_input (stream), buffer, 10, &error), -1);
          tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
          g_clear_error (&error);
          ck_assert (!io_write (&tcp, io_output (stream), "x", 1, &error));
          tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
          g_clear_error (&error);
          ck_assert (io_close (&tcp, stream, &error));
        }
      else
        {
          ck_assert (!io_close (&tcp, stream, &error));
          tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
        }
    }
}
END_TEST

/* While a write and a flush wait. */
START_TEST (test_reset_while_writing)
{
  for (int is_flush = 0; is_flush < 2; is_flush++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_autoptr (LoopIOStream) stream = NULL;
      g_autofree guint8 *data = g_malloc0 (SIZE);
      g_autoptr (GError) error = NULL;
      g_auto (IODone) done = { 0 };
      int fd;

      stream = io_stream_new (&tcp, &fd);
      if (is_flush)
        {
          ck_assert (g_output_stream_write_all (io_output (stream), data, SIZE, NULL, NULL, &error));
          g_output_stream_flush_async (io_output (stream), G_PRIORITY_DEFAULT, NULL, io_done, &done);
        }
      else
        {
          g_output_stream_write_all_async (io_output (stream), data, SIZE, G_PRIORITY_DEFAULT, NULL, io_done, &done);
        }
      tcp_run_for (tcp.loop, 0.05);
      ck_assert_ptr_null (done.result);
      tcp_raw_reset (&tcp, fd);
      io_wait (&tcp, &done);
      ck_assert (!(is_flush ? g_output_stream_flush_finish (io_output (stream), done.result, &error)
                            : g_output_stream_write_all_finish (io_output (stream), done.result, NULL, &error)));
      tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
    }
}
END_TEST

/* Somebody else closes the transport, or aborts it. */
START_TEST (test_transport_closed)
{
  for (int is_abort = 0; is_abort < 2; is_abort++)
    {
      g_auto (Tcp) tcp = io_tcp_new ();
      g_autoptr (LoopIOStream) stream = NULL;
      g_autoptr (LoopTransport) transport = NULL;
      g_autoptr (GError) error = NULL;
      g_auto (IODone) read = { 0 };
      char buffer[1];
      int fd;

      stream = io_stream_new (&tcp, &fd);
      transport = loop_io_stream_dup_transport (stream);
      g_input_stream_read_async (io_input (stream), buffer, 1, G_PRIORITY_DEFAULT, NULL, io_done, &read);
      if (is_abort)
        loop_transport_abort (transport);
      else
        loop_transport_close (transport);
      ck_assert (!io_write (&tcp, io_output (stream), "x", 1, &error));
      tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
      g_clear_error (&error);
      io_wait (&tcp, &read);
      ck_assert_int_eq (g_input_stream_read_finish (io_input (stream), read.result, &error), 0);
      ck_assert (io_close (&tcp, stream, &error));
    }
}
END_TEST

/* All that waits is told, and what comes later as well. */
START_TEST (test_loop_closed)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autofree guint8 *data = g_malloc0 (SIZE);
  g_autoptr (GError) error = NULL;
  g_auto (IODone) read = { 0 };
  g_auto (IODone) written = { 0 };
  g_auto (IODone) closed = { 0 };
  char buffer[1];
  int fd;

  stream = io_stream_new (&tcp, &fd);
  g_input_stream_read_async (io_input (stream), buffer, 1, G_PRIORITY_DEFAULT, NULL, io_done, &read);
  g_output_stream_write_all_async (io_output (stream), data, SIZE, G_PRIORITY_DEFAULT, NULL, io_done, &written);
  tcp_run_for (tcp.loop, 0.02);
  tcp_close_loop (&tcp);
  while (read.result == NULL || written.result == NULL)
    g_main_context_iteration (NULL, TRUE);

  ck_assert_int_eq (g_input_stream_read_finish (io_input (stream), read.result, &error), -1);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_CLOSED);
  g_clear_error (&error);
  ck_assert (!g_output_stream_write_all_finish (io_output (stream), written.result, NULL, &error));
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_CLOSED);
  g_clear_error (&error);

  ck_assert (!g_output_stream_write_all (io_output (stream), "x", 1, NULL, NULL, &error));
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_CLOSED);
  g_clear_error (&error);
  g_io_stream_close_async (G_IO_STREAM (stream), G_PRIORITY_DEFAULT, NULL, io_done, &closed);
  while (closed.result == NULL)
    g_main_context_iteration (NULL, TRUE);
  ck_assert (g_io_stream_close_finish (G_IO_STREAM (stream), closed.result, &error));
}
END_TEST

/* On the loop's thread, nothing that would have to wait for the loop. */
START_TEST (test_blocking_calls)
{
  g_auto (Tcp) tcp = io_tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *data = g_malloc0 (SIZE);
  TcpSink *sink;
  char buffer[1];
  gsize n;
  int fd;

  stream = io_stream_new (&tcp, &fd);
  ck_assert_int_eq (g_input_stream_read (io_input (stream), buffer, 1, NULL, &error), -1);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  tcp_assert_contains (error->message, "asynchronous");
  g_clear_error (&error);

  /* Nothing is left to be written yet: a flush need not wait. */
  tcp_run_for (tcp.loop, 0.001);
  ck_assert (g_output_stream_write_all (io_output (stream), data, SIZE, NULL, NULL, &error));
  tcp_run_for (tcp.loop, 0.01);
  ck_assert (!g_output_stream_flush (io_output (stream), NULL, &error));
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);

  ck_assert (g_io_stream_close (G_IO_STREAM (stream), NULL, &error));
  sink = tcp_sink_new (fd);
  tcp_run_until (tcp.loop, io_is_lost (stream));
  g_free (tcp_sink_finish (sink, &n, NULL));
  ck_assert_uint_eq (n, SIZE);
}
END_TEST

LOOP_TEST_MAIN ("io-stream-close",
                test_half_close,
                test_close_input,
                test_close,
                test_cancel_close,
                test_drop,
                test_reset,
                test_reset_while_writing,
                test_transport_closed,
                test_loop_closed,
                test_blocking_calls)
