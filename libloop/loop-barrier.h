/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

#define LOOP_TYPE_BARRIER (loop_barrier_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopBarrier, loop_barrier, LOOP, BARRIER, GObject)

LOOP_AVAILABLE_IN_1_0
LoopBarrier *loop_barrier_new (LoopEventLoop *loop, guint parties);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_barrier_wait (LoopBarrier *self);
LOOP_AVAILABLE_IN_1_0
void loop_barrier_reset (LoopBarrier *self);
LOOP_AVAILABLE_IN_1_0
void loop_barrier_abort (LoopBarrier *self);
LOOP_AVAILABLE_IN_1_0
guint loop_barrier_get_parties (LoopBarrier *self);
LOOP_AVAILABLE_IN_1_0
guint loop_barrier_get_n_waiting (LoopBarrier *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_barrier_is_broken (LoopBarrier *self);

G_END_DECLS
