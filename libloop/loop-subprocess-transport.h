/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_SUBPROCESS_TRANSPORT (loop_subprocess_transport_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopSubprocessTransport, loop_subprocess_transport, LOOP, SUBPROCESS_TRANSPORT, GObject)

LOOP_AVAILABLE_IN_1_0
LoopEventLoop *loop_subprocess_transport_get_loop (LoopSubprocessTransport *self);
LOOP_AVAILABLE_IN_1_0
guint64 loop_subprocess_transport_get_id (LoopSubprocessTransport *self);
LOOP_AVAILABLE_IN_1_0
int loop_subprocess_transport_get_pid (LoopSubprocessTransport *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_subprocess_transport_get_returncode (LoopSubprocessTransport *self, int *returncode);
LOOP_AVAILABLE_IN_1_0
LoopTransport *loop_subprocess_transport_get_pipe_transport (LoopSubprocessTransport *self, int fd);
LOOP_AVAILABLE_IN_1_0
gboolean loop_subprocess_transport_send_signal (LoopSubprocessTransport *self, int signum, GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_subprocess_transport_terminate (LoopSubprocessTransport *self, GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_subprocess_transport_kill (LoopSubprocessTransport *self, GError **error);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_transport_close (LoopSubprocessTransport *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_subprocess_transport_is_closing (LoopSubprocessTransport *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_transport_set_protocol (LoopSubprocessTransport *self, GObject *protocol);
LOOP_AVAILABLE_IN_1_0
GObject *loop_subprocess_transport_get_protocol (LoopSubprocessTransport *self);

G_END_DECLS
