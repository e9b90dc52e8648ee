/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_FUTURE (loop_future_get_type ())

LOOP_DECLARE_OPAQUE_TYPE (LoopFuture, loop_future, LOOP, FUTURE, GObject)

/**
 * LoopFutureCallback:
 * @future: the future, which is done
 * @user_data: the data given with the callback
 *
 * Is called by the loop once a future is done.
 */
typedef void (*LoopFutureCallback) (LoopFuture *future, gpointer user_data);

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_create_future (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_run_until_complete (LoopEventLoop *self, LoopFuture *future, GValue *result, GError **error);

LOOP_AVAILABLE_IN_1_0
LoopEventLoop *loop_future_get_loop (LoopFuture *self);
LOOP_AVAILABLE_IN_1_0
guint64 loop_future_get_id (LoopFuture *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_future_done (LoopFuture *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_future_cancelled (LoopFuture *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_future_cancel (LoopFuture *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_future_cancel_with_message (LoopFuture *self, const char *message);
LOOP_AVAILABLE_IN_1_0
const char *loop_future_get_cancel_message (LoopFuture *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_future_result (LoopFuture *self, GValue *result, GError **error);
LOOP_AVAILABLE_IN_1_0
GError *loop_future_exception (LoopFuture *self, GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_future_set_result (LoopFuture *self, const GValue *result, GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_future_set_exception (LoopFuture *self, const GError *exception, GError **error);
LOOP_AVAILABLE_IN_1_0
guint64 loop_future_add_done_callback (LoopFuture *self,
                                       LoopFutureCallback callback,
                                       gpointer user_data,
                                       GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
gboolean loop_future_remove_done_callback (LoopFuture *self, guint64 id);

LOOP_AVAILABLE_IN_1_0
void loop_future_wait_async (LoopFuture *self,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
LOOP_AVAILABLE_IN_1_0
gboolean loop_future_wait_finish (LoopFuture *self, GAsyncResult *result, GValue *value, GError **error);

G_END_DECLS
