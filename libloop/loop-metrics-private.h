/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-metrics.h"

G_BEGIN_DECLS

/*
 * A log-linear histogram of durations: four buckets to each power of two of
 * nanoseconds, so that a value is known to a quarter of itself.
 */
#define LOOP_HISTOGRAM_N_BUCKETS 160

typedef struct
{
  guint64 count;
  gint64 max;
  guint64 buckets[LOOP_HISTOGRAM_N_BUCKETS];
} LoopHistogram;

struct _LoopMetrics
{
  guint64 iterations;
  guint64 callbacks;
  gint64 busy_ns;
  gint64 poll_ns;
  guint64 n_accepted;
  guint64 n_received; /* bytes, by transports that are gone; those that there are have counters of their own */
  guint64 n_sent;
  LoopHistogram lag;
  LoopHistogram duration;
};

static inline guint
loop_histogram_bucket (gint64 ns)
{
  guint log2;

  if (ns < 4)
    return ns < 0 ? 0 : (guint) ns;

  log2 = 63 - (guint) __builtin_clzll ((guint64) ns);

  return MIN ((log2 - 1) * 4 + (guint) ((ns >> (log2 - 2)) & 3), LOOP_HISTOGRAM_N_BUCKETS - 1);
}

static inline void
loop_histogram_record (LoopHistogram *self, gint64 ns)
{
  self->count++;
  self->max = MAX (self->max, ns);
  self->buckets[loop_histogram_bucket (ns)]++;
}

G_GNUC_INTERNAL
gint64 loop_histogram_bucket_start (guint bucket);
G_GNUC_INTERNAL
gint64 loop_histogram_quantile (const LoopHistogram *self, double quantile);

G_END_DECLS
