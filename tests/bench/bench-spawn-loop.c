/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Processes of libloop, one after another */

#include "config.h"

#include <libloop/loop.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench-util.h"

static const char *const command[] = { "/bin/true", NULL };
static LoopEventLoop *loop;
static uint64_t left;

static void spawn_next (void);

static void
check (LoopFuture *future, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (loop_future_result (future, NULL, &error))
    return;
  fprintf (stderr, "bench-spawn-loop: %s\n", error->message);
  exit (1);
}

static void
on_connection_lost (LoopSubprocessTransport *transport, const GError *exception, gpointer user_data)
{
  if (--left > 0)
    spawn_next ();
  else
    loop_event_loop_stop (loop);
}

static const LoopSubprocessProtocolVTable vtable = {
  .connection_lost = on_connection_lost,
};

static GObject *
make_protocol (gpointer user_data)
{
  return G_OBJECT (loop_subprocess_protocol_new (&vtable, NULL, NULL));
}

static void
spawn_next (void)
{
  static LoopSubprocessOptions *options;
  g_autoptr (LoopFuture) future = NULL;

  if (options == NULL)
    options = g_object_new (LOOP_TYPE_SUBPROCESS_OPTIONS, "stdin", LOOP_SUBPROCESS_INHERIT, "stdout",
                            LOOP_SUBPROCESS_INHERIT, "stderr", LOOP_SUBPROCESS_INHERIT, NULL);
  future = loop_event_loop_subprocess_exec (loop, command, options, make_protocol, NULL, NULL);
  loop_future_add_done_callback (future, check, NULL, NULL);
}

int
main (int argc, char **argv)
{
  uint64_t count = bench_scaled (argc > 1 ? argv[1] : NULL, 1000);
  BenchTime begin;

  bench_init (120);
  bench_pin (BENCH_ROLE_MEASURED);
  loop = loop_event_loop_new ();
  left = count;

  bench_begin (&begin);
  spawn_next ();
  loop_event_loop_run_forever (loop);
  bench_report_time ("spawn", count, &begin);

  loop_event_loop_close (loop);
  return 0;
}
