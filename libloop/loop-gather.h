/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_gather (LoopEventLoop *loop, LoopFuture *const *futures, gsize n_futures, gboolean return_exceptions);

G_END_DECLS
