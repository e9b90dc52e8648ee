/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

/*
 * Makes a handle of the first call of a batch that was just taken out of @queue; the
 * rest takes its place there again. Inside the guard.
 */
LoopHandle *
loop_event_loop_next_call (LoopEventLoop *self, LoopCallBatch *batch, LoopReadyQueue *queue)
{
  const LoopIncomingCall *call = &batch->calls[batch->next++];
  LoopHandle *handle;

  /* It comes from another processor: ask for it in time. */
  __builtin_prefetch (call + 32);

  if (call->callback == NULL)
    {
      handle = call->handle;
    }
  else
    {
      handle = loop_handle_pool_take (&self->pool, call->callback, call->user_data, call->notify);
      handle->loop = self;
      handle->id = call->id;
      handle->item.handle_state = LOOP_HANDLE_READY;
    }

  if (batch->next < batch->n_calls)
    loop_ready_queue_push_front (queue, &batch->item);
  else
    loop_incoming_retire (self->incoming, batch);

  return handle;
}

/* The calls that other threads posted join the ready queue. */
void
loop_event_loop_drain_incoming (LoopEventLoop *self)
{
  LoopCallBatch *batch;

  loop_event_loop_enter (self);
  batch = loop_incoming_take (self->incoming);
  if (batch != NULL)
    loop_ready_queue_push (&self->ready, &batch->item);
  loop_event_loop_leave (self);
}

/* A handle that is to go into the ready queue as the next thing. */
static inline LoopHandle *
prepare_handle (LoopEventLoop *self, LoopCallback callback, gpointer user_data, GDestroyNotify notify)
{
  LoopHandle *handle = loop_handle_pool_take (&self->pool, callback, user_data, notify);

  handle->loop = self;
  handle->id = loop_event_loop_next_id (self);
  handle->item.handle_state = LOOP_HANDLE_READY;

  /* What another thread, or this one, posted before is to run before. */
  if (G_UNLIKELY (!loop_incoming_is_empty (self->incoming)))
    loop_event_loop_drain_incoming (self);

  return handle;
}

/* call_soon without its checks. */
LoopHandle *
loop_event_loop_schedule (LoopEventLoop *self,
                          LoopCallback callback,
                          gpointer user_data,
                          GDestroyNotify notify,
                          const char *name)
{
  LoopHandle *handle = prepare_handle (self, callback, user_data, notify);

  loop_event_loop_trace (self, handle->id);
  if (name != NULL)
    loop_handle_take_name (handle, name);

  loop_event_loop_enter (self);
  loop_ready_queue_push (&self->ready, &handle->item);
  loop_event_loop_leave (self);

  return handle;
}

/* call_at without its checks, by the clock's own unit. */
LoopTimerHandle *
loop_event_loop_schedule_at (LoopEventLoop *self,
                             gint64 when,
                             LoopCallback callback,
                             gpointer user_data,
                             GDestroyNotify notify,
                             const char *name)
{
  LoopHandle *handle = loop_handle_pool_take (&self->pool, callback, user_data, notify);
  LoopTimerHandle *timer = (LoopTimerHandle *) handle;

  handle->loop = self;
  handle->id = loop_event_loop_next_id (self);
  if (name != NULL)
    loop_handle_take_name (handle, name);
  handle->item.handle_state = LOOP_HANDLE_TIMER;
  handle->item.handle_is_timer = TRUE;
  timer->when = when;
  loop_event_loop_trace (self, handle->id);

  loop_event_loop_enter (self);
  loop_timer_queue_insert (&self->timers, timer);
  loop_event_loop_leave (self);

  return timer;
}

/* Of a loop that is closed, or in debug mode. */
static LoopHandle *
call_soon_checked (LoopEventLoop *self,
                   LoopCallback callback,
                   gpointer user_data,
                   GDestroyNotify notify,
                   GError **error)
{
  if (loop_event_loop_check_usable_slow (self, error))
    return loop_event_loop_schedule (self, callback, user_data, notify, NULL);

  loop_destroy_user_data (user_data, notify);

  return NULL;
}

G_ALWAYS_INLINE static inline LoopHandle *
call_soon (LoopEventLoop *self, LoopCallback callback, gpointer user_data, GDestroyNotify notify, GError **error)
{
  LoopHandle *handle;

  if (G_UNLIKELY (self->is_closed_or_debug != 0))
    return call_soon_checked (self, callback, user_data, notify, error);

  handle = prepare_handle (self, callback, user_data, notify);

  /* Called by the user, and so in no section of ours. */
  loop_guard_enter_outermost (&self->guard);
  loop_ready_queue_push (&self->ready, &handle->item);
  loop_guard_leave_outermost (&self->guard);

  return handle;
}

/**
 * loop_event_loop_call_soon_full: (rename-to loop_event_loop_call_soon)
 * @self: an event loop
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data once the callback has run or will not run any more
 * @error: return location for an error
 *
 * Arranges for @callback to be called as soon as possible: in the next iteration of the
 * loop. Callbacks run in the order in which they were scheduled, each exactly once.
 *
 * Returns: (transfer none) (nullable): the handle, which the loop owns until it has run;
 *   %NULL on error, which is %LOOP_ERROR_CLOSED or, in debug mode,
 *   %LOOP_ERROR_WRONG_THREAD
 */
LoopHandle *
loop_event_loop_call_soon_full (LoopEventLoop *self,
                                LoopCallback callback,
                                gpointer user_data,
                                GDestroyNotify notify,
                                GError **error)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (callback != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return call_soon (self, callback, user_data, notify, error);
}

/**
 * loop_event_loop_call_soon:
 * @self: an event loop
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data once the callback has run or will not run any more
 *
 * As [method@EventLoop.call_soon_full], with a critical message in the place of the
 * error.
 *
 * Returns: (transfer none) (nullable): the handle
 */
LoopHandle *
loop_event_loop_call_soon (LoopEventLoop *self, LoopCallback callback, gpointer user_data, GDestroyNotify notify)
{
  GError *error = NULL;
  LoopHandle *handle;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (callback != NULL, NULL);

  handle = call_soon (self, callback, user_data, notify, &error);
  if (G_UNLIKELY (error != NULL))
    loop_report_misuse (G_STRFUNC, error);

  return handle;
}

/*
 * Posts a call that has a handle, of a given id or, with 0, of the next. @handle may be NULL.
 *
 * Returns: %FALSE when the loop is closed; @user_data is then still the caller's
 */
static gboolean
post_with_handle (LoopIncoming *self,
                  LoopEventLoop *loop,
                  LoopCallback callback,
                  gpointer user_data,
                  GDestroyNotify notify,
                  const char *name,
                  guint64 id,
                  LoopHandle **handle)
{
  /* Not from the pool, which is the loop thread's. */
  LoopHandle *posted = loop_handle_new_unpooled (callback, user_data, notify);

  posted->loop = loop;
  posted->id = id;
  posted->item.handle_state = LOOP_HANDLE_INCOMING;
  if (name != NULL)
    loop_handle_take_name (posted, name);
  if (handle != NULL)
    loop_handle_ref (posted);

  if (!loop_incoming_post_handle (self, posted))
    {
      g_free (posted);
      return FALSE;
    }

  if (handle != NULL)
    *handle = posted;

  return TRUE;
}

/*
 * call_soon_threadsafe for whoever holds the way in, but perhaps not the loop.
 *
 * Returns: %FALSE when the loop is closed; @user_data is then still the caller's
 */
gboolean
loop_incoming_post_callback (LoopIncoming *self,
                             LoopEventLoop *loop,
                             LoopCallback callback,
                             gpointer user_data,
                             GDestroyNotify notify,
                             const char *name,
                             LoopHandle **handle)
{
  if (handle == NULL && name == NULL)
    return loop_incoming_post (self, callback, user_data, notify);

  return post_with_handle (self, loop, callback, user_data, notify, name, 0, handle);
}

/* In debug mode, it is written down who posts: before the loop's thread can have run it. */
static gboolean
post_traced (LoopEventLoop *self, LoopCallback callback, gpointer user_data, GDestroyNotify notify, LoopHandle **handle)
{
  guint64 id = loop_id_reserve (1);

  loop_traceback_record (self->id, id);
  if (post_with_handle (self->incoming, self, callback, user_data, notify, NULL, id, handle))
    return TRUE;

  loop_traceback_forget (id);

  return FALSE;
}

static inline gboolean
post (LoopEventLoop *self, LoopCallback callback, gpointer user_data, GDestroyNotify notify, LoopHandle **handle)
{
  if (G_UNLIKELY (self->incoming == NULL))
    return FALSE;
  if (G_UNLIKELY (__atomic_load_n (&self->debug, __ATOMIC_RELAXED)))
    return post_traced (self, callback, user_data, notify, handle);

  return loop_incoming_post_callback (self->incoming, self, callback, user_data, notify, NULL, handle);
}

/**
 * loop_event_loop_call_soon_threadsafe:
 * @self: an event loop
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data, on the loop's thread, once the callback has run or will not run any more
 * @handle: (out) (optional) (transfer full): return location for the handle
 * @error: return location for an error
 *
 * As [method@EventLoop.call_soon], from any thread. The caller has to hold a reference
 * to the loop.
 *
 * Returns: (skip): %TRUE, or %FALSE with %LOOP_ERROR_CLOSED when the loop is closed
 */
gboolean
loop_event_loop_call_soon_threadsafe (LoopEventLoop *self,
                                      LoopCallback callback,
                                      gpointer user_data,
                                      GDestroyNotify notify,
                                      LoopHandle **handle,
                                      GError **error)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);
  g_return_val_if_fail (callback != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (post (self, callback, user_data, notify, handle))
    return TRUE;

  loop_destroy_user_data (user_data, notify);
  loop_event_loop_set_closed_error (self, error);

  return FALSE;
}

static LoopTimerHandle *
schedule_timer (LoopEventLoop *self,
                gint64 base,
                double seconds,
                const char *what,
                LoopCallback callback,
                gpointer user_data,
                GDestroyNotify notify,
                GError **error)
{
  if (G_UNLIKELY (isnan (seconds)))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The %s of a timer is not a number", what);
      loop_destroy_user_data (user_data, notify);
      return NULL;
    }

  if (G_UNLIKELY (!loop_event_loop_check_usable (self, error)))
    {
      loop_destroy_user_data (user_data, notify);
      return NULL;
    }

  return loop_event_loop_schedule_at (self, loop_clock_add (base, loop_clock_from_seconds (seconds)), callback,
                                      user_data, notify, NULL);
}

/**
 * loop_event_loop_call_later_full: (rename-to loop_event_loop_call_later)
 * @self: an event loop
 * @delay: seconds from now; negative means now, infinite and over 292 years mean never
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data once the callback has run or will not run any more
 * @error: return location for an error
 *
 * Arranges for @callback to be called once, @delay seconds from now. Callbacks that are
 * due at the same time run in the order in which they were scheduled.
 *
 * Returns: (transfer none) (nullable): the handle, which the loop owns until it has run;
 *   %NULL on error, which is %G_IO_ERROR_INVALID_ARGUMENT for a delay that is not a
 *   number, %LOOP_ERROR_CLOSED or, in debug mode, %LOOP_ERROR_WRONG_THREAD
 */
LoopTimerHandle *
loop_event_loop_call_later_full (LoopEventLoop *self,
                                 double delay,
                                 LoopCallback callback,
                                 gpointer user_data,
                                 GDestroyNotify notify,
                                 GError **error)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (callback != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return schedule_timer (self, loop_clock_now (), delay, "delay", callback, user_data, notify, error);
}

/**
 * loop_event_loop_call_later:
 * @self: an event loop
 * @delay: seconds from now
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data once the callback has run or will not run any more
 *
 * As [method@EventLoop.call_later_full], with a critical message in the place of the
 * error.
 *
 * Returns: (transfer none) (nullable): the handle
 */
LoopTimerHandle *
loop_event_loop_call_later (LoopEventLoop *self,
                            double delay,
                            LoopCallback callback,
                            gpointer user_data,
                            GDestroyNotify notify)
{
  GError *error = NULL;
  LoopTimerHandle *handle;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (callback != NULL, NULL);

  handle = schedule_timer (self, loop_clock_now (), delay, "delay", callback, user_data, notify, &error);
  if (G_UNLIKELY (error != NULL))
    loop_report_misuse (G_STRFUNC, error);

  return handle;
}

/**
 * loop_event_loop_call_at_full: (rename-to loop_event_loop_call_at)
 * @self: an event loop
 * @when: a time on the clock of [method@EventLoop.time], in seconds
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data once the callback has run or will not run any more
 * @error: return location for an error
 *
 * Arranges for @callback to be called once, at a time. See [method@EventLoop.call_later].
 *
 * Returns: (transfer none) (nullable): the handle, which the loop owns until it has run;
 *   %NULL on error
 */
LoopTimerHandle *
loop_event_loop_call_at_full (LoopEventLoop *self,
                              double when,
                              LoopCallback callback,
                              gpointer user_data,
                              GDestroyNotify notify,
                              GError **error)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (callback != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return schedule_timer (self, 0, when, "time", callback, user_data, notify, error);
}

/**
 * loop_event_loop_call_at:
 * @self: an event loop
 * @when: a time on the clock of [method@EventLoop.time], in seconds
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data once the callback has run or will not run any more
 *
 * As [method@EventLoop.call_at_full], with a critical message in the place of the error.
 *
 * Returns: (transfer none) (nullable): the handle
 */
LoopTimerHandle *
loop_event_loop_call_at (LoopEventLoop *self,
                         double when,
                         LoopCallback callback,
                         gpointer user_data,
                         GDestroyNotify notify)
{
  GError *error = NULL;
  LoopTimerHandle *handle = loop_event_loop_call_at_full (self, when, callback, user_data, notify, &error);

  if (G_UNLIKELY (error != NULL))
    loop_report_misuse (G_STRFUNC, error);

  return handle;
}
