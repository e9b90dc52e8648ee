/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-metrics-private.h"

#include <math.h>
#include <stdlib.h>

/* The arithmetic of the histograms. */

START_TEST (test_buckets_have_no_gaps)
{
  for (guint bucket = 0; bucket < LOOP_HISTOGRAM_N_BUCKETS - 1; bucket++)
    {
      gint64 start = loop_histogram_bucket_start (bucket);
      gint64 end = loop_histogram_bucket_start (bucket + 1);

      ck_assert_int_lt (start, end);
      ck_assert_uint_eq (loop_histogram_bucket (start), bucket);
      ck_assert_uint_eq (loop_histogram_bucket (end - 1), bucket);
      ck_assert_uint_eq (loop_histogram_bucket (end), bucket + 1);
      /* Exact to a quarter of the value. */
      if (start > 0)
        ck_assert_int_le ((end - 1 - start) * 4, start);
    }
}
END_TEST

START_TEST (test_extremes)
{
  ck_assert_uint_eq (loop_histogram_bucket (0), 0);
  ck_assert_uint_eq (loop_histogram_bucket (-1), 0);
  ck_assert_uint_eq (loop_histogram_bucket (G_MININT64), 0);
  ck_assert_uint_eq (loop_histogram_bucket (G_MAXINT64), LOOP_HISTOGRAM_N_BUCKETS - 1);
  /* Half an hour is inside. */
  ck_assert_uint_lt (loop_histogram_bucket (G_GINT64_CONSTANT (1800000000000)), LOOP_HISTOGRAM_N_BUCKETS - 1);
}
END_TEST

START_TEST (test_empty)
{
  LoopHistogram histogram = { 0 };

  ck_assert_int_eq (loop_histogram_quantile (&histogram, 0.0), 0);
  ck_assert_int_eq (loop_histogram_quantile (&histogram, 1.0), 0);
}
END_TEST

START_TEST (test_single)
{
  LoopHistogram histogram = { 0 };

  loop_histogram_record (&histogram, 1234567);
  ck_assert_uint_eq (histogram.count, 1);
  ck_assert_int_eq (histogram.max, 1234567);
  /* No quantile is above the greatest value. */
  ck_assert_int_eq (loop_histogram_quantile (&histogram, 0.0), 1234567);
  ck_assert_int_eq (loop_histogram_quantile (&histogram, 0.5), 1234567);
  ck_assert_int_eq (loop_histogram_quantile (&histogram, 1.0), 1234567);
}
END_TEST

START_TEST (test_huge)
{
  LoopHistogram histogram = { 0 };

  loop_histogram_record (&histogram, 1);
  loop_histogram_record (&histogram, G_MAXINT64);
  ck_assert_int_eq (loop_histogram_quantile (&histogram, 0.5), 1);
  ck_assert_int_eq (loop_histogram_quantile (&histogram, 1.0), G_MAXINT64);
}
END_TEST

static int
compare (gconstpointer a, gconstpointer b)
{
  const gint64 *x = a;
  const gint64 *y = b;

  return (*x > *y) - (*x < *y);
}

START_TEST (test_against_sorted)
{
  enum
  {
    N = 5000
  };
  static const double quantiles[] = { 0.0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0 };
  g_autofree gint64 *values = g_new (gint64, N);
  LoopHistogram histogram = { 0 };

  g_random_set_seed (7);
  for (int i = 0; i < N; i++)
    {
      /* From nanoseconds to minutes. */
      values[i] = (gint64) g_random_int () << g_random_int_range (0, 8) >> g_random_int_range (0, 32);
      loop_histogram_record (&histogram, values[i]);
    }
  qsort (values, N, sizeof (gint64), compare);

  for (gsize i = 0; i < G_N_ELEMENTS (quantiles); i++)
    {
      int rank = MAX ((int) ceil (quantiles[i] * N), 1);
      gint64 exact = values[rank - 1];
      gint64 estimate = loop_histogram_quantile (&histogram, quantiles[i]);

      ck_assert_int_ge (estimate, exact);
      ck_assert_int_le (estimate, exact + exact / 4 + 1);
    }
}
END_TEST

LOOP_TEST_MAIN ("histogram",
                test_buckets_have_no_gaps,
                test_extremes,
                test_empty,
                test_single,
                test_huge,
                test_against_sorted)
