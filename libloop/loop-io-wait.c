/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-io-channel-private.h"

#include "loop-transport-private.h"

/* How streams on a channel wait: by a GSource, or, where that is possible, by sleeping. */

typedef struct
{
  GSource source;
  LoopIOChannel *channel;
  LoopIOEvent event;
  GList link;
} LoopIOSource;

/* Under the mutex. */
gboolean
loop_io_channel_check (LoopIOChannel *self, LoopIOEvent event)
{
  if (self->is_lost)
    return TRUE;

  switch (event)
    {
    case LOOP_IO_READABLE:
      return self->input.size > 0 || self->is_eof || self->is_input_closed;
    case LOOP_IO_WRITABLE:
      return self->is_output_closed ||
             (!self->is_write_paused && !self->is_ending && self->output_size <= LOOP_TRANSPORT_HIGH_WATER);
    case LOOP_IO_DRAINED:
      return !self->is_write_paused && !self->is_ending && self->output_size == 0;
    case LOOP_IO_FLUSHED:
      return !self->is_flush_due;
    case LOOP_IO_LOST:
    default:
      return FALSE;
    }
}

gboolean
loop_io_channel_is_ready (LoopIOChannel *self, LoopIOEvent event)
{
  gboolean is_ready;

  loop_io_channel_lock (self);
  is_ready = loop_io_channel_check (self, event);
  loop_io_channel_unlock (self);

  return is_ready;
}

/*
 * Takes a reference to a source that others may be dropping. GLib counts down to zero before it takes the reference
 * with which it calls dispose, and a source must not be used in between. It has no weak references.
 */
static gboolean
ref_unless_dropped (GSource *source)
{
  gint *ref_count = (gint *) &source->ref_count;
  gint n;

  do
    {
      n = g_atomic_int_get (ref_count);
      if (n == 0)
        return FALSE;
    }
  while (!g_atomic_int_compare_and_exchange (ref_count, n, n + 1));

  return TRUE;
}

/* Under the mutex, when something may have become ready. */
void
loop_io_channel_wake (LoopIOChannel *self)
{
  for (GList *link = self->sources.head; link != NULL; link = link->next)
    {
      LoopIOSource *source = link->data;

      if (!loop_io_channel_check (self, source->event) || !ref_unless_dropped (&source->source))
        continue;

      if (!g_source_is_destroyed (&source->source))
        g_source_set_ready_time (&source->source, 0);
      self->held = g_slist_prepend (self->held, source);
    }

  pthread_cond_broadcast (&self->cond);
}

/* A reference may turn out to be the last one, and then takes the mutex. */
void
loop_io_channel_unlock_and_drop_held (LoopIOChannel *self)
{
  GSList *held = g_steal_pointer (&self->held);

  /* So may a source's to the channel. */
  g_object_ref (self);
  pthread_mutex_unlock (&self->mutex);
  g_slist_free_full (held, (GDestroyNotify) g_source_unref);
  g_object_unref (self);
}

static gboolean
io_source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  LoopIOSource *self = (LoopIOSource *) source;

  loop_io_channel_lock (self->channel);
  g_source_set_ready_time (source, loop_io_channel_check (self->channel, self->event) ? 0 : -1);
  loop_io_channel_unlock (self->channel);

  return callback != NULL ? callback (user_data) : G_SOURCE_CONTINUE;
}

/* Whoever wakes it up at this moment may have taken a reference, and then drops the last one for a second time. */
static void
io_source_dispose (GSource *source)
{
  LoopIOSource *self = (LoopIOSource *) source;

  loop_io_channel_lock (self->channel);
  if (self->link.data != NULL)
    g_queue_unlink (&self->channel->sources, &self->link);
  self->link.data = NULL;
  loop_io_channel_unlock (self->channel);
}

static void
io_source_finalize (GSource *source)
{
  g_object_unref (((LoopIOSource *) source)->channel);
}

/* Returns: (transfer full): a source that is dispatched as long as @event holds; it needs no callback */
GSource *
loop_io_channel_create_source (LoopIOChannel *self, LoopIOEvent event)
{
  static GSourceFuncs funcs = { .dispatch = io_source_dispatch, .finalize = io_source_finalize };
  GSource *source = g_source_new (&funcs, sizeof (LoopIOSource));
  LoopIOSource *io_source = (LoopIOSource *) source;

  g_source_set_static_name (source, "LoopIOStream");
  g_source_set_dispose_function (source, io_source_dispose);
  io_source->channel = g_object_ref (self);
  io_source->event = event;
  io_source->link.data = io_source;

  loop_io_channel_lock (self);
  g_queue_push_tail_link (&self->sources, &io_source->link);
  if (loop_io_channel_check (self, event))
    g_source_set_ready_time (source, 0);
  loop_io_channel_unlock (self);

  return source;
}

/* Returns: (transfer full): a source for a pollable stream */
GSource *
loop_io_channel_create_pollable_source (LoopIOChannel *self,
                                        LoopIOEvent event,
                                        gpointer stream,
                                        GCancellable *cancellable)
{
  g_autoptr (GSource) child = loop_io_channel_create_source (self, event);
  GSource *source = g_pollable_source_new_full (stream, NULL, cancellable);

  g_source_add_child_source (source, child);

  return source;
}

/* Has @callback called with @task once @event holds, or the cancellable of @task is cancelled. */
void
loop_io_channel_await (LoopIOChannel *self, LoopIOEvent event, GTask *task, GSourceFunc callback)
{
  g_autoptr (GSource) source = loop_io_channel_create_source (self, event);
  GCancellable *cancellable = g_task_get_cancellable (task);

  if (cancellable != NULL)
    {
      g_autoptr (GSource) child = g_cancellable_source_new (cancellable);

      g_source_set_dummy_callback (child);
      g_source_add_child_source (source, child);
    }

  g_task_attach_source (task, source, callback);
}

/*
 * Whether this thread can wait for the connection: not the thread on which the loop is to go on. Who
 * made the stream will run it, even if that is not so at this moment.
 */
gboolean
loop_io_channel_may_wait (LoopIOChannel *self)
{
  return g_thread_self () != self->thread && !loop_io_channel_is_here (self);
}

static void
wake_waiting (GCancellable *cancellable, gpointer user_data)
{
  LoopIOChannel *self = user_data;

  loop_io_channel_lock (self);
  pthread_cond_broadcast (&self->cond);
  loop_io_channel_unlock (self);
}

/* Returns: %TRUE when @event holds; %FALSE when @cancellable was cancelled, or when that cannot be waited for */
gboolean
loop_io_channel_wait (LoopIOChannel *self, LoopIOEvent event, GCancellable *cancellable, GError **error)
{
  gulong handler = 0;

  if (loop_io_channel_is_ready (self, event))
    return TRUE;

  if (!loop_io_channel_may_wait (self))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                           "The thread that runs the event loop cannot wait for a connection of that loop: use "
                           "asynchronous calls");
      return FALSE;
    }

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (wake_waiting), self, NULL);

  loop_io_channel_lock (self);
  while (!loop_io_channel_check (self, event) && !g_cancellable_is_cancelled (cancellable))
    pthread_cond_wait (&self->cond, &self->mutex);
  loop_io_channel_unlock (self);

  g_cancellable_disconnect (cancellable, handler);

  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}
