/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

#define LOOP_TYPE_SEMAPHORE (loop_semaphore_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopSemaphore, loop_semaphore, LOOP, SEMAPHORE, GObject)

LOOP_AVAILABLE_IN_1_0
LoopSemaphore *loop_semaphore_new (LoopEventLoop *loop, guint value);
LOOP_AVAILABLE_IN_1_0
LoopSemaphore *loop_semaphore_new_bounded (LoopEventLoop *loop, guint value);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_semaphore_acquire (LoopSemaphore *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_semaphore_release (LoopSemaphore *self, GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_semaphore_locked (LoopSemaphore *self);
LOOP_AVAILABLE_IN_1_0
guint loop_semaphore_get_value (LoopSemaphore *self);

G_END_DECLS
