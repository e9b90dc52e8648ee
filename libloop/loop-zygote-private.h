/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* What the system calls a worker. */
#define LOOP_PROCESS_WORKER_NAME "loop-worker"

/*
 * A process that was forked when this one had no other thread, and forks others in its place.
 * There is one at most at a time, which all that need one share.
 *
 * To have a worker forked, it is sent one end of the worker's socket and one of a status socket.
 * At this it sends a LoopZygoteReport when the worker has begun, and one when it has ended; or a
 * single one when it could not be forked. When the other end is shut down for writing, the worker
 * is killed.
 */
typedef struct _LoopZygote LoopZygote;

typedef struct
{
  enum
  {
    LOOP_ZYGOTE_BEGUN,
    LOOP_ZYGOTE_ENDED,
    LOOP_ZYGOTE_FAILED,
    LOOP_ZYGOTE_GONE, /* never sent, but what is read when the zygote itself has ended */
  } event;
  gint32 pid;   /* unless it has failed */
  gint32 value; /* when it has ended, what waitpid() says of it; when it has failed, the error number */
} LoopZygoteReport;

G_GNUC_INTERNAL
gboolean loop_zygote_is_running (void);
G_GNUC_INTERNAL
LoopZygote *loop_zygote_get (GError **error);
G_GNUC_INTERNAL
void loop_zygote_unref (LoopZygote *self);
G_GNUC_INTERNAL
gboolean loop_zygote_fork_worker (LoopZygote *self, int worker_fd, int status_fd, GError **error);
G_GNUC_INTERNAL
void loop_zygote_set_ended_error (GError **error);
G_GNUC_INTERNAL
void loop_zygote_end (LoopZygote *self);

/* What the zygote itself does. */
G_GNUC_INTERNAL
void loop_zygote_main (int control, int parent, int child_signals) G_GNUC_NORETURN;

G_END_DECLS
