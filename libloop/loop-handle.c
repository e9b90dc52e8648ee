/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

/**
 * LoopHandle:
 *
 * A callback that was scheduled with [method@EventLoop.call_soon] or
 * [method@EventLoop.call_soon_threadsafe].
 *
 * The loop owns the handle until the callback has run or was cancelled, so nothing
 * leaks when the return value is ignored. To look at a handle later than that, take a
 * reference. Its methods are for the thread that runs the loop, but for
 * [method@Handle.ref] and [method@Handle.unref], which any thread may call.
 */
G_DEFINE_BOXED_TYPE (LoopHandle, loop_handle, loop_handle_ref, loop_handle_unref)

LoopHandle *
loop_handle_new_unpooled (LoopCallback callback, gpointer user_data, GDestroyNotify notify)
{
  return loop_handle_init (g_malloc (sizeof (LoopTimerHandle)), callback, user_data, notify);
}

void
loop_handle_pool_clear (LoopHandlePool *pool)
{
  while (pool->free != NULL)
    {
      LoopHandle *next = (LoopHandle *) pool->free->item.next;

      g_free (pool->free);
      pool->free = next;
    }

  pool->n_free = 0;
}

/*
 * Ends a pending handle that is in no queue any more, without having run it.
 * Outside the guard, for its notify is user code.
 */
void
loop_handle_discard (LoopHandle *self, LoopHandlePool *pool)
{
  self->loop = NULL;
  loop_destroy_user_data (self->user_data, self->notify);

  loop_handle_release (self, pool);
}

/**
 * loop_handle_ref:
 * @self: a handle
 *
 * Takes a reference; from any thread.
 *
 * Returns: (transfer full): @self
 */
LoopHandle *
loop_handle_ref (LoopHandle *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  __atomic_fetch_add (&self->item.handle_ref_count, 1, __ATOMIC_RELAXED);

  return self;
}

/**
 * loop_handle_unref:
 * @self: (transfer full): a handle
 *
 * Drops a reference; from any thread. The callback still runs if it is pending.
 */
void
loop_handle_unref (LoopHandle *self)
{
  g_return_if_fail (self != NULL);

  if (__atomic_fetch_sub (&self->item.handle_ref_count, 1, __ATOMIC_ACQ_REL) == 1)
    g_free (self);
}

/**
 * loop_handle_cancel:
 * @self: a handle
 *
 * Cancels the call. Its `user_data` is destroyed at once. If the callback is already
 * cancelled or executed, or is running, this has no effect.
 */
void
loop_handle_cancel (LoopHandle *self)
{
  LoopEventLoop *loop;
  gboolean is_queued = TRUE;

  g_return_if_fail (self != NULL);

  loop = self->loop;
  if (loop == NULL || self->item.handle_state == LOOP_HANDLE_RUNNING ||
      self->item.handle_state == LOOP_HANDLE_CANCELLED)
    return;

  /* While the loop is closed, what is still to be told of that may have timers to give up. */
  if (G_UNLIKELY (loop->debug && !loop_event_loop_is_closed (loop)))
    {
      g_autoptr (GError) error = NULL;

      if (!loop_event_loop_check_usable (loop, &error))
        {
          loop_report_misuse (G_STRFUNC, g_steal_pointer (&error));
          return;
        }
      loop_traceback_forget (self->id);
    }

  loop_event_loop_enter (loop);
  switch ((LoopHandleState) self->item.handle_state)
    {
    case LOOP_HANDLE_READY:
      loop_ready_item_unqueue (&self->item);
      break;

    case LOOP_HANDLE_TIMER:
      loop_timer_queue_remove (&loop->timers, (LoopTimerHandle *) self);
      break;

    case LOOP_HANDLE_INCOMING:
      /* In a stack that other threads push to: it is dropped when the loop takes it over. */
      is_queued = FALSE;
      break;

    default:
      g_assert_not_reached ();
    }
  self->item.handle_state = LOOP_HANDLE_CANCELLED;
  loop_event_loop_leave (loop);

  if (is_queued)
    loop_handle_discard (self, &loop->pool);
}

/**
 * loop_handle_cancelled:
 * @self: a handle
 *
 * Tells whether the call was cancelled.
 *
 * Returns: %TRUE if it was cancelled before it ran
 */
gboolean
loop_handle_cancelled (LoopHandle *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return self->item.handle_state == LOOP_HANDLE_CANCELLED;
}

/**
 * loop_handle_get_id:
 * @self: a handle
 *
 * Gets the id by which an inspector knows the handle: unique in the process and never
 * reused.
 *
 * Returns: the id
 */
guint64
loop_handle_get_id (LoopHandle *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->id;
}

/**
 * loop_handle_set_name:
 * @self: a handle
 * @name: (nullable): a name for the callback
 *
 * Gives the callback a name, which warnings and inspectors show in the place of its
 * function. Names are interned: don't make them up for each call.
 */
void
loop_handle_set_name (LoopHandle *self, const char *name)
{
  g_return_if_fail (self != NULL);

  loop_handle_take_name (self, g_intern_string (name));
}

/**
 * loop_handle_set_static_name: (skip)
 * @self: a handle
 * @name: (nullable): a name for the callback, which stays valid for as long as the process lives
 *
 * As [method@Handle.set_name], for who has static or interned names already, as
 * interpreters have for each of their functions.
 */
void
loop_handle_set_static_name (LoopHandle *self, const char *name)
{
  g_return_if_fail (self != NULL);

  loop_handle_take_name (self, name);
}

/**
 * loop_handle_get_name:
 * @self: a handle
 *
 * Gets the name that [method@Handle.set_name] gave.
 *
 * Returns: (nullable): the name
 */
const char *
loop_handle_get_name (LoopHandle *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return loop_handle_peek_name (self);
}

/**
 * loop_handle_describe:
 * @self: a handle
 *
 * Describes the handle for a log message: its id, and its name or the symbol of its
 * function.
 *
 * Returns: (transfer full): the description
 */
char *
loop_handle_describe (LoopHandle *self)
{
  LoopDescription description = { .fd = -1 };

  g_return_val_if_fail (self != NULL, NULL);

  loop_ready_item_describe (&self->item, &description);

  return loop_description_to_string (&description);
}

char *
loop_description_to_string (const LoopDescription *description)
{
  g_autofree char *function = description->name == NULL ? loop_describe_function (description->function) : NULL;

  g_autofree char *origin = loop_traceback_get_origin (description->id);
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_append_printf (text, "%s #%" G_GUINT64_FORMAT " %s", description->kind, description->id,
                          function != NULL ? function : description->name);
  if (description->fd >= 0)
    g_string_append_printf (text, " (descriptor %d)", description->fd);
  if (origin != NULL)
    g_string_append_printf (text, ", created at %s", origin);

  return g_string_free (g_steal_pointer (&text), FALSE);
}
