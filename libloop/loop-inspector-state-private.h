/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"

G_BEGIN_DECLS

/* What GetState tells, as it was under the hold. */
typedef struct
{
  guint64 id;
  const char *state;
  gboolean has_current;
  LoopDescription current;
  double seconds;
  gboolean debug;
  double slow_callback_duration;
  guint64 generation;
} LoopStateSnapshot;

G_GNUC_INTERNAL
void loop_state_snapshot_take (LoopStateSnapshot *self, LoopEventLoop *loop);
G_GNUC_INTERNAL
GVariant *loop_state_snapshot_to_variant (const LoopStateSnapshot *self);

/* What GetMetrics tells, as it was under the hold. */
typedef struct
{
  LoopMetrics metrics;
  guint64 n_futures;
  guint64 n_tasks;
  guint64 n_jobs;
  guint64 n_transports;
  guint64 n_servers;
  guint64 n_subprocesses;
} LoopMetricsSnapshot;

G_GNUC_INTERNAL
void loop_metrics_snapshot_take (LoopMetricsSnapshot *self, LoopEventLoop *loop);
G_GNUC_INTERNAL
GVariant *loop_metrics_snapshot_to_variant (const LoopMetricsSnapshot *self);

G_END_DECLS
