/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

/**
 * loop_event_loop_is_closed:
 * @self: an event loop
 *
 * Tells whether the loop was closed.
 *
 * Returns: %TRUE if it was closed
 */
gboolean
loop_event_loop_is_closed (LoopEventLoop *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), TRUE);

  return self->is_closed && !self->is_forked;
}

static void
discard_queue (LoopEventLoop *self, LoopReadyQueue *queue)
{
  LoopReadyItem *item;

  for (;;)
    {
      loop_event_loop_enter (self);
      item = loop_ready_queue_pop (queue);
      if (item != NULL && item->kind == LOOP_ITEM_CALLS)
        item = &loop_event_loop_next_call (self, (LoopCallBatch *) item, queue)->item;
      loop_event_loop_leave (self);

      if (item == NULL)
        break;

      /* A watch in the queue is its owner's: it was told with the others. */
      if (item->kind != LOOP_ITEM_HANDLE)
        continue;

      ((LoopHandle *) item)->item.handle_state = LOOP_HANDLE_CANCELLED;
      loop_handle_discard ((LoopHandle *) item, &self->pool);
    }
}

static void
discard_timers (LoopEventLoop *self)
{
  while (self->timers.length > 0)
    {
      LoopTimerHandle *timer;

      loop_event_loop_enter (self);
      timer = loop_timer_queue_peek_any (&self->timers);
      loop_timer_queue_remove (&self->timers, timer);
      loop_event_loop_leave (self);

      timer->parent.item.handle_state = LOOP_HANDLE_CANCELLED;
      loop_handle_discard (&timer->parent, &self->pool);
    }
}

static void
close_watches (LoopEventLoop *self)
{
  for (guint i = 0; i < self->poller.n_slots; i++)
    {
      LoopWatch *watch = self->poller.watches[i];

      if (watch == NULL)
        continue;

      loop_event_loop_enter (self);
      loop_poller_remove (&self->poller, watch);
      loop_event_loop_leave (self);
      if (watch->klass->closed != NULL)
        watch->klass->closed (watch);
    }
}

void
loop_event_loop_add_close_hook (LoopEventLoop *self, LoopCloseHook *hook)
{
  hook->prev = self->close_hooks.prev;
  hook->next = &self->close_hooks;
  hook->prev->next = hook;
  self->close_hooks.prev = hook;
}

void
loop_close_hook_remove (LoopCloseHook *hook)
{
  if (hook->next == NULL)
    return;

  hook->prev->next = hook->next;
  hook->next->prev = hook->prev;
  hook->prev = hook->next = NULL;
}

/**
 * loop_event_loop_close_full: (rename-to loop_event_loop_close)
 * @self: an event loop
 * @error: return location for an error
 *
 * Closes the loop, which must not be running. Callbacks that are pending will not run;
 * their `user_data` is destroyed. Transports and servers that are still open are closed
 * without a word to their protocols. Closing is final, and closing again does nothing.
 * In a child process the copy of its parent's loop may be closed; the parent does not
 * notice.
 *
 * Returns: %TRUE, or %FALSE with %LOOP_ERROR_RUNNING if the loop is running
 */
gboolean
loop_event_loop_close_full (LoopEventLoop *self, GError **error)
{
  LoopCallBatch *batch;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (self->is_closed && !self->is_forked)
    return TRUE;

  if (loop_event_loop_is_running (self))
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_RUNNING, "Cannot close a running event loop");
      return FALSE;
    }

  g_object_ref (self);

  loop_event_loop_enter (self);
  self->is_closed = TRUE;
  /* Not written otherwise, for other threads may read it. */
  if (self->is_forked)
    self->is_forked = FALSE;
  batch = loop_incoming_close (self->incoming);
  if (batch != NULL)
    loop_ready_queue_push (&self->ready, &batch->item);
  loop_event_loop_leave (self);

  while (self->close_hooks.next != &self->close_hooks)
    {
      LoopCloseHook *hook = self->close_hooks.next;

      loop_close_hook_remove (hook);
      hook->closed (hook);
    }

  close_watches (self);
  discard_queue (self, &self->batch);
  discard_queue (self, &self->ready);
  discard_timers (self);
  g_ptr_array_set_size (self->graveyard, 0);

  /* Whoever asks for a lock that nobody will give back waits for ever: the source stays, and so does what it needs. */
  if (self->is_context_lost)
    {
      g_object_ref (self);
    }
  else
    {
      g_source_destroy (self->source);
      g_clear_pointer (&self->source, g_source_unref);
    }

  loop_event_loop_enter (self);
  loop_poller_clear (&self->poller);
  loop_event_loop_leave (self);
  if (self->debug)
    loop_traceback_forget_loop (self->id);

  g_object_unref (self);

  return TRUE;
}

/**
 * loop_event_loop_close:
 * @self: an event loop
 *
 * As [method@EventLoop.close_full], with a critical message in the place of the error.
 *
 * Returns: %TRUE, or %FALSE if the loop is running
 */
gboolean
loop_event_loop_close (LoopEventLoop *self)
{
  GError *error = NULL;

  if (loop_event_loop_close_full (self, &error))
    return TRUE;

  if (error != NULL)
    loop_report_misuse (G_STRFUNC, error);

  return FALSE;
}
