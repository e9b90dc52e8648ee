/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

/* What is observed of a loop, and when: debug mode, slow callbacks, metrics, reports of what is freed. */

/**
 * loop_event_loop_get_debug:
 * @self: an event loop
 *
 * Tells whether debug mode is on.
 *
 * Returns: %TRUE if it is on
 */
gboolean
loop_event_loop_get_debug (LoopEventLoop *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);

  return self->debug || __atomic_load_n (&self->interpreter_debug, __ATOMIC_RELAXED);
}

/*
 * Of a loop with interpreter hooks the interpreter does all that debug mode is about, in terms
 * of its own language; we only know that it does.
 */
void
loop_event_loop_store_debug (LoopEventLoop *self, gboolean enabled)
{
  gboolean is_interpreted = self->hooks != NULL;

  if (self->debug != (enabled && !is_interpreted))
    {
      loop_event_loop_enter (self);
      __atomic_store_n (&self->debug, enabled && !is_interpreted, __ATOMIC_RELAXED);
      loop_event_loop_leave (self);
      if (!self->debug)
        loop_traceback_forget_loop (self->id);
    }
  __atomic_store_n (&self->interpreter_debug, enabled && is_interpreted, __ATOMIC_RELAXED);
}

/**
 * loop_event_loop_set_debug:
 * @self: an event loop
 * @enabled: whether debug mode is to be on
 *
 * Sets debug mode. In debug mode
 *
 * - calls from the wrong thread are errors,
 * - callbacks that take longer than [property@EventLoop:slow-callback-duration] are
 *   reported, with the time of the processor that they took,
 * - it is kept who made a handle, a timer, a future, a task, a transport or a server, for
 *   reports of what goes wrong with it and for inspectors,
 * - transports and servers that are still open when the loop is closed are reported.
 *
 * To keep who made a thing costs some microseconds.
 *
 * All of that is done by the binding if [method@EventLoop.set_interpreter_hooks] was called,
 * which follows the property; then this may be called from any thread.
 */
void
loop_event_loop_set_debug (LoopEventLoop *self, gboolean enabled)
{
  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));

  enabled = !!enabled;
  if (loop_event_loop_get_debug (self) == enabled)
    return;

  loop_event_loop_store_debug (self, enabled);
  g_object_notify (G_OBJECT (self), "debug");
}

/* What is closed with the loop, and should have been before: in debug mode, somebody is told. */
void
loop_event_loop_warn_of_open (LoopEventLoop *self, const char *kind, guint64 id)
{
  g_autofree char *origin = NULL;

  if (!self->debug)
    return;

  origin = loop_traceback_get_origin (id);
  g_warning ("The event loop was closed with %s #%" G_GUINT64_FORMAT " still open%s%s", kind, id,
             origin != NULL ? ", created at " : "", origin != NULL ? origin : "");
}

/**
 * loop_event_loop_get_slow_callback_duration:
 * @self: an event loop
 *
 * Gets from how long on a callback is slow.
 *
 * Returns: seconds
 */
double
loop_event_loop_get_slow_callback_duration (LoopEventLoop *self)
{
  gint64 ns;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), 0.0);

  ns = loop_event_loop_get_slow_callback_ns (self);

  return ns == LOOP_NEVER ? G_MAXDOUBLE : loop_clock_to_seconds (ns);
}

/**
 * loop_event_loop_set_slow_callback_duration:
 * @self: an event loop
 * @seconds: a duration, not negative
 *
 * Sets from how long on a callback is slow: 0.1 seconds if nothing else is set. From any
 * thread.
 */
void
loop_event_loop_set_slow_callback_duration (LoopEventLoop *self, double seconds)
{
  gint64 ns;

  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));
  g_return_if_fail (seconds >= 0.0);

  ns = loop_clock_from_seconds (seconds);
  if (__atomic_exchange_n (&self->slow_callback_ns, ns, __ATOMIC_RELAXED) != ns)
    g_object_notify (G_OBJECT (self), "slow-callback-duration");
}

/**
 * loop_event_loop_get_collect_metrics:
 * @self: an event loop
 *
 * Tells whether times are collected for metrics.
 *
 * Returns: %TRUE if they are
 */
gboolean
loop_event_loop_get_collect_metrics (LoopEventLoop *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);

  return self->collect_metrics;
}

/**
 * loop_event_loop_set_collect_metrics:
 * @self: an event loop
 * @enabled: whether to collect
 *
 * Sets whether times are collected for metrics. See
 * [property@EventLoop:collect-metrics].
 */
void
loop_event_loop_set_collect_metrics (LoopEventLoop *self, gboolean enabled)
{
  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));

  enabled = !!enabled;
  if (self->collect_metrics == enabled)
    return;

  loop_event_loop_enter (self);
  self->collect_metrics = enabled;
  loop_event_loop_leave (self);
  g_object_notify (G_OBJECT (self), "collect-metrics");
}

/**
 * loop_event_loop_get_defer_finalization:
 * @self: an event loop
 *
 * Tells whether functions are called later on behalf of what is freed.
 *
 * Returns: %TRUE if they are
 */
gboolean
loop_event_loop_get_defer_finalization (LoopEventLoop *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);

  return self->defer_finalization;
}

/**
 * loop_event_loop_set_defer_finalization:
 * @self: an event loop
 * @enabled: whether to call them later
 *
 * Sets whether functions are called later on behalf of what is freed. See
 * [property@EventLoop:defer-finalization].
 */
void
loop_event_loop_set_defer_finalization (LoopEventLoop *self, gboolean enabled)
{
  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));

  enabled = !!enabled;
  if (self->defer_finalization == enabled)
    return;

  self->defer_finalization = enabled;
  g_object_notify (G_OBJECT (self), "defer-finalization");
}

/**
 * loop_event_loop_get_metrics:
 * @self: an event loop
 *
 * Takes a snapshot of the loop's metrics.
 *
 * Returns: (transfer full): the metrics
 */
LoopMetrics *
loop_event_loop_get_metrics (LoopEventLoop *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);

  return loop_metrics_copy (&self->metrics);
}
