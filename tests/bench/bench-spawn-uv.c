/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Processes of libuv, one after another */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "bench-util.h"

static uv_loop_t loop;
static uv_process_t process;
static uint64_t left;

static void spawn_next (void);

static void
on_closed (uv_handle_t *handle)
{
  (void) handle;
  if (--left > 0)
    spawn_next ();
}

static void
on_ended (uv_process_t *ended, int64_t status, int signum)
{
  if (status != 0 || signum != 0)
    exit (1);
  uv_close ((uv_handle_t *) ended, on_closed);
}

static void
spawn_next (void)
{
  static char command[] = "/bin/true";
  char *arguments[] = { command, NULL };
  uv_stdio_container_t stdio[3];
  uv_process_options_t options = {
    .file = arguments[0], .args = arguments, .exit_cb = on_ended, .stdio = stdio, .stdio_count = 3
  };
  int i;

  for (i = 0; i < 3; i++)
    {
      stdio[i].flags = UV_INHERIT_FD;
      stdio[i].data.fd = i;
    }
  if (uv_spawn (&loop, &process, &options) != 0)
    exit (1);
}

int
main (int argc, char **argv)
{
  uint64_t count = bench_scaled (argc > 1 ? argv[1] : NULL, 1000);
  BenchTime begin;

  bench_init (120);
  bench_pin (BENCH_ROLE_MEASURED);
  uv_loop_init (&loop);
  left = count;

  bench_begin (&begin);
  spawn_next ();
  uv_run (&loop, UV_RUN_DEFAULT);
  bench_report_time ("spawn", count, &begin);
  return 0;
}
