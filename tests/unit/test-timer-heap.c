/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-timer-heap-private.h"

/* The heap by itself, against a plain list that is searched from end to end. */

#define N_HANDLES 600

/* What the heap knows of each timer is right, and the first is the earliest. */
static void
check_heap (LoopTimerHeap *heap)
{
  gint64 next = loop_timer_heap_next (heap);

  for (guint i = 0; i < heap->length; i++)
    {
      LoopTimerHandle *handle = loop_timer_heap_get (heap, i);

      ck_assert_int_eq (handle->when, heap->entries[i].when);
      ck_assert_int_ge (handle->when, next);
    }
  if (heap->length > 0)
    ck_assert_int_eq (loop_timer_heap_get (heap, 0)->when, next);
}

static LoopTimerHandle *
first_of (LoopTimerHeap *heap)
{
  loop_timer_heap_next (heap);

  return loop_timer_heap_get (heap, 0);
}

typedef struct
{
  LoopTimerHandle handle;
  gboolean is_in;
  guint64 inserted;
} Model;

static Model *
model_first (Model *models)
{
  Model *first = NULL;

  for (int i = 0; i < N_HANDLES; i++)
    {
      Model *model = &models[i];

      if (model->is_in && (first == NULL || model->handle.when < first->handle.when ||
                           (model->handle.when == first->handle.when && model->inserted < first->inserted)))
        first = model;
    }

  return first;
}

START_TEST (test_random)
{
  g_autofree Model *models = g_new0 (Model, N_HANDLES);
  LoopTimerHeap heap = { 0 };
  guint64 n_inserted = 0;
  guint n_in = 0;

  g_random_set_seed (1);

  for (int round = 0; round < 30000; round++)
    {
      Model *model = &models[g_random_int_range (0, N_HANDLES)];

      if (!model->is_in)
        {
          /* Phases of growth and of decline. */
          if (round % 6000 > 3000 && g_random_int_range (0, 4) > 0)
            continue;
          model->handle.when = g_random_int_range (0, 50);
          model->inserted = n_inserted++;
          model->is_in = TRUE;
          n_in++;
          loop_timer_heap_insert (&heap, &model->handle);
        }
      else if (g_random_boolean ())
        {
          loop_timer_heap_remove (&heap, &model->handle);
          model->is_in = FALSE;
          n_in--;
        }
      else
        {
          Model *first = model_first (models);

          ck_assert_ptr_eq (first_of (&heap), &first->handle);
          ck_assert_int_eq (loop_timer_heap_next (&heap), first->handle.when);
          loop_timer_heap_remove (&heap, &first->handle);
          first->is_in = FALSE;
          n_in--;
        }

      ck_assert_uint_eq (heap.length, n_in);
      if (round % 64 == 0)
        check_heap (&heap);
    }

  while (heap.length > 0)
    {
      Model *first = model_first (models);

      ck_assert_ptr_eq (first_of (&heap), &first->handle);
      loop_timer_heap_remove (&heap, &first->handle);
      first->is_in = FALSE;
      check_heap (&heap);
    }

  ck_assert_int_eq (loop_timer_heap_next (&heap), LOOP_NEVER);
  loop_timer_heap_clear (&heap);
}
END_TEST

/* Wherever one is taken out, those that are left stay in order: also when the last moves into another branch. */
START_TEST (test_remove_anywhere)
{
  enum
  {
    N = 40
  };

  for (int victim = 0; victim < N; victim++)
    {
      LoopTimerHandle handles[N] = { 0 };
      LoopTimerHeap heap = { 0 };
      gint64 last = -1;

      for (int i = 0; i < N; i++)
        {
          handles[i].when = i * 17 % N;
          loop_timer_heap_insert (&heap, &handles[i]);
          /* Some are still in no order when the next comes, as if nobody had asked. */
          if (i % 5 != victim % 5)
            check_heap (&heap);
        }

      loop_timer_heap_remove (&heap, &handles[victim]);
      ck_assert_uint_eq (heap.length, N - 1);
      while (heap.length > 0)
        {
          LoopTimerHandle *first = first_of (&heap);

          ck_assert_ptr_ne (first, &handles[victim]);
          ck_assert_int_gt (first->when, last);
          last = first->when;
          loop_timer_heap_remove (&heap, first);
        }
      loop_timer_heap_clear (&heap);
    }
}
END_TEST

/* Ties stay in order when the counter behind them wraps. */
START_TEST (test_ties_at_wrap)
{
  LoopTimerHandle handles[100] = { 0 };
  LoopTimerHeap heap = { .next_sequence = (guint32) -50 };

  for (int i = 0; i < 100; i++)
    {
      handles[i].when = 7;
      loop_timer_heap_insert (&heap, &handles[i]);
    }
  for (int i = 0; i < 100; i++)
    {
      ck_assert_ptr_eq (first_of (&heap), &handles[i]);
      loop_timer_heap_remove (&heap, &handles[i]);
    }
  loop_timer_heap_clear (&heap);
}
END_TEST

START_TEST (test_gives_memory_back)
{
  enum
  {
    N = 50000
  };
  g_autofree LoopTimerHandle *handles = g_new0 (LoopTimerHandle, N);
  LoopTimerHeap heap = { 0 };
  guint full;

  for (int i = 0; i < N; i++)
    {
      handles[i].when = i * 7919 % N;
      loop_timer_heap_insert (&heap, &handles[i]);
    }
  full = heap.capacity;
  ck_assert_uint_ge (full, N);

  /* Half by cancelling, and half by their turn. */
  for (int i = 0; i < N; i += 2)
    loop_timer_heap_remove (&heap, &handles[i]);
  for (gint64 last = -1; heap.length > 0;)
    {
      LoopTimerHandle *first = first_of (&heap);

      ck_assert_int_gt (first->when, last);
      last = first->when;
      loop_timer_heap_remove (&heap, first);
    }
  ck_assert_uint_le (heap.capacity, 1024);

  loop_timer_heap_clear (&heap);
  ck_assert_ptr_null (heap.entries);
}
END_TEST

LOOP_TEST_MAIN ("timer-heap", test_random, test_remove_anywhere, test_ties_at_wrap, test_gives_memory_back)
