/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_CONNECTION_OPTIONS (loop_connection_options_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopConnectionOptions, loop_connection_options, LOOP, CONNECTION_OPTIONS, GObject)

LOOP_AVAILABLE_IN_1_0
LoopConnectionOptions *loop_connection_options_new (void);

LOOP_AVAILABLE_IN_1_0
int loop_connection_options_get_family (LoopConnectionOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_connection_options_set_family (LoopConnectionOptions *self, int family);
LOOP_AVAILABLE_IN_1_0
int loop_connection_options_get_proto (LoopConnectionOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_connection_options_set_proto (LoopConnectionOptions *self, int proto);
LOOP_AVAILABLE_IN_1_0
int loop_connection_options_get_flags (LoopConnectionOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_connection_options_set_flags (LoopConnectionOptions *self, int flags);
LOOP_AVAILABLE_IN_1_0
GSocket *loop_connection_options_get_sock (LoopConnectionOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_connection_options_set_sock (LoopConnectionOptions *self, GSocket *sock);
LOOP_AVAILABLE_IN_1_0
GSocketConnectable *loop_connection_options_get_local_addr (LoopConnectionOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_connection_options_set_local_addr (LoopConnectionOptions *self, GSocketConnectable *local_addr);
LOOP_AVAILABLE_IN_1_0
double loop_connection_options_get_happy_eyeballs_delay (LoopConnectionOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_connection_options_set_happy_eyeballs_delay (LoopConnectionOptions *self, double happy_eyeballs_delay);
LOOP_AVAILABLE_IN_1_0
int loop_connection_options_get_interleave (LoopConnectionOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_connection_options_set_interleave (LoopConnectionOptions *self, int interleave);
LOOP_AVAILABLE_IN_1_0
gboolean loop_connection_options_get_all_errors (LoopConnectionOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_connection_options_set_all_errors (LoopConnectionOptions *self, gboolean all_errors);

G_END_DECLS
