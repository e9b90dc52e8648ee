/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <errno.h>
#include <glib.h>
#include <signal.h>

G_BEGIN_DECLS

/*
 * A signal for a peer that is gone is not for the process, in which somebody may wait for one,
 * or die of it: it is held up while something is written, and taken back.
 */
typedef struct
{
  sigset_t previous;
  gboolean was_pending;
} LoopSigpipe;

static inline void
loop_sigpipe_hold (LoopSigpipe *self)
{
  sigset_t sigpipe;
  sigset_t pending;

  sigemptyset (&sigpipe);
  sigaddset (&sigpipe, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &sigpipe, &self->previous);
  self->was_pending =
      sigismember (&self->previous, SIGPIPE) && sigpending (&pending) == 0 && sigismember (&pending, SIGPIPE);
}

/* Leaves errno as it is. */
static inline void
loop_sigpipe_release (LoopSigpipe *self, gboolean is_broken)
{
  int saved_errno = errno;
  sigset_t sigpipe;

  if (is_broken && !self->was_pending)
    {
      sigemptyset (&sigpipe);
      sigaddset (&sigpipe, SIGPIPE);
      while (sigtimedwait (&sigpipe, NULL, &(struct timespec) { 0 }) < 0 && errno == EINTR)
        ;
    }
  pthread_sigmask (SIG_SETMASK, &self->previous, NULL);
  errno = saved_errno;
}

G_END_DECLS
