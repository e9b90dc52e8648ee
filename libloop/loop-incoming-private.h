/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-handle-private.h"

G_BEGIN_DECLS

/*
 * The way into a loop from other threads: a stack of handles that any thread pushes
 * to and the loop takes over as a whole, and an eventfd that is written only when the
 * loop may be asleep. It has a reference count of its own, so that a worker thread can
 * post its result without ever holding, and so never dropping, the last reference to
 * a loop.
 */
typedef struct
{
  LoopHandle *head;
  int asleep;
  int ref_count;
  int wakeup_fd;
} LoopIncoming;

G_GNUC_INTERNAL
LoopIncoming *loop_incoming_new (GError **error);
G_GNUC_INTERNAL
LoopIncoming *loop_incoming_ref (LoopIncoming *self);
G_GNUC_INTERNAL
void loop_incoming_unref (LoopIncoming *self);
G_GNUC_INTERNAL
gboolean loop_incoming_post (LoopIncoming *self, LoopHandle *handle);
G_GNUC_INTERNAL
LoopHandle *loop_incoming_take (LoopIncoming *self);
G_GNUC_INTERNAL
LoopHandle *loop_incoming_close (LoopIncoming *self);
G_GNUC_INTERNAL
gboolean loop_incoming_fall_asleep (LoopIncoming *self);
G_GNUC_INTERNAL
LoopHandle *loop_incoming_peek (LoopIncoming *self);

static inline gboolean
loop_incoming_is_empty (LoopIncoming *self)
{
  return __atomic_load_n (&self->head, __ATOMIC_RELAXED) == NULL;
}

static inline void
loop_incoming_wake_up (LoopIncoming *self)
{
  __atomic_store_n (&self->asleep, 0, __ATOMIC_RELAXED);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopIncoming, loop_incoming_unref)

G_END_DECLS
