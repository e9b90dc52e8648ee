/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

/* A batch is interrupted after so long, for the sake of other sources of the context. */
#define MAX_BATCH_NS (2 * 1000 * 1000)

gboolean
loop_event_loop_has_work (LoopEventLoop *self)
{
  if (!loop_ready_queue_is_empty (&self->ready) || !loop_ready_queue_is_empty (&self->batch) ||
      !loop_ready_queue_is_empty (&self->written) || !loop_incoming_is_empty (self->incoming))
    return TRUE;

  return self->timers.length > 0 && loop_timer_queue_next (&self->timers) <= loop_clock_now ();
}

/* Due timers join the ready queue. Inside the guard. */
static void
collect_timers (LoopEventLoop *self, gint64 now)
{
  gboolean is_timed = loop_event_loop_is_timed (self);
  LoopTimerHandle *timer;

  while ((timer = loop_timer_queue_peek_due (&self->timers, now)) != NULL)
    {
      if (is_timed)
        loop_histogram_record (&self->metrics.lag, now - timer->when);

      loop_timer_queue_remove (&self->timers, timer);
      timer->parent.item.handle_state = LOOP_HANDLE_READY;
      loop_ready_queue_push (&self->ready, &timer->parent.item);
    }
}

static void
describe_handle (const LoopHandle *self, LoopDescription *description)
{
  description->id = self->id;
  description->kind = self->item.handle_is_timer ? "timer" : "handle";
  description->name = loop_handle_peek_name (self);
  description->function = (gpointer) self->callback;
  description->when = self->item.handle_is_timer ? ((const LoopTimerHandle *) self)->when : 0;
}

void
loop_ready_item_describe (const LoopReadyItem *item, LoopDescription *description)
{
  const LoopWatch *watch;

  switch ((LoopReadyItemKind) item->kind)
    {
    case LOOP_ITEM_HANDLE:
      describe_handle ((const LoopHandle *) item, description);
      break;

    case LOOP_ITEM_READER:
      watch = loop_watch_from_reader (item);
      watch->klass->describe (watch, FALSE, description);
      break;

    case LOOP_ITEM_WRITER:
      watch = loop_watch_from_writer (item);
      watch->klass->describe (watch, TRUE, description);
      break;

    case LOOP_ITEM_CALLS:
    default:
      g_assert_not_reached ();
    }
}

static inline void
run_handle (LoopHandle *self)
{
  /* A call of another thread that was cancelled before its turn. */
  gboolean is_cancelled = self->item.handle_state == LOOP_HANDLE_CANCELLED;

  if (G_LIKELY (!is_cancelled))
    {
      self->item.handle_state = LOOP_HANDLE_RUNNING;
      self->callback (self->user_data);
    }

  loop_destroy_user_data (self->user_data, self->notify);

  if (G_LIKELY (!is_cancelled))
    self->item.handle_state = LOOP_HANDLE_DONE;
  self->loop = NULL;
}

/* Runs user code: outside the guard. */
static inline void
run_item (LoopReadyItem *item)
{
  LoopWatch *watch;

  switch ((LoopReadyItemKind) item->kind)
    {
    case LOOP_ITEM_HANDLE:
      run_handle ((LoopHandle *) item);
      break;

    case LOOP_ITEM_READER:
      watch = loop_watch_from_reader (item);
      if (G_UNLIKELY (watch->poll_errno != 0))
        loop_watch_report_failure (watch);
      else
        watch->klass->readable (watch);
      break;

    case LOOP_ITEM_WRITER:
      watch = loop_watch_from_writer (item);
      watch->klass->writable (watch);
      break;

    case LOOP_ITEM_CALLS:
    default:
      g_assert_not_reached ();
    }
}

/*
 * Whether the item is dropped after it has run. Other items stay where they are at least
 * until the next one is taken, so that an inspector may still find them.
 */
static inline gboolean
needs_drop (const LoopReadyItem *item)
{
  switch ((LoopReadyItemKind) item->kind)
    {
    case LOOP_ITEM_HANDLE:
      return TRUE;
    case LOOP_ITEM_READER:
      return loop_watch_from_reader (item)->klass->done != NULL;
    case LOOP_ITEM_WRITER:
      return loop_watch_from_writer (item)->klass->done != NULL;
    case LOOP_ITEM_CALLS:
    default:
      g_assert_not_reached ();
    }
}

/* Drops what kept the item alive, when nothing points to it any more. It may run user code. */
static void
drop_item (LoopEventLoop *self, LoopReadyItem *item)
{
  LoopWatch *watch;

  if (item->kind == LOOP_ITEM_HANDLE)
    {
      loop_handle_unref ((LoopHandle *) item);
      return;
    }

  watch = item->kind == LOOP_ITEM_READER ? loop_watch_from_reader (item) : loop_watch_from_writer (item);
  watch->klass->done (watch);
}

static void
warn_of_slow_callback (const LoopDescription *description, gint64 ns, gint64 cpu_ns)
{
  g_autofree char *what = loop_description_to_string (description);

  g_warning ("Executing %s took %.3f seconds (%.3f of them on a CPU)", what, loop_clock_to_seconds (ns),
             loop_clock_to_seconds (cpu_ns));
}

/* As run_item(), and warns when it took long. Returns: when it ended */
static gint64
run_debugged (LoopEventLoop *self, LoopReadyItem *item, gint64 started)
{
  LoopDescription description = { .fd = -1 };
  gboolean is_handle = item->kind == LOOP_ITEM_HANDLE;
  gint64 cpu_started = loop_clock_now_of_thread ();
  gint64 ended;

  /* Afterwards the item may be gone. */
  loop_ready_item_describe (item, &description);
  run_item (item);
  ended = loop_clock_now ();

  if (self->debug && ended - started >= loop_event_loop_get_slow_callback_ns (self))
    warn_of_slow_callback (&description, ended - started, loop_clock_now_of_thread () - cpu_started);
  if (is_handle)
    loop_traceback_forget (description.id);

  return ended;
}

/*
 * Runs one item and records how long it took. Apart from run_batch(), so that the
 * ordinary case stays small.
 */
static gint64
run_timed (LoopEventLoop *self, LoopReadyItem *item, gint64 started)
{
  gint64 ended;

  if (G_UNLIKELY (self->debug))
    {
      ended = run_debugged (self, item, started);
    }
  else
    {
      run_item (item);
      ended = loop_clock_now ();
    }
  loop_histogram_record (&self->metrics.duration, ended - started);

  return ended;
}

/*
 * Runs what is in the batch. What callbacks schedule meanwhile goes into the ready
 * queue, and so into the next iteration. A callback that runs a main loop of its own
 * comes back in here, and the inner call goes on with the rest of the batch.
 */
static void
run_batch (LoopEventLoop *self)
{
  LoopCurrent outer = self->current;
  gboolean is_timed = loop_event_loop_is_timed (self);
  gint64 begun = 0;
  gint64 now;
  guint n = 0;
  guint next_check = 2;

  if (is_timed)
    begun = self->stamp != 0 ? self->stamp : loop_clock_now ();
  now = begun;

  loop_guard_enter_outermost (&self->guard);
  for (;;)
    {
      LoopReadyItem *item;
      gboolean is_dropped;

      item = loop_ready_queue_pop (&self->batch);
      if (item == NULL)
        item = loop_ready_queue_pop (&self->written);
      if (item == NULL)
        break;
      if (item->kind == LOOP_ITEM_CALLS)
        item = &loop_event_loop_next_call (self, (LoopCallBatch *) item, &self->batch)->item;
      self->current.item = item;
      self->current.started = now;
      loop_guard_leave_outermost (&self->guard);

      is_dropped = needs_drop (item);

      if (G_UNLIKELY (is_timed))
        now = run_timed (self, item, now);
      else
        run_item (item);

      loop_guard_enter_outermost (&self->guard);
      if (is_dropped)
        {
          self->current = outer;
          if (item->kind != LOOP_ITEM_HANDLE || !loop_handle_give_back ((LoopHandle *) item, &self->pool))
            {
              loop_guard_leave_outermost (&self->guard);
              drop_item (self, item);
              loop_guard_enter_outermost (&self->guard);
            }
        }

      /*
       * The clock is read once in a while, for most callbacks take nanoseconds: after the
       * second, the fourth, and so on, for some take milliseconds.
       */
      if (G_UNLIKELY (++n == next_check))
        {
          gint64 checked = loop_clock_now ();

          next_check += MIN (n, 64);

          if (begun == 0)
            begun = checked;
          else if (checked - begun > MAX_BATCH_NS)
            break;
        }
    }

  /* Nobody waits for an answer until others, who take long, have had their turns. */
  loop_ready_queue_splice (&self->written, &self->batch);
  loop_ready_queue_splice (&self->batch, &self->written);
  self->current = outer;
  self->metrics.callbacks += n;
  loop_guard_leave_outermost (&self->guard);

  if (is_timed)
    {
      if (outer.item == NULL)
        self->metrics.busy_ns += now - begun;
      self->stamp = now;
    }
}

/*
 * Waiting ends here, and running callbacks begins: one reading of the clock serves both,
 * so that the two times make up the whole.
 */
void
loop_event_loop_stamp_end_of_poll (LoopEventLoop *self)
{
  gint64 now;

  if (G_LIKELY (!loop_event_loop_is_timed (self)))
    {
      self->stamp = 0;
      return;
    }

  now = loop_clock_now ();
  /* What a callback waits in a main loop of its own is time of that callback. */
  if (self->stamp != 0 && self->current.item == NULL)
    self->metrics.poll_ns += now - self->stamp;
  self->stamp = now;
}

/* What was ready before, then what the descriptors tell, then due timers. */
static void
take_snapshot (LoopEventLoop *self)
{
  if (G_UNLIKELY (!loop_incoming_is_empty (self->incoming)))
    loop_event_loop_drain_incoming (self);

  loop_event_loop_enter (self);
  self->metrics.iterations++;
  if (!self->is_polled)
    {
      loop_poller_flush (&self->poller, &self->ready);
      loop_poller_wait (&self->poller, 0);
      loop_event_loop_stamp_end_of_poll (self);
      loop_poller_collect (&self->poller, &self->ready);
    }
  self->is_polled = FALSE;
  if (self->timers.length > 0)
    collect_timers (self, loop_clock_now ());
  loop_ready_queue_splice (&self->batch, &self->ready);
  loop_event_loop_leave (self);
}

/* One iteration, which may go on in the next call when it takes long. */
void
loop_event_loop_dispatch (LoopEventLoop *self)
{
  LoopEventLoop *previous = loop_event_loop_enter_running (self);
  gpointer previous_thread = self->thread;

  __atomic_store_n (&self->thread, loop_thread_self (), __ATOMIC_RELAXED);
  __atomic_store_n (&self->home, loop_thread_self (), __ATOMIC_RELAXED);
  self->n_dispatches++;

  /* A callback has written, and runs this to wait for an answer. */
  if (G_UNLIKELY (!loop_ready_queue_is_empty (&self->written)))
    {
      loop_event_loop_enter (self);
      loop_ready_queue_splice (&self->batch, &self->written);
      loop_event_loop_leave (self);
    }

  /* What is left of an interrupted batch is still the snapshot of that iteration. */
  if (loop_ready_queue_is_empty (&self->batch))
    take_snapshot (self);

  run_batch (self);

  if (--self->n_dispatches == 0 && self->graveyard->len > 0)
    g_ptr_array_set_size (self->graveyard, 0);
  __atomic_store_n (&self->thread, previous_thread, __ATOMIC_RELAXED);
  loop_event_loop_leave_running (previous);
}
