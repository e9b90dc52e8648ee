/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>
#include <http_parser.h>

/* Requests of HTTP/1.1, one after another, as a library takes them apart; whoever asks for too much is refused. */

#define HTTP_REQUEST_MAX_HEADER (16 * 1024)
#define HTTP_REQUEST_MAX_BODY (1024 * 1024)

typedef struct
{
  void (*begun) (gpointer user_data);
  void (*body_expected) (gpointer user_data); /* by a client that asks whether to send it */
  void (*complete) (gpointer user_data);
} HttpRequestCallbacks;

typedef struct
{
  http_parser parser;
  const HttpRequestCallbacks *callbacks;
  gpointer user_data;

  GString *url;
  GByteArray *body;
  gboolean has_begun;

  GString *name, *value; /* of a header, which may come in pieces */
  guint n_hosts;
  gboolean expects_continue;
  guint refusal; /* the status with which a callback of the parser's refuses the request */
} HttpRequest;

void http_request_init (HttpRequest *self, const HttpRequestCallbacks *callbacks, gpointer user_data);
void http_request_clear (HttpRequest *self);
gsize http_request_parse (HttpRequest *self, const guint8 *data, gsize length, guint *refusal);
void http_request_pause (HttpRequest *self, gboolean is_paused);
gboolean http_request_is_last (HttpRequest *self);
GInputStream *http_request_open_file (HttpRequest *self, const char *folder, gint64 *size, guint *status);
