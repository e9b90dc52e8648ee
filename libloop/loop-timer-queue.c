/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-timer-queue-private.h"

#define ARITY 4

/* A tick is 2^24 ns: 17 ms. The levels reach 1.1 s, 69 s and 73 min ahead. */
#define TICK_BITS 24

static inline gint64
to_tick (gint64 when)
{
  return when >> TICK_BITS;
}

/* The list that a deadline belongs to: a matter of the first digit in which it differs from the horizon. */
static inline guint
choose_list (const LoopTimerQueue *self, gint64 when)
{
  gint64 tick = to_tick (when);
  guint level;

  if (tick <= self->horizon)
    return LOOP_TIMER_HEAP;

  level = (guint) (63 - __builtin_clzll ((guint64) (tick ^ self->horizon))) / LOOP_TIMER_DIGIT_BITS;
  if (level >= LOOP_TIMER_N_LEVELS)
    return LOOP_TIMER_OVERFLOW;

  return LOOP_TIMER_FIRST_BUCKET + level * LOOP_TIMER_N_DIGITS +
         (guint) ((tick >> (level * LOOP_TIMER_DIGIT_BITS)) & (LOOP_TIMER_N_DIGITS - 1));
}

static inline gboolean
is_before (const LoopTimerEntry *a, const LoopTimerEntry *b)
{
  return a->when < b->when || (a->when == b->when && a->handle->parent.id < b->handle->parent.id);
}

static inline void
place (LoopTimerList *list, guint index, LoopTimerEntry entry)
{
  list->entries[index] = entry;
  entry.handle->parent.timer_index = index;
}

static void
sift_up (LoopTimerList *heap, guint index, LoopTimerEntry entry)
{
  while (index > 0)
    {
      guint parent = (index - 1) / ARITY;

      if (!is_before (&entry, &heap->entries[parent]))
        break;

      place (heap, index, heap->entries[parent]);
      index = parent;
    }

  place (heap, index, entry);
}

static void
sift_down (LoopTimerList *heap, guint index, LoopTimerEntry entry)
{
  for (;;)
    {
      guint first = index * ARITY + 1;
      guint end = MIN (first + ARITY, heap->length);
      guint least = first;

      if (first >= heap->length)
        break;

      for (guint child = first + 1; child < end; child++)
        {
          if (is_before (&heap->entries[child], &heap->entries[least]))
            least = child;
        }

      if (!is_before (&heap->entries[least], &entry))
        break;

      place (heap, index, heap->entries[least]);
      index = least;
    }

  place (heap, index, entry);
}

static void
resize (LoopTimerList *list, guint capacity)
{
  list->entries = g_renew (LoopTimerEntry, list->entries, capacity);
  list->capacity = capacity;
}

static inline void
mark_used (LoopTimerQueue *self, guint number, gboolean is_used)
{
  guint bucket = number - LOOP_TIMER_FIRST_BUCKET;
  guint64 bit = G_GUINT64_CONSTANT (1) << (bucket % LOOP_TIMER_N_DIGITS);

  if (number == LOOP_TIMER_OVERFLOW)
    return;

  if (is_used)
    self->used[bucket / LOOP_TIMER_N_DIGITS] |= bit;
  else
    self->used[bucket / LOOP_TIMER_N_DIGITS] &= ~bit;
}

static void
add (LoopTimerQueue *self, LoopTimerEntry entry)
{
  guint number = choose_list (self, entry.when);
  LoopTimerList *list = &self->lists[number];
  guint index = list->length;

  if (G_UNLIKELY (index == list->capacity))
    resize (list, MAX (4, list->capacity * 2));

  list->length++;
  entry.handle->parent.timer_list = (guint8) number;

  if (number == LOOP_TIMER_HEAP)
    {
      sift_up (list, index, entry);
      return;
    }

  place (list, index, entry);
  if (index == 0)
    mark_used (self, number, TRUE);
}

/* A queue that is filled with zeros does as well, but begins far from what will be due. */
void
loop_timer_queue_init (LoopTimerQueue *self, gint64 now)
{
  self->horizon = to_tick (now);
}

/* Inserts @handle by its `when`. The queue takes no reference of its own. */
void
loop_timer_queue_insert (LoopTimerQueue *self, LoopTimerHandle *handle)
{
  add (self, (LoopTimerEntry) { .when = handle->when, .handle = handle });
  self->length++;

  if (handle->parent.timer_list != LOOP_TIMER_HEAP && handle->when < self->next_in_buckets)
    self->next_in_buckets = handle->when;
}

void
loop_timer_queue_remove (LoopTimerQueue *self, LoopTimerHandle *handle)
{
  guint number = handle->parent.timer_list;
  guint index = handle->parent.timer_index;
  LoopTimerList *list = &self->lists[number];
  LoopTimerEntry last = list->entries[--list->length];

  g_assert (index <= list->length);

  self->length--;

  if (number != LOOP_TIMER_HEAP)
    {
      if (index < list->length)
        place (list, index, last);
      if (list->length == 0)
        mark_used (self, number, FALSE);
      if (handle->when == self->next_in_buckets)
        self->next_in_buckets = 0;
    }
  else if (index < list->length)
    {
      if (index > 0 && is_before (&last, &list->entries[(index - 1) / ARITY]))
        sift_up (list, index, last);
      else
        sift_down (list, index, last);
    }

  /* Gives back the memory of a burst of timers. */
  if (G_UNLIKELY (list->capacity > 1024 && list->length < list->capacity / 4))
    resize (list, list->capacity / 2);
}

/*
 * Returns: the number of the bucket that is the next to become due, whose first tick is
 *   stored in @start; or 0 when all are empty
 */
static guint
find_first_bucket (const LoopTimerQueue *self, gint64 *start)
{
  for (guint level = 0; level < LOOP_TIMER_N_LEVELS; level++)
    {
      guint shift = level * LOOP_TIMER_DIGIT_BITS;
      guint digit;

      if (self->used[level] == 0)
        continue;

      digit = (guint) __builtin_ctzll (self->used[level]);
      *start = ((self->horizon >> shift) & -(gint64) LOOP_TIMER_N_DIGITS) + digit;
      *start *= G_GINT64_CONSTANT (1) << shift;

      return LOOP_TIMER_FIRST_BUCKET + level * LOOP_TIMER_N_DIGITS + digit;
    }

  if (self->lists[LOOP_TIMER_OVERFLOW].length == 0)
    return 0;

  *start = ((self->horizon >> (LOOP_TIMER_N_LEVELS * LOOP_TIMER_DIGIT_BITS)) + 1)
           << (LOOP_TIMER_N_LEVELS * LOOP_TIMER_DIGIT_BITS);

  return LOOP_TIMER_OVERFLOW;
}

/* Looks for what loop_timer_queue_next() does not know. */
gint64
loop_timer_queue_find_next (LoopTimerQueue *self)
{
  gint64 next = LOOP_NEVER;
  gint64 start;
  guint number = find_first_bucket (self, &start);

  if (number != 0)
    {
      const LoopTimerList *list = &self->lists[number];

      for (guint i = 0; i < list->length; i++)
        next = MIN (next, list->entries[i].when);
    }
  self->next_in_buckets = next;

  return next;
}

/* Hands the timers of a bucket on to where they belong now. */
static void
empty_bucket (LoopTimerQueue *self, guint number)
{
  LoopTimerList *list = &self->lists[number];
  LoopTimerList emptied = *list;

  *list = (LoopTimerList) { 0 };
  mark_used (self, number, FALSE);

  for (guint i = 0; i < emptied.length; i++)
    add (self, emptied.entries[i]);

  /* Most buckets are small and will be needed again. */
  if (list->entries == NULL && emptied.capacity <= 16)
    {
      list->entries = emptied.entries;
      list->capacity = emptied.capacity;
    }
  else
    {
      g_free (emptied.entries);
    }
}

/* Moves the horizon to @tick, and what is due by then into the heap. */
static void
advance (LoopTimerQueue *self, gint64 tick)
{
  gint64 start;
  guint number;

  while ((number = find_first_bucket (self, &start)) != 0 && start <= tick)
    {
      /* All that is before the overflow was handed on: there is no need to go step by step. */
      self->horizon = number == LOOP_TIMER_OVERFLOW ? tick : start;
      empty_bucket (self, number);
    }

  self->horizon = tick;
  self->next_in_buckets = 0;
}

/* Returns: (nullable): the first timer, if it is due at @now */
LoopTimerHandle *
loop_timer_queue_peek_due (LoopTimerQueue *self, gint64 now)
{
  const LoopTimerList *heap = &self->lists[LOOP_TIMER_HEAP];

  if (G_UNLIKELY (to_tick (now) > self->horizon))
    advance (self, to_tick (now));

  return heap->length > 0 && heap->entries[0].when <= now ? heap->entries[0].handle : NULL;
}

/* Returns: (nullable): one of the timers, or %NULL if there are none */
LoopTimerHandle *
loop_timer_queue_peek_any (LoopTimerQueue *self)
{
  for (guint i = 0; i < LOOP_TIMER_N_LISTS; i++)
    {
      const LoopTimerList *list = &self->lists[i];

      if (list->length > 0)
        return list->entries[list->length - 1].handle;
    }

  return NULL;
}

void
loop_timer_queue_clear (LoopTimerQueue *self)
{
  g_assert (self->length == 0);

  for (guint i = 0; i < LOOP_TIMER_N_LISTS; i++)
    g_clear_pointer (&self->lists[i].entries, g_free);
}
