/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-buffered-protocol-private.h"
#include "loop-future-private.h"
#include "loop-transport-private.h"
#include "loop-write-buffer-private.h"

#include <sys/socket.h>

G_BEGIN_DECLS

/*
 * What all transports have that buffer what they cannot write at once: the protocol's life from connection_made to
 * connection_lost, when it may read, and when it is to pause writing. How bytes are read and written is up to the
 * subclasses.
 */
#define LOOP_TYPE_FLOW_TRANSPORT (loop_flow_transport_get_type ())
#define LOOP_FLOW_TRANSPORT_GET_CLASS(self)                                                                            \
  G_TYPE_INSTANCE_GET_CLASS ((self), LOOP_TYPE_FLOW_TRANSPORT, LoopFlowTransportClass)

/* How many reads or writes one event may lead to, so that a fast peer leaves time for others. */
#define LOOP_FLOW_TRANSPORT_MAX_CALLS 32

/* Why nothing is read at the moment. */
enum
{
  LOOP_READ_PAUSED_BY_USER = 1 << 0,
  LOOP_READ_PAUSED_BY_SENDER = 1 << 1,
};

/* Called once, when the connection is lost or was never made. */
typedef void (*LoopTransportLostFunc) (LoopTransport *transport, gpointer user_data);

typedef struct _LoopFlowTransport LoopFlowTransport;
typedef struct _LoopFlowTransportClass LoopFlowTransportClass;

struct _LoopFlowTransport
{
  LoopTransport parent_instance;

  /* These are looked at for each message. */
  const LoopProtocolInterface *iface;                  /* of the protocol */
  const LoopBufferedProtocolInterface *buffered_iface; /* or NULL: it has no memory of its own */
  guint64 n_received;
  guint64 n_sent;
  LoopWriteBuffer buffer;
  int fd;                /* or -1 */
  guint8 is_unwritable;  /* closing, after write_eof(), after a failed write, or while there is a sender */
  guint8 is_read_paused; /* LOOP_READ_PAUSED_BY_… */
  guint8 is_closing;
  guint8 is_connected; /* connection_made was called */
  gsize high_water;
  gsize low_water;

  LoopTransportSender *sender; /* or NULL: who writes in place of the user */
  LoopFuture *waiter;          /* is fulfilled once the connection is made */
  GError *error;               /* of a failed write, until what can still be read was read; then of connection_lost */
  LoopTransportLostFunc lost_func;
  GObject *lost_data;
  struct sockaddr *peer;
  guint32 peer_length;

  /* An inspector shows these, and those above: loop_flow_transport_set_shown(). */
  guint8 is_read_finished; /* the peer sent its end of file */
  guint8 is_eof_due;
  guint8 is_write_paused;

  guint is_lost : 1; /* connection_lost is due or was called */
  guint is_loop_ref_held : 1;
  guint has_warned : 1;
};

struct _LoopFlowTransportClass
{
  LoopTransportClass parent_class;

  /* As an inspector calls it. */
  const char *kind;

  /* As loop_flow_transport_can_read() says; stop_reading() also when closing, for good. */
  void (*start_reading) (LoopFlowTransport *self);
  void (*stop_reading) (LoopFlowTransport *self);

  /* Hands over all that is there already, before a failed write ends the connection. */
  void (*read_rest) (LoopFlowTransport *self);

  /* Writes what it can of the pieces, and buffers the rest. */
  void (*put_bytes) (LoopFlowTransport *self, GBytes **bytes, gsize n_bytes);

  /*
   * Does what is to be done next with the output. Once nothing is buffered, and unless it is lost or about to be, a
   * sender is told, or the end of file is sent if it is due, or loop_flow_transport_force_close() called if it is closing.
   */
  void (*go_on) (LoopFlowTransport *self);

  /* Drops what is buffered: nothing is written any more. */
  void (*stop_writing) (LoopFlowTransport *self);

  /* Closes what is below, of which @fd was the descriptor. The protocol and its iface are gone already. */
  void (*release) (LoopFlowTransport *self, int fd);
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopFlowTransport, g_object_unref)

GType loop_flow_transport_get_type (void) G_GNUC_CONST;

/* For constructors. */
G_GNUC_INTERNAL
gboolean loop_flow_transport_check (LoopFlowTransport *self, LoopEventLoop *loop, GObject *protocol, GError **error);
G_GNUC_INTERNAL
void loop_flow_transport_hold (LoopFlowTransport *self);
G_GNUC_INTERNAL
void loop_flow_transport_start (LoopFlowTransport *self,
                                LoopFuture *waiter,
                                LoopTransportLostFunc lost_func,
                                gpointer lost_data);

/* For subclasses. */
G_GNUC_INTERNAL
void loop_flow_transport_schedule (LoopFlowTransport *self, LoopCallback callback, const char *name);
G_GNUC_INTERNAL
gsize loop_flow_transport_ask_for_buffer (LoopFlowTransport *self, GObject *protocol, gpointer *buffer);
G_GNUC_INTERNAL
void loop_flow_transport_handle_eof (LoopFlowTransport *self);
G_GNUC_INTERNAL
void loop_flow_transport_refuse_write (LoopFlowTransport *self);
G_GNUC_INTERNAL
void loop_flow_transport_pause_writing (LoopFlowTransport *self);
G_GNUC_INTERNAL
void loop_flow_transport_resume_writing (LoopFlowTransport *self);
G_GNUC_INTERNAL
void loop_flow_transport_fail_write (LoopFlowTransport *self, GError *error);
G_GNUC_INTERNAL
void loop_flow_transport_force_close (LoopFlowTransport *self, GError *error);
G_GNUC_INTERNAL
void loop_flow_transport_loop_closed (LoopFlowTransport *self);
G_GNUC_INTERNAL
void loop_flow_transport_let_go (LoopFlowTransport *self);

/* For loop-flow-transport.c, from its half for writing. */
G_GNUC_INTERNAL
void loop_flow_transport_class_init_write (LoopTransportClass *klass);
G_GNUC_INTERNAL
void loop_flow_transport_lose_sender (LoopFlowTransport *self, const GError *error, gsize n_unsent);

static inline void
loop_flow_transport_set_shown (LoopFlowTransport *self, guint8 *flag, guint8 value)
{
  loop_event_loop_enter (self->parent_instance.loop);
  *flag = value;
  loop_event_loop_leave (self->parent_instance.loop);
}

static inline void
loop_flow_transport_count (guint64 *counter, gsize n)
{
  __atomic_store_n (counter, *counter + n, __ATOMIC_RELAXED);
}

static inline gboolean
loop_flow_transport_can_read (const LoopFlowTransport *self)
{
  return !self->is_read_paused && !self->is_read_finished && !self->is_closing && self->is_connected;
}

/* Something was buffered. */
static inline void
loop_flow_transport_maybe_pause (LoopFlowTransport *self)
{
  if (G_UNLIKELY (self->buffer.size > self->high_water))
    loop_flow_transport_pause_writing (self);
}

/* Some of what is buffered was written. */
static inline void
loop_flow_transport_maybe_resume (LoopFlowTransport *self)
{
  if (G_UNLIKELY (self->is_write_paused))
    loop_flow_transport_resume_writing (self);
}

static inline void
loop_flow_transport_start_reading (LoopFlowTransport *self)
{
  LOOP_FLOW_TRANSPORT_GET_CLASS (self)->start_reading (self);
}

static inline void
loop_flow_transport_stop_reading (LoopFlowTransport *self)
{
  LOOP_FLOW_TRANSPORT_GET_CLASS (self)->stop_reading (self);
}

static inline void
loop_flow_transport_go_on (LoopFlowTransport *self)
{
  LOOP_FLOW_TRANSPORT_GET_CLASS (self)->go_on (self);
}

static inline LoopProtocol *
loop_flow_transport_get_protocol (LoopFlowTransport *self)
{
  return (LoopProtocol *) self->parent_instance.protocol;
}

G_END_DECLS
