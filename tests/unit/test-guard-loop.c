/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-event-loop-private.h"
#include "loop-fd-watcher.h"
#include "loop-future.h"

#include <sys/eventfd.h>
#include <unistd.h>

/*
 * An inspector that holds a loop's guard finds all of its structures whole, whatever the loop is doing:
 * queues that lead back to their heads, a heap of timers that are timers, lists as long as they say.
 */

typedef struct
{
  LoopEventLoop *loop;
  int is_over; /* atomic */
  int n_holds;
  int n_ready;
  int n_timers;
  int n_futures;
  int n_current;
} Fixture;

static void
check_item (const LoopReadyItem *item)
{
  LoopDescription description = { .fd = -1 };

  loop_ready_item_describe (item, &description);
  ck_assert_uint_gt (description.id, 0);
  ck_assert_ptr_nonnull (description.kind);
}

static int
check_queue (const LoopReadyQueue *queue)
{
  int n = 0;

  for (const LoopReadyItem *item = queue->head.next; item != &queue->head; item = item->next)
    {
      ck_assert_ptr_eq (item->next->prev, item);
      ck_assert_ptr_eq (item->prev->next, item);
      n++;

      if (item->kind == LOOP_ITEM_CALLS)
        ck_assert_uint_lt (((const LoopCallBatch *) item)->next, ((const LoopCallBatch *) item)->n_calls);
      else
        check_item (item);
    }

  return n;
}

static gpointer
inspect (gpointer data)
{
  Fixture *f = data;
  LoopEventLoop *loop = f->loop;

  while (!g_atomic_int_get (&f->is_over))
    {
      guint64 n_futures = 0;

      ck_assert (loop_guard_hold (&loop->guard, 10 * G_USEC_PER_SEC));
      f->n_holds++;
      f->n_ready += check_queue (&loop->ready) + check_queue (&loop->batch);

      LOOP_TIMER_QUEUE_FOREACH (&loop->timers, entry)
      {
        ck_assert_int_eq (entry->handle->when, entry->when);
        check_item (&entry->handle->parent.item);
        f->n_timers++;
      }

      LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_FUTURES, node)
        {
          ck_assert_ptr_eq (node->next->prev, node);
          n_futures++;
        }
      ck_assert_uint_eq (n_futures, loop->registry.lengths[LOOP_REGISTRY_FUTURES]);
      f->n_futures += (int) n_futures;

      if (loop->current.item != NULL)
        {
          check_item (loop->current.item);
          f->n_current++;
        }

      for (guint i = 0; i < loop->poller.n_slots; i++)
        {
          LoopWatch *watch = loop->poller.watches[i];

          if (watch == NULL)
            continue;
          ck_assert_int_eq (watch->fd, (int) i);
          check_item (&watch->reader);
        }
      loop_guard_release (&loop->guard);

      if (f->n_holds % 16 == 0)
        g_usleep (100);
    }

  return NULL;
}

typedef struct
{
  Fixture *f;
  int fds[8];
  int n_left;
  LoopTimerHandle *timers[32];
  LoopFuture *futures[16];
} Work;

static void
ready (gpointer data)
{
}

/* A little of everything, over and over. */
static void
work (gpointer data)
{
  Work *self = data;
  LoopEventLoop *loop = self->f->loop;
  int i = self->n_left;
  LoopTimerHandle **timer = &self->timers[i % 32];
  LoopFuture **future = &self->futures[i % 16];
  int fd = self->fds[i % 8];

  if (*timer != NULL)
    {
      loop_timer_handle_cancel (*timer);
      loop_timer_handle_unref (*timer);
    }
  *timer = loop_timer_handle_ref (loop_event_loop_call_later (loop, (i % 5) * 0.0001, do_nothing, NULL, NULL));

  g_clear_object (future);
  *future = loop_event_loop_create_future (loop);
  if (i % 3 == 0)
    ck_assert (loop_future_set_result (*future, NULL, NULL));

  if (!loop_event_loop_remove_reader (loop, fd))
    ck_assert (loop_event_loop_add_reader (loop, fd, ready, self, NULL));

  loop_handle_cancel (loop_event_loop_call_soon (loop, do_nothing, NULL, NULL));
  loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, do_nothing, NULL, NULL, NULL, NULL));

  if (--self->n_left > 0)
    loop_event_loop_call_soon (loop, work, self, NULL);
  else
    loop_event_loop_stop (loop);
}

START_TEST (test_structures_are_whole)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Fixture f = { loop };
#if defined(LOOP_WITH_TSAN) || defined(LOOP_WITH_ASAN)
  Work self = { .f = &f, .n_left = 2000 };
#else
  Work self = { .f = &f, .n_left = 30000 };
#endif
  GThread *thread;

  for (int i = 0; i < 8; i++)
    self.fds[i] = eventfd (1, EFD_CLOEXEC | EFD_NONBLOCK);
  thread = g_thread_new ("inspector", inspect, &f);
  loop_event_loop_call_soon (loop, work, &self, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  g_atomic_int_set (&f.is_over, TRUE);
  g_thread_join (thread);

  /* And it has seen something. */
  ck_assert_int_gt (f.n_holds, 10);
  ck_assert_int_gt (f.n_timers, 0);
  ck_assert_int_gt (f.n_futures, 0);

  for (int i = 0; i < 32; i++)
    loop_timer_handle_unref (self.timers[i]);
  for (int i = 0; i < 16; i++)
    g_object_unref (self.futures[i]);
  for (int i = 0; i < 8; i++)
    {
      loop_event_loop_remove_reader (loop, self.fds[i]);
      close (self.fds[i]);
    }
}
END_TEST

/* While a callback blocks the loop, the inspector finds it at once, and finds the others waiting. */
typedef struct
{
  LoopEventLoop *loop;
  guint64 blocking_id;
  int is_blocked; /* atomic */
  int is_over;    /* atomic */
} Blocker;

static void
block (gpointer data)
{
  Blocker *self = data;

  g_atomic_int_set (&self->is_blocked, TRUE);
  while (!g_atomic_int_get (&self->is_over))
    g_usleep (1000);
}

static gpointer
look_at_blocker (gpointer data)
{
  Blocker *self = data;
  LoopDescription description = { .fd = -1 };

  while (!g_atomic_int_get (&self->is_blocked))
    g_usleep (1000);

  ck_assert (loop_guard_hold (&self->loop->guard, 200000));
  ck_assert_ptr_nonnull (self->loop->current.item);
  loop_ready_item_describe (self->loop->current.item, &description);
  ck_assert_uint_eq (description.id, self->blocking_id);
  ck_assert_str_eq (description.name, "the culprit");
  ck_assert_int_eq (check_queue (&self->loop->batch), 2);
  loop_guard_release (&self->loop->guard);
  g_atomic_int_set (&self->is_over, TRUE);

  return NULL;
}

START_TEST (test_blocked_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Blocker blocker = { loop };
  LoopHandle *handle;
  GThread *thread;

  loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  handle = loop_event_loop_call_soon (loop, block, &blocker, NULL);
  loop_handle_set_name (handle, "the culprit");
  blocker.blocking_id = loop_handle_get_id (handle);
  loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);

  thread = g_thread_new ("inspector", look_at_blocker, &blocker);
  run_once (loop);
  g_thread_join (thread);
}
END_TEST

LOOP_TEST_MAIN ("guard-loop", test_structures_are_whole, test_blocked_loop)
