/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"

G_BEGIN_DECLS

/* What ran when a future was cancelled. All that it points to lives for ever; g_free() frees it. */
typedef struct
{
  guint64 id;
  const char *kind; /* "task", "timer" and so on */
  const char *name; /* or NULL for that of the function */
  gpointer function;
} LoopCanceller;

G_GNUC_INTERNAL
LoopCanceller *loop_canceller_new (LoopEventLoop *loop);

G_END_DECLS
