/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_SERVER (loop_server_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopServer, loop_server, LOOP, SERVER, GObject)

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_create_server (LoopEventLoop *self,
                                           const char *const *hosts,
                                           guint16 port,
                                           LoopServerOptions *options,
                                           LoopProtocolFactory factory,
                                           gpointer user_data,
                                           GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_create_unix_server (LoopEventLoop *self,
                                                const char *path,
                                                LoopServerOptions *options,
                                                LoopProtocolFactory factory,
                                                gpointer user_data,
                                                GDestroyNotify notify);

LOOP_AVAILABLE_IN_1_0
LoopEventLoop *loop_server_get_loop (LoopServer *self);
LOOP_AVAILABLE_IN_1_0
guint64 loop_server_get_id (LoopServer *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_server_is_serving (LoopServer *self);
LOOP_AVAILABLE_IN_1_0
GPtrArray *loop_server_get_sockets (LoopServer *self);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_server_start_serving (LoopServer *self);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_server_serve_forever (LoopServer *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_close (LoopServer *self);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_server_wait_closed (LoopServer *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_close_clients (LoopServer *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_abort_clients (LoopServer *self);

G_END_DECLS
