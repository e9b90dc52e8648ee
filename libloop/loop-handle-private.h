/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-handle.h"
#include "loop-ready-queue-private.h"
#include "loop-symbols-private.h"
#include "loop-timer-handle.h"
#include "loop-traceback-private.h"

G_BEGIN_DECLS

typedef enum
{
  LOOP_HANDLE_READY,    /* in the ready queue or in the batch that is running */
  LOOP_HANDLE_TIMER,    /* in the queue of timers */
  LOOP_HANDLE_INCOMING, /* posted by another thread, not yet taken over by the loop */
  LOOP_HANDLE_RUNNING,
  LOOP_HANDLE_DONE,
  LOOP_HANDLE_CANCELLED,
} LoopHandleState;

/*
 * A callback and when to call it. While it is pending the loop owns one reference
 * and `loop` is set; afterwards `loop` is NULL, so that a handle may outlive its loop.
 * All changes but the reference count are the loop thread's.
 */
struct _LoopHandle
{
  LoopReadyItem item;
  LoopEventLoop *loop;
  LoopCallback callback;
  gpointer user_data;
  GDestroyNotify notify;

  /* Where a timer is in its queue. */
  guint32 timer_index;
  guint8 timer_list;

  /* Here ends what is needed to schedule, run and cancel: it has the size of a cache line. */
  guint64 id;
  const char *name; /* only valid with `item.handle_has_name` */
};

G_STATIC_ASSERT (G_STRUCT_OFFSET (struct _LoopHandle, id) == 64);

/* Every handle is allocated as a timer handle, so that one pool serves both. */
struct _LoopTimerHandle
{
  LoopHandle parent;
  gint64 when;
};

/* Free handles for reuse. It belongs to one loop and to its thread. */
typedef struct
{
  LoopHandle *free;
  guint n_free;
} LoopHandlePool;

/* How many free handles a loop keeps at most: 4,096 of them are 400 kB. */
#define LOOP_HANDLE_POOL_MAX 4096

G_GNUC_INTERNAL
LoopHandle *loop_handle_new_unpooled (LoopCallback callback, gpointer user_data, GDestroyNotify notify);
G_GNUC_INTERNAL
void loop_handle_pool_clear (LoopHandlePool *pool);
G_GNUC_INTERNAL
void loop_handle_discard (LoopHandle *self, LoopHandlePool *pool);
G_GNUC_INTERNAL
char *loop_description_to_string (const LoopDescription *description);

static inline LoopHandle *
loop_handle_init (LoopHandle *self, LoopCallback callback, gpointer user_data, GDestroyNotify notify)
{
  self->item = (LoopReadyItem) { .kind = LOOP_ITEM_HANDLE, .handle_ref_count = 1 };
  self->callback = callback;
  self->user_data = user_data;
  self->notify = notify;

  return self;
}

static inline LoopHandle *
loop_handle_pool_take (LoopHandlePool *pool, LoopCallback callback, gpointer user_data, GDestroyNotify notify)
{
  LoopHandle *self = pool->free;

  if (G_UNLIKELY (self == NULL))
    return loop_handle_new_unpooled (callback, user_data, notify);

  pool->free = (LoopHandle *) self->item.next;
  pool->n_free--;

  return loop_handle_init (self, callback, user_data, notify);
}

static inline const char *
loop_handle_peek_name (const LoopHandle *self)
{
  return __atomic_load_n (&self->item.handle_has_name, __ATOMIC_ACQUIRE) ? self->name : NULL;
}

/* @name is a static or interned string. */
static inline void
loop_handle_take_name (LoopHandle *self, const char *name)
{
  self->name = name;
  __atomic_store_n (&self->item.handle_has_name, name != NULL, __ATOMIC_RELEASE);
}

/*
 * Puts a handle that is no longer pending into the pool, if the loop has the only
 * reference. On the loop thread.
 */
static inline gboolean
loop_handle_give_back (LoopHandle *self, LoopHandlePool *pool)
{
  /* With one reference left, it is ours: nobody else can take another one. */
  if (G_UNLIKELY (__atomic_load_n (&self->item.handle_ref_count, __ATOMIC_ACQUIRE) != 1) ||
      pool->n_free >= LOOP_HANDLE_POOL_MAX)
    return FALSE;

  self->item.next = (LoopReadyItem *) pool->free;
  pool->free = self;
  pool->n_free++;

  return TRUE;
}

/* Drops the loop's own reference to a handle that is no longer pending. On the loop thread. */
static inline void
loop_handle_release (LoopHandle *self, LoopHandlePool *pool)
{
  if (!loop_handle_give_back (self, pool))
    loop_handle_unref (self);
}

/* Cancels a handle that somebody keeps in *@handle for as long as it is pending, if there is one. */
static inline void
loop_handle_clear_pending (LoopHandle **handle)
{
  LoopHandle *pending = g_steal_pointer (handle);

  if (pending != NULL)
    loop_handle_cancel (pending);
}

G_END_DECLS
