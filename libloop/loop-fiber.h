/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-coroutine.h>

G_BEGIN_DECLS

/**
 * LoopFiberFunc:
 * @result: (out caller-allocates): return location for the result, uninitialised: to be initialised and set, or left
 *   alone
 * @user_data: the data given with the function
 * @error: return location for an error
 *
 * What a fiber runs. It may wait for futures with [func@await].
 *
 * Returns: %TRUE, or %FALSE with @error set
 */
typedef gboolean (*LoopFiberFunc) (GValue *result, gpointer user_data, GError **error);

#define LOOP_TYPE_FIBER (loop_fiber_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopFiber, loop_fiber, LOOP, FIBER, GObject)

LOOP_AVAILABLE_IN_1_0
LoopFiber *loop_fiber_new (LoopFiberFunc func, gpointer user_data, GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
LoopFiber *loop_fiber_get_current (void);
LOOP_AVAILABLE_IN_1_0
gsize loop_fiber_get_stack_used (LoopFiber *self);
LOOP_AVAILABLE_IN_1_0
gsize loop_fiber_get_stack_size (void);
LOOP_AVAILABLE_IN_1_0
void loop_fiber_set_stack_size (gsize size);

LOOP_AVAILABLE_IN_1_0
gboolean loop_await (LoopFuture *future, GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_await_result (LoopFuture *future, GValue *result, GError **error);

G_END_DECLS
