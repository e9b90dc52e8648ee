/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-lock-private.h"

#include "loop-error-private.h"

/**
 * LoopLock:
 *
 * A lock for tasks: one of them has it at a time, and the others wait their turn while the
 * loop goes on. It is not for threads.
 *
 * ```c
 * if (!loop_await_result (loop_lock_acquire (lock), NULL, error))
 *   return FALSE;
 * success = talk (connection, error);
 * loop_lock_release (lock, NULL);
 * ```
 *
 * It is handed over in the order in which it was asked for. A fiber that is cancelled when
 * it was given the lock, but has not gone on yet, does not have it: the next one has.
 *
 * A lock belongs to a loop and is for that loop's thread. When it is freed, those who wait
 * for it end as cancelled.
 */
struct _LoopLock
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopWaiterQueue *waiters; /* none unless it is locked */
  gboolean is_locked;
};

G_DEFINE_FINAL_TYPE (LoopLock, loop_lock, G_TYPE_OBJECT)

static void
give_back (gpointer owner, LoopWaiter *waiter)
{
  loop_lock_pass_on (owner);
}

static const LoopWaiterKind acquire_kind = { "lock_acquire", give_back };

static void
loop_lock_dispose (GObject *object)
{
  LoopLock *self = LOOP_LOCK (object);

  loop_waiter_queue_free (g_steal_pointer (&self->waiters), self->loop);
  g_clear_object (&self->loop);

  G_OBJECT_CLASS (loop_lock_parent_class)->dispose (object);
}

static void
loop_lock_class_init (LoopLockClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_lock_dispose;
}

static void
loop_lock_init (LoopLock *self)
{
  self->waiters = loop_waiter_queue_new ("The lock was freed");
}

LoopEventLoop *
loop_lock_get_loop (LoopLock *self)
{
  return self->loop;
}

/* Gives @waiter the lock, or has it wait its turn. */
void
loop_lock_enter (LoopLock *self, LoopWaiter *waiter)
{
  if (self->is_locked)
    {
      loop_waiter_queue_push (self->waiters, waiter);
      return;
    }

  self->is_locked = TRUE;
  loop_waiter_grant (waiter);
}

/* From whoever has it to the next one. */
void
loop_lock_pass_on (LoopLock *self)
{
  /* It stays locked: nobody can come in between. */
  if (!loop_waiter_queue_grant_first (self->waiters))
    self->is_locked = FALSE;
}

/**
 * loop_lock_new:
 * @loop: an event loop
 *
 * Makes a lock that nobody has.
 *
 * Returns: (transfer full): the lock
 */
LoopLock *
loop_lock_new (LoopEventLoop *loop)
{
  LoopLock *self;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);

  self = g_object_new (LOOP_TYPE_LOCK, NULL);
  self->loop = g_object_ref (loop);

  return self;
}

/**
 * loop_lock_acquire:
 * @self: a lock
 *
 * Waits for the lock. Cancelling the future gives up the place in the queue.
 *
 * Returns: (transfer full): a future, done when the caller has the lock, whose result is
 *   %TRUE; it has failed with %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_lock_acquire (LoopLock *self)
{
  LoopWaiter *waiter;

  g_return_val_if_fail (LOOP_IS_LOCK (self), NULL);

  waiter = loop_waiter_new (LOOP_TYPE_WAITER, self->loop, &acquire_kind, self);
  if (loop_waiter_is_pending (waiter))
    loop_lock_enter (self, waiter);

  return LOOP_FUTURE (waiter);
}

/**
 * loop_lock_release:
 * @self: a lock
 * @error: return location for an error
 *
 * Hands the lock to the one who has waited longest, or unlocks it.
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_INVALID_STATE if it is not locked
 */
gboolean
loop_lock_release (LoopLock *self, GError **error)
{
  g_return_val_if_fail (LOOP_IS_LOCK (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!self->is_locked)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "The lock is not locked");
      return FALSE;
    }

  loop_lock_pass_on (self);

  return TRUE;
}

/**
 * loop_lock_locked:
 * @self: a lock
 *
 * Tells whether somebody has the lock.
 *
 * Returns: %TRUE if it is locked
 */
gboolean
loop_lock_locked (LoopLock *self)
{
  g_return_val_if_fail (LOOP_IS_LOCK (self), FALSE);

  return self->is_locked;
}
