/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"
#include "tcp-check.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Connections that are read and written with futures. */

#define SIZE (4 * 1024 * 1024)

static const char *const loopback[] = { "127.0.0.1", NULL };

/* --- Servers ------------------------------------------------------------------------------------ */

typedef struct
{
  guint n_clients;
  guint n_destroyed;
  LoopStreamReader *reader; /* of the last one */
  LoopStreamWriter *writer;
} Clients;

static void
keep_client (LoopStreamReader *reader, LoopStreamWriter *writer, gpointer user_data)
{
  Clients *self = user_data;

  self->n_clients++;
  g_set_object (&self->reader, reader);
  g_set_object (&self->writer, writer);
}

static void
clients_destroy (gpointer user_data)
{
  ((Clients *) user_data)->n_destroyed++;
}

static void
clients_clear (Clients *self)
{
  g_clear_object (&self->reader);
  g_clear_object (&self->writer);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Clients, clients_clear)

static void
serve (Tcp *tcp, LoopFuture *future)
{
  g_autoptr (LoopFuture) keep G_GNUC_UNUSED = future;

  tcp->server = tcp_take_server (tcp, future);
  tcp->port = tcp_server_port (tcp->server, 0);
}

static void
serve_and_keep (Tcp *tcp, Clients *clients, gssize limit)
{
  serve (tcp, loop_start_server (tcp->loop, keep_client, clients, clients_destroy, loopback, 0, limit, NULL));
}

static LoopStreamResult *
take_result (Tcp *tcp, LoopFuture *future)
{
  g_autoptr (LoopFuture) keep G_GNUC_UNUSED = future;
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_event_loop_run_until_complete (tcp->loop, future, &value, &error), "%s",
                 error != NULL ? error->message : "");
  ck_assert (G_VALUE_HOLDS (&value, LOOP_TYPE_STREAM_RESULT));

  return g_value_dup_boxed (&value);
}

static LoopStreamResult *
connect_to (Tcp *tcp, gssize limit)
{
  return take_result (tcp, loop_open_connection (tcp->loop, "127.0.0.1", tcp->port, limit, NULL));
}

/* Both sides. */
static LoopStreamResult *
connect_both (Tcp *tcp, Clients *clients, gssize limit)
{
  LoopStreamResult *result;

  serve_and_keep (tcp, clients, limit);
  result = connect_to (tcp, limit);
  tcp_run_until (tcp->loop, clients->n_clients == 1);

  return result;
}

/* Waits for @future, which it takes. */
static void
await (Tcp *tcp, LoopFuture *future)
{
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_event_loop_run_until_complete (tcp->loop, future, NULL, &error), "%s",
                 error != NULL ? error->message : "");
  g_object_unref (future);
}

static void
await_error (Tcp *tcp, LoopFuture *future, GQuark domain, int code)
{
  g_autoptr (GError) error = tcp_take_error (tcp, future);

  tcp_assert_error (error, domain, code);
  g_object_unref (future);
}

static GBytes *
await_bytes (Tcp *tcp, LoopFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_event_loop_run_until_complete (tcp->loop, future, &value, &error), "%s",
                 error != NULL ? error->message : "");
  g_object_unref (future);

  return g_value_dup_boxed (&value);
}

static void
await_text (Tcp *tcp, LoopFuture *future, const char *text)
{
  g_autoptr (GBytes) bytes = await_bytes (tcp, future);
  g_autoptr (GBytes) wanted = g_bytes_new (text, strlen (text));

  ck_assert_msg (g_bytes_equal (bytes, wanted), "\"%.*s\" is not \"%s\"", (int) g_bytes_get_size (bytes),
                 (const char *) g_bytes_get_data (bytes, NULL), text);
}

static void
say (LoopStreamWriter *writer, const char *text)
{
  loop_stream_writer_write (writer, (const guint8 *) text, strlen (text));
}

/* --- Both ways ------------------------------------------------------------------------------------ */

START_TEST (test_talk)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (Clients) clients = { 0 };
  g_autoptr (LoopStreamResult) client = connect_both (&tcp, &clients, -1);
  LoopStreamReader *reader = loop_stream_result_get_reader (client);
  LoopStreamWriter *writer = loop_stream_result_get_writer (client);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("two\n", 4);
  GBytes *lines[] = { bytes, bytes };
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_stream_writer_get_extra_info (writer, "peername", &value));
  ck_assert_uint_eq (g_inet_socket_address_get_port (g_value_get_object (&value)), tcp.port);
  ck_assert_ptr_eq (loop_transport_get_loop (loop_stream_writer_get_transport (writer)), tcp.loop);

  say (writer, "one\n");
  loop_stream_writer_write_bytes (writer, bytes);
  loop_stream_writer_writelines (writer, lines, 2);
  await (&tcp, loop_stream_writer_drain (writer));
  await_text (&tcp, loop_stream_reader_readline (clients.reader), "one\n");
  await_text (&tcp, loop_stream_reader_readexactly (clients.reader, 12), "two\ntwo\ntwo\n");

  /* An answer after the end of the question. */
  ck_assert (loop_stream_writer_can_write_eof (writer));
  loop_stream_writer_write_eof (writer);
  await_text (&tcp, loop_stream_reader_read (clients.reader, -1), "");
  ck_assert (loop_stream_reader_at_eof (clients.reader));
  ck_assert (!loop_stream_writer_is_closing (clients.writer));
  say (clients.writer, "answer");
  loop_stream_writer_close (clients.writer);
  ck_assert (loop_stream_writer_is_closing (clients.writer));
  await (&tcp, loop_stream_writer_wait_closed (clients.writer));
  await_text (&tcp, loop_stream_reader_read (reader, -1), "answer");
  loop_stream_writer_close (writer);
  await (&tcp, loop_stream_writer_wait_closed (writer));
  await (&tcp, loop_stream_writer_wait_closed (writer));
}
END_TEST

static gboolean
echo (LoopStreamReader *reader, LoopStreamWriter *writer, gpointer n_served, GError **error)
{
  for (;;)
    {
      g_auto (GValue) line = G_VALUE_INIT;

      if (!loop_await_result (loop_stream_reader_readline (reader), &line, error))
        return FALSE;
      if (g_bytes_get_size (g_value_get_boxed (&line)) == 0)
        break;
      loop_stream_writer_write_bytes (writer, g_value_get_boxed (&line));
      if (!loop_await_result (loop_stream_writer_drain (writer), NULL, error))
        return FALSE;
    }
  ++*(guint *) n_served;

  return TRUE;
}

static gboolean
talk (GValue *result, gpointer user_data, GError **error)
{
  Tcp *tcp = user_data;
  g_auto (GValue) opened = G_VALUE_INIT;
  LoopStreamResult *client;

  if (!loop_await_result (loop_open_connection (tcp->loop, "127.0.0.1", tcp->port, -1, NULL), &opened, error))
    return FALSE;

  client = g_value_get_boxed (&opened);
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *line = g_strdup_printf ("this is line %u\n", i);
      g_auto (GValue) answer = G_VALUE_INIT;
      g_autoptr (GBytes) wanted = g_bytes_new (line, strlen (line));

      say (loop_stream_result_get_writer (client), line);
      if (!loop_await_result (loop_stream_reader_readline (loop_stream_result_get_reader (client)), &answer, error))
        return FALSE;
      ck_assert (g_bytes_equal (g_value_get_boxed (&answer), wanted));
    }

  return TRUE;
}

/* A server that runs in fibers, and clients that do. */
START_TEST (test_fibers)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint n_served = 0;

  serve (&tcp, loop_start_fiber_server (tcp.loop, echo, &n_served, NULL, loopback, 0, -1, NULL));
  {
    g_autoptr (LoopTask) one = loop_event_loop_spawn (tcp.loop, talk, &tcp, NULL);
    g_autoptr (LoopTask) two = loop_event_loop_spawn (tcp.loop, talk, &tcp, NULL);

    ck_assert (loop_event_loop_run_until_complete (tcp.loop, LOOP_FUTURE (one), NULL, NULL));
    ck_assert (loop_event_loop_run_until_complete (tcp.loop, LOOP_FUTURE (two), NULL, NULL));
  }
  tcp_run_until (tcp.loop, n_served == 2);
}
END_TEST

START_TEST (test_unix)
{
  for (int is_fiber = 0; is_fiber < 2; is_fiber++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_auto (Clients) clients = { 0 };
      g_autofree char *path = g_strdup_printf ("@libloop-streams-%d-%d", getpid (), is_fiber);
      g_autoptr (LoopFuture) serving = NULL;
      g_autoptr (LoopStreamResult) client = NULL;
      LoopStreamReader *reader;
      guint n_served = 0;

      if (is_fiber)
        serving = loop_start_unix_fiber_server (tcp.loop, echo, &n_served, NULL, path, -1, NULL);
      else
        serving = loop_start_unix_server (tcp.loop, keep_client, &clients, NULL, path, -1, NULL);
      tcp.server = tcp_take_server (&tcp, serving);

      client = take_result (&tcp, loop_open_unix_connection (tcp.loop, path, 7, NULL));
      reader = loop_stream_result_get_reader (client);
      ck_assert_uint_eq (loop_stream_reader_get_limit (reader), 7);
      say (loop_stream_result_get_writer (client), "hello\n");
      if (is_fiber)
        {
          await_text (&tcp, loop_stream_reader_readline (reader), "hello\n");
        }
      else
        {
          tcp_run_until (tcp.loop, clients.n_clients == 1);
          await_text (&tcp, loop_stream_reader_readline (clients.reader), "hello\n");
          clients_clear (&clients);
        }
      loop_stream_writer_write_eof (loop_stream_result_get_writer (client));
      await_text (&tcp, loop_stream_reader_read (reader, -1), "");
      ck_assert_uint_eq (n_served, is_fiber);
      await_error (&tcp, loop_open_unix_connection (tcp.loop, "@libloop-nobody", -1, NULL), G_IO_ERROR,
                   G_IO_ERROR_CONNECTION_REFUSED);
    }
}
END_TEST

static gboolean
fail_to_serve (LoopStreamReader *reader, LoopStreamWriter *writer, gpointer user_data, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "all is full");

  return FALSE;
}

START_TEST (test_fiber_fails)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopStreamResult) client = NULL;
  g_autoptr (LoopExceptionContext) report = NULL;

  serve (&tcp, loop_start_fiber_server (tcp.loop, fail_to_serve, NULL, NULL, loopback, 0, -1, NULL));
  client = connect_to (&tcp, -1);
  await_text (&tcp, loop_stream_reader_read (loop_stream_result_get_reader (client), -1), "");
  report = tcp_take_report (&tcp);
  tcp_assert_error (loop_exception_context_get_exception (report), G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  ck_assert_ptr_nonnull (loop_exception_context_get_transport (report));
}
END_TEST

static void
ignore_client (LoopStreamReader *reader, LoopStreamWriter *writer, gpointer user_data)
{
  say (writer, "bye");
}

/* Who does not keep the writer closes the connection. */
START_TEST (test_dropped)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopStreamResult) client = NULL;

  serve (&tcp, loop_start_server (tcp.loop, ignore_client, NULL, NULL, loopback, 0, -1, NULL));
  client = connect_to (&tcp, -1);
  await_text (&tcp, loop_stream_reader_read (loop_stream_result_get_reader (client), -1), "bye");
}
END_TEST

/* --- Flow control --------------------------------------------------------------------------------- */

/* The reader does not read: the peer has to wait, and nothing is lost. */
START_TEST (test_back_pressure)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (Clients) clients = { 0 };
  g_autoptr (LoopStreamResult) client = connect_both (&tcp, &clients, 1000);
  LoopStreamReader *reader = loop_stream_result_get_reader (client);
  LoopTransport *transport = loop_stream_writer_get_transport (loop_stream_result_get_writer (client));
  g_autoptr (GBytes) bytes = tcp_random_bytes (8 * SIZE);
  g_autoptr (GBytes) front = NULL;
  g_autoptr (GBytes) back = NULL;
  g_autoptr (LoopFuture) drain = NULL;
  g_autofree guint8 *all G_GNUC_UNUSED = NULL;

  loop_stream_writer_write_bytes (clients.writer, bytes);
  drain = loop_stream_writer_drain (clients.writer);
  tcp_run_for (tcp.loop, 0.05);
  ck_assert (!loop_future_done (drain));
  ck_assert (!loop_transport_is_reading (transport));

  /* More than the limit at once is possible: then it has to go on. */
  front = await_bytes (&tcp, loop_stream_reader_readexactly (reader, 4 * SIZE));
  loop_stream_writer_close (clients.writer);
  back = await_bytes (&tcp, loop_stream_reader_read (reader, -1));
  ck_assert (loop_future_done (drain));
  ck_assert (loop_future_result (drain, NULL, NULL));
  ck_assert_uint_eq (g_bytes_get_size (front) + g_bytes_get_size (back), 8 * SIZE);
  ck_assert_int_eq (memcmp (g_bytes_get_data (front, NULL), g_bytes_get_data (bytes, NULL), 4 * SIZE), 0);
  ck_assert_int_eq (
      memcmp (g_bytes_get_data (back, NULL), (const guint8 *) g_bytes_get_data (bytes, NULL) + 4 * SIZE, 4 * SIZE), 0);
}
END_TEST

/* In steps: paused over twice the limit, and not resumed before there is less than once. */
START_TEST (test_pause_and_resume)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (Clients) clients = { 0 };
  g_autoptr (LoopStreamResult) client = connect_both (&tcp, &clients, 10);
  LoopStreamReader *reader = loop_stream_result_get_reader (client);
  LoopTransport *transport = loop_stream_writer_get_transport (loop_stream_result_get_writer (client));

  say (clients.writer, "01234567890123456789");
  tcp_run_for (tcp.loop, 0.02);
  ck_assert (loop_transport_is_reading (transport));
  say (clients.writer, "0");
  tcp_run_until (tcp.loop, !loop_transport_is_reading (transport));
  await_text (&tcp, loop_stream_reader_readexactly (reader, 10), "0123456789");
  ck_assert (!loop_transport_is_reading (transport));
  await_text (&tcp, loop_stream_reader_readexactly (reader, 1), "0");
  ck_assert (loop_transport_is_reading (transport));
  loop_stream_writer_close (clients.writer);
  await_text (&tcp, loop_stream_reader_read (reader, -1), "1234567890");
}
END_TEST

START_TEST (test_drain)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (Clients) clients = { 0 };
  g_autoptr (LoopStreamResult) client = connect_both (&tcp, &clients, 1000);
  LoopStreamWriter *writer = loop_stream_result_get_writer (client);
  g_autofree guint8 *data = g_malloc0 (8 * SIZE);
  LoopFuture *drains[3];

  drains[0] = loop_stream_writer_drain (writer);
  ck_assert (loop_future_done (drains[0]));
  g_object_unref (drains[0]);

  loop_stream_writer_write (writer, data, 8 * SIZE);
  for (guint i = 0; i < 3; i++)
    {
      drains[i] = loop_stream_writer_drain (writer);
      ck_assert (!loop_future_done (drains[i]));
    }
  /* One of them gives up; the others do not mind. */
  ck_assert (loop_future_cancel (drains[1]));

  /* They are told why, if the connection is lost meanwhile. */
  loop_transport_abort (loop_stream_writer_get_transport (clients.writer));
  await_error (&tcp, drains[0], G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  await_error (&tcp, drains[2], G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  g_object_unref (drains[1]);
  await_error (&tcp, loop_stream_writer_drain (writer), G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  await_error (&tcp, loop_stream_writer_wait_closed (writer), G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
  await_error (&tcp, loop_stream_reader_read (loop_stream_result_get_reader (client), -1), G_IO_ERROR,
               G_IO_ERROR_CONNECTION_CLOSED);
}
END_TEST

/* Who writes in a circle learns of the loss though there is always room. */
START_TEST (test_drain_after_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (Clients) clients = { 0 };
  g_autoptr (LoopStreamResult) client = connect_both (&tcp, &clients, 1000);
  LoopStreamWriter *writer = loop_stream_result_get_writer (client);
  g_autoptr (LoopFuture) drain = NULL;

  loop_stream_writer_close (writer);
  drain = loop_stream_writer_drain (writer);
  ck_assert (!loop_future_done (drain));
  tcp_run_until (tcp.loop, loop_future_done (drain));
  check_failed (drain, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
}
END_TEST

/* --- Ends ----------------------------------------------------------------------------------------- */

START_TEST (test_refused)
{
  g_auto (Tcp) tcp = tcp_new ();

  await_error (&tcp, loop_open_connection (tcp.loop, "127.0.0.1", tcp_unused_port (), -1, NULL), G_IO_ERROR,
               G_IO_ERROR_CONNECTION_REFUSED);
  await_error (&tcp, loop_open_connection (tcp.loop, NULL, 0, -1, NULL), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}
END_TEST

/* At any point; the test fails if a descriptor is left open. */
START_TEST (test_cancel_opening)
{
  for (guint n_iterations = 0; n_iterations < 12; n_iterations++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_auto (Clients) clients = { 0 };
      g_autoptr (LoopFuture) future = NULL;

      serve_and_keep (&tcp, &clients, -1);
      future = loop_open_connection (tcp.loop, "127.0.0.1", tcp.port, -1, NULL);
      for (guint i = 0; i < n_iterations; i++)
        run_once (tcp.loop);
      if (loop_future_cancel (future))
        ck_assert (loop_future_cancelled (future));
      g_clear_object (&future);
      for (guint i = 0; i < 20; i++)
        run_once (tcp.loop);
      if (clients.reader != NULL)
        await_text (&tcp, loop_stream_reader_read (clients.reader, -1), "");
    }
}
END_TEST

/* With all of it in mid-air. */
START_TEST (test_loop_closed)
{
  for (guint n_iterations = 0; n_iterations < 12; n_iterations++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_auto (Clients) clients = { 0 };
      g_autoptr (LoopFuture) future = NULL;
      g_autoptr (LoopFuture) line = NULL;
      g_autoptr (LoopFuture) closed = NULL;

      serve_and_keep (&tcp, &clients, -1);
      future = loop_open_connection (tcp.loop, "127.0.0.1", tcp.port, -1, NULL);
      for (guint i = 0; i < n_iterations; i++)
        run_once (tcp.loop);
      if (clients.reader != NULL)
        {
          line = loop_stream_reader_readline (clients.reader);
          closed = loop_stream_writer_wait_closed (clients.writer);
        }
      tcp_close_loop (&tcp);
      clients_clear (&clients);
      if (line != NULL)
        ck_assert (loop_future_cancelled (line) && loop_future_cancelled (closed));
    }
}
END_TEST

static gpointer
drop (gpointer object)
{
  g_object_unref (object);

  return NULL;
}

/* A collector of garbage may do that in another thread. */
START_TEST (test_dropped_elsewhere)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (Clients) clients = { 0 };
  g_autoptr (LoopStreamResult) client = connect_both (&tcp, &clients, 1000);

  g_thread_join (g_thread_new ("drop", drop, g_steal_pointer (&clients.writer)));
  g_thread_join (g_thread_new ("drop", drop, g_steal_pointer (&clients.reader)));
  await_text (&tcp, loop_stream_reader_read (loop_stream_result_get_reader (client), -1), "");
}
END_TEST

START_TEST (test_data_is_destroyed)
{
  Clients clients = { 0 };

  {
    g_auto (Tcp) tcp = tcp_new ();
    g_autoptr (LoopStreamResult) client = connect_both (&tcp, &clients, 1000);

    loop_server_close (tcp.server);
    ck_assert_uint_eq (clients.n_destroyed, 0);
    clients_clear (&clients);
    await_text (&tcp, loop_stream_reader_read (loop_stream_result_get_reader (client), -1), "");
  }
  ck_assert_uint_eq (clients.n_destroyed, 1);
}
END_TEST

/* A transport that somebody took over is his. */
START_TEST (test_taken_over)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_auto (Clients) clients = { 0 };
  g_autoptr (LoopStreamResult) client G_GNUC_UNUSED = connect_both (&tcp, &clients, 1000);
  static const LoopProtocolVTable vtable = { 0 };
  g_autoptr (LoopProtocol) protocol = loop_protocol_new (&vtable, NULL, NULL);
  g_autoptr (LoopTransport) transport = g_object_ref (loop_stream_writer_get_transport (clients.writer));

  loop_transport_set_protocol (transport, G_OBJECT (protocol));
  clients_clear (&clients);
  ck_assert (!loop_transport_is_closing (transport));
}
END_TEST

typedef struct
{
  LoopStreamReader *reader;
  LoopStreamReaderProtocol *protocol;
} Pipe;

static GObject *
give_protocol (gpointer user_data)
{
  return g_object_ref (G_OBJECT (((Pipe *) user_data)->protocol));
}

/* Other things than sockets are read in the same way. */
START_TEST (test_pipe)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  g_autoptr (LoopStreamReader) reader = loop_stream_reader_new (tcp.loop, 5);
  g_autoptr (LoopStreamReaderProtocol) protocol = loop_stream_reader_protocol_new (reader, NULL, NULL, NULL);
  Pipe data = { reader, protocol };
  int fds[2];

  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
  future = loop_event_loop_connect_read_pipe (tcp.loop, fds[0], give_protocol, &data, NULL);
  transport = tcp_take_transport (&tcp, future);
  ck_assert_int_eq (write (fds[1], "hello\nworld\nend", 15), 15);
  tcp_run_until (tcp.loop, !loop_transport_is_reading (transport));
  await_text (&tcp, loop_stream_reader_readline (reader), "hello\n");
  await_text (&tcp, loop_stream_reader_readline (reader), "world\n");
  close (fds[1]);
  await_text (&tcp, loop_stream_reader_readline (reader), "end");
  await_text (&tcp, loop_stream_reader_readline (reader), "");
  /* It is told of the end more than once. */
  tcp_run_until (tcp.loop, loop_transport_get_protocol (transport) == NULL);
  g_clear_object (&transport);
}
END_TEST

LOOP_TEST_MAIN ("streams",
                test_talk,
                test_fibers,
                test_unix,
                test_fiber_fails,
                test_dropped,
                test_back_pressure,
                test_pause_and_resume,
                test_drain,
                test_drain_after_close,
                test_refused,
                test_cancel_opening,
                test_loop_closed,
                test_dropped_elsewhere,
                test_data_is_destroyed,
                test_taken_over,
                test_pipe)
