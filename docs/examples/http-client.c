/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fetches one URL after another over HTTP/1.1, and says what came: status, length, SHA-256. The connection is used
 * again as long as the server keeps it and the next URL is of the same server.
 *
 *   gcc http-client.c -o http-client $(pkg-config --cflags --libs libloop-1) -lhttp_parser
 *   ./http-client [--close] URL...
 */

#include <http_parser.h>
#include <libloop/loop.h>
#include <stdio.h>
#include <string.h>

static LoopEventLoop *loop;
static gboolean close_each;
static char **urls;
static guint n_connections;

typedef struct
{
  LoopTransport *transport; /* until the connection is lost */
  char *authority;          /* whom it is connected to */

  /* The answer that is waited for. */
  LoopFuture *answered;
  http_parser parser;
  GChecksum *checksum;
  guint64 length;
} Connection;

/* Takes @error. */
static void
fail (Connection *self, GError *error)
{
  g_autoptr (LoopFuture) answered = g_steal_pointer (&self->answered);

  if (answered != NULL)
    loop_future_set_exception (answered, error, NULL);
  g_error_free (error);
}

static int
message_begun (http_parser *parser)
{
  Connection *self = parser->data;

  g_checksum_reset (self->checksum);
  self->length = 0;

  return 0;
}

static int
body_found (http_parser *parser, const char *data, size_t length)
{
  Connection *self = parser->data;

  g_checksum_update (self->checksum, (const guchar *) data, (gssize) length);
  self->length += length;

  return 0;
}

static int
message_complete (http_parser *parser)
{
  Connection *self = parser->data;
  g_autoptr (LoopFuture) answered = g_steal_pointer (&self->answered);

  if (!http_should_keep_alive (parser) && self->transport != NULL)
    loop_transport_close (self->transport);
  if (answered == NULL)
    return -1; /* which nobody has asked for */

  loop_future_set_result (answered, NULL, NULL);

  return 0;
}

static const http_parser_settings parser_settings = {
  .on_message_begin = message_begun,
  .on_body = body_found,
  .on_message_complete = message_complete,
};

/* Zero bytes are the end of the file. */
static void
parse (Connection *self, const guint8 *data, gsize length)
{
  enum http_errno problem;

  http_parser_execute (&self->parser, &parser_settings, (const char *) data, length);
  problem = HTTP_PARSER_ERRNO (&self->parser);
  if (problem == HPE_OK)
    return;

  fail (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_INVALID_DATA, http_errno_description (problem)));
  if (self->transport != NULL)
    loop_transport_abort (self->transport);
}

static void
connection_made (LoopTransport *transport, gpointer user_data)
{
  Connection *self = user_data;

  self->transport = transport;
  n_connections++;
}

static void
data_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  parse (user_data, data, length);
}

static gboolean
eof_received (LoopTransport *transport, gpointer user_data)
{
  parse (user_data, NULL, 0);

  return FALSE;
}

static void
connection_lost (LoopTransport *transport, const GError *error, gpointer user_data)
{
  Connection *self = user_data;

  self->transport = NULL;
  fail (self, error != NULL ? g_error_copy (error)
                            : g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED,
                                                   "The server hung up and did not answer"));
}

static const LoopProtocolVTable vtable = {
  .connection_made = connection_made,
  .data_received = data_received,
  .eof_received = eof_received,
  .connection_lost = connection_lost,
};

static GObject *
make_protocol (gpointer user_data)
{
  return G_OBJECT (loop_protocol_new (&vtable, user_data, NULL));
}

static gboolean
connect_to (Connection *self, const char *host, guint16 port, const char *authority, GError **error)
{
  if (self->transport != NULL && !loop_transport_is_closing (self->transport) &&
      g_strcmp0 (self->authority, authority) == 0)
    return TRUE;

  if (self->transport != NULL)
    loop_transport_abort (self->transport);
  while (self->transport != NULL)
    {
      if (!loop_await_result (loop_sleep (loop, 0.0), NULL, error))
        return FALSE;
    }

  g_free (self->authority);
  self->authority = g_strdup (authority);
  http_parser_init (&self->parser, HTTP_RESPONSE);
  self->parser.data = self;

  return loop_await_result (loop_event_loop_create_connection (loop, host, port, NULL, make_protocol, self, NULL), NULL,
                            error);
}

static gboolean
fetch (Connection *self, const char *text, GError **error)
{
  g_autoptr (GUri) url = g_uri_parse (text, G_URI_FLAGS_ENCODED, error);
  g_autofree char *authority = NULL;
  g_autofree char *request = NULL;
  const char *path;
  int port;

  if (url == NULL)
    return FALSE;
  if (!g_str_equal (g_uri_get_scheme (url), "http") || g_uri_get_host (url) == NULL)
    {
      g_set_error (error, G_URI_ERROR, G_URI_ERROR_BAD_SCHEME, "%s is no http:// URL", text);
      return FALSE;
    }

  port = g_uri_get_port (url) > 0 ? g_uri_get_port (url) : 80;
  authority =
      g_strdup_printf (strchr (g_uri_get_host (url), ':') != NULL ? "[%s]:%d" : "%s:%d", g_uri_get_host (url), port);
  if (!connect_to (self, g_uri_get_host (url), (guint16) port, authority, error))
    return FALSE;

  path = g_uri_get_path (url);
  request = g_strdup_printf (
      "GET %s%s%s HTTP/1.1\r\nHost: %s\r\n%s\r\n", *path != '\0' ? path : "/", g_uri_get_query (url) != NULL ? "?" : "",
      g_uri_get_query (url) != NULL ? g_uri_get_query (url) : "", authority, close_each ? "Connection: close\r\n" : "");
  self->answered = loop_event_loop_create_future (loop);
  loop_transport_write (self->transport, (const guint8 *) request, strlen (request));
  if (!loop_await_result (g_object_ref (self->answered), NULL, error))
    return FALSE;

  printf ("%u %" G_GUINT64_FORMAT " %s %s\n", self->parser.status_code, self->length,
          g_checksum_get_string (self->checksum), text);

  return TRUE;
}

static gboolean
fetch_all (GValue *result, gpointer user_data, GError **error)
{
  for (guint i = 0; urls[i] != NULL; i++)
    {
      if (!fetch (user_data, urls[i], error))
        {
          g_prefix_error (error, "%s: ", urls[i]);
          return FALSE;
        }
    }

  return TRUE;
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "close", 0, 0, G_OPTION_ARG_NONE, &close_each, "Ask for a connection for each", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &urls, NULL, "URL..." },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (LoopTask) task = NULL;
  Connection connection = { 0 };
  gboolean is_good;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || urls == NULL)
    {
      g_printerr ("%s: %s\n", argv[0], error != NULL ? error->message : "Needs a URL");
      return 1;
    }

  connection.checksum = g_checksum_new (G_CHECKSUM_SHA256);
  loop = loop_event_loop_new ();
  task = loop_event_loop_spawn (loop, fetch_all, &connection, NULL);
  is_good = loop_event_loop_run_until_complete (loop, LOOP_FUTURE (task), NULL, &error);
  if (is_good)
    printf ("%u connections\n", n_connections);
  else
    g_printerr ("%s\n", error->message);
  loop_event_loop_close (loop);

  g_object_unref (loop);
  g_checksum_free (connection.checksum);
  g_free (connection.authority);
  g_strfreev (urls);

  return is_good ? 0 : 1;
}
