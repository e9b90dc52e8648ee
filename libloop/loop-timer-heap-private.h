/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-clock-private.h"
#include "loop-handle-private.h"

G_BEGIN_DECLS

/* The keys lie in the array itself: a comparison does not touch the handle. */
typedef struct
{
  gint64 when;
  guint64 sequence;
  LoopTimerHandle *handle;
} LoopTimerEntry;

/*
 * A 4-ary heap of timers by deadline; timers with the same deadline come out in the
 * order in which they were put in. Each handle knows its index, so that a cancelled
 * timer leaves at once. Four children to a node: half as deep as a binary heap, and
 * the children of a node share one or two cache lines (libev measured +5 % overall).
 */
typedef struct
{
  LoopTimerEntry *entries;
  guint length;
  guint capacity;
  guint64 next_sequence;
} LoopTimerHeap;

G_GNUC_INTERNAL
void loop_timer_heap_clear (LoopTimerHeap *self);
G_GNUC_INTERNAL
void loop_timer_heap_insert (LoopTimerHeap *self, LoopTimerHandle *handle);
G_GNUC_INTERNAL
void loop_timer_heap_remove (LoopTimerHeap *self, LoopTimerHandle *handle);

static inline gint64
loop_timer_heap_next (const LoopTimerHeap *self)
{
  return self->length > 0 ? self->entries[0].when : LOOP_NEVER;
}

G_END_DECLS
