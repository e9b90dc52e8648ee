/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

/* Timers, those that are cancelled too, and fibers that sleep and wait for each other. */

#define N_TIMERS 5
#define N_FIBERS 4

static guint n_fired;
static guint n_slept;
static guint n_gathered;

static void
fire (gpointer data)
{
  n_fired++;
  scene_release (data);
}

static void
never_fire (gpointer data)
{
  torture_fail ("a timer came that was cancelled");
}

static void
set_timers (Scene *self)
{
  for (guint i = 0; i < N_TIMERS; i++)
    {
      scene_hold (self);
      loop_event_loop_call_later (self->loop, 0.001 * i, fire, self, NULL);
      loop_timer_handle_cancel (loop_event_loop_call_later (self->loop, 0.0005, never_fire, NULL, NULL));
    }
}

static gboolean
sleep_twice (GValue *result, gpointer user_data, GError **error)
{
  for (guint i = 0; i < 2; i++)
    {
      if (!loop_await_result (loop_sleep (user_data, 0.001), NULL, error))
        return FALSE;
    }
  n_slept++;

  return TRUE;
}

static void
gathered (Scene *self, const GValue *result, gpointer user_data)
{
  n_gathered++;
}

static void
spawn_fibers (Scene *self)
{
  LoopFuture *fibers[N_FIBERS];

  for (guint i = 0; i < N_FIBERS; i++)
    fibers[i] = LOOP_FUTURE (loop_event_loop_spawn (self->loop, sleep_twice, self->loop, NULL));
  scene_take_future (self, loop_gather (self->loop, fibers, N_FIBERS, FALSE), gathered, NULL);
  for (guint i = 0; i < N_FIBERS; i++)
    g_object_unref (fibers[i]);
}

static void
run (void)
{
  Scene *scene = scene_new ();

  set_timers (scene);
  spawn_fibers (scene);
  scene_run (scene);
  torture_expect (n_fired == N_TIMERS, "each timer has come");
  torture_expect (n_slept == N_FIBERS && n_gathered == 1, "each fiber has come to its end");
  scene_end (scene);
}

TORTURE_MAIN ("timers", run)
