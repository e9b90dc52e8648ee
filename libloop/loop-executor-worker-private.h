/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"

#include <sys/types.h>

G_BEGIN_DECLS

typedef struct _LoopExecutorWorker LoopExecutorWorker;

/*
 * What an inspector sees of a thread or process of an executor, without a lock: one thread at a
 * time writes it, in an order by which a reader knows that it has read of two workers, or jobs.
 */
struct _LoopExecutorWorker
{
  LoopExecutorWorker *next; /* of those that the executor ever had: never changes */
  guint64 id;               /* or 0: there is none; what follows is of whoever has it */
  pid_t pid;                /* as the kernel counts processes and threads; or 0: not known yet */
  guint8 is_ending;
  guint64 job;  /* or 0 */
  gint64 since; /* when that began; or 0: not known */
};

typedef struct
{
  guint64 id;
  pid_t pid;
  gboolean is_ending;
  guint64 job;
  gint64 since;
} LoopExecutorWorkerDescription;

static inline void
loop_executor_worker_appear (LoopExecutorWorker *self, guint64 id)
{
  __atomic_store_n (&self->pid, 0, __ATOMIC_RELEASE);
  __atomic_store_n (&self->is_ending, FALSE, __ATOMIC_RELEASE);
  __atomic_store_n (&self->id, id, __ATOMIC_RELEASE);
}

static inline void
loop_executor_worker_vanish (LoopExecutorWorker *self)
{
  __atomic_store_n (&self->id, 0, __ATOMIC_RELAXED);
}

static inline void
loop_executor_worker_set_pid (LoopExecutorWorker *self, pid_t pid)
{
  __atomic_store_n (&self->pid, pid, __ATOMIC_RELAXED);
}

static inline void
loop_executor_worker_set_ending (LoopExecutorWorker *self)
{
  __atomic_store_n (&self->is_ending, TRUE, __ATOMIC_RELAXED);
}

static inline void
loop_executor_worker_end_job (LoopExecutorWorker *self)
{
  __atomic_store_n (&self->job, 0, __ATOMIC_RELAXED);
}

/* The clock is only read while somebody looks. */
static inline void
loop_executor_worker_begin_job (LoopExecutorWorker *self, guint64 job)
{
  gboolean is_observed = __atomic_load_n (&loop_event_loop_n_observers, __ATOMIC_RELAXED) > 0;

  __atomic_store_n (&self->job, 0, __ATOMIC_RELAXED);
  __atomic_store_n (&self->since, G_UNLIKELY (is_observed) ? loop_clock_now () : 0, __ATOMIC_RELEASE);
  __atomic_store_n (&self->job, job, __ATOMIC_RELEASE);
}

/* Returns: %FALSE if there is no such worker any more */
static inline gboolean
loop_executor_worker_describe (const LoopExecutorWorker *self, LoopExecutorWorkerDescription *description)
{
  do
    {
      description->id = __atomic_load_n (&self->id, __ATOMIC_ACQUIRE);
      description->job = __atomic_load_n (&self->job, __ATOMIC_ACQUIRE);
      description->since = __atomic_load_n (&self->since, __ATOMIC_ACQUIRE);
      description->pid = __atomic_load_n (&self->pid, __ATOMIC_ACQUIRE);
      description->is_ending = __atomic_load_n (&self->is_ending, __ATOMIC_ACQUIRE);
    }
  while (description->id != __atomic_load_n (&self->id, __ATOMIC_ACQUIRE) ||
         description->job != __atomic_load_n (&self->job, __ATOMIC_ACQUIRE));

  return description->id != 0;
}

/* Adds a worker to those of an executor, of which one thread at a time does that. */
static inline void
loop_executor_worker_publish (LoopExecutorWorker **list, LoopExecutorWorker *self)
{
  self->next = *list;
  __atomic_store_n (list, self, __ATOMIC_RELEASE);
}

G_END_DECLS
