/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "io-check.h"

#include "loop-io-channel-private.h"

#include <string.h>

/* A transport as a GIOStream, used in other threads than that of the loop. */

#define SIZE (8 * 1024 * 1024)

typedef struct
{
  LoopIOStream *stream;
  GCancellable *cancellable;
  GBytes *bytes;
  GByteArray *received;
  GError *error;
  gboolean is_done;
} Work;

static void
work_clear (Work *self)
{
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_pointer (&self->received, g_byte_array_unref);
  g_clear_error (&self->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Work, work_clear)

static void
end_work (Work *work)
{
  __atomic_store_n (&work->is_done, TRUE, __ATOMIC_RELEASE);
}

/* Runs the loop until the thread has done its work. */
static void
do_work (Tcp *tcp, GThreadFunc func, Work *work)
{
  GThread *thread = g_thread_new ("work", func, work);

  tcp_run_until (tcp->loop, __atomic_load_n (&work->is_done, __ATOMIC_ACQUIRE));
  g_thread_join (thread);
}

/* Writes all, flushes it, closes the output, reads to the end and closes. */
static gpointer
block (gpointer data)
{
  Work *self = data;
  GIOStream *stream = G_IO_STREAM (self->stream);
  gsize size;
  gconstpointer bytes = g_bytes_get_data (self->bytes, &size);
  guint8 buffer[5000];
  gssize n;

  if (g_output_stream_write_all (io_output (stream), bytes, size, NULL, NULL, &self->error) &&
      g_output_stream_flush (io_output (stream), NULL, &self->error) &&
      g_output_stream_close (io_output (stream), NULL, &self->error))
    {
      while ((n = g_input_stream_read (io_input (stream), buffer, sizeof buffer, NULL, &self->error)) > 0)
        g_byte_array_append (self->received, buffer, (guint) n);
      if (n == 0)
        g_io_stream_close (stream, NULL, &self->error);
    }
  end_work (self);

  return NULL;
}

START_TEST (test_blocking)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopIOStream) stream = NULL;
  g_auto (Work) work = { .bytes = tcp_random_bytes (SIZE), .received = g_byte_array_new () };
  g_autofree char *wanted = tcp_checksum (work.bytes);
  g_autofree char *found = NULL;
  TcpSink *sink;
  IOFeed *feed;
  int fd;

  stream = io_stream_new (&tcp, &fd);
  work.stream = stream;
  sink = tcp_sink_new (fd);
  feed = io_feed_new (fd, work.bytes);
  do_work (&tcp, block, &work);
  found = tcp_sink_finish (sink, NULL, NULL);
  io_feed_finish (feed);
  ck_assert_ptr_null (work.error);
  ck_assert_str_eq (found, wanted);
  ck_assert_uint_eq (work.received->len, SIZE);
  ck_assert_mem_eq (work.received->data, g_bytes_get_data (work.bytes, NULL), SIZE);
  ck_assert (io_is_lost (stream));
}
END_TEST

static gpointer
read_one (gpointer data)
{
  Work *self = data;
  char buffer[1];

  g_input_stream_read (io_input (self->stream), buffer, 1, self->cancellable, &self->error);
  end_work (self);

  return NULL;
}

/* A read that waits, and is cancelled in the loop's thread; and one that waits when the loop is closed. */
START_TEST (test_end_of_wait)
{
  for (int is_closed = 0; is_closed < 2; is_closed++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (LoopIOStream) stream = NULL;
      g_auto (Work) work = { .cancellable = g_cancellable_new () };
      GThread *thread;
      int fd;

      stream = io_stream_new (&tcp, &fd);
      work.stream = stream;
      thread = g_thread_new ("work", read_one, &work);
      tcp_run_for (tcp.loop, 0.02);
      ck_assert (!__atomic_load_n (&work.is_done, __ATOMIC_ACQUIRE));
      if (is_closed)
        tcp_close_loop (&tcp);
      else
        g_cancellable_cancel (work.cancellable);
      g_thread_join (thread);
      if (is_closed)
        tcp_assert_error (work.error, LOOP_ERROR, LOOP_ERROR_CLOSED);
      else
        tcp_assert_error (work.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    }
}
END_TEST

static gpointer
drop (gpointer data)
{
  Work *self = data;

  g_clear_object (&self->stream);
  end_work (self);

  return NULL;
}

/* The last reference: nobody waits, and the transport is closed. */
START_TEST (test_drop)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (Work) work = { 0 };
  int fd;

  work.stream = io_stream_new (&tcp, &fd);
  g_thread_join (g_thread_new ("work", drop, &work));
  tcp_run_for (tcp.loop, 0.01);
  ck_assert (tcp_raw_is_eof (fd));
}
END_TEST

static void
echo_back (TcpPeer *peer, gpointer user_data)
{
  peer->is_echo = TRUE;
}

typedef struct
{
  GMainLoop *main_loop;
  Work *work;
} Async;

static void
all_written (GObject *source, GAsyncResult *result, gpointer data)
{
  Async *self = data;

  g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, &self->work->error);
  g_output_stream_close_async (G_OUTPUT_STREAM (source), G_PRIORITY_DEFAULT, NULL, NULL, NULL);
}

static void
some_read (GObject *source, GAsyncResult *result, gpointer data)
{
  Async *self = data;
  g_autoptr (GBytes) bytes = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result, NULL);

  ck_assert (g_main_context_is_owner (g_main_loop_get_context (self->main_loop)));
  if (bytes == NULL || g_bytes_get_size (bytes) == 0)
    {
      g_main_loop_quit (self->main_loop);
      return;
    }
  g_byte_array_append (self->work->received, g_bytes_get_data (bytes, NULL), (guint) g_bytes_get_size (bytes));
  g_input_stream_read_bytes_async (G_INPUT_STREAM (source), 30000, G_PRIORITY_DEFAULT, NULL, some_read, self);
}

/* A thread with a main loop of its own, where the callbacks come. */
static gpointer
run_main_loop (gpointer data)
{
  Work *self = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  Async async = { main_loop, self };
  gsize size;
  gconstpointer bytes = g_bytes_get_data (self->bytes, &size);

  g_main_context_push_thread_default (context);
  g_output_stream_write_all_async (io_output (self->stream), bytes, size, G_PRIORITY_DEFAULT, NULL, all_written,
                                   &async);
  g_input_stream_read_bytes_async (io_input (self->stream), 30000, G_PRIORITY_DEFAULT, NULL, some_read, &async);
  g_main_loop_run (main_loop);
  g_main_context_pop_thread_default (context);
  end_work (self);

  return NULL;
}

START_TEST (test_async)
{
  g_auto (Tcp) tcp = (io_prepare (), tcp_new ());
  g_autoptr (LoopIOStream) stream = NULL;
  g_auto (Work) work = { .bytes = tcp_random_bytes (SIZE), .received = g_byte_array_new () };
  TcpPeer *peer;

  tcp.set_up = echo_back;
  peer = tcp_connect (&tcp);
  stream = loop_io_stream_new (peer->transport);
  work.stream = stream;
  do_work (&tcp, run_main_loop, &work);
  ck_assert_ptr_null (work.error);
  ck_assert_uint_eq (work.received->len, SIZE);
  ck_assert_mem_eq (work.received->data, g_bytes_get_data (work.bytes, NULL), SIZE);
}
END_TEST

#define N_SOURCES 200000

typedef struct
{
  LoopIOChannel *channel;
  gboolean is_done;
} Dropper;

static gpointer
drop_sources (gpointer data)
{
  Dropper *self = data;

  for (guint i = 0; i < N_SOURCES; i++)
    {
      GSource *source = loop_io_channel_create_source (self->channel, LOOP_IO_READABLE);

      if (i % 2 == 0)
        g_source_destroy (source);
      g_source_unref (source);
    }
  __atomic_store_n (&self->is_done, TRUE, __ATOMIC_RELEASE);

  return NULL;
}

/* Sources are woken up while another thread drops them. */
START_TEST (test_dropped_sources)
{
  g_auto (Tcp) tcp = (io_prepare (), tcp_new ());
  Dropper dropper = { 0 };
  GThread *thread;

  tcp.set_up = echo_back;
  dropper.channel = loop_io_channel_new (tcp_connect (&tcp)->transport);
  /* What is lost is always ready. */
  tcp_close_loop (&tcp);
  thread = g_thread_new ("work", drop_sources, &dropper);
  while (!__atomic_load_n (&dropper.is_done, __ATOMIC_ACQUIRE))
    {
      loop_io_channel_lock (dropper.channel);
      loop_io_channel_wake (dropper.channel);
      loop_io_channel_unlock (dropper.channel);
    }
  g_thread_join (thread);
  ck_assert_uint_eq (dropper.channel->sources.length, 0);
  g_object_unref (dropper.channel);
}
END_TEST

LOOP_TEST_MAIN ("io-stream-threads", test_blocking, test_end_of_wait, test_drop, test_async, test_dropped_sources)
