/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A loop that runs until it is told to end: by Ctrl-C, or by kill.
 *
 *   gcc signals.c -o signals $(pkg-config --cflags --libs libloop-1)
 */

#include <libloop/loop.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

typedef struct
{
  LoopEventLoop *loop;
  const char *signal_name;
} Exit;

static void
ask_exit (gpointer user_data)
{
  Exit *self = user_data;

  printf ("Got signal %s: exit.\n", self->signal_name);
  loop_event_loop_stop (self->loop);
}

int
main (void)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;
  Exit interrupted = { loop, "SIGINT" };
  Exit terminated = { loop, "SIGTERM" };

  if (!loop_event_loop_add_signal_handler (loop, SIGINT, ask_exit, &interrupted, NULL, &error) ||
      !loop_event_loop_add_signal_handler (loop, SIGTERM, ask_exit, &terminated, NULL, &error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  printf ("The loop runs for ever; press Ctrl-C, or send SIGINT or SIGTERM to process %d.\n", getpid ());
  fflush (stdout);
  loop_event_loop_run_forever (loop);

  /* Which gives the signals back the meaning that they had. */
  loop_event_loop_close (loop);

  return 0;
}
