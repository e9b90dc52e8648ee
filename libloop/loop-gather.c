/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-gather.h"

#include "loop-composite-future-private.h"

typedef struct
{
  LoopCompositeFuture parent_instance;

  gboolean return_exceptions;
  gboolean is_cancel_requested;
} LoopGatherFuture;

typedef struct
{
  LoopCompositeFutureClass parent_class;
} LoopGatherFutureClass;

static GType loop_gather_future_get_type (void);

G_DEFINE_FINAL_TYPE (LoopGatherFuture, loop_gather_future, LOOP_TYPE_COMPOSITE_FUTURE)

/* GValueArray is deprecated for GArray; but it is the one list of values that language bindings understand. */
G_GNUC_BEGIN_IGNORE_DEPRECATIONS

static void
append_result (GValueArray *results, LoopChild *child)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  if (child->future == NULL)
    error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "The future was freed before it was done");
  else
    loop_future_result (child->future, &value, &error);

  if (error != NULL)
    {
      g_value_init (&value, G_TYPE_ERROR);
      g_value_set_boxed (&value, error);
    }

  g_value_array_append (results, &value);
}

static void
finish (LoopGatherFuture *self)
{
  LoopCompositeFuture *base = &self->parent_instance;
  GValueArray *results;
  g_auto (GValue) value = G_VALUE_INIT;

  if (self->is_cancel_requested)
    {
      loop_future_finish_cancelled (&base->parent_instance, NULL);
      return;
    }

  results = g_value_array_new (base->n_children);
  for (guint i = 0; i < base->n_children; i++)
    append_result (results, &base->children[i]);

  g_value_init (&value, g_value_array_get_type ());
  g_value_take_boxed (&value, results);
  loop_future_fulfil_value (&base->parent_instance, &value);
}

G_GNUC_END_IGNORE_DEPRECATIONS

static void
loop_gather_future_child_done (LoopCompositeFuture *base, LoopChild *child)
{
  LoopGatherFuture *self = (LoopGatherFuture *) base;
  LoopFuture *future = &base->parent_instance;

  if (!self->return_exceptions || !loop_future_is_pending (future))
    {
      /* Of several errors the first one counts; the others are not to be reported as unseen. */
      const GError *exception = loop_child_retrieve_exception (child);

      if (loop_child_is_cancelled (child))
        loop_future_finish_cancelled (future, child->future != NULL ? child->future->cancel_message : NULL);
      else if (exception != NULL)
        loop_future_fail (future, g_error_copy (exception));
    }

  if (base->n_pending == 0 && loop_future_is_pending (future))
    finish (self);
}

static gboolean
loop_gather_future_cancel (LoopFuture *future, const char *message)
{
  LoopGatherFuture *self = (LoopGatherFuture *) future;

  if (!loop_future_is_pending (future))
    return FALSE;

  if (!loop_composite_future_cancel_children (&self->parent_instance, message))
    return FALSE;

  loop_future_set_cancel_message (future, message);
  /* They may end otherwise in spite of it, but this one was asked to be cancelled. */
  self->is_cancel_requested = TRUE;

  return TRUE;
}

static void
loop_gather_future_class_init (LoopGatherFutureClass *klass)
{
  LoopFutureClass *future_class = (LoopFutureClass *) klass;

  future_class->cancel = loop_gather_future_cancel;
  LOOP_COMPOSITE_FUTURE_CLASS (klass)->child_done = loop_gather_future_child_done;
}

static void
loop_gather_future_init (LoopGatherFuture *self)
{
}

/**
 * loop_gather:
 * @loop: an event loop
 * @futures: (array length=n_futures) (transfer none): futures of this loop
 * @n_futures: how many there are, which may be none
 * @return_exceptions: whether errors count as results
 *
 * Makes a future that is done when all of @futures are. Its result is an array of their
 * results, in their order: a `GValueArray` in C, a list elsewhere.
 *
 * Unless @return_exceptions is set, the first future that fails or is cancelled makes this
 * one fail with the same error; the others go on. With it, the results of such futures are
 * of type %G_TYPE_ERROR.
 *
 * Cancelling it cancels all of @futures that are not done.
 *
 * Returns: (transfer full): the future; it has failed with %G_IO_ERROR_INVALID_ARGUMENT if
 *   one of @futures belongs to another loop
 */
LoopFuture *
loop_gather (LoopEventLoop *loop, LoopFuture *const *futures, gsize n_futures, gboolean return_exceptions)
{
  LoopGatherFuture *self;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (futures != NULL || n_futures == 0, NULL);
  for (gsize i = 0; i < n_futures; i++)
    g_return_val_if_fail (LOOP_IS_FUTURE (futures[i]), NULL);

  self = loop_composite_future_new (loop_gather_future_get_type (), loop, "gather");
  self->return_exceptions = return_exceptions;

  if (loop_composite_future_watch (&self->parent_instance, futures, n_futures) && n_futures == 0)
    finish (self);

  return LOOP_FUTURE (self);
}
