/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-fiber-stack-private.h"

G_BEGIN_DECLS

/*
 * Has a stack overflow on the calling thread reported as such before it ends the process.
 * Once per thread; more often does no harm.
 */
G_GNUC_INTERNAL
void loop_fiber_watch_overflow (void);

/* The stack that the calling thread is on, and what runs there: a static string; or %NULL and %NULL. */
G_GNUC_INTERNAL
void loop_fiber_set_overflow_subject (const LoopFiberStack *stack, gpointer function);

G_END_DECLS
