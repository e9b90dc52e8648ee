/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A client of an inspector that asks ten times a second
 *
 * poll-inspector PATH asks for the metrics and for a page of the transports of
 * the process's first loop, as a monitor would, until the end of standard
 * input; then it prints how many answers came, and the slowest one's time.
 */

#include "config.h"

#include <gio/gio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench-util.h"

#define INTERVAL_MS 100
#define DEADLINE_MS 5000

static GDBusConnection *connection;

static GVariant *
call (const char *path, const char *interface, const char *method, GVariant *arguments)
{
  g_autoptr (GError) error = NULL;
  GVariant *answer = g_dbus_connection_call_sync (connection, NULL, path, interface, method, arguments, NULL,
                                                  G_DBUS_CALL_FLAGS_NONE, DEADLINE_MS, NULL, &error);

  if (answer == NULL)
    {
      fprintf (stderr, "poll-inspector: %s: %s\n", method, error->message);
      exit (1);
    }
  return answer;
}

static char *
first_loop (void)
{
  g_autoptr (GVariant) answer = call ("/org/libloop/Process1", "org.libloop.Process1", "ListLoops", NULL);
  g_autoptr (GVariant) loops = g_variant_get_child_value (answer, 0);
  g_autoptr (GVariant) state = NULL;
  char *path = NULL;

  if (g_variant_n_children (loops) > 0)
    {
      state = g_variant_get_child_value (loops, 0);
      g_variant_lookup (state, "path", "o", &path);
      if (path == NULL)
        g_variant_lookup (state, "path", "s", &path);
    }
  if (path == NULL)
    {
      fprintf (stderr, "poll-inspector: there is no loop\n");
      exit (1);
    }
  return path;
}

static void
ask (const char *loop)
{
  GVariant *filter = g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0);

  g_variant_unref (call (loop, "org.libloop.Loop1", "GetMetrics", NULL));
  g_variant_unref (
      call (loop, "org.libloop.Loop1", "List", g_variant_new ("(s@a{sv}ssu)", "transports", filter, "", "", 0)));
}

static gboolean
wait_for_end (int timeout_ms)
{
  struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };

  return poll (&fd, 1, timeout_ms) > 0;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *address = NULL;
  g_autofree char *loop = NULL;
  uint64_t started_at, slowest = 0;
  guint answers = 0;

  if (argc != 2)
    {
      fprintf (stderr, "usage: poll-inspector PATH\n");
      return 2;
    }
  bench_init (300);
  bench_pin (BENCH_ROLE_DRIVER);

  address = g_strconcat ("unix:path=", argv[1], NULL);
  connection = g_dbus_connection_new_for_address_sync (address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL,
                                                       NULL, &error);
  if (connection == NULL)
    {
      fprintf (stderr, "poll-inspector: %s\n", error->message);
      return 1;
    }
  loop = first_loop ();
  printf ("{\"attached\": true}\n");
  fflush (stdout);

  started_at = bench_now_ns ();
  do
    {
      uint64_t asked_at = bench_now_ns ();

      ask (loop);
      answers++;
      slowest = MAX (slowest, bench_now_ns () - asked_at);
    }
  while (!wait_for_end (INTERVAL_MS));

  printf ("{\"answers\": %u, \"seconds\": %.3f, \"slowest_ms\": %.3f}\n", answers,
          (double) (bench_now_ns () - started_at) / 1e9, (double) slowest / 1e6);
  g_object_unref (connection);
  return 0;
}
