/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_TIMER_HANDLE (loop_timer_handle_get_type ())

LOOP_AVAILABLE_IN_1_0
GType loop_timer_handle_get_type (void) G_GNUC_CONST;

LOOP_AVAILABLE_IN_1_0
LoopTimerHandle *loop_timer_handle_ref (LoopTimerHandle *self);
LOOP_AVAILABLE_IN_1_0
void loop_timer_handle_unref (LoopTimerHandle *self);

LOOP_AVAILABLE_IN_1_0
void loop_timer_handle_cancel (LoopTimerHandle *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_timer_handle_cancelled (LoopTimerHandle *self);
LOOP_AVAILABLE_IN_1_0
double loop_timer_handle_when (LoopTimerHandle *self);

LOOP_AVAILABLE_IN_1_0
guint64 loop_timer_handle_get_id (LoopTimerHandle *self);
LOOP_AVAILABLE_IN_1_0
void loop_timer_handle_set_name (LoopTimerHandle *self, const char *name);
LOOP_AVAILABLE_IN_1_0
const char *loop_timer_handle_get_name (LoopTimerHandle *self);
LOOP_AVAILABLE_IN_1_0
char *loop_timer_handle_describe (LoopTimerHandle *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopTimerHandle, loop_timer_handle_unref)

G_END_DECLS
