/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-datagram-batch-private.h"
#include "loop-datagram-protocol.h"
#include "loop-datagram-transport.h"
#include "loop-socket-transport-private.h"

G_BEGIN_DECLS

/* Errors that the protocol is still to be told of. */
typedef struct
{
  int saved_errno;
  guint n;
} LoopDatagramErrors;

/*
 * A transport on a datagram socket. What a socket transport is but for reading and writing it
 * is, too; its buffer is one of datagrams.
 */
struct _LoopDatagramTransport
{
  LoopSocketTransport parent_instance;

  GSocketAddress *remote;   /* or NULL: what is sent to when no address is given */
  LoopDatagramBatch *batch; /* while it is handed over, or NULL */
  LoopWriteBuffer received; /* what had come when the protocol would have no more */
  GArray *errors;           /* or NULL: LoopDatagramErrors */
  guint max_segment;
  guint n_failures;      /* to receive, one after another */
  LoopTimerHandle *rest; /* or NULL: it does not try to receive until then */
  guint8 is_unix;
  guint8 has_peer;   /* the kernel knows whom it sends to */
  guint8 has_trains; /* and hands them over as a whole */
  guint8 is_delivery_due;
};

struct _LoopDatagramTransportClass
{
  LoopSocketTransportClass parent_class;
};

G_GNUC_INTERNAL
LoopDatagramTransport *loop_datagram_transport_new (LoopEventLoop *loop,
                                                    int fd,
                                                    GSocket *socket,
                                                    GSocketAddress *remote,
                                                    GObject *protocol,
                                                    GError **error);

/* As loop_vtable_protocol_get_function(). */
G_GNUC_INTERNAL
gpointer loop_datagram_vtable_protocol_get_function (GObject *protocol);

/* For loop-datagram-transport.c, from its half for sending. */
G_GNUC_INTERNAL
void loop_datagram_transport_send_collected (LoopDatagramTransport *self);
G_GNUC_INTERNAL
void loop_datagram_transport_writable (LoopWatch *watch);
G_GNUC_INTERNAL
void loop_datagram_transport_report (LoopDatagramTransport *self, int saved_errno, const char *what);

static inline LoopDatagramTransport *
loop_datagram_transport_from_base (gpointer base)
{
  return base;
}

static inline LoopDatagramTransport *
loop_datagram_transport_from_watch (LoopWatch *watch)
{
  return (LoopDatagramTransport *) loop_socket_transport_from_watch (watch);
}

G_END_DECLS
