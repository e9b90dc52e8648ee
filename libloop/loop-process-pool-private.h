/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-job-queue-private.h"
#include "loop-process-private.h"

#include <pthread.h>

G_BEGIN_DECLS

/*
 * The workers of an executor and the jobs that wait for them. One thread does what there is to
 * do for all workers: jobs come from loops in any thread, and go back by the way of all jobs.
 * It is started for the first job, and has a reference.
 */
typedef struct
{
  gatomicrefcount ref_count;
  guint64 id;
  guint max_workers;
  pid_t owner; /* a child of which has no such thread */
  int wakeup_fd;
  guint last_visit; /* an inspector's */

  /* Under the lock, but the numbers are read without it as well. */
  pthread_mutex_t mutex;
  LoopJobQueue queue;
  LoopZygote *zygote; /* or NULL, before the first job or after the last */
  GThread *thread;    /* or NULL, before the first job or once it was joined */
  gboolean is_running;
  gboolean is_shut_down;
  gboolean is_woken;
  guint n_workers;
  guint n_busy;
  guint64 n_submitted; /* jobs */
  guint64 n_done;
  pthread_cond_t has_ended;

  /* The thread's alone, but for an inspector: as many as there ever were workers at a time. */
  LoopExecutorWorker *infos;

  /* The thread's alone. */
  GPtrArray *workers;
  GArray *pollfds;
  LoopExecutorPort *port;
  gboolean cannot_fork; /* until something changes */
} LoopProcessPool;

typedef struct
{
  guint n_workers;
  guint n_idle;
  guint queue_depth;
} LoopProcessPoolCounts;

G_GNUC_INTERNAL
LoopProcessPool *loop_process_pool_new (guint max_workers);
G_GNUC_INTERNAL
void loop_process_pool_unref (LoopProcessPool *self);
G_GNUC_INTERNAL
gboolean loop_process_pool_prepare (LoopProcessPool *self, GError **error);
G_GNUC_INTERNAL
LoopFuture *loop_process_pool_submit (LoopProcessPool *self,
                                      LoopEventLoop *loop,
                                      const char *function,
                                      LoopProcessFrame *call);
G_GNUC_INTERNAL
void loop_process_pool_shutdown (LoopProcessPool *self, gboolean wait, gboolean cancel_futures);
G_GNUC_INTERNAL
LoopProcessPoolCounts loop_process_pool_get_counts (LoopProcessPool *self);

G_END_DECLS
