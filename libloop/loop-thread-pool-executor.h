/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-executor.h>

G_BEGIN_DECLS

#define LOOP_TYPE_THREAD_POOL_EXECUTOR (loop_thread_pool_executor_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopThreadPoolExecutor, loop_thread_pool_executor, LOOP, THREAD_POOL_EXECUTOR, GObject)

LOOP_AVAILABLE_IN_1_0
LoopThreadPoolExecutor *loop_thread_pool_executor_new (guint max_workers, const char *thread_name_prefix);
LOOP_AVAILABLE_IN_1_0
guint loop_thread_pool_executor_get_max_workers (LoopThreadPoolExecutor *self);
LOOP_AVAILABLE_IN_1_0
const char *loop_thread_pool_executor_get_thread_name_prefix (LoopThreadPoolExecutor *self);
LOOP_AVAILABLE_IN_1_0
guint loop_thread_pool_executor_get_n_workers (LoopThreadPoolExecutor *self);
LOOP_AVAILABLE_IN_1_0
guint loop_thread_pool_executor_get_n_idle (LoopThreadPoolExecutor *self);
LOOP_AVAILABLE_IN_1_0
guint loop_thread_pool_executor_get_queue_depth (LoopThreadPoolExecutor *self);

G_END_DECLS
