/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host-service.h"

CtlService *
ctl_service_new (CtlHost *host)
{
  CtlService *self = g_new0 (CtlService, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->host = host;

  return self;
}

void
ctl_service_unref (gpointer data)
{
  CtlService *self = data;

  if (g_atomic_ref_count_dec (&self->ref_count))
    g_free (self);
}

void
ctl_service_connected (CtlService *self, LoopTransport *transport)
{
  self->transport = transport;
  self->id = loop_transport_get_id (transport);
  ctl_host_add_connection (self->host, transport, 0);
}

void
ctl_service_lost (CtlService *self)
{
  self->transport = NULL;
  ctl_host_remove_connection (self->host, self->id);
}

static void
resume (gpointer user_data)
{
  CtlService *self = user_data;

  if (self->transport != NULL)
    loop_transport_resume_reading (self->transport);
}

/* A peer is faster than a terminal. */
void
ctl_service_print (CtlService *self, const char *from, const guint8 *data, gsize length)
{
  g_atomic_ref_count_inc (&self->ref_count);
  if (ctl_host_print_received (self->host, self->id, from, data, length, resume, self, ctl_service_unref))
    loop_transport_pause_reading (self->transport);
}
