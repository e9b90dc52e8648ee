/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* The listening socket of an inspector, and the file that stands for it. */
typedef struct
{
  int fd;
  char *path;
  dev_t device;
  ino_t inode;
  pid_t pid; /* whose file it is: a forked child leaves it alone */
} LoopInspectorSocket;

G_GNUC_INTERNAL
gboolean loop_inspector_socket_open (LoopInspectorSocket *self, GError **error);
G_GNUC_INTERNAL
void loop_inspector_socket_unlink (LoopInspectorSocket *self);
G_GNUC_INTERNAL
void loop_inspector_socket_close (LoopInspectorSocket *self);

G_END_DECLS
