/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The files of a folder over HTTP/1.1, until SIGINT or SIGTERM; what is posted is sent back. Connections are kept alive
 * and requests may be pipelined. A client that sends too much, says too little or does not read what it asked for is
 * told so or let go of; none holds up another.
 *
 *   gcc http-server.c http-request.c -o http-server $(pkg-config --cflags --libs libloop-1) -lhttp_parser
 *   ./http-server [--port=PORT] [--timeout=SECONDS] FOLDER
 */

#include "http-request.h"

#include <libloop/loop.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PIECE (256 * 1024) /* of a file: what is to be read in time */
#define LINGER 2.0         /* seconds in which a client may read why it is no longer listened to */

static LoopEventLoop *loop;
static int port = 8080;
static double timeout = 10.0; /* for a request, for the time between two, and for a piece of the answer */
static char **folders;        /* of which there is one */

typedef struct
{
  LoopTransport *transport; /* until the connection is lost */
  LoopTimerHandle *timer;
  HttpRequest request;
  /* The answer, if it is a file. */
  GInputStream *file;
  gint64 offset, size;
  LoopFuture *sending;
  guint64 sending_id;

  GByteArray *unparsed; /* requests that wait until the answers before them are read */
  gboolean is_write_paused, has_eof;
  gboolean is_finished; /* the last answer is written */
  gsize unsent;         /* when the timer was started */
} Client;

static void timer_fired (gpointer user_data);

static void
start_timer (Client *self, double seconds)
{
  if (self->timer != NULL)
    loop_timer_handle_cancel (self->timer);
  self->timer = loop_event_loop_call_later (loop, seconds, timer_fired, self, NULL);
  self->unsent = loop_transport_get_write_buffer_size (self->transport);
}

/* Says no more, but goes on reading for a while: closing with data unread would take the answer back from the peer. */
static void
finish (Client *self)
{
  self->is_finished = TRUE;
  if (self->has_eof)
    {
      loop_transport_close (self->transport);
      return;
    }

  loop_transport_write_eof (self->transport);
  loop_transport_resume_reading (self->transport);
  start_timer (self, LINGER);
}

static GBytes *
make_head (Client *self, guint status, const char *headers, gint64 size, gboolean is_last)
{
  const char *connection = "";
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *date = g_date_time_format (now, "%a, %d %b %Y %T GMT");
  char *text;

  if (is_last)
    connection = "Connection: close\r\n";
  else if (self->request.parser.http_minor == 0)
    connection = "Connection: keep-alive\r\n";
  text = g_strdup_printf ("HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Length: %" G_GINT64_FORMAT "\r\n%s%s\r\n", status,
                          http_status_str (status), date, size, headers, connection);

  return g_bytes_new_take (text, strlen (text));
}

static void
answer (Client *self, guint status, const char *headers, GBytes *body, gboolean is_last)
{
  g_autoptr (GBytes) head = make_head (self, status, headers, (gint64) g_bytes_get_size (body), is_last);

  loop_transport_writelines (self->transport, (GBytes *[]) { head, body },
                             self->request.parser.method == HTTP_HEAD ? 1 : 2);
  if (is_last)
    finish (self);
}

/* With a status that says enough. */
static void
answer_status (Client *self, guint status, gboolean is_last)
{
  char *text = g_strdup_printf ("%u %s\n", status, http_status_str (status));
  g_autoptr (GBytes) body = g_bytes_new_take (text, strlen (text));

  answer (self, status,
          status == HTTP_STATUS_METHOD_NOT_ALLOWED ? "Content-Type: text/plain\r\nAllow: GET, HEAD, POST, PUT\r\n"
                                                   : "Content-Type: text/plain\r\n",
          body, is_last);
}

static void
timer_fired (gpointer user_data)
{
  Client *self = user_data;
  gsize unsent = loop_transport_get_write_buffer_size (self->transport);

  self->timer = NULL;
  if (self->file == NULL && unsent > 0 && unsent < self->unsent)
    start_timer (self, timeout);
  else if (self->file != NULL || unsent > 0)
    loop_transport_abort (self->transport);
  else if (self->request.has_begun && !self->is_finished && !loop_transport_is_closing (self->transport))
    answer_status (self, HTTP_STATUS_REQUEST_TIMEOUT, TRUE);
  else
    loop_transport_close (self->transport);
}

static void send_piece (Client *self);
static void go_on (Client *self);

static void
piece_sent (LoopFuture *future, gpointer user_data)
{
  Client *self = user_data;
  g_autoptr (LoopFuture) sending = g_steal_pointer (&self->sending);
  g_auto (GValue) n = G_VALUE_INIT;

  /* A file that was cut meanwhile is not what the head has promised. */
  if (!loop_future_result (sending, &n, NULL) || g_value_get_int64 (&n) == 0)
    {
      loop_transport_abort (self->transport);
      return;
    }

  self->offset += g_value_get_int64 (&n);
  if (self->offset < self->size)
    {
      send_piece (self);
      return;
    }

  g_clear_object (&self->file);
  if (http_request_is_last (&self->request))
    {
      finish (self);
      return;
    }
  start_timer (self, timeout);
  go_on (self);
}

/* The kernel copies it from the file to the socket. */
static void
send_piece (Client *self)
{
  self->sending = loop_event_loop_sendfile (loop, self->transport, self->file, self->offset,
                                            MIN (self->size - self->offset, PIECE), TRUE);
  self->sending_id = loop_future_add_done_callback (self->sending, piece_sent, self, NULL);
  start_timer (self, timeout);
}

static void
answer_file (Client *self, gboolean is_last)
{
  guint status;
  g_autoptr (GInputStream) file = http_request_open_file (&self->request, folders[0], &self->size, &status);
  g_autoptr (GBytes) head = NULL;

  if (file == NULL)
    {
      answer_status (self, status, is_last);
      return;
    }

  head = make_head (self, HTTP_STATUS_OK, "Content-Type: application/octet-stream\r\n", self->size, is_last);
  loop_transport_write_bytes (self->transport, head);
  if (self->request.parser.method == HTTP_GET && self->size > 0)
    {
      self->file = g_steal_pointer (&file);
      self->offset = 0;
      send_piece (self);
    }
  else if (is_last)
    {
      finish (self);
    }
}

/* --- Requests ------------------------------------------------------------------------------- */

static void
answer_request (Client *self)
{
  gboolean is_last = http_request_is_last (&self->request);

  if (self->request.parser.method == HTTP_GET || self->request.parser.method == HTTP_HEAD)
    {
      answer_file (self, is_last);
    }
  else if (self->request.parser.method == HTTP_POST || self->request.parser.method == HTTP_PUT)
    {
      g_autoptr (GBytes) body = g_bytes_new (self->request.body->data, self->request.body->len);

      answer (self, HTTP_STATUS_OK, "Content-Type: application/octet-stream\r\n", body, is_last);
    }
  else
    {
      answer_status (self, HTTP_STATUS_METHOD_NOT_ALLOWED, is_last);
    }
}

/* The next request of a pipeline is not looked at before there is room for its answer, or if nobody wants it. */
static gboolean
is_busy (Client *self)
{
  return self->is_finished || self->is_write_paused || self->file != NULL ||
         loop_transport_is_closing (self->transport);
}

static void
request_complete (gpointer user_data)
{
  Client *self = user_data;

  if (!loop_transport_is_closing (self->transport))
    answer_request (self);
  if (!self->is_finished)
    start_timer (self, timeout);
  if (is_busy (self))
    http_request_pause (&self->request, TRUE);
}

static void
request_begun (gpointer user_data)
{
  start_timer (user_data, timeout);
}

static void
body_expected (gpointer user_data)
{
  Client *self = user_data;

  loop_transport_write (self->transport, (const guint8 *) "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

static const HttpRequestCallbacks request_callbacks = {
  .begun = request_begun,
  .body_expected = body_expected,
  .complete = request_complete,
};

/* --- What the transport tells --------------------------------------------------------------- */

static void
parse (Client *self, const guint8 *data, gsize length)
{
  guint refusal;
  gsize n = http_request_parse (&self->request, data, length, &refusal);

  if (self->is_finished || loop_transport_is_closing (self->transport))
    return;

  if (refusal != 0)
    answer_status (self, refusal, TRUE);
  else if (n < length)
    g_byte_array_append (self->unparsed, data + n, (guint) (length - n));
}

static void
connection_made (LoopTransport *transport, gpointer user_data)
{
  Client *self = user_data;

  self->transport = transport;
  start_timer (self, timeout);
}

static void
connection_lost (LoopTransport *transport, const GError *error, gpointer user_data)
{
  Client *self = user_data;

  if (self->timer != NULL)
    loop_timer_handle_cancel (self->timer);
  self->timer = NULL;
  if (self->sending != NULL)
    loop_future_remove_done_callback (self->sending, self->sending_id);
  g_clear_object (&self->sending);
  g_clear_object (&self->file);
  self->transport = NULL;
}

static void
data_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  Client *self = user_data;

  if (self->is_finished)
    return;
  if (is_busy (self))
    g_byte_array_append (self->unparsed, data, (guint) length);
  else
    parse (self, data, length);
}

static gboolean
eof_received (LoopTransport *transport, gpointer user_data)
{
  Client *self = user_data;

  /* Answers that wait are still wanted, perhaps. */
  self->has_eof = TRUE;
  if (!is_busy (self) || self->is_finished)
    finish (self);

  return TRUE;
}

static void
pause_writing (LoopTransport *transport, gpointer user_data)
{
  Client *self = user_data;

  self->is_write_paused = TRUE;
  loop_transport_pause_reading (transport);
}

/* With the requests that wait, if nothing is in the way any more. */
static void
go_on (Client *self)
{
  g_autoptr (GByteArray) waiting = NULL;

  if (is_busy (self))
    return;

  waiting = g_steal_pointer (&self->unparsed);
  self->unparsed = g_byte_array_new ();
  http_request_pause (&self->request, FALSE);
  if (waiting->len > 0)
    parse (self, waiting->data, waiting->len);
  if (is_busy (self))
    return;

  if (self->has_eof)
    finish (self);
  else
    loop_transport_resume_reading (self->transport);
}

static void
resume_writing (LoopTransport *transport, gpointer user_data)
{
  Client *self = user_data;

  self->is_write_paused = FALSE;
  go_on (self);
}

static const LoopProtocolVTable vtable = {
  .connection_made = connection_made,
  .connection_lost = connection_lost,
  .data_received = data_received,
  .eof_received = eof_received,
  .pause_writing = pause_writing,
  .resume_writing = resume_writing,
};

static void
client_free (gpointer data)
{
  Client *self = data;

  http_request_clear (&self->request);
  g_byte_array_unref (self->unparsed);
  g_free (self);
}

static GObject *
make_client (gpointer user_data)
{
  Client *self = g_new0 (Client, 1);

  http_request_init (&self->request, &request_callbacks, self);
  self->unparsed = g_byte_array_new ();

  return G_OBJECT (loop_protocol_new (&vtable, self, client_free));
}

/* --- The program ---------------------------------------------------------------------------- */

static void
stop_serving (gpointer user_data)
{
  LoopServer *server = user_data;

  loop_server_close (server);
  loop_server_close_clients (server);
}

static gboolean
serve (GError **error)
{
  const char *hosts[] = { "127.0.0.1", NULL };
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_server (loop, hosts, (guint16) port, NULL, make_client, NULL, NULL);
  g_autoptr (LoopFuture) closed = NULL;
  g_autoptr (GPtrArray) sockets = NULL;
  g_autoptr (GSocketAddress) address = NULL;
  g_autofree char *name = NULL;
  LoopServer *server;

  if (!loop_event_loop_run_until_complete (loop, future, &value, error))
    return FALSE;

  server = g_value_get_object (&value);
  if (!loop_event_loop_add_signal_handler (loop, SIGINT, stop_serving, server, NULL, error) ||
      !loop_event_loop_add_signal_handler (loop, SIGTERM, stop_serving, server, NULL, error))
    return FALSE;

  sockets = loop_server_get_sockets (server);
  address = g_socket_get_local_address (g_ptr_array_index (sockets, 0), error);
  if (address == NULL)
    return FALSE;
  name = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));
  printf ("serving %s at http://%s/\n", folders[0], name);
  fflush (stdout);

  closed = loop_server_wait_closed (server);

  return loop_event_loop_run_until_complete (loop, closed, NULL, error);
}

static gboolean
parse_arguments (int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "port", 0, 0, G_OPTION_ARG_INT, &port, "Listen on PORT; 0: on any that is free", "PORT" },
    { "timeout", 0, 0, G_OPTION_ARG_DOUBLE, &timeout, "Let go of clients that do nothing for SECONDS", "SECONDS" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &folders, NULL, "FOLDER" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;

  if (folders == NULL || folders[1] != NULL || port < 0 || port > G_MAXUINT16 || !(timeout > 0.0))
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                           "Needs one folder, a port from 0 to 65535, and a timeout of more than no time");
      return FALSE;
    }

  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  gboolean is_good = parse_arguments (&argc, &argv, &error);

  if (is_good)
    {
      loop = loop_event_loop_new ();
      is_good = serve (&error);
      loop_event_loop_close (loop);
      g_object_unref (loop);
    }
  if (!is_good)
    g_printerr ("%s: %s\n", argv[0], error->message);
  g_strfreev (folders);

  return is_good ? 0 : 1;
}
