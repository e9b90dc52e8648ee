/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-types.h"

G_BEGIN_DECLS

/*
 * Tells whether a loop's source is the only one on its private context. While it is,
 * GLib need not be asked in each iteration what its sources wait for, which is a third of
 * the instructions of an iteration with one event.
 *
 * The context is one with %G_MAIN_CONTEXT_FLAGS_OWNERLESS_POLLING, so GLib wakes it for
 * every source that is attached, also from a callback of the loop. Each source has a
 * number, given out in turn, by which one can ask whether it is still there. And who
 * iterates the context by hand, and so takes a wakeup away from us, goes through the
 * context's poll function, which counts.
 */
typedef struct
{
  GMainContext *context;
  int wakeup_fd;
  guint64 n_wakeups_of_probe;
  guint next_id;  /* of the first source that was not looked for */
  GArray *others; /* numbers of sources that were there when last looked for */
  guint n_quiet;  /* iterations since somebody else had something to do */
  guint n_quiet_needed;
  guint n_polls_seen;
  gboolean is_alone;
} LoopNeighbours;

/* How often the calling thread has waited in GLib's own iteration of a loop's private context. */
G_GNUC_INTERNAL
extern __thread guint loop_neighbours_n_polls __attribute__ ((tls_model ("initial-exec")));

G_GNUC_INTERNAL
void loop_neighbours_init (LoopNeighbours *self, GSource *own, int wakeup_fd);
G_GNUC_INTERNAL
void loop_neighbours_clear (LoopNeighbours *self);
G_GNUC_INTERNAL
void loop_neighbours_expect (LoopNeighbours *self);
G_GNUC_INTERNAL
void loop_neighbours_look (LoopNeighbours *self);

/* Whether there is no other source. On the thread that runs the loop, between iterations. */
static inline gboolean
loop_neighbours_is_alone (LoopNeighbours *self)
{
  if (self->is_alone && G_UNLIKELY (self->n_polls_seen != loop_neighbours_n_polls))
    loop_neighbours_expect (self);

  return self->is_alone;
}

/* To be told of each iteration in which no other source had anything to do. */
static inline void
loop_neighbours_were_quiet (LoopNeighbours *self)
{
  if (++self->n_quiet >= self->n_quiet_needed)
    loop_neighbours_look (self);
}

G_END_DECLS
