/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-executor-worker-private.h"
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

/* A number of an executor's: set with its lock only, and read without as well. */
#define LOOP_SET_COUNT(number, value) __atomic_store_n (&(number), value, __ATOMIC_RELAXED)
#define LOOP_PEEK_COUNT(number) __atomic_load_n (&(number), __ATOMIC_RELAXED)

/* For an inspector. */
typedef struct
{
  guint64 id;
  const char *kind; /* static */
  char name[64];
  guint max_workers;
  guint n_workers;
  guint n_idle;
  guint queue_depth;
  guint64 n_submitted;
  guint64 n_done;
  const LoopExecutorWorker *workers;
  guint *last_visit; /* the inspector's own */
} LoopExecutorDescription;

/* Of the executor that a job is submitted to. The first two are called on the loop's thread, but for a loop that was closed. */
typedef struct
{
  /* Takes back a job, unless it runs already or did: it is then the caller's, with nobody else left to see it. */
  gboolean (*withdraw) (LoopExecutorJob *job);
  void (*unref_owner) (gpointer owner);

  /* In any thread, under a hold of the loop: takes no lock, so each number is right, but one may be older than the next. */
  void (*describe) (gpointer owner, LoopExecutorDescription *description);
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
  const char *function; /* what it is called, if that is not what @func is; static */
  gpointer user_data;
  GDestroyNotify notify;

  const LoopExecutorJobClass *klass;
  gpointer owner; /* the executor's, with a reference */
  LoopExecutorPort *port;

  /* Changed under the lock of the executor, and read by any thread. */
  guint8 is_queued;
  guint8 is_orphan; /* its queue is that of what is not to be done in this process */

  guint8 is_droppable; /* with the loop, if it has not begun */

  guint8 is_completed; /* read by any thread */
  guint8 outcome;
  GValue result;
  GError *error;

  guint64 id; /* of the future */

  /* The loop thread's alone, but for an inspector: changed inside the guard. */
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
                                        const char *function,
                                        gpointer user_data,
                                        GDestroyNotify notify);
G_GNUC_INTERNAL
void loop_executor_job_refuse (LoopExecutorJob *self, GError *error);
G_GNUC_INTERNAL
void loop_executor_job_run (LoopExecutorJob *self);
G_GNUC_INTERNAL
void loop_executor_job_complete (LoopExecutorJob *self, LoopExecutorPort **port);
G_GNUC_INTERNAL
void loop_executor_jobs_complete (LoopExecutorJob *jobs, LoopExecutorJobOutcome outcome);
G_GNUC_INTERNAL
void loop_executor_port_unref (LoopExecutorPort *self);

/* For an inspector, under a hold: what the loop has submitted and not got back. */
typedef void (*LoopExecutorJobFunc) (const LoopExecutorJob *job, gpointer user_data);
G_GNUC_INTERNAL
void loop_executor_foreach_job (LoopEventLoop *loop, LoopExecutorJobFunc function, gpointer user_data);
G_GNUC_INTERNAL
guint loop_executor_count_jobs (LoopEventLoop *loop);

/* Of the loop's default executor, if it has one. */
G_GNUC_INTERNAL
gboolean loop_executor_describe_default (LoopEventLoop *loop, LoopExecutorDescription *description);

static inline void
loop_executor_job_set_queued (LoopExecutorJob *self, gboolean is_queued)
{
  __atomic_store_n (&self->is_queued, is_queued, __ATOMIC_RELAXED);
}

G_END_DECLS
