/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Processes of GIO, one after another */

#include "config.h"

#include <gio/gio.h>
#include <stdlib.h>

#include "bench-util.h"

static const char *const command[] = { "/bin/true", NULL };
static GMainLoop *main_loop;
static uint64_t left;

static void spawn_next (void);

static void
on_ended (GObject *process, GAsyncResult *result, gpointer user_data)
{
  (void) user_data;
  if (!g_subprocess_wait_check_finish (G_SUBPROCESS (process), result, NULL))
    exit (1);
  if (--left > 0)
    spawn_next ();
  else
    g_main_loop_quit (main_loop);
}

static void
spawn_next (void)
{
  g_autoptr (GSubprocess) process = g_subprocess_newv (command, G_SUBPROCESS_FLAGS_STDIN_INHERIT, NULL);

  if (process == NULL)
    exit (1);
  g_subprocess_wait_check_async (process, NULL, on_ended, NULL);
}

int
main (int argc, char **argv)
{
  uint64_t count = bench_scaled (argc > 1 ? argv[1] : NULL, 1000);
  BenchTime begin;

  bench_init (120);
  bench_pin (BENCH_ROLE_MEASURED);
  main_loop = g_main_loop_new (NULL, FALSE);
  left = count;

  bench_begin (&begin);
  spawn_next ();
  g_main_loop_run (main_loop);
  bench_report_time ("spawn", count, &begin);

  g_main_loop_unref (main_loop);
  return 0;
}
