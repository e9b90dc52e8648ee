/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-buffered-protocol.h"
#include "loop-protocol-vtable-private.h"

typedef LoopVtableProtocol LoopVtableBufferedProtocol;
typedef LoopVtableProtocolClass LoopVtableBufferedProtocolClass;

static GType loop_vtable_buffered_protocol_get_type (void);
static void loop_vtable_buffered_protocol_iface_init (LoopBufferedProtocolInterface *iface);

/* Its table begins with that of its parent. */
G_DEFINE_FINAL_TYPE_WITH_CODE (LoopVtableBufferedProtocol,
                               loop_vtable_buffered_protocol,
                               LOOP_TYPE_VTABLE_PROTOCOL,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_BUFFERED_PROTOCOL,
                                                      loop_vtable_buffered_protocol_iface_init))

static void
loop_vtable_buffered_protocol_class_init (LoopVtableBufferedProtocolClass *klass)
{
}

static void
loop_vtable_buffered_protocol_init (LoopVtableBufferedProtocol *self)
{
}

static gsize
vtable_get_buffer (LoopBufferedProtocol *protocol, gssize sizehint, gpointer *buffer, GError **error)
{
  LoopVtableProtocol *self = (LoopVtableProtocol *) protocol;
  const LoopBufferedProtocolVTable *vtable = (const LoopBufferedProtocolVTable *) self->vtable;

  return vtable->get_buffer (self->transport, sizehint, buffer, self->user_data, error);
}

static void
vtable_buffer_updated (LoopBufferedProtocol *protocol, gsize n_bytes)
{
  LoopVtableProtocol *self = (LoopVtableProtocol *) protocol;
  const LoopBufferedProtocolVTable *vtable = (const LoopBufferedProtocolVTable *) self->vtable;

  if (vtable->buffer_updated != NULL)
    vtable->buffer_updated (self->transport, n_bytes, self->user_data);
}

static void
loop_vtable_buffered_protocol_iface_init (LoopBufferedProtocolInterface *iface)
{
  iface->get_buffer = vtable_get_buffer;
  iface->buffer_updated = vtable_buffer_updated;
}

/**
 * loop_buffered_protocol_new: (skip)
 * @vtable: the functions, which have to stay valid: a static structure
 * @user_data: data for the functions
 * @notify: (nullable): frees @user_data together with the protocol
 *
 * Makes a buffered protocol of plain functions, for C. Use it for one connection at a time.
 *
 * Returns: (transfer full): the protocol
 */
LoopBufferedProtocol *
loop_buffered_protocol_new (const LoopBufferedProtocolVTable *vtable, gpointer user_data, GDestroyNotify notify)
{
  g_return_val_if_fail (vtable != NULL, NULL);
  g_return_val_if_fail (vtable->get_buffer != NULL, NULL);

  return loop_vtable_protocol_new (loop_vtable_buffered_protocol_get_type (), &vtable->base, user_data, notify);
}
