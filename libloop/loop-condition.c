/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-condition.h"

#include "loop-lock-private.h"

/**
 * LoopCondition:
 *
 * A lock, and a place to wait for a change of what the lock protects. Who waits gives up
 * the lock meanwhile; who has changed something, and has the lock, notifies.
 *
 * ```c
 * if (!loop_await_result (loop_condition_acquire (condition), NULL, error))
 *   return FALSE;
 * while (is_empty && success)
 *   success = loop_await_result (loop_condition_wait (condition), NULL, error);
 * ...
 * loop_condition_release (condition, NULL);
 * ```
 *
 * Whoever waited has the lock again, however the waiting has ended: also when it was
 * cancelled, which therefore may take its time. The exceptions are a loop that is closed
 * and a fiber that is closed.
 *
 * Those who were notified get the lock in the order in which they began to wait, after
 * those who asked for it before the notification. A notification that meets one who is
 * being cancelled goes to the next.
 *
 * A condition belongs to a loop and is for that loop's thread. When it is freed, those who
 * wait for it get the lock and end as cancelled.
 */
struct _LoopCondition
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopLock *lock;
  LoopWaiterQueue *waiters;
};

G_DEFINE_FINAL_TYPE (LoopCondition, loop_condition, G_TYPE_OBJECT)

/* Where a waiter has got to. */
typedef enum
{
  WAITING,   /* in the queue of the condition */
  ACQUIRING, /* in the queue of the lock */
  CHECKING,  /* it has the lock, and its predicate is about to be called */
} Phase;

typedef struct
{
  LoopWaiter parent_instance;

  GWeakRef condition;               /* a waiter that is in the lock's queue does not keep either of them */
  LoopConditionPredicate predicate; /* or NULL */
  gpointer user_data;
  GDestroyNotify notify;
  LoopHandle *check; /* the loop's, while it is pending */
  guint8 phase;
  guint8 is_notified; /* by a notification that nobody else got */
  guint8 is_cancel_requested;
} LoopConditionWaiter;

typedef struct
{
  LoopWaiterClass parent_class;
} LoopConditionWaiterClass;

static GType loop_condition_waiter_get_type (void);

G_DEFINE_FINAL_TYPE (LoopConditionWaiter, loop_condition_waiter, LOOP_TYPE_WAITER)

static const LoopWaiterKind wait_kind = { "condition_wait", NULL };

static void
notify_waiters (LoopCondition *self, guint n)
{
  for (; n > 0; n--)
    {
      LoopConditionWaiter *waiter = (LoopConditionWaiter *) loop_waiter_queue_pop (self->waiters);

      if (waiter == NULL)
        break;
      waiter->is_notified = TRUE;
      waiter->phase = ACQUIRING;
      loop_lock_enter (self->lock, &waiter->parent_instance);
      g_object_unref (waiter);
    }
}

static void
drop_predicate (LoopConditionWaiter *self)
{
  GDestroyNotify destroy = g_steal_pointer (&self->notify);

  if (destroy != NULL)
    destroy (self->user_data);
}

/* The one who was notified has made nothing of it. The lock is held. */
static void
pass_notification_on (LoopConditionWaiter *self)
{
  g_autoptr (LoopCondition) condition = g_weak_ref_get (&self->condition);

  if (self->is_notified && condition != NULL)
    notify_waiters (condition, 1);
  self->is_notified = FALSE;
}

static void
end_cancelled (LoopConditionWaiter *self)
{
  loop_future_finish_cancelled (LOOP_FUTURE (self), NULL);
  pass_notification_on (self);
  drop_predicate (self);
}

/* It has the lock. The predicate decides whether it keeps it. */
static void
check_predicate (gpointer data)
{
  LoopConditionWaiter *self = data;
  LoopWaiter *waiter = &self->parent_instance;
  g_autoptr (LoopCondition) condition = g_weak_ref_get (&self->condition);
  gboolean is_true;

  self->check = NULL;
  if (!loop_waiter_is_pending (waiter))
    return;

  is_true = condition != NULL && self->predicate (self->user_data);
  if (!loop_waiter_is_pending (waiter))
    return;

  if (is_true)
    {
      LOOP_WAITER_CLASS (loop_condition_waiter_parent_class)->granted (waiter);
      drop_predicate (self);
    }
  else if (condition == NULL)
    {
      end_cancelled (self);
    }
  else
    {
      self->is_notified = FALSE;
      self->phase = WAITING;
      loop_waiter_queue_push (condition->waiters, waiter);
      loop_lock_pass_on (condition->lock);
    }
}

static void
loop_condition_waiter_granted (LoopWaiter *waiter)
{
  LoopConditionWaiter *self = (LoopConditionWaiter *) waiter;
  LoopEventLoop *loop = LOOP_FUTURE (self)->loop;

  if (self->is_cancel_requested || (self->predicate != NULL && loop->is_closed))
    {
      end_cancelled (self);
      return;
    }

  if (self->predicate == NULL)
    {
      LOOP_WAITER_CLASS (loop_condition_waiter_parent_class)->granted (waiter);
      return;
    }

  /* Not from within the release() of somebody else. */
  self->phase = CHECKING;
  self->check =
      loop_event_loop_schedule (loop, check_predicate, g_object_ref (self), g_object_unref, "condition predicate");
}

/* Goes for the lock without having been notified, and once it has it ends as cancelled. */
static void
give_up (LoopConditionWaiter *self, LoopLock *lock)
{
  self->is_cancel_requested = TRUE;
  self->phase = ACQUIRING;
  loop_lock_enter (lock, &self->parent_instance);
}

static gboolean
loop_condition_waiter_cancel (LoopFuture *base, const char *message)
{
  LoopConditionWaiter *self = (LoopConditionWaiter *) base;
  g_autoptr (LoopCondition) condition = NULL;

  if (!loop_future_is_pending (base))
    return FALSE;

  condition = g_weak_ref_get (&self->condition);
  loop_future_set_cancel_message (base, message);
  g_object_ref (self);

  switch ((Phase) self->phase)
    {
    case WAITING:
      loop_waiter_leave (&self->parent_instance);
      if (condition != NULL)
        give_up (self, condition->lock);
      else
        end_cancelled (self);
      break;

    case ACQUIRING:
      self->is_cancel_requested = TRUE;
      break;

    case CHECKING:
    default:
      loop_handle_clear_pending (&self->check);
      end_cancelled (self);
    }

  g_object_unref (self);

  return TRUE;
}

static void
loop_condition_waiter_give_back (LoopFuture *base)
{
  LoopConditionWaiter *self = (LoopConditionWaiter *) base;

  /* Of a fiber that is being closed, and will not wait for the lock. */
  if (loop_future_is_pending (base))
    loop_condition_waiter_cancel (base, NULL);
  if (loop_future_is_pending (base))
    {
      loop_waiter_leave (&self->parent_instance);
      loop_future_finish_cancelled (base, NULL);
    }

  /* The lock stays with the one who waited. */
  pass_notification_on (self);
}

static void
loop_condition_waiter_finalize (GObject *object)
{
  LoopConditionWaiter *self = (LoopConditionWaiter *) object;

  g_weak_ref_clear (&self->condition);
  drop_predicate (self);

  G_OBJECT_CLASS (loop_condition_waiter_parent_class)->finalize (object);
}

static void
loop_condition_waiter_class_init (LoopConditionWaiterClass *klass)
{
  LoopFutureClass *future_class = (LoopFutureClass *) klass;

  G_OBJECT_CLASS (klass)->finalize = loop_condition_waiter_finalize;
  future_class->cancel = loop_condition_waiter_cancel;
  future_class->give_back = loop_condition_waiter_give_back;
  LOOP_WAITER_CLASS (klass)->granted = loop_condition_waiter_granted;
}

static void
loop_condition_waiter_init (LoopConditionWaiter *self)
{
  g_weak_ref_init (&self->condition, NULL);
}

/* What a condition that is freed leaves behind: those who wait for it still have to get the lock. */
typedef struct
{
  LoopLock *lock;
  LoopWaiterQueue *waiters;
} Remains;

static void
bury (gpointer data)
{
  Remains *self = data;
  LoopConditionWaiter *waiter;

  while ((waiter = (LoopConditionWaiter *) loop_waiter_queue_pop (self->waiters)) != NULL)
    {
      LoopFuture *base = LOOP_FUTURE (waiter);

      loop_future_set_cancel_message (base, self->waiters->obituary);
      give_up (waiter, self->lock);
      g_object_unref (waiter);
    }

  g_free (self->waiters);
  g_object_unref (self->lock);
  g_free (self);
}

static void
loop_condition_dispose (GObject *object)
{
  LoopCondition *self = LOOP_CONDITION (object);

  if (self->waiters != NULL)
    {
      Remains *remains = g_new0 (Remains, 1);

      remains->lock = g_steal_pointer (&self->lock);
      remains->waiters = g_steal_pointer (&self->waiters);
      loop_event_loop_bury (self->loop, remains, bury);
    }
  g_clear_object (&self->loop);

  G_OBJECT_CLASS (loop_condition_parent_class)->dispose (object);
}

static void
loop_condition_class_init (LoopConditionClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_condition_dispose;
}

static void
loop_condition_init (LoopCondition *self)
{
  self->waiters = loop_waiter_queue_new ("The condition was freed");
}

/**
 * loop_condition_new:
 * @loop: an event loop
 * @lock: (nullable): a lock of that loop, which may be used by other conditions as well, or
 *   %NULL for one of its own
 *
 * Makes a condition.
 *
 * Returns: (transfer full): the condition
 */
LoopCondition *
loop_condition_new (LoopEventLoop *loop, LoopLock *lock)
{
  LoopCondition *self;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (lock == NULL || LOOP_IS_LOCK (lock), NULL);
  g_return_val_if_fail (lock == NULL || loop_lock_get_loop (lock) == loop, NULL);

  self = g_object_new (LOOP_TYPE_CONDITION, NULL);
  self->loop = g_object_ref (loop);
  self->lock = lock != NULL ? g_object_ref (lock) : loop_lock_new (loop);

  return self;
}

/**
 * loop_condition_acquire:
 * @self: a condition
 *
 * Waits for the lock of the condition, as [method@Lock.acquire] does.
 *
 * Returns: (transfer full): a future, done when the caller has the lock, whose result is
 *   %TRUE; it has failed with %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_condition_acquire (LoopCondition *self)
{
  g_return_val_if_fail (LOOP_IS_CONDITION (self), NULL);

  return loop_lock_acquire (self->lock);
}

/**
 * loop_condition_release:
 * @self: a condition
 * @error: return location for an error
 *
 * Hands the lock of the condition on, as [method@Lock.release] does.
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_INVALID_STATE if it is not locked
 */
gboolean
loop_condition_release (LoopCondition *self, GError **error)
{
  g_return_val_if_fail (LOOP_IS_CONDITION (self), FALSE);

  return loop_lock_release (self->lock, error);
}

/**
 * loop_condition_locked:
 * @self: a condition
 *
 * Tells whether somebody has the lock of the condition.
 *
 * Returns: %TRUE if it is locked
 */
gboolean
loop_condition_locked (LoopCondition *self)
{
  g_return_val_if_fail (LOOP_IS_CONDITION (self), FALSE);

  return loop_lock_locked (self->lock);
}

static gboolean
check_locked (LoopCondition *self, const char *what, GError **error)
{
  if (loop_lock_locked (self->lock))
    return TRUE;

  g_set_error (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "To %s, have the lock of the condition", what);

  return FALSE;
}

/* Puts a waiter in the queue, unless it has failed already. */
static void
begin_to_wait (LoopCondition *self, LoopConditionWaiter *waiter)
{
  GError *error = NULL;

  if (!loop_waiter_is_pending (&waiter->parent_instance))
    return;

  if (!check_locked (self, "wait", &error))
    {
      loop_future_fail (LOOP_FUTURE (waiter), error);
      return;
    }

  waiter->phase = WAITING;
  loop_waiter_queue_push (self->waiters, &waiter->parent_instance);
  loop_lock_pass_on (self->lock);
}

static LoopConditionWaiter *
waiter_new (LoopCondition *self)
{
  LoopConditionWaiter *waiter = loop_waiter_new (loop_condition_waiter_get_type (), self->loop, &wait_kind, self);

  g_weak_ref_set (&waiter->condition, self);

  return waiter;
}

/**
 * loop_condition_wait:
 * @self: a condition, whose lock the caller has
 *
 * Gives up the lock, waits until it is notified, and waits for the lock.
 *
 * Cancelling the future ends the waiting; but it is done only when the caller has the lock
 * again.
 *
 * Returns: (transfer full): a future, whose result is %TRUE; it has failed with
 *   %LOOP_ERROR_INVALID_STATE if nobody has the lock, and with %LOOP_ERROR_CLOSED if the
 *   loop is closed
 */
LoopFuture *
loop_condition_wait (LoopCondition *self)
{
  LoopConditionWaiter *waiter;

  g_return_val_if_fail (LOOP_IS_CONDITION (self), NULL);

  waiter = waiter_new (self);
  begin_to_wait (self, waiter);

  return LOOP_FUTURE (waiter);
}

/**
 * loop_condition_wait_for:
 * @self: a condition, whose lock the caller has
 * @predicate: (scope notified) (closure user_data) (destroy notify): tells whether what is
 *   waited for is the case
 * @user_data: data for @predicate
 * @notify: frees @user_data
 *
 * Waits as [method@Condition.wait] does, again and again until @predicate returns %TRUE. It
 * is asked at once, and then after each notification, when the lock is held for it.
 *
 * Returns: (transfer full): a future as for [method@Condition.wait]
 */
LoopFuture *
loop_condition_wait_for (LoopCondition *self,
                         LoopConditionPredicate predicate,
                         gpointer user_data,
                         GDestroyNotify notify)
{
  LoopConditionWaiter *waiter;

  g_return_val_if_fail (LOOP_IS_CONDITION (self), NULL);
  g_return_val_if_fail (predicate != NULL, NULL);

  waiter = waiter_new (self);
  waiter->predicate = predicate;
  waiter->user_data = user_data;
  waiter->notify = notify;

  if (loop_waiter_is_pending (&waiter->parent_instance) && predicate (user_data))
    LOOP_WAITER_CLASS (loop_condition_waiter_parent_class)->granted (&waiter->parent_instance);
  else
    begin_to_wait (self, waiter);

  if (!loop_waiter_is_pending (&waiter->parent_instance))
    drop_predicate (waiter);

  return LOOP_FUTURE (waiter);
}

/**
 * loop_condition_notify:
 * @self: a condition, whose lock the caller has
 * @n: how many are to go on
 * @error: return location for an error
 *
 * Has those who have waited longest, @n of them at most, go on when the lock is theirs.
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_INVALID_STATE if nobody has the lock
 */
gboolean
loop_condition_notify (LoopCondition *self, guint n, GError **error)
{
  g_return_val_if_fail (LOOP_IS_CONDITION (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!check_locked (self, "notify", error))
    return FALSE;

  notify_waiters (self, n);

  return TRUE;
}

/**
 * loop_condition_notify_all:
 * @self: a condition, whose lock the caller has
 * @error: return location for an error
 *
 * As [method@Condition.notify], for all who wait.
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_INVALID_STATE if nobody has the lock
 */
gboolean
loop_condition_notify_all (LoopCondition *self, GError **error)
{
  return loop_condition_notify (self, G_MAXUINT, error);
}
