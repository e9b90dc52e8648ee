/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-future-private.h"

G_BEGIN_DECLS

typedef struct _LoopCompositeFuture LoopCompositeFuture;

/* One of the futures that a composite one waits for. */
typedef struct
{
  LoopCompositeFuture *parent;
  LoopFuture *future; /* ours once it is done; NULL when it was freed before */
  guint64 callback;
  guint8 is_done;
  guint8 is_let_go;
} LoopChild;

/*
 * A future that is done when others are. It is kept by the callbacks that it adds to
 * them, and has references only to those that are done: so nothing keeps itself alive.
 * Of a child that nobody can complete any more, because it was freed, it is told too.
 */
struct _LoopCompositeFuture
{
  LoopFuture parent_instance;

  LoopChild *children;
  guint n_children;
  guint n_pending;
};

typedef struct
{
  LoopFutureClass parent_class;

  void (*child_done) (LoopCompositeFuture *self, LoopChild *child);
} LoopCompositeFutureClass;

#define LOOP_TYPE_COMPOSITE_FUTURE (loop_composite_future_get_type ())
#define LOOP_COMPOSITE_FUTURE(object)                                                                                  \
  (G_TYPE_CHECK_INSTANCE_CAST (object, LOOP_TYPE_COMPOSITE_FUTURE, LoopCompositeFuture))
#define LOOP_COMPOSITE_FUTURE_CLASS(klass)                                                                             \
  (G_TYPE_CHECK_CLASS_CAST (klass, LOOP_TYPE_COMPOSITE_FUTURE, LoopCompositeFutureClass))

G_GNUC_INTERNAL
GType loop_composite_future_get_type (void) G_GNUC_CONST;
G_GNUC_INTERNAL
gpointer loop_composite_future_new (GType type, LoopEventLoop *loop, const char *name);
G_GNUC_INTERNAL
gboolean loop_composite_future_watch (LoopCompositeFuture *self, LoopFuture *const *futures, gsize n_futures);
G_GNUC_INTERNAL
void loop_composite_future_let_go (LoopCompositeFuture *self);
G_GNUC_INTERNAL
gboolean loop_composite_future_cancel_children (LoopCompositeFuture *self, const char *message);

/* Whether a child that is done was cancelled, or freed before it was. */
static inline gboolean
loop_child_is_cancelled (const LoopChild *self)
{
  return self->future == NULL || self->future->state == LOOP_FUTURE_CANCELLED;
}

/* The error of a child that is done, which counts as seen; or NULL. */
static inline const GError *
loop_child_retrieve_exception (LoopChild *self)
{
  if (self->future == NULL)
    return NULL;

  self->future->is_retrieved = TRUE;

  return self->future->exception;
}

G_END_DECLS
