/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-buffered-protocol-private.h"
#include "loop-future-private.h"
#include "loop-transport-private.h"
#include "loop-write-buffer-private.h"

#include <sys/socket.h>

G_BEGIN_DECLS

#define LOOP_TYPE_SOCKET_TRANSPORT (loop_socket_transport_get_type ())
G_DECLARE_FINAL_TYPE (LoopSocketTransport, loop_socket_transport, LOOP, SOCKET_TRANSPORT, LoopTransport)

/* How many reads or writes one event may lead to, so that a fast peer leaves time for others. */
#define LOOP_SOCKET_TRANSPORT_MAX_CALLS 32

typedef struct _LoopTransportFile LoopTransportFile;

/*
 * What is written while an event of reading is handled: the first piece goes at once, and what follows is gathered, to
 * go with one system call when the event has been handled. Where that was so the last time, nothing goes before.
 */
enum
{
  LOOP_GATHER_NOTHING, /* no such event is being handled, or the descriptor takes no more */
  LOOP_GATHER_NEXT,
  LOOP_GATHER_ALL,
};

/* So much is enough for a system call of its own. */
#define LOOP_GATHER_SIZE (32 * 1024)

/* Why nothing is read at the moment. */
enum
{
  LOOP_READ_PAUSED_BY_USER = 1 << 0,
  LOOP_READ_PAUSED_BY_SENDER = 1 << 1,
};

/* Called once, when the connection is lost or was never made. */
typedef void (*LoopTransportLostFunc) (LoopTransport *transport, gpointer user_data);

/* What is different with a descriptor that need not be a socket's. */
struct _LoopTransportFile
{
  gssize (*read) (int fd, gpointer buffer, gsize size);
  gssize (*write) (int fd, const struct iovec *iov, int n_iov);
  /* There is an event, and nothing to read it for: the other end may be gone. */
  void (*hung_up) (LoopSocketTransport *self);
  void (*close) (LoopSocketTransport *self, int fd);
};

struct _LoopSocketTransport
{
  LoopTransport parent_instance;

  LoopWatch watch;
  const LoopProtocolInterface *iface;                  /* of the protocol */
  const LoopBufferedProtocolInterface *buffered_iface; /* or NULL: it has no memory of its own */
  const LoopTransportFile *file;                       /* or NULL: it is a socket */
  int fd;
  guint32 peer_length;
  struct sockaddr *peer;
  GSocket *socket; /* made when it is asked for; it then owns the descriptor */
  LoopWriteBuffer buffer;
  gsize high_water;
  gsize low_water;
  guint64 n_received;
  guint64 n_sent;
  LoopFuture *waiter;          /* is fulfilled once the connection is made */
  GError *write_error;         /* ends the connection once what can still be read was read */
  LoopTransportSender *sender; /* or NULL: who writes in place of the user */
  LoopTransportLostFunc lost_func;
  GObject *lost_data;

  /* The next three are looked at for each message. */
  guint8 is_unwritable;  /* closing, after write_eof(), after a failed write, or while there is a sender */
  guint8 is_read_paused; /* LOOP_READ_PAUSED_BY_… */
  guint8 is_closing;
  guint8 gathering; /* LOOP_GATHER_… */
  guint8 n_written; /* pieces while it handles an event, two standing for all numbers above */

  /* These, as the two above, an inspector shows: loop_socket_transport_set_shown(). */
  guint8 is_connected; /* connection_made was called */
  guint8 is_eof_due;
  guint8 is_write_paused;

  guint is_lost : 1;          /* connection_lost is due or was called */
  guint is_read_finished : 1; /* the peer sent its end of file */
  guint is_loop_ref_held : 1;
  guint has_warned : 1;
  guint is_socket_broken : 1; /* and only there to close the descriptor */
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
G_GNUC_INTERNAL
void loop_socket_transport_start (LoopSocketTransport *self,
                                  LoopFuture *waiter,
                                  LoopTransportLostFunc lost_func,
                                  gpointer lost_data);

/* For loop-socket-transport.c, from its halves for reading and writing. */
G_GNUC_INTERNAL
void loop_socket_transport_class_init_read (LoopTransportClass *klass);
G_GNUC_INTERNAL
void loop_socket_transport_readable (LoopWatch *watch);
G_GNUC_INTERNAL
void loop_socket_transport_start_reading (LoopSocketTransport *self);
G_GNUC_INTERNAL
void loop_socket_transport_stop_reading (LoopSocketTransport *self);
G_GNUC_INTERNAL
void loop_socket_transport_set_read_paused (LoopSocketTransport *self, guint8 reasons);
G_GNUC_INTERNAL
void loop_socket_transport_class_init_write (LoopTransportClass *klass);
G_GNUC_INTERNAL
void loop_socket_transport_writable (LoopWatch *watch);

/* For what writes in its own way to the buffer. */
G_GNUC_INTERNAL
void loop_socket_transport_refuse_write (LoopSocketTransport *self);
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
G_GNUC_INTERNAL
void loop_socket_transport_send_bytes (LoopSocketTransport *self, GBytes **bytes, gsize n_bytes);
G_GNUC_INTERNAL
void loop_socket_transport_catch_up (LoopSocketTransport *self);

/* And from loop-socket-transport-send.c. */
G_GNUC_INTERNAL
void loop_socket_transport_class_init_send (LoopTransportClass *klass);
G_GNUC_INTERNAL
void loop_socket_transport_wake_sender (LoopSocketTransport *self);
G_GNUC_INTERNAL
void loop_socket_transport_lose_sender (LoopSocketTransport *self, const GError *error, gsize n_unsent);

/* And the other way round. */
G_GNUC_INTERNAL
void loop_socket_transport_set_interest (LoopSocketTransport *self, guint8 interest);
G_GNUC_INTERNAL
void loop_socket_transport_force_close (LoopSocketTransport *self, GError *exception);
G_GNUC_INTERNAL
void loop_socket_transport_schedule_connection_lost (LoopSocketTransport *self, GError *exception);
G_GNUC_INTERNAL
void loop_socket_transport_fail_write (LoopSocketTransport *self, int saved_errno);

static inline void
loop_socket_transport_set_shown (LoopSocketTransport *self, guint8 *flag, gboolean value)
{
  loop_event_loop_enter (self->parent_instance.loop);
  *flag = !!value;
  loop_event_loop_leave (self->parent_instance.loop);
}

static inline void
loop_socket_transport_count (guint64 *counter, gsize n)
{
  __atomic_store_n (counter, *counter + n, __ATOMIC_RELAXED);
}

static inline LoopSocketTransport *
loop_socket_transport_from_watch (LoopWatch *watch)
{
  return (LoopSocketTransport *) ((char *) watch - G_STRUCT_OFFSET (LoopSocketTransport, watch));
}

/* For the virtual functions, which are only called with our own instances. */
static inline LoopSocketTransport *
loop_socket_transport_from_base (LoopTransport *transport)
{
  return (LoopSocketTransport *) transport;
}

static inline LoopProtocol *
loop_socket_transport_get_protocol (LoopSocketTransport *self)
{
  return (LoopProtocol *) self->parent_instance.protocol;
}

G_END_DECLS
