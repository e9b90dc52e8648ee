/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-socket-transport-private.h"

G_BEGIN_DECLS

/*
 * A transport on one end of a pipe, or on what is used like one: a terminal, or a socket of
 * which only one direction is wanted. All but the system calls is as with sockets.
 */
#define LOOP_TYPE_PIPE_TRANSPORT (loop_pipe_transport_get_type ())
G_DECLARE_FINAL_TYPE (LoopPipeTransport, loop_pipe_transport, LOOP, PIPE_TRANSPORT, LoopSocketTransport)

typedef enum
{
  LOOP_PIPE_READ_END,
  LOOP_PIPE_WRITE_END,
} LoopPipeEnd;

struct _LoopPipeTransport
{
  LoopSocketTransport parent_instance;

  LoopPipeEnd end;
  gboolean is_peer_watched;

  /* Under a mutex. */
  GList link;
  pid_t pid;
  dev_t device;
  ino_t inode;
  gboolean was_blocking; /* it is to be so again in the end */
};

G_GNUC_INTERNAL
gboolean loop_pipe_check (LoopEventLoop *loop, int fd, LoopPipeEnd end, GError **error);
G_GNUC_INTERNAL
LoopPipeTransport *loop_pipe_transport_new (LoopEventLoop *loop,
                                            int fd,
                                            LoopPipeEnd end,
                                            GObject *protocol,
                                            GError **error);
G_GNUC_INTERNAL
void loop_pipe_transport_start (LoopPipeTransport *self,
                                LoopFuture *waiter,
                                LoopTransportLostFunc lost_func,
                                gpointer lost_data);

G_END_DECLS
