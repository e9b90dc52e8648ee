/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-canceller-private.h"

#include "loop-task-private.h"

/* Returns: (nullable): who cancels now; %NULL when nothing runs, or nobody wants to know */
LoopCanceller *
loop_canceller_new (LoopEventLoop *loop)
{
  LoopTask *task = loop->current_task;
  LoopDescription description = { .fd = -1 };
  LoopCanceller *self;

  if (G_LIKELY (!loop_event_loop_is_timed (loop)) || loop->current.item == NULL)
    return NULL;

  self = g_new (LoopCanceller, 1);
  if (task != NULL)
    {
      *self = (LoopCanceller) {
        .id = LOOP_FUTURE (task)->node.id,
        .kind = "task",
        .name = g_intern_string (loop_coroutine_get_name (task->coroutine)),
      };
      return self;
    }

  loop_ready_item_describe (loop->current.item, &description);
  *self = (LoopCanceller) {
    .id = description.id,
    .kind = description.kind,
    .name = description.name,
    .function = description.function,
  };

  return self;
}
