/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host-service.h"

#include <glib/gi18n.h>
#include <gmodule.h>
#include <inttypes.h>

/* The connections of a host, by their ids, and what it does with what they receive. */

/* What can be written to. */
typedef struct
{
  LoopTransport *transport;
  gboolean is_ended; /* write_eof was called */
} Connection;

static void
connection_clear (gpointer data)
{
  Connection *self = data;

  g_object_unref (self->transport);
}

static void
connection_release (gpointer data)
{
  g_rc_box_release_full (data, connection_clear);
}

/* On the loop's thread, as all below. @alias is another id under which it is found, or 0. */
void
ctl_host_add_connection (CtlHost *self, LoopTransport *transport, guint64 alias)
{
  Connection *connection = g_rc_box_new0 (Connection);
  guint64 id = loop_transport_get_id (transport);

  if (self->connections == NULL)
    self->connections = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, connection_release);

  connection->transport = g_object_ref (transport);
  g_hash_table_insert (self->connections, g_memdup2 (&id, sizeof id), connection);
  if (alias != 0)
    g_hash_table_insert (self->connections, g_memdup2 (&alias, sizeof alias), g_rc_box_acquire (connection));
}

void
ctl_host_remove_connection (CtlHost *self, guint64 id)
{
  g_hash_table_remove (self->connections, &id);
}

static Connection *
find_connection (CtlHost *self, guint64 id, GError **error)
{
  Connection *connection = self->connections != NULL ? g_hash_table_lookup (self->connections, &id) : NULL;

  if (connection != NULL && !connection->is_ended && !loop_transport_is_closing (connection->transport))
    return connection;

  if (connection == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                 "There is no connection %" G_GUINT64_FORMAT " of this host's that can be written to", id);
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "Connection %" G_GUINT64_FORMAT " is closing, or its end was written", id);

  return NULL;
}

/* @address may be NULL: where the endpoint is connected to. Returns: how many bytes wait to be sent */
static guint64
send_datagram (LoopTransport *transport, GBytes *data, GSocketAddress *address, GError **error)
{
  gsize length;
  const guint8 *bytes = g_bytes_get_data (data, &length);

  loop_datagram_transport_sendto (LOOP_DATAGRAM_TRANSPORT (transport), bytes, length, address, error);

  return loop_transport_get_write_buffer_size (transport);
}

guint64
ctl_host_sendto (CtlHost *self, guint64 id, GSocketConnectable *address, GBytes *data, GError **error)
{
  Connection *connection = find_connection (self, id, error);
  GNetworkAddress *name = G_NETWORK_ADDRESS (address);
  g_autoptr (GSocketAddress) number = NULL;

  if (connection == NULL)
    return 0;

  number =
      g_inet_socket_address_new_from_string (g_network_address_get_hostname (name), g_network_address_get_port (name));
  if (number == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "“%s” is a name: write a numeric address",
                 g_network_address_get_hostname (name));
  else if (!LOOP_IS_DATAGRAM_TRANSPORT (connection->transport))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "Connection %" G_GUINT64_FORMAT " is not one of datagrams: write to it", id);
  else
    return send_datagram (connection->transport, data, number, error);

  return 0;
}

/* Returns: how many bytes wait to be written */
guint64
ctl_host_write (CtlHost *self, guint64 id, GBytes *data, GError **error)
{
  Connection *connection = find_connection (self, id, error);

  if (connection == NULL)
    return 0;

  if (LOOP_IS_DATAGRAM_TRANSPORT (connection->transport))
    return send_datagram (connection->transport, data, NULL, error);
  loop_transport_write_bytes (connection->transport, data);

  return loop_transport_get_write_buffer_size (connection->transport);
}

guint64
ctl_host_write_eof (CtlHost *self, guint64 id, GError **error)
{
  Connection *connection = find_connection (self, id, error);

  if (connection == NULL)
    return 0;

  if (!loop_transport_can_write_eof (connection->transport))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "The end of connection %" G_GUINT64_FORMAT " cannot be written: close it", id);
      return 0;
    }

  connection->is_ended = TRUE;
  loop_transport_write_eof (connection->transport);

  return loop_transport_get_write_buffer_size (connection->transport);
}

/* --- Services: protocols, of which each has a CtlService -------------------------------------- */

static void
service_connection_made (LoopTransport *transport, gpointer user_data)
{
  ctl_service_connected (user_data, transport);
}

static void
service_connection_lost (LoopTransport *transport, const GError *exception, gpointer user_data)
{
  ctl_service_lost (user_data);
}

G_MODULE_EXPORT void
echo_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  loop_transport_write (transport, data, length);
}

/* Who does not read what comes back is not read from either. */
static void
echo_pause_writing (LoopTransport *transport, gpointer user_data)
{
  loop_transport_pause_reading (transport);
}

static void
echo_resume_writing (LoopTransport *transport, gpointer user_data)
{
  loop_transport_resume_reading (transport);
}

static const LoopProtocolVTable echo = {
  .connection_made = service_connection_made,
  .connection_lost = service_connection_lost,
  .data_received = echo_received,
  .pause_writing = echo_pause_writing,
  .resume_writing = echo_resume_writing,
};

G_MODULE_EXPORT void
discard_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
}

static const LoopProtocolVTable discard = {
  .connection_made = service_connection_made,
  .connection_lost = service_connection_lost,
  .data_received = discard_received,
};

G_MODULE_EXPORT void
print_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  ctl_service_print (user_data, "", data, length);
}

static void
print_connection_lost (LoopTransport *transport, const GError *exception, gpointer user_data)
{
  CtlService *self = user_data;
  g_autofree char *text = exception != NULL
                              ? g_strdup_printf (_ ("#%" PRIu64 " closed: %s"), self->id, exception->message)
                              : g_strdup_printf (_ ("#%" PRIu64 " closed"), self->id);

  ctl_service_lost (self);
  ctl_host_print (self->host, text);
}

static const LoopProtocolVTable print = {
  .connection_made = service_connection_made,
  .connection_lost = print_connection_lost,
  .data_received = print_received,
};

/* Of a server: who connected is told, for nobody else says the id. */
static void
print_connection_made (LoopTransport *transport, gpointer user_data)
{
  CtlService *self = user_data;
  g_autofree char *text = NULL;

  ctl_service_connected (self, transport);
  text = g_strdup_printf (_ ("#%" PRIu64 " connected"), self->id);
  ctl_host_print (self->host, text);
}

static const LoopProtocolVTable print_of_server = {
  .connection_made = print_connection_made,
  .connection_lost = print_connection_lost,
  .data_received = print_received,
};

static GObject *
new_protocol (const LoopProtocolVTable *vtable, CtlHost *host)
{
  return G_OBJECT (loop_protocol_new (vtable, ctl_service_new (host), ctl_service_unref));
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

static GObject *
new_print_of_server (gpointer host)
{
  return new_protocol (&print_of_server, host);
}

/* Returns: a factory, whose data is the host; or NULL with an error */
LoopProtocolFactory
ctl_service_find (const char *name, gboolean is_server, GError **error)
{
  if (g_str_equal (name, "echo"))
    return new_echo;
  if (g_str_equal (name, "discard"))
    return new_discard;
  if (g_str_equal (name, "print"))
    return is_server ? new_print_of_server : new_print;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "There is no service “%s”, only “echo”, “discard” and “print”", name);

  return NULL;
}
