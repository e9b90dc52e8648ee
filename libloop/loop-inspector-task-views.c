/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-views-private.h"

#include "loop-fiber-private.h"
#include "loop-task-private.h"

#include <string.h>

/*
 * Who waits for what: futures, tasks, fibers and the graph of waits. All of this runs under
 * a hold of the guard, and only copies: it takes no reference, allocates nothing, and calls
 * nothing that takes a lock, or is somebody else's, as the coroutines of other languages are.
 */

#define TASK_NAME 0
#define COROUTINE 1
#define AWAITED 2
#define CANCELLER (LOOP_ROW_N_NAMES - 1)

static void
set_text (LoopRowName *name, const char *text)
{
  gsize length = strlen (text);

  if (length >= sizeof name->text)
    {
      /* Not in the midst of a character. */
      length = sizeof name->text - 1 - strlen ("…");
      while (length > 0 && ((guchar) text[length] & 0xc0) == 0x80)
        length--;
      strcpy (name->text + length, "…");
    }

  memcpy (name->text, text, length);
}

static void
set_task_name (LoopRowName *name, const LoopTask *task)
{
  if (task->name != NULL)
    set_text (name, task->name);
  else
    g_snprintf (name->text, sizeof name->text, "Task-%" G_GUINT64_FORMAT, task->number);
}

static void
set_canceller (LoopRow *row, guint index, const LoopFuture *future)
{
  const LoopCanceller *canceller = future->canceller;

  if (canceller == NULL)
    return;

  row->numbers[index] = canceller->id;
  row->canceller_kind = canceller->kind;
  row->names[CANCELLER] = (LoopRowName) { .name = canceller->name, .function = canceller->function };
}

static void
offer_future (LoopRowPage *page, LoopFuture *future)
{
  LoopRow row = { .id = future->node.id, .fd = -1 };

  row.names[0].name = future->name;
  row.state = loop_future_state_to_string (future->state);
  for (const LoopDoneCallback *callback = future->first_callback; callback != NULL; callback = callback->next)
    {
      row.numbers[0]++;
      row.numbers[1] += callback->waiter != 0;
      if (row.numbers[2] == 0)
        row.numbers[2] = callback->waiter;
    }
  if (future->state == LOOP_FUTURE_CANCELLED)
    set_canceller (&row, 3, future);
  loop_row_page_offer (page, &row);
}

void
loop_view_collect_futures (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_FUTURES, node)
    {
      if (!loop_row_page_skips (page, node->id))
        offer_future (page, loop_future_from_node (node));
    }
}

static gboolean
is_waiting (const LoopTask *task)
{
  /* When what it waits for is done, it is to go on. */
  return task->waiter != NULL && task->waiter->state == LOOP_FUTURE_PENDING;
}

static const char *
get_task_state (LoopEventLoop *loop, LoopTask *task)
{
  if (loop->current_task == task)
    return "running";
  if (task->parent_instance.state != LOOP_FUTURE_PENDING)
    return loop_future_state_to_string (task->parent_instance.state);
  if (task->n_cancels > 0)
    return "cancelling";

  return is_waiting (task) ? "waiting" : "ready";
}

/* A function of whatever coroutine it is must not be called: what it is called by then, the task was told before. */
static void
set_coroutine (LoopRow *row, const LoopTask *task)
{
  LoopFiberDescription description;

  if (task->coroutine == NULL)
    return;

  if (!LOOP_IS_FIBER (task->coroutine))
    {
      row->names[COROUTINE].name =
          task->coroutine_name != NULL ? task->coroutine_name : G_OBJECT_TYPE_NAME (task->coroutine);
      return;
    }

  loop_fiber_describe (LOOP_FIBER (task->coroutine), &description);
  row->names[COROUTINE].function = description.function;
  row->stack_bottom = description.stack_bottom;
  row->stack_size = description.stack_size;
}

static void
set_awaited (LoopRow *row, LoopFuture *awaited)
{
  row->numbers[0] = awaited->node.id;
  if (awaited->kind == LOOP_REGISTRY_TASKS)
    set_task_name (&row->names[AWAITED], (const LoopTask *) awaited);
  else
    row->names[AWAITED].name = awaited->name != NULL ? awaited->name : "future";
}

static void
offer_task (LoopEventLoop *loop, LoopRowPage *page, LoopTask *task)
{
  LoopFuture *base = &task->parent_instance;
  LoopRow row = { .id = base->node.id, .fd = -1 };

  set_task_name (&row.names[TASK_NAME], task);
  set_coroutine (&row, task);
  row.state = get_task_state (loop, task);
  if (is_waiting (task))
    set_awaited (&row, task->waiter);
  row.numbers[1] = task->n_cancels;
  if (task->n_cancels > 0 || base->state == LOOP_FUTURE_CANCELLED)
    set_canceller (&row, 2, base);
  loop_row_page_offer (page, &row);
}

void
loop_view_collect_tasks (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_TASKS, node)
    {
      if (!loop_row_page_skips (page, node->id))
        offer_task (loop, page, loop_task_from_node (node));
    }
}

/* Fibers are known by the tasks that drive them. */
void
loop_view_collect_fibers (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_TASKS, node)
    {
      LoopTask *task = loop_task_from_node (node);
      LoopFiberDescription description;
      LoopRow row = { .id = node->id, .fd = -1 };

      if (loop_row_page_skips (page, node->id) || task->coroutine == NULL || !LOOP_IS_FIBER (task->coroutine))
        continue;

      loop_fiber_describe (LOOP_FIBER (task->coroutine), &description);
      set_task_name (&row.names[TASK_NAME], task);
      set_coroutine (&row, task);
      row.state = description.state;
      loop_row_page_offer (page, &row);
    }
}

/* A row for each future that waits for another: who waits for several has several. */
void
loop_view_collect_awaits (LoopEventLoop *loop, LoopRowPage *page)
{
  static const LoopRegistryKind kinds[] = { LOOP_REGISTRY_FUTURES, LOOP_REGISTRY_TASKS };

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      LOOP_REGISTRY_FOREACH (&loop->registry, kinds[i], node)
        {
          const LoopFuture *future = loop_future_from_node (node);

          for (const LoopDoneCallback *callback = future->first_callback; callback != NULL; callback = callback->next)
            {
              LoopRow row = { .id = callback->id, .fd = -1, .numbers = { callback->waiter, node->id } };

              if (callback->waiter != 0 && !loop_row_page_skips (page, callback->id))
                loop_row_page_offer (page, &row);
            }
        }
    }
}
