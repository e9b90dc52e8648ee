/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-future-private.h"

G_BEGIN_DECLS

typedef struct _LoopWaiter LoopWaiter;
typedef struct _LoopWaiterQueue LoopWaiterQueue;

/* What is waited for. */
typedef struct
{
  const char *name; /* of the futures */

  /* Or NULL: @waiter was granted what it waited for, and will not use it. */
  void (*give_back) (gpointer owner, LoopWaiter *waiter);
} LoopWaiterKind;

/* The future of one who waits his turn at a lock, an event and the like: its owner. */
struct _LoopWaiter
{
  LoopFuture parent_instance;

  const LoopWaiterKind *kind;
  gpointer owner; /* ours once there is something to give back */
  LoopWaiterQueue *queue;
  LoopWaiter *prev;
  LoopWaiter *next;
  guint8 is_granted; /* and has it still */
};

typedef struct
{
  LoopFutureClass parent_class;

  /* Its turn has come. Ends it, with %TRUE for the result, unless a derived type has more to do. */
  void (*granted) (LoopWaiter *self);
} LoopWaiterClass;

/*
 * Those who wait, the first one first. They are kept by it, and do not keep their owner: when
 * that is freed their turn can never come, and they end as cancelled. One that ended by itself,
 * as anybody may set the result of a future, is passed over.
 */
struct _LoopWaiterQueue
{
  LoopWaiter *first;
  LoopWaiter *last;
  guint length;
  const char *obituary; /* static: what they are told when the owner is freed */
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopWaiter, g_object_unref)

#define LOOP_TYPE_WAITER (loop_waiter_get_type ())
#define LOOP_WAITER_CLASS(klass) (G_TYPE_CHECK_CLASS_CAST (klass, LOOP_TYPE_WAITER, LoopWaiterClass))
#define LOOP_WAITER(object) (G_TYPE_CHECK_INSTANCE_CAST (object, LOOP_TYPE_WAITER, LoopWaiter))

G_GNUC_INTERNAL
GType loop_waiter_get_type (void) G_GNUC_CONST;
G_GNUC_INTERNAL
gpointer loop_waiter_new (GType type, LoopEventLoop *loop, const LoopWaiterKind *kind, gpointer owner);
G_GNUC_INTERNAL
void loop_waiter_hold (LoopWaiter *self);
G_GNUC_INTERNAL
void loop_waiter_grant (LoopWaiter *self);
G_GNUC_INTERNAL
void loop_waiter_leave (LoopWaiter *self);

G_GNUC_INTERNAL
LoopWaiterQueue *loop_waiter_queue_new (const char *obituary);
G_GNUC_INTERNAL
void loop_waiter_queue_push (LoopWaiterQueue *self, LoopWaiter *waiter);
G_GNUC_INTERNAL
LoopWaiter *loop_waiter_queue_pop (LoopWaiterQueue *self);
G_GNUC_INTERNAL
gboolean loop_waiter_queue_grant_first (LoopWaiterQueue *self);
G_GNUC_INTERNAL
void loop_waiter_queue_fail (LoopWaiterQueue *self, const GError *error);
G_GNUC_INTERNAL
void loop_waiter_queue_free (LoopWaiterQueue *self, LoopEventLoop *loop);

static inline gboolean
loop_waiter_is_pending (LoopWaiter *self)
{
  return loop_future_is_pending (&self->parent_instance);
}

G_END_DECLS
