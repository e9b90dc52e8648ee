/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

#define LOOP_TYPE_LOCK (loop_lock_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopLock, loop_lock, LOOP, LOCK, GObject)

LOOP_AVAILABLE_IN_1_0
LoopLock *loop_lock_new (LoopEventLoop *loop);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_lock_acquire (LoopLock *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_lock_release (LoopLock *self, GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_lock_locked (LoopLock *self);

G_END_DECLS
