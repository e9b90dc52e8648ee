/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_create_connection (LoopEventLoop *self,
                                               const char *host,
                                               guint16 port,
                                               LoopConnectionOptions *options,
                                               LoopProtocolFactory factory,
                                               gpointer user_data,
                                               GDestroyNotify notify);

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_create_unix_connection (LoopEventLoop *self,
                                                    const char *path,
                                                    LoopConnectionOptions *options,
                                                    LoopProtocolFactory factory,
                                                    gpointer user_data,
                                                    GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_connect_accepted_socket (LoopEventLoop *self,
                                                     GSocket *socket,
                                                     LoopConnectionOptions *options,
                                                     LoopProtocolFactory factory,
                                                     gpointer user_data,
                                                     GDestroyNotify notify);

LOOP_AVAILABLE_IN_1_0
GPtrArray *loop_connection_get_errors (LoopFuture *future);

G_END_DECLS
