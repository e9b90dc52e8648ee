/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A window that draws beside a chain of callbacks that never ends */

#include "config.h"

#include <gtk/gtk.h>
#include <libloop/loop.h>
#include <stdlib.h>
#include <string.h>

#include "bench-util.h"
#include "display.h"

#define WARM_UP_MS 500
#define SECONDS 3.0

static GMainLoop *main_loop;
static LoopEventLoop *loop;
static const char *mode;
static double seconds;
static uint64_t n_frames, n_calls, n_idle;
static uint64_t started_at;

static void
draw (GtkDrawingArea *area, cairo_t *cr, int width, int height, gpointer user_data)
{
  n_frames++;
  cairo_set_source_rgb (cr, (double) (n_frames % 60) / 60.0, 0.3, 0.3);
  cairo_paint (cr);
}

static gboolean
draw_again (GtkWidget *area, GdkFrameClock *clock, gpointer user_data)
{
  gtk_widget_queue_draw (area);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_idle (gpointer user_data)
{
  n_idle++;
  return G_SOURCE_CONTINUE;
}

static void
on_call (gpointer user_data)
{
  n_calls++;
  loop_event_loop_call_soon (loop, on_call, NULL, NULL);
}

static gboolean
on_source (gpointer priority)
{
  n_calls++;
  g_idle_add_full (GPOINTER_TO_INT (priority), on_source, priority, NULL);
  return G_SOURCE_REMOVE;
}

static void
report (void)
{
  double elapsed = (double) (bench_now_ns () - started_at) / 1e9;

  g_print ("{\"mode\": \"%s\", \"fps\": %.1f, \"idles_per_s\": %.1f, \"calls_per_s\": %.0f, \"wall_s\": %.6f, "
           "\"waited_s\": %.6f}\n",
           mode, (double) n_frames / elapsed, (double) n_idle / elapsed, (double) n_calls / elapsed, elapsed,
           (double) bench_waited_ns () / 1e9);
}

/* More urgent than what is measured, of which there is no end. */
static gboolean
on_end (gpointer user_data)
{
  report ();
  if (loop_event_loop_is_running (loop))
    loop_event_loop_stop (loop);
  g_main_loop_quit (main_loop);
  return G_SOURCE_REMOVE;
}

static gboolean
on_warm (gpointer user_data)
{
  n_frames = 0;
  started_at = bench_now_ns ();
  g_timeout_add_full (G_PRIORITY_HIGH, (guint) (seconds * 1000), on_end, NULL, NULL);
  g_idle_add_full (G_PRIORITY_LOW, on_idle, NULL, NULL);

  if (g_str_has_prefix (mode, "loop"))
    loop_event_loop_call_soon (loop, on_call, NULL, NULL);
  else if (strcmp (mode, "glib") == 0)
    on_source (GINT_TO_POINTER (G_PRIORITY_DEFAULT_IDLE));
  else if (strcmp (mode, "glib-default") == 0)
    on_source (GINT_TO_POINTER (G_PRIORITY_DEFAULT));
  return G_SOURCE_REMOVE;
}

static void
make_window (void)
{
  GtkWidget *window = gtk_window_new ();
  GtkWidget *area = gtk_drawing_area_new ();

  gtk_drawing_area_set_draw_func (GTK_DRAWING_AREA (area), draw, NULL, NULL);
  gtk_widget_add_tick_callback (area, draw_again, NULL, NULL);
  gtk_window_set_default_size (GTK_WINDOW (window), 100, 100);
  gtk_window_set_child (GTK_WINDOW (window), area);
  gtk_window_present (GTK_WINDOW (window));
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  mode = argc > 1 ? argv[1] : "";
  seconds = MAX (0.2, SECONDS * (argc > 2 ? atof (argv[2]) : 1.0));

  if (strcmp (mode, "loop") != 0 && strcmp (mode, "loop-run-forever") != 0 && strcmp (mode, "glib") != 0 &&
      strcmp (mode, "glib-default") != 0 && strcmp (mode, "nothing") != 0)
    {
      g_printerr ("usage: bench-frames loop|loop-run-forever|glib|glib-default|nothing [SCALE]\n");
      return 2;
    }

  bench_init (120);
  if (!display_start (&error))
    {
      g_printerr ("bench-frames: %s\n", error->message);
      return 1;
    }
  bench_pin (BENCH_ROLE_MEASURED);
  gtk_init ();
  main_loop = g_main_loop_new (NULL, FALSE);
  loop = loop_event_loop_new_for_context (NULL);
  make_window ();
  g_timeout_add (WARM_UP_MS, on_warm, NULL);

  if (strcmp (mode, "loop-run-forever") == 0)
    loop_event_loop_run_forever (loop);
  else
    g_main_loop_run (main_loop);

  g_object_unref (loop);
  g_main_loop_unref (main_loop);
  display_stop ();
  return 0;
}
