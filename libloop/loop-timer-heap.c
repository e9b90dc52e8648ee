/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-timer-heap-private.h"

#define ARITY 4

static inline gboolean
is_before (const LoopTimerEntry *a, const LoopTimerEntry *b)
{
  return a->when < b->when || (a->when == b->when && (gint32) (a->sequence - b->sequence) < 0);
}

static inline void
place (LoopTimerHeap *self, guint index, const LoopTimerEntry *entry)
{
  self->entries[index] = *entry;
  self->positions[entry->slot] = index;
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
      guint end = MIN (first + ARITY, self->n_sorted);
      guint least = first;

      if (first >= self->n_sorted)
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
  g_clear_pointer (&self->handles, g_free);
  g_clear_pointer (&self->positions, g_free);
  self->capacity = 0;
}

static void
resize (LoopTimerHeap *self, guint capacity)
{
  self->entries = g_renew (LoopTimerEntry, self->entries, capacity);
  self->handles = g_renew (LoopTimerHandle *, self->handles, capacity);
  self->positions = g_renew (guint32, self->positions, capacity);
  self->capacity = capacity;
}

static void
link_free_slots (LoopTimerHeap *self, guint first)
{
  for (guint slot = first; slot < self->capacity; slot++)
    self->positions[slot] = slot + 1;
  self->free_slot = first;
}

/* Gives back the memory of a burst of timers: those that are left get the first slots. */
static void
shrink (LoopTimerHeap *self)
{
  g_autofree LoopTimerHandle **handles = g_new (LoopTimerHandle *, self->length + 1);

  for (guint i = 0; i < self->length; i++)
    handles[i] = loop_timer_heap_get (self, i);

  resize (self, self->capacity / 2);

  for (guint i = 0; i < self->length; i++)
    {
      self->entries[i].slot = i;
      self->handles[i] = handles[i];
      self->positions[i] = i;
      handles[i]->parent.heap_slot = i;
    }

  link_free_slots (self, self->length);
}

/* Inserts @handle by its `when`. The heap takes no reference of its own. */
void
loop_timer_heap_insert (LoopTimerHeap *self, LoopTimerHandle *handle)
{
  guint32 slot;

  if (self->length == self->capacity)
    {
      /* No slot is free. */
      resize (self, MAX (64, self->capacity * 2));
      link_free_slots (self, self->length);
    }

  slot = self->free_slot;
  self->free_slot = self->positions[slot];
  self->handles[slot] = handle;
  handle->parent.heap_slot = slot;

  place (self, self->length++,
         &(LoopTimerEntry) {
             .when = handle->when,
             .sequence = self->next_sequence++,
             .slot = slot,
         });
}

/* Makes a heap of all entries. */
void
loop_timer_heap_settle (LoopTimerHeap *self)
{
  while (self->n_sorted < self->length)
    {
      guint index = self->n_sorted++;

      sift_up (self, index, self->entries[index]);
    }
}

void
loop_timer_heap_remove (LoopTimerHeap *self, LoopTimerHandle *handle)
{
  guint32 slot = handle->parent.heap_slot;
  guint index = self->positions[slot];

  g_assert (index < self->length && self->handles[slot] == handle);

  self->positions[slot] = self->free_slot;
  self->free_slot = slot;

  if (index < self->n_sorted)
    {
      guint hole = --self->n_sorted;
      LoopTimerEntry last = self->entries[hole];

      if (index < hole)
        {
          if (index > 0 && is_before (&last, &self->entries[(index - 1) / ARITY]))
            sift_up (self, index, last);
          else
            sift_down (self, index, last);
        }

      index = hole;
    }

  /* Among the entries that are in no order, the last one fills the hole. */
  self->length--;
  if (index < self->length)
    place (self, index, &self->entries[self->length]);

  if (self->capacity > 1024 && self->length < self->capacity / 4)
    shrink (self);
}
