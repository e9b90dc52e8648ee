/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-views-private.h"

#include "loop-executor-job-private.h"
#include "loop-signal-watcher-private.h"

/*
 * What happens outside of the loop's thread: executors, their jobs, and signals. All of
 * this runs under a hold of the guard, and only copies: it takes no reference, allocates
 * nothing, and calls nothing that takes a lock.
 */

static void
offer_executor (LoopRowPage *page, const LoopExecutorDescription *description)
{
  LoopRow row = { .id = description->id, .kind = description->kind, .fd = -1 };

  /* Others that the loop uses are found by their jobs, of which there may be many. */
  for (guint i = 0; i < page->n_rows; i++)
    {
      if (page->rows[i].id == description->id)
        return;
    }

  g_strlcpy (row.names[0].text, description->name, sizeof row.names[0].text);
  row.numbers[0] = description->max_workers;
  row.numbers[1] = description->n_workers;
  row.numbers[2] = description->n_idle;
  row.numbers[3] = description->queue_depth;
  row.numbers[4] = description->n_done;
  loop_row_page_offer (page, &row);
}

static void
offer_executor_of_job (const LoopExecutorJob *job, gpointer user_data)
{
  LoopExecutorDescription description;

  if (job->klass->describe == NULL)
    return;

  job->klass->describe (job->owner, &description);
  offer_executor (user_data, &description);
}

/* The default one, and those that have work of this loop. */
void
loop_view_collect_executors (LoopEventLoop *loop, LoopRowPage *page)
{
  LoopExecutorDescription description;

  if (loop_executor_describe_default (loop, &description))
    offer_executor (page, &description);
  loop_executor_foreach_job (loop, offer_executor_of_job, page);
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
  LoopExecutorDescription description = { 0 };
  LoopRow row = { .id = job->id, .fd = -1 };

  if (loop_row_page_skips (page, job->id))
    return;

  if (job->klass->describe != NULL)
    job->klass->describe (job->owner, &description);
  row.state = get_job_state (job);
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
