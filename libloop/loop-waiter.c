/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-waiter-private.h"

G_DEFINE_TYPE (LoopWaiter, loop_waiter, LOOP_TYPE_FUTURE)

static void
loop_waiter_real_granted (LoopWaiter *self)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_BOOLEAN);
  g_value_set_boolean (&value, TRUE);
  loop_future_fulfil_value (&self->parent_instance, &value);
}

static gboolean
loop_waiter_cancel (LoopFuture *base, const char *message)
{
  if (!loop_future_is_pending (base))
    return FALSE;

  g_object_ref (base);
  loop_waiter_leave (LOOP_WAITER (base));
  loop_future_finish_cancelled (base, message);
  g_object_unref (base);

  return TRUE;
}

static void
loop_waiter_give_back (LoopFuture *base)
{
  LoopWaiter *self = LOOP_WAITER (base);
  g_autoptr (GObject) owner = NULL;

  if (loop_future_is_pending (base))
    {
      loop_waiter_cancel (base, NULL);
      return;
    }

  if (!self->is_granted)
    return;

  self->is_granted = FALSE;
  owner = g_steal_pointer (&self->owner);
  self->kind->give_back (owner, self);
}

static void
loop_waiter_finalize (GObject *object)
{
  LoopWaiter *self = LOOP_WAITER (object);

  /* What was granted stays so: a done callback may have made use of it and never have asked for the result. */
  if (self->is_granted)
    g_object_unref (self->owner);

  G_OBJECT_CLASS (loop_waiter_parent_class)->finalize (object);
}

static void
loop_waiter_class_init (LoopWaiterClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_waiter_finalize;

  klass->parent_class.cancel = loop_waiter_cancel;
  klass->parent_class.give_back = loop_waiter_give_back;
  klass->granted = loop_waiter_real_granted;
}

static void
loop_waiter_init (LoopWaiter *self)
{
}

/*
 * Makes a waiter of @type, which is in no queue yet. One for a loop that cannot be used has
 * failed already.
 */
gpointer
loop_waiter_new (GType type, LoopEventLoop *loop, const LoopWaiterKind *kind, gpointer owner)
{
  LoopWaiter *self = g_object_new (type, NULL);
  GError *error = NULL;

  loop_future_set_up (&self->parent_instance, loop, kind->name);
  self->kind = kind;
  self->owner = owner;
  if (!loop_event_loop_check_usable (loop, &error))
    loop_future_fail (&self->parent_instance, error);

  return self;
}

/* It has what it waited for, and may have to give it back. For a waiter that the caller ends itself. */
void
loop_waiter_hold (LoopWaiter *self)
{
  if (self->kind->give_back == NULL)
    return;

  self->is_granted = TRUE;
  g_object_ref (self->owner);
}

void
loop_waiter_grant (LoopWaiter *self)
{
  loop_waiter_hold (self);
  LOOP_WAITER_CLASS (G_OBJECT_GET_CLASS (self))->granted (self);
}

/* Leaves its queue, if it is in one. The caller has a reference. */
void
loop_waiter_leave (LoopWaiter *self)
{
  LoopWaiterQueue *queue = g_steal_pointer (&self->queue);

  if (queue == NULL)
    return;

  if (self->prev != NULL)
    self->prev->next = self->next;
  else
    queue->first = self->next;
  if (self->next != NULL)
    self->next->prev = self->prev;
  else
    queue->last = self->prev;
  self->prev = self->next = NULL;
  queue->length--;
  g_object_unref (self);
}

LoopWaiterQueue *
loop_waiter_queue_new (const char *obituary)
{
  LoopWaiterQueue *self = g_new0 (LoopWaiterQueue, 1);

  self->obituary = obituary;

  return self;
}

void
loop_waiter_queue_push (LoopWaiterQueue *self, LoopWaiter *waiter)
{
  g_assert (waiter->queue == NULL);

  waiter->queue = self;
  waiter->prev = self->last;
  waiter->next = NULL;
  if (self->last != NULL)
    self->last->next = waiter;
  else
    self->first = waiter;
  self->last = g_object_ref (waiter);
  self->length++;
}

/* Returns: (transfer full): the first one, which is pending; or NULL */
LoopWaiter *
loop_waiter_queue_pop (LoopWaiterQueue *self)
{
  while (self->first != NULL)
    {
      LoopWaiter *waiter = g_object_ref (self->first);

      loop_waiter_leave (waiter);
      if (loop_waiter_is_pending (waiter))
        return waiter;
      g_object_unref (waiter);
    }

  return NULL;
}

/* Returns: %FALSE if there is none */
gboolean
loop_waiter_queue_grant_first (LoopWaiterQueue *self)
{
  LoopWaiter *waiter = loop_waiter_queue_pop (self);

  if (waiter == NULL)
    return FALSE;

  loop_waiter_grant (waiter);
  g_object_unref (waiter);

  return TRUE;
}

/* All that wait now fail with copies of @error. */
void
loop_waiter_queue_fail (LoopWaiterQueue *self, const GError *error)
{
  for (guint n = self->length; n > 0; n--)
    {
      LoopWaiter *waiter = loop_waiter_queue_pop (self);

      if (waiter == NULL)
        break;
      loop_future_fail (&waiter->parent_instance, g_error_copy (error));
      g_object_unref (waiter);
    }
}

static void
bury_queue (gpointer data)
{
  LoopWaiterQueue *self = data;
  LoopWaiter *waiter;

  while ((waiter = loop_waiter_queue_pop (self)) != NULL)
    {
      loop_future_finish_cancelled (&waiter->parent_instance, self->obituary);
      g_object_unref (waiter);
    }
  g_free (self);
}

/* The owner is freed, by whatever thread: those who wait still end as cancelled. */
void
loop_waiter_queue_free (LoopWaiterQueue *self, LoopEventLoop *loop)
{
  if (self != NULL)
    loop_event_loop_bury (loop, self, bury_queue);
}
