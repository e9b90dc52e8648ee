/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"
#include "loop-protocol.h"
#include "loop-transport.h"

G_BEGIN_DECLS

/* What an inspector shows of a transport. Filled in under a hold; no references. */
typedef struct
{
  const char *kind;
  const char *state;
  int fd;
  guint64 n_received;
  guint64 n_sent;
  gsize write_buffer_size;
  gsize low_water;
  gsize high_water;
  gboolean is_reading;
  gboolean is_read_paused;
  gboolean is_write_paused; /* the protocol was told to pause */
  const struct sockaddr *peer;
  guint peer_length;
} LoopTransportDescription;

struct _LoopTransport
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopRegistryNode node;
  GObject *protocol;
  guint64 owner_id; /* of the server or subprocess that it comes from, or 0 */
  gint64 made;
};

struct _LoopTransportClass
{
  GObjectClass parent_class;

  /* What its protocols are: loop_protocol_get_type() unless it carries something else than bytes. */
  GType (*get_protocol_type) (void);

  void (*close) (LoopTransport *self);
  void (*abort) (LoopTransport *self);
  gboolean (*is_closing) (LoopTransport *self);
  gboolean (*get_extra_info) (LoopTransport *self, const char *name, GValue *value);
  void (*protocol_changed) (LoopTransport *self);
  void (*pause_reading) (LoopTransport *self);
  void (*resume_reading) (LoopTransport *self);
  gboolean (*is_reading) (LoopTransport *self);
  void (*write) (LoopTransport *self, const guint8 *data, gsize length);
  void (*write_bytes) (LoopTransport *self, GBytes **bytes, gsize n_bytes);
  void (*write_eof) (LoopTransport *self);
  gboolean (*can_write_eof) (LoopTransport *self);
  gsize (*get_write_buffer_size) (LoopTransport *self);
  void (*set_write_buffer_limits) (LoopTransport *self, gsize high, gsize low);
  void (*get_write_buffer_limits) (LoopTransport *self, gsize *low, gsize *high);
  gboolean (*has_failed) (LoopTransport *self); /* or NULL: connection_lost will say why nothing can be written */
  void (*describe) (LoopTransport *self, LoopTransportDescription *description);
};

/* asyncio's defaults: 64 KiB, and a quarter of it. */
#define LOOP_TRANSPORT_HIGH_WATER (64 * 1024)

G_GNUC_INTERNAL
void loop_transport_set_up (LoopTransport *self, LoopEventLoop *loop, GObject *protocol);
G_GNUC_INTERNAL
void loop_transport_register (LoopTransport *self);
G_GNUC_INTERNAL
GObject *loop_transport_retire (LoopTransport *self);
G_GNUC_INTERNAL
gboolean loop_transport_is_ending (LoopTransport *self);
G_GNUC_INTERNAL
void loop_transport_report_no_buffer (LoopTransport *self, const GError *error);

/* Not datagrams, each of which is for itself. */
static inline gboolean
loop_transport_carries_bytes (LoopTransport *self)
{
  return LOOP_TRANSPORT_GET_CLASS (self)->get_protocol_type == loop_protocol_get_type;
}

static inline gboolean
loop_transport_accepts (LoopTransport *self, gpointer protocol)
{
  return G_TYPE_CHECK_INSTANCE_TYPE (protocol, LOOP_TRANSPORT_GET_CLASS (self)->get_protocol_type ());
}

G_END_DECLS
