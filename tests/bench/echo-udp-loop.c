/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A UDP echo server on libloop */

#include "config.h"

#include <libloop/loop.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo-util.h"

static LoopEventLoop *loop;

static void
on_datagram_received (LoopDatagramTransport *transport,
                      const guint8 *data,
                      gsize length,
                      GSocketAddress *addr,
                      gpointer user_data)
{
  echo_requests++;
  loop_datagram_transport_sendto (transport, data, length, addr, NULL);
}

static const LoopDatagramProtocolVTable vtable = {
  .datagram_received = on_datagram_received,
};

static GObject *
make_protocol (gpointer user_data)
{
  return G_OBJECT (loop_datagram_protocol_new (&vtable, NULL, NULL));
}

static void
on_control (gpointer user_data)
{
  if (!echo_control ())
    loop_event_loop_stop (loop);
}

int
main (void)
{
  g_autoptr (LoopDatagramOptions) options = loop_datagram_options_new ();
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) socket = G_VALUE_INIT;
  g_auto (GValue) name = G_VALUE_INIT;

  echo_init ("udp-loop");
  loop = loop_event_loop_new ();
  loop_datagram_options_set_local_addr (options, G_SOCKET_CONNECTABLE (address));
  future = loop_event_loop_create_datagram_endpoint (loop, options, make_protocol, NULL, NULL);
  if (!loop_event_loop_run_until_complete (loop, future, &value, &error))
    {
      fprintf (stderr, "echo-udp-loop: %s\n", error->message);
      return 1;
    }
  loop_transport_get_extra_info (g_value_get_object (&value), "socket", &socket);
  echo_set_udp_buffers (g_socket_get_fd (g_value_get_object (&socket)));
  loop_transport_get_extra_info (g_value_get_object (&value), "sockname", &name);
  echo_ready (g_inet_socket_address_get_port (g_value_get_object (&name)), NULL);

  loop_event_loop_add_reader (loop, STDIN_FILENO, on_control, NULL, NULL);
  loop_event_loop_run_forever (loop);

  echo_finish ();
  loop_event_loop_close (loop);
  g_object_unref (loop);
  return 0;
}
