/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-timer-heap-private.h"

#define ARITY 4

static inline gboolean
is_before (const LoopTimerEntry *a, const LoopTimerEntry *b)
{
  return a->when < b->when || (a->when == b->when && a->sequence < b->sequence);
}

static inline void
place (LoopTimerHeap *self, guint index, const LoopTimerEntry *entry)
{
  self->entries[index] = *entry;
  entry->handle->heap_index = index;
}

static void
sift_up (LoopTimerHeap *self, guint index, LoopTimerEntry entry)
{
  while (index > 0)
    {
      guint parent = (index - 1) / ARITY;

      if (!is_before (&entry, &self->entries[parent]))
        break;

      place (self, index, &self->entries[parent]);
      index = parent;
    }

  place (self, index, &entry);
}

static void
sift_down (LoopTimerHeap *self, guint index, LoopTimerEntry entry)
{
  for (;;)
    {
      guint first = index * ARITY + 1;
      guint end = MIN (first + ARITY, self->length);
      guint least = first;

      if (first >= self->length)
        break;

      for (guint child = first + 1; child < end; child++)
        {
          if (is_before (&self->entries[child], &self->entries[least]))
            least = child;
        }

      if (!is_before (&self->entries[least], &entry))
        break;

      place (self, index, &self->entries[least]);
      index = least;
    }

  place (self, index, &entry);
}

void
loop_timer_heap_clear (LoopTimerHeap *self)
{
  g_assert (self->length == 0);

  g_clear_pointer (&self->entries, g_free);
  self->capacity = 0;
}

/* Inserts @handle by its `when`. The heap takes no reference of its own. */
void
loop_timer_heap_insert (LoopTimerHeap *self, LoopTimerHandle *handle)
{
  if (self->length == self->capacity)
    {
      self->capacity = MAX (64, self->capacity * 2);
      self->entries = g_renew (LoopTimerEntry, self->entries, self->capacity);
    }

  sift_up (self, self->length++,
           (LoopTimerEntry) {
               .when = handle->when,
               .sequence = self->next_sequence++,
               .handle = handle,
           });
}

void
loop_timer_heap_remove (LoopTimerHeap *self, LoopTimerHandle *handle)
{
  guint index = handle->heap_index;
  LoopTimerEntry last;

  g_assert (index < self->length && self->entries[index].handle == handle);

  last = self->entries[--self->length];

  if (index < self->length)
    {
      if (index > 0 && is_before (&last, &self->entries[(index - 1) / ARITY]))
        sift_up (self, index, last);
      else
        sift_down (self, index, last);
    }

  /* A burst of timers is not to hold its memory for ever. */
  if (self->capacity > 1024 && self->length < self->capacity / 4)
    {
      self->capacity /= 2;
      self->entries = g_renew (LoopTimerEntry, self->entries, self->capacity);
    }
}
