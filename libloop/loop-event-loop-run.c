/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>

/* How long the loop may go on with callbacks of callbacks before it polls again. */
#define MAX_UNPOLLED_NS (50 * 1000)

/* How many iterations may pass over sources that are polled by their check functions alone. */
#define MAX_DIRECT_ITERATIONS 16

/* A batch is interrupted after so long, for the sake of other sources of the context. */
#define MAX_BATCH_NS (8 * 1000 * 1000)

gboolean
loop_event_loop_has_work (LoopEventLoop *self)
{
  if (!loop_ready_queue_is_empty (&self->ready) || !loop_ready_queue_is_empty (&self->batch) ||
      !loop_incoming_is_empty (self->incoming))
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

  if (self->notify != NULL)
    self->notify (self->user_data);

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

  if (self->debug && ended - started >= self->slow_callback_ns)
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
static void
stamp_end_of_poll (LoopEventLoop *self)
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
      stamp_end_of_poll (self);
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

  /* What is left of an interrupted batch is still the snapshot of that iteration. */
  if (loop_ready_queue_is_empty (&self->batch))
    take_snapshot (self);

  run_batch (self);

  if (--self->n_dispatches == 0 && self->graveyard->len > 0)
    g_ptr_array_set_size (self->graveyard, 0);
  __atomic_store_n (&self->thread, previous_thread, __ATOMIC_RELAXED);
  loop_event_loop_leave_running (previous);
}

/* Asks GLib which descriptors its sources wait for, and how long at most. */
static int
query_context (LoopEventLoop *self, int priority, int *timeout_ms)
{
  int n_fds;

  while ((n_fds = g_main_context_query (self->context, priority, timeout_ms, self->fds, (int) self->n_fds_allocated)) >
         (int) self->n_fds_allocated)
    {
      self->n_fds_allocated = (guint) n_fds * 2;
      self->fds = g_renew (GPollFD, self->fds, self->n_fds_allocated);
    }

  return n_fds;
}

/* Whether nothing is to be polled but the loop's own two descriptors. */
static inline gboolean
has_only_own_fds (LoopEventLoop *self, int n_fds)
{
  for (int i = 0; i < n_fds; i++)
    {
      if (self->fds[i].fd != self->poller.epoll_fd && self->fds[i].fd != self->context_wakeup_fd)
        return FALSE;
    }

  return TRUE;
}

/* GLib is told of its own wakeup only: it clears it. */
static void
tell_wakeup (LoopEventLoop *self, int n_fds)
{
  for (int i = 0; i < n_fds; i++)
    {
      if (self->fds[i].fd == self->context_wakeup_fd)
        self->fds[i].revents = G_IO_IN;
    }
}

/*
 * Waits until there is something to do: with one system call when the descriptors are
 * the loop's own and the one by which a private context is woken, which is in the epoll
 * set as well. Otherwise all descriptors are polled, the epoll descriptor among them.
 * Foreign descriptors are never put into the set: a number that was closed and given
 * out again for the same events would go unnoticed.
 */
static int
wait_for_events (LoopEventLoop *self, int n_fds, gint64 timeout_ns)
{
  int status;

  for (int i = 0; i < n_fds; i++)
    self->fds[i].revents = 0;

  if (G_LIKELY (has_only_own_fds (self, n_fds)))
    {
      status = loop_poller_wait (&self->poller, timeout_ns);

      for (int i = 0; i < self->poller.n_events; i++)
        {
          if (G_UNLIKELY (self->poller.events[i].data.u64 == (guint64) self->context_wakeup_fd))
            {
              loop_neighbours_expect (&self->neighbours);
              tell_wakeup (self, n_fds);
            }
        }
    }
  else
    {
      struct timespec timeout = { timeout_ns / LOOP_NSEC_PER_SEC, timeout_ns % LOOP_NSEC_PER_SEC };

      G_STATIC_ASSERT (sizeof (GPollFD) == sizeof (struct pollfd));
      if (ppoll ((struct pollfd *) self->fds, (nfds_t) n_fds, timeout_ns < 0 ? NULL : &timeout, NULL) < 0)
        {
          for (int i = 0; i < n_fds; i++)
            self->fds[i].revents = 0;
          return errno == EINTR ? 0 : errno;
        }

      status = loop_poller_wait (&self->poller, 0);
    }

  return status;
}

static gboolean
has_foreign_events (LoopEventLoop *self, int n_fds)
{
  for (int i = 0; i < n_fds; i++)
    {
      if (self->fds[i].revents != 0 && self->fds[i].fd != self->poller.epoll_fd)
        return TRUE;
    }

  return FALSE;
}

static gint64
get_timeout (LoopEventLoop *self, gboolean may_block, int timeout_ms)
{
  gint64 timeout_ns = timeout_ms < 0 ? -1 : (gint64) timeout_ms * 1000000;
  gint64 next;

  /* Looking costs less than falling asleep, which other threads' processors have to be told. */
  if (!may_block || timeout_ms == 0 || !loop_ready_queue_is_empty (&self->ready) ||
      !loop_ready_queue_is_empty (&self->batch) || !loop_incoming_is_empty (self->incoming) ||
      !loop_incoming_fall_asleep (self->incoming))
    return 0;

  next = loop_timer_queue_next (&self->timers);
  if (next != LOOP_NEVER)
    {
      /* Not inside MAX(), which would read the clock twice. */
      gint64 until = next - loop_clock_now ();

      until = MAX (until, 0);
      if (timeout_ns < 0 || until < timeout_ns)
        timeout_ns = until;
    }

  return timeout_ns;
}

/*
 * Lets GLib prepare, waits, and dispatches: through GLib when another of its sources
 * has something to do, directly when all there is to do is the loop's own.
 */
static gboolean
iterate (LoopEventLoop *self, gboolean may_block, GError **error)
{
  gboolean is_alone = loop_neighbours_is_alone (&self->neighbours);
  gboolean others_ready = FALSE;
  gint64 timeout_ns;
  int timeout_ms = -1;
  int priority = 0;
  int n_fds = 0;
  int status;

  self->is_iterating = TRUE;
  if (!is_alone)
    {
      others_ready = g_main_context_prepare (self->context, &priority);
      n_fds = query_context (self, priority, &timeout_ms);
    }

  loop_event_loop_enter (self);
  loop_poller_flush (&self->poller, &self->ready);
  timeout_ns = get_timeout (self, may_block, timeout_ms);
  self->is_polling = timeout_ns != 0;
  loop_event_loop_leave (self);

  status = wait_for_events (self, n_fds, timeout_ns);

  if (timeout_ns != 0)
    loop_incoming_wake_up (self->incoming);
  loop_event_loop_enter (self);
  self->is_polling = FALSE;
  stamp_end_of_poll (self);
  loop_poller_collect (&self->poller, &self->ready);
  loop_event_loop_leave (self);

  if (G_UNLIKELY (status != 0))
    {
      self->is_iterating = FALSE;
      loop_set_error_from_errno (error, status, "Could not wait for events");
      return FALSE;
    }

  self->is_polled = TRUE;

  if (!is_alone && (others_ready || timeout_ms >= 0 || has_foreign_events (self, n_fds) ||
                    ++self->n_direct >= MAX_DIRECT_ITERATIONS))
    {
      self->n_direct = 0;
      g_main_context_check (self->context, priority, self->fds, n_fds);
      self->is_iterating = FALSE;
      g_main_context_dispatch (self->context);
    }
  else
    {
      if (!is_alone && has_only_own_fds (self, n_fds))
        loop_neighbours_were_quiet (&self->neighbours);
      self->is_iterating = FALSE;
      if (loop_event_loop_has_work (self))
        loop_event_loop_dispatch (self);
    }

  return TRUE;
}

static gboolean
is_due_to_stop (LoopEventLoop *self)
{
  return self->is_stopping && loop_ready_queue_is_empty (&self->batch);
}

/* Goes on with what callbacks scheduled, until it is time to poll again. */
static void
run_ready (LoopEventLoop *self)
{
  gint64 begun;

  if (loop_ready_queue_is_empty (&self->ready) && loop_ready_queue_is_empty (&self->batch))
    return;

  begun = loop_clock_now ();

  while (!is_due_to_stop (self) &&
         (!loop_ready_queue_is_empty (&self->ready) || !loop_ready_queue_is_empty (&self->batch)))
    {
      self->is_polled = TRUE;
      loop_event_loop_dispatch (self);
      if (loop_clock_now () - begun > MAX_UNPOLLED_NS)
        break;
    }
}

static gboolean
run (LoopEventLoop *self, GError **error)
{
  /* Not anew for each run: many short ones would starve others as one long one would. */
  if (self->last_yield == 0)
    self->last_yield = loop_clock_now ();

  if (self->context_wakeup_fd >= 0)
    loop_neighbours_expect (&self->neighbours);

  if (self->is_stopping)
    {
      /* Stopped before it was started: one poll, then everything that is ready. */
      if (!iterate (self, FALSE, error))
        return FALSE;

      if (self->is_polled || !loop_ready_queue_is_empty (&self->batch))
        do
          loop_event_loop_dispatch (self);
        while (!loop_ready_queue_is_empty (&self->batch));
    }

  while (!is_due_to_stop (self))
    {
      if (!iterate (self, TRUE, error))
        return FALSE;
      run_ready (self);
    }

  return TRUE;
}

/*
 * The kernel may delay a thread's timeouts by its slack, 50 µs unless something else is
 * set, to wake up less often: half of how late a timer is otherwise.
 *
 * Returns: the slack that the thread had
 */
static int
set_timer_slack (int ns)
{
  int previous = prctl (PR_GET_TIMERSLACK, 0, 0, 0, 0);

  prctl (PR_SET_TIMERSLACK, (unsigned long) ns, 0, 0, 0);

  return previous;
}

static gboolean
begin_run (LoopEventLoop *self, GError **error)
{
  LoopEventLoop *running = loop_event_loop_get_running ();

  if (!loop_event_loop_check_open (self, error))
    return FALSE;

  if (loop_event_loop_is_running (self))
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_RUNNING, "The event loop is already running");
      return FALSE;
    }

  if (running != NULL)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_RUNNING,
                           "Cannot run the event loop while another loop is running in this thread");
      return FALSE;
    }

  if (!g_main_context_acquire (self->context))
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_RUNNING,
                           "The main context of the event loop is in use by another thread");
      return FALSE;
    }

  return TRUE;
}

/**
 * loop_event_loop_run_forever_full: (rename-to loop_event_loop_run_forever)
 * @self: an event loop
 * @error: return location for an error
 *
 * Runs the loop on the calling thread until [method@EventLoop.stop] is called.
 *
 * If it was called before, the loop polls once with a timeout of zero, runs all
 * callbacks that are ready then, and returns. If it is called while the loop runs, the
 * current batch of callbacks is run to its end; what these callbacks schedule will run
 * the next time.
 *
 * While the loop runs, its context is the thread-default one, and the other sources
 * attached to the context are dispatched too.
 *
 * Returns: %TRUE once the loop was stopped; %FALSE with %LOOP_ERROR_CLOSED,
 *   with %LOOP_ERROR_RUNNING if this or another loop is running on this thread or the
 *   context is in use by another thread, or with an I/O error
 */
gboolean
loop_event_loop_run_forever_full (LoopEventLoop *self, GError **error)
{
  LoopEventLoop *previous;
  gboolean success;
  int timer_slack;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!begin_run (self, error))
    return FALSE;

  g_object_ref (self);
  g_main_context_push_thread_default (self->context);
  previous = loop_event_loop_enter_running (self);

  loop_event_loop_enter (self);
  self->is_running = TRUE;
  __atomic_store_n (&self->thread, loop_thread_self (), __ATOMIC_RELAXED);
  loop_event_loop_leave (self);

  timer_slack = set_timer_slack (1);
  success = run (self, error);
  set_timer_slack (timer_slack);

  loop_event_loop_enter (self);
  __atomic_store_n (&self->thread, NULL, __ATOMIC_RELAXED);
  __atomic_store_n (&self->home, NULL, __ATOMIC_RELAXED);
  self->is_running = FALSE;
  self->is_stopping = FALSE;
  self->is_polled = FALSE;
  self->stamp = 0;
  loop_event_loop_leave (self);

  loop_event_loop_leave_running (previous);
  g_main_context_pop_thread_default (self->context);
  g_main_context_release (self->context);
  g_object_unref (self);

  return success;
}

/**
 * loop_event_loop_run_forever:
 * @self: an event loop
 *
 * As [method@EventLoop.run_forever_full], with a critical message in the place of the
 * error.
 *
 * Returns: %TRUE once the loop was stopped, %FALSE if it could not run
 */
gboolean
loop_event_loop_run_forever (LoopEventLoop *self)
{
  GError *error = NULL;

  if (loop_event_loop_run_forever_full (self, &error))
    return TRUE;

  if (error != NULL)
    loop_report_misuse (G_STRFUNC, error);

  return FALSE;
}

/**
 * loop_event_loop_stop:
 * @self: an event loop
 *
 * Makes [method@EventLoop.run_forever] return after the current batch of callbacks, or
 * after the next one when the loop is not running. For the loop's own thread; from
 * another, send it through [method@EventLoop.call_soon_threadsafe].
 */
void
loop_event_loop_stop (LoopEventLoop *self)
{
  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));

  loop_event_loop_enter (self);
  self->is_stopping = TRUE;
  loop_event_loop_leave (self);
}
