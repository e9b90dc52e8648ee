/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_SERVER_OPTIONS (loop_server_options_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopServerOptions, loop_server_options, LOOP, SERVER_OPTIONS, GObject)

LOOP_AVAILABLE_IN_1_0
LoopServerOptions *loop_server_options_new (void);

LOOP_AVAILABLE_IN_1_0
int loop_server_options_get_family (LoopServerOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_options_set_family (LoopServerOptions *self, int family);
LOOP_AVAILABLE_IN_1_0
int loop_server_options_get_flags (LoopServerOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_options_set_flags (LoopServerOptions *self, int flags);
LOOP_AVAILABLE_IN_1_0
GSocket *loop_server_options_get_sock (LoopServerOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_options_set_sock (LoopServerOptions *self, GSocket *sock);
LOOP_AVAILABLE_IN_1_0
int loop_server_options_get_backlog (LoopServerOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_options_set_backlog (LoopServerOptions *self, int backlog);
LOOP_AVAILABLE_IN_1_0
gboolean loop_server_options_get_reuse_address (LoopServerOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_options_set_reuse_address (LoopServerOptions *self, gboolean reuse_address);
LOOP_AVAILABLE_IN_1_0
gboolean loop_server_options_get_reuse_port (LoopServerOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_options_set_reuse_port (LoopServerOptions *self, gboolean reuse_port);
LOOP_AVAILABLE_IN_1_0
gboolean loop_server_options_get_start_serving (LoopServerOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_options_set_start_serving (LoopServerOptions *self, gboolean start_serving);
LOOP_AVAILABLE_IN_1_0
gboolean loop_server_options_get_keep_alive (LoopServerOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_options_set_keep_alive (LoopServerOptions *self, gboolean keep_alive);
LOOP_AVAILABLE_IN_1_0
gboolean loop_server_options_get_cleanup_socket (LoopServerOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_server_options_set_cleanup_socket (LoopServerOptions *self, gboolean cleanup_socket);

G_END_DECLS
