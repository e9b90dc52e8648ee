/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <signal.h>

/* Handlers for two signals, each of which comes a few times. */

#define N_SIGNALS 3

typedef struct
{
  Scene *scene;
  int signum;
  guint n;
} Watched;

static void
raise_again (gpointer data)
{
  Watched *self = data;

  raise (self->signum);
}

static void
signal_came (gpointer data)
{
  Watched *self = data;

  if (++self->n < N_SIGNALS)
    {
      loop_event_loop_call_soon (self->scene->loop, raise_again, self, NULL);
      return;
    }

  torture_expect (loop_event_loop_remove_signal_handler (self->scene->loop, self->signum), "there was a handler");
  scene_release (self->scene);
}

static void
watch (Watched *self)
{
  g_autoptr (GError) error = NULL;

  if (!loop_event_loop_add_signal_handler (self->scene->loop, self->signum, signal_came, self, NULL, &error))
    {
      scene_report (self->scene, "add_signal_handler", error);
      return;
    }

  scene_hold (self->scene);
  loop_event_loop_call_soon (self->scene->loop, raise_again, self, NULL);
}

static void
run (void)
{
  Scene *scene = scene_new ();
  Watched first = { scene, SIGUSR1, 0 };
  Watched second = { scene, SIGRTMIN, 0 };

  watch (&first);
  watch (&second);
  scene_run (scene);
  torture_expect (first.n == N_SIGNALS && second.n == N_SIGNALS, "each signal has come");
  scene_end (scene);
}

TORTURE_MAIN ("signals", run)
