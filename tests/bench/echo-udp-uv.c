/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A UDP echo server on libuv
 *
 * uv_udp_try_send(), which needs no request and no queue.  With --mmsg libuv
 * receives with recvmmsg(), which it does not by itself.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "echo-util.h"

/* libuv receives as many datagrams at once as have 64 KiB of room each. */
#define BUFFER_SIZE (20 * 65536)

static char buffer[BUFFER_SIZE];
static uv_loop_t loop;
static bool with_mmsg;

static void
on_alloc (uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  (void) handle;
  (void) suggested;
  buf->base = buffer;
  buf->len = with_mmsg ? BUFFER_SIZE : ECHO_BUFFER_SIZE;
}

static void
on_receive (uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *peer, unsigned int flags)
{
  uv_buf_t out;

  (void) flags;
  if (n < 0 || peer == NULL)
    return;
  echo_requests++;
  out = uv_buf_init (buf->base, (unsigned int) n);
  uv_udp_try_send (udp, &out, 1, peer);
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
main (int argc, char **argv)
{
  uv_udp_t udp;
  uv_poll_t control;

  echo_init ("udp-uv");
  with_mmsg = argc > 1 && strcmp (argv[1], "--mmsg") == 0;
  uv_loop_init (&loop);
  uv_udp_init_ex (&loop, &udp, AF_UNSPEC | (with_mmsg ? UV_UDP_RECVMMSG : 0));
  uv_udp_open (&udp, echo_bind_udp ());
  uv_udp_recv_start (&udp, on_alloc, on_receive);
  uv_poll_init (&loop, &control, STDIN_FILENO);
  uv_poll_start (&control, UV_READABLE, on_control);
  uv_run (&loop, UV_RUN_DEFAULT);

  echo_finish ();
  return 0;
}
