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

/*
 * Who has the writing side of a transport for itself, such as sendfile. Meanwhile the transport
 * refuses what others write, and neither reads nor tells its protocol to pause or to resume; the
 * end of file that somebody asks for is sent afterwards.
 */
typedef struct _LoopTransportSender LoopTransportSender;
struct _LoopTransportSender
{
  /* All that was to be written is written, and more is taken. */
  void (*ready) (LoopTransportSender *self);

  /* The transport was closed or lost its connection, and let go of the sender. The last @n_unsent bytes were dropped. */
  void (*lost) (LoopTransportSender *self, const GError *error, gsize n_unsent);
};

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
  void (*describe) (LoopTransport *self, LoopTransportDescription *description);
  int (*steal_fd) (LoopTransport *self); /* or NULL: it has none to give */

  /*
   * For a sender; or all NULL: no file can be sent. A transport that changes what is written, as one with TLS does, or
   * that writes to a stream, has no descriptor for it: it gets bytes.
   */
  gboolean (*set_sender) (LoopTransport *self, LoopTransportSender *sender, GError **error);
  void (*unset_sender) (LoopTransport *self);
  void (*send_bytes) (LoopTransport *self, GBytes *bytes);
  int (*get_sender_fd) (LoopTransport *self); /* or NULL; or -1 */
  /* What became of a call with that descriptor. With EAGAIN the sender is told when to go on; other errors are the end. */
  void (*report_sent) (LoopTransport *self, gsize n_sent, int saved_errno);
};

/* asyncio's defaults: 64 KiB, and a quarter of it. */
#define LOOP_TRANSPORT_HIGH_WATER (64 * 1024)

G_GNUC_INTERNAL
void loop_transport_set_up (LoopTransport *self, LoopEventLoop *loop, GObject *protocol);
G_GNUC_INTERNAL
void loop_transport_register (LoopTransport *self);
G_GNUC_INTERNAL
GObject *loop_transport_retire (LoopTransport *self);

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
