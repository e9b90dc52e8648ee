/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-task.h>

G_BEGIN_DECLS

#define LOOP_TYPE_TASK_GROUP (loop_task_group_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopTaskGroup, loop_task_group, LOOP, TASK_GROUP, GObject)

LOOP_AVAILABLE_IN_1_0
LoopTaskGroup *loop_task_group_new (LoopEventLoop *loop);
LOOP_AVAILABLE_IN_1_0
LoopTask *loop_task_group_create_task (LoopTaskGroup *self, LoopCoroutine *coroutine, GError **error);
LOOP_AVAILABLE_IN_1_0
LoopTask *loop_task_group_spawn (LoopTaskGroup *self, LoopFiberFunc func, gpointer user_data, GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
GPtrArray *loop_task_group_get_errors (LoopTaskGroup *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_task_group_exit (LoopTaskGroup *self, GError **error);

G_END_DECLS
