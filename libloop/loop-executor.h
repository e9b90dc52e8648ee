/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

/**
 * LoopExecutorFunc:
 * @result: (out caller-allocates): return location for the result, uninitialised: to be
 *   initialised and set, or left alone
 * @user_data: the data given with the function
 * @error: return location for an error
 *
 * A job of an executor. It runs in a thread of the executor, and so must not use the loop,
 * but for [method@EventLoop.call_soon_threadsafe].
 *
 * Returns: %TRUE, or %FALSE with @error set
 */
typedef gboolean (*LoopExecutorFunc) (GValue *result, gpointer user_data, GError **error);

#define LOOP_TYPE_EXECUTOR (loop_executor_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_INTERFACE (LoopExecutor, loop_executor, LOOP, EXECUTOR, GObject)

/**
 * LoopExecutorInterface:
 * @g_iface: the parent interface
 * @submit: has a function run, and returns the future of its result. It is called on the
 *   loop's thread, and only with a loop that is open
 * @shutdown: takes no more functions
 *
 * What an executor has to be able to do. See the methods of [iface@Executor].
 */
struct _LoopExecutorInterface
{
  GTypeInterface g_iface;

  LoopFuture *(*submit) (LoopExecutor *self,
                         LoopEventLoop *loop,
                         LoopExecutorFunc func,
                         gpointer user_data,
                         GDestroyNotify notify);
  void (*shutdown) (LoopExecutor *self, gboolean wait, gboolean cancel_futures);

  /*< private >*/
  gpointer padding[8];
};

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_executor_submit (LoopExecutor *self,
                                  LoopEventLoop *loop,
                                  LoopExecutorFunc func,
                                  gpointer user_data,
                                  GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
void loop_executor_shutdown (LoopExecutor *self, gboolean wait, gboolean cancel_futures);

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_run_in_executor (LoopEventLoop *self,
                                             LoopExecutor *executor,
                                             LoopExecutorFunc func,
                                             gpointer user_data,
                                             GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
void loop_event_loop_set_default_executor (LoopEventLoop *self, LoopExecutor *executor);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_shutdown_default_executor (LoopEventLoop *self, double timeout);

G_END_DECLS
