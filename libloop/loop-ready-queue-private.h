/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-types.h"

G_BEGIN_DECLS

typedef struct _LoopReadyItem LoopReadyItem;
typedef struct _LoopReadyItemClass LoopReadyItemClass;

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

struct _LoopReadyItemClass
{
  /* Runs user code: called on the loop thread, outside the guard. */
  void (*run) (LoopEventLoop *loop, LoopReadyItem *item);
  /* Drops what kept the item alive; called after run, when nothing points to it. */
  void (*done) (LoopEventLoop *loop, LoopReadyItem *item);
  /* Called under a hold of the guard by an inspector; takes no reference. */
  void (*describe) (const LoopReadyItem *item, LoopDescription *description);
};

/* One thing to run. Intrusive: it is a member of a handle or of a watch. */
struct _LoopReadyItem
{
  LoopReadyItem *prev;
  LoopReadyItem *next;
  const LoopReadyItemClass *klass;
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

G_END_DECLS
