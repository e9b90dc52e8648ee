/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An echo server on libuv
 *
 * One receive buffer for all connections.  uv_try_write() first, which needs
 * no request and no queue; uv_write() for what is left.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "echo-util.h"

typedef struct
{
  uv_write_t request;
  char data[];
} Rest;

static char buffer[ECHO_BUFFER_SIZE];
static uv_loop_t loop;

static void
on_alloc (uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  (void) handle;
  (void) suggested;
  buf->base = buffer;
  buf->len = sizeof buffer;
}

static void
on_closed (uv_handle_t *handle)
{
  free (handle);
}

static void
on_rest_written (uv_write_t *request, int status)
{
  (void) status;
  free (request);
}

static void
on_read (uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
  ssize_t done = 0;
  uv_buf_t out;
  Rest *rest;

  if (n < 0)
    {
      uv_close ((uv_handle_t *) stream, on_closed);
      return;
    }
  if (n == 0)
    return;

  echo_requests++;
  while (done < n)
    {
      size_t length = echo_next ((size_t) (n - done));
      int sent;

      out = uv_buf_init (buf->base + done, (unsigned int) length);
      sent = uv_try_write (stream, &out, 1);
      if (sent < 0 && sent != UV_EAGAIN)
        {
          uv_close ((uv_handle_t *) stream, on_closed);
          return;
        }
      if (sent > 0)
        done += sent;
      if (sent != (int) length)
        break;
    }
  if (done == n)
    return;

  rest = malloc (sizeof *rest + (size_t) (n - done));
  memcpy (rest->data, buf->base + done, (size_t) (n - done));
  out = uv_buf_init (rest->data, (unsigned int) (n - done));
  uv_write (&rest->request, stream, &out, 1, on_rest_written);
}

static uv_stream_t *
make_stream (void)
{
  union uv_any_handle *handle;

  if (echo_unix_path != NULL)
    {
      handle = malloc (sizeof (uv_pipe_t));
      uv_pipe_init (&loop, &handle->pipe, 0);
    }
  else
    {
      handle = malloc (sizeof (uv_tcp_t));
      uv_tcp_init (&loop, &handle->tcp);
    }
  return &handle->stream;
}

static void
on_connection (uv_stream_t *listener, int status)
{
  uv_stream_t *stream;

  if (status < 0)
    return;
  stream = make_stream ();
  if (uv_accept (listener, stream) == 0)
    uv_read_start (stream, on_alloc, on_read);
  else
    uv_close ((uv_handle_t *) stream, on_closed);
}

static void
on_control (uv_poll_t *handle, int status, int events)
{
  (void) handle;
  (void) status;
  (void) events;
  if (!echo_control ())
    uv_stop (&loop);
}

int
main (void)
{
  uv_stream_t *listener;
  uv_poll_t control;

  echo_init ("uv");
  uv_loop_init (&loop);
  listener = make_stream ();
  if (echo_unix_path != NULL)
    uv_pipe_open ((uv_pipe_t *) listener, echo_listen ());
  else
    uv_tcp_open ((uv_tcp_t *) listener, echo_listen ());
  uv_listen (listener, 4096, on_connection);
  uv_poll_init (&loop, &control, STDIN_FILENO);
  uv_poll_start (&control, UV_READABLE, on_control);
  uv_run (&loop, UV_RUN_DEFAULT);

  echo_finish ();
  return 0;
}
