/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

/* Functions in other threads, which call the loop in the meantime, and the end of the executor. */

#define N_JOBS 4

static guint n_results;
static guint n_calls;
static guint n_shutdowns;

static void
called (gpointer data)
{
  n_calls++;
}

static gboolean
do_job (GValue *result, gpointer user_data, GError **error)
{
  if (!loop_event_loop_call_soon_threadsafe (user_data, called, NULL, NULL, NULL, error))
    return FALSE;

  g_value_init (result, G_TYPE_INT);
  g_value_set_int (result, 1);

  return TRUE;
}

static void
shut_down (Scene *self, const GValue *result, gpointer user_data)
{
  n_shutdowns++;
}

static void
job_done (Scene *self, const GValue *result, gpointer user_data)
{
  n_results += (guint) g_value_get_int (result);
  if (n_results == N_JOBS)
    scene_take_future (self, loop_event_loop_shutdown_default_executor (self->loop, -1), shut_down, NULL);
}

static void
run (void)
{
  Scene *scene = scene_new ();

  for (guint i = 0; i < N_JOBS; i++)
    scene_take_future (scene, loop_event_loop_run_in_executor (scene->loop, NULL, do_job, scene->loop, NULL), job_done,
                       NULL);
  scene_run (scene);
  torture_expect (n_results == N_JOBS, "each function has given its result");
  torture_expect (n_calls == N_JOBS, "each call from another thread was made");
  torture_expect (n_shutdowns == 1, "the executor was shut down");
  scene_end (scene);
}

TORTURE_MAIN ("executor", run)
