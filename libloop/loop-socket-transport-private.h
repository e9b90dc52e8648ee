/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-flow-transport-private.h"

G_BEGIN_DECLS

#define LOOP_TYPE_SOCKET_TRANSPORT (loop_socket_transport_get_type ())
G_DECLARE_FINAL_TYPE (LoopSocketTransport, loop_socket_transport, LOOP, SOCKET_TRANSPORT, LoopFlowTransport)

typedef struct _LoopTransportFile LoopTransportFile;

/*
 * What is written while an event of reading is handled: the first piece goes at once, and what follows is gathered, to
 * go with one system call when the event has been handled. Where that was so the last time, nothing goes before.
 *
 * What another callback of the loop writes is gathered until those have run that wait for their turn with it: a peer is
 * woken by the first of many answers, and finds the others there. If nobody waits, the first piece goes at once, unless
 * there were more the last time.
 */
enum
{
  LOOP_GATHER_NOTHING, /* or the descriptor takes no more */
  LOOP_GATHER_NEXT,    /* in an event of reading: from the next piece but one on */
  LOOP_GATHER_ALL,     /* in an event of reading */
  LOOP_GATHER_BATCH,   /* the watch's writer waits for the end of the loop's batch */
};

/* So much is enough for a system call of its own. */
#define LOOP_GATHER_SIZE (32 * 1024)

/* What is different with a descriptor that need not be a socket's. */
struct _LoopTransportFile
{
  gssize (*read) (int fd, gpointer buffer, gsize size);
  gssize (*write) (int fd, const struct iovec *iov, int n_iov);
  /* There is an event, and nothing to read it for: the other end may be gone. */
  void (*hung_up) (LoopSocketTransport *self);
  /* Undoes what was done to the descriptor, which is another's from then on, or is closed. */
  void (*leave) (LoopSocketTransport *self, int fd);
};

struct _LoopSocketTransport
{
  LoopFlowTransport flow; /* the parent instance */

  LoopWatch watch;
  const LoopTransportFile *file; /* or NULL: it is a socket */
  GSocket *socket;               /* made when it is asked for; it then owns the descriptor */
  guint8 gathering;              /* LOOP_GATHER_… */
  guint8 n_written;              /* pieces that were gathered together, two standing for all numbers above */
  guint8 is_piecewise;           /* it was more than one in the last batch */
  guint8 is_socket_broken;       /* and only there to close the descriptor */
  guint32 last_writer;           /* the end of the id of a handle */
};

G_GNUC_INTERNAL
LoopSocketTransport *loop_socket_transport_new (LoopEventLoop *loop,
                                                int fd,
                                                GSocket *socket,
                                                const struct sockaddr *peer,
                                                socklen_t peer_length,
                                                GObject *protocol,
                                                GError **error);
G_GNUC_INTERNAL
gboolean loop_socket_transport_attach (LoopSocketTransport *self,
                                       LoopEventLoop *loop,
                                       int fd,
                                       GObject *protocol,
                                       GError **error);
G_GNUC_INTERNAL
void loop_socket_transport_drain (LoopSocketTransport *self, int max_calls);

/* For loop-socket-transport.c, from its halves for reading and writing. */
G_GNUC_INTERNAL
void loop_socket_transport_class_init_read (LoopFlowTransportClass *klass);
G_GNUC_INTERNAL
void loop_socket_transport_readable (LoopWatch *watch);
G_GNUC_INTERNAL
void loop_socket_transport_class_init_write (LoopFlowTransportClass *klass);
G_GNUC_INTERNAL
void loop_socket_transport_writable (LoopWatch *watch);

/* For what writes in its own way to the buffer. */
G_GNUC_INTERNAL
void loop_socket_transport_expect_writable (LoopSocketTransport *self);
G_GNUC_INTERNAL
void loop_socket_transport_wrote (LoopSocketTransport *self);
G_GNUC_INTERNAL
extern const LoopWatchClass loop_socket_transport_watch_class;
G_GNUC_INTERNAL
void loop_socket_transport_begin_gathering (LoopSocketTransport *self);
G_GNUC_INTERNAL
void loop_socket_transport_end_gathering (LoopSocketTransport *self);

/* And the other way round. */
G_GNUC_INTERNAL
void loop_socket_transport_set_interest (LoopSocketTransport *self, guint8 interest);
G_GNUC_INTERNAL
void loop_socket_transport_fail_write (LoopSocketTransport *self, int saved_errno);

static inline LoopSocketTransport *
loop_socket_transport_from_watch (LoopWatch *watch)
{
  return (LoopSocketTransport *) ((char *) watch - G_STRUCT_OFFSET (LoopSocketTransport, watch));
}

/* For the virtual functions, which are only called with our own instances. */
static inline LoopSocketTransport *
loop_socket_transport_from_base (gpointer base)
{
  return base;
}

G_END_DECLS
