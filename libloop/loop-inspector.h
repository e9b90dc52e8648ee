/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_INSPECTOR (loop_inspector_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopInspector, loop_inspector, LOOP, INSPECTOR, GObject)

/**
 * LoopInspectorAccess:
 * @LOOP_INSPECTOR_ACCESS_READ: clients may look
 * @LOOP_INSPECTOR_ACCESS_CONTROL: clients may also cancel, close, stop and change settings
 *
 * What the clients of an inspector may do.
 */
typedef enum
{
  LOOP_INSPECTOR_ACCESS_READ,
  LOOP_INSPECTOR_ACCESS_CONTROL,
} LoopInspectorAccess;

LOOP_AVAILABLE_IN_1_0
GType loop_inspector_access_get_type (void) G_GNUC_CONST;

#define LOOP_TYPE_INSPECTOR_ACCESS (loop_inspector_access_get_type ())

/**
 * LoopInspectorMethodFunc: (skip)
 * @loop_id: the id of the loop on whose object the method was called
 * @invocation: (transfer full): the call, to be answered
 * @user_data: the data given with the interface
 *
 * Answers a method of an interface that was added to the inspector. It is called on the
 * inspector's thread, and must not block.
 *
 * The loop was open a moment ago. Whoever needs the loop itself has to have a reference:
 * one that the inspector took might become the last, and the loop be closed on its thread.
 */
typedef void (*LoopInspectorMethodFunc) (guint64 loop_id, GDBusMethodInvocation *invocation, gpointer user_data);

LOOP_AVAILABLE_IN_1_0
LoopInspector *loop_inspector_start (LoopInspectorAccess access, GError **error);
LOOP_AVAILABLE_IN_1_0
void loop_inspector_stop (LoopInspector *self);
LOOP_AVAILABLE_IN_1_0
const char *loop_inspector_get_path (LoopInspector *self);
LOOP_AVAILABLE_IN_1_0
LoopInspectorAccess loop_inspector_get_access (LoopInspector *self);
LOOP_AVAILABLE_IN_1_0
void loop_inspector_add_interface (LoopInspector *self,
                                   GDBusInterfaceInfo *info,
                                   LoopInspectorMethodFunc method,
                                   gpointer user_data,
                                   GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
GVariant *loop_inspector_dup_state (LoopInspector *self, LoopEventLoop *loop);

G_END_DECLS
