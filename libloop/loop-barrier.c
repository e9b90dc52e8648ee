/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-barrier.h"

#include "loop-error-private.h"
#include "loop-waiter-private.h"

/**
 * LoopBarrier:
 *
 * A point in their work at which a number of tasks wait until all of them have reached it.
 * Then they go on together, and the barrier is there for the next time.
 *
 * One that is cancelled while it waits leaves the barrier: another one has to come in its
 * place. Where none will, [method@Barrier.abort] tells those who wait.
 *
 * A barrier belongs to a loop and is for that loop's thread. When it is freed, those who
 * wait end as cancelled.
 */
struct _LoopBarrier
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopWaiterQueue *waiters; /* fewer than the parties; none if it is broken */
  guint parties;
  gboolean is_broken;
};

G_DEFINE_FINAL_TYPE (LoopBarrier, loop_barrier, G_TYPE_OBJECT)

static const LoopWaiterKind wait_kind = { "barrier_wait", NULL };

static void
loop_barrier_dispose (GObject *object)
{
  LoopBarrier *self = LOOP_BARRIER (object);

  loop_waiter_queue_free (g_steal_pointer (&self->waiters), self->loop);
  g_clear_object (&self->loop);

  G_OBJECT_CLASS (loop_barrier_parent_class)->dispose (object);
}

static void
loop_barrier_class_init (LoopBarrierClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_barrier_dispose;
}

static void
loop_barrier_init (LoopBarrier *self)
{
  self->waiters = loop_waiter_queue_new ("The barrier was freed");
}

/**
 * loop_barrier_new:
 * @loop: an event loop
 * @parties: for how many it waits, 1 at least
 *
 * Makes a barrier.
 *
 * Returns: (transfer full): the barrier
 */
LoopBarrier *
loop_barrier_new (LoopEventLoop *loop, guint parties)
{
  LoopBarrier *self;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (parties > 0 && parties <= G_MAXINT, NULL);

  self = g_object_new (LOOP_TYPE_BARRIER, NULL);
  self->loop = g_object_ref (loop);
  self->parties = parties;

  return self;
}

static void
let_pass (LoopWaiter *waiter, int index)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  g_value_set_int (&value, index);
  loop_future_fulfil_value (LOOP_FUTURE (waiter), &value);
}

static void
let_all_pass (LoopBarrier *self, LoopWaiter *last)
{
  int index = 0;

  for (guint n = self->waiters->length; n > 0; n--)
    {
      LoopWaiter *waiter = loop_waiter_queue_pop (self->waiters);

      if (waiter == NULL)
        break;
      let_pass (waiter, index++);
      g_object_unref (waiter);
    }

  let_pass (last, index);
}

/**
 * loop_barrier_wait:
 * @self: a barrier
 *
 * Waits until as many as there are parties wait.
 *
 * Returns: (transfer full): a future, whose result is a number from 0 up, in the order in
 *   which they came, so that one of them can be chosen for something; it has failed with
 *   %LOOP_ERROR_BROKEN_BARRIER if the barrier is broken, and with %LOOP_ERROR_CLOSED if the
 *   loop is closed
 */
LoopFuture *
loop_barrier_wait (LoopBarrier *self)
{
  LoopWaiter *waiter;

  g_return_val_if_fail (LOOP_IS_BARRIER (self), NULL);

  waiter = loop_waiter_new (LOOP_TYPE_WAITER, self->loop, &wait_kind, self);
  if (!loop_waiter_is_pending (waiter))
    return LOOP_FUTURE (waiter);

  if (self->is_broken)
    loop_future_fail (LOOP_FUTURE (waiter),
                      g_error_new_literal (LOOP_ERROR, LOOP_ERROR_BROKEN_BARRIER, "The barrier is broken"));
  else if (self->waiters->length + 1 < self->parties)
    loop_waiter_queue_push (self->waiters, waiter);
  else
    let_all_pass (self, waiter);

  return LOOP_FUTURE (waiter);
}

static void
turn_away (LoopBarrier *self, const char *message)
{
  g_autoptr (GError) error = g_error_new_literal (LOOP_ERROR, LOOP_ERROR_BROKEN_BARRIER, message);

  loop_waiter_queue_fail (self->waiters, error);
}

/**
 * loop_barrier_reset:
 * @self: a barrier
 *
 * Brings the barrier back to its initial state, also when it is broken. Those who wait now
 * fail with %LOOP_ERROR_BROKEN_BARRIER.
 */
void
loop_barrier_reset (LoopBarrier *self)
{
  g_return_if_fail (LOOP_IS_BARRIER (self));

  self->is_broken = FALSE;
  turn_away (self, "The barrier was reset");
}

/**
 * loop_barrier_abort:
 * @self: a barrier
 *
 * Breaks the barrier. Those who wait now, and who come later, fail with
 * %LOOP_ERROR_BROKEN_BARRIER, until [method@Barrier.reset] repairs it.
 */
void
loop_barrier_abort (LoopBarrier *self)
{
  g_return_if_fail (LOOP_IS_BARRIER (self));

  self->is_broken = TRUE;
  turn_away (self, "The barrier was aborted");
}

/**
 * loop_barrier_get_parties:
 * @self: a barrier
 *
 * Gets for how many the barrier waits.
 *
 * Returns: a number
 */
guint
loop_barrier_get_parties (LoopBarrier *self)
{
  g_return_val_if_fail (LOOP_IS_BARRIER (self), 0);

  return self->parties;
}

/**
 * loop_barrier_get_n_waiting:
 * @self: a barrier
 *
 * Gets how many wait.
 *
 * Returns: a number
 */
guint
loop_barrier_get_n_waiting (LoopBarrier *self)
{
  g_return_val_if_fail (LOOP_IS_BARRIER (self), 0);

  return self->waiters->length;
}

/**
 * loop_barrier_is_broken:
 * @self: a barrier
 *
 * Tells whether the barrier was aborted.
 *
 * Returns: %TRUE if it is broken
 */
gboolean
loop_barrier_is_broken (LoopBarrier *self)
{
  g_return_val_if_fail (LOOP_IS_BARRIER (self), FALSE);

  return self->is_broken;
}
