/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The switch from one stack to another, and nothing else: without GLib, so that it can be
 * tried on a processor for which there is no GLib at hand.
 */

/* Where a stack was left: what must be kept across a call lies on the stack itself. */
typedef void *LoopFiberContext;

typedef void (*LoopFiberEntry) (void *data);

/*
 * Makes a context of a stack that ends at @top. Switched to for the first time, it calls
 * @entry with @data, which must never return.
 */
__attribute__ ((visibility ("hidden"))) LoopFiberContext loop_fiber_prepare (void *bottom,
                                                                             void *top,
                                                                             LoopFiberEntry entry,
                                                                             void *data);

/* Leaves the current stack, stores in @from where to go on with it, and goes on with @to. */
__attribute__ ((visibility ("hidden"))) void loop_fiber_switch (LoopFiberContext *from, LoopFiberContext to);
