/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-clock-private.h"
#include "loop-metrics-private.h"

/**
 * LoopMetrics:
 *
 * What a loop has done since it was made: counts that are always kept, and times
 * and distributions that are kept while something asked for them, because reading
 * the clock around every callback is not free. See
 * [property@EventLoop:collect-metrics].
 *
 * The lag is that of timers alone: how late they ran after their deadlines. How long
 * other callbacks wait for their turn is not measured.
 *
 * A `LoopMetrics` is a snapshot: it does not change any more.
 */
G_DEFINE_BOXED_TYPE (LoopMetrics, loop_metrics, loop_metrics_copy, loop_metrics_free)

/**
 * loop_metrics_copy:
 * @self: the metrics
 *
 * Copies a snapshot.
 *
 * Returns: (transfer full): the copy
 */
LoopMetrics *
loop_metrics_copy (const LoopMetrics *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_memdup2 (self, sizeof *self);
}

/**
 * loop_metrics_free:
 * @self: (transfer full): the metrics
 *
 * Frees a snapshot.
 */
void
loop_metrics_free (LoopMetrics *self)
{
  g_free (self);
}

/**
 * loop_metrics_get_iterations:
 * @self: the metrics
 *
 * Gets how often the loop has run a batch of callbacks.
 *
 * Returns: the number of iterations
 */
guint64
loop_metrics_get_iterations (const LoopMetrics *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->iterations;
}

/**
 * loop_metrics_get_callbacks:
 * @self: the metrics
 *
 * Gets how many callbacks the loop has run: handles, timers and readiness events.
 *
 * Returns: the number of callbacks
 */
guint64
loop_metrics_get_callbacks (const LoopMetrics *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->callbacks;
}

/**
 * loop_metrics_get_busy_time:
 * @self: the metrics
 *
 * Gets how long the loop ran callbacks, while metrics were collected.
 *
 * Returns: seconds
 */
double
loop_metrics_get_busy_time (const LoopMetrics *self)
{
  g_return_val_if_fail (self != NULL, 0.0);

  return loop_clock_to_seconds (self->busy_ns);
}

/**
 * loop_metrics_get_poll_time:
 * @self: the metrics
 *
 * Gets how long the loop waited for something to do, while metrics were collected.
 *
 * Returns: seconds
 */
double
loop_metrics_get_poll_time (const LoopMetrics *self)
{
  g_return_val_if_fail (self != NULL, 0.0);

  return loop_clock_to_seconds (self->poll_ns);
}

/**
 * loop_metrics_get_lag:
 * @self: the metrics
 * @quantile: from 0.0 to 1.0: 0.99 asks for the 99th percentile
 *
 * Gets how late timers ran after their deadlines, while metrics were collected: timers
 * only, and up to the iteration in which they ran. The value is exact to a quarter of
 * itself.
 *
 * Returns: seconds
 */
double
loop_metrics_get_lag (const LoopMetrics *self, double quantile)
{
  g_return_val_if_fail (self != NULL, 0.0);
  g_return_val_if_fail (quantile >= 0.0 && quantile <= 1.0, 0.0);

  return loop_clock_to_seconds (loop_histogram_quantile (&self->lag, quantile));
}

/**
 * loop_metrics_get_duration:
 * @self: the metrics
 * @quantile: from 0.0 to 1.0: 0.99 asks for the 99th percentile
 *
 * Gets how long callbacks took, while metrics were collected. The value is exact to
 * a quarter of itself.
 *
 * Returns: seconds
 */
double
loop_metrics_get_duration (const LoopMetrics *self, double quantile)
{
  g_return_val_if_fail (self != NULL, 0.0);
  g_return_val_if_fail (quantile >= 0.0 && quantile <= 1.0, 0.0);

  return loop_clock_to_seconds (loop_histogram_quantile (&self->duration, quantile));
}

/* The least value that falls into @bucket, in nanoseconds. */
gint64
loop_histogram_bucket_start (guint bucket)
{
  if (bucket < 4)
    return bucket;

  return (gint64) (4 + bucket % 4) << (bucket / 4 - 1);
}

/* An upper bound of the value at @quantile, in nanoseconds. */
gint64
loop_histogram_quantile (const LoopHistogram *self, double quantile)
{
  double position = quantile * (double) self->count;
  guint64 rank = (guint64) position;
  guint64 seen = 0;

  if (self->count == 0)
    return 0;

  if (rank == 0 || (double) rank < position)
    rank++;

  for (guint bucket = 0; bucket < LOOP_HISTOGRAM_N_BUCKETS - 1; bucket++)
    {
      seen += self->buckets[bucket];
      if (seen >= rank)
        return MIN (loop_histogram_bucket_start (bucket + 1) - 1, self->max);
    }

  return self->max;
}
