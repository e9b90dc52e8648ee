/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>
#include <sys/socket.h>

G_BEGIN_DECLS

G_GNUC_INTERNAL
int loop_socket_new (int family, int proto, GError **error);
G_GNUC_INTERNAL
GSocket *loop_socket_wrap (int fd, GError **error);
G_GNUC_INTERNAL
gboolean loop_socket_check_stream (GSocket *socket, GError **error);
G_GNUC_INTERNAL
gboolean loop_socket_ensure_nonblocking (int fd, GError **error);
G_GNUC_INTERNAL
int loop_socket_get_native_type (GSocket *socket);
gboolean loop_socket_check_unix_arguments (const char *path, GSocket *socket, GError **error);
G_GNUC_INTERNAL
void loop_socket_set_nodelay (int fd);

G_END_DECLS
