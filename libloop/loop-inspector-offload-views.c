/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-views-private.h"

#include "loop-executor-job-private.h"
#include "loop-resolver-private.h"
#include "loop-signal-watcher-private.h"

/*
 * What happens outside of the loop's thread: executors, their jobs, processes and signals. All of
 * this runs under a hold of the guard, and only copies: it takes no reference, allocates
 * nothing, and calls nothing that takes a lock.
 */

/* What offers rows of an executor. */
typedef void (*OfferFunc) (LoopRowPage *page, const LoopExecutorDescription *description);

typedef struct
{
  LoopRowPage *page;
  OfferFunc offer;
  guint number;
  gconstpointer last_owner;
} Visit;

/* Executors are found by their jobs, of which each may have many: it is marked when it was found. */
static void
visit_executor (Visit *self, const LoopExecutorDescription *description)
{
  if (*description->last_visit == self->number)
    return;

  *description->last_visit = self->number;
  self->offer (self->page, description);
}

static void
visit_executor_of_job (const LoopExecutorJob *job, gpointer user_data)
{
  Visit *self = user_data;
  LoopExecutorDescription description;

  if (job->owner == self->last_owner)
    return;

  self->last_owner = job->owner;
  job->klass->describe (job->owner, &description);
  visit_executor (self, &description);
}

/* The default one, and those that have work of this loop. */
static void
visit_executors (LoopEventLoop *loop, LoopRowPage *page, OfferFunc offer)
{
  /* Only the thread of the one inspector gets here. */
  static guint n_visits;
  Visit visit = { page, offer, ++n_visits, NULL };
  LoopExecutorDescription description;

  if (loop_executor_describe_default (loop, &description))
    visit_executor (&visit, &description);
  loop_executor_foreach_job (loop, visit_executor_of_job, &visit);
}

static void
offer_executor (LoopRowPage *page, const LoopExecutorDescription *description)
{
  LoopRow row = { .id = description->id, .kind = description->kind, .fd = -1 };

  g_strlcpy (row.names[0].text, description->name, sizeof row.names[0].text);
  row.numbers[0] = description->max_workers;
  row.numbers[1] = description->n_workers;
  row.numbers[2] = description->n_idle;
  row.numbers[3] = description->queue_depth;
  row.numbers[4] = description->n_submitted;
  row.numbers[5] = description->n_done;
  loop_row_page_offer (page, &row);
}

void
loop_view_collect_executors (LoopEventLoop *loop, LoopRowPage *page)
{
  visit_executors (loop, page, offer_executor);
}

static const char *
get_worker_state (const LoopExecutorWorkerDescription *worker)
{
  if (worker->job != 0)
    return "busy";
  if (worker->is_ending)
    return "ending";

  return worker->pid == 0 ? "starting" : "idle";
}

static void
offer_workers (LoopRowPage *page, const LoopExecutorDescription *executor)
{
  for (const LoopExecutorWorker *worker = executor->workers; worker != NULL; worker = worker->next)
    {
      LoopExecutorWorkerDescription description;
      LoopRow row = { .fd = -1 };

      if (!loop_executor_worker_describe (worker, &description))
        continue;

      row.id = description.id;
      row.state = get_worker_state (&description);
      row.numbers[0] = executor->id;
      row.numbers[1] = (guint64) description.pid;
      row.numbers[2] = description.job;
      row.when = description.job != 0 && description.since != 0 ? description.since : LOOP_NEVER;
      loop_row_page_offer (page, &row);
    }
}

void
loop_view_collect_workers (LoopEventLoop *loop, LoopRowPage *page)
{
  visit_executors (loop, page, offer_workers);
}

static const char *
get_job_state (const LoopExecutorJob *job)
{
  if (__atomic_load_n (&job->is_completed, __ATOMIC_RELAXED))
    return "done";

  return __atomic_load_n (&job->is_queued, __ATOMIC_RELAXED) ? "queued" : "running";
}

static void
offer_job (const LoopExecutorJob *job, gpointer user_data)
{
  LoopRowPage *page = user_data;
  LoopExecutorDescription description;
  LoopRow row = { .id = job->id, .fd = -1 };

  if (loop_row_page_skips (page, job->id))
    return;

  job->klass->describe (job->owner, &description);
  row.state = get_job_state (job);
  row.names[0].name = job->function;
  row.names[0].function = (gpointer) job->func;
  row.numbers[0] = description.id;
  row.flag = job->future != NULL;
  loop_row_page_offer (page, &row);
}

void
loop_view_collect_jobs (LoopEventLoop *loop, LoopRowPage *page)
{
  loop_executor_foreach_job (loop, offer_job, page);
}

static void
offer_lookup (const LoopExecutorJob *job, gpointer user_data)
{
  LoopRowPage *page = user_data;
  LoopLookupDescription description;
  LoopRow row = { .id = job->id, .kind = job->function, .fd = -1 };

  if (loop_row_page_skips (page, job->id) || !loop_resolver_describe_job (job, &description))
    return;

  row.state = get_job_state (job);
  row.flag = job->future != NULL;
  row.when = description.since;
  if (description.host != NULL)
    g_strlcpy (row.names[0].text, description.host, sizeof row.names[0].text);
  if (description.service != NULL)
    g_strlcpy (row.names[1].text, description.service, sizeof row.names[1].text);
  loop_row_page_offer (page, &row);
}

void
loop_view_collect_lookups (LoopEventLoop *loop, LoopRowPage *page)
{
  loop_executor_foreach_job (loop, offer_lookup, page);
}

void
loop_view_collect_signals (LoopEventLoop *loop, LoopRowPage *page)
{
  const LoopSignalWatcher *watcher = loop->signal_watcher;

  for (int signum = 1; watcher != NULL && signum < NSIG; signum++)
    {
      const LoopSignalHandler *handler = watcher->handlers[signum];
      LoopRow row = { .fd = -1 };

      if (handler == NULL)
        continue;

      row.id = handler->watch.id;
      row.names[0].name = handler->name;
      row.names[1].function = (gpointer) handler->callback;
      row.numbers[0] = (guint64) signum;
      row.numbers[1] = handler->n_pending;
      row.numbers[2] = handler->n_caught;
      loop_row_page_offer (page, &row);
    }
}
