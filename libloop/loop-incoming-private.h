/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-handle-private.h"
#include "loop-id-private.h"

#include <pthread.h>

G_BEGIN_DECLS

/*
 * A callback that another thread wants to have called: two to a cache line. With a
 * handle, which has the callback and everything else, `callback` is NULL.
 */
typedef struct
{
  LoopCallback callback;
  union
  {
    gpointer user_data;
    LoopHandle *handle;
  };
  GDestroyNotify notify;
  guint64 id;
} LoopIncomingCall;

/*
 * Calls that the loop has taken over, in the place of one item of its ready queue. They
 * become handles one by one as they run, so that a burst of them needs the memory of one.
 */
typedef struct
{
  LoopReadyItem item;
  LoopIncomingCall *calls;
  guint next;
  guint n_calls;
  guint capacity;
} LoopCallBatch;

/*
 * The way into a loop from other threads: an array that any thread appends to and the
 * loop takes over as a whole, and an eventfd that is written only when the loop may be
 * asleep. It is an array of calls and not a list of handles, because the cost of a post
 * is that of moving cache lines from one processor to another: these are few, and in
 * sequence.
 *
 * It has a reference count of its own, so that a worker thread can post its result
 * without ever holding, and so never dropping, the last reference to a loop.
 */
typedef struct
{
  pthread_mutex_t mutex;
  guint n_calls; /* written under the mutex, read without it as well */
  gboolean is_asleep;
  LoopIncomingCall *calls;
  guint64 next_id;

  /* Here ends what each post changes: it has the size of a cache line. */
  guint64 end_of_ids;
  guint capacity;
  gboolean is_closed;
  int wakeup_fd;
  int ref_count;

  /* The loop thread's: an array that it has done with, for the next batch. */
  LoopIncomingCall *spare;
  guint spare_capacity;
} LoopIncoming;

G_GNUC_INTERNAL
LoopIncoming *loop_incoming_new (GError **error);
G_GNUC_INTERNAL
LoopIncoming *loop_incoming_ref (LoopIncoming *self);
G_GNUC_INTERNAL
void loop_incoming_unref (LoopIncoming *self);
G_GNUC_INTERNAL
gboolean loop_incoming_post (LoopIncoming *self, LoopCallback callback, gpointer user_data, GDestroyNotify notify);
G_GNUC_INTERNAL
gboolean loop_incoming_post_handle (LoopIncoming *self, LoopHandle *handle);
G_GNUC_INTERNAL
LoopCallBatch *loop_incoming_take (LoopIncoming *self);
G_GNUC_INTERNAL
LoopCallBatch *loop_incoming_close (LoopIncoming *self);
G_GNUC_INTERNAL
void loop_incoming_retire (LoopIncoming *self, LoopCallBatch *batch);
G_GNUC_INTERNAL
gboolean loop_incoming_fall_asleep (LoopIncoming *self);

/* For an inspector that holds the guard: @function is called for each call that waits. */
typedef void (*LoopIncomingFunc) (const LoopIncomingCall *call, gpointer user_data);
G_GNUC_INTERNAL
void loop_incoming_foreach (LoopIncoming *self, LoopIncomingFunc function, gpointer user_data);

static inline gboolean
loop_incoming_is_empty (LoopIncoming *self)
{
  return __atomic_load_n (&self->n_calls, __ATOMIC_RELAXED) == 0;
}

static inline void
loop_incoming_wake_up (LoopIncoming *self)
{
  __atomic_store_n (&self->is_asleep, FALSE, __ATOMIC_RELAXED);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopIncoming, loop_incoming_unref)

G_END_DECLS
