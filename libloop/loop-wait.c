/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-wait.h"

#include "loop-composite-future-private.h"

/**
 * LoopWaitResult:
 *
 * What [func@wait] has seen: which futures are done, and which are not.
 */
struct _LoopWaitResult
{
  GPtrArray *done;
  GPtrArray *pending;
};

typedef struct
{
  LoopCompositeFuture parent_instance;

  LoopReturnWhen return_when;
  GPtrArray *futures; /* until it is done */
  LoopHandle *timer;  /* the loop's, while it is pending */
} LoopWaitFuture;

typedef struct
{
  LoopCompositeFutureClass parent_class;
} LoopWaitFutureClass;

G_DEFINE_ENUM_TYPE (LoopReturnWhen,
                    loop_return_when,
                    G_DEFINE_ENUM_VALUE (LOOP_FIRST_COMPLETED, "first-completed"),
                    G_DEFINE_ENUM_VALUE (LOOP_FIRST_EXCEPTION, "first-exception"),
                    G_DEFINE_ENUM_VALUE (LOOP_ALL_COMPLETED, "all-completed"))

G_DEFINE_BOXED_TYPE (LoopWaitResult, loop_wait_result, loop_wait_result_ref, loop_wait_result_unref)

static GType loop_wait_future_get_type (void);

G_DEFINE_FINAL_TYPE (LoopWaitFuture, loop_wait_future, LOOP_TYPE_COMPOSITE_FUTURE)

/**
 * loop_wait_result_ref:
 * @self: what a wait has seen
 *
 * Takes a reference; from any thread.
 *
 * Returns: (transfer full): @self
 */
LoopWaitResult *
loop_wait_result_ref (LoopWaitResult *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
loop_wait_result_clear (gpointer data)
{
  LoopWaitResult *self = data;

  g_ptr_array_unref (self->done);
  g_ptr_array_unref (self->pending);
}

/**
 * loop_wait_result_unref:
 * @self: (transfer full): what a wait has seen
 *
 * Drops a reference; from any thread.
 */
void
loop_wait_result_unref (LoopWaitResult *self)
{
  g_atomic_rc_box_release_full (self, loop_wait_result_clear);
}

/**
 * loop_wait_result_get_done:
 * @self: what a wait has seen
 *
 * Gets the futures that were done, in the order in which they were given.
 *
 * Returns: (transfer none) (element-type LoopFuture): the futures
 */
GPtrArray *
loop_wait_result_get_done (LoopWaitResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->done;
}

/**
 * loop_wait_result_get_pending:
 * @self: what a wait has seen
 *
 * Gets the futures that were not done, in the order in which they were given.
 *
 * Returns: (transfer none) (element-type LoopFuture): the futures
 */
GPtrArray *
loop_wait_result_get_pending (LoopWaitResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->pending;
}

static void
finish (LoopWaitFuture *self)
{
  LoopFuture *base = LOOP_FUTURE (self);
  g_auto (GValue) value = G_VALUE_INIT;
  LoopWaitResult *result;

  if (!loop_future_is_pending (base))
    return;

  g_object_ref (self);
  loop_handle_clear_pending (&self->timer);
  loop_composite_future_let_go (&self->parent_instance);

  result = g_atomic_rc_box_new0 (LoopWaitResult);
  result->done = g_ptr_array_new_with_free_func (g_object_unref);
  result->pending = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < self->futures->len; i++)
    {
      LoopFuture *future = self->futures->pdata[i];

      g_ptr_array_add (loop_future_is_pending (future) ? result->pending : result->done, g_object_ref (future));
    }
  g_clear_pointer (&self->futures, g_ptr_array_unref);

  g_value_init (&value, LOOP_TYPE_WAIT_RESULT);
  g_value_take_boxed (&value, result);
  loop_future_fulfil_value (base, &value);
  g_object_unref (self);
}

static void
time_out (gpointer data)
{
  ((LoopWaitFuture *) data)->timer = NULL;
  finish (data);
}

static void
loop_wait_future_child_done (LoopCompositeFuture *base, LoopChild *child)
{
  LoopWaitFuture *self = (LoopWaitFuture *) base;

  if (base->n_pending == 0 || self->return_when == LOOP_FIRST_COMPLETED ||
      (self->return_when == LOOP_FIRST_EXCEPTION && !loop_child_is_cancelled (child) &&
       loop_child_retrieve_exception (child) != NULL))
    finish (self);
}

static gboolean
loop_wait_future_cancel (LoopFuture *future, const char *message)
{
  LoopWaitFuture *self = (LoopWaitFuture *) future;

  if (!loop_future_is_pending (future))
    return FALSE;

  g_object_ref (future);
  loop_handle_clear_pending (&self->timer);
  loop_composite_future_let_go (&self->parent_instance);
  g_clear_pointer (&self->futures, g_ptr_array_unref);
  loop_future_finish_cancelled (future, message);
  g_object_unref (future);

  return TRUE;
}

static void
loop_wait_future_finalize (GObject *object)
{
  LoopWaitFuture *self = (LoopWaitFuture *) object;

  g_clear_pointer (&self->futures, g_ptr_array_unref);

  G_OBJECT_CLASS (loop_wait_future_parent_class)->finalize (object);
}

static void
loop_wait_future_class_init (LoopWaitFutureClass *klass)
{
  LoopFutureClass *future_class = (LoopFutureClass *) klass;

  G_OBJECT_CLASS (klass)->finalize = loop_wait_future_finalize;
  future_class->cancel = loop_wait_future_cancel;
  LOOP_COMPOSITE_FUTURE_CLASS (klass)->child_done = loop_wait_future_child_done;
}

static void
loop_wait_future_init (LoopWaitFuture *self)
{
}

/**
 * loop_wait:
 * @loop: an event loop
 * @futures: (array length=n_futures) (transfer none): futures of this loop, at least one
 * @n_futures: how many there are
 * @timeout: seconds, or a negative number for no limit
 * @return_when: what to wait for
 *
 * Makes a future that is done when @return_when says, or after @timeout. Its result is a
 * [struct@WaitResult]. It does not fail when one of @futures does, nor at the timeout; and
 * cancelling it cancels none of them.
 *
 * Returns: (transfer full): the future; it has failed with %G_IO_ERROR_INVALID_ARGUMENT if
 *   @futures is empty, if one of them belongs to another loop, or if @timeout is not a
 *   number
 */
LoopFuture *
loop_wait (LoopEventLoop *loop, LoopFuture *const *futures, gsize n_futures, double timeout, LoopReturnWhen return_when)
{
  LoopWaitFuture *self;
  LoopFuture *base;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (futures != NULL || n_futures == 0, NULL);
  for (gsize i = 0; i < n_futures; i++)
    g_return_val_if_fail (LOOP_IS_FUTURE (futures[i]), NULL);

  self = loop_composite_future_new (loop_wait_future_get_type (), loop, "wait");
  self->return_when = return_when;
  base = LOOP_FUTURE (self);

  if (n_futures == 0)
    {
      loop_future_fail (
          base, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "There is no future to wait for"));
      return base;
    }

  if (isnan (timeout))
    {
      loop_future_fail (
          base, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The timeout of a wait is not a number"));
      return base;
    }

  if (!loop_composite_future_watch (&self->parent_instance, futures, n_futures))
    return base;

  /* They are in its result, whoever else drops them meanwhile. */
  self->futures = g_ptr_array_new_full ((guint) n_futures, g_object_unref);
  for (gsize i = 0; i < n_futures; i++)
    g_ptr_array_add (self->futures, g_object_ref (futures[i]));

  if (timeout >= 0.0 && !loop->is_closed)
    self->timer = (LoopHandle *) loop_event_loop_schedule_at (loop, loop_clock_after (timeout), time_out,
                                                              g_object_ref (self), g_object_unref, "wait");

  return base;
}
