/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the senders of files share */

#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench-sink.h"
#include "bench-util.h"

static void
fail (const char *what)
{
  fprintf (stderr, "sink: %s: %s\n", what, strerror (errno));
  exit (1);
}

uint64_t
sink_mib (const char *scale)
{
  double scaled = 1024.0 * (scale != NULL ? atof (scale) : 1.0);

  return scaled < 4.0 ? 4 : (uint64_t) scaled;
}

int
sink_open_file (uint64_t mib)
{
  static char block[SINK_MIB];
  int fd = memfd_create ("file", MFD_CLOEXEC);
  uint64_t i;

  if (fd < 0)
    fail ("memfd_create");
  for (i = 0; i < mib; i++)
    {
      memset (block, (int) i, sizeof block);
      if (write (fd, block, sizeof block) != (ssize_t) sizeof block)
        fail ("write");
    }
  return fd;
}

static void
drain (int listener, uint64_t total)
{
  static char buffer[256 * 1024];
  int fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);
  uint64_t received = 0;

  bench_pin (BENCH_ROLE_DRIVER);
  while (received < total)
    {
      ssize_t n = recv (fd, buffer, sizeof buffer, MSG_TRUNC);

      if (n <= 0)
        _exit (1);
      received += (uint64_t) n;
    }
  _exit (write (fd, "x", 1) == 1 ? 0 : 1);
}

int
sink_connect (uint64_t mib)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;
  int listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  if (bind (listener, (struct sockaddr *) &address, length) != 0 || listen (listener, 1) != 0 ||
      getsockname (listener, (struct sockaddr *) &address, &length) != 0)
    fail ("listen");
  switch (fork ())
    {
    case -1:
      fail ("fork");
      break;
    case 0:
      close (fd);
      drain (listener, mib * SINK_MIB);
      break;
    default:
      break;
    }
  close (listener);
  if (connect (fd, (struct sockaddr *) &address, length) != 0)
    fail ("connect");
  return fd;
}

/* Blocking: nothing else is left to do. */
void
sink_wait (int fd)
{
  char byte;

  fcntl (fd, F_SETFL, 0);
  if (recv (fd, &byte, 1, 0) != 1)
    fail ("the sink's answer");
}
