/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _LoopFiberStackChunk LoopFiberStackChunk;

/*
 * A stack for a fiber. Its lowest pages are a guard: touching them ends the process with
 * a message that says so.
 */
typedef struct _LoopFiberStack LoopFiberStack;
struct _LoopFiberStack
{
  LoopFiberStackChunk *chunk;
  LoopFiberStack *next_free;
  char *bottom; /* above the guard */
  char *top;
  gboolean is_guarded; /* by the kernel; otherwise by a mark that is looked at */
  gboolean is_warm;    /* free, with the memory of whoever had it */
  guint valgrind_id;
};

G_GNUC_INTERNAL
LoopFiberStack *loop_fiber_stack_take (GError **error);
G_GNUC_INTERNAL
void loop_fiber_stack_give_back (LoopFiberStack *self);
G_GNUC_INTERNAL
void loop_fiber_stack_trim (void);
G_GNUC_INTERNAL
const char *loop_fiber_stack_get_usable (const LoopFiberStack *self, gsize *size);
G_GNUC_INTERNAL
gsize loop_fiber_stack_measure (gconstpointer bottom, gsize size);
G_GNUC_INTERNAL
gsize loop_fiber_stack_get_high_water_mark (const LoopFiberStack *self);
G_GNUC_INTERNAL
gboolean loop_fiber_stack_has_overflowed (const LoopFiberStack *self);
G_GNUC_INTERNAL
gboolean loop_fiber_stack_guards (const LoopFiberStack *self, gconstpointer address);
G_GNUC_INTERNAL
void loop_fiber_stack_set_size (gsize size);
G_GNUC_INTERNAL
gsize loop_fiber_stack_get_size (void);

G_END_DECLS
