/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

#include "loop-fork-private.h"

/*
 * All loops of the process, and what becomes of them in the child of a fork.
 *
 * A child shares the kernel's objects with its parent: what it changed in an epoll set
 * would be changed for both, and what it read from an eventfd the parent would wait for in
 * vain. So the copies that it has of its parent's loops are good for nothing but to be closed.
 */

/* A thread does not stay inside a section of the guard for longer unless it gets no processor. */
#define MAX_GUARD_WAIT_US (100 * 1000)

int loop_event_loop_n_observers;
void (*loop_event_loop_put_off) (void);
void (*loop_event_loop_first_made) (void);

static pthread_mutex_t all_loops_mutex = PTHREAD_MUTEX_INITIALIZER;
static GPtrArray *all_loops;
static gsize first_made;

void
loop_event_loop_foreach (LoopEventLoopFunc function, gpointer user_data)
{
  pthread_mutex_lock (&all_loops_mutex);
  for (guint i = 0; all_loops != NULL && i < all_loops->len; i++)
    function (g_ptr_array_index (all_loops, i), user_data);
  pthread_mutex_unlock (&all_loops_mutex);
}

/*
 * Whatever the forking thread needs in the child is not in the middle of a change then:
 * the threads that would end the change are not there.
 */
static void
prepare_fork (void)
{
  for (guint i = 0; all_loops != NULL && i < all_loops->len; i++)
    {
      LoopEventLoop *loop = g_ptr_array_index (all_loops, i);

      loop->is_held = loop_guard_hold (&loop->guard, MAX_GUARD_WAIT_US);
      if (loop->incoming != NULL)
        pthread_mutex_lock (&loop->incoming->mutex);
    }
}

static void
go_on_in_parent (void)
{
  for (guint i = 0; all_loops != NULL && i < all_loops->len; i++)
    {
      LoopEventLoop *loop = g_ptr_array_index (all_loops, i);

      if (loop->incoming != NULL)
        pthread_mutex_unlock (&loop->incoming->mutex);
      if (loop->is_held)
        loop_guard_release (&loop->guard);
      loop->is_held = FALSE;
    }
}

static void
leave_to_parent (LoopEventLoop *self)
{
  /* Other threads may have been waiting for it, or had it if we have not: it begins anew. */
  if (self->is_held)
    loop_guard_release (&self->guard);
  loop_guard_init (&self->guard);
  self->is_held = FALSE;
  if (self->incoming != NULL)
    {
      self->incoming->is_closed = TRUE;
      self->incoming->is_asleep = FALSE;
      pthread_mutex_unlock (&self->incoming->mutex);
    }

  if (self->is_closed)
    return;

  self->is_closed = self->is_forked = TRUE;
  loop_poller_abandon (&self->poller, self->incoming->wakeup_fd);
  loop_source_abandon (self->source);

  /* A callback that forked returns to a loop that has nothing to do and stops. */
  loop_ready_queue_splice (&self->batch, &self->ready);
  loop_ready_queue_splice (&self->ready, &self->batch);
  self->is_stopping = TRUE;

  /* And a thread that the child does not have runs no loop. */
  if (self->thread != loop_thread_self ())
    {
      self->is_context_lost = self->thread != NULL || (self->home != NULL && self->home != loop_thread_self ());
      self->thread = self->home = NULL;
      self->current = (LoopCurrent) { NULL };
      self->is_running = self->is_iterating = FALSE;
      self->n_dispatches = 0;
    }
}

static void
go_on_in_child (void)
{
  for (guint i = 0; all_loops != NULL && i < all_loops->len; i++)
    leave_to_parent (g_ptr_array_index (all_loops, i));

  loop_event_loop_leave_running (NULL);
  first_made = 0;
}

LOOP_FORK_WATCH (LOOP_FORK_LOOPS,
                 .mutex = &all_loops_mutex,
                 .prepare = prepare_fork,
                 .go_on_in_parent = go_on_in_parent,
                 .go_on_in_child = go_on_in_child)

/* Called before a loop is set up. */
void
loop_event_loop_announce (void)
{
  if (g_once_init_enter (&first_made))
    {
      if (loop_event_loop_first_made != NULL)
        loop_event_loop_first_made ();
      g_once_init_leave (&first_made, 1);
    }
}

void
loop_event_loop_list (LoopEventLoop *self)
{
  pthread_mutex_lock (&all_loops_mutex);
  if (all_loops == NULL)
    all_loops = g_ptr_array_new ();
  g_ptr_array_add (all_loops, self);
  pthread_mutex_unlock (&all_loops_mutex);
}

void
loop_event_loop_unlist (LoopEventLoop *self)
{
  pthread_mutex_lock (&all_loops_mutex);
  if (all_loops != NULL)
    g_ptr_array_remove (all_loops, self);
  if (all_loops != NULL && all_loops->len == 0)
    g_clear_pointer (&all_loops, g_ptr_array_unref);
  pthread_mutex_unlock (&all_loops_mutex);
}
