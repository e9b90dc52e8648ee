/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event.h"

#include "loop-waiter-private.h"

/**
 * LoopEvent:
 *
 * Something that happens, for which any number of tasks can wait: a flag that is set, and
 * may be cleared again.
 *
 * An event belongs to a loop and is for that loop's thread. When it is freed, those who
 * wait for it end as cancelled.
 */
struct _LoopEvent
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopWaiterQueue *waiters; /* none if it is set */
  gboolean is_set;
};

G_DEFINE_FINAL_TYPE (LoopEvent, loop_event, G_TYPE_OBJECT)

static const LoopWaiterKind wait_kind = { "event_wait", NULL };

static void
loop_event_dispose (GObject *object)
{
  LoopEvent *self = LOOP_EVENT (object);

  loop_waiter_queue_free (g_steal_pointer (&self->waiters), self->loop);
  g_clear_object (&self->loop);

  G_OBJECT_CLASS (loop_event_parent_class)->dispose (object);
}

static void
loop_event_class_init (LoopEventClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_event_dispose;
}

static void
loop_event_init (LoopEvent *self)
{
  self->waiters = loop_waiter_queue_new ("The event was freed");
}

/**
 * loop_event_new:
 * @loop: an event loop
 *
 * Makes an event that is not set.
 *
 * Returns: (transfer full): the event
 */
LoopEvent *
loop_event_new (LoopEventLoop *loop)
{
  LoopEvent *self;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);

  self = g_object_new (LOOP_TYPE_EVENT, NULL);
  self->loop = g_object_ref (loop);

  return self;
}

/**
 * loop_event_set:
 * @self: an event
 *
 * Sets the event. All who wait for it go on, even if it is cleared at once.
 */
void
loop_event_set (LoopEvent *self)
{
  g_return_if_fail (LOOP_IS_EVENT (self));

  self->is_set = TRUE;
  while (loop_waiter_queue_grant_first (self->waiters))
    ;
}

/**
 * loop_event_clear:
 * @self: an event
 *
 * Clears the event: [method@Event.wait] waits from now on.
 */
void
loop_event_clear (LoopEvent *self)
{
  g_return_if_fail (LOOP_IS_EVENT (self));

  self->is_set = FALSE;
}

/**
 * loop_event_is_set:
 * @self: an event
 *
 * Tells whether the event is set.
 *
 * Returns: %TRUE if it is
 */
gboolean
loop_event_is_set (LoopEvent *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT (self), FALSE);

  return self->is_set;
}

/**
 * loop_event_wait:
 * @self: an event
 *
 * Waits until the event is set.
 *
 * Returns: (transfer full): a future, done when the event is or was set, whose result is
 *   %TRUE; it has failed with %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_event_wait (LoopEvent *self)
{
  LoopWaiter *waiter;

  g_return_val_if_fail (LOOP_IS_EVENT (self), NULL);

  waiter = loop_waiter_new (LOOP_TYPE_WAITER, self->loop, &wait_kind, self);
  if (!loop_waiter_is_pending (waiter))
    return LOOP_FUTURE (waiter);

  if (self->is_set)
    loop_waiter_grant (waiter);
  else
    loop_waiter_queue_push (self->waiters, waiter);

  return LOOP_FUTURE (waiter);
}
