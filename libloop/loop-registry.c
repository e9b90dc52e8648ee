/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

/*
 * How futures, transports and servers leave their loop. They are for the loop's thread, but
 * the last reference to one may be dropped in any other: by a garbage collector, say.
 */

/* Whether another thread runs the loop, or is known to iterate its context. */
gboolean
loop_event_loop_is_elsewhere (LoopEventLoop *self)
{
  gpointer thread = __atomic_load_n (&self->thread, __ATOMIC_RELAXED);

  if (thread == NULL)
    thread = __atomic_load_n (&self->home, __ATOMIC_RELAXED);

  return thread != NULL && thread != loop_thread_self ();
}

/* Takes @node off its list, if it is on one. From any thread. */
void
loop_event_loop_unregister (LoopEventLoop *self, LoopRegistryKind kind, LoopRegistryNode *node)
{
  gboolean is_on_loop_thread = __atomic_load_n (&self->thread, __ATOMIC_RELAXED) == loop_thread_self ();

  if (is_on_loop_thread)
    loop_event_loop_enter (self);
  else
    /* As an inspector does: the loop is outside its sections for nearly all of the time. */
    while (!loop_guard_hold (&self->guard, G_USEC_PER_SEC))
      ;

  if (node->next != NULL)
    loop_registry_remove (&self->registry, kind, node);

  if (is_on_loop_thread)
    loop_event_loop_leave (self);
  else
    loop_guard_release (&self->guard);
}

static void
do_nothing (gpointer data)
{
}

/*
 * Drops a reference, which may be the last one, and would then close the loop and destroy
 * what waits in it: in the midst of an iteration, if another thread iterates the context.
 * So it is left to that thread.
 *
 * With a context of its own a loop needs no such care. While it runs it has a reference to
 * itself, and once it has stopped there is no thread that it belongs to.
 */
void
loop_event_loop_unref_anywhere (LoopEventLoop *self)
{
  gboolean has_own_context = self->context_wakeup_fd >= 0;
  g_autoptr (LoopIncoming) incoming = NULL;

  if (has_own_context || self->incoming == NULL || !loop_event_loop_is_elsewhere (self))
    {
      g_object_unref (self);
      return;
    }

  /* The loop may be gone before the call is back. */
  incoming = loop_incoming_ref (self->incoming);
  if (!loop_incoming_post (incoming, do_nothing, self, g_object_unref))
    g_object_unref (self);
}

/*
 * Has @bury called with what is left of something that was freed, on the thread that runs
 * the loop; right now, if that is this one or there is none, unless that is to be deferred.
 */
void
loop_event_loop_bury (LoopEventLoop *self, gpointer remains, GDestroyNotify bury)
{
  if (loop_event_loop_is_elsewhere (self))
    /* Refused by a closed loop, it is done here. */
    loop_event_loop_call_soon_threadsafe (self, do_nothing, remains, bury, NULL, NULL);
  else if (self->defer_finalization && !self->is_closed)
    loop_event_loop_schedule (self, do_nothing, remains, bury, "finalization");
  else
    bury (remains);
}
