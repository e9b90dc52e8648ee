/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-check.h"

#include "loop-inspector-state-private.h"

G_BEGIN_DECLS

/* Asserts what an inspector is told: how many bytes have gone over the loop's transports, those that are gone too. */
static inline void
metrics_assert_moved (LoopEventLoop *loop, guint64 n_received, guint64 n_sent)
{
  LoopMetricsSnapshot snapshot;

  ck_assert (loop_guard_hold (&loop->guard, G_USEC_PER_SEC));
  loop_metrics_snapshot_take (&snapshot, loop);
  loop_guard_release (&loop->guard);
  ck_assert_uint_eq (snapshot.metrics.n_received, n_received);
  ck_assert_uint_eq (snapshot.metrics.n_sent, n_sent);
}

G_END_DECLS
