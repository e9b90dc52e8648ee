/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-future-private.h"

/*
 * What is called once a future is done. Most futures have one such callback: it has its place
 * in the future, and so needs no memory of its own.
 */

static LoopDoneCallback *
done_callback_alloc (LoopFuture *self)
{
  return self->own_callback.callback == NULL ? &self->own_callback : g_new (LoopDoneCallback, 1);
}

static void
done_callback_free (gpointer data)
{
  LoopDoneCallback self = *(LoopDoneCallback *) data;

  if (self.is_ours)
    ((LoopDoneCallback *) data)->callback = NULL;
  else
    g_free (data);

  loop_destroy_user_data (self.user_data, self.notify);
  if (self.future != NULL)
    loop_future_release (self.future);
}

static void
run_done_callback (gpointer data)
{
  LoopDoneCallback *self = data;

  self->callback (self->future, self->user_data);
}

void
loop_done_callbacks_free (LoopDoneCallback *callback)
{
  while (callback != NULL)
    {
      LoopDoneCallback *next = callback->next;

      done_callback_free (callback);
      callback = next;
    }
}

/* As a list that does not need the future. */
LoopDoneCallback *
loop_future_steal_callbacks (LoopFuture *self)
{
  LoopDoneCallback *first = g_steal_pointer (&self->first_callback);

  for (LoopDoneCallback **place = &first; *place != NULL; place = &(*place)->next)
    if ((*place)->is_ours)
      {
        *place = g_memdup2 (*place, sizeof **place);
        (*place)->is_ours = FALSE;
      }

  return first;
}

/* Hands done callbacks to the loop. */
void
loop_future_schedule_callbacks (LoopFuture *self, LoopDoneCallback *callback)
{
  while (callback != NULL)
    {
      LoopDoneCallback *next = callback->next;

      if (self->loop->is_closed)
        {
          done_callback_free (callback);
        }
      else
        {
          callback->future = g_object_ref (self);
          loop_event_loop_schedule (self->loop, run_done_callback, callback, done_callback_free,
                                    "future done callback");
        }
      callback = next;
    }
}

static guint64
add_callback (LoopFuture *self, guint64 waiter, LoopFutureCallback callback, gpointer user_data, GDestroyNotify notify)
{
  guint64 id = loop_event_loop_next_id (self->loop);
  LoopDoneCallback *done_callback = done_callback_alloc (self);

  *done_callback = (LoopDoneCallback) {
    .callback = callback,
    .user_data = user_data,
    .notify = notify,
    .id = id,
    .waiter = waiter,
    .is_ours = done_callback == &self->own_callback,
  };

  if (!loop_future_is_pending (self))
    {
      loop_future_schedule_callbacks (self, done_callback);
      return id;
    }

  loop_event_loop_enter (self->loop);
  if (self->last_callback != NULL)
    self->last_callback->next = done_callback;
  else
    self->first_callback = done_callback;
  self->last_callback = done_callback;
  loop_event_loop_leave (self->loop);

  return id;
}

guint64
loop_future_add_waiter (LoopFuture *self,
                        LoopFuture *waiter,
                        LoopFutureCallback callback,
                        gpointer user_data,
                        GDestroyNotify notify)
{
  return add_callback (self, waiter->node.id, callback, user_data, notify);
}

/**
 * loop_future_add_done_callback:
 * @self: a future
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data
 *
 * Has the loop call @callback once the future is done: in the next iteration if it is
 * done already.
 *
 * Returns: an id for [method@Future.remove_done_callback]
 */
guint64
loop_future_add_done_callback (LoopFuture *self, LoopFutureCallback callback, gpointer user_data, GDestroyNotify notify)
{
  g_return_val_if_fail (LOOP_IS_FUTURE (self), 0);
  g_return_val_if_fail (callback != NULL, 0);

  return add_callback (self, 0, callback, user_data, notify);
}

/**
 * loop_future_remove_done_callback:
 * @self: a future
 * @id: what [method@Future.add_done_callback] returned
 *
 * Removes a callback. One that the loop has been told to call cannot be removed.
 *
 * Returns: %TRUE if it was removed
 */
gboolean
loop_future_remove_done_callback (LoopFuture *self, guint64 id)
{
  LoopDoneCallback *previous = NULL;

  g_return_val_if_fail (LOOP_IS_FUTURE (self), FALSE);

  for (LoopDoneCallback *callback = self->first_callback; callback != NULL;
       previous = callback, callback = callback->next)
    {
      if (callback->id != id)
        continue;

      loop_event_loop_enter (self->loop);
      if (previous != NULL)
        previous->next = callback->next;
      else
        self->first_callback = callback->next;
      if (self->last_callback == callback)
        self->last_callback = previous;
      loop_event_loop_leave (self->loop);

      done_callback_free (callback);
      return TRUE;
    }

  return FALSE;
}
