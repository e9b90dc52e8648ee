/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-future-spares-private.h"

#ifdef LOOP_WITH_ASAN
#include <sanitizer/asan_interface.h>
#endif

/*
 * Most futures have their last reference dropped by the loop, right after it has called what
 * was waiting for them. To free an object and make another one takes GObject longer than all
 * the rest that a future goes through: so whoever has the last reference keeps the future for
 * the next one, as if it were new. Nobody can tell: it has another id, and nothing is left on
 * it that the last users might have put there.
 */

/* Whether nobody else knows of it: what there is of weak references, wrappers, bindings and toggles is in the data. */
static gboolean
is_ours_alone (LoopFuture *self)
{
  GObject *object = (GObject *) self;

  return __atomic_load_n (&object->ref_count, __ATOMIC_ACQUIRE) == 1 && object->qdata == NULL;
}

/* Where the future may go. */
static LoopFutureSpares *
find_place (LoopFuture *self)
{
  LoopFutureClass *klass = LOOP_FUTURE_GET_CLASS (self);
  LoopEventLoop *loop = self->loop;
  LoopFutureSpares *spares;

  /* Classes inherit what their parents have. */
  if (klass->spare_type != G_TYPE_FROM_CLASS (klass))
    return NULL;

  if (loop->is_closed || loop->thread != loop_thread_self ())
    return NULL;

  /* Somebody may have to be told of it. */
  if (self->exception != NULL)
    return NULL;

  spares = klass->get_spares (loop);

  return spares != NULL && spares->length < LOOP_MAX_SPARE_FUTURES ? spares : NULL;
}

/* AddressSanitizer sees the use of a future that is not there, in spite of its being kept. */
static inline void
mark_as_freed (LoopFuture *self)
{
#ifdef LOOP_WITH_ASAN
  GTypeQuery query;

  g_type_query (G_OBJECT_TYPE (self), &query);
  ASAN_POISON_MEMORY_REGION (self, query.instance_size);
#endif
}

static inline void
mark_as_allocated (LoopFuture *self)
{
#ifdef LOOP_WITH_ASAN
  GTypeQuery query;

  ASAN_UNPOISON_MEMORY_REGION (self, sizeof (GTypeInstance));
  g_type_query (G_OBJECT_TYPE (self), &query);
  ASAN_UNPOISON_MEMORY_REGION (self, query.instance_size);
#endif
}

static void
keep (LoopFutureSpares *spares, LoopFuture *self)
{
  LoopEventLoop *loop = g_steal_pointer (&self->loop);
  LoopFutureClass *klass = LOOP_FUTURE_GET_CLASS (self);

  g_assert (self->first_callback == NULL && self->own_callback.callback == NULL);

  g_signal_handlers_destroy (self);
  loop_event_loop_unregister (loop, self->kind, &self->node);
  loop_event_loop_untrace (loop, self->node.id);
  self->last_callback = NULL;
  g_clear_pointer (&self->cancel_message, g_free);
  g_clear_pointer (&self->canceller, g_free);
  self->is_retrieved = FALSE;
  self->state = LOOP_FUTURE_PENDING;

  if (G_IS_VALUE (&self->result))
    g_value_unset (&self->result);
  if (klass->reset != NULL)
    klass->reset (self);

  /* What was just freed may have filled the place. */
  if (spares->length == LOOP_MAX_SPARE_FUTURES)
    {
      g_object_unref (self);
    }
  else
    {
      spares->futures[spares->length++] = self;
      mark_as_freed (self);
    }

  loop_event_loop_unref_anywhere (loop);
}

/* As g_object_unref(), and the better way to drop what is likely to be the last reference. */
void
loop_future_release (LoopFuture *self)
{
  LoopFutureSpares *spares = is_ours_alone (self) ? find_place (self) : NULL;

  if (spares != NULL)
    keep (spares, self);
  else
    g_object_unref (self);
}

/* Returns: (nullable): a future that has to be set up like a new one */
LoopFuture *
loop_future_spares_take (LoopFutureSpares *self)
{
  LoopFuture *future;

  if (self->length == 0)
    return NULL;

  future = self->futures[--self->length];
  mark_as_allocated (future);

  return future;
}

void
loop_future_spares_clear (LoopFutureSpares *self)
{
  LoopFuture *future;

  while ((future = loop_future_spares_take (self)) != NULL)
    g_object_unref (future);
}

/* --- Those that go with the loop --------------------------------------------------------------- */

typedef struct
{
  LoopFutureSpares plain;
  LoopFutureSpares reads;
  LoopCloseHook hook;
  LoopEventLoop *loop;
} LoopSpares;

static void
loop_closed (LoopCloseHook *hook)
{
  LoopSpares *self = (LoopSpares *) ((char *) hook - G_STRUCT_OFFSET (LoopSpares, hook));

  self->loop->spare_futures = NULL;
  loop_future_spares_clear (&self->plain);
  loop_future_spares_clear (&self->reads);
  g_free (self);
}

/* On the thread that runs the loop. */
static LoopSpares *
get_spares (LoopEventLoop *loop)
{
  LoopSpares *self = loop->spare_futures;

  if (G_UNLIKELY (self == NULL))
    {
      self = loop->spare_futures = g_new0 (LoopSpares, 1);
      self->loop = loop;
      self->hook.closed = loop_closed;
      loop_event_loop_add_close_hook (loop, &self->hook);
    }

  return self;
}

/* Those of class LoopFuture. */
LoopFutureSpares *
loop_future_get_plain_spares (LoopEventLoop *loop)
{
  return &get_spares (loop)->plain;
}

/* Those of what reads from a stream. */
LoopFutureSpares *
loop_future_get_spare_reads (LoopEventLoop *loop)
{
  return &get_spares (loop)->reads;
}
