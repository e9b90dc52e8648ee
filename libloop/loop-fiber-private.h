/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"
#include "loop-fiber.h"

G_BEGIN_DECLS

G_GNUC_INTERNAL
gboolean loop_fiber_is_closing (LoopFiber *self);

G_END_DECLS
