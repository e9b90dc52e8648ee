/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_HANDLE (loop_handle_get_type ())

LOOP_AVAILABLE_IN_1_0
GType loop_handle_get_type (void) G_GNUC_CONST;

LOOP_AVAILABLE_IN_1_0
LoopHandle *loop_handle_ref (LoopHandle *self);
LOOP_AVAILABLE_IN_1_0
void loop_handle_unref (LoopHandle *self);

LOOP_AVAILABLE_IN_1_0
void loop_handle_cancel (LoopHandle *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_handle_cancelled (LoopHandle *self);

LOOP_AVAILABLE_IN_1_0
guint64 loop_handle_get_id (LoopHandle *self);
LOOP_AVAILABLE_IN_1_0
void loop_handle_set_name (LoopHandle *self, const char *name);
LOOP_AVAILABLE_IN_1_0
void loop_handle_set_static_name (LoopHandle *self, const char *name);
LOOP_AVAILABLE_IN_1_0
const char *loop_handle_get_name (LoopHandle *self);
LOOP_AVAILABLE_IN_1_0
char *loop_handle_describe (LoopHandle *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopHandle, loop_handle_unref)

G_END_DECLS
