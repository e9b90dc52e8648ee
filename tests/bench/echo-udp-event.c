/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A UDP echo server on libevent, which has events for datagrams and no more */

#include "config.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo-util.h"

static char buffer[ECHO_BUFFER_SIZE];

static void
on_readable (evutil_socket_t fd, short events, void *data)
{
  struct sockaddr_in peer;
  socklen_t length = sizeof peer;
  ssize_t n = recvfrom (fd, buffer, sizeof buffer, 0, (struct sockaddr *) &peer, &length);

  (void) events;
  (void) data;
  if (n < 0)
    return;
  echo_requests++;
  sendto (fd, buffer, (size_t) n, 0, (struct sockaddr *) &peer, length);
}

static void
on_control (evutil_socket_t fd, short events, void *base)
{
  (void) fd;
  (void) events;
  if (!echo_control ())
    event_base_loopbreak (base);
}

int
main (void)
{
  struct event_base *base;
  struct event *readable;
  struct event *control;

  echo_init ("udp-event");
  base = event_base_new ();
  readable = event_new (base, echo_bind_udp (), EV_READ | EV_PERSIST, on_readable, NULL);
  control = event_new (base, STDIN_FILENO, EV_READ | EV_PERSIST, on_control, base);
  event_add (readable, NULL);
  event_add (control, NULL);
  event_base_dispatch (base);

  echo_finish ();
  event_free (readable);
  event_free (control);
  event_base_free (base);
  return 0;
}
