/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-coroutine-private.h"
#include "loop-future-private.h"
#include "loop-task.h"

G_BEGIN_DECLS

struct _LoopTask
{
  LoopFuture parent_instance;

  LoopCloseHook close_hook;
  LoopCoroutine *coroutine; /* until it has ended */
  LoopCoroutineInterface *coroutine_iface;
  LoopFuture *waiter; /* what the coroutine waits for, or NULL */
  guint64 waiter_callback;
  const char *coroutine_name; /* interned; or NULL if nobody wanted to know when it was made */
  char *name;                 /* or NULL for one that is made of its number */
  guint64 number;
  guint n_cancels; /* requests that were not taken back */
  guint8 must_cancel;
};

struct _LoopTaskClass
{
  LoopFutureClass parent_class;
};

static inline LoopTask *
loop_task_from_node (LoopRegistryNode *node)
{
  return (LoopTask *) ((char *) node - G_STRUCT_OFFSET (LoopFuture, node));
}

G_END_DECLS
