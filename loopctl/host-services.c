/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"

/* What a host's connections do with what they receive. */

static void
echo_data_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
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
  .data_received = echo_data_received,
  .pause_writing = echo_pause_writing,
  .resume_writing = echo_resume_writing,
};

static const LoopProtocolVTable discard = { NULL };

static GObject *
new_protocol (gpointer vtable)
{
  return G_OBJECT (loop_protocol_new (vtable, NULL, NULL));
}

static GObject *
new_echo (gpointer user_data)
{
  return new_protocol ((gpointer) &echo);
}

static GObject *
new_discard (gpointer user_data)
{
  return new_protocol ((gpointer) &discard);
}

LoopProtocolFactory
ctl_service_find (const char *name)
{
  if (g_str_equal (name, "echo"))
    return new_echo;
  if (g_str_equal (name, "discard"))
    return new_discard;

  return NULL;
}
