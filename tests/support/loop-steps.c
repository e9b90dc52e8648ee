/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-steps.h"

#include <time.h>

static GString *steps;

void
note_step (char letter)
{
  if (steps == NULL)
    steps = g_string_new (NULL);

  /* A loop that spins is not to fill the report of the failure. */
  if (steps->len < 200)
    g_string_append_c (steps, letter);
}

char *
take_steps (void)
{
  char *text = steps != NULL ? g_string_free (steps, FALSE) : g_strdup ("");

  steps = NULL;

  return text;
}

gpointer
step_new (char letter)
{
  char *step = g_new (char, 1);

  *step = letter;

  return step;
}

void
step_run (gpointer step)
{
  note_step (*(char *) step);
}

void
step_destroy (gpointer step)
{
  note_step (g_ascii_toupper (*(char *) step));
  g_free (step);
}

void
count_up (gpointer data)
{
  (*(int *) data)++;
}

void
do_nothing (gpointer data)
{
}

void
stop_loop (gpointer loop)
{
  loop_event_loop_stop (loop);
}

double
get_cpu_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);

  return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

LoopEventLoop *
new_loop (gboolean is_foreign, GMainContext **context)
{
  LoopEventLoop *loop;

  if (is_foreign)
    {
      *context = g_main_context_new ();
      return loop_event_loop_new_for_context (*context);
    }

  loop = loop_event_loop_new ();
  *context = g_main_context_ref (loop_event_loop_get_context (loop));

  return loop;
}

void
run_once (LoopEventLoop *loop)
{
  loop_event_loop_stop (loop);
  ck_assert (loop_event_loop_run_forever (loop));
}

void
run_for (LoopEventLoop *loop, double seconds)
{
  g_autoptr (LoopTimerHandle) timer = NULL;

  timer = loop_timer_handle_ref (loop_event_loop_call_later (loop, seconds, stop_loop, loop, NULL));
  ck_assert (loop_event_loop_run_forever (loop));
  loop_timer_handle_cancel (timer);
}

static void
check_flag (gpointer data)
{
  const gboolean *flag = data;

  if (*flag)
    loop_event_loop_stop (loop_event_loop_get_running ());
  else
    loop_event_loop_call_later (loop_event_loop_get_running (), 0.0005, check_flag, data, NULL);
}

void
run_until (LoopEventLoop *loop, const gboolean *flag)
{
  g_autoptr (LoopTimerHandle) timer = NULL;

  timer = loop_timer_handle_ref (loop_event_loop_call_later (loop, 10.0, stop_loop, loop, NULL));
  loop_event_loop_call_soon (loop, check_flag, (gpointer) flag, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  loop_timer_handle_cancel (timer);
  ck_assert_msg (*flag, "what was waited for did not happen in 10 seconds");
}
