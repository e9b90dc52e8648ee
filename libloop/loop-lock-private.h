/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-lock.h"
#include "loop-waiter-private.h"

G_BEGIN_DECLS

G_GNUC_INTERNAL
LoopEventLoop *loop_lock_get_loop (LoopLock *self);
G_GNUC_INTERNAL
void loop_lock_enter (LoopLock *self, LoopWaiter *waiter);
G_GNUC_INTERNAL
void loop_lock_pass_on (LoopLock *self);

G_END_DECLS
