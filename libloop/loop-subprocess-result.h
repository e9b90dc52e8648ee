/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_SUBPROCESS_RESULT (loop_subprocess_result_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopSubprocessResult, loop_subprocess_result, LOOP, SUBPROCESS_RESULT, GObject)

LOOP_AVAILABLE_IN_1_0
int loop_subprocess_result_get_returncode (LoopSubprocessResult *self);
LOOP_AVAILABLE_IN_1_0
GBytes *loop_subprocess_result_get_stdout (LoopSubprocessResult *self);
LOOP_AVAILABLE_IN_1_0
GBytes *loop_subprocess_result_get_stderr (LoopSubprocessResult *self);

G_END_DECLS
