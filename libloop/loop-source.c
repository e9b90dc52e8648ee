/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

#include <glib-unix.h>

/*
 * The one source that a loop has on its main context. While run_forever iterates the
 * context, it has polled and knows what there is to do, and the source only takes its
 * turn among the others. When somebody else iterates the context, the source does the
 * whole work of an iteration, with the epoll descriptor as the one that is polled.
 */
typedef struct
{
  GSource parent;
  LoopEventLoop *loop;
  gpointer tag;
} LoopSource;

/* After so long without a break, sources of lower priority get an iteration: a frame clock has to tick. */
#define MAX_UNFAIR_NS (8 * 1000 * 1000)

/*
 * Decides whether this iteration belongs to the others. What counts is the time since
 * they last had their chance.
 */
static gboolean
yield_if_due (LoopEventLoop *loop, gboolean has_work)
{
  gint64 now = loop_clock_now ();

  if (!has_work)
    {
      loop->last_yield = now;
      return FALSE;
    }

  if (now - loop->last_yield < MAX_UNFAIR_NS)
    return FALSE;

  loop->last_yield = now;

  return TRUE;
}

static gboolean
source_prepare (GSource *source, int *timeout)
{
  LoopEventLoop *loop = ((LoopSource *) source)->loop;
  gboolean has_work;

  *timeout = -1;

  if (loop->is_iterating)
    return FALSE;

  loop_event_loop_enter (loop);
  loop_poller_flush (&loop->poller, &loop->ready);
  has_work = loop_event_loop_has_work (loop) || !loop_incoming_fall_asleep (loop->incoming);
  if (!has_work && !loop_poller_arm_timer (&loop->poller, loop_timer_heap_next (&loop->timers)))
    *timeout = 1 + (int) MIN ((loop_timer_heap_next (&loop->timers) - loop_clock_now ()) / 1000000, G_MAXINT - 1);
  loop->is_polling = !has_work;
  loop_event_loop_leave (loop);

  loop->is_skipping = has_work && yield_if_due (loop, TRUE);
  if (has_work)
    *timeout = 0;

  return has_work && !loop->is_skipping;
}

static gboolean
source_check (GSource *source)
{
  LoopSource *self = (LoopSource *) source;
  LoopEventLoop *loop = self->loop;
  gboolean has_work;

  if (loop->is_iterating)
    {
      has_work = loop_event_loop_has_work (loop);
      return has_work && !yield_if_due (loop, has_work);
    }

  loop_event_loop_enter (loop);
  loop->is_polling = FALSE;
  loop_event_loop_leave (loop);
  loop_incoming_wake_up (loop->incoming);

  if (loop->is_skipping)
    {
      loop->is_skipping = FALSE;
      return FALSE;
    }

  has_work = g_source_query_unix_fd (source, self->tag) != 0 || loop_event_loop_has_work (loop);

  return has_work && !yield_if_due (loop, has_work);
}

static gboolean
source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  LoopEventLoop *loop = ((LoopSource *) source)->loop;

  loop->is_skipping = FALSE;
  loop_event_loop_dispatch (loop);

  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { source_prepare, source_check, source_dispatch, NULL, NULL, NULL };

GSource *
loop_source_new (LoopEventLoop *self)
{
  GSource *source = g_source_new (&source_funcs, sizeof (LoopSource));

  ((LoopSource *) source)->loop = self;
  ((LoopSource *) source)->tag = g_source_add_unix_fd (source, self->poller.epoll_fd, G_IO_IN);
  g_source_set_static_name (source, "libloop");

  /* A callback may run a main loop of its own; and without this, GLib blocks and unblocks
   * the source around each dispatch, at three times the cost. */
  g_source_set_can_recurse (source, TRUE);

  return source;
}
