/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An echo server on epoll alone, the measure of all others */

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo-util.h"

#define MAX_EVENTS 512

typedef struct
{
  int fd;
  size_t pending_length;
  char *pending;
} Connection;

static char buffer[ECHO_BUFFER_SIZE];
static int epoll_fd;

static void
connection_close (Connection *connection)
{
  close (connection->fd);
  free (connection->pending);
  free (connection);
}

static void
connection_keep (Connection *connection, const char *data, size_t length)
{
  struct epoll_event event = { .events = EPOLLOUT, .data.ptr = connection };

  connection->pending = malloc (length);
  memcpy (connection->pending, data, length);
  connection->pending_length = length;
  epoll_ctl (epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

static void
connection_flush (Connection *connection)
{
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
  ssize_t n = send (connection->fd, connection->pending, connection->pending_length, MSG_NOSIGNAL);

  if (n < 0)
    {
      if (errno != EAGAIN)
        connection_close (connection);
      return;
    }
  connection->pending_length -= (size_t) n;
  memmove (connection->pending, connection->pending + n, connection->pending_length);
  if (connection->pending_length > 0)
    return;

  free (connection->pending);
  connection->pending = NULL;
  epoll_ctl (epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

static void
connection_echo (Connection *connection)
{
  ssize_t n = recv (connection->fd, buffer, sizeof buffer, 0);
  ssize_t done = 0;

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
      ssize_t sent = send (connection->fd, buffer + done, length, MSG_NOSIGNAL);

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
accept_all (int listener)
{
  int fd;

  while ((fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    {
      Connection *connection = calloc (1, sizeof *connection);
      struct epoll_event event = { .events = EPOLLIN };

      connection->fd = fd;
      event.data.ptr = connection;
      epoll_ctl (epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

int
main (void)
{
  struct epoll_event events[MAX_EVENTS];
  struct epoll_event event = { .events = EPOLLIN };
  bool serving = true;
  int listener;

  echo_init ("epoll");
  epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  listener = echo_listen ();
  event.data.ptr = &listener;
  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, listener, &event);
  event.data.ptr = NULL;
  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event);

  while (serving)
    {
      int n = epoll_wait (epoll_fd, events, MAX_EVENTS, -1);
      int i;

      for (i = 0; i < n; i++)
        if (events[i].data.ptr == NULL)
          serving = echo_control ();
        else if (events[i].data.ptr == &listener)
          accept_all (listener);
        else if (events[i].events & EPOLLOUT)
          connection_flush (events[i].data.ptr);
        else
          connection_echo (events[i].data.ptr);
    }

  echo_finish ();
  return 0;
}
