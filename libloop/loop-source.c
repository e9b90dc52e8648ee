/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

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
  /* Not one of g_source_add_unix_fd(), with which a source is always ready when its descriptor is. */
  GPollFD fd;
  gint64 begun;   /* since when this iteration is known to be one of the loop's */
  gint64 busy_ns; /* spent in those since the others last had their chance */
  gint64 break_begun;
  guint n_skipped; /* iterations of the break that is under way */
} LoopSource;

/* After so long without a break, sources of lower priority have their chance: a frame clock has to tick. */
#define MAX_UNFAIR_NS (2 * 1000 * 1000)

/*
 * A break is some iterations, for in each of them only the most urgent of the sources that are
 * ready have their turn: the events of a window, then its frame, then what is idle. But when
 * these take their time, the loop's turn is next.
 */
#define MAX_SKIPPED 4
#define MAX_BREAK_NS (2 * 1000 * 1000)

/* Returns: %FALSE when the break is over */
static gboolean
take_break (LoopSource *self, gint64 now)
{
  if (self->n_skipped == 0)
    self->break_begun = now;

  if (self->n_skipped == MAX_SKIPPED || now - self->break_begun > MAX_BREAK_NS)
    {
      self->n_skipped = 0;
      return FALSE;
    }

  self->n_skipped++;

  return TRUE;
}

/*
 * Decides whether this iteration belongs to the others: while somebody else iterates the
 * context, by how long the loop was busy since they last had their chance, for nobody
 * waits while the context is left alone ...
 */
static gboolean
yield_if_busy (LoopSource *self)
{
  if (self->busy_ns < MAX_UNFAIR_NS)
    return FALSE;

  if (take_break (self, self->begun))
    return TRUE;

  self->busy_ns = 0;

  return FALSE;
}

/* ... and while run_forever does, by the time since then, for most iterations are its own. */
static gboolean
yield_if_due (LoopSource *self, gboolean has_work)
{
  LoopEventLoop *loop = self->loop;
  gint64 now = loop_clock_now ();

  if (has_work && now - loop->last_yield < MAX_UNFAIR_NS)
    return FALSE;

  if (has_work && take_break (self, now))
    return TRUE;

  loop->last_yield = now;
  self->n_skipped = 0;

  return FALSE;
}

static gboolean
source_prepare (GSource *source, int *timeout)
{
  LoopSource *self = (LoopSource *) source;
  LoopEventLoop *loop = self->loop;
  gboolean has_work;

  *timeout = -1;

  if (loop->is_iterating || loop->is_closed)
    return FALSE;

  if (G_UNLIKELY (loop->before_nested_poll != NULL))
    loop->before_nested_poll (loop->before_nested_poll_data);

  loop_event_loop_enter (loop);
  loop_poller_flush (&loop->poller, &loop->ready);
  has_work = loop_event_loop_has_work (loop) || !loop_incoming_fall_asleep (loop->incoming);
  if (!has_work && !loop_poller_arm_timer (&loop->poller, loop_timer_queue_next (&loop->timers)))
    {
      gint64 ms = (loop_timer_queue_next (&loop->timers) - loop_clock_now ()) / 1000000;

      *timeout = 1 + (int) CLAMP (ms, 0, G_MAXINT - 1);
    }
  loop->is_polling = !has_work;
  loop_event_loop_leave (loop);

  loop->is_skipping = FALSE;
  if (!has_work)
    {
      loop_event_loop_do_what_was_put_off (loop);
      return FALSE;
    }

  *timeout = 0;
  self->begun = loop_clock_now ();
  loop->is_skipping = yield_if_busy (self);

  return !loop->is_skipping;
}

static gboolean
source_check (GSource *source)
{
  LoopSource *self = (LoopSource *) source;
  LoopEventLoop *loop = self->loop;
  gboolean has_work;

  if (G_UNLIKELY (loop->is_closed))
    return FALSE;

  if (loop->is_iterating)
    {
      has_work = loop_event_loop_has_work (loop);
      return !yield_if_due (self, has_work) && has_work;
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

  if (self->fd.revents == 0 && !loop_event_loop_has_work (loop))
    {
      self->busy_ns = 0;
      self->n_skipped = 0;
      return FALSE;
    }

  self->begun = loop_clock_now ();

  return !yield_if_busy (self);
}

static void
dispatch (LoopEventLoop *loop)
{
  const LoopInterpreterHooks *hooks = loop->hooks;
  gpointer data = loop->hooks_data;

  if (hooks != NULL)
    hooks->before_dispatch (data);
  loop_event_loop_dispatch (loop);
  if (hooks != NULL)
    hooks->after_dispatch (data);
}

static gboolean
source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  LoopSource *self = (LoopSource *) source;
  LoopEventLoop *loop = g_object_ref (self->loop);
  gint64 begun = self->begun;

  loop->is_skipping = FALSE;
  if (G_LIKELY (!loop->is_closed))
    dispatch (loop);
  if (begun != 0)
    self->busy_ns += loop_clock_now () - begun;
  self->begun = 0;

  /* A callback may have dropped what was the last reference but this one. */
  g_object_unref (loop);

  return G_SOURCE_CONTINUE;
}

/* In a child process somebody may iterate the context still, but the descriptor is not for it. */
void
loop_source_abandon (GSource *source)
{
  ((LoopSource *) source)->fd.events = 0;
}

static GSourceFuncs source_funcs = { source_prepare, source_check, source_dispatch, NULL, NULL, NULL };

GSource *
loop_source_new (LoopEventLoop *self)
{
  GSource *source = g_source_new (&source_funcs, sizeof (LoopSource));
  GPollFD *fd = &((LoopSource *) source)->fd;

  ((LoopSource *) source)->loop = self;
  fd->fd = self->poller.epoll_fd;
  fd->events = G_IO_IN;
  g_source_add_poll (source, fd);
  g_source_set_static_name (source, "libloop");

  /* A callback may run a main loop of its own; and without this, GLib blocks and unblocks
   * the source around each dispatch, at three times the cost. */
  g_source_set_can_recurse (source, TRUE);

  return source;
}
