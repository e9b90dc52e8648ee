/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-semaphore.h"

#include "loop-error-private.h"
#include "loop-waiter-private.h"

/**
 * LoopSemaphore:
 *
 * A counter of what is still to be had, such as connections that may be open at a time:
 * [method@Semaphore.acquire] takes one, or waits until [method@Semaphore.release] adds
 * one. They are given out in the order in which they were asked for.
 *
 * A semaphore belongs to a loop and is for that loop's thread. When it is freed, those who
 * wait end as cancelled.
 */
struct _LoopSemaphore
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopWaiterQueue *waiters; /* none unless the value is 0 */
  guint value;
  guint bound;
};

G_DEFINE_FINAL_TYPE (LoopSemaphore, loop_semaphore, G_TYPE_OBJECT)

static void
add_one (LoopSemaphore *self)
{
  if (!loop_waiter_queue_grant_first (self->waiters))
    self->value++;
}

static void
give_back (gpointer owner, LoopWaiter *waiter)
{
  add_one (owner);
}

static const LoopWaiterKind acquire_kind = { "semaphore_acquire", give_back };

static void
loop_semaphore_dispose (GObject *object)
{
  LoopSemaphore *self = LOOP_SEMAPHORE (object);

  loop_waiter_queue_free (g_steal_pointer (&self->waiters), self->loop);
  g_clear_object (&self->loop);

  G_OBJECT_CLASS (loop_semaphore_parent_class)->dispose (object);
}

static void
loop_semaphore_class_init (LoopSemaphoreClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_semaphore_dispose;
}

static void
loop_semaphore_init (LoopSemaphore *self)
{
  self->waiters = loop_waiter_queue_new ("The semaphore was freed");
}

/**
 * loop_semaphore_new:
 * @loop: an event loop
 * @value: how many there are to be had
 *
 * Makes a semaphore.
 *
 * Returns: (transfer full): the semaphore
 */
LoopSemaphore *
loop_semaphore_new (LoopEventLoop *loop, guint value)
{
  LoopSemaphore *self;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);

  self = g_object_new (LOOP_TYPE_SEMAPHORE, NULL);
  self->loop = g_object_ref (loop);
  self->value = value;
  self->bound = G_MAXUINT;

  return self;
}

/**
 * loop_semaphore_new_bounded:
 * @loop: an event loop
 * @value: how many there are to be had
 *
 * Makes a semaphore of which never more than @value are to be had: releasing one that was
 * not acquired is an error.
 *
 * Returns: (transfer full): the semaphore
 */
LoopSemaphore *
loop_semaphore_new_bounded (LoopEventLoop *loop, guint value)
{
  LoopSemaphore *self = loop_semaphore_new (loop, value);

  if (self != NULL)
    self->bound = value;

  return self;
}

/**
 * loop_semaphore_acquire:
 * @self: a semaphore
 *
 * Takes one, or waits for one. Cancelling the future gives up the place in the queue.
 *
 * Returns: (transfer full): a future, done when the caller has one, whose result is %TRUE;
 *   it has failed with %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_semaphore_acquire (LoopSemaphore *self)
{
  LoopWaiter *waiter;

  g_return_val_if_fail (LOOP_IS_SEMAPHORE (self), NULL);

  waiter = loop_waiter_new (LOOP_TYPE_WAITER, self->loop, &acquire_kind, self);
  if (!loop_waiter_is_pending (waiter))
    return LOOP_FUTURE (waiter);

  if (self->value == 0)
    {
      loop_waiter_queue_push (self->waiters, waiter);
      return LOOP_FUTURE (waiter);
    }

  self->value--;
  loop_waiter_grant (waiter);

  return LOOP_FUTURE (waiter);
}

/**
 * loop_semaphore_release:
 * @self: a semaphore
 * @error: return location for an error
 *
 * Gives one to the one who has waited longest, or adds it to those that are to be had.
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_INVALID_STATE if the semaphore is bounded and
 *   all are to be had already
 */
gboolean
loop_semaphore_release (LoopSemaphore *self, GError **error)
{
  g_return_val_if_fail (LOOP_IS_SEMAPHORE (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (self->value >= self->bound)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "The semaphore was released too many times");
      return FALSE;
    }

  add_one (self);

  return TRUE;
}

/**
 * loop_semaphore_locked:
 * @self: a semaphore
 *
 * Tells whether [method@Semaphore.acquire] would have to wait.
 *
 * Returns: %TRUE if none is to be had
 */
gboolean
loop_semaphore_locked (LoopSemaphore *self)
{
  g_return_val_if_fail (LOOP_IS_SEMAPHORE (self), FALSE);

  return self->value == 0;
}

/**
 * loop_semaphore_get_value:
 * @self: a semaphore
 *
 * Gets how many are to be had.
 *
 * Returns: a number, 0 if one would have to wait
 */
guint
loop_semaphore_get_value (LoopSemaphore *self)
{
  g_return_val_if_fail (LOOP_IS_SEMAPHORE (self), 0);

  return self->value;
}
