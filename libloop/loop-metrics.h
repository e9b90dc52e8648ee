/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_METRICS (loop_metrics_get_type ())

LOOP_AVAILABLE_IN_1_0
GType loop_metrics_get_type (void) G_GNUC_CONST;

LOOP_AVAILABLE_IN_1_0
LoopMetrics *loop_metrics_copy (const LoopMetrics *self);
LOOP_AVAILABLE_IN_1_0
void loop_metrics_free (LoopMetrics *self);

LOOP_AVAILABLE_IN_1_0
guint64 loop_metrics_get_iterations (const LoopMetrics *self);
LOOP_AVAILABLE_IN_1_0
guint64 loop_metrics_get_callbacks (const LoopMetrics *self);
LOOP_AVAILABLE_IN_1_0
double loop_metrics_get_busy_time (const LoopMetrics *self);
LOOP_AVAILABLE_IN_1_0
double loop_metrics_get_poll_time (const LoopMetrics *self);
LOOP_AVAILABLE_IN_1_0
double loop_metrics_get_lag (const LoopMetrics *self, double quantile);
LOOP_AVAILABLE_IN_1_0
double loop_metrics_get_duration (const LoopMetrics *self, double quantile);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopMetrics, loop_metrics_free)

G_END_DECLS
