/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-fiber.h>

G_BEGIN_DECLS

#define LOOP_TYPE_TASK (loop_task_get_type ())

LOOP_DECLARE_OPAQUE_TYPE (LoopTask, loop_task, LOOP, TASK, LoopFuture)

/**
 * LoopTaskFactory:
 * @loop: the event loop
 * @coroutine: the coroutine to drive
 * @user_data: the data given with the factory
 *
 * Makes the tasks of a loop. See [method@EventLoop.set_task_factory].
 *
 * Returns: (transfer full): a task, such as one from [ctor@Task.new]
 */
typedef LoopTask *(*LoopTaskFactory) (LoopEventLoop *loop, LoopCoroutine *coroutine, gpointer user_data);

LOOP_AVAILABLE_IN_1_0
LoopTask *loop_event_loop_create_task (LoopEventLoop *self, LoopCoroutine *coroutine);
LOOP_AVAILABLE_IN_1_0
LoopTask *loop_event_loop_spawn (LoopEventLoop *self, LoopFiberFunc func, gpointer user_data, GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
void loop_event_loop_set_task_factory (LoopEventLoop *self,
                                       LoopTaskFactory factory,
                                       gpointer user_data,
                                       GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
LoopTaskFactory loop_event_loop_get_task_factory (LoopEventLoop *self, gpointer *user_data);
LOOP_AVAILABLE_IN_1_0
LoopTask *loop_event_loop_get_current_task (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
GPtrArray *loop_event_loop_all_tasks (LoopEventLoop *self);

LOOP_AVAILABLE_IN_1_0
LoopTask *loop_task_new (LoopEventLoop *loop, LoopCoroutine *coroutine);
LOOP_AVAILABLE_IN_1_0
LoopCoroutine *loop_task_get_coroutine (LoopTask *self);
LOOP_AVAILABLE_IN_1_0
const char *loop_task_get_name (LoopTask *self);
LOOP_AVAILABLE_IN_1_0
void loop_task_set_name (LoopTask *self, const char *name);
LOOP_AVAILABLE_IN_1_0
guint loop_task_cancelling (LoopTask *self);
LOOP_AVAILABLE_IN_1_0
guint loop_task_uncancel (LoopTask *self);

G_END_DECLS
