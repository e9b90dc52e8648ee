/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

#define LOOP_TYPE_EVENT (loop_event_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopEvent, loop_event, LOOP, EVENT, GObject)

LOOP_AVAILABLE_IN_1_0
LoopEvent *loop_event_new (LoopEventLoop *loop);
LOOP_AVAILABLE_IN_1_0
void loop_event_set (LoopEvent *self);
LOOP_AVAILABLE_IN_1_0
void loop_event_clear (LoopEvent *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_is_set (LoopEvent *self);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_wait (LoopEvent *self);

G_END_DECLS
