/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-timer-queue-private.h"

/* The queue by itself, against a plain list that is searched from end to end. */

#define N_HANDLES 600

#define TICK (G_GINT64_CONSTANT (1) << 24)

static const gint64 spans[] = { 50, TICK, 64 * TICK, 4096 * TICK, 262144 * TICK, 100 * 262144 * TICK };

static void
take_out (LoopTimerQueue *queue, LoopTimerHandle *handle)
{
  guint length = queue->length;

  loop_timer_queue_remove (queue, handle);
  ck_assert_uint_eq (queue->length, length - 1);
}

/* What the queue knows of each timer is right, and the first is the earliest. */
static void
check_queue (LoopTimerQueue *queue)
{
  gint64 next = loop_timer_queue_next (queue);
  gint64 least = LOOP_NEVER;
  guint n = 0;

  LOOP_TIMER_QUEUE_FOREACH (queue, entry)
  {
    const LoopHandle *handle = &entry->handle->parent;

    ck_assert_int_eq (entry->handle->when, entry->when);
    ck_assert_ptr_eq (&queue->lists[handle->timer_list].entries[handle->timer_index], entry);
    least = MIN (least, entry->when);
    n++;
  }
  ck_assert_uint_eq (queue->length, n);
  ck_assert_int_eq (next, least);
}

typedef struct
{
  LoopTimerHandle handle;
  gboolean is_in;
} Model;

static Model *
model_first (Model *models)
{
  Model *first = NULL;

  for (int i = 0; i < N_HANDLES; i++)
    {
      Model *model = &models[i];

      if (model->is_in &&
          (first == NULL || model->handle.when < first->handle.when ||
           (model->handle.when == first->handle.when && model->handle.parent.id < first->handle.parent.id)))
        first = model;
    }

  return first;
}

/* All that is due comes out in order, and nothing else. */
static guint
model_advance (Model *models, LoopTimerQueue *queue, gint64 now)
{
  LoopTimerHandle *due;
  Model *first;
  guint n = 0;

  while ((due = loop_timer_queue_peek_due (queue, now)) != NULL)
    {
      first = model_first (models);
      ck_assert_ptr_eq (due, &first->handle);
      ck_assert_int_le (due->when, now);
      take_out (queue, due);
      first->is_in = FALSE;
      n++;
    }

  first = model_first (models);
  ck_assert (first == NULL || first->handle.when > now);

  return n;
}

/* With deadlines of each order of magnitude, and time that goes on in steps of each. */
static void
check_random (gint64 start)
{
  g_autofree Model *models = g_new0 (Model, N_HANDLES);
  LoopTimerQueue queue = { 0 };
  gint64 now = start;
  guint64 next_id = 1;
  guint n_due = 0;

  loop_timer_queue_init (&queue, now);

  for (int round = 0; round < 30000; round++)
    {
      Model *model = &models[g_random_int_range (0, N_HANDLES)];
      gint64 span = spans[g_random_int_range (0, G_N_ELEMENTS (spans))];

      if (!model->is_in)
        {
          /* Phases of growth and of decline. */
          if (round % 6000 > 3000 && g_random_int_range (0, 4) > 0)
            continue;
          model->handle.when = now + (gint64) g_random_double_range (0, (double) span) - span / 64;
          model->handle.parent.id = next_id++;
          model->is_in = TRUE;
          loop_timer_queue_insert (&queue, &model->handle);
        }
      else if (g_random_int_range (0, 8) > 0)
        {
          take_out (&queue, &model->handle);
          model->is_in = FALSE;
        }
      else
        {
          now += (gint64) g_random_double_range (0, (double) span);
          n_due += model_advance (models, &queue, now);
        }

      if (round % 64 == 0)
        check_queue (&queue);
    }

  ck_assert_uint_gt (n_due, 1000);
  n_due = model_advance (models, &queue, LOOP_NEVER - 1);
  ck_assert_uint_gt (n_due, 0);
  check_queue (&queue);
  ck_assert_int_eq (loop_timer_queue_next (&queue), LOOP_NEVER);
  ck_assert_ptr_null (loop_timer_queue_peek_any (&queue));
  loop_timer_queue_clear (&queue);
}

START_TEST (test_random)
{
  g_random_set_seed (1);
  check_random (0);
  check_random (12345678 * TICK + 99);
}
END_TEST

/* Wherever one is taken out, those that are left stay in order: also when the last moves into another branch. */
START_TEST (test_remove_anywhere)
{
  enum
  {
    N = 40
  };
  static const gint64 units[] = { 1, TICK, 10 * TICK, 1000 * TICK, 100000 * TICK };

  for (guint unit = 0; unit < G_N_ELEMENTS (units); unit++)
    for (int victim = 0; victim < N; victim++)
      {
        LoopTimerHandle handles[N] = { 0 };
        LoopTimerQueue queue = { 0 };
        LoopTimerHandle *first;
        gint64 last = -1;

        for (int i = 0; i < N; i++)
          {
            handles[i].when = i * 17 % N * units[unit];
            handles[i].parent.id = (guint64) i;
            loop_timer_queue_insert (&queue, &handles[i]);
            check_queue (&queue);
          }

        take_out (&queue, &handles[victim]);
        ck_assert_uint_eq (queue.length, N - 1);
        while ((first = loop_timer_queue_peek_due (&queue, loop_timer_queue_next (&queue))) != NULL)
          {
            ck_assert_ptr_ne (first, &handles[victim]);
            ck_assert_int_gt (first->when, last);
            last = first->when;
            take_out (&queue, first);
          }
        ck_assert_uint_eq (queue.length, 0);
        loop_timer_queue_clear (&queue);
      }
}
END_TEST

/* The same deadline, far away: they keep their order through all levels, whatever became of their neighbours. */
START_TEST (test_ties)
{
  enum
  {
    N = 100
  };
  LoopTimerHandle handles[N] = { 0 };
  LoopTimerQueue queue = { 0 };
  gint64 when = 3 * 262144 * TICK + 5 * 4096 * TICK + 7 * 64 * TICK + 9 * TICK + 11;

  for (int i = 0; i < N; i++)
    {
      handles[i].when = when;
      handles[i].parent.id = (guint64) i + 1;
      loop_timer_queue_insert (&queue, &handles[i]);
    }
  for (int i = 0; i < N; i += 3)
    take_out (&queue, &handles[i]);

  for (gint64 now = when % (262144 * TICK); now < when; now += 262144 * TICK / 7)
    ck_assert_ptr_null (loop_timer_queue_peek_due (&queue, now));
  ck_assert_ptr_null (loop_timer_queue_peek_due (&queue, when - 1));

  for (int i = 0; i < N; i++)
    {
      if (i % 3 == 0)
        continue;
      ck_assert_ptr_eq (loop_timer_queue_peek_due (&queue, when), &handles[i]);
      take_out (&queue, &handles[i]);
    }
  loop_timer_queue_clear (&queue);
}
END_TEST

/* A timer that never fires does not hold up what comes after an age. */
START_TEST (test_never)
{
  LoopTimerHandle never = { .when = LOOP_NEVER };
  LoopTimerHandle late = { .when = LOOP_NEVER - 1 };
  LoopTimerQueue queue = { 0 };

  loop_timer_queue_insert (&queue, &never);
  ck_assert_int_eq (loop_timer_queue_next (&queue), LOOP_NEVER);
  ck_assert_ptr_null (loop_timer_queue_peek_due (&queue, LOOP_NEVER / 2));
  loop_timer_queue_insert (&queue, &late);
  ck_assert_int_eq (loop_timer_queue_next (&queue), LOOP_NEVER - 1);
  ck_assert_ptr_eq (loop_timer_queue_peek_due (&queue, LOOP_NEVER - 1), &late);
  take_out (&queue, &late);
  ck_assert_ptr_null (loop_timer_queue_peek_due (&queue, LOOP_NEVER - 1));
  ck_assert_ptr_eq (loop_timer_queue_peek_any (&queue), &never);
  take_out (&queue, &never);
  loop_timer_queue_clear (&queue);
}
END_TEST

static guint
count_capacity (const LoopTimerQueue *queue)
{
  guint capacity = 0;

  for (guint i = 0; i < LOOP_TIMER_N_LISTS; i++)
    capacity += queue->lists[i].capacity;

  return capacity;
}

START_TEST (test_gives_memory_back)
{
  enum
  {
    N = 50000
  };
  g_autofree LoopTimerHandle *handles = g_new0 (LoopTimerHandle, N);
  LoopTimerQueue queue = { 0 };
  LoopTimerHandle *first;
  gint64 last = -1;

  for (int i = 0; i < N; i++)
    {
      handles[i].when = i * 7919 % N * (TICK / 16);
      handles[i].parent.id = (guint64) i;
      loop_timer_queue_insert (&queue, &handles[i]);
    }
  ck_assert_uint_ge (count_capacity (&queue), N);

  /* Half by cancelling, and half by their turn. */
  for (int i = 0; i < N; i += 2)
    take_out (&queue, &handles[i]);
  while ((first = loop_timer_queue_peek_due (&queue, loop_timer_queue_next (&queue))) != NULL)
    {
      ck_assert_int_gt (first->when, last);
      last = first->when;
      take_out (&queue, first);
    }
  ck_assert_uint_eq (queue.length, 0);
  ck_assert_uint_le (count_capacity (&queue), 1024 + LOOP_TIMER_N_LISTS * 16);

  loop_timer_queue_clear (&queue);
  ck_assert_uint_eq (queue.length, 0);
}
END_TEST

LOOP_TEST_MAIN ("timer-queue", test_random, test_remove_anywhere, test_ties, test_never, test_gives_memory_back)
