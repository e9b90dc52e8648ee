/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file that is sent by libuv, to a socket that does not block */

#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <uv.h>

#include "bench-sink.h"
#include "bench-util.h"

static uv_loop_t loop;
static uv_fs_t request;
static uv_poll_t poll_handle;
static uint64_t total;
static uint64_t sent;
static int file;
static int fd;

static void send_more (void);

static void
on_writable (uv_poll_t *handle, int status, int events)
{
  (void) status;
  (void) events;
  uv_poll_stop (handle);
  send_more ();
}

static void
on_sent (uv_fs_t *done)
{
  ssize_t n = done->result;

  uv_fs_req_cleanup (done);
  if (n > 0)
    sent += (uint64_t) n;
  if (n < 0 && n != UV_EAGAIN)
    fprintf (stderr, "uv_fs_sendfile: %s\n", uv_strerror ((int) n));
  else if (sent < total && n == UV_EAGAIN)
    uv_poll_start (&poll_handle, UV_WRITABLE, on_writable);
  else if (sent < total)
    send_more ();
}

static void
send_more (void)
{
  uv_fs_sendfile (&loop, &request, fd, file, (int64_t) sent, total - sent, on_sent);
}

int
main (int argc, char **argv)
{
  uint64_t mib = sink_mib (argc > 1 ? argv[1] : NULL);
  BenchTime begin;

  bench_init (120);
  bench_pin (BENCH_ROLE_MEASURED);
  total = mib * SINK_MIB;
  file = sink_open_file (mib);
  fd = sink_connect (mib);
  fcntl (fd, F_SETFL, O_NONBLOCK);
  uv_loop_init (&loop);
  uv_poll_init (&loop, &poll_handle, fd);

  bench_begin (&begin);
  send_more ();
  uv_run (&loop, UV_RUN_DEFAULT);
  if (sent < total)
    return 1;
  sink_wait (fd);
  bench_report_time ("sendfile", mib, &begin);
  return 0;
}
