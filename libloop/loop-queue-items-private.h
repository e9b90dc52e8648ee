/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-queue.h"

G_BEGIN_DECLS

/* What is in a queue, in the order in which it will be taken out. */
typedef struct
{
  LoopQueueKind kind;
  GQueue list;         /* of items, except of a queue by priority */
  GSequence *sequence; /* of items, of a queue by priority */
  LoopQueueCompareFunc compare;
  gpointer user_data;
  GDestroyNotify notify;
  guint64 n_tickets;
} LoopQueueItems;

G_GNUC_INTERNAL
LoopQueueItems *loop_queue_items_new (LoopQueueKind kind,
                                      LoopQueueCompareFunc compare,
                                      gpointer user_data,
                                      GDestroyNotify notify);
G_GNUC_INTERNAL
void loop_queue_items_free (LoopQueueItems *self);
G_GNUC_INTERNAL
guint loop_queue_items_get_length (LoopQueueItems *self);
G_GNUC_INTERNAL
guint64 loop_queue_items_add (LoopQueueItems *self, GValue *value);
G_GNUC_INTERNAL
void loop_queue_items_put_back (LoopQueueItems *self, GValue *value);
G_GNUC_INTERNAL
void loop_queue_items_take (LoopQueueItems *self, GValue *value);
G_GNUC_INTERNAL
gboolean loop_queue_items_withdraw (LoopQueueItems *self, guint64 ticket);

G_END_DECLS
