/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-check.h"
#include "loop-event-loop.h"
#include "loop-timer-handle.h"

/*
 * What happened, in order. A step has a letter: that is noted when its callback runs, and the
 * capital when its data is destroyed.
 *
 *   loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
 *   loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy);
 *   run_once (loop);
 *   check_steps ("aAbB");
 */
gpointer step_new (char letter);
void step_run (gpointer step);
void step_destroy (gpointer step);

/* Notes a letter out of turn. */
void note_step (char letter);

/* Fails the test unless these were the steps since the last call. */
#define check_steps(expected)                                                                                          \
  do                                                                                                                   \
    {                                                                                                                  \
      g_autofree char *steps_ = take_steps ();                                                                         \
      ck_assert_str_eq (steps_, (expected));                                                                           \
    }                                                                                                                  \
  while (0)

char *take_steps (void);

/* A callback that counts: @data is an int. */
void count_up (gpointer data);

/* A callback that does nothing. */
void do_nothing (gpointer data);

/* A callback that stops the loop that is @data. */
void stop_loop (gpointer loop);

/*
 * The processor time of the calling thread, in seconds: what others take from it on a busy machine does
 * not count, and what it spins away does.
 */
double get_cpu_time (void);

/* A loop on a context of its own, or on one that somebody else iterates; *@context is a reference to it. */
LoopEventLoop *new_loop (gboolean is_foreign, GMainContext **context);

/* One iteration: a poll that does not wait, and what is ready. */
void run_once (LoopEventLoop *loop);

/* Runs the loop until it was stopped, and stops it when that takes longer than @seconds. */
void run_for (LoopEventLoop *loop, double seconds);

/* Runs the loop until *@flag, which a callback sets; fails the test when that takes 10 seconds. */
void run_until (LoopEventLoop *loop, const gboolean *flag);
