/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"
#include "loop-executor.h"

G_BEGIN_DECLS

typedef struct _LoopExecutorPort LoopExecutorPort;
typedef struct _LoopExecutorJob LoopExecutorJob;

typedef enum
{
  LOOP_EXECUTOR_JOB_RETURNED,
  LOOP_EXECUTOR_JOB_RAISED,
  LOOP_EXECUTOR_JOB_CANCELLED,
} LoopExecutorJobOutcome;

/* Of the executor that a job is submitted to. Both are called on the loop's thread, but for a loop that was closed. */
typedef struct
{
  /* Takes back a job, unless it runs already or did: it is then the caller's, with nobody else left to see it. */
  gboolean (*withdraw) (LoopExecutorJob *job);
  void (*unref_owner) (gpointer owner);
} LoopExecutorJobClass;

/*
 * A function on its way to a thread of an executor and back: made by the loop, then the
 * executor's, and once it is completed the loop's again. When the loop is closed meanwhile,
 * whoever completes it frees it.
 */
struct _LoopExecutorJob
{
  /* Where it is in a queue of the executor, or, with `next` alone, on its way back. */
  LoopExecutorJob *next;
  LoopExecutorJob *prev;

  LoopExecutorFunc func;
  gpointer user_data;
  GDestroyNotify notify;

  const LoopExecutorJobClass *klass;
  gpointer owner; /* the executor's, with a reference */
  LoopExecutorPort *port;

  /* Under the lock of the executor. */
  guint8 is_queued;

  guint8 outcome;
  GValue result;
  GError *error;

  /* The loop thread's alone. */
  LoopFuture *future; /* until it is done, or the loop closed */
  LoopExecutorJob *next_in_flight;
  LoopExecutorJob *prev_in_flight;
};

G_GNUC_INTERNAL
LoopExecutorJob *loop_executor_job_new (LoopEventLoop *loop,
                                        const char *name,
                                        const LoopExecutorJobClass *klass,
                                        gpointer owner,
                                        LoopExecutorFunc func,
                                        gpointer user_data,
                                        GDestroyNotify notify);
G_GNUC_INTERNAL
void loop_executor_job_refuse (LoopExecutorJob *self, GError *error);
G_GNUC_INTERNAL
void loop_executor_job_run (LoopExecutorJob *self);
G_GNUC_INTERNAL
void loop_executor_job_complete (LoopExecutorJob *self, LoopExecutorPort **port);
G_GNUC_INTERNAL
void loop_executor_port_unref (LoopExecutorPort *self);

G_END_DECLS
