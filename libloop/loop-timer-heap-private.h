/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-clock-private.h"
#include "loop-handle-private.h"

G_BEGIN_DECLS

/* The keys lie in the array itself: a comparison does not touch the handle. */
typedef struct
{
  gint64 when;
  guint32 sequence; /* wraps: it tells which of two was put in first while less than 2^31 came between */
  guint32 slot;
} LoopTimerEntry;

/*
 * A 4-ary heap of timers by deadline; timers with the same deadline come out in the
 * order in which they were put in. Four children to a node: half as deep as a binary
 * heap, and the children of a node share one or two cache lines (libev measured +5 %
 * overall).
 *
 * Each timer has a slot, which tells where in the heap it is. The slots are an array of
 * their own, so that moving an entry does not touch its handle, which is rarely cached.
 *
 * A new timer is appended and only sifted up when somebody asks for the next deadline:
 * one that is cancelled before, as the timeouts of quick operations are, costs nothing.
 */
typedef struct
{
  LoopTimerEntry *entries;
  LoopTimerHandle **handles; /* by slot */
  guint32 *positions;        /* by slot: index of the entry; of a free slot: the next free one */
  guint length;
  guint n_sorted; /* the entries before this one are a heap */
  guint capacity;
  guint32 free_slot;
  guint32 next_sequence;
} LoopTimerHeap;

G_GNUC_INTERNAL
void loop_timer_heap_clear (LoopTimerHeap *self);
G_GNUC_INTERNAL
void loop_timer_heap_insert (LoopTimerHeap *self, LoopTimerHandle *handle);
G_GNUC_INTERNAL
void loop_timer_heap_remove (LoopTimerHeap *self, LoopTimerHandle *handle);

G_GNUC_INTERNAL
void loop_timer_heap_settle (LoopTimerHeap *self);

/* A timer by its index, in no order. */
static inline LoopTimerHandle *
loop_timer_heap_get (const LoopTimerHeap *self, guint index)
{
  return self->handles[self->entries[index].slot];
}

/* Returns: the earliest deadline, whose timer has index 0 from then on */
static inline gint64
loop_timer_heap_next (LoopTimerHeap *self)
{
  if (self->n_sorted < self->length)
    loop_timer_heap_settle (self);

  return self->length > 0 ? self->entries[0].when : LOOP_NEVER;
}

G_END_DECLS
