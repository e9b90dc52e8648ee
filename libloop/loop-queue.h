/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

/**
 * LoopQueueKind:
 * @LOOP_QUEUE_FIFO: the item that was put first
 * @LOOP_QUEUE_LIFO: the item that was put last
 * @LOOP_QUEUE_PRIORITY: the smallest item; of equal ones the one that was put first
 *
 * Which item of a queue comes next.
 */
typedef enum
{
  LOOP_QUEUE_FIFO,
  LOOP_QUEUE_LIFO,
  LOOP_QUEUE_PRIORITY,
} LoopQueueKind;

#define LOOP_TYPE_QUEUE_KIND (loop_queue_kind_get_type ())
LOOP_AVAILABLE_IN_1_0
GType loop_queue_kind_get_type (void) G_GNUC_CONST;

/**
 * LoopQueueCompareFunc:
 * @a: an item
 * @b: another item
 * @user_data: the data given with the function
 *
 * Tells which of two items of a queue comes first. It must not use the queue.
 *
 * Returns: a negative number if @a does, a positive one if @b does, 0 if they are equal
 */
typedef int (*LoopQueueCompareFunc) (const GValue *a, const GValue *b, gpointer user_data);

#define LOOP_TYPE_QUEUE (loop_queue_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopQueue, loop_queue, LOOP, QUEUE, GObject)

LOOP_AVAILABLE_IN_1_0
LoopQueue *loop_queue_new (LoopEventLoop *loop, guint maxsize);
LOOP_AVAILABLE_IN_1_0
LoopQueue *loop_queue_new_lifo (LoopEventLoop *loop, guint maxsize);
LOOP_AVAILABLE_IN_1_0
LoopQueue *loop_queue_new_priority (LoopEventLoop *loop,
                                    guint maxsize,
                                    LoopQueueCompareFunc compare,
                                    gpointer user_data,
                                    GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
LoopQueueKind loop_queue_get_kind (LoopQueue *self);
LOOP_AVAILABLE_IN_1_0
guint loop_queue_get_size (LoopQueue *self);
LOOP_AVAILABLE_IN_1_0
guint loop_queue_get_maxsize (LoopQueue *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_queue_is_empty (LoopQueue *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_queue_is_full (LoopQueue *self);

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_queue_put (LoopQueue *self, const GValue *item);
LOOP_AVAILABLE_IN_1_0
gboolean loop_queue_put_nowait (LoopQueue *self, const GValue *item, GError **error);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_queue_get (LoopQueue *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_queue_get_nowait (LoopQueue *self, GValue *item, GError **error);

LOOP_AVAILABLE_IN_1_0
gboolean loop_queue_task_done (LoopQueue *self, GError **error);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_queue_join (LoopQueue *self);
LOOP_AVAILABLE_IN_1_0
void loop_queue_shutdown (LoopQueue *self, gboolean immediate);

G_END_DECLS
