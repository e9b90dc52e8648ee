/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "tcp-check.h"

G_BEGIN_DECLS

/* A path for a socket, in a folder of its own. Cleared, it fails the test if a file is left. */
typedef struct
{
  char *folder;
  char *path;
} UnixPlace;

UnixPlace unix_place_new (void);
void unix_place_clear (UnixPlace *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (UnixPlace, unix_place_clear)

gboolean unix_exists (const char *path);

/* Plain sockets, closed with the Tcp: see tcp_raw_socket(). Abstract names begin with `@`. */
int unix_raw_bind (Tcp *tcp, const char *path);
int unix_raw_listen (Tcp *tcp, const char *path, int backlog);
int unix_raw_connect (Tcp *tcp, const char *path);

/* A file whose socket is gone. */
void unix_leave_behind (Tcp *tcp, const char *path);

/* The path of an address of a transport, or of a socket. */
char *unix_get_path (LoopTransport *transport, const char *name);

G_END_DECLS
