/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An echo server on libevent
 *
 * Persistent raw events with recv() and send(), the faster of libevent's two
 * ways.  "echo-event --bufferevent" is the other one.
 */

#include "config.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo-util.h"

typedef struct
{
  struct event *readable;
  struct event *writable;
  char *pending;
  size_t pending_length;
} Connection;

static char buffer[ECHO_BUFFER_SIZE];
static struct event_base *base;
static bool use_bufferevent;

static void
connection_close (Connection *connection)
{
  evutil_socket_t fd = event_get_fd (connection->readable);

  event_free (connection->readable);
  if (connection->writable != NULL)
    event_free (connection->writable);
  free (connection->pending);
  free (connection);
  close (fd);
}

static void
on_writable (evutil_socket_t fd, short what, void *data)
{
  Connection *connection = data;
  ssize_t n = send (fd, connection->pending, connection->pending_length, MSG_NOSIGNAL);

  (void) what;
  if (n < 0)
    {
      if (errno != EAGAIN)
        connection_close (connection);
      else
        event_add (connection->writable, NULL);
      return;
    }
  connection->pending_length -= (size_t) n;
  memmove (connection->pending, connection->pending + n, connection->pending_length);
  event_add (connection->pending_length > 0 ? connection->writable : connection->readable, NULL);
}

static void
connection_keep (Connection *connection, const char *data, size_t length)
{
  free (connection->pending);
  connection->pending = malloc (length);
  memcpy (connection->pending, data, length);
  connection->pending_length = length;
  event_del (connection->readable);
  if (connection->writable == NULL)
    connection->writable = event_new (base, event_get_fd (connection->readable), EV_WRITE, on_writable, connection);
  event_add (connection->writable, NULL);
}

static void
on_readable (evutil_socket_t fd, short what, void *data)
{
  Connection *connection = data;
  ssize_t n = recv (fd, buffer, sizeof buffer, 0);
  ssize_t done = 0;

  (void) what;
  if (n <= 0)
    {
      if (n == 0 || errno != EAGAIN)
        connection_close (connection);
      return;
    }

  echo_requests++;
  while (done < n)
    {
      size_t length = echo_next ((size_t) (n - done));
      ssize_t sent = send (fd, buffer + done, length, MSG_NOSIGNAL);

      if (sent < 0 && errno != EAGAIN)
        {
          connection_close (connection);
          return;
        }
      if (sent > 0)
        done += sent;
      if (sent != (ssize_t) length)
        {
          connection_keep (connection, buffer + done, (size_t) (n - done));
          return;
        }
    }
}

static void
on_buffered (struct bufferevent *event, void *data)
{
  struct evbuffer *input = bufferevent_get_input (event);
  size_t left;

  (void) data;
  echo_requests++;
  while ((left = evbuffer_get_length (input)) > 0)
    evbuffer_remove_buffer (input, bufferevent_get_output (event), echo_next (left));
}

static void
on_buffered_event (struct bufferevent *event, short what, void *data)
{
  (void) data;
  if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
    bufferevent_free (event);
}

static void
on_accept (evutil_socket_t listener, short what, void *data)
{
  int fd;

  (void) what;
  (void) data;
  while ((fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    if (use_bufferevent)
      {
        struct bufferevent *event = bufferevent_socket_new (base, fd, BEV_OPT_CLOSE_ON_FREE);

        bufferevent_setcb (event, on_buffered, NULL, on_buffered_event, NULL);
        bufferevent_enable (event, EV_READ | EV_WRITE);
      }
    else
      {
        Connection *connection = calloc (1, sizeof *connection);

        connection->readable = event_new (base, fd, EV_READ | EV_PERSIST, on_readable, connection);
        event_add (connection->readable, NULL);
      }
}

static void
on_control (evutil_socket_t fd, short what, void *data)
{
  (void) fd;
  (void) what;
  (void) data;
  if (!echo_control ())
    event_base_loopbreak (base);
}

int
main (int argc, char **argv)
{
  struct event *control;
  struct event *listener;

  use_bufferevent = argc > 1 && strcmp (argv[1], "--bufferevent") == 0;
  echo_init ("event");
  base = event_base_new ();
  listener = event_new (base, echo_listen (), EV_READ | EV_PERSIST, on_accept, NULL);
  event_add (listener, NULL);
  control = event_new (base, STDIN_FILENO, EV_READ | EV_PERSIST, on_control, NULL);
  event_add (control, NULL);
  event_base_dispatch (base);

  echo_finish ();
  return 0;
}
