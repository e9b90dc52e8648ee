/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-thread-pool-private.h"

#include "loop-fork-private.h"

#include <errno.h>
#include <unistd.h>

/* The pool of which the calling thread is a worker. */
static __thread LoopThreadPool *current_pool __attribute__ ((tls_model ("initial-exec")));

/* All pools, for the child of a fork. */
static pthread_mutex_t all_pools_mutex = PTHREAD_MUTEX_INITIALIZER;
static LoopThreadPool *all_pools;

#ifdef __GLIBC__
#define MUTEX_TYPE PTHREAD_MUTEX_ADAPTIVE_NP
#else
#define MUTEX_TYPE PTHREAD_MUTEX_DEFAULT
#endif

/* About ten microseconds: what it takes to fall asleep and be woken again, and to wake one up takes the loop as long. */
#define MAX_SPINS 500

static inline void
relax (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

static LoopThreadPool *
pool_ref (LoopThreadPool *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

void
loop_thread_pool_unref (LoopThreadPool *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->n_workers == 0 && self->queue.length == 0 && self->waiters.length == 0);

  pthread_mutex_lock (&all_pools_mutex);
  if (self->prev_pool != NULL)
    self->prev_pool->next_pool = self->next_pool;
  else
    all_pools = self->next_pool;
  if (self->next_pool != NULL)
    self->next_pool->prev_pool = self->prev_pool;
  pthread_mutex_unlock (&all_pools_mutex);

  for (LoopExecutorWorker *info = self->workers; info != NULL;)
    {
      LoopWorker *worker = (LoopWorker *) info;

      info = info->next;
      pthread_cond_destroy (&worker->wakeup);
      g_free (worker);
    }

  g_clear_pointer (&self->last_gone, g_thread_unref);
  pthread_cond_destroy (&self->all_gone);
  pthread_mutex_destroy (&self->mutex);
  g_free (self->name_prefix);
  g_free (self);
}

/* --- The child of a fork, which has no workers ------------------------------------------------ */

static void
lock_pools (void)
{
  for (LoopThreadPool *pool = all_pools; pool != NULL; pool = pool->next_pool)
    pthread_mutex_lock (&pool->mutex);
}

static void
unlock_pools (void)
{
  for (LoopThreadPool *pool = all_pools; pool != NULL; pool = pool->next_pool)
    pthread_mutex_unlock (&pool->mutex);
}

static void
make_orphans (LoopThreadPool *self, LoopJobQueue *queue)
{
  LoopExecutorJob *job;

  while ((job = loop_job_queue_pop (queue)) != NULL)
    {
      loop_job_queue_push (&self->orphans, job);
      job->is_orphan = TRUE;
    }
}

/*
 * What a worker had, among it a reference to the pool, is lost with it. A condition that
 * somebody waited for is of no more use.
 */
static void
forget_workers (void)
{
  for (LoopThreadPool *pool = all_pools; pool != NULL; pool = pool->next_pool)
    {
      pthread_cond_init (&pool->all_gone, NULL);

      pool->sleepers = pool->spinner = NULL;
      pool->n_sleeping = pool->n_waking = pool->n_workers = pool->n_joiners = 0;
      pool->last_gone = NULL;
      for (LoopExecutorWorker *info = pool->workers; info != NULL; info = info->next)
        loop_executor_worker_vanish (info);
      make_orphans (pool, &pool->queue);
      make_orphans (pool, &pool->waiters);
    }

  unlock_pools ();
}

LOOP_FORK_WATCH (LOOP_FORK_THREAD_POOLS,
                 .mutex = &all_pools_mutex,
                 .prepare = lock_pools,
                 .go_on_in_parent = unlock_pools,
                 .go_on_in_child = forget_workers)

LoopThreadPool *
loop_thread_pool_new (guint max_workers, const char *name_prefix)
{
  LoopThreadPool *self = g_new0 (LoopThreadPool, 1);
  pthread_mutexattr_t attributes;

  g_atomic_ref_count_init (&self->ref_count);
  self->id = loop_id_reserve (1);
  self->max_workers = max_workers;
  self->idle_timeout = LOOP_NEVER;
  self->name_prefix = g_strdup (name_prefix);
  self->may_spin = g_get_num_processors () > 1;
  pthread_mutexattr_init (&attributes);
  /* It is held for some nanoseconds: to wait for it takes less than to fall asleep. */
  pthread_mutexattr_settype (&attributes, MUTEX_TYPE);
  pthread_mutex_init (&self->mutex, &attributes);
  pthread_mutexattr_destroy (&attributes);
  pthread_cond_init (&self->all_gone, NULL);

  pthread_mutex_lock (&all_pools_mutex);
  self->next_pool = all_pools;
  if (all_pools != NULL)
    all_pools->prev_pool = self;
  all_pools = self;
  pthread_mutex_unlock (&all_pools_mutex);

  return self;
}

void
loop_thread_pool_set_idle_timeout (LoopThreadPool *self, gint64 nanoseconds)
{
  g_assert (self->n_started == 0);

  self->idle_timeout = nanoseconds;
}

static LoopThreadPoolCounts
peek_counts (LoopThreadPool *self)
{
  LoopThreadPoolCounts counts = { .n_workers = LOOP_PEEK_COUNT (self->n_workers),
                                  .queue_depth = LOOP_PEEK_COUNT (self->queue.length) };
  guint n_free = LOOP_PEEK_COUNT (self->n_sleeping) + LOOP_PEEK_COUNT (self->n_waking);

  /* A thread on its way to a job that waits is not idle, wherever it has got to. */
  counts.n_idle = n_free > counts.queue_depth ? n_free - counts.queue_depth : 0;

  return counts;
}

LoopThreadPoolCounts
loop_thread_pool_get_counts (LoopThreadPool *self)
{
  LoopThreadPoolCounts counts;

  pthread_mutex_lock (&self->mutex);
  counts = peek_counts (self);
  pthread_mutex_unlock (&self->mutex);

  return counts;
}

/* In any thread. Takes no lock. */
void
loop_thread_pool_describe (LoopThreadPool *self, LoopExecutorDescription *description)
{
  LoopThreadPoolCounts counts = peek_counts (self);

  *description = (LoopExecutorDescription) {
    .id = self->id,
    .kind = "threads",
    .max_workers = self->max_workers,
    .n_workers = counts.n_workers,
    .n_idle = MIN (counts.n_idle, counts.n_workers),
    .queue_depth = counts.queue_depth,
    .n_submitted = LOOP_PEEK_COUNT (self->n_submitted),
    .n_done = LOOP_PEEK_COUNT (self->n_done),
    .workers = __atomic_load_n (&self->workers, __ATOMIC_ACQUIRE),
    .last_visit = &self->last_visit,
  };
  g_strlcpy (description->name, self->name_prefix, sizeof description->name);
}

/* --- Workers ---------------------------------------------------------------------------------- */

static void
fall_asleep (LoopWorker *self)
{
  LoopThreadPool *pool = self->pool;

  __atomic_store_n (&self->is_woken, FALSE, __ATOMIC_RELAXED);
  self->prev_sleeper = NULL;
  self->next_sleeper = pool->sleepers;
  if (self->next_sleeper != NULL)
    self->next_sleeper->prev_sleeper = self;
  pool->sleepers = self;
  LOOP_SET_COUNT (pool->n_sleeping, pool->n_sleeping + 1);

  if (pool->spinner == NULL && pool->may_spin)
    pool->spinner = self;
}

static void
get_up (LoopWorker *self)
{
  LoopThreadPool *pool = self->pool;

  if (self->prev_sleeper != NULL)
    self->prev_sleeper->next_sleeper = self->next_sleeper;
  else
    pool->sleepers = self->next_sleeper;
  if (self->next_sleeper != NULL)
    self->next_sleeper->prev_sleeper = self->prev_sleeper;
  LOOP_SET_COUNT (pool->n_sleeping, pool->n_sleeping - 1);
  if (pool->spinner == self)
    pool->spinner = NULL;
}

/* With the lock. */
static void
wake_up (LoopWorker *self)
{
  get_up (self);
  __atomic_store_n (&self->is_woken, TRUE, __ATOMIC_RELAXED);
  LOOP_SET_COUNT (self->pool->n_waking, self->pool->n_waking + 1);
}

/*
 * Chooses a sleeper for a job that waits, if there is no worker on its way to it.
 *
 * Returns: (nullable): a worker to be signalled, with or without the lock
 */
static LoopWorker *
choose_sleeper (LoopThreadPool *self)
{
  LoopWorker *worker = self->spinner != NULL ? self->spinner : self->sleepers;

  if (worker == NULL || self->n_waking > 0 || self->queue.length == 0)
    return NULL;

  wake_up (worker);

  return worker;
}

static void
signal_worker (LoopWorker *worker)
{
  if (worker != NULL)
    pthread_cond_signal (&worker->wakeup);
}

/* A little later there may be a job again, and a system call less to get to it. */
static void
spin (LoopWorker *self)
{
  LoopThreadPool *pool = self->pool;

  for (int i = 0; i < MAX_SPINS; i++)
    {
      if (__atomic_load_n (&self->is_woken, __ATOMIC_RELAXED) ||
          __atomic_load_n (&pool->queue.length, __ATOMIC_RELAXED) > 0)
        return;
      relax ();
    }
}

/* Returns: %FALSE when the time is over, if there is a limit */
static gboolean
wait_for_wakeup (LoopWorker *self, gint64 deadline)
{
  LoopThreadPool *pool = self->pool;
  struct timespec time = { deadline / LOOP_NSEC_PER_SEC, deadline % LOOP_NSEC_PER_SEC };

  if (deadline == LOOP_NEVER)
    return pthread_cond_wait (&self->wakeup, &pool->mutex) == 0;

  return pthread_cond_clockwait (&self->wakeup, &pool->mutex, CLOCK_MONOTONIC, &time) != ETIMEDOUT;
}

/*
 * Sleeps until it is woken, or finds a job without. With the lock.
 *
 * Returns: %FALSE if it has slept for so long that it is to end
 */
static gboolean
sleep_until_woken (LoopWorker *self)
{
  LoopThreadPool *pool = self->pool;
  gboolean has_time = TRUE;
  gint64 deadline;

  if (pool->spinner == self)
    pool->spinner = NULL;

  if (self->port != NULL && !self->is_woken && pool->queue.length == 0)
    {
      LoopExecutorPort *port = g_steal_pointer (&self->port);

      /* It is not to be kept for as long as the worker sleeps. */
      pthread_mutex_unlock (&pool->mutex);
      loop_executor_port_unref (port);
      pthread_mutex_lock (&pool->mutex);
    }

  deadline = pool->idle_timeout == LOOP_NEVER ? LOOP_NEVER : loop_clock_add (loop_clock_now (), pool->idle_timeout);
  while (!self->is_woken && pool->queue.length == 0 && has_time)
    has_time = wait_for_wakeup (self, deadline);

  if (self->is_woken)
    LOOP_SET_COUNT (pool->n_waking, pool->n_waking - 1);
  else
    get_up (self);

  return self->is_woken || pool->queue.length > 0;
}

/*
 * The last one to go tells those who wait for all to be gone. For them each joins the one that
 * went before it, so that the last is left for them to join; if there is nobody, none is joined.
 * Takes the lock that the caller has, so that no job is left to a thread that goes.
 */
static void
go_away (LoopWorker *self)
{
  LoopThreadPool *pool = self->pool;
  GThread *thread = g_steal_pointer (&self->thread);
  GThread *previous = NULL;
  LoopExecutorJob *waiters = NULL;

  if (pool->n_joiners > 0 || pool->waiters.length > 0)
    {
      previous = pool->last_gone;
      pool->last_gone = g_steal_pointer (&thread);
    }
  if (previous != NULL)
    {
      pthread_mutex_unlock (&pool->mutex);
      g_thread_join (previous);
      pthread_mutex_lock (&pool->mutex);
    }
  loop_executor_worker_vanish (&self->info);
  LOOP_SET_COUNT (pool->n_workers, pool->n_workers - 1);
  if (pool->n_workers == 0)
    {
      waiters = loop_job_queue_steal_all (&pool->waiters);
      pthread_cond_broadcast (&pool->all_gone);
    }
  self->next_sleeper = pool->retired;
  pool->retired = self;
  pthread_mutex_unlock (&pool->mutex);

  g_clear_pointer (&thread, g_thread_unref);
  loop_executor_jobs_complete (waiters, LOOP_EXECUTOR_JOB_RETURNED);
  loop_thread_pool_unref (pool);
}

static gpointer
work (gpointer data)
{
  LoopWorker *self = data;
  LoopThreadPool *pool = self->pool;
  LoopExecutorJob *done = NULL;
  gboolean is_idle = FALSE;

  current_pool = pool;
  loop_executor_worker_set_pid (&self->info, gettid ());
  pthread_mutex_lock (&pool->mutex);
  LOOP_SET_COUNT (pool->n_waking, pool->n_waking - 1);

  while (!is_idle)
    {
      LoopExecutorJob *job = loop_job_queue_pop (&pool->queue);
      LoopWorker *other = choose_sleeper (pool);
      gboolean may_spin;

      if (job == NULL)
        {
          loop_executor_worker_end_job (&self->info);
          if (pool->is_shut_down)
            break;
          fall_asleep (self);
        }
      else
        loop_executor_worker_begin_job (&self->info, job->id);
      may_spin = pool->spinner == self;
      pthread_mutex_unlock (&pool->mutex);

      signal_worker (other);
      if (done != NULL)
        loop_executor_job_complete (done, &self->port);
      if (job != NULL)
        loop_executor_job_run (job);
      else if (may_spin)
        spin (self);
      done = job;

      pthread_mutex_lock (&pool->mutex);
      if (job == NULL)
        is_idle = !sleep_until_woken (self);
      else
        LOOP_SET_COUNT (pool->n_done, pool->n_done + 1);
    }

  if (done != NULL || self->port != NULL)
    {
      pthread_mutex_unlock (&pool->mutex);
      if (done != NULL)
        loop_executor_job_complete (done, &self->port);
      g_clear_pointer (&self->port, loop_executor_port_unref);
      pthread_mutex_lock (&pool->mutex);
    }
  go_away (self);

  return NULL;
}

/* One that has lost its thread, or a new one. With the lock. */
static LoopWorker *
take_worker (LoopThreadPool *self)
{
  LoopWorker *worker = self->retired;

  if (worker != NULL)
    {
      self->retired = worker->next_sleeper;
      return worker;
    }

  worker = g_new0 (LoopWorker, 1);
  worker->pool = self;
  pthread_cond_init (&worker->wakeup, NULL);
  loop_executor_worker_publish (&self->workers, &worker->info);

  return worker;
}

/* Starts a thread when there are more jobs than threads to take them. With the lock. */
static gboolean
start_worker (LoopThreadPool *self, GError **error)
{
  g_autofree char *name = NULL;
  LoopWorker *worker;

  if (self->queue.length <= self->n_sleeping + self->n_waking || self->n_workers >= self->max_workers)
    return TRUE;

  name = g_strdup_printf ("%s_%u", self->name_prefix, self->n_started);
  worker = take_worker (self);
  pool_ref (self);
  loop_executor_worker_appear (&worker->info, loop_id_reserve (1));
  worker->thread = g_thread_try_new (name, work, worker, error);
  if (worker->thread == NULL)
    {
      loop_executor_worker_vanish (&worker->info);
      worker->next_sleeper = self->retired;
      self->retired = worker;
      g_atomic_ref_count_dec (&self->ref_count);
      return FALSE;
    }

  LOOP_SET_COUNT (self->n_workers, self->n_workers + 1);
  self->n_started++;
  LOOP_SET_COUNT (self->n_waking, self->n_waking + 1);

  return TRUE;
}

/* --- Submitting and shutting down ------------------------------------------------------------- */

static gboolean
withdraw (LoopExecutorJob *job)
{
  LoopThreadPool *self = job->owner;
  gboolean is_queued;

  pthread_mutex_lock (&self->mutex);
  is_queued = job->is_queued;
  if (is_queued && job->is_orphan)
    loop_job_queue_remove (&self->orphans, job);
  else if (is_queued)
    loop_job_queue_remove (job->func != NULL ? &self->queue : &self->waiters, job);
  pthread_mutex_unlock (&self->mutex);

  return is_queued;
}

static void
unref_owner (gpointer owner)
{
  loop_thread_pool_unref (owner);
}

static void
describe_owner (gpointer owner, LoopExecutorDescription *description)
{
  loop_thread_pool_describe (owner, description);
}

static const LoopExecutorJobClass job_class = {
  .withdraw = withdraw,
  .unref_owner = unref_owner,
  .describe = describe_owner,
};

/* Returns: %FALSE if there is no thread for the job, and none can be started */
static gboolean
enqueue (LoopThreadPool *self, LoopExecutorJob *job, LoopWorker **sleeper, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (self->is_shut_down)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_CLOSED,
                           "Cannot submit a function after the executor was shut down");
      return FALSE;
    }

  loop_job_queue_push (&self->queue, job);
  LOOP_SET_COUNT (self->n_submitted, self->n_submitted + 1);
  if (!start_worker (self, &local_error) && self->n_workers == 0)
    {
      loop_job_queue_remove (&self->queue, job);
      LOOP_SET_COUNT (self->n_submitted, self->n_submitted - 1);
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  *sleeper = choose_sleeper (self);

  return TRUE;
}

/* Returns: (transfer full): the future of @job, which is taken */
static LoopFuture *
submit (LoopThreadPool *self, LoopExecutorJob *job)
{
  LoopFuture *future = g_object_ref (job->future);
  LoopWorker *sleeper = NULL;
  GError *error = NULL;

  pthread_mutex_lock (&self->mutex);
  enqueue (self, job, &sleeper, &error);
  pthread_mutex_unlock (&self->mutex);

  if (error != NULL)
    loop_executor_job_refuse (job, error);
  else
    signal_worker (sleeper);

  return future;
}

LoopFuture *
loop_thread_pool_submit (LoopThreadPool *self,
                         LoopEventLoop *loop,
                         LoopExecutorFunc func,
                         gpointer user_data,
                         GDestroyNotify notify)
{
  return submit (self, loop_executor_job_new (loop, "run_in_executor", &job_class, pool_ref (self), func, NULL,
                                              user_data, notify));
}

LoopFuture *
loop_thread_pool_submit_droppable (LoopThreadPool *self,
                                   LoopEventLoop *loop,
                                   const char *name,
                                   LoopExecutorFunc func,
                                   gpointer user_data,
                                   GDestroyNotify notify)
{
  LoopExecutorJob *job = loop_executor_job_new (loop, name, &job_class, pool_ref (self), func, name, user_data, notify);

  job->is_droppable = TRUE;

  return submit (self, job);
}

/* With the lock. */
static void
begin_shutdown (LoopThreadPool *self)
{
  self->is_shut_down = TRUE;

  while (self->sleepers != NULL)
    {
      LoopWorker *worker = self->sleepers;

      wake_up (worker);
      pthread_cond_signal (&worker->wakeup);
    }
}

/* Waits for the end of the last thread, which is near once the pool has no workers. */
void
loop_thread_pool_join (LoopThreadPool *self)
{
  GThread *last = NULL;

  pthread_mutex_lock (&self->mutex);
  if (self->n_workers == 0)
    last = g_steal_pointer (&self->last_gone);
  pthread_mutex_unlock (&self->mutex);

  if (last != NULL)
    g_thread_join (last);
}

void
loop_thread_pool_shutdown (LoopThreadPool *self, gboolean wait, gboolean cancel_futures)
{
  LoopExecutorJob *cancelled = NULL;
  LoopExecutorJob *orphans;

  if (wait && current_pool == self)
    {
      g_critical ("A thread of an executor cannot wait for the executor to be shut down");
      wait = FALSE;
    }

  pthread_mutex_lock (&self->mutex);
  begin_shutdown (self);
  self->n_joiners += wait ? 1 : 0;
  if (cancel_futures)
    cancelled = loop_job_queue_steal_all (&self->queue);
  orphans = loop_job_queue_steal_all (&self->orphans);
  pthread_mutex_unlock (&self->mutex);

  loop_executor_jobs_complete (cancelled, LOOP_EXECUTOR_JOB_CANCELLED);
  loop_executor_jobs_complete (orphans, LOOP_EXECUTOR_JOB_CANCELLED);

  if (!wait)
    return;

  pthread_mutex_lock (&self->mutex);
  while (self->n_workers > 0)
    pthread_cond_wait (&self->all_gone, &self->mutex);
  self->n_joiners--;
  pthread_mutex_unlock (&self->mutex);
  loop_thread_pool_join (self);
}

/*
 * Shuts the pool down, as loop_thread_pool_shutdown().
 *
 * Returns: (transfer full): a future that is done when no worker is left
 */
LoopFuture *
loop_thread_pool_shutdown_async (LoopThreadPool *self, LoopEventLoop *loop, const char *name)
{
  LoopExecutorJob *job = loop_executor_job_new (loop, name, &job_class, pool_ref (self), NULL, name, NULL, NULL);
  LoopFuture *future = g_object_ref (job->future);
  gboolean has_workers;

  pthread_mutex_lock (&self->mutex);
  begin_shutdown (self);
  has_workers = self->n_workers > 0;
  if (has_workers)
    loop_job_queue_push (&self->waiters, job);
  pthread_mutex_unlock (&self->mutex);

  if (!has_workers)
    loop_executor_job_refuse (job, NULL);

  return future;
}
