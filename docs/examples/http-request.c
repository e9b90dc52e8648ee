/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "http-request.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <sys/stat.h>
#include <unistd.h>

static int
message_begun (http_parser *parser)
{
  HttpRequest *self = parser->data;

  g_string_truncate (self->url, 0);
  g_string_truncate (self->name, 0);
  g_string_truncate (self->value, 0);
  g_byte_array_set_size (self->body, 0);
  self->n_hosts = 0;
  self->expects_continue = FALSE;
  self->has_begun = TRUE;
  self->callbacks->begun (self->user_data);

  return 0;
}

static int
url_found (http_parser *parser, const char *data, size_t length)
{
  HttpRequest *self = parser->data;

  g_string_append_len (self->url, data, (gssize) length);

  return 0;
}

static void
end_header (HttpRequest *self)
{
  if (g_ascii_strcasecmp (self->name->str, "Host") == 0)
    self->n_hosts++;
  else if (g_ascii_strcasecmp (self->name->str, "Expect") == 0)
    self->expects_continue = g_ascii_strcasecmp (self->value->str, "100-continue") == 0;
  g_string_truncate (self->name, 0);
  g_string_truncate (self->value, 0);
}

static int
header_name_found (http_parser *parser, const char *data, size_t length)
{
  HttpRequest *self = parser->data;

  if (self->value->len > 0)
    end_header (self);
  g_string_append_len (self->name, data, (gssize) length);

  return 0;
}

static int
header_value_found (http_parser *parser, const char *data, size_t length)
{
  HttpRequest *self = parser->data;

  g_string_append_len (self->value, data, (gssize) length);

  return 0;
}

static int
refuse (HttpRequest *self, guint status)
{
  self->refusal = status;

  return -1;
}

static int
headers_complete (http_parser *parser)
{
  HttpRequest *self = parser->data;

  end_header (self);
  /* Whoever offers another protocol is answered in this one. */
  parser->upgrade = 0;
  if (parser->http_major != 1)
    return refuse (self, HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED);
  if (self->n_hosts > 1 || (self->n_hosts == 0 && parser->http_minor > 0))
    return refuse (self, HTTP_STATUS_BAD_REQUEST);
  if (parser->content_length != G_MAXUINT64 && parser->content_length > HTTP_REQUEST_MAX_BODY)
    return refuse (self, HTTP_STATUS_PAYLOAD_TOO_LARGE);

  if (self->expects_continue && parser->http_minor > 0)
    self->callbacks->body_expected (self->user_data);

  return 0;
}

static int
body_found (http_parser *parser, const char *data, size_t length)
{
  HttpRequest *self = parser->data;

  if (self->body->len + length > HTTP_REQUEST_MAX_BODY)
    return refuse (self, HTTP_STATUS_PAYLOAD_TOO_LARGE);
  g_byte_array_append (self->body, (const guint8 *) data, (guint) length);

  return 0;
}

static int
message_complete (http_parser *parser)
{
  HttpRequest *self = parser->data;

  self->has_begun = FALSE;
  self->callbacks->complete (self->user_data);

  return 0;
}

static const http_parser_settings parser_settings = {
  .on_message_begin = message_begun,
  .on_url = url_found,
  .on_header_field = header_name_found,
  .on_header_value = header_value_found,
  .on_headers_complete = headers_complete,
  .on_body = body_found,
  .on_message_complete = message_complete,
};

void
http_request_init (HttpRequest *self, const HttpRequestCallbacks *callbacks, gpointer user_data)
{
  http_parser_set_max_header_size (HTTP_REQUEST_MAX_HEADER);
  http_parser_init (&self->parser, HTTP_REQUEST);
  self->parser.data = self;
  self->callbacks = callbacks;
  self->user_data = user_data;
  self->url = g_string_new (NULL);
  self->name = g_string_new (NULL);
  self->value = g_string_new (NULL);
  self->body = g_byte_array_new ();
}

void
http_request_clear (HttpRequest *self)
{
  g_string_free (self->url, TRUE);
  g_string_free (self->name, TRUE);
  g_string_free (self->value, TRUE);
  g_byte_array_unref (self->body);
}

/*
 * Returns: how many bytes were looked at: fewer than @length when a callback has paused it, or when the request is
 * refused; then the status is in *@refusal, which is 0 otherwise
 */
gsize
http_request_parse (HttpRequest *self, const guint8 *data, gsize length, guint *refusal)
{
  gsize n = http_parser_execute (&self->parser, &parser_settings, (const char *) data, length);
  enum http_errno problem = HTTP_PARSER_ERRNO (&self->parser);

  if (problem == HPE_OK || problem == HPE_PAUSED)
    *refusal = 0;
  else if (self->refusal != 0)
    *refusal = self->refusal;
  else if (problem == HPE_HEADER_OVERFLOW)
    *refusal = HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE;
  else
    *refusal = HTTP_STATUS_BAD_REQUEST;

  return n;
}

void
http_request_pause (HttpRequest *self, gboolean is_paused)
{
  http_parser_pause (&self->parser, is_paused);
}

/* Whether the client wants no more of this connection. */
gboolean
http_request_is_last (HttpRequest *self)
{
  return !http_should_keep_alive (&self->parser);
}

/* The file of @folder that the request is for, or NULL and the status that tells why there is none. */
GInputStream *
http_request_open_file (HttpRequest *self, const char *folder, gint64 *size, guint *status)
{
  struct http_parser_url parts = { 0 };
  g_autofree char *path = NULL;
  g_autofree char *name = NULL;
  g_auto (GStrv) segments = NULL;
  struct stat info;
  int fd;

  *status = HTTP_STATUS_BAD_REQUEST;
  if (http_parser_parse_url (self->url->str, self->url->len, FALSE, &parts) != 0)
    return NULL;
  if ((parts.field_set & (1 << UF_PATH)) == 0)
    path = g_strdup ("/");
  else
    path =
        g_uri_unescape_segment (self->url->str + parts.field_data[UF_PATH].off,
                                self->url->str + parts.field_data[UF_PATH].off + parts.field_data[UF_PATH].len, NULL);
  if (path == NULL)
    return NULL;

  *status = HTTP_STATUS_NOT_FOUND;
  segments = g_strsplit (path, "/", -1);
  if (g_strv_contains ((const char *const *) segments, ".."))
    return NULL;

  name = g_build_filename (folder, path, g_str_has_suffix (path, "/") ? "index.html" : NULL, NULL);
  /* What is no regular file may block whoever opens it. */
  fd = open (name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    {
      if (errno == EACCES)
        *status = HTTP_STATUS_FORBIDDEN;
      else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
        *status = HTTP_STATUS_SERVICE_UNAVAILABLE;
      return NULL;
    }
  if (fstat (fd, &info) < 0 || !S_ISREG (info.st_mode))
    {
      close (fd);
      return NULL;
    }

  *size = info.st_size;

  return g_unix_input_stream_new (fd, TRUE);
}
