/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-views-private.h"

/*
 * What the loop calls: handles, timers and watches. All of this runs under a hold of the guard, and only copies: it takes no reference,
 * allocates nothing, and calls nothing that takes a lock.
 */

static void
offer_item (LoopRowPage *page, const LoopReadyItem *item, const char *state)
{
  LoopDescription description = { .fd = -1 };
  LoopRow row = { .fd = -1, .state = state };

  loop_ready_item_describe (item, &description);
  row.id = description.id;
  row.kind = description.kind;
  row.names[0].name = description.name;
  row.names[0].function = description.function;
  row.fd = description.fd;
  row.when = description.when;
  loop_row_page_offer (page, &row);
}

static void
offer_call (const LoopIncomingCall *call, const char *state, LoopRowPage *page)
{
  LoopRow row = { .id = call->id, .kind = "handle", .state = state, .fd = -1 };

  if (call->callback != NULL)
    {
      row.names[0].function = (gpointer) call->callback;
    }
  else
    {
      row.names[0].name = loop_handle_peek_name (call->handle);
      row.names[0].function = (gpointer) call->handle->callback;
    }

  loop_row_page_offer (page, &row);
}

static void
offer_incoming (const LoopIncomingCall *call, gpointer user_data)
{
  offer_call (call, "incoming", user_data);
}

static void
offer_calls (const LoopCallBatch *batch, LoopRowPage *page)
{
  for (guint i = batch->next; i < batch->n_calls; i++)
    {
      if (batch->calls[i].callback != NULL || batch->calls[i].handle->item.handle_state == LOOP_HANDLE_INCOMING)
        offer_call (&batch->calls[i], "ready", page);
    }
}

static void
collect_queue (LoopReadyQueue *queue, LoopRowPage *page)
{
  for (LoopReadyItem *item = queue->head.next; item != &queue->head; item = item->next)
    {
      if (item->kind == LOOP_ITEM_CALLS)
        offer_calls ((const LoopCallBatch *) item, page);
      else
        offer_item (page, item, "ready");
    }
}

void
loop_view_collect_handles (LoopEventLoop *loop, LoopRowPage *page)
{
  if (loop->current.item != NULL)
    offer_item (page, loop->current.item, "running");

  collect_queue (&loop->batch, page);
  collect_queue (&loop->ready, page);

  if (loop->incoming != NULL)
    loop_incoming_foreach (loop->incoming, offer_incoming, page);
}

void
loop_view_collect_timers (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_TIMER_QUEUE_FOREACH (&loop->timers, entry)
  {
    const LoopHandle *handle = &entry->handle->parent;
    LoopRow row;

    if (!loop_row_page_wants (page, entry->when, handle->id))
      continue;

    row = (LoopRow) {
      .id = handle->id,
      .when = entry->when,
      .names[0] = { .name = loop_handle_peek_name (handle), .function = (gpointer) handle->callback },
      .fd = -1,
    };
    loop_row_page_offer (page, &row);
  }
}

void
loop_view_collect_watches (LoopEventLoop *loop, LoopRowPage *page)
{
  for (guint i = 0; i < loop->poller.n_slots; i++)
    {
      const LoopWatch *watch = loop->poller.watches != NULL ? loop->poller.watches[i] : NULL;
      LoopDescription description = { .fd = -1 };
      LoopRow row = { 0 };

      if (watch == NULL)
        continue;

      watch->klass->describe (watch, !(watch->wanted & LOOP_INTEREST_READ), &description);
      row.id = description.id;
      row.kind = description.kind;
      row.names[0].name = description.name;
      row.names[0].function = description.function;
      row.fd = watch->fd;
      row.events = watch->wanted;
      loop_row_page_offer (page, &row);
    }
}
