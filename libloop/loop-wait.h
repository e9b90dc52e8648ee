/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

/**
 * LoopReturnWhen:
 * @LOOP_FIRST_COMPLETED: when any future is done
 * @LOOP_FIRST_EXCEPTION: when any future has failed, or else when all are done
 * @LOOP_ALL_COMPLETED: when all futures are done
 *
 * When [func@wait] is done.
 */
typedef enum
{
  LOOP_FIRST_COMPLETED,
  LOOP_FIRST_EXCEPTION,
  LOOP_ALL_COMPLETED,
} LoopReturnWhen;

#define LOOP_TYPE_RETURN_WHEN (loop_return_when_get_type ())
LOOP_AVAILABLE_IN_1_0
GType loop_return_when_get_type (void) G_GNUC_CONST;

typedef struct _LoopWaitResult LoopWaitResult;

#define LOOP_TYPE_WAIT_RESULT (loop_wait_result_get_type ())
LOOP_AVAILABLE_IN_1_0
GType loop_wait_result_get_type (void) G_GNUC_CONST;
LOOP_AVAILABLE_IN_1_0
LoopWaitResult *loop_wait_result_ref (LoopWaitResult *self);
LOOP_AVAILABLE_IN_1_0
void loop_wait_result_unref (LoopWaitResult *self);
LOOP_AVAILABLE_IN_1_0
GPtrArray *loop_wait_result_get_done (LoopWaitResult *self);
LOOP_AVAILABLE_IN_1_0
GPtrArray *loop_wait_result_get_pending (LoopWaitResult *self);

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_wait (LoopEventLoop *loop,
                       LoopFuture *const *futures,
                       gsize n_futures,
                       double timeout,
                       LoopReturnWhen return_when);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopWaitResult, loop_wait_result_unref)

G_END_DECLS
