/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-ready-queue-private.h"

/* The intrusive queue, against an array. */

static void
check_queue (LoopReadyQueue *queue, LoopReadyItem *const *expected, int n)
{
  const LoopReadyItem *item = queue->head.next;

  ck_assert_int_eq (loop_ready_queue_is_empty (queue), n == 0);
  for (int i = 0; i < n; i++, item = item->next)
    {
      ck_assert_ptr_eq (item, expected[i]);
      ck_assert_ptr_eq (item->next->prev, item);
      ck_assert (loop_ready_item_is_queued (item));
    }
  ck_assert_ptr_eq (item, &queue->head);
}

START_TEST (test_push_and_pop)
{
  LoopReadyItem items[3] = { 0 };
  LoopReadyQueue queue;

  loop_ready_queue_init (&queue);
  check_queue (&queue, NULL, 0);
  ck_assert_ptr_null (loop_ready_queue_pop (&queue));

  for (int i = 0; i < 3; i++)
    {
      ck_assert (!loop_ready_item_is_queued (&items[i]));
      loop_ready_queue_push (&queue, &items[i]);
    }
  check_queue (&queue, (LoopReadyItem *[]) { &items[0], &items[1], &items[2] }, 3);

  ck_assert_ptr_eq (loop_ready_queue_pop (&queue), &items[0]);
  ck_assert (!loop_ready_item_is_queued (&items[0]));
  loop_ready_queue_push (&queue, &items[0]);
  check_queue (&queue, (LoopReadyItem *[]) { &items[1], &items[2], &items[0] }, 3);
}
END_TEST

START_TEST (test_push_front)
{
  LoopReadyItem items[3] = { 0 };
  LoopReadyQueue queue;

  loop_ready_queue_init (&queue);
  loop_ready_queue_push_front (&queue, &items[0]);
  loop_ready_queue_push (&queue, &items[1]);
  loop_ready_queue_push_front (&queue, &items[2]);
  check_queue (&queue, (LoopReadyItem *[]) { &items[2], &items[0], &items[1] }, 3);
}
END_TEST

START_TEST (test_unqueue)
{
  LoopReadyItem items[4] = { 0 };
  LoopReadyQueue queue;

  loop_ready_queue_init (&queue);
  for (int i = 0; i < 4; i++)
    loop_ready_queue_push (&queue, &items[i]);

  loop_ready_item_unqueue (&items[2]);
  ck_assert (!loop_ready_item_is_queued (&items[2]));
  check_queue (&queue, (LoopReadyItem *[]) { &items[0], &items[1], &items[3] }, 3);
  loop_ready_item_unqueue (&items[0]);
  loop_ready_item_unqueue (&items[3]);
  check_queue (&queue, (LoopReadyItem *[]) { &items[1] }, 1);
  loop_ready_item_unqueue (&items[1]);
  check_queue (&queue, NULL, 0);
}
END_TEST

START_TEST (test_splice)
{
  LoopReadyItem items[4] = { 0 };
  LoopReadyQueue queue;
  LoopReadyQueue other;

  loop_ready_queue_init (&queue);
  loop_ready_queue_init (&other);

  /* Nothing to nothing, something to nothing, nothing to something, something to something. */
  loop_ready_queue_splice (&queue, &other);
  check_queue (&queue, NULL, 0);

  loop_ready_queue_push (&other, &items[0]);
  loop_ready_queue_push (&other, &items[1]);
  loop_ready_queue_splice (&queue, &other);
  check_queue (&queue, (LoopReadyItem *[]) { &items[0], &items[1] }, 2);
  check_queue (&other, NULL, 0);

  loop_ready_queue_splice (&queue, &other);
  check_queue (&queue, (LoopReadyItem *[]) { &items[0], &items[1] }, 2);

  loop_ready_queue_push (&other, &items[2]);
  loop_ready_queue_push (&other, &items[3]);
  loop_ready_queue_splice (&queue, &other);
  check_queue (&queue, (LoopReadyItem *[]) { &items[0], &items[1], &items[2], &items[3] }, 4);
  check_queue (&other, NULL, 0);

  /* One that came with the others is taken out like any other. */
  loop_ready_item_unqueue (&items[2]);
  check_queue (&queue, (LoopReadyItem *[]) { &items[0], &items[1], &items[3] }, 3);
}
END_TEST

START_TEST (test_random)
{
  enum
  {
    N = 40
  };
  LoopReadyItem items[N] = { 0 };
  LoopReadyItem *model[N];
  LoopReadyQueue queue;
  int n = 0;

  g_random_set_seed (3);
  loop_ready_queue_init (&queue);

  for (int round = 0; round < 5000; round++)
    {
      LoopReadyItem *item = &items[g_random_int_range (0, N)];

      if (g_random_int_range (0, 5) == 0)
        {
          LoopReadyItem *popped = loop_ready_queue_pop (&queue);

          ck_assert_ptr_eq (popped, n > 0 ? model[0] : NULL);
          if (n > 0)
            memmove (model, model + 1, (gsize) --n * sizeof model[0]);
        }
      else if (!loop_ready_item_is_queued (item))
        {
          loop_ready_queue_push (&queue, item);
          model[n++] = item;
        }
      else
        {
          int i = 0;

          while (model[i] != item)
            i++;
          loop_ready_item_unqueue (item);
          memmove (model + i, model + i + 1, (gsize) (n - i - 1) * sizeof model[0]);
          n--;
        }
      check_queue (&queue, model, n);
    }
}
END_TEST

LOOP_TEST_MAIN ("ready-queue", test_push_and_pop, test_push_front, test_unqueue, test_splice, test_random)
