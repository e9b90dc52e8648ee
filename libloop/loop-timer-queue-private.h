/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-clock-private.h"
#include "loop-handle-private.h"

G_BEGIN_DECLS

/* The keys lie in the lists: a comparison does not touch the handle, but for a tie. */
typedef struct
{
  gint64 when;
  LoopTimerHandle *handle;
} LoopTimerEntry;

typedef struct
{
  LoopTimerEntry *entries;
  guint length;
  guint capacity;
} LoopTimerList;

#define LOOP_TIMER_DIGIT_BITS 6
#define LOOP_TIMER_N_DIGITS (1 << LOOP_TIMER_DIGIT_BITS)
#define LOOP_TIMER_N_LEVELS 3

enum
{
  LOOP_TIMER_HEAP,
  LOOP_TIMER_FIRST_BUCKET,
  LOOP_TIMER_OVERFLOW = LOOP_TIMER_FIRST_BUCKET + LOOP_TIMER_N_LEVELS * LOOP_TIMER_N_DIGITS,
  LOOP_TIMER_N_LISTS,
};

/*
 * Timers by deadline; those with the same deadline come out by their ids, which is the
 * order in which they were scheduled.
 *
 * What is due by the tick `horizon` is in a 4-ary heap (half as deep as a binary one, and
 * the children of a node share one or two cache lines). Everything later waits in
 * buckets, in no order, as in a hierarchical timing wheel: a bucket of level 0 spans a
 * tick, one of level 1 spans 64, and so on; the overflow takes the rest. So to schedule
 * and to cancel a timer far from its deadline, as most timeouts end, is to append to an
 * array and to fill a hole in it. Only what becomes due is ever sorted, and the heap
 * stays so small that its part of the memory is cached.
 */
typedef struct
{
  LoopTimerList lists[LOOP_TIMER_N_LISTS];
  guint64 used[LOOP_TIMER_N_LEVELS]; /* a bit for each bucket that is not empty */
  gint64 horizon;                    /* in ticks: deadlines up to its end are in the heap */
  gint64 next_in_buckets;            /* or 0 when it has to be looked for */
  guint length;                      /* of all lists */
} LoopTimerQueue;

G_GNUC_INTERNAL
void loop_timer_queue_init (LoopTimerQueue *self, gint64 now);
G_GNUC_INTERNAL
void loop_timer_queue_clear (LoopTimerQueue *self);
G_GNUC_INTERNAL
void loop_timer_queue_insert (LoopTimerQueue *self, LoopTimerHandle *handle);
G_GNUC_INTERNAL
void loop_timer_queue_remove (LoopTimerQueue *self, LoopTimerHandle *handle);
G_GNUC_INTERNAL
LoopTimerHandle *loop_timer_queue_peek_due (LoopTimerQueue *self, gint64 now);
G_GNUC_INTERNAL
LoopTimerHandle *loop_timer_queue_peek_any (LoopTimerQueue *self);
G_GNUC_INTERNAL
gint64 loop_timer_queue_find_next (LoopTimerQueue *self);

/* All timers, in no order, as @entry: a pointer to a LoopTimerEntry. */
#define LOOP_TIMER_QUEUE_FOREACH(queue, entry)                                                                         \
  for (const LoopTimerList *entry##_list = (queue)->lists; entry##_list < (queue)->lists + LOOP_TIMER_N_LISTS;         \
       entry##_list++)                                                                                                 \
    for (const LoopTimerEntry *entry = entry##_list->entries; entry < entry##_list->entries + entry##_list->length;    \
         entry++)

/* Returns: the earliest deadline, or %LOOP_NEVER */
static inline gint64
loop_timer_queue_next (LoopTimerQueue *self)
{
  if (self->lists[LOOP_TIMER_HEAP].length > 0)
    return self->lists[LOOP_TIMER_HEAP].entries[0].when;

  return self->next_in_buckets != 0 ? self->next_in_buckets : loop_timer_queue_find_next (self);
}

G_END_DECLS
