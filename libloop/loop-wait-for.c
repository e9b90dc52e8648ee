/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-wait-for.h"

#include "loop-composite-future-private.h"

typedef struct
{
  LoopCompositeFuture parent_instance;

  LoopHandle *timer; /* the loop's, while it is pending */
  LoopFuture *giver; /* the other one once it is done, if what came with it can be given back */
  gboolean is_timed_out;
} LoopWaitForFuture;

typedef struct
{
  LoopCompositeFutureClass parent_class;
} LoopWaitForFutureClass;

static GType loop_wait_for_future_get_type (void);

G_DEFINE_FINAL_TYPE (LoopWaitForFuture, loop_wait_for_future, LOOP_TYPE_COMPOSITE_FUTURE)

static GError *
make_timed_out (void)
{
  return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "What was waited for took too long");
}

static void
loop_wait_for_future_child_done (LoopCompositeFuture *base, LoopChild *child)
{
  LoopWaitForFuture *self = (LoopWaitForFuture *) base;
  LoopFuture *future = &base->parent_instance;

  g_object_ref (self);
  loop_handle_clear_pending (&self->timer);
  if (child->future != NULL && LOOP_FUTURE_GET_CLASS (child->future)->give_back != NULL)
    g_set_object (&self->giver, child->future);

  /* What ended otherwise in spite of being cancelled has its say. */
  if (self->is_timed_out && loop_child_is_cancelled (child) && loop_future_is_pending (future))
    loop_future_fail (future, make_timed_out ());
  else
    loop_future_follow (future, child->future);

  g_object_unref (self);
}

static void
time_out (gpointer data)
{
  LoopWaitForFuture *self = data;

  self->timer = NULL;
  self->is_timed_out = TRUE;
  /* It is done when the other one is: a task may take its time to clean up. */
  loop_composite_future_cancel_children (&self->parent_instance, NULL);
}

static gboolean
loop_wait_for_future_cancel (LoopFuture *future, const char *message)
{
  LoopWaitForFuture *self = (LoopWaitForFuture *) future;

  if (!loop_future_is_pending (future))
    return FALSE;

  if (loop_composite_future_cancel_children (&self->parent_instance, message))
    {
      self->is_timed_out = FALSE;
      return TRUE;
    }

  /* The other one is done, and we are about to be told. */
  g_object_ref (self);
  loop_future_give_back (future);
  loop_handle_clear_pending (&self->timer);
  loop_composite_future_let_go (&self->parent_instance);
  loop_future_finish_cancelled (future, message);
  g_object_unref (self);

  return TRUE;
}

static void
loop_wait_for_future_give_back (LoopFuture *future)
{
  LoopWaitForFuture *self = (LoopWaitForFuture *) future;
  LoopCompositeFuture *base = &self->parent_instance;

  if (self->giver != NULL)
    loop_future_give_back (self->giver);
  else if (base->n_children > 0 && !base->children[0].is_let_go && base->children[0].future != NULL)
    loop_future_give_back (base->children[0].future);
}

static void
loop_wait_for_future_finalize (GObject *object)
{
  g_clear_object (&((LoopWaitForFuture *) object)->giver);

  G_OBJECT_CLASS (loop_wait_for_future_parent_class)->finalize (object);
}

static void
loop_wait_for_future_class_init (LoopWaitForFutureClass *klass)
{
  LoopFutureClass *future_class = (LoopFutureClass *) klass;

  G_OBJECT_CLASS (klass)->finalize = loop_wait_for_future_finalize;
  future_class->cancel = loop_wait_for_future_cancel;
  future_class->give_back = loop_wait_for_future_give_back;
  LOOP_COMPOSITE_FUTURE_CLASS (klass)->child_done = loop_wait_for_future_child_done;
}

static void
loop_wait_for_future_init (LoopWaitForFuture *self)
{
}

/**
 * loop_wait_for:
 * @future: a future
 * @timeout: seconds, or a negative number for no limit
 *
 * Makes a future that ends as @future does, or after @timeout cancels @future and, once
 * that has happened, fails with %G_IO_ERROR_TIMED_OUT. Should @future end otherwise in
 * spite of being cancelled, so does this one.
 *
 * Cancelling it cancels @future; [func@shield] keeps that away.
 *
 * Returns: (transfer full): the future; it has failed with %G_IO_ERROR_INVALID_ARGUMENT if
 *   @timeout is not a number
 */
LoopFuture *
loop_wait_for (LoopFuture *future, double timeout)
{
  LoopWaitForFuture *self;
  LoopEventLoop *loop;

  g_return_val_if_fail (LOOP_IS_FUTURE (future), NULL);

  loop = future->loop;
  if (isnan (timeout))
    return loop_future_new_failed (
        loop, "wait_for",
        g_error_new_literal (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The timeout of a wait is not a number"));

  if (!loop_future_is_pending (future))
    return g_object_ref (future);

  self = loop_composite_future_new (loop_wait_for_future_get_type (), loop, "wait_for");
  loop_composite_future_watch (&self->parent_instance, &future, 1);

  if (timeout >= 0.0 && !loop->is_closed)
    self->timer = (LoopHandle *) loop_event_loop_schedule_at (loop, loop_clock_after (timeout), time_out,
                                                              g_object_ref (self), g_object_unref, "wait_for");

  return LOOP_FUTURE (self);
}
