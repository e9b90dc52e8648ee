/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-executor-job-private.h"
#include "loop-thread-pool-executor.h"

G_BEGIN_DECLS

G_GNUC_INTERNAL
LoopFuture *loop_thread_pool_executor_shutdown_async (LoopThreadPoolExecutor *self,
                                                      LoopEventLoop *loop,
                                                      const char *name);
G_GNUC_INTERNAL
void loop_thread_pool_executor_describe (LoopThreadPoolExecutor *self, LoopExecutorDescription *description);
G_GNUC_INTERNAL
void loop_thread_pool_executor_join (LoopThreadPoolExecutor *self);

G_END_DECLS
