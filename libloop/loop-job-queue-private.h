/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-executor-job-private.h"

G_BEGIN_DECLS

/* Jobs in a doubly linked list, so that one can be withdrawn. Under the lock of the executor. */
typedef struct
{
  LoopExecutorJob *first;
  LoopExecutorJob *last;
  guint length;
} LoopJobQueue;

/* Only with the lock, but read without it as well. */
static inline void
loop_job_queue_set_length (LoopJobQueue *self, guint length)
{
  __atomic_store_n (&self->length, length, __ATOMIC_RELAXED);
}

static inline void
loop_job_queue_push (LoopJobQueue *self, LoopExecutorJob *job)
{
  job->next = NULL;
  job->prev = self->last;
  if (self->last != NULL)
    self->last->next = job;
  else
    self->first = job;
  self->last = job;
  loop_job_queue_set_length (self, self->length + 1);
  loop_executor_job_set_queued (job, TRUE);
}

static inline void
loop_job_queue_push_first (LoopJobQueue *self, LoopExecutorJob *job)
{
  job->prev = NULL;
  job->next = self->first;
  if (self->first != NULL)
    self->first->prev = job;
  else
    self->last = job;
  self->first = job;
  loop_job_queue_set_length (self, self->length + 1);
  loop_executor_job_set_queued (job, TRUE);
}

static inline void
loop_job_queue_remove (LoopJobQueue *self, LoopExecutorJob *job)
{
  if (job->prev != NULL)
    job->prev->next = job->next;
  else
    self->first = job->next;
  if (job->next != NULL)
    job->next->prev = job->prev;
  else
    self->last = job->prev;
  loop_job_queue_set_length (self, self->length - 1);
  loop_executor_job_set_queued (job, FALSE);
}

static inline LoopExecutorJob *
loop_job_queue_pop (LoopJobQueue *self)
{
  LoopExecutorJob *job = self->first;

  if (job != NULL)
    loop_job_queue_remove (self, job);

  return job;
}

static inline LoopExecutorJob *
loop_job_queue_steal_all (LoopJobQueue *self)
{
  LoopExecutorJob *jobs = self->first;

  for (LoopExecutorJob *job = jobs; job != NULL; job = job->next)
    loop_executor_job_set_queued (job, FALSE);
  self->first = self->last = NULL;
  loop_job_queue_set_length (self, 0);

  return jobs;
}

G_END_DECLS
