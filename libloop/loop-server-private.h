/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-listener-private.h"
#include "loop-transport.h"

G_BEGIN_DECLS

struct _LoopServer
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopRegistryNode node;
  GPtrArray *listeners; /* LoopListener; NULL once the server is closed */
  guint n_clients;      /* transports with its id as their owner's that have not lost their connection */
  GPtrArray *closed_waiters;
  LoopFuture *serve_forever;
  LoopProtocolFactory factory;
  gpointer factory_data;
  GDestroyNotify factory_notify;
  guint n_in_factory;
  guint64 n_accepted;
  gint64 made;
  int backlog;
  guint16 port; /* of the first socket */
  gboolean is_serving;
};

G_GNUC_INTERNAL
LoopServer *loop_server_new (LoopEventLoop *loop,
                             int backlog,
                             LoopProtocolFactory factory,
                             gpointer factory_data,
                             GDestroyNotify factory_notify);
G_GNUC_INTERNAL
gboolean loop_server_add_socket (LoopServer *self, GSocket *socket, LoopUnixFile *file, GError **error);
G_GNUC_INTERNAL
gboolean loop_server_serve_connection (LoopServer *self,
                                       int fd,
                                       const struct sockaddr *peer,
                                       socklen_t peer_length,
                                       GError **error);
G_GNUC_INTERNAL
gboolean loop_server_listen (LoopServer *self, GError **error);

G_END_DECLS
