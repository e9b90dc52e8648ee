/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-job-queue-private.h"

#include <pthread.h>

G_BEGIN_DECLS

typedef struct _LoopThreadPool LoopThreadPool;

/* A thread, or room for one. It lasts as long as the pool, so that whoever wakes it need not hold the lock. */
typedef struct _LoopWorker LoopWorker;
struct _LoopWorker
{
  LoopExecutorWorker info;
  LoopThreadPool *pool;
  GThread *thread;
  pthread_cond_t wakeup;

  /* Among those that sleep, or are about to. */
  LoopWorker *prev_sleeper;
  LoopWorker *next_sleeper;
  gboolean is_woken;

  LoopExecutorPort *port; /* to which its last job went, unless it sleeps */
};

/*
 * The threads of an executor and the jobs that wait for them. Each thread has a reference.
 *
 * A thread that has nothing to do is put among the sleepers before it hands back its last job:
 * who knows of the result knows of an idle thread as well. A sleeper is woken for a new job
 * only if none is on its way already, as that one wakes the next when there is still more to do;
 * the one that fell asleep last is woken first.
 */
struct _LoopThreadPool
{
  gatomicrefcount ref_count;
  guint64 id;
  LoopThreadPool *prev_pool; /* of all in the process */
  LoopThreadPool *next_pool;
  guint max_workers;
  gboolean may_spin;
  gint64 idle_timeout; /* nanoseconds that a thread sleeps before it ends, or LOOP_NEVER */
  char *name_prefix;
  guint last_visit; /* an inspector's */

  /* The rest is under the lock. */
  guint8 cache_line_padding[64];
  pthread_mutex_t mutex;
  LoopJobQueue queue;
  LoopWorker *sleepers;
  LoopWorker *spinner; /* the one of them that looks for jobs for a while before it sleeps; or NULL */
  guint n_sleeping;
  guint n_waking; /* woken or started, and not at the queue yet */
  guint n_workers;
  guint n_started;     /* ever */
  guint64 n_submitted; /* jobs */
  guint64 n_done;
  gboolean is_shut_down;
  pthread_cond_t all_gone;
  LoopExecutorWorker *workers; /* of LoopWorker: all that there ever were */
  LoopWorker *retired;         /* those whose thread has ended, by `next_sleeper`: to be used again */
  LoopJobQueue waiters;        /* jobs that are completed when no worker is left */
  LoopJobQueue orphans;        /* a parent process's: not to be done in this one */
  guint n_joiners;             /* threads that wait in a shutdown */
  GThread *last_gone;          /* not joined yet, but has joined those before */
};

/* For whoever looks at a pool from outside. */
typedef struct
{
  guint n_workers;
  guint n_idle;
  guint queue_depth;
} LoopThreadPoolCounts;

G_GNUC_INTERNAL
LoopThreadPool *loop_thread_pool_new (guint max_workers, const char *name_prefix);
/* Before it has a thread. */
G_GNUC_INTERNAL
void loop_thread_pool_set_idle_timeout (LoopThreadPool *self, gint64 nanoseconds);
G_GNUC_INTERNAL
void loop_thread_pool_unref (LoopThreadPool *self);
G_GNUC_INTERNAL
LoopFuture *loop_thread_pool_submit (LoopThreadPool *self,
                                     LoopEventLoop *loop,
                                     LoopExecutorFunc func,
                                     gpointer user_data,
                                     GDestroyNotify notify);
/* The function need not be called if the loop is closed before a thread has begun with it. @name is static. */
G_GNUC_INTERNAL
LoopFuture *loop_thread_pool_submit_droppable (LoopThreadPool *self,
                                               LoopEventLoop *loop,
                                               const char *name,
                                               LoopExecutorFunc func,
                                               gpointer user_data,
                                               GDestroyNotify notify);
G_GNUC_INTERNAL
void loop_thread_pool_shutdown (LoopThreadPool *self, gboolean wait, gboolean cancel_futures);
G_GNUC_INTERNAL
LoopFuture *loop_thread_pool_shutdown_async (LoopThreadPool *self, LoopEventLoop *loop, const char *name);
G_GNUC_INTERNAL
LoopThreadPoolCounts loop_thread_pool_get_counts (LoopThreadPool *self);
G_GNUC_INTERNAL
void loop_thread_pool_describe (LoopThreadPool *self, LoopExecutorDescription *description);
G_GNUC_INTERNAL
void loop_thread_pool_join (LoopThreadPool *self);

G_END_DECLS
