/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <math.h>
#include <time.h>

G_BEGIN_DECLS

#define LOOP_NSEC_PER_SEC G_GINT64_CONSTANT (1000000000)

/* Later than any deadline: a timer with it never fires. */
#define LOOP_NEVER G_MAXINT64

/* The loop's clock: nanoseconds of CLOCK_MONOTONIC. */
static inline gint64
loop_clock_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);

  return (gint64) now.tv_sec * LOOP_NSEC_PER_SEC + now.tv_nsec;
}

/* How long the thread has been on a CPU. */
static inline gint64
loop_clock_now_of_thread (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);

  return (gint64) now.tv_sec * LOOP_NSEC_PER_SEC + now.tv_nsec;
}

static inline double
loop_clock_to_seconds (gint64 ns)
{
  return (double) ns / (double) LOOP_NSEC_PER_SEC;
}

/*
 * The first nanosecond that is not before @seconds, which is not NaN. Values beyond the range of
 * the clock are never or now.
 */
static inline gint64
loop_clock_from_seconds (double seconds)
{
  double ns = seconds * (double) LOOP_NSEC_PER_SEC;
  gint64 whole;

  if (ns >= 9.2e18)
    return LOOP_NEVER;
  if (ns <= 0.0)
    return 0;

  /*
   * What became of a time of the clock is that time again: the product may be a little more or
   * less than the whole number that it is meant to be.
   */
  whole = (gint64) ns;

  return loop_clock_to_seconds (whole) < seconds ? whole + 1 : whole;
}

static inline gint64
loop_clock_add (gint64 base, gint64 ns)
{
  return ns > LOOP_NEVER - base ? LOOP_NEVER : base + ns;
}

/* @seconds from now; it is not NaN. */
static inline gint64
loop_clock_after (double seconds)
{
  return loop_clock_add (loop_clock_now (), loop_clock_from_seconds (seconds));
}

G_END_DECLS
