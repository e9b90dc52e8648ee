/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_TIMEOUT (loop_timeout_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopTimeout, loop_timeout, LOOP, TIMEOUT, GObject)

LOOP_AVAILABLE_IN_1_0
LoopTimeout *loop_timeout (LoopEventLoop *loop, double delay);
LOOP_AVAILABLE_IN_1_0
LoopTimeout *loop_timeout_at (LoopEventLoop *loop, double when);
LOOP_AVAILABLE_IN_1_0
double loop_timeout_when (LoopTimeout *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_timeout_expired (LoopTimeout *self);
LOOP_AVAILABLE_IN_1_0
void loop_timeout_reschedule (LoopTimeout *self, double when);
LOOP_AVAILABLE_IN_1_0
gboolean loop_timeout_exit (LoopTimeout *self, GError **error);

G_END_DECLS
