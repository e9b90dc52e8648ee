/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-child-private.h"
#include "loop-event-loop-private.h"
#include "loop-future-private.h"
#include "loop-pipe-transport-private.h"
#include "loop-subprocess-protocol.h"
#include "loop-subprocess-transport.h"

G_BEGIN_DECLS

#define LOOP_SUBPROCESS_N_PIPES 3

typedef struct _LoopSubprocessPipe LoopSubprocessPipe;

/* What an inspector shows is changed inside the guard: the child, the pipes and what follows them. */
struct _LoopSubprocessTransport
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopRegistryNode node;
  GObject *protocol; /* or NULL after connection_lost */
  const LoopSubprocessProtocolInterface *iface;
  LoopCloseHook hook;
  LoopWatch watch; /* of the child */
  LoopChild child;
  gint64 made;
  char *program;      /* the last part of its name, without arguments: these may be secrets */
  LoopFuture *waiter; /* is fulfilled once connection_made was called */
  LoopSubprocessPipe *pipes[LOOP_SUBPROCESS_N_PIPES];
  int returncode;
  guint8 n_open_pipes;
  guint8 has_exited; /* there is a returncode */
  guint8 is_closing;
  guint8 is_connected; /* connection_made was called */
  guint8 is_exit_told; /* process_exited was called */
  guint8 is_lost;      /* connection_lost is due or was called */
  guint8 is_loop_ref_held;
};

G_GNUC_INTERNAL
LoopSubprocessTransport *loop_subprocess_transport_new (LoopEventLoop *loop,
                                                        const char *const *argv,
                                                        LoopSubprocessOptions *options,
                                                        GObject *protocol,
                                                        GError **error);
G_GNUC_INTERNAL
void loop_subprocess_transport_start (LoopSubprocessTransport *self, LoopFuture *waiter);

/* For loop-subprocess-pipe.c. */
G_GNUC_INTERNAL
void loop_subprocess_transport_pipe_lost (LoopSubprocessTransport *self);

/* One of the first three descriptors of the process, and our end of it. */
struct _LoopSubprocessPipe
{
  GObject parent_instance;

  LoopSubprocessTransport *process; /* until the transport is lost */
  LoopPipeTransport *transport;
  int fd; /* of the process */
};

G_GNUC_INTERNAL
LoopSubprocessPipe *loop_subprocess_pipe_new (LoopSubprocessTransport *process, int fd, int our_fd, GError **error);
G_GNUC_INTERNAL
void loop_subprocess_pipe_start (LoopSubprocessPipe *self);

static inline gboolean
loop_subprocess_pipe_is_open (const LoopSubprocessPipe *self)
{
  return self != NULL && self->process != NULL;
}

static inline LoopSubprocessProtocol *
loop_subprocess_transport_get_own_protocol (LoopSubprocessTransport *self)
{
  return (LoopSubprocessProtocol *) self->protocol;
}

G_END_DECLS
