/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "tcp-check.h"

G_BEGIN_DECLS

/* What files are sent from. Those before FILE_MEMORY are the kernel's own; those after FILE_BUFFERED cannot be moved. */
typedef enum
{
  FILE_LOCAL, /* a GFileInputStream */
  FILE_UNIX,  /* a GUnixInputStream on a regular file */
  FILE_PIPE,  /* and on a pipe, into which a thread writes */
  FILE_MEMORY,
  FILE_BUFFERED,  /* a GBufferedInputStream on a regular file */
  FILE_CONVERTED, /* a stream that is decompressed, from memory */
  FILE_SLOW,      /* the same from a file: it can only be read in a thread */
  FILE_N_KINDS,
} FileKind;

const char *file_kind_name (FileKind kind);
gboolean file_can_move (FileKind kind);
GInputStream *file_open (FileKind kind, GBytes *bytes);
/* Or -1 for one that has none. */
gint64 file_tell (GInputStream *file);

/* Runs the loop until it is done; fails the test unless it has sent something. */
gint64 file_take_sent (Tcp *tcp, LoopFuture *future);

G_END_DECLS
