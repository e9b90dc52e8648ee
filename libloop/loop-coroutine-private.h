/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-coroutine.h"

G_BEGIN_DECLS

/* As loop_coroutine_send(), for who looked up @iface before: that takes as long as the rest of it. */
G_GNUC_INTERNAL
LoopCoroutineStatus loop_coroutine_send_through (LoopCoroutineInterface *iface,
                                                 LoopCoroutine *self,
                                                 LoopFuture **awaited,
                                                 GValue *result,
                                                 GError **error);

G_END_DECLS
