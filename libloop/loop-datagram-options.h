/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_DATAGRAM_OPTIONS (loop_datagram_options_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopDatagramOptions, loop_datagram_options, LOOP, DATAGRAM_OPTIONS, GObject)

LOOP_AVAILABLE_IN_1_0
LoopDatagramOptions *loop_datagram_options_new (void);

LOOP_AVAILABLE_IN_1_0
int loop_datagram_options_get_family (LoopDatagramOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_options_set_family (LoopDatagramOptions *self, int family);
LOOP_AVAILABLE_IN_1_0
int loop_datagram_options_get_proto (LoopDatagramOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_options_set_proto (LoopDatagramOptions *self, int proto);
LOOP_AVAILABLE_IN_1_0
int loop_datagram_options_get_flags (LoopDatagramOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_options_set_flags (LoopDatagramOptions *self, int flags);
LOOP_AVAILABLE_IN_1_0
GSocket *loop_datagram_options_get_sock (LoopDatagramOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_options_set_sock (LoopDatagramOptions *self, GSocket *sock);
LOOP_AVAILABLE_IN_1_0
GSocketConnectable *loop_datagram_options_get_local_addr (LoopDatagramOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_options_set_local_addr (LoopDatagramOptions *self, GSocketConnectable *local_addr);
LOOP_AVAILABLE_IN_1_0
GSocketConnectable *loop_datagram_options_get_remote_addr (LoopDatagramOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_options_set_remote_addr (LoopDatagramOptions *self, GSocketConnectable *remote_addr);
LOOP_AVAILABLE_IN_1_0
gboolean loop_datagram_options_get_reuse_port (LoopDatagramOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_options_set_reuse_port (LoopDatagramOptions *self, gboolean reuse_port);
LOOP_AVAILABLE_IN_1_0
gboolean loop_datagram_options_get_allow_broadcast (LoopDatagramOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_datagram_options_set_allow_broadcast (LoopDatagramOptions *self, gboolean allow_broadcast);

G_END_DECLS
