/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-subprocess-protocol.h"

#define LOOP_TYPE_SUBPROCESS_VTABLE_PROTOCOL (loop_subprocess_vtable_protocol_get_type ())
G_DECLARE_FINAL_TYPE (LoopSubprocessVtableProtocol,
                      loop_subprocess_vtable_protocol,
                      LOOP,
                      SUBPROCESS_VTABLE_PROTOCOL,
                      GObject)

/* A protocol of plain functions. */
struct _LoopSubprocessVtableProtocol
{
  GObject parent_instance;

  const LoopSubprocessProtocolVTable *vtable;
  gpointer user_data;
  GDestroyNotify notify;
  LoopSubprocessTransport *transport; /* between connection_made and connection_lost, when it outlives us */
};

static void loop_subprocess_vtable_protocol_iface_init (LoopSubprocessProtocolInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LoopSubprocessVtableProtocol,
                               loop_subprocess_vtable_protocol,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_SUBPROCESS_PROTOCOL,
                                                      loop_subprocess_vtable_protocol_iface_init))

static void
loop_subprocess_vtable_protocol_finalize (GObject *object)
{
  LoopSubprocessVtableProtocol *self = (LoopSubprocessVtableProtocol *) object;

  if (self->notify != NULL)
    self->notify (self->user_data);

  G_OBJECT_CLASS (loop_subprocess_vtable_protocol_parent_class)->finalize (object);
}

static void
loop_subprocess_vtable_protocol_class_init (LoopSubprocessVtableProtocolClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_subprocess_vtable_protocol_finalize;
}

static void
loop_subprocess_vtable_protocol_init (LoopSubprocessVtableProtocol *self)
{
}

static void
vtable_connection_made (LoopSubprocessProtocol *protocol, LoopSubprocessTransport *transport)
{
  LoopSubprocessVtableProtocol *self = (LoopSubprocessVtableProtocol *) protocol;

  self->transport = transport;
  if (self->vtable->connection_made != NULL)
    self->vtable->connection_made (self->transport, self->user_data);
}

static void
vtable_connection_lost (LoopSubprocessProtocol *protocol, const GError *exception)
{
  LoopSubprocessVtableProtocol *self = (LoopSubprocessVtableProtocol *) protocol;

  if (self->vtable->connection_lost != NULL)
    self->vtable->connection_lost (self->transport, exception, self->user_data);
  self->transport = NULL;
}

static void
vtable_pause_writing (LoopSubprocessProtocol *protocol)
{
  LoopSubprocessVtableProtocol *self = (LoopSubprocessVtableProtocol *) protocol;

  if (self->vtable->pause_writing != NULL)
    self->vtable->pause_writing (self->transport, self->user_data);
}

static void
vtable_resume_writing (LoopSubprocessProtocol *protocol)
{
  LoopSubprocessVtableProtocol *self = (LoopSubprocessVtableProtocol *) protocol;

  if (self->vtable->resume_writing != NULL)
    self->vtable->resume_writing (self->transport, self->user_data);
}

static void
vtable_pipe_data_received (LoopSubprocessProtocol *protocol, int fd, const guint8 *data, gsize length)
{
  LoopSubprocessVtableProtocol *self = (LoopSubprocessVtableProtocol *) protocol;

  if (self->vtable->pipe_data_received != NULL)
    self->vtable->pipe_data_received (self->transport, fd, data, length, self->user_data);
}

static void
vtable_pipe_connection_lost (LoopSubprocessProtocol *protocol, int fd, const GError *exception)
{
  LoopSubprocessVtableProtocol *self = (LoopSubprocessVtableProtocol *) protocol;

  if (self->vtable->pipe_connection_lost != NULL)
    self->vtable->pipe_connection_lost (self->transport, fd, exception, self->user_data);
}

static void
vtable_process_exited (LoopSubprocessProtocol *protocol)
{
  LoopSubprocessVtableProtocol *self = (LoopSubprocessVtableProtocol *) protocol;

  if (self->vtable->process_exited != NULL)
    self->vtable->process_exited (self->transport, self->user_data);
}

static void
loop_subprocess_vtable_protocol_iface_init (LoopSubprocessProtocolInterface *iface)
{
  iface->connection_made = vtable_connection_made;
  iface->connection_lost = vtable_connection_lost;
  iface->pause_writing = vtable_pause_writing;
  iface->resume_writing = vtable_resume_writing;
  iface->pipe_data_received = vtable_pipe_data_received;
  iface->pipe_connection_lost = vtable_pipe_connection_lost;
  iface->process_exited = vtable_process_exited;
}

/**
 * loop_subprocess_protocol_new: (skip)
 * @vtable: the functions, which have to stay valid: a static structure
 * @user_data: data for the functions
 * @notify: (nullable): frees @user_data together with the protocol
 *
 * Makes a protocol of plain functions, for C. Use it for one process at a time.
 *
 * Returns: (transfer full): the protocol
 */
LoopSubprocessProtocol *
loop_subprocess_protocol_new (const LoopSubprocessProtocolVTable *vtable, gpointer user_data, GDestroyNotify notify)
{
  LoopSubprocessVtableProtocol *self;

  g_return_val_if_fail (vtable != NULL, NULL);

  self = g_object_new (LOOP_TYPE_SUBPROCESS_VTABLE_PROTOCOL, NULL);
  self->vtable = vtable;
  self->user_data = user_data;
  self->notify = notify;

  return LOOP_SUBPROCESS_PROTOCOL (self);
}
