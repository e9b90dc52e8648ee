/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-types.h"

G_BEGIN_DECLS

typedef struct _LoopReadyItem LoopReadyItem;

/* What an inspector is told of something that runs, or waits to run, on the loop. */
typedef struct
{
  guint64 id;
  const char *kind;  /* static string */
  const char *name;  /* interned or static string, or NULL */
  gpointer function; /* what to name when there is no name */
  int fd;            /* or -1 */
  gint64 when;       /* deadline of a timer, or 0 */
} LoopDescription;

/* What an item is a member of, and so how it is run. */
typedef enum
{
  LOOP_ITEM_HANDLE,
  LOOP_ITEM_READER, /* the first item of a watch */
  LOOP_ITEM_WRITER, /* the second */
  LOOP_ITEM_CALLS,  /* calls that other threads posted */
} LoopReadyItemKind;

/*
 * One thing to run. Intrusive: it is the beginning of a handle or a member of a watch.
 * The room behind `kind` is the handle's: with it, all of a handle that is needed to
 * schedule and run it has the size of a cache line.
 */
struct _LoopReadyItem
{
  LoopReadyItem *prev;
  LoopReadyItem *next;
  guint8 kind;
  guint8 handle_state;
  guint8 handle_is_timer;
  guint8 handle_has_name;
  int handle_ref_count;
};

/* A circular list with @head as its sentinel. */
typedef struct
{
  LoopReadyItem head;
} LoopReadyQueue;

static inline void
loop_ready_queue_init (LoopReadyQueue *self)
{
  self->head.prev = self->head.next = &self->head;
}

static inline gboolean
loop_ready_queue_is_empty (const LoopReadyQueue *self)
{
  return self->head.next == &self->head;
}

static inline gboolean
loop_ready_item_is_queued (const LoopReadyItem *item)
{
  return item->next != NULL;
}

static inline void
loop_ready_queue_push (LoopReadyQueue *self, LoopReadyItem *item)
{
  LoopReadyItem *last = self->head.prev;

  item->prev = last;
  item->next = &self->head;
  last->next = item;
  self->head.prev = item;
}

static inline void
loop_ready_queue_push_front (LoopReadyQueue *self, LoopReadyItem *item)
{
  LoopReadyItem *first = self->head.next;

  item->prev = &self->head;
  item->next = first;
  first->prev = item;
  self->head.next = item;
}

/* Takes @item out of whichever queue it is in. */
static inline void
loop_ready_item_unqueue (LoopReadyItem *item)
{
  item->prev->next = item->next;
  item->next->prev = item->prev;
  item->prev = item->next = NULL;
}

static inline LoopReadyItem *
loop_ready_queue_pop (LoopReadyQueue *self)
{
  LoopReadyItem *item = self->head.next;

  if (item == &self->head)
    return NULL;

  loop_ready_item_unqueue (item);

  return item;
}

/* Appends all of @other, which is empty afterwards. */
static inline void
loop_ready_queue_splice (LoopReadyQueue *self, LoopReadyQueue *other)
{
  if (loop_ready_queue_is_empty (other))
    return;

  other->head.next->prev = self->head.prev;
  self->head.prev->next = other->head.next;
  other->head.prev->next = &self->head;
  self->head.prev = other->head.prev;
  loop_ready_queue_init (other);
}

/* Called under a hold of the guard by an inspector; takes no reference. */
G_GNUC_INTERNAL
void loop_ready_item_describe (const LoopReadyItem *item, LoopDescription *description);

G_END_DECLS
