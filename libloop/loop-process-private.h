/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-executor-job-private.h"
#include "loop-process-frame-private.h"
#include "loop-zygote-private.h"

G_BEGIN_DECLS

/* A worker, as its parent sees it. */
typedef struct
{
  LoopExecutorWorker *info; /* the pool's, or NULL */

  int fd;        /* or -1: it gets no more jobs, and ends */
  int status_fd; /* on which the zygote tells that it has begun, and how it has ended */

  LoopExecutorJob *job; /* or NULL; its data is the frame of the call */
  gsize sent;           /* of that */
  LoopProcessFrameReader reader;
} LoopProcess;

typedef enum
{
  LOOP_PROCESS_PENDING,
  LOOP_PROCESS_DONE,   /* with its job */
  LOOP_PROCESS_BROKEN, /* what it sent makes no sense */
  LOOP_PROCESS_GONE,   /* the zygote will tell how */
} LoopProcessStatus;

G_GNUC_INTERNAL
LoopProcess *loop_process_new (LoopZygote *zygote, GError **error);
G_GNUC_INTERNAL
void loop_process_free (LoopProcess *self);
G_GNUC_INTERNAL
void loop_process_give (LoopProcess *self, LoopExecutorJob *job);
G_GNUC_INTERNAL
gboolean loop_process_send (LoopProcess *self);
G_GNUC_INTERNAL
LoopProcessStatus loop_process_receive (LoopProcess *self);
G_GNUC_INTERNAL
gboolean loop_process_read_report (LoopProcess *self, LoopZygoteReport *report);
G_GNUC_INTERNAL
void loop_process_dismiss (LoopProcess *self);
G_GNUC_INTERNAL
void loop_process_kill (LoopProcess *self);

static inline gboolean
loop_process_is_sending (LoopProcess *self)
{
  return self->job != NULL && self->sent < ((LoopProcessFrame *) self->job->user_data)->size;
}

static inline gboolean
loop_process_is_idle (LoopProcess *self)
{
  return self->job == NULL && self->fd >= 0;
}

G_END_DECLS
