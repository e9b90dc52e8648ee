/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "tcp-check.h"

G_BEGIN_DECLS

/*
 * A datagram endpoint: a protocol that writes down what happens to it. It fails the test when a call comes out of the
 * order that LoopDatagramProtocol promises, or a datagram while the transport is not reading.
 */
typedef struct _DgramPeer DgramPeer;
struct _DgramPeer
{
  LoopDatagramTransport *transport; /* referenced, from connection_made on */
  GString *events;                  /* such as "made lost" */
  GPtrArray *received;              /* GBytes */
  GPtrArray *addresses;             /* GSocketAddress or NULL: whom each is from */
  GPtrArray *errors;                /* GError, of error_received */
  GError *error;                    /* of connection_lost */
  gsize n_bytes;
  guint n_received, n_made, n_lost, n_paused, n_resumed;

  gboolean is_echo;
  gboolean is_discarding; /* counts datagrams and forgets them */

  /* Called after the above was written down. Any may be NULL. */
  void (*made) (DgramPeer *self);
  void (*datagram) (DgramPeer *self, const guint8 *data, gsize length, GSocketAddress *addr);
  void (*failed) (DgramPeer *self, const GError *exception);
  void (*lost) (DgramPeer *self);
  void (*paused) (DgramPeer *self);
  void (*resumed) (DgramPeer *self);
  gpointer user_data;
  guint tag;
};

DgramPeer *dgram_peer_new (void);
void dgram_peer_free (DgramPeer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DgramPeer, dgram_peer_free)
GObject *dgram_peer_factory (gpointer peer);
GObject *dgram_refuse_factory (gpointer unused);

/* Options for these addresses, such as "127.0.0.1:0"; a name is looked up. Either may be NULL. */
LoopDatagramOptions *dgram_options (const char *local, const char *remote);

/* Runs the loop until there is an endpoint, which has to succeed. */
void dgram_open_full (Tcp *tcp, DgramPeer *peer, LoopDatagramOptions *options);
DgramPeer *dgram_open (Tcp *tcp, const char *local, const char *remote);
GError *dgram_open_fails (Tcp *tcp, LoopDatagramOptions *options);
void dgram_close (Tcp *tcp, DgramPeer *peer);

GSocketAddress *dgram_get_address (DgramPeer *peer); /* its own */
GSocket *dgram_get_socket (DgramPeer *peer);         /* borrowed */
guint16 dgram_get_port (DgramPeer *peer);
char *dgram_name (DgramPeer *peer); /* "127.0.0.1:1234" */

void dgram_send (DgramPeer *peer, const char *text, GSocketAddress *addr);
char *dgram_text (DgramPeer *peer, guint i);

/* A plain blocking socket, to play the other side. It is closed with the Tcp. */
int dgram_raw_socket (Tcp *tcp, guint16 *port);

G_END_DECLS
