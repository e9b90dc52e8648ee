/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-datagram-transport-private.h"

#define LOOP_TYPE_DATAGRAM_VTABLE_PROTOCOL (loop_datagram_vtable_protocol_get_type ())
G_DECLARE_FINAL_TYPE (LoopDatagramVtableProtocol,
                      loop_datagram_vtable_protocol,
                      LOOP,
                      DATAGRAM_VTABLE_PROTOCOL,
                      GObject)

/* A protocol of plain functions. */
struct _LoopDatagramVtableProtocol
{
  GObject parent_instance;

  const LoopDatagramProtocolVTable *vtable;
  gpointer user_data;
  GDestroyNotify notify;
  LoopDatagramTransport *transport; /* between connection_made and connection_lost, when it outlives us */
};

static void loop_datagram_vtable_protocol_iface_init (LoopDatagramProtocolInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LoopDatagramVtableProtocol,
                               loop_datagram_vtable_protocol,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_DATAGRAM_PROTOCOL,
                                                      loop_datagram_vtable_protocol_iface_init))

static void
loop_datagram_vtable_protocol_finalize (GObject *object)
{
  LoopDatagramVtableProtocol *self = (LoopDatagramVtableProtocol *) object;

  if (self->notify != NULL)
    self->notify (self->user_data);

  G_OBJECT_CLASS (loop_datagram_vtable_protocol_parent_class)->finalize (object);
}

static void
loop_datagram_vtable_protocol_class_init (LoopDatagramVtableProtocolClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_datagram_vtable_protocol_finalize;
}

static void
loop_datagram_vtable_protocol_init (LoopDatagramVtableProtocol *self)
{
}

static void
vtable_connection_made (LoopDatagramProtocol *protocol, LoopDatagramTransport *transport)
{
  LoopDatagramVtableProtocol *self = (LoopDatagramVtableProtocol *) protocol;

  self->transport = transport;
  if (self->vtable->connection_made != NULL)
    self->vtable->connection_made (self->transport, self->user_data);
}

static void
vtable_connection_lost (LoopDatagramProtocol *protocol, const GError *exception)
{
  LoopDatagramVtableProtocol *self = (LoopDatagramVtableProtocol *) protocol;

  if (self->vtable->connection_lost != NULL)
    self->vtable->connection_lost (self->transport, exception, self->user_data);
  self->transport = NULL;
}

static void
vtable_pause_writing (LoopDatagramProtocol *protocol)
{
  LoopDatagramVtableProtocol *self = (LoopDatagramVtableProtocol *) protocol;

  if (self->vtable->pause_writing != NULL)
    self->vtable->pause_writing (self->transport, self->user_data);
}

static void
vtable_resume_writing (LoopDatagramProtocol *protocol)
{
  LoopDatagramVtableProtocol *self = (LoopDatagramVtableProtocol *) protocol;

  if (self->vtable->resume_writing != NULL)
    self->vtable->resume_writing (self->transport, self->user_data);
}

static void
vtable_datagram_received (LoopDatagramProtocol *protocol, const guint8 *data, gsize length, GSocketAddress *addr)
{
  LoopDatagramVtableProtocol *self = (LoopDatagramVtableProtocol *) protocol;

  if (self->vtable->datagram_received != NULL)
    self->vtable->datagram_received (self->transport, data, length, addr, self->user_data);
}

static void
vtable_error_received (LoopDatagramProtocol *protocol, const GError *exception)
{
  LoopDatagramVtableProtocol *self = (LoopDatagramVtableProtocol *) protocol;

  if (self->vtable->error_received != NULL)
    self->vtable->error_received (self->transport, exception, self->user_data);
}

static void
loop_datagram_vtable_protocol_iface_init (LoopDatagramProtocolInterface *iface)
{
  iface->connection_made = vtable_connection_made;
  iface->connection_lost = vtable_connection_lost;
  iface->pause_writing = vtable_pause_writing;
  iface->resume_writing = vtable_resume_writing;
  iface->datagram_received = vtable_datagram_received;
  iface->error_received = vtable_error_received;
}

gpointer
loop_datagram_vtable_protocol_get_function (GObject *protocol)
{
  if (G_OBJECT_TYPE (protocol) != LOOP_TYPE_DATAGRAM_VTABLE_PROTOCOL)
    return NULL;

  return (gpointer) ((LoopDatagramVtableProtocol *) protocol)->vtable->datagram_received;
}

/**
 * loop_datagram_protocol_new: (skip)
 * @vtable: the functions, which have to stay valid: a static structure
 * @user_data: data for the functions
 * @notify: (nullable): frees @user_data together with the protocol
 *
 * Makes a protocol of plain functions, for C. Use it for one endpoint at a time.
 *
 * Returns: (transfer full): the protocol
 */
LoopDatagramProtocol *
loop_datagram_protocol_new (const LoopDatagramProtocolVTable *vtable, gpointer user_data, GDestroyNotify notify)
{
  LoopDatagramVtableProtocol *self;

  g_return_val_if_fail (vtable != NULL, NULL);

  self = g_object_new (LOOP_TYPE_DATAGRAM_VTABLE_PROTOCOL, NULL);
  self->vtable = vtable;
  self->user_data = user_data;
  self->notify = notify;

  return LOOP_DATAGRAM_PROTOCOL (self);
}
