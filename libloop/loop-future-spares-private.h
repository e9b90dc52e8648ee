/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-future-private.h"

G_BEGIN_DECLS

#define LOOP_MAX_SPARE_FUTURES 64

/* Futures of one class and one loop, to be used again. The loop thread's alone. */
struct _LoopFutureSpares
{
  LoopFuture *futures[LOOP_MAX_SPARE_FUTURES];
  guint length;
};

G_GNUC_INTERNAL
LoopFuture *loop_future_spares_take (LoopFutureSpares *self);
G_GNUC_INTERNAL
void loop_future_spares_clear (LoopFutureSpares *self);
G_GNUC_INTERNAL
LoopFutureSpares *loop_future_get_plain_spares (LoopEventLoop *loop);
G_GNUC_INTERNAL
LoopFutureSpares *loop_future_get_spare_reads (LoopEventLoop *loop);

G_END_DECLS
