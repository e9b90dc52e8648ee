/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-guard-private.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <sys/single_threaded.h>
#else
#define __libc_single_threaded FALSE
#endif

#if defined(__SANITIZE_THREAD__)
#define LOOP_GUARD_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LOOP_GUARD_TSAN 1
#endif
#endif

static int
membarrier (int command)
{
  return (int) syscall (SYS_membarrier, command, 0, 0);
}

static gboolean
membarrier_is_available (void)
{
#ifdef LOOP_GUARD_TSAN
  return FALSE;
#else
  static gsize state;

  if (g_once_init_enter (&state))
    {
      gboolean available = membarrier (MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;

      g_once_init_leave (&state, available ? 1 : 2);
    }

  return state == 1;
#endif
}

void
loop_guard_init (LoopGuard *self)
{
  pthread_condattr_t attributes;

  self->depth = 0;
  self->n_holders = 0;
  self->asymmetric = membarrier_is_available ();
  self->wanted = self->asymmetric ? 0 : 1;

  pthread_mutex_init (&self->mutex, NULL);
  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (&self->outside, &attributes);
  pthread_cond_init (&self->released, &attributes);
  pthread_condattr_destroy (&attributes);
}

void
loop_guard_clear (LoopGuard *self)
{
  pthread_cond_destroy (&self->released);
  pthread_cond_destroy (&self->outside);
  pthread_mutex_destroy (&self->mutex);
}

void
loop_guard_enter_slow (LoopGuard *self)
{
  if (!self->asymmetric)
    {
      pthread_mutex_lock (&self->mutex);
      return;
    }

  /* Step out again, so that the inspector that wants in can have its turn. */
  __atomic_store_n (&self->depth, 0, __ATOMIC_RELEASE);

  pthread_mutex_lock (&self->mutex);
  pthread_cond_broadcast (&self->outside);
  while (self->wanted != 0)
    pthread_cond_wait (&self->released, &self->mutex);
  __atomic_store_n (&self->depth, 1, __ATOMIC_RELAXED);
  pthread_mutex_unlock (&self->mutex);
}

void
loop_guard_leave_slow (LoopGuard *self)
{
  if (!self->asymmetric)
    {
      pthread_mutex_unlock (&self->mutex);
      return;
    }

  pthread_mutex_lock (&self->mutex);
  pthread_cond_broadcast (&self->outside);
  pthread_mutex_unlock (&self->mutex);
}

static void
set_deadline (struct timespec *deadline, clockid_t clock, gint64 timeout_us)
{
  clock_gettime (clock, deadline);
  deadline->tv_sec += timeout_us / G_USEC_PER_SEC;
  deadline->tv_nsec += (timeout_us % G_USEC_PER_SEC) * 1000;
  if (deadline->tv_nsec >= 1000000000)
    {
      deadline->tv_sec++;
      deadline->tv_nsec -= 1000000000;
    }
}

/*
 * loop_guard_hold:
 * @timeout_us: how long to wait for the loop thread to be outside its sections
 *
 * Waits until the loop thread is outside every section and keeps it from entering
 * one. For any thread but the loop's own. A hold is to be short: no system call that
 * may block, no lock of anybody else's.
 *
 * Returns: %FALSE if the loop thread did not leave its section in time
 */
gboolean
loop_guard_hold (LoopGuard *self, gint64 timeout_us)
{
  struct timespec deadline;

  if (!self->asymmetric)
    {
      /* Of the functions with a timeout, the sanitizer for which this is only knows this one. */
      set_deadline (&deadline, CLOCK_REALTIME, timeout_us);
      return pthread_mutex_timedlock (&self->mutex, &deadline) == 0;
    }

  set_deadline (&deadline, CLOCK_MONOTONIC, timeout_us);
  if (pthread_mutex_clocklock (&self->mutex, CLOCK_MONOTONIC, &deadline) != 0)
    return FALSE;

  self->n_holders++;
  __atomic_store_n (&self->wanted, 1, __ATOMIC_SEQ_CST);
  /* There is nobody to be made to see it in a process of one thread, which frees what its loops had after they ran. */
  if (!__libc_single_threaded)
    membarrier (MEMBARRIER_CMD_PRIVATE_EXPEDITED);

  while (__atomic_load_n (&self->depth, __ATOMIC_ACQUIRE) > 0)
    {
      if (pthread_cond_timedwait (&self->outside, &self->mutex, &deadline) == ETIMEDOUT &&
          __atomic_load_n (&self->depth, __ATOMIC_ACQUIRE) > 0)
        {
          loop_guard_release (self);
          return FALSE;
        }
    }

  /* The mutex stays locked until loop_guard_release(). */
  return TRUE;
}

void
loop_guard_release (LoopGuard *self)
{
  if (self->asymmetric && --self->n_holders == 0)
    {
      __atomic_store_n (&self->wanted, 0, __ATOMIC_RELEASE);
      pthread_cond_broadcast (&self->released);
    }

  pthread_mutex_unlock (&self->mutex);
}
