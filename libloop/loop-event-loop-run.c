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

/* The loop may fall asleep: an interpreter lets its other threads go on meanwhile. */
static int
wait_outside_of_interpreter (LoopEventLoop *self, int n_fds, gint64 timeout_ns)
{
  const LoopInterpreterHooks *hooks = self->hooks;
  int status;

  loop_event_loop_do_what_was_put_off (self);
  if (hooks != NULL)
    hooks->before_wait (self->hooks_data);
  status = wait_for_events (self, n_fds, timeout_ns);
  loop_incoming_wake_up (self->incoming);
  if (hooks != NULL)
    hooks->after_wait (self->hooks_data);

  return status;
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

  status = timeout_ns == 0 ? wait_for_events (self, n_fds, 0) : wait_outside_of_interpreter (self, n_fds, timeout_ns);

  loop_event_loop_enter (self);
  self->is_polling = FALSE;
  loop_event_loop_stamp_end_of_poll (self);
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
 *   context is in use by another thread, with %LOOP_ERROR_FORKED in a child process, or
 *   with an I/O error
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
  /* In the child of a callback that forked, the loop is not one that can be used. */
  success = run (self, error) && loop_event_loop_check_open (self, error);
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
