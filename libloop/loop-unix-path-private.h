/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <sys/socket.h>
#include <sys/un.h>

G_BEGIN_DECLS

/* The file of a socket that was bound to a path. All zero: there is none, or it is not ours to remove. */
typedef struct
{
  char *path; /* absolute */
  pid_t pid;  /* of the process that made it */
  dev_t device;
  ino_t inode;
} LoopUnixFile;

G_GNUC_INTERNAL
gboolean loop_unix_path_to_native (const char *path, struct sockaddr_un *address, socklen_t *length, GError **error);
G_GNUC_INTERNAL
char *loop_unix_path_to_string (const struct sockaddr_un *address, socklen_t length);
G_GNUC_INTERNAL
gboolean loop_unix_path_is_free (const struct sockaddr_un *address, socklen_t length);
G_GNUC_INTERNAL
gboolean loop_unix_path_bind (int fd,
                              const struct sockaddr_un *address,
                              socklen_t length,
                              LoopUnixFile *file,
                              GError **error);

G_GNUC_INTERNAL
gboolean loop_unix_file_remove (LoopUnixFile *self, GError **error);
G_GNUC_INTERNAL
void loop_unix_file_forget (LoopUnixFile *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (LoopUnixFile, loop_unix_file_forget)

/*
 * The kernel connects unix sockets at once, or not at all: when the queue of the server is full, it does not tell when
 * there is room again. What blocking sockets do, to wait, is done by asking again, each time after twice as long.
 *
 * Returns: after how many nanoseconds, when it was @last_delay the last time, or 0
 */
static inline gint64
loop_unix_get_next_delay (gint64 last_delay)
{
  return CLAMP (2 * last_delay, G_GINT64_CONSTANT (1000000), G_GINT64_CONSTANT (1000000000) / 16);
}

G_END_DECLS
