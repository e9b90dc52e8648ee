/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"
#include "loop-protocol.h"

G_BEGIN_DECLS

#define LOOP_TYPE_VTABLE_PROTOCOL (loop_vtable_protocol_get_type ())

typedef struct _LoopVtableProtocol LoopVtableProtocol;

/* A protocol of plain functions. */
struct _LoopVtableProtocol
{
  GObject parent_instance;

  const LoopProtocolVTable *vtable;
  const char *name; /* static, or NULL */
  gpointer user_data;
  GDestroyNotify notify;
  LoopTransport *transport; /* between connection_made and connection_lost, when it outlives us */
};

typedef struct
{
  GObjectClass parent_class;
} LoopVtableProtocolClass;

G_GNUC_INTERNAL
GType loop_vtable_protocol_get_type (void) G_GNUC_CONST;
G_GNUC_INTERNAL
gpointer loop_vtable_protocol_new (GType type,
                                   const LoopProtocolVTable *vtable,
                                   gpointer user_data,
                                   GDestroyNotify notify);
G_GNUC_INTERNAL
void loop_vtable_protocol_release (GObject *protocol, LoopEventLoop *loop);
G_GNUC_INTERNAL
gpointer loop_vtable_protocol_get_function (GObject *protocol);
G_GNUC_INTERNAL
const char *loop_vtable_protocol_get_name (GObject *protocol);

G_END_DECLS
