/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-queue.h"

#include "loop-error-private.h"
#include "loop-queue-items-private.h"
#include "loop-waiter-private.h"

/**
 * LoopQueue:
 *
 * Items on their way from tasks that put them to tasks that get them. Who gets one from an
 * empty queue waits, and so does who puts one into a full queue; both are served in the
 * order in which they came. An item is any value.
 *
 * ```c
 * while (loop_await_result (loop_queue_get (queue), &item, &error))
 *   {
 *     work_on (&item);
 *     g_value_unset (&item);
 *     loop_queue_task_done (queue, NULL);
 *   }
 * ```
 *
 * A fiber that is cancelled when it was given an item, but has not gone on yet, does not
 * have it: it is the next one in the queue again, even if that is full meanwhile.
 *
 * A queue belongs to a loop and is for that loop's thread. When it is freed, those who wait
 * end as cancelled.
 */
struct _LoopQueue
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopQueueItems *items;
  LoopWaiterQueue *getters; /* none unless it is empty */
  LoopWaiterQueue *putters; /* none unless it is full */
  LoopWaiterQueue *joiners;
  guint maxsize; /* 0 for no limit */
  guint n_unfinished;
  guint8 is_shut_down;
  guint8 is_shut_down_at_once;
};

G_DEFINE_FINAL_TYPE (LoopQueue, loop_queue, G_TYPE_OBJECT)

G_DEFINE_ENUM_TYPE (LoopQueueKind,
                    loop_queue_kind,
                    G_DEFINE_ENUM_VALUE (LOOP_QUEUE_FIFO, "fifo"),
                    G_DEFINE_ENUM_VALUE (LOOP_QUEUE_LIFO, "lifo"),
                    G_DEFINE_ENUM_VALUE (LOOP_QUEUE_PRIORITY, "priority"))

/* One who waits for room, with his item. */
typedef struct
{
  LoopWaiter parent_instance;

  GValue item;    /* until it is in the queue */
  guint64 ticket; /* of the item in the queue */
} LoopPutter;

typedef struct
{
  LoopWaiterClass parent_class;
} LoopPutterClass;

static GType loop_putter_get_type (void);

G_DEFINE_FINAL_TYPE (LoopPutter, loop_putter, LOOP_TYPE_WAITER)

static void
loop_putter_finalize (GObject *object)
{
  LoopPutter *self = (LoopPutter *) object;

  if (G_IS_VALUE (&self->item))
    g_value_unset (&self->item);

  G_OBJECT_CLASS (loop_putter_parent_class)->finalize (object);
}

static void
loop_putter_class_init (LoopPutterClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_putter_finalize;
}

static void
loop_putter_init (LoopPutter *self)
{
}

static GError *
make_shut_down_error (void)
{
  return g_error_new_literal (LOOP_ERROR, LOOP_ERROR_QUEUE_SHUT_DOWN, "The queue was shut down");
}

static void
finish_tasks (LoopQueue *self, guint n)
{
  self->n_unfinished -= MIN (n, self->n_unfinished);
  if (self->n_unfinished > 0)
    return;

  for (guint i = self->joiners->length; i > 0; i--)
    {
      LoopWaiter *joiner = loop_waiter_queue_pop (self->joiners);

      if (joiner == NULL)
        break;
      loop_future_fulfil (LOOP_FUTURE (joiner));
      g_object_unref (joiner);
    }
}

static void
hand_to_getter (LoopWaiter *getter, GValue *item)
{
  loop_waiter_hold (getter);
  loop_future_fulfil_value (LOOP_FUTURE (getter), item);
}

/* Takes @item, for the one who waits longest or for the queue. Returns: its ticket, or 0 if it is gone */
static guint64
add_item (LoopQueue *self, GValue *item)
{
  g_autoptr (LoopWaiter) getter = loop_waiter_queue_pop (self->getters);

  self->n_unfinished++;
  if (getter == NULL)
    return loop_queue_items_add (self->items, item);

  hand_to_getter (getter, item);

  return 0;
}

/* There may be room again. */
static void
let_putters_in (LoopQueue *self)
{
  while (!loop_queue_is_full (self))
    {
      g_autoptr (LoopWaiter) waiter = loop_waiter_queue_pop (self->putters);
      LoopPutter *putter = (LoopPutter *) waiter;

      if (putter == NULL)
        break;
      putter->ticket = add_item (self, &putter->item);
      loop_waiter_hold (waiter);
      loop_future_fulfil (LOOP_FUTURE (waiter));
    }
}

/* The item that a getter has and will not use. */
static void
return_item (gpointer owner, LoopWaiter *waiter)
{
  LoopQueue *self = owner;
  g_autoptr (LoopWaiter) next = NULL;
  g_auto (GValue) item = G_VALUE_INIT;

  if (!loop_future_result (LOOP_FUTURE (waiter), &item, NULL))
    return;

  if (self->is_shut_down_at_once)
    {
      finish_tasks (self, 1);
      return;
    }

  next = loop_waiter_queue_pop (self->getters);
  if (next != NULL)
    hand_to_getter (next, &item);
  else
    loop_queue_items_put_back (self->items, &item);
}

/* The item of a putter that was told that it is not in the queue; if it is there still. */
static void
withdraw_item (gpointer owner, LoopWaiter *waiter)
{
  LoopQueue *self = owner;
  LoopPutter *putter = (LoopPutter *) waiter;

  if (putter->ticket == 0 || !loop_queue_items_withdraw (self->items, putter->ticket))
    return;

  let_putters_in (self);
  finish_tasks (self, 1);
}

static const LoopWaiterKind get_kind = { "queue_get", return_item };
static const LoopWaiterKind put_kind = { "queue_put", withdraw_item };
static const LoopWaiterKind join_kind = { "queue_join", NULL };

static void
bury_items (gpointer items)
{
  loop_queue_items_free (items);
}

static void
loop_queue_dispose (GObject *object)
{
  LoopQueue *self = LOOP_QUEUE (object);

  loop_waiter_queue_free (g_steal_pointer (&self->getters), self->loop);
  loop_waiter_queue_free (g_steal_pointer (&self->putters), self->loop);
  loop_waiter_queue_free (g_steal_pointer (&self->joiners), self->loop);
  if (self->items != NULL)
    loop_event_loop_bury (self->loop, g_steal_pointer (&self->items), bury_items);
  g_clear_object (&self->loop);

  G_OBJECT_CLASS (loop_queue_parent_class)->dispose (object);
}

static void
loop_queue_class_init (LoopQueueClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_queue_dispose;
}

static void
loop_queue_init (LoopQueue *self)
{
  self->getters = loop_waiter_queue_new ("The queue was freed");
  self->putters = loop_waiter_queue_new ("The queue was freed");
  self->joiners = loop_waiter_queue_new ("The queue was freed");
}

static LoopQueue *
queue_new (LoopEventLoop *loop, guint maxsize, LoopQueueItems *items)
{
  LoopQueue *self = g_object_new (LOOP_TYPE_QUEUE, NULL);

  self->loop = g_object_ref (loop);
  self->maxsize = maxsize;
  self->items = items;

  return self;
}

/**
 * loop_queue_new:
 * @loop: an event loop
 * @maxsize: for how many items there is room; 0 for any number
 *
 * Makes a queue from which items come in the order in which they were put.
 *
 * Returns: (transfer full): the queue
 */
LoopQueue *
loop_queue_new (LoopEventLoop *loop, guint maxsize)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);

  return queue_new (loop, maxsize, loop_queue_items_new (LOOP_QUEUE_FIFO, NULL, NULL, NULL));
}

/**
 * loop_queue_new_lifo:
 * @loop: an event loop
 * @maxsize: for how many items there is room; 0 for any number
 *
 * Makes a queue from which the item that was put last comes first.
 *
 * Returns: (transfer full): the queue
 */
LoopQueue *
loop_queue_new_lifo (LoopEventLoop *loop, guint maxsize)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);

  return queue_new (loop, maxsize, loop_queue_items_new (LOOP_QUEUE_LIFO, NULL, NULL, NULL));
}

/**
 * loop_queue_new_priority:
 * @loop: an event loop
 * @maxsize: for how many items there is room; 0 for any number
 * @compare: (scope notified) (closure user_data) (destroy notify): tells which of two items
 *   comes first
 * @user_data: data for @compare
 * @notify: frees @user_data
 *
 * Makes a queue from which the smallest item comes first, and of equal ones the one that
 * was put first.
 *
 * Returns: (transfer full): the queue
 */
LoopQueue *
loop_queue_new_priority (LoopEventLoop *loop,
                         guint maxsize,
                         LoopQueueCompareFunc compare,
                         gpointer user_data,
                         GDestroyNotify notify)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (compare != NULL, NULL);

  return queue_new (loop, maxsize, loop_queue_items_new (LOOP_QUEUE_PRIORITY, compare, user_data, notify));
}

/**
 * loop_queue_get_kind:
 * @self: a queue
 *
 * Gets which item comes next.
 *
 * Returns: the kind of the queue
 */
LoopQueueKind
loop_queue_get_kind (LoopQueue *self)
{
  g_return_val_if_fail (LOOP_IS_QUEUE (self), LOOP_QUEUE_FIFO);

  return self->items->kind;
}

/**
 * loop_queue_get_size:
 * @self: a queue
 *
 * Gets how many items there are in the queue.
 *
 * Returns: a number of items
 */
guint
loop_queue_get_size (LoopQueue *self)
{
  g_return_val_if_fail (LOOP_IS_QUEUE (self), 0);

  return loop_queue_items_get_length (self->items);
}

/**
 * loop_queue_get_maxsize:
 * @self: a queue
 *
 * Gets for how many items there is room.
 *
 * Returns: a number of items, 0 for any
 */
guint
loop_queue_get_maxsize (LoopQueue *self)
{
  g_return_val_if_fail (LOOP_IS_QUEUE (self), 0);

  return self->maxsize;
}

/**
 * loop_queue_is_empty:
 * @self: a queue
 *
 * Tells whether there is no item in the queue.
 *
 * Returns: %TRUE if there is none
 */
gboolean
loop_queue_is_empty (LoopQueue *self)
{
  g_return_val_if_fail (LOOP_IS_QUEUE (self), TRUE);

  return loop_queue_items_get_length (self->items) == 0;
}

/**
 * loop_queue_is_full:
 * @self: a queue
 *
 * Tells whether there is no room in the queue.
 *
 * Returns: %TRUE if there is none
 */
gboolean
loop_queue_is_full (LoopQueue *self)
{
  g_return_val_if_fail (LOOP_IS_QUEUE (self), FALSE);

  return self->maxsize > 0 && loop_queue_items_get_length (self->items) >= self->maxsize;
}

static void
copy_item (const GValue *item, GValue *copy)
{
  g_value_init (copy, item != NULL && G_IS_VALUE (item) ? G_VALUE_TYPE (item) : G_TYPE_POINTER);
  if (item != NULL && G_IS_VALUE (item))
    g_value_copy (item, copy);
}

/**
 * loop_queue_put:
 * @self: a queue
 * @item: (nullable): an item; %NULL stands for a null pointer
 *
 * Puts an item into the queue, and waits for room before if it is full. Cancelling the
 * future gives up the place of those who wait.
 *
 * Returns: (transfer full): a future, done when the item is in the queue, without a result;
 *   it has failed with %LOOP_ERROR_QUEUE_SHUT_DOWN if the queue is or was shut down, and with
 *   %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_queue_put (LoopQueue *self, const GValue *item)
{
  LoopPutter *putter;
  LoopWaiter *waiter;

  g_return_val_if_fail (LOOP_IS_QUEUE (self), NULL);

  putter = loop_waiter_new (loop_putter_get_type (), self->loop, &put_kind, self);
  waiter = &putter->parent_instance;
  if (!loop_waiter_is_pending (waiter))
    return LOOP_FUTURE (waiter);

  if (self->is_shut_down)
    {
      loop_future_fail (LOOP_FUTURE (waiter), make_shut_down_error ());
      return LOOP_FUTURE (waiter);
    }

  copy_item (item, &putter->item);
  loop_waiter_queue_push (self->putters, waiter);
  let_putters_in (self);

  return LOOP_FUTURE (waiter);
}

/**
 * loop_queue_put_nowait:
 * @self: a queue
 * @item: (nullable): an item; %NULL stands for a null pointer
 * @error: return location for an error
 *
 * Puts an item into the queue if there is room.
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_QUEUE_FULL or %LOOP_ERROR_QUEUE_SHUT_DOWN
 */
gboolean
loop_queue_put_nowait (LoopQueue *self, const GValue *item, GError **error)
{
  g_auto (GValue) copy = G_VALUE_INIT;

  g_return_val_if_fail (LOOP_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (self->is_shut_down)
    {
      g_propagate_error (error, make_shut_down_error ());
      return FALSE;
    }

  if (loop_queue_is_full (self))
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_QUEUE_FULL, "The queue is full");
      return FALSE;
    }

  copy_item (item, &copy);
  add_item (self, &copy);

  return TRUE;
}

/**
 * loop_queue_get:
 * @self: a queue
 *
 * Takes the next item out of the queue, or waits for one. Cancelling the future gives up
 * the place of those who wait.
 *
 * Returns: (transfer full): a future, whose result is the item; it has failed with
 *   %LOOP_ERROR_QUEUE_SHUT_DOWN if the queue is empty and is or was shut down, and with
 *   %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_queue_get (LoopQueue *self)
{
  LoopWaiter *waiter;

  g_return_val_if_fail (LOOP_IS_QUEUE (self), NULL);

  waiter = loop_waiter_new (LOOP_TYPE_WAITER, self->loop, &get_kind, self);
  if (!loop_waiter_is_pending (waiter))
    return LOOP_FUTURE (waiter);

  if (!loop_queue_is_empty (self))
    {
      g_auto (GValue) item = G_VALUE_INIT;

      loop_queue_items_take (self->items, &item);
      hand_to_getter (waiter, &item);
      let_putters_in (self);
    }
  else if (self->is_shut_down)
    {
      loop_future_fail (LOOP_FUTURE (waiter), make_shut_down_error ());
    }
  else
    {
      loop_waiter_queue_push (self->getters, waiter);
    }

  return LOOP_FUTURE (waiter);
}

/**
 * loop_queue_get_nowait:
 * @self: a queue
 * @item: (out caller-allocates): return location for the item, uninitialised
 * @error: return location for an error
 *
 * Takes the next item out of the queue if there is one.
 *
 * Returns: (skip): %TRUE, or %FALSE with %LOOP_ERROR_QUEUE_EMPTY, or with
 *   %LOOP_ERROR_QUEUE_SHUT_DOWN if there will be no more
 */
gboolean
loop_queue_get_nowait (LoopQueue *self, GValue *item, GError **error)
{
  g_return_val_if_fail (LOOP_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (item != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (loop_queue_is_empty (self))
    {
      if (self->is_shut_down)
        g_propagate_error (error, make_shut_down_error ());
      else
        g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_QUEUE_EMPTY, "The queue is empty");
      return FALSE;
    }

  loop_queue_items_take (self->items, item);
  let_putters_in (self);

  return TRUE;
}

/**
 * loop_queue_task_done:
 * @self: a queue
 * @error: return location for an error
 *
 * Tells the queue that the work on an item that was taken out is done, for
 * [method@Queue.join].
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_INVALID_STATE if that was told for all items
 *   that were ever put
 */
gboolean
loop_queue_task_done (LoopQueue *self, GError **error)
{
  g_return_val_if_fail (LOOP_IS_QUEUE (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (self->n_unfinished == 0)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "No item of the queue is left to be done");
      return FALSE;
    }

  finish_tasks (self, 1);

  return TRUE;
}

/**
 * loop_queue_join:
 * @self: a queue
 *
 * Waits until [method@Queue.task_done] has been called for every item that was put.
 *
 * Returns: (transfer full): a future without a result; it has failed with
 *   %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_queue_join (LoopQueue *self)
{
  LoopWaiter *waiter;

  g_return_val_if_fail (LOOP_IS_QUEUE (self), NULL);

  waiter = loop_waiter_new (LOOP_TYPE_WAITER, self->loop, &join_kind, self);
  if (!loop_waiter_is_pending (waiter))
    return LOOP_FUTURE (waiter);

  if (self->n_unfinished > 0)
    loop_waiter_queue_push (self->joiners, waiter);
  else
    loop_future_fulfil (LOOP_FUTURE (waiter));

  return LOOP_FUTURE (waiter);
}

/**
 * loop_queue_shutdown:
 * @self: a queue
 * @immediate: whether what is still in the queue is dropped
 *
 * Lets nothing more into the queue: those who put fail with %LOOP_ERROR_QUEUE_SHUT_DOWN,
 * and those who get once it is empty. What is dropped counts as done for
 * [method@Queue.join].
 */
void
loop_queue_shutdown (LoopQueue *self, gboolean immediate)
{
  g_autoptr (GError) error = NULL;

  g_return_if_fail (LOOP_IS_QUEUE (self));

  error = make_shut_down_error ();
  self->is_shut_down = TRUE;
  loop_waiter_queue_fail (self->getters, error);
  loop_waiter_queue_fail (self->putters, error);
  if (!immediate)
    return;

  self->is_shut_down_at_once = TRUE;
  while (!loop_queue_is_empty (self))
    {
      g_auto (GValue) item = G_VALUE_INIT;

      loop_queue_items_take (self->items, &item);
      finish_tasks (self, 1);
    }
}
