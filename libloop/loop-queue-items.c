/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-queue-items-private.h"

typedef struct
{
  GList link;
  GSequenceIter *iter;
  guint64 ticket;
  GValue value;
} Item;

LoopQueueItems *
loop_queue_items_new (LoopQueueKind kind, LoopQueueCompareFunc compare, gpointer user_data, GDestroyNotify notify)
{
  LoopQueueItems *self = g_new0 (LoopQueueItems, 1);

  self->kind = kind;
  self->compare = compare;
  self->user_data = user_data;
  self->notify = notify;
  if (kind == LOOP_QUEUE_PRIORITY)
    self->sequence = g_sequence_new (NULL);

  return self;
}

guint
loop_queue_items_get_length (LoopQueueItems *self)
{
  return self->sequence != NULL ? (guint) g_sequence_get_length (self->sequence) : self->list.length;
}

static int
compare_items (gconstpointer a, gconstpointer b, gpointer data)
{
  LoopQueueItems *self = data;
  int order = self->compare (&((const Item *) a)->value, &((const Item *) b)->value, self->user_data);

  /* What was put back is where it was. */
  if (order == 0)
    order = ((const Item *) a)->ticket < ((const Item *) b)->ticket ? -1 : 1;

  return order;
}

/* @ticket is 0 for what has been in the queue before. */
static void
insert (LoopQueueItems *self, GValue *value, guint64 ticket)
{
  Item *item = g_new0 (Item, 1);

  item->link.data = item;
  item->ticket = ticket;
  item->value = *value;
  *value = (GValue) G_VALUE_INIT;

  if (self->kind == LOOP_QUEUE_PRIORITY)
    item->iter = g_sequence_insert_sorted (self->sequence, item, compare_items, self);
  else if (self->kind == LOOP_QUEUE_LIFO || ticket == 0)
    g_queue_push_head_link (&self->list, &item->link);
  else
    g_queue_push_tail_link (&self->list, &item->link);
}

static void
remove_item (LoopQueueItems *self, Item *item)
{
  if (self->sequence != NULL)
    g_sequence_remove (item->iter);
  else
    g_queue_unlink (&self->list, &item->link);
}

static Item *
get_first (LoopQueueItems *self)
{
  if (self->sequence == NULL)
    return g_queue_peek_head (&self->list);

  return g_sequence_is_empty (self->sequence) ? NULL : g_sequence_get (g_sequence_get_begin_iter (self->sequence));
}

static Item *
find (LoopQueueItems *self, guint64 ticket)
{
  if (self->sequence == NULL)
    {
      for (GList *link = self->list.head; link != NULL; link = link->next)
        {
          Item *item = link->data;

          if (item->ticket == ticket)
            return item;
        }
      return NULL;
    }

  for (GSequenceIter *iter = g_sequence_get_begin_iter (self->sequence); !g_sequence_iter_is_end (iter);
       iter = g_sequence_iter_next (iter))
    {
      Item *item = g_sequence_get (iter);

      if (item->ticket == ticket)
        return item;
    }

  return NULL;
}

/*
 * Takes what is in @value.
 *
 * Returns: a ticket for loop_queue_items_withdraw()
 */
guint64
loop_queue_items_add (LoopQueueItems *self, GValue *value)
{
  guint64 ticket = ++self->n_tickets;

  insert (self, value, ticket);

  return ticket;
}

/* Takes what is in @value, which was taken out before: it is the next one again. */
void
loop_queue_items_put_back (LoopQueueItems *self, GValue *value)
{
  insert (self, value, 0);
}

/* Takes the next one out, of which there is one. */
void
loop_queue_items_take (LoopQueueItems *self, GValue *value)
{
  Item *item = get_first (self);

  g_assert (item != NULL);

  remove_item (self, item);
  *value = item->value;
  g_free (item);
}

/* Returns: %FALSE if it has been taken out */
gboolean
loop_queue_items_withdraw (LoopQueueItems *self, guint64 ticket)
{
  Item *item = find (self, ticket);

  if (item == NULL)
    return FALSE;

  remove_item (self, item);
  g_value_unset (&item->value);
  g_free (item);

  return TRUE;
}

void
loop_queue_items_free (LoopQueueItems *self)
{
  while (get_first (self) != NULL)
    {
      g_auto (GValue) value = G_VALUE_INIT;

      loop_queue_items_take (self, &value);
    }

  g_clear_pointer (&self->sequence, g_sequence_free);
  if (self->notify != NULL)
    self->notify (self->user_data);
  g_free (self);
}
