/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-id-private.h"

#include <stdlib.h>

/* Ids are unique in the process, in however many threads they are taken. */

START_TEST (test_block_increases)
{
  LoopIdBlock block = { 0 };
  guint64 last = 0;

  for (int i = 0; i < 2000; i++)
    {
      guint64 id = loop_id_block_take (&block);

      ck_assert_uint_gt (id, last);
      last = id;

      /* Somebody else takes some in between. */
      if (i % 100 == 0)
        loop_id_reserve (3);
    }
}
END_TEST

#define N_THREADS 4
#define N_IDS 20000

static gpointer
take (gpointer data)
{
  guint64 *ids = data;
  LoopIdBlock block = { 0 };

  for (int i = 0; i < N_IDS; i++)
    ids[i] = i % 2 == 0 ? loop_id_block_take (&block) : loop_id_reserve (1);

  return NULL;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const guint64 *x = a;
  const guint64 *y = b;

  return (*x > *y) - (*x < *y);
}

START_TEST (test_threads)
{
  g_autofree guint64 *ids = g_new (guint64, N_THREADS * N_IDS);
  GThread *threads[N_THREADS];

  for (int i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("taker", take, ids + (gsize) i * N_IDS);
  for (int i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);

  qsort (ids, N_THREADS * N_IDS, sizeof (guint64), compare);
  ck_assert_uint_gt (ids[0], 0);
  for (int i = 1; i < N_THREADS * N_IDS; i++)
    ck_assert_uint_lt (ids[i - 1], ids[i]);
}
END_TEST

LOOP_TEST_MAIN ("id", test_block_increases, test_threads)
