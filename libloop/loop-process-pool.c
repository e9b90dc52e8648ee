/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-process-pool-private.h"

#include "loop-fork-private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* All pools, for the child of a fork. */
static pthread_mutex_t all_pools_mutex = PTHREAD_MUTEX_INITIALIZER;
static GPtrArray *all_pools;

static void
lock_pools (void)
{
  for (guint i = 0; all_pools != NULL && i < all_pools->len; i++)
    pthread_mutex_lock (&((LoopProcessPool *) g_ptr_array_index (all_pools, i))->mutex);
}

static void
unlock_pools (void)
{
  for (guint i = 0; all_pools != NULL && i < all_pools->len; i++)
    pthread_mutex_unlock (&((LoopProcessPool *) g_ptr_array_index (all_pools, i))->mutex);
}

LOOP_FORK_WATCH (LOOP_FORK_PROCESS_POOLS,
                 .mutex = &all_pools_mutex,
                 .prepare = lock_pools,
                 .go_on_in_parent = unlock_pools,
                 .go_on_in_child = unlock_pools)

static LoopProcessPool *
pool_ref (LoopProcessPool *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

void
loop_process_pool_unref (LoopProcessPool *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->queue.length == 0 && self->workers->len == 0 && self->port == NULL);

  pthread_mutex_lock (&all_pools_mutex);
  g_ptr_array_remove_fast (all_pools, self);
  if (all_pools->len == 0)
    g_clear_pointer (&all_pools, g_ptr_array_unref);
  pthread_mutex_unlock (&all_pools_mutex);

  g_clear_pointer (&self->zygote, loop_zygote_unref);
  g_clear_pointer (&self->thread, g_thread_unref);
  g_ptr_array_unref (self->workers);
  for (LoopExecutorWorker *info = self->infos; info != NULL;)
    {
      LoopExecutorWorker *next = info->next;

      g_free (info);
      info = next;
    }
  g_array_unref (self->pollfds);
  if (self->wakeup_fd >= 0)
    close (self->wakeup_fd);
  pthread_cond_destroy (&self->has_ended);
  pthread_mutex_destroy (&self->mutex);
  g_free (self);
}

LoopProcessPool *
loop_process_pool_new (guint max_workers)
{
  LoopProcessPool *self = g_new0 (LoopProcessPool, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->id = loop_id_reserve (1);
  self->max_workers = max_workers;
  self->owner = getpid ();
  self->wakeup_fd = -1;
  self->workers = g_ptr_array_new ();
  self->pollfds = g_array_new (FALSE, FALSE, sizeof (struct pollfd));
  pthread_mutex_init (&self->mutex, NULL);
  pthread_cond_init (&self->has_ended, NULL);

  pthread_mutex_lock (&all_pools_mutex);
  if (all_pools == NULL)
    all_pools = g_ptr_array_new ();
  g_ptr_array_add (all_pools, self);
  pthread_mutex_unlock (&all_pools_mutex);

  return self;
}

LoopProcessPoolCounts
loop_process_pool_get_counts (LoopProcessPool *self)
{
  LoopProcessPoolCounts counts;

  pthread_mutex_lock (&self->mutex);
  counts.n_workers = self->n_workers;
  counts.n_idle = self->n_workers - self->n_busy;
  counts.queue_depth = self->queue.length;
  pthread_mutex_unlock (&self->mutex);

  return counts;
}

/* --- Workers, in the pool's thread ------------------------------------------------------------ */

/* Hands back the job of a worker, with its outcome; by then the worker is idle for whoever asks. */
static void
complete (LoopProcessPool *self, LoopProcess *worker)
{
  loop_executor_worker_end_job (worker->info);
  pthread_mutex_lock (&self->mutex);
  LOOP_SET_COUNT (self->n_busy, self->n_busy - 1);
  LOOP_SET_COUNT (self->n_done, self->n_done + 1);
  pthread_mutex_unlock (&self->mutex);

  loop_executor_job_complete (g_steal_pointer (&worker->job), &self->port);
  self->cannot_fork = FALSE;
}

static void
fail (LoopProcessPool *self, LoopProcess *worker, GError *error)
{
  worker->job->outcome = LOOP_EXECUTOR_JOB_RAISED;
  worker->job->error = error;
  complete (self, worker);
}

/* Of a worker that certainly has not begun with it. */
static void
take_back (LoopProcessPool *self, LoopProcess *worker)
{
  loop_executor_worker_end_job (worker->info);
  pthread_mutex_lock (&self->mutex);
  LOOP_SET_COUNT (self->n_busy, self->n_busy - 1);
  loop_job_queue_push_first (&self->queue, g_steal_pointer (&worker->job));
  pthread_mutex_unlock (&self->mutex);
}

/* The jobs that wait do so for another worker, but not when there is none. Takes @error. */
static void
fork_failed (LoopProcessPool *self, GError *error)
{
  LoopExecutorJob *jobs;

  self->cannot_fork = TRUE;
  if (self->workers->len == 0)
    {
      pthread_mutex_lock (&self->mutex);
      jobs = loop_job_queue_steal_all (&self->queue);
      pthread_mutex_unlock (&self->mutex);

      for (LoopExecutorJob *job = jobs; job != NULL; job = job->next)
        job->error = g_error_copy (error);
      loop_executor_jobs_complete (jobs, LOOP_EXECUTOR_JOB_RAISED);
    }

  g_error_free (error);
}

/* What an inspector sees of a worker: of one that has gone, or a new one. */
static LoopExecutorWorker *
take_info (LoopProcessPool *self)
{
  LoopExecutorWorker *info = self->infos;

  while (info != NULL && info->id != 0)
    info = info->next;
  if (info == NULL)
    {
      info = g_new0 (LoopExecutorWorker, 1);
      loop_executor_worker_publish (&self->infos, info);
    }

  loop_executor_worker_appear (info, loop_id_reserve (1));

  return info;
}

static LoopProcess *
add_worker (LoopProcessPool *self)
{
  GError *error = NULL;
  LoopProcess *worker;

  if (self->workers->len >= self->max_workers || self->cannot_fork)
    return NULL;

  worker = loop_process_new (self->zygote, &error);
  if (worker == NULL)
    {
      fork_failed (self, error);
      return NULL;
    }

  worker->info = take_info (self);
  g_ptr_array_add (self->workers, worker);
  pthread_mutex_lock (&self->mutex);
  LOOP_SET_COUNT (self->n_workers, self->n_workers + 1);
  pthread_mutex_unlock (&self->mutex);

  return worker;
}

static void
remove_worker (LoopProcessPool *self, LoopProcess *worker)
{
  g_ptr_array_remove (self->workers, worker);
  self->cannot_fork = FALSE;
  loop_executor_worker_vanish (worker->info);
  pthread_mutex_lock (&self->mutex);
  LOOP_SET_COUNT (self->n_workers, self->n_workers - 1);
  pthread_mutex_unlock (&self->mutex);
}

static LoopProcess *
find_idle (LoopProcessPool *self)
{
  for (guint i = 0; i < self->workers->len; i++)
    {
      LoopProcess *worker = g_ptr_array_index (self->workers, i);

      if (loop_process_is_idle (worker))
        return worker;
    }

  return NULL;
}

static void
receive (LoopProcessPool *self, LoopProcess *worker)
{
  switch (loop_process_receive (worker))
    {
    case LOOP_PROCESS_DONE:
      complete (self, worker);
      break;
    case LOOP_PROCESS_BROKEN:
      if (worker->job != NULL)
        fail (self, worker,
              g_error_new_literal (LOOP_ERROR, LOOP_ERROR_BROKEN_PROCESS_POOL,
                                   "A worker process sent something that is not a result, and was killed"));
      loop_process_kill (worker);
      break;
    case LOOP_PROCESS_GONE:
      loop_process_kill (worker);
      break;
    case LOOP_PROCESS_PENDING:
    default:
      break;
    }
}

static GError *
describe_end (const LoopZygoteReport *report)
{
  if (WIFSIGNALED (report->value))
    return g_error_new (LOOP_ERROR, LOOP_ERROR_BROKEN_PROCESS_POOL,
                        "Worker process %d was killed by signal %d (%s) before its job was done", report->pid,
                        WTERMSIG (report->value), g_strsignal (WTERMSIG (report->value)));

  return g_error_new (LOOP_ERROR, LOOP_ERROR_BROKEN_PROCESS_POOL,
                      "Worker process %d exited with status %d before its job was done", report->pid,
                      WEXITSTATUS (report->value));
}

static void
worker_ended (LoopProcessPool *self, LoopProcess *worker, const LoopZygoteReport *report)
{
  GError *error = NULL;

  /* What it may have sent at last. */
  if (worker->fd >= 0)
    receive (self, worker);

  remove_worker (self, worker);
  if (report->event == LOOP_ZYGOTE_GONE)
    {
      /* It may be stopped or about to end: now it certainly has, and no worker is left. */
      loop_zygote_end (self->zygote);
      loop_zygote_set_ended_error (&error);
    }
  else if (report->event == LOOP_ZYGOTE_FAILED)
    {
      loop_set_error_from_errno (&error, report->value, "Cannot fork a worker");
      if (worker->job != NULL)
        take_back (self, worker);
      fork_failed (self, g_steal_pointer (&error));
    }
  else if (worker->job != NULL)
    error = describe_end (report);

  if (worker->job != NULL)
    fail (self, worker, g_steal_pointer (&error));
  g_clear_error (&error);
  loop_process_free (worker);
}

static void
read_reports (LoopProcessPool *self, LoopProcess *worker)
{
  LoopZygoteReport report;

  while (loop_process_read_report (worker, &report))
    {
      if (report.event != LOOP_ZYGOTE_BEGUN)
        {
          worker_ended (self, worker, &report);
          return;
        }
      loop_executor_worker_set_pid (worker->info, report.pid);
    }
}

/* --- The pool's thread ------------------------------------------------------------------------ */

static LoopExecutorJob *
take_job (LoopProcessPool *self)
{
  LoopExecutorJob *job;

  pthread_mutex_lock (&self->mutex);
  job = loop_job_queue_pop (&self->queue);
  if (job != NULL)
    LOOP_SET_COUNT (self->n_busy, self->n_busy + 1);
  pthread_mutex_unlock (&self->mutex);

  return job;
}

static gboolean
has_jobs (LoopProcessPool *self)
{
  return __atomic_load_n (&self->queue.length, __ATOMIC_ACQUIRE) > 0;
}

static void
dispatch (LoopProcessPool *self)
{
  while (has_jobs (self))
    {
      LoopProcess *worker = find_idle (self);
      LoopExecutorJob *job;

      if (worker == NULL)
        worker = add_worker (self);
      job = worker != NULL ? take_job (self) : NULL;
      if (job == NULL)
        return;

      loop_executor_worker_begin_job (worker->info, job->id);
      loop_process_give (worker, job);
      if (!loop_process_send (worker))
        {
          /* It has ended since its last job, or before its first. */
          take_back (self, worker);
          loop_process_kill (worker);
        }
    }
}

/* Returns: %TRUE when no worker is left, and none will be */
static gboolean
is_finished (LoopProcessPool *self)
{
  gboolean is_shut_down;

  pthread_mutex_lock (&self->mutex);
  is_shut_down = self->is_shut_down && self->queue.length == 0 && self->n_busy == 0;
  pthread_mutex_unlock (&self->mutex);

  if (is_shut_down)
    for (guint i = 0; i < self->workers->len; i++)
      loop_process_dismiss (g_ptr_array_index (self->workers, i));

  return is_shut_down && self->workers->len == 0;
}

static void
add_pollfd (LoopProcessPool *self, int fd, short events)
{
  struct pollfd pollfd = { fd, events, 0 };

  g_array_append_val (self->pollfds, pollfd);
}

static void
wait_for_events (LoopProcessPool *self)
{
  g_array_set_size (self->pollfds, 0);
  add_pollfd (self, self->wakeup_fd, POLLIN);
  for (guint i = 0; i < self->workers->len; i++)
    {
      LoopProcess *worker = g_ptr_array_index (self->workers, i);

      add_pollfd (self, worker->fd, POLLIN | (loop_process_is_sending (worker) ? POLLOUT : 0));
      add_pollfd (self, worker->status_fd, POLLIN);
    }

  /* It is not to be kept for as long as nothing happens. */
  g_clear_pointer (&self->port, loop_executor_port_unref);

  while (poll ((struct pollfd *) (void *) self->pollfds->data, self->pollfds->len, -1) < 0 && errno == EINTR)
    ;
}

static void
get_woken (LoopProcessPool *self)
{
  guint64 n;

  pthread_mutex_lock (&self->mutex);
  self->is_woken = FALSE;
  if (read (self->wakeup_fd, &n, sizeof n) < 0)
    g_assert (errno == EAGAIN || errno == EINTR);
  pthread_mutex_unlock (&self->mutex);

  self->cannot_fork = FALSE;
}

static void
handle_events (LoopProcessPool *self)
{
  const struct pollfd *events = (const struct pollfd *) (const void *) self->pollfds->data;

  if (events[0].revents != 0)
    get_woken (self);

  /* Backwards: those that have ended are removed. */
  for (guint i = self->workers->len; i-- > 0;)
    {
      LoopProcess *worker = g_ptr_array_index (self->workers, i);
      short revents = events[1 + 2 * i].revents;

      if ((revents & POLLOUT) != 0 && !loop_process_send (worker))
        loop_process_kill (worker);
      else if ((revents & ~POLLOUT) != 0)
        receive (self, worker);
      if (events[2 + 2 * i].revents != 0)
        read_reports (self, worker);
    }
}

static gpointer
work (gpointer data)
{
  LoopProcessPool *self = data;
  LoopZygote *zygote;

  for (;;)
    {
      dispatch (self);
      if (is_finished (self))
        break;
      wait_for_events (self);
      handle_events (self);
    }

  g_clear_pointer (&self->port, loop_executor_port_unref);
  pthread_mutex_lock (&self->mutex);
  zygote = g_steal_pointer (&self->zygote);
  pthread_mutex_unlock (&self->mutex);
  loop_zygote_unref (zygote);

  pthread_mutex_lock (&self->mutex);
  self->is_running = FALSE;
  pthread_cond_broadcast (&self->has_ended);
  pthread_mutex_unlock (&self->mutex);
  loop_process_pool_unref (self);

  return NULL;
}

/* --- Submitting and shutting down, in any thread ---------------------------------------------- */

static gboolean
withdraw (LoopExecutorJob *job)
{
  LoopProcessPool *self = job->owner;
  gboolean is_queued;

  pthread_mutex_lock (&self->mutex);
  is_queued = job->is_queued;
  if (is_queued)
    loop_job_queue_remove (&self->queue, job);
  pthread_mutex_unlock (&self->mutex);

  return is_queued;
}

static void
unref_owner (gpointer owner)
{
  loop_process_pool_unref (owner);
}

static void
describe_owner (gpointer owner, LoopExecutorDescription *description)
{
  LoopProcessPool *self = owner;
  guint n_workers = LOOP_PEEK_COUNT (self->n_workers);

  *description = (LoopExecutorDescription) {
    .id = self->id,
    .kind = "processes",
    .name = LOOP_PROCESS_WORKER_NAME,
    .max_workers = self->max_workers,
    .n_workers = n_workers,
    .n_idle = n_workers - MIN (n_workers, LOOP_PEEK_COUNT (self->n_busy)),
    .queue_depth = LOOP_PEEK_COUNT (self->queue.length),
    .n_submitted = LOOP_PEEK_COUNT (self->n_submitted),
    .n_done = LOOP_PEEK_COUNT (self->n_done),
    .workers = __atomic_load_n (&self->infos, __ATOMIC_ACQUIRE),
    .last_visit = &self->last_visit,
  };
}

static const LoopExecutorJobClass job_class = {
  .withdraw = withdraw,
  .unref_owner = unref_owner,
  .describe = describe_owner,
};

/* With the lock. */
static void
wake_up (LoopProcessPool *self)
{
  const guint64 one = 1;

  if (!self->is_running || self->is_woken)
    return;

  self->is_woken = TRUE;
  while (write (self->wakeup_fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
}

/* With the lock, which is given back meanwhile, for it may fork. */
static gboolean
prepare (LoopProcessPool *self, GError **error)
{
  LoopZygote *zygote;

  if (self->zygote != NULL)
    return TRUE;

  pthread_mutex_unlock (&self->mutex);
  zygote = loop_zygote_get (error);
  pthread_mutex_lock (&self->mutex);
  if (zygote == NULL)
    return FALSE;

  if (self->zygote == NULL)
    self->zygote = zygote;
  else
    loop_zygote_unref (zygote);

  return TRUE;
}

/* Sees to it that there is a zygote, before the process has threads. */
gboolean
loop_process_pool_prepare (LoopProcessPool *self, GError **error)
{
  gboolean success;

  pthread_mutex_lock (&self->mutex);
  success = prepare (self, error);
  pthread_mutex_unlock (&self->mutex);

  return success;
}

/* With the lock. */
static gboolean
ensure_thread (LoopProcessPool *self, GError **error)
{
  if (self->is_running)
    return TRUE;

  if (self->wakeup_fd < 0)
    self->wakeup_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (self->wakeup_fd < 0)
    {
      loop_set_error_from_errno (error, errno, "Cannot make the eventfd of a process pool");
      return FALSE;
    }

  self->thread = g_thread_try_new ("process-pool", work, pool_ref (self), error);
  self->is_running = self->thread != NULL;
  if (!self->is_running)
    g_atomic_ref_count_dec (&self->ref_count);

  return self->is_running;
}

/* With the lock. */
static gboolean
enqueue (LoopProcessPool *self, LoopExecutorJob *job, GError **error)
{
  if (!self->is_shut_down && !prepare (self, error))
    return FALSE;

  if (self->is_shut_down)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_CLOSED,
                           "Cannot submit a function after the executor was shut down");
      return FALSE;
    }

  if (!ensure_thread (self, error))
    return FALSE;

  loop_job_queue_push (&self->queue, job);
  LOOP_SET_COUNT (self->n_submitted, self->n_submitted + 1);
  /* Otherwise it looks for jobs as soon as a worker is done. */
  if (self->n_busy < self->n_workers || self->n_workers < self->max_workers)
    wake_up (self);

  return TRUE;
}

/* Takes the frame. @function is static. */
LoopFuture *
loop_process_pool_submit (LoopProcessPool *self, LoopEventLoop *loop, const char *function, LoopProcessFrame *call)
{
  LoopExecutorJob *job = loop_executor_job_new (loop, "run_in_executor", &job_class, pool_ref (self), NULL, function,
                                                call, (GDestroyNotify) loop_process_frame_free);
  LoopFuture *future = g_object_ref (job->future);
  GError *error = NULL;

  if (self->owner == getpid ())
    {
      pthread_mutex_lock (&self->mutex);
      enqueue (self, job, &error);
      pthread_mutex_unlock (&self->mutex);
    }
  else
    g_set_error_literal (&error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE,
                         "A process pool can be used by the process only that has made it");

  if (error != NULL)
    loop_executor_job_refuse (job, error);

  return future;
}

void
loop_process_pool_shutdown (LoopProcessPool *self, gboolean wait, gboolean cancel_futures)
{
  LoopExecutorJob *cancelled = NULL;
  GThread *thread = NULL;

  /* The thread that would do it is the parent's. */
  if (self->owner != getpid ())
    return;

  pthread_mutex_lock (&self->mutex);
  self->is_shut_down = TRUE;
  if (cancel_futures)
    cancelled = loop_job_queue_steal_all (&self->queue);
  wake_up (self);
  if (!self->is_running)
    g_clear_pointer (&self->zygote, loop_zygote_unref);
  pthread_mutex_unlock (&self->mutex);

  loop_executor_jobs_complete (cancelled, LOOP_EXECUTOR_JOB_CANCELLED);

  if (!wait)
    return;

  pthread_mutex_lock (&self->mutex);
  while (self->is_running)
    pthread_cond_wait (&self->has_ended, &self->mutex);
  thread = g_steal_pointer (&self->thread);
  pthread_mutex_unlock (&self->mutex);

  if (thread != NULL)
    g_thread_join (thread);
}
