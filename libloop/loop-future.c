/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-future-spares-private.h"

/**
 * LoopFuture:
 *
 * A result that is not there yet. It ends in one of three ways: with a result, with an
 * error, or cancelled. The functions given to [method@Future.add_done_callback] are then
 * called by the loop, in the order in which they were added.
 *
 * A future belongs to a loop and is for that loop's thread. Only the last reference to it
 * may be dropped in any.
 */

G_DEFINE_TYPE (LoopFuture, loop_future, G_TYPE_OBJECT)

/* Takes @traceback. */
static void
report_unretrieved_exception (LoopEventLoop *loop, const GError *exception, LoopFuture *future, char *traceback)
{
  LoopExceptionContext *context = loop_exception_context_new ("Future exception was never retrieved", exception);

  loop_exception_context_take_source_traceback (context, traceback);
  loop_event_loop_report_freed (loop, context, future);
}

/*
 * What is left of a future whose last reference another thread dropped, and concerns user
 * code. The future itself cannot be handed over: after dispose, g_object_unref() of that
 * thread looks at it once more, and by then the loop's might have freed it.
 */
typedef struct
{
  LoopEventLoop *loop;
  LoopDoneCallback *first_callback;
  GError *exception; /* that was not retrieved, or NULL */
  char *traceback;   /* with it */
  GValue result;
} LoopFutureRemains;

static void
bury (gpointer data)
{
  LoopFutureRemains *self = data;

  if (self->exception != NULL)
    report_unretrieved_exception (self->loop, self->exception, NULL, self->traceback);
  loop_done_callbacks_free (self->first_callback);
  if (G_IS_VALUE (&self->result))
    g_value_unset (&self->result);
  g_clear_error (&self->exception);
  g_free (self);
}

static void
leave_remains_to_loop (LoopFuture *self)
{
  LoopFutureRemains *remains = g_new0 (LoopFutureRemains, 1);

  remains->loop = self->loop;
  remains->first_callback = loop_future_steal_callbacks (self);
  if (self->exception != NULL && !self->is_retrieved)
    {
      remains->exception = g_error_copy (self->exception);
      remains->traceback = loop_traceback_to_string (self->node.id);
    }
  self->is_retrieved = TRUE;
  remains->result = self->result;
  self->result = (GValue) G_VALUE_INIT;

  loop_event_loop_bury (self->loop, remains, bury);
}

static void
loop_future_dispose (GObject *object)
{
  LoopFuture *self = LOOP_FUTURE (object);

  if (self->loop != NULL)
    {
      loop_event_loop_unregister (self->loop, self->kind, &self->node);
      if (loop_event_loop_is_elsewhere (self->loop))
        leave_remains_to_loop (self);
    }

  if (self->exception != NULL && !self->is_retrieved)
    {
      self->is_retrieved = TRUE;
      report_unretrieved_exception (self->loop, self->exception, self, loop_traceback_to_string (self->node.id));
    }

  loop_done_callbacks_free (g_steal_pointer (&self->first_callback));
  self->last_callback = NULL;

  G_OBJECT_CLASS (loop_future_parent_class)->dispose (object);
}

static void
loop_future_finalize (GObject *object)
{
  LoopFuture *self = LOOP_FUTURE (object);

  if (G_IS_VALUE (&self->result))
    g_value_unset (&self->result);
  g_clear_error (&self->exception);
  g_free (self->cancel_message);
  if (self->loop != NULL)
    loop_event_loop_untrace (self->loop, self->node.id);
  g_free (self->canceller);
  g_clear_pointer (&self->loop, loop_event_loop_unref_anywhere);

  G_OBJECT_CLASS (loop_future_parent_class)->finalize (object);
}

static void
finish (LoopFuture *self, LoopFutureState state)
{
  LoopDoneCallback *callbacks;

  loop_event_loop_enter (self->loop);
  self->state = state;
  callbacks = g_steal_pointer (&self->first_callback);
  self->last_callback = NULL;
  loop_event_loop_leave (self->loop);

  loop_future_schedule_callbacks (self, callbacks);
}

static void
note_canceller (LoopFuture *self)
{
  LoopCanceller *canceller = loop_canceller_new (self->loop);
  LoopCanceller *previous;

  if (canceller == NULL)
    return;

  loop_event_loop_enter (self->loop);
  previous = self->canceller;
  self->canceller = canceller;
  loop_event_loop_leave (self->loop);
  g_free (previous);
}

/* Ends as cancelled, unless it is done. Without a @message, one that was given before is kept. */
void
loop_future_finish_cancelled (LoopFuture *self, const char *message)
{
  if (!loop_future_is_pending (self))
    return;

  if (message != NULL)
    loop_future_set_cancel_message (self, message);
  if (self->canceller == NULL)
    note_canceller (self);
  finish (self, LOOP_FUTURE_CANCELLED);
}

static gboolean
loop_future_real_cancel (LoopFuture *self, const char *message)
{
  if (!loop_future_is_pending (self))
    return FALSE;

  loop_future_finish_cancelled (self, message);

  return TRUE;
}

static void
loop_future_class_init (LoopFutureClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = loop_future_dispose;
  object_class->finalize = loop_future_finalize;

  klass->cancel = loop_future_real_cancel;
  klass->spare_type = LOOP_TYPE_FUTURE;
  klass->get_spares = loop_future_get_plain_spares;
}

static void
loop_future_init (LoopFuture *self)
{
  self->state = LOOP_FUTURE_PENDING;
}

/* Binds a new future, or one of a derived type, to its loop. @name is a static string. */
void
loop_future_set_up (LoopFuture *self, LoopEventLoop *loop, const char *name)
{
  self->loop = g_object_ref (loop);
  self->name = name;

  loop_event_loop_enter (loop);
  loop_registry_add (&loop->registry, self->kind, &self->node, loop_event_loop_next_id (loop));
  loop_event_loop_leave (loop);
  loop_event_loop_trace (loop, self->node.id);
}

LoopFuture *
loop_future_new (LoopEventLoop *loop, const char *name)
{
  LoopFuture *self = NULL;

  if (loop->thread == loop_thread_self () && !loop->is_closed)
    self = loop_future_spares_take (loop_future_get_plain_spares (loop));
  if (self == NULL)
    self = g_object_new (LOOP_TYPE_FUTURE, NULL);

  loop_future_set_up (self, loop, name);

  return self;
}

/* Takes @exception. */
LoopFuture *
loop_future_new_failed (LoopEventLoop *loop, const char *name, GError *exception)
{
  LoopFuture *self = loop_future_new (loop, name);

  loop_future_fail (self, exception);

  return self;
}

/* Ends with no result, unless it was cancelled meanwhile. */
void
loop_future_fulfil (LoopFuture *self)
{
  if (loop_future_is_pending (self))
    finish (self, LOOP_FUTURE_FINISHED);
}

/* Takes what is in @value, which may be uninitialised. */
void
loop_future_fulfil_value (LoopFuture *self, GValue *value)
{
  if (!loop_future_is_pending (self))
    return;

  self->result = *value;
  *value = (GValue) G_VALUE_INIT;
  finish (self, LOOP_FUTURE_FINISHED);
}

void
loop_future_fulfil_object (LoopFuture *self, gpointer object)
{
  if (!loop_future_is_pending (self))
    return;

  g_value_init (&self->result, G_OBJECT_TYPE (object));
  g_value_set_object (&self->result, object);
  finish (self, LOOP_FUTURE_FINISHED);
}

/* Takes @exception. */
void
loop_future_fail (LoopFuture *self, GError *exception)
{
  if (!loop_future_is_pending (self))
    {
      g_error_free (exception);
      return;
    }

  self->exception = exception;
  finish (self, LOOP_FUTURE_FINISHED);
}

/* Ends, unless it is done, as @other has; or as cancelled if that was freed before it was done. */
void
loop_future_follow (LoopFuture *self, LoopFuture *other)
{
  if (!loop_future_is_pending (self))
    return;

  if (other == NULL || other->state == LOOP_FUTURE_CANCELLED)
    {
      loop_future_finish_cancelled (self, other != NULL ? other->cancel_message : NULL);
      return;
    }

  other->is_retrieved = TRUE;
  if (other->exception != NULL)
    {
      loop_future_fail (self, g_error_copy (other->exception));
      return;
    }

  if (G_IS_VALUE (&other->result))
    {
      g_value_init (&self->result, G_VALUE_TYPE (&other->result));
      g_value_copy (&other->result, &self->result);
    }
  finish (self, LOOP_FUTURE_FINISHED);
}

const char *
loop_future_state_to_string (LoopFutureState state)
{
  switch (state)
    {
    case LOOP_FUTURE_PENDING:
      return "pending";
    case LOOP_FUTURE_CANCELLED:
      return "cancelled";
    case LOOP_FUTURE_FINISHED:
      return "finished";
    default:
      g_assert_not_reached ();
    }
}

/**
 * loop_future_get_loop:
 * @self: a future
 *
 * Gets the loop that the future belongs to.
 *
 * Returns: (transfer none): the loop
 */
LoopEventLoop *
loop_future_get_loop (LoopFuture *self)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), NULL);

  return self->loop;
}

/**
 * loop_future_get_id:
 * @self: a future
 *
 * Gets the id by which an inspector knows the future.
 *
 * Returns: the id
 */
guint64
loop_future_get_id (LoopFuture *self)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), 0);

  return self->node.id;
}

/**
 * loop_future_done:
 * @self: a future
 *
 * Tells whether the future has a result or an error, or was cancelled.
 *
 * Returns: %TRUE if it is done
 */
gboolean
loop_future_done (LoopFuture *self)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), FALSE);

  return !loop_future_is_pending (self);
}

/**
 * loop_future_cancelled:
 * @self: a future
 *
 * Tells whether the future was cancelled.
 *
 * Returns: %TRUE if it was cancelled
 */
gboolean
loop_future_cancelled (LoopFuture *self)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), FALSE);

  return self->state == LOOP_FUTURE_CANCELLED;
}

/* In debug mode. A future outlives its loop's being closed, and may then still be set. */
static gboolean
check_thread (LoopFuture *self, GError **error)
{
  return G_LIKELY (!self->loop->debug) || self->loop->is_closed ||
         loop_event_loop_check_usable_slow (self->loop, error);
}

static gboolean
cancel (LoopFuture *self, const char *message, const char *caller)
{
  GError *error = NULL;

  if (!check_thread (self, &error))
    {
      loop_report_misuse (caller, error);
      return FALSE;
    }

  if (loop_future_is_pending (self))
    note_canceller (self);

  return LOOP_FUTURE_GET_CLASS (self)->cancel (self, message);
}

/**
 * loop_future_cancel:
 * @self: a future
 *
 * Cancels the future and schedules its callbacks. What the future stands for is
 * abandoned: a connection that is being made, for example, is closed.
 *
 * Returns: %TRUE, or %FALSE if the future is done already or, in debug mode with a
 *   critical message, if another thread runs the loop
 */
gboolean
loop_future_cancel (LoopFuture *self)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), FALSE);

  return cancel (self, NULL, G_STRFUNC);
}

/**
 * loop_future_cancel_with_message:
 * @self: a future
 * @message: (nullable): why
 *
 * As [method@Future.cancel]. The error that [method@Future.result] gives then has
 * @message.
 *
 * Returns: as for [method@Future.cancel]
 */
gboolean
loop_future_cancel_with_message (LoopFuture *self, const char *message)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), FALSE);

  return cancel (self, message, G_STRFUNC);
}

/**
 * loop_future_get_cancel_message:
 * @self: a future
 *
 * Gets the message with which the future was cancelled.
 *
 * Returns: (transfer none) (nullable): the message, or %NULL if there was none
 */
const char *
loop_future_get_cancel_message (LoopFuture *self)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), NULL);

  return self->cancel_message;
}

static gboolean
check_done (LoopFuture *self, const char *what, GError **error)
{
  switch ((LoopFutureState) self->state)
    {
    case LOOP_FUTURE_PENDING:
      g_set_error (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "The %s of the future is not set", what);
      return FALSE;

    case LOOP_FUTURE_CANCELLED:
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                           self->cancel_message != NULL ? self->cancel_message : "The future was cancelled");
      return FALSE;

    case LOOP_FUTURE_FINISHED:
      return TRUE;

    default:
      g_assert_not_reached ();
    }
}

/**
 * loop_future_result:
 * @self: a future
 * @result: (out caller-allocates) (optional): return location for the result, uninitialised
 * @error: return location for an error
 *
 * Gets the result. A future that was fulfilled without a value has a null pointer of
 * type %G_TYPE_POINTER for its result.
 *
 * Returns: (skip): %TRUE, or %FALSE with the error of the future, with
 *   %G_IO_ERROR_CANCELLED, or with %LOOP_ERROR_INVALID_STATE if it is not done
 */
gboolean
loop_future_result (LoopFuture *self, GValue *result, GError **error)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!check_done (self, "result", error))
    return FALSE;

  if (self->exception != NULL)
    {
      self->is_retrieved = TRUE;
      g_propagate_error (error, g_error_copy (self->exception));
      return FALSE;
    }

  if (result != NULL)
    {
      g_value_init (result, G_IS_VALUE (&self->result) ? G_VALUE_TYPE (&self->result) : G_TYPE_POINTER);
      if (G_IS_VALUE (&self->result))
        g_value_copy (&self->result, result);
    }

  return TRUE;
}

/**
 * loop_future_exception:
 * @self: a future
 * @error: return location for an error
 *
 * Gets the error with which the future ended.
 *
 * Returns: (transfer full) (nullable): the error, or %NULL if it has a result; and %NULL
 *   with @error set to %G_IO_ERROR_CANCELLED, or to %LOOP_ERROR_INVALID_STATE if it is
 *   not done
 */
GError *
loop_future_exception (LoopFuture *self, GError **error)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (!check_done (self, "exception", error))
    return NULL;

  self->is_retrieved = TRUE;

  return self->exception != NULL ? g_error_copy (self->exception) : NULL;
}

static gboolean
check_settable (LoopFuture *self, GError **error)
{
  if (!check_thread (self, error))
    return FALSE;

  if (loop_future_is_pending (self))
    return TRUE;

  g_set_error (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "The future is already %s",
               loop_future_state_to_string (self->state));

  return FALSE;
}

/**
 * loop_future_set_result:
 * @self: a future
 * @result: (nullable): the result
 * @error: return location for an error
 *
 * Ends the future with a result and schedules its callbacks.
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_INVALID_STATE if it is done already or, in
 *   debug mode, with %LOOP_ERROR_WRONG_THREAD
 */
gboolean
loop_future_set_result (LoopFuture *self, const GValue *result, GError **error)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!check_settable (self, error))
    return FALSE;

  if (result != NULL && G_IS_VALUE (result))
    {
      g_value_init (&self->result, G_VALUE_TYPE (result));
      g_value_copy (result, &self->result);
    }

  finish (self, LOOP_FUTURE_FINISHED);

  return TRUE;
}

/**
 * loop_future_set_exception:
 * @self: a future
 * @exception: the error
 * @error: return location for an error
 *
 * Ends the future with an error and schedules its callbacks. An error that nobody ever
 * asks for is reported to the loop's exception handler when the future is freed.
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_INVALID_STATE if it is done already or, in
 *   debug mode, with %LOOP_ERROR_WRONG_THREAD
 */
gboolean
loop_future_set_exception (LoopFuture *self, const GError *exception, GError **error)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), FALSE);
  g_return_val_if_fail (exception != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!check_settable (self, error))
    return FALSE;

  self->exception = g_error_copy (exception);
  finish (self, LOOP_FUTURE_FINISHED);

  return TRUE;
}
