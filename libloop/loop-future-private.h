/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-canceller-private.h"
#include "loop-future.h"

G_BEGIN_DECLS

typedef enum
{
  LOOP_FUTURE_PENDING,
  LOOP_FUTURE_CANCELLED,
  LOOP_FUTURE_FINISHED,
} LoopFutureState;

typedef struct _LoopFutureSpares LoopFutureSpares;

typedef struct _LoopDoneCallback LoopDoneCallback;
struct _LoopDoneCallback
{
  LoopDoneCallback *next;
  LoopFuture *future; /* set once it is scheduled */
  LoopFutureCallback callback;
  gpointer user_data;
  GDestroyNotify notify;
  guint64 id;
  guint64 waiter;   /* the future that waits by means of it, or 0 */
  gboolean is_ours; /* the future's own one */
};

/* What an inspector looks at is changed inside the guard: state, callbacks and canceller. */
struct _LoopFuture
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopRegistryNode node;
  const char *name; /* static: what the future stands for, such as "create_server" */
  LoopDoneCallback *first_callback;
  LoopDoneCallback *last_callback;
  LoopDoneCallback own_callback; /* for the one that most futures have; free while it has no function */
  GValue result;
  GError *exception;
  char *cancel_message;
  LoopCanceller *canceller; /* or NULL: unknown */
  guint8 state;
  guint8 is_retrieved; /* whether somebody looked at the exception */
  guint8 kind;         /* in the registry */
};

struct _LoopFutureClass
{
  GObjectClass parent_class;

  gboolean (*cancel) (LoopFuture *self, const char *message);

  /*
   * Or NULL. Whoever awaited the future was told that it failed, and will not use the result:
   * what came with it, such as a lock, goes to the next one. May be called more than once.
   */
  void (*give_back) (LoopFuture *self);

  /* The class itself if its futures are used again, and where they are kept: or NULL. On the loop's thread. */
  GType spare_type;
  LoopFutureSpares *(*get_spares) (LoopEventLoop *loop);

  /* Or NULL: it is to be used again, and is to forget what its class has added. */
  void (*reset) (LoopFuture *self);
};

G_GNUC_INTERNAL
LoopFuture *loop_future_new (LoopEventLoop *loop, const char *name);
G_GNUC_INTERNAL
LoopFuture *loop_future_new_failed (LoopEventLoop *loop, const char *name, GError *exception);
G_GNUC_INTERNAL
void loop_future_set_up (LoopFuture *self, LoopEventLoop *loop, const char *name);
G_GNUC_INTERNAL
void loop_future_release (LoopFuture *self);
G_GNUC_INTERNAL
void loop_future_fulfil (LoopFuture *self);
G_GNUC_INTERNAL
void loop_future_fulfil_value (LoopFuture *self, GValue *value);
G_GNUC_INTERNAL
void loop_future_fulfil_object (LoopFuture *self, gpointer object);
G_GNUC_INTERNAL
void loop_future_fail (LoopFuture *self, GError *exception);
G_GNUC_INTERNAL
void loop_future_finish_cancelled (LoopFuture *self, const char *message);
G_GNUC_INTERNAL
void loop_future_follow (LoopFuture *self, LoopFuture *other);
G_GNUC_INTERNAL
const char *loop_future_state_to_string (LoopFutureState state);

G_GNUC_INTERNAL
void loop_future_schedule_callbacks (LoopFuture *self, LoopDoneCallback *callback);
G_GNUC_INTERNAL
LoopDoneCallback *loop_future_steal_callbacks (LoopFuture *self);
G_GNUC_INTERNAL
void loop_done_callbacks_free (LoopDoneCallback *callback);

/* As loop_future_add_done_callback(), on behalf of another future: whoever looks at the graph of waits sees it. */
G_GNUC_INTERNAL
guint64 loop_future_add_waiter (LoopFuture *self,
                                LoopFuture *waiter,
                                LoopFutureCallback callback,
                                gpointer user_data,
                                GDestroyNotify notify);

static inline LoopFuture *
loop_future_from_node (LoopRegistryNode *node)
{
  return (LoopFuture *) ((char *) node - G_STRUCT_OFFSET (LoopFuture, node));
}

static inline gboolean
loop_future_is_pending (LoopFuture *self)
{
  return self->state == LOOP_FUTURE_PENDING;
}

static inline void
loop_future_set_cancel_message (LoopFuture *self, const char *message)
{
  g_free (self->cancel_message);
  self->cancel_message = g_strdup (message);
}

static inline void
loop_future_give_back (LoopFuture *self)
{
  LoopFutureClass *klass = LOOP_FUTURE_GET_CLASS (self);

  if (klass->give_back != NULL)
    klass->give_back (self);
}

G_END_DECLS
