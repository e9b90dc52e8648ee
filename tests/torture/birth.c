/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

/* Loops that are made: what cannot be one is born closed, and says so. */

static void
called (gpointer data)
{
  guint *n = data;

  (*n)++;
}

static void
use (LoopEventLoop *loop)
{
  g_autoptr (LoopFuture) sleep = loop_sleep (loop, 0.0005);
  g_autoptr (GError) error = NULL;
  guint n = 0;

  if (loop_event_loop_is_closed (loop))
    {
      torture_expect (FALSE, "a loop that cannot be made says so");
      torture_expect (!loop_event_loop_run_forever_full (loop, NULL), "a closed loop does not run");
      return;
    }

  if (!loop_event_loop_call_soon_threadsafe (loop, called, &n, NULL, NULL, &error))
    torture_fail ("%s", error->message);
  if (!loop_event_loop_run_until_complete (loop, sleep, NULL, &error))
    torture_report ("%s", error->message);
  torture_expect (n == 1, "what was called was run");
}

static void
run (void)
{
  /* GLib ends the process if it cannot make one. */
  GMainContext *context = g_main_context_new ();

  torture_start ();
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);

      use (loop);
      loop_event_loop_close (loop);
    }
  g_main_context_unref (context);
  torture_stop ();
}

TORTURE_MAIN ("birth", run)
