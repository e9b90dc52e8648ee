/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A program to look at: target [timers=N] [block=SECONDS] [loops=N] [cycle=N] [chain=N].
 *
 * It serves TCP echo, prints its pid and the port, and runs until it is killed. "block" has a
 * callback sleep a moment after that; "timers" are pending for an hour. The tasks of a "cycle" wait
 * for each other, those of a "chain" each for the one before, and the first for a future.
 */

#include <libloop/loop.h>

#include <stdio.h>
#include <unistd.h>

static double block_seconds;

static void
do_nothing (gpointer user_data)
{
}

static void
on_read (gpointer user_data)
{
  g_usleep ((gulong) (block_seconds * G_USEC_PER_SEC));
}

static void
data_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  loop_transport_write (transport, data, length);
}

static GObject *
new_echo (gpointer user_data)
{
  static const LoopProtocolVTable echo = { .data_received = data_received };

  return G_OBJECT (loop_protocol_new (&echo, NULL, NULL));
}

static guint16
serve (LoopEventLoop *loop)
{
  static const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopFuture) future = loop_event_loop_create_server (loop, hosts, 0, NULL, new_echo, NULL, NULL);
  g_auto (GValue) server = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) sockets = NULL;
  g_autoptr (GSocketAddress) address = NULL;

  if (!loop_event_loop_run_until_complete (loop, future, &server, &error))
    g_error ("%s", error->message);

  sockets = loop_server_get_sockets (g_value_get_object (&server));
  address = g_socket_get_local_address (g_ptr_array_index (sockets, 0), NULL);

  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
}

static gboolean
wait_for_other (GValue *result, gpointer user_data, GError **error)
{
  LoopFuture **other = user_data;

  return loop_await (*other, error);
}

/* Each task waits for the one before, and the first for @other, or else for the last. */
static void
add_tasks (LoopEventLoop *loop, guint64 n, LoopFuture *other, const char *name)
{
  LoopFuture **futures = g_new0 (LoopFuture *, n + 1);

  futures[0] = other;
  for (guint64 i = 0; i < n; i++)
    {
      LoopTask *task = loop_event_loop_spawn (loop, wait_for_other, &futures[i], NULL);
      g_autofree char *task_name = g_strdup_printf ("%s-%u", name, (guint) i);

      loop_task_set_name (task, task_name);
      futures[i + 1] = LOOP_FUTURE (task);
    }
  if (other == NULL)
    futures[0] = futures[n];
}

static guint64
get_argument (char **argv, const char *name)
{
  for (argv++; *argv != NULL; argv++)
    {
      if (g_str_has_prefix (*argv, name))
        return g_ascii_strtoull (*argv + strlen (name), NULL, 10);
    }

  return 0;
}

int
main (int argc, char **argv)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) second = NULL;
  guint64 n_timers = get_argument (argv, "timers=");
  guint16 port = serve (loop);

  if (get_argument (argv, "loops=") > 1)
    second = loop_event_loop_new ();

  for (guint64 i = 0; i < n_timers; i++)
    loop_timer_handle_set_name (
        loop_event_loop_call_later (loop, 3600 + (double) (n_timers - i), do_nothing, NULL, NULL), "hourly");

  add_tasks (loop, get_argument (argv, "cycle="), NULL, "cycle");
  if (get_argument (argv, "chain=") > 0)
    add_tasks (loop, get_argument (argv, "chain="), loop_event_loop_create_future (loop), "chain");

  block_seconds = (double) get_argument (argv, "block=");
  if (block_seconds > 0)
    loop_timer_handle_set_name (loop_event_loop_call_later (loop, 0.05, on_read, NULL, NULL), "on_read");

  printf ("%d %u\n", (int) getpid (), port);
  fflush (stdout);
  loop_event_loop_run_forever (loop);

  return 0;
}
