/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"
#include "loop-transport.h"
#include "loop-write-buffer-private.h"

#include <pthread.h>

G_BEGIN_DECLS

/* What a stream may wait for. All of them hold for ever once the connection is lost. */
typedef enum
{
  LOOP_IO_READABLE, /* a read would return something: data, the end or an error */
  LOOP_IO_WRITABLE, /* a write would take something, or fail */
  LOOP_IO_DRAINED,  /* all is with the transport, whose buffer is not over its high-water mark */
  LOOP_IO_FLUSHED,  /* all that was written before loop_io_channel_flush() is with the kernel */
  LOOP_IO_LOST,
} LoopIOEvent;

/*
 * What a LoopIOStream and its two streams have in common: the protocol of the transport, and a
 * buffer. Unlike a transport it may be used in any thread. It does not keep the LoopIOStream,
 * so that the user's last reference closes the connection.
 */
#define LOOP_TYPE_IO_CHANNEL (loop_io_channel_get_type ())
G_DECLARE_FINAL_TYPE (LoopIOChannel, loop_io_channel, LOOP, IO_CHANNEL, GObject)

struct _LoopIOChannel
{
  GObject parent_instance;

  LoopEventLoop *loop;
  GThread *thread; /* which made it: that of the loop */

  /* The loop thread's. */
  LoopCloseHook hook;
  gulong protocol_handler;
  gsize high_water; /* the transport's, while is_draining */
  gsize low_water;

  /* All below under the mutex. */
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  GQueue sources;
  GSList *held;             /* sources, with references that are dropped when the mutex is free */
  LoopTransport *transport; /* NULL once it is lost */
  LoopWriteBuffer input;    /* what was received and not read yet */
  GPtrArray *output;        /* or NULL; GBytes: for the loop's thread to write */
  gsize output_size;        /* until it is written */
  GError *error;

  guint is_update_due : 1; /* the loop's thread is to see to what has changed */
  guint is_eof : 1;
  guint is_lost : 1;
  guint is_ending : 1;      /* it will be: that tells why nothing can be written any more */
  guint is_output_lost : 1; /* something that was taken could not be written */
  guint is_input_closed : 1;
  guint is_output_closed : 1;
  guint is_closing : 1;
  guint is_aborted : 1;
  guint is_error_told : 1;
  guint is_read_paused : 1;
  guint is_write_paused : 1;
  guint is_flush_due : 1;
  guint is_draining : 1; /* a flush waits for the transport's buffer to become empty */
  guint is_eof_sent : 1;
  guint is_close_sent : 1;
};

G_GNUC_INTERNAL
LoopIOChannel *loop_io_channel_new (LoopTransport *transport);
G_GNUC_INTERNAL
LoopTransport *loop_io_channel_dup_transport (LoopIOChannel *self);
G_GNUC_INTERNAL
void loop_io_channel_feed (LoopIOChannel *self, gconstpointer data, gsize length);

G_GNUC_INTERNAL
gssize loop_io_channel_read (LoopIOChannel *self, gpointer buffer, gsize count, GError **error);
G_GNUC_INTERNAL
gssize loop_io_channel_write (LoopIOChannel *self,
                              gconstpointer buffer,
                              gsize count,
                              gboolean is_forced,
                              GError **error);
G_GNUC_INTERNAL
void loop_io_channel_flush (LoopIOChannel *self);
G_GNUC_INTERNAL
void loop_io_channel_close_input (LoopIOChannel *self);
G_GNUC_INTERNAL
void loop_io_channel_close_output (LoopIOChannel *self);
G_GNUC_INTERNAL
void loop_io_channel_close (LoopIOChannel *self);
G_GNUC_INTERNAL
void loop_io_channel_abort (LoopIOChannel *self);

G_GNUC_INTERNAL
gboolean loop_io_channel_is_closing (LoopIOChannel *self);
G_GNUC_INTERNAL
gboolean loop_io_channel_check_sent (LoopIOChannel *self, GError **error);
G_GNUC_INTERNAL
gboolean loop_io_channel_check_end (LoopIOChannel *self, GError **error);

/* In loop-io-wait.c. */
G_GNUC_INTERNAL
gboolean loop_io_channel_check (LoopIOChannel *self, LoopIOEvent event);
G_GNUC_INTERNAL
void loop_io_channel_wake (LoopIOChannel *self);
G_GNUC_INTERNAL
void loop_io_channel_unlock_and_drop_held (LoopIOChannel *self);
G_GNUC_INTERNAL
gboolean loop_io_channel_is_ready (LoopIOChannel *self, LoopIOEvent event);
G_GNUC_INTERNAL
GSource *loop_io_channel_create_source (LoopIOChannel *self, LoopIOEvent event);
G_GNUC_INTERNAL
GSource *loop_io_channel_create_pollable_source (LoopIOChannel *self,
                                                 LoopIOEvent event,
                                                 gpointer stream,
                                                 GCancellable *cancellable);
G_GNUC_INTERNAL
void loop_io_channel_await (LoopIOChannel *self, LoopIOEvent event, GTask *task, GSourceFunc callback);
G_GNUC_INTERNAL
gboolean loop_io_channel_may_wait (LoopIOChannel *self);
G_GNUC_INTERNAL
gboolean loop_io_channel_wait (LoopIOChannel *self, LoopIOEvent event, GCancellable *cancellable, GError **error);

/* Whether this is the thread that iterates the loop's context, at this moment. */
static inline gboolean
loop_io_channel_is_here (LoopIOChannel *self)
{
  return self->loop != NULL && g_main_context_is_owner (self->loop->context);
}

static inline void
loop_io_channel_lock (LoopIOChannel *self)
{
  pthread_mutex_lock (&self->mutex);
}

static inline void
loop_io_channel_unlock (LoopIOChannel *self)
{
  if (G_UNLIKELY (self->held != NULL))
    loop_io_channel_unlock_and_drop_held (self);
  else
    pthread_mutex_unlock (&self->mutex);
}

G_END_DECLS
