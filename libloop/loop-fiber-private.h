/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"
#include "loop-fiber.h"

G_BEGIN_DECLS

/* For an inspector. The stack may be that of another fiber by the time it is looked at. */
typedef struct
{
  const char *state;
  gpointer function;
  gconstpointer stack_bottom; /* or NULL: it has none */
  gsize stack_size;
} LoopFiberDescription;

G_GNUC_INTERNAL
void loop_fiber_describe (LoopFiber *self, LoopFiberDescription *description);
G_GNUC_INTERNAL
gboolean loop_fiber_is_closing (LoopFiber *self);

G_END_DECLS
