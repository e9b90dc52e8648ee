/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-executor.h>

G_BEGIN_DECLS

/**
 * LoopProcessFunc:
 * @parameters: what the job was submitted with
 * @user_data: the data that the function was registered with
 * @error: return location for an error
 *
 * A function that is run in a worker process of a [class@ProcessPoolExecutor]. It has a copy
 * of the memory of the parent as it was when the zygote was forked; what it changes there, it
 * and the jobs after it in the same worker see, and nobody else.
 *
 * Returns: (transfer full): the result, or %NULL with @error set; a floating reference is taken
 */
typedef GVariant *(*LoopProcessFunc) (GVariant *parameters, gpointer user_data, GError **error);

#define LOOP_TYPE_PROCESS_POOL_EXECUTOR (loop_process_pool_executor_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopProcessPoolExecutor, loop_process_pool_executor, LOOP, PROCESS_POOL_EXECUTOR, GObject)

LOOP_AVAILABLE_IN_1_0
gboolean loop_process_pool_executor_register (const char *name,
                                              const GVariantType *parameter_type,
                                              LoopProcessFunc func,
                                              gpointer user_data,
                                              GDestroyNotify notify,
                                              GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_process_pool_executor_start_zygote (GError **error);

LOOP_AVAILABLE_IN_1_0
LoopProcessPoolExecutor *loop_process_pool_executor_new (guint max_workers, GError **error);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_process_pool_executor_submit (LoopProcessPoolExecutor *self,
                                               LoopEventLoop *loop,
                                               const char *function,
                                               GVariant *parameters);
LOOP_AVAILABLE_IN_1_0
guint loop_process_pool_executor_get_max_workers (LoopProcessPoolExecutor *self);
LOOP_AVAILABLE_IN_1_0
guint loop_process_pool_executor_get_n_workers (LoopProcessPoolExecutor *self);
LOOP_AVAILABLE_IN_1_0
guint loop_process_pool_executor_get_n_idle (LoopProcessPoolExecutor *self);
LOOP_AVAILABLE_IN_1_0
guint loop_process_pool_executor_get_queue_depth (LoopProcessPoolExecutor *self);

G_END_DECLS
