/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

typedef struct _LoopAcceptResult LoopAcceptResult;

#define LOOP_TYPE_ACCEPT_RESULT (loop_accept_result_get_type ())
LOOP_AVAILABLE_IN_1_0
GType loop_accept_result_get_type (void) G_GNUC_CONST;
LOOP_AVAILABLE_IN_1_0
LoopAcceptResult *loop_accept_result_ref (LoopAcceptResult *self);
LOOP_AVAILABLE_IN_1_0
void loop_accept_result_unref (LoopAcceptResult *self);
LOOP_AVAILABLE_IN_1_0
GSocket *loop_accept_result_get_socket (LoopAcceptResult *self);
LOOP_AVAILABLE_IN_1_0
GSocketAddress *loop_accept_result_get_address (LoopAcceptResult *self);

typedef struct _LoopRecvfromResult LoopRecvfromResult;

#define LOOP_TYPE_RECVFROM_RESULT (loop_recvfrom_result_get_type ())
LOOP_AVAILABLE_IN_1_0
GType loop_recvfrom_result_get_type (void) G_GNUC_CONST;
LOOP_AVAILABLE_IN_1_0
LoopRecvfromResult *loop_recvfrom_result_ref (LoopRecvfromResult *self);
LOOP_AVAILABLE_IN_1_0
void loop_recvfrom_result_unref (LoopRecvfromResult *self);
LOOP_AVAILABLE_IN_1_0
GBytes *loop_recvfrom_result_get_data (LoopRecvfromResult *self);
LOOP_AVAILABLE_IN_1_0
gsize loop_recvfrom_result_get_size (LoopRecvfromResult *self);
LOOP_AVAILABLE_IN_1_0
GSocketAddress *loop_recvfrom_result_get_address (LoopRecvfromResult *self);

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_sock_recv (LoopEventLoop *self, GSocket *socket, gsize n);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_sock_recv_into (LoopEventLoop *self, GSocket *socket, guint8 *buffer, gsize length);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_sock_recvfrom (LoopEventLoop *self, GSocket *socket, gsize n);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_sock_recvfrom_into (LoopEventLoop *self, GSocket *socket, guint8 *buffer, gsize length);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_sock_sendall (LoopEventLoop *self, GSocket *socket, GBytes *data);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_sock_sendto (LoopEventLoop *self, GSocket *socket, GBytes *data, GSocketAddress *address);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_sock_connect (LoopEventLoop *self, GSocket *socket, GSocketConnectable *address);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_sock_accept (LoopEventLoop *self, GSocket *socket);

LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_sock_check (LoopEventLoop *self, int fd, GError **error);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_sock_wait (LoopEventLoop *self, int fd, GIOCondition condition);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopAcceptResult, loop_accept_result_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopRecvfromResult, loop_recvfrom_result_unref)

G_END_DECLS
