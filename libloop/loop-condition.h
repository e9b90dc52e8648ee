/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-lock.h>

G_BEGIN_DECLS

/**
 * LoopConditionPredicate:
 * @user_data: the data given with the predicate
 *
 * Tells whether what is waited for is the case. It is called by the loop, while the lock of
 * the condition is held, and must not wait for anything.
 *
 * Returns: %TRUE if it is
 */
typedef gboolean (*LoopConditionPredicate) (gpointer user_data);

#define LOOP_TYPE_CONDITION (loop_condition_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopCondition, loop_condition, LOOP, CONDITION, GObject)

LOOP_AVAILABLE_IN_1_0
LoopCondition *loop_condition_new (LoopEventLoop *loop, LoopLock *lock);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_condition_acquire (LoopCondition *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_condition_release (LoopCondition *self, GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_condition_locked (LoopCondition *self);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_condition_wait (LoopCondition *self);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_condition_wait_for (LoopCondition *self,
                                     LoopConditionPredicate predicate,
                                     gpointer user_data,
                                     GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
gboolean loop_condition_notify (LoopCondition *self, guint n, GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_condition_notify_all (LoopCondition *self, GError **error);

G_END_DECLS
