/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-fd-watcher.h"
#include "loop-metrics.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* System calls that signals interrupt are nobody's business: nothing comes early, late, twice or as an error. */

typedef struct
{
  pthread_t target;
  int is_over; /* atomic */
} Signaller;

static volatile sig_atomic_t n_signals;

static void
on_signal (int signum)
{
  n_signals++;
}

static gpointer
send_signals (gpointer data)
{
  Signaller *self = data;

  while (!g_atomic_int_get (&self->is_over))
    {
      pthread_kill (self->target, SIGUSR1);
      g_usleep (200);
    }

  return NULL;
}

static void
check_interrupted (LoopEventLoop *loop, GMainLoop *main_loop)
{
  struct sigaction action = { .sa_handler = on_signal };
  Signaller signaller = { .target = pthread_self () };
  g_autoptr (LoopMetrics) metrics = NULL;
  GThread *thread;
  double due;
  int fds[2];

  /* Without SA_RESTART. */
  ck_assert_int_eq (sigaction (SIGUSR1, &action, NULL), 0);
  ck_assert_int_eq (pipe (fds), 0);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  due = loop_event_loop_time (loop) + 0.1;
  loop_event_loop_call_at (loop, due - 0.05, step_run, step_new ('t'), step_destroy);
  thread = g_thread_new ("signaller", send_signals, &signaller);

  if (main_loop != NULL)
    {
      loop_event_loop_call_at (loop, due, (LoopCallback) g_main_loop_quit, main_loop, NULL);
      g_main_loop_run (main_loop);
    }
  else
    {
      loop_event_loop_call_at (loop, due, stop_loop, loop, NULL);
      ck_assert (loop_event_loop_run_forever (loop));
    }

  g_atomic_int_set (&signaller.is_over, TRUE);
  g_thread_join (thread);
  ck_assert_double_ge (loop_event_loop_time (loop), due);
  ck_assert_double_lt (loop_event_loop_time (loop), due + 1.0);
  ck_assert_int_gt (n_signals, 10);
  check_steps ("tT");

  /* A signal is no work. */
  metrics = loop_event_loop_get_metrics (loop);
  ck_assert_uint_le (loop_metrics_get_callbacks (metrics), 3);

  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  check_steps ("R");
  close (fds[0]);
  close (fds[1]);
}

START_TEST (test_private_context)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  check_interrupted (loop, NULL);
}
END_TEST

static gboolean
go_on (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* With a source of GLib that has a timeout of its own. */
START_TEST (test_with_foreign_sources)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GSource) source = g_timeout_source_new (7);

  g_source_set_callback (source, go_on, NULL, NULL);
  g_source_attach (source, loop_event_loop_get_context (loop));
  check_interrupted (loop, NULL);
  g_source_destroy (source);
}
END_TEST

START_TEST (test_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);

  check_interrupted (loop, main_loop);
}
END_TEST

LOOP_TEST_MAIN ("run-interrupted", test_private_context, test_with_foreign_sources, test_foreign_context)
