/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host-service.h"

#include <glib/gi18n.h>
#include <gmodule.h>
#include <inttypes.h>

/* The endpoints of a host: what it does with datagrams. */

static void
endpoint_connection_made (LoopDatagramTransport *transport, gpointer user_data)
{
  ctl_service_connected (user_data, LOOP_TRANSPORT (transport));
}

static void
endpoint_connection_lost (LoopDatagramTransport *transport, const GError *exception, gpointer user_data)
{
  ctl_service_lost (user_data);
}

static void
endpoint_error_received (LoopDatagramTransport *transport, const GError *exception, gpointer user_data)
{
  CtlService *self = user_data;
  g_autofree char *text = g_strdup_printf (_ ("#%" PRIu64 " error: %s"), self->id, exception->message);

  ctl_host_print (self->host, text);
}

G_MODULE_EXPORT void
echo_datagram_received (LoopDatagramTransport *transport,
                        const guint8 *data,
                        gsize length,
                        GSocketAddress *address,
                        gpointer user_data)
{
  loop_datagram_transport_sendto (transport, data, length, address, NULL);
}

static void
echo_pause_writing (LoopDatagramTransport *transport, gpointer user_data)
{
  loop_transport_pause_reading (LOOP_TRANSPORT (transport));
}

static void
echo_resume_writing (LoopDatagramTransport *transport, gpointer user_data)
{
  loop_transport_resume_reading (LOOP_TRANSPORT (transport));
}

static const LoopDatagramProtocolVTable echo = {
  .connection_made = endpoint_connection_made,
  .connection_lost = endpoint_connection_lost,
  .datagram_received = echo_datagram_received,
  .pause_writing = echo_pause_writing,
  .resume_writing = echo_resume_writing,
};

G_MODULE_EXPORT void
discard_datagram_received (LoopDatagramTransport *transport,
                           const guint8 *data,
                           gsize length,
                           GSocketAddress *address,
                           gpointer user_data)
{
}

static const LoopDatagramProtocolVTable discard = {
  .connection_made = endpoint_connection_made,
  .connection_lost = endpoint_connection_lost,
  .datagram_received = discard_datagram_received,
};

G_MODULE_EXPORT void
print_datagram_received (LoopDatagramTransport *transport,
                         const guint8 *data,
                         gsize length,
                         GSocketAddress *address,
                         gpointer user_data)
{
  g_autofree char *sender =
      address != NULL ? g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address)) : g_strdup ("");
  g_autofree char *from = g_strdup_printf ("%s%s", *sender != '\0' ? " " : "", sender);

  ctl_service_print (user_data, from, data, length);
}

static const LoopDatagramProtocolVTable print = {
  .connection_made = endpoint_connection_made,
  .connection_lost = endpoint_connection_lost,
  .datagram_received = print_datagram_received,
  .error_received = endpoint_error_received,
};

static GObject *
new_protocol (const LoopDatagramProtocolVTable *vtable, CtlHost *host)
{
  return G_OBJECT (loop_datagram_protocol_new (vtable, ctl_service_new (host), ctl_service_unref));
}

static GObject *
new_echo (gpointer host)
{
  return new_protocol (&echo, host);
}

static GObject *
new_discard (gpointer host)
{
  return new_protocol (&discard, host);
}

static GObject *
new_print (gpointer host)
{
  return new_protocol (&print, host);
}

/* As ctl_service_find(). */
LoopProtocolFactory
ctl_datagram_service_find (const char *name, GError **error)
{
  if (g_str_equal (name, "echo"))
    return new_echo;
  if (g_str_equal (name, "discard"))
    return new_discard;
  if (g_str_equal (name, "print"))
    return new_print;

  ctl_service_find (name, FALSE, error);

  return NULL;
}
