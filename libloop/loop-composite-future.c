/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-composite-future-private.h"

G_DEFINE_ABSTRACT_TYPE (LoopCompositeFuture, loop_composite_future, LOOP_TYPE_FUTURE)

static void
drop_done_children (LoopCompositeFuture *self)
{
  for (guint i = 0; i < self->n_children; i++)
    {
      if (self->children[i].is_done)
        g_clear_object (&self->children[i].future);
    }
}

static void
end_child (LoopChild *child)
{
  LoopCompositeFuture *self = child->parent;
  const gboolean was_pending = loop_future_is_pending (LOOP_FUTURE (self));

  child->is_done = TRUE;
  self->n_pending--;
  ((LoopCompositeFutureClass *) G_OBJECT_GET_CLASS (self))->child_done (self, child);

  /* They have served. The garbage collector of an interpreter cannot see that a future holds others. */
  if (!was_pending)
    g_clear_object (&child->future);
  else if (!loop_future_is_pending (LOOP_FUTURE (self)))
    drop_done_children (self);
}

static void
child_done (LoopFuture *future, gpointer data)
{
  LoopChild *child = data;

  if (child->is_let_go)
    return;

  child->future = g_object_ref (future);
  end_child (child);
}

/* The callback is gone: it has run, or was removed, or the child was freed. */
static void
callback_gone (gpointer data)
{
  LoopChild *child = data;
  LoopCompositeFuture *self = child->parent;

  if (!child->is_done && !child->is_let_go)
    {
      child->future = NULL;
      if (!LOOP_FUTURE (self)->loop->is_closed)
        end_child (child);
    }

  g_object_unref (self);
}

static void
loop_composite_future_finalize (GObject *object)
{
  LoopCompositeFuture *self = LOOP_COMPOSITE_FUTURE (object);

  drop_done_children (self);
  g_free (self->children);

  G_OBJECT_CLASS (loop_composite_future_parent_class)->finalize (object);
}

static void
loop_composite_future_class_init (LoopCompositeFutureClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_composite_future_finalize;
}

static void
loop_composite_future_init (LoopCompositeFuture *self)
{
}

/* @name is a static string. */
gpointer
loop_composite_future_new (GType type, LoopEventLoop *loop, const char *name)
{
  LoopFuture *self = g_object_new (type, NULL);

  loop_future_set_up (self, loop, name);

  return self;
}

/*
 * Begins to wait for @futures, among which one may be several times.
 *
 * Returns: %FALSE, with the future failed, if one belongs to another loop
 */
gboolean
loop_composite_future_watch (LoopCompositeFuture *self, LoopFuture *const *futures, gsize n_futures)
{
  LoopFuture *base = LOOP_FUTURE (self);

  for (gsize i = 0; i < n_futures; i++)
    {
      if (futures[i]->loop != base->loop)
        {
          loop_future_fail (base, g_error_new (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                                               "A future to wait for belongs to a different event loop"));
          return FALSE;
        }
    }

  self->children = g_new0 (LoopChild, n_futures);
  self->n_children = self->n_pending = (guint) n_futures;

  for (gsize i = 0; i < n_futures; i++)
    {
      LoopChild *child = &self->children[i];

      child->parent = g_object_ref (self);
      child->future = futures[i];
      child->callback = loop_future_add_waiter (futures[i], base, child_done, child, callback_gone);
    }

  return TRUE;
}

/* Does not wait any more for those that are pending. */
void
loop_composite_future_let_go (LoopCompositeFuture *self)
{
  g_object_ref (self);

  for (guint i = 0; i < self->n_children; i++)
    {
      LoopChild *child = &self->children[i];

      if (child->is_done || child->is_let_go || child->future == NULL)
        continue;

      child->is_let_go = TRUE;
      /* One that the loop was told to call comes all the same, and is not to count. */
      loop_future_remove_done_callback (child->future, child->callback);
    }

  g_object_unref (self);
}

/* Returns: whether one could be cancelled */
gboolean
loop_composite_future_cancel_children (LoopCompositeFuture *self, const char *message)
{
  gboolean any = FALSE;

  g_object_ref (self);

  for (guint i = 0; i < self->n_children; i++)
    {
      LoopChild *child = &self->children[i];

      if (!child->is_done && !child->is_let_go && child->future != NULL &&
          loop_future_cancel_with_message (child->future, message))
        any = TRUE;
    }

  g_object_unref (self);

  return any;
}
