/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

/**
 * LOOP_FOREIGN_ERROR:
 *
 * Error domain for exceptions of another language. The code of an error is that of its
 * [struct@ForeignException], which the error and all of its copies keep.
 */
#define LOOP_FOREIGN_ERROR (loop_foreign_exception_get_domain ())

typedef struct _LoopForeignException LoopForeignException;

#define LOOP_TYPE_FOREIGN_EXCEPTION (loop_foreign_exception_get_type ())

LOOP_AVAILABLE_IN_1_0
GType loop_foreign_exception_get_type (void) G_GNUC_CONST;

LOOP_AVAILABLE_IN_1_0
GQuark loop_foreign_exception_get_domain (void);
LOOP_AVAILABLE_IN_1_0
LoopForeignException *loop_foreign_exception_new (const GValue *value);
LOOP_AVAILABLE_IN_1_0
LoopForeignException *loop_foreign_exception_lookup (int code);
LOOP_AVAILABLE_IN_1_0
LoopForeignException *loop_foreign_exception_ref (LoopForeignException *self);
LOOP_AVAILABLE_IN_1_0
void loop_foreign_exception_unref (LoopForeignException *self);

LOOP_AVAILABLE_IN_1_0
int loop_foreign_exception_get_code (LoopForeignException *self);
LOOP_AVAILABLE_IN_1_0
void loop_foreign_exception_get_value (LoopForeignException *self, GValue *value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopForeignException, loop_foreign_exception_unref)

G_END_DECLS
