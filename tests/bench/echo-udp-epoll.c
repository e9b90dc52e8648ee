/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A UDP echo server on epoll, recvfrom() and sendto() alone */

#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo-util.h"

#define MAX_EVENTS 16

static char buffer[ECHO_BUFFER_SIZE];

/* A datagram that the socket has no room for is lost, as the network would lose it. */
static void
echo_all (int fd)
{
  struct sockaddr_in peer;
  int i;

  for (i = 0; i < 32; i++)
    {
      socklen_t length = sizeof peer;
      ssize_t n = recvfrom (fd, buffer, sizeof buffer, 0, (struct sockaddr *) &peer, &length);

      if (n < 0)
        return;
      echo_requests++;
      sendto (fd, buffer, (size_t) n, 0, (struct sockaddr *) &peer, length);
    }
}

int
main (void)
{
  struct epoll_event events[MAX_EVENTS];
  struct epoll_event event = { .events = EPOLLIN };
  bool serving = true;
  int epoll_fd;
  int fd;

  echo_init ("udp-epoll");
  epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  fd = echo_bind_udp ();
  event.data.fd = fd;
  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, fd, &event);
  event.data.fd = STDIN_FILENO;
  epoll_ctl (epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event);

  while (serving)
    {
      int n = epoll_wait (epoll_fd, events, MAX_EVENTS, -1);
      int i;

      for (i = 0; i < n; i++)
        if (events[i].data.fd == fd)
          echo_all (fd);
        else
          serving = echo_control ();
    }

  echo_finish ();
  return 0;
}
