/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <pthread.h>

G_BEGIN_DECLS

/*
 * The asymmetric guard. It lets an inspector thread read the structures of a loop
 * exactly, while the loop's own thread pays two plain stores and one load for each
 * section in which it changes them.
 *
 * The loop thread brackets such a section with loop_guard_enter() and
 * loop_guard_leave(); sections nest, and user code never runs inside one. The
 * inspector calls loop_guard_hold(), reads, and calls loop_guard_release().
 *
 * Why it is correct: the loop thread stores `depth` and then loads `wanted`; the
 * inspector stores `wanted`, calls membarrier(2), and then loads `depth`. The system
 * call makes every running thread of the process execute a full barrier, so one of
 * the two always sees the other's store. Where membarrier is missing, and under
 * ThreadSanitizer, which cannot see through it, `wanted` is set for good and the slow
 * path takes an ordinary mutex. POSIX mutexes, as the sanitizer knows them.
 */
typedef struct
{
  int depth;
  int wanted;
  int n_holders;
  gboolean asymmetric;
  pthread_mutex_t mutex;
  pthread_cond_t outside;
  pthread_cond_t released;
} LoopGuard;

G_GNUC_INTERNAL
void loop_guard_init (LoopGuard *self);
G_GNUC_INTERNAL
void loop_guard_clear (LoopGuard *self);
G_GNUC_INTERNAL
void loop_guard_enter_slow (LoopGuard *self);
G_GNUC_INTERNAL
void loop_guard_leave_slow (LoopGuard *self);
G_GNUC_INTERNAL
gboolean loop_guard_hold (LoopGuard *self, gint64 timeout_us);
G_GNUC_INTERNAL
void loop_guard_release (LoopGuard *self);

static inline void
loop_guard_enter (LoopGuard *self)
{
  int depth = __atomic_load_n (&self->depth, __ATOMIC_RELAXED);

  __atomic_store_n (&self->depth, depth + 1, __ATOMIC_RELAXED);

  if (depth == 0)
    {
      __atomic_signal_fence (__ATOMIC_SEQ_CST);
      if (G_UNLIKELY (__atomic_load_n (&self->wanted, __ATOMIC_ACQUIRE) != 0))
        loop_guard_enter_slow (self);
    }
}

static inline void
loop_guard_leave (LoopGuard *self)
{
  int depth = __atomic_load_n (&self->depth, __ATOMIC_RELAXED);

  __atomic_store_n (&self->depth, depth - 1, __ATOMIC_RELEASE);

  if (depth == 1)
    {
      __atomic_signal_fence (__ATOMIC_SEQ_CST);
      if (G_UNLIKELY (__atomic_load_n (&self->wanted, __ATOMIC_RELAXED) != 0))
        loop_guard_leave_slow (self);
    }
}

/*
 * The same for who knows that it is in no other section: without reading `depth`, whose
 * last store would have to be waited for.
 */
static inline void
loop_guard_enter_outermost (LoopGuard *self)
{
  __atomic_store_n (&self->depth, 1, __ATOMIC_RELAXED);
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  if (G_UNLIKELY (__atomic_load_n (&self->wanted, __ATOMIC_ACQUIRE) != 0))
    loop_guard_enter_slow (self);
}

static inline void
loop_guard_leave_outermost (LoopGuard *self)
{
  __atomic_store_n (&self->depth, 0, __ATOMIC_RELEASE);
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  if (G_UNLIKELY (__atomic_load_n (&self->wanted, __ATOMIC_RELAXED) != 0))
    loop_guard_leave_slow (self);
}

/* For assertions: whether the loop thread is inside a section. */
static inline gboolean
loop_guard_is_inside (LoopGuard *self)
{
  return __atomic_load_n (&self->depth, __ATOMIC_RELAXED) > 0;
}

G_END_DECLS
