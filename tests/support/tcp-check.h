/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-check.h"

#include <libloop/loop.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/*
 * One end of a connection: a protocol that writes down what happens to it. It fails the test when a
 * call comes out of the order that LoopProtocol promises, or data while the transport is not reading.
 */
typedef struct _TcpPeer TcpPeer;
struct _TcpPeer
{
  LoopProtocol *protocol;   /* not referenced; NULL once it is finalized */
  LoopTransport *transport; /* referenced, from connection_made on */
  GString *events;          /* such as "made data eof lost"; data once however often it comes */
  GByteArray *received;     /* unless it is discarded */
  GError *error;            /* of connection_lost */
  gsize n_bytes;
  guint n_made, n_data, n_eof, n_lost, n_paused, n_resumed;

  gboolean is_echo;
  gboolean is_discarding; /* counts bytes and forgets them */
  gboolean keep_open;     /* what eof_received returns */

  /* Called after the above was written down. Any may be NULL. */
  void (*made) (TcpPeer *self);
  void (*data) (TcpPeer *self, const guint8 *data, gsize length);
  void (*eof) (TcpPeer *self);
  void (*lost) (TcpPeer *self);
  void (*paused) (TcpPeer *self);
  void (*resumed) (TcpPeer *self);
  gpointer user_data;
  gint tag;
};

/*
 * A loop with a server on the loopback interface, and all that was opened to it. Declare it first in
 * a test, as g_auto (Tcp) tcp = tcp_new (), so that it is cleared last: then the loop is closed, and
 * the test fails if it is not finalized by that, if a descriptor is still open, or if something was
 * reported to the exception handler that the test did not take.
 */
typedef struct
{
  LoopEventLoop *loop;
  LoopServer *server;
  guint16 port;
  GPtrArray *accepted; /* TcpPeer, in the order of acceptance */
  GPtrArray *clients;  /* TcpPeer */
  GArray *raw;         /* int: descriptors of plain sockets */
  GPtrArray *reports;  /* LoopExceptionContext */
  guint n_fds;

  void (*set_up) (TcpPeer *peer, gpointer user_data); /* for each that is accepted */
  gpointer user_data;
} Tcp;

Tcp tcp_new (void);
Tcp tcp_new_for_context (GMainContext *context);
void tcp_clear (Tcp *self);
void tcp_close_loop (Tcp *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Tcp, tcp_clear)

LoopServer *tcp_serve (Tcp *self, const char *const *hosts, guint16 port, LoopServerOptions *options);
GObject *tcp_accept_factory (gpointer tcp);
GObject *tcp_client_factory (gpointer tcp);
GObject *tcp_peer_factory (gpointer peer);
GObject *tcp_make_no_protocol (gpointer unused);
LoopServer *tcp_take_server (Tcp *self, LoopFuture *future);
LoopTransport *tcp_take_transport (Tcp *self, LoopFuture *future);
GError *tcp_take_error (Tcp *self, LoopFuture *future);
LoopExceptionContext *tcp_take_report (Tcp *self);

TcpPeer *tcp_add_client (Tcp *self);
void tcp_peer_unref (gpointer peer);
TcpPeer *tcp_connect (Tcp *self);
TcpPeer *tcp_last_accepted (Tcp *self);
TcpPeer *tcp_peer_at (GPtrArray *peers, guint i);

guint16 tcp_server_port (LoopServer *server, guint i);
char *tcp_server_address (LoopServer *server, guint i);
guint16 tcp_unused_port (void);
gboolean tcp_has_ipv6 (void);

/* Plain blocking sockets, to play the other side. They have a timeout, and are closed with the Tcp. */
int tcp_raw_socket (Tcp *self, int family);
int tcp_raw_connect (Tcp *self, guint16 port);
int tcp_raw_listen (Tcp *self, const char *address, int backlog, guint16 *port);
int tcp_raw_listen_full (Tcp *self, const char *address, guint16 *port);
int tcp_raw_accept (Tcp *self, int listener);
TcpPeer *tcp_raw_pair (Tcp *self, int *fd);
void tcp_raw_send (int fd, const char *text);
char *tcp_raw_receive (int fd, gsize length);
gboolean tcp_raw_is_eof (int fd);
void tcp_raw_close (Tcp *self, int fd);
void tcp_raw_reset (Tcp *self, int fd);

/* Reads a plain socket or pipe to its end in another thread. */
typedef struct _TcpSink TcpSink;
TcpSink *tcp_sink_new (int fd);
char *tcp_sink_finish (TcpSink *self, gsize *length, int *last_errno);

GBytes *tcp_random_bytes (gsize length);
char *tcp_checksum (GBytes *bytes);
guint tcp_count_fds (void);
/* Fails the test when there are more than @n, also after a while. */
void tcp_assert_fds (guint n);
guint64 tcp_count_iterations (LoopEventLoop *loop);
void tcp_run_for (LoopEventLoop *loop, double seconds);

/* Runs the loop until @condition holds; fails the test if that takes over 15 seconds. */
#define tcp_run_until(loop, condition)                                                                                 \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    gint64 tcp_deadline_ = g_get_monotonic_time () + 15 * G_USEC_PER_SEC;                                              \
    while (!(condition))                                                                                               \
      {                                                                                                                \
        ck_assert_msg (g_get_monotonic_time () < tcp_deadline_, "waited in vain for: %s", #condition);                 \
        tcp_run_for (loop, 0.001);                                                                                     \
      }                                                                                                                \
  }                                                                                                                    \
  G_STMT_END

#define tcp_assert_error(error, error_domain, error_code)                                                              \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    const GError *tcp_error_ = (error);                                                                                \
    ck_assert_msg (g_error_matches (tcp_error_, error_domain, error_code), "not %s but %s", #error_code,               \
                   tcp_error_ != NULL ? tcp_error_->message : "no error");                                             \
  }                                                                                                                    \
  G_STMT_END

#define tcp_assert_contains(text, part)                                                                                \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    const char *tcp_text_ = (text);                                                                                    \
    const char *tcp_part_ = (part);                                                                                    \
    ck_assert_msg (strstr (tcp_text_, tcp_part_) != NULL, "\"%s\" is not in \"%s\"", tcp_part_, tcp_text_);            \
  }                                                                                                                    \
  G_STMT_END

/* What a peer has received, as text. */
#define tcp_assert_received(peer, text)                                                                                \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    g_autofree char *tcp_received_ = g_strndup ((const char *) (peer)->received->data, (peer)->received->len);         \
    ck_assert_str_eq (tcp_received_, text);                                                                            \
  }                                                                                                                    \
  G_STMT_END

/* Ends a test early, with a reason, when the machine lacks something. */
#define tcp_skip_unless(condition, reason)                                                                             \
  if (!(condition))                                                                                                    \
    {                                                                                                                  \
      g_printerr ("skipped: %s\n", reason);                                                                            \
      return;                                                                                                          \
    }

G_END_DECLS
