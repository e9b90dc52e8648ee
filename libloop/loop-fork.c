/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-fork-private.h"

/*
 * The child of a fork has none of the other threads of its parent, but what they were in the
 * middle of: a lock that one of them had would never be given back. So the forking thread
 * takes all of them before.
 */
static const LoopForkHandlers *all_handlers[LOOP_FORK_N];

static void
prepare (void)
{
  for (int i = 0; i < LOOP_FORK_N; i++)
    {
      const LoopForkHandlers *handlers = all_handlers[i];

      if (handlers == NULL)
        continue;

      pthread_mutex_lock (handlers->mutex);
      if (handlers->prepare != NULL)
        handlers->prepare ();
    }
}

static void
go_on_in_parent (void)
{
  for (int i = LOOP_FORK_N; i-- > 0;)
    {
      const LoopForkHandlers *handlers = all_handlers[i];

      if (handlers == NULL)
        continue;

      if (handlers->go_on_in_parent != NULL)
        handlers->go_on_in_parent ();
      pthread_mutex_unlock (handlers->mutex);
    }
}

static void
go_on_in_child (void)
{
  for (int i = LOOP_FORK_N; i-- > 0;)
    {
      const LoopForkHandlers *handlers = all_handlers[i];

      if (handlers == NULL)
        continue;

      if (handlers->go_on_in_child != NULL)
        handlers->go_on_in_child ();
      pthread_mutex_unlock (handlers->mutex);
    }
}

/* Called when the library is loaded. */
void
loop_fork_watch (LoopForkOrder order, const LoopForkHandlers *handlers)
{
  static gboolean is_watching;

  g_assert (all_handlers[order] == NULL);
  all_handlers[order] = handlers;

  if (!is_watching)
    pthread_atfork (prepare, go_on_in_parent, go_on_in_child);
  is_watching = TRUE;
}
