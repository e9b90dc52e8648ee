/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-stream-result.h>

G_BEGIN_DECLS

/**
 * LoopStreamFiberFunc:
 * @reader: has what the client sends
 * @writer: sends to the client
 * @user_data: the data given with the function
 * @error: return location for an error
 *
 * Runs in a fiber for each client of a server: it may wait with [func@await]. When it has
 * returned, and kept no reference to @writer, the connection is closed.
 *
 * Returns: %TRUE, or %FALSE with @error set, of which the loop's exception handler is told
 */
typedef gboolean (*LoopStreamFiberFunc) (LoopStreamReader *reader,
                                         LoopStreamWriter *writer,
                                         gpointer user_data,
                                         GError **error);

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_open_connection (LoopEventLoop *loop,
                                  const char *host,
                                  guint16 port,
                                  gssize limit,
                                  LoopConnectionOptions *options);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_start_server (LoopEventLoop *loop,
                               LoopStreamClientFunc client_connected,
                               gpointer user_data,
                               GDestroyNotify notify,
                               const char *const *hosts,
                               guint16 port,
                               gssize limit,
                               LoopServerOptions *options);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_start_fiber_server (LoopEventLoop *loop,
                                     LoopStreamFiberFunc client_connected,
                                     gpointer user_data,
                                     GDestroyNotify notify,
                                     const char *const *hosts,
                                     guint16 port,
                                     gssize limit,
                                     LoopServerOptions *options);

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_open_unix_connection (LoopEventLoop *loop,
                                       const char *path,
                                       gssize limit,
                                       LoopConnectionOptions *options);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_start_unix_server (LoopEventLoop *loop,
                                    LoopStreamClientFunc client_connected,
                                    gpointer user_data,
                                    GDestroyNotify notify,
                                    const char *path,
                                    gssize limit,
                                    LoopServerOptions *options);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_start_unix_fiber_server (LoopEventLoop *loop,
                                          LoopStreamFiberFunc client_connected,
                                          gpointer user_data,
                                          GDestroyNotify notify,
                                          const char *path,
                                          gssize limit,
                                          LoopServerOptions *options);

G_END_DECLS
