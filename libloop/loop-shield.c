/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-shield.h"

#include "loop-composite-future-private.h"

typedef struct
{
  LoopCompositeFuture parent_instance;
} LoopShieldFuture;

typedef struct
{
  LoopCompositeFutureClass parent_class;
} LoopShieldFutureClass;

static GType loop_shield_future_get_type (void);

G_DEFINE_FINAL_TYPE (LoopShieldFuture, loop_shield_future, LOOP_TYPE_COMPOSITE_FUTURE)

static void
loop_shield_future_child_done (LoopCompositeFuture *base, LoopChild *child)
{
  loop_future_follow (&base->parent_instance, child->future);
}

static gboolean
loop_shield_future_cancel (LoopFuture *future, const char *message)
{
  if (!loop_future_is_pending (future))
    return FALSE;

  g_object_ref (future);
  loop_composite_future_let_go (LOOP_COMPOSITE_FUTURE (future));
  loop_future_finish_cancelled (future, message);
  g_object_unref (future);

  return TRUE;
}

static void
loop_shield_future_class_init (LoopShieldFutureClass *klass)
{
  LoopFutureClass *future_class = (LoopFutureClass *) klass;

  future_class->cancel = loop_shield_future_cancel;
  LOOP_COMPOSITE_FUTURE_CLASS (klass)->child_done = loop_shield_future_child_done;
}

static void
loop_shield_future_init (LoopShieldFuture *self)
{
}

/**
 * loop_shield:
 * @future: a future
 *
 * Makes a future that ends as @future does, but does not cancel it when it is cancelled
 * itself: so @future may go on when who waits for it is cancelled.
 *
 * Returns: (transfer full): the future
 */
LoopFuture *
loop_shield (LoopFuture *future)
{
  LoopShieldFuture *self;

  g_return_val_if_fail (LOOP_IS_FUTURE (future), NULL);

  if (!loop_future_is_pending (future))
    return g_object_ref (future);

  self = loop_composite_future_new (loop_shield_future_get_type (), future->loop, "shield");
  loop_composite_future_watch (&self->parent_instance, &future, 1);

  return LOOP_FUTURE (self);
}
