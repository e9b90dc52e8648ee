/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-incoming-private.h"

#include "loop-error-private.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* An array that a burst has made larger than this is not kept. */
#define MAX_SPARE_CAPACITY 16384

LoopIncoming *
loop_incoming_new (GError **error)
{
  LoopIncoming *self;
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);

  if (fd < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not create an eventfd");
      return NULL;
    }

  self = g_new0 (LoopIncoming, 1);
  self->ref_count = 1;
  self->wakeup_fd = fd;
  pthread_mutex_init (&self->mutex, NULL);

  return self;
}

LoopIncoming *
loop_incoming_ref (LoopIncoming *self)
{
  g_atomic_int_inc (&self->ref_count);

  return self;
}

void
loop_incoming_unref (LoopIncoming *self)
{
  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;

  g_assert (self->n_calls == 0);

  close (self->wakeup_fd);
  pthread_mutex_destroy (&self->mutex);
  g_free (self->calls);
  g_free (self->spare);
  g_free (self);
}

static void
write_wakeup (LoopIncoming *self)
{
  guint64 one = 1;
  gssize written;

  do
    written = write (self->wakeup_fd, &one, sizeof one);
  while (written < 0 && errno == EINTR);

  /* EAGAIN says that the counter is at its maximum: the loop is being woken already. */
  if (written < 0 && errno != EAGAIN)
    {
      g_critical ("Could not wake the event loop: %s", g_strerror (errno));
      /* Let the next post try again rather than believe the loop awake. */
      __atomic_store_n (&self->is_asleep, 1, __ATOMIC_SEQ_CST);
    }
}

/*
 * Asks for a cache line that another processor has, before it is needed. The compiler's
 * builtin asks for it for reading, unless it knows the very processor.
 */
static inline void
prefetch_for_writing (const void *address)
{
#ifdef __x86_64__
  __asm__ volatile("prefetchw %0" : : "m"(*(const char *) address));
#else
  __builtin_prefetch (address, 1);
#endif
}

/*
 * Appends @call, which gets an id, and wakes the loop if it may be asleep. From any
 * thread.
 *
 * Returns: %FALSE when the loop is closed; what @call has is then still the caller's
 */
gboolean
loop_incoming_post (LoopIncoming *self, LoopIncomingCall call)
{
  pthread_mutex_lock (&self->mutex);

  if (G_UNLIKELY (self->is_closed))
    {
      pthread_mutex_unlock (&self->mutex);
      return FALSE;
    }

  if (G_UNLIKELY (self->n_calls == self->capacity))
    {
      self->capacity = MAX (64, self->capacity * 2);
      self->calls = g_renew (LoopIncomingCall, self->calls, self->capacity);
    }

  call.id = loop_id_block_take (&self->ids);
  if (call.callback == NULL)
    call.handle->id = call.id;
  prefetch_for_writing (&self->calls[self->n_calls + 8]);
  self->calls[self->n_calls] = call;
  __atomic_store_n (&self->n_calls, self->n_calls + 1, __ATOMIC_SEQ_CST);

  pthread_mutex_unlock (&self->mutex);

  /* Pairs with loop_incoming_fall_asleep(): either it sees our call or we see it asleep. */
  if (__atomic_load_n (&self->is_asleep, __ATOMIC_SEQ_CST) &&
      __atomic_exchange_n (&self->is_asleep, 0, __ATOMIC_SEQ_CST))
    write_wakeup (self);

  return TRUE;
}

static LoopCallBatch *
take_locked (LoopIncoming *self)
{
  LoopCallBatch *batch;

  if (self->n_calls == 0)
    return NULL;

  batch = g_new (LoopCallBatch, 1);
  *batch = (LoopCallBatch) {
    .item.kind = LOOP_ITEM_CALLS,
    .calls = self->calls,
    .n_calls = self->n_calls,
    .capacity = self->capacity,
  };

  self->calls = g_steal_pointer (&self->spare);
  self->capacity = self->spare_capacity;
  self->spare_capacity = 0;
  __atomic_store_n (&self->n_calls, 0, __ATOMIC_RELAXED);

  return batch;
}

/*
 * Takes all calls, the oldest first. Loop thread only.
 *
 * Returns: (nullable): the calls
 */
LoopCallBatch *
loop_incoming_take (LoopIncoming *self)
{
  LoopCallBatch *batch;

  pthread_mutex_lock (&self->mutex);
  batch = take_locked (self);
  pthread_mutex_unlock (&self->mutex);

  return batch;
}

/* As loop_incoming_take(), and refuses all posts from now on. */
LoopCallBatch *
loop_incoming_close (LoopIncoming *self)
{
  LoopCallBatch *batch;

  pthread_mutex_lock (&self->mutex);
  self->is_closed = TRUE;
  batch = take_locked (self);
  pthread_mutex_unlock (&self->mutex);

  return batch;
}

/* Frees a batch whose calls have all been made handles of. Loop thread only. */
void
loop_incoming_retire (LoopIncoming *self, LoopCallBatch *batch)
{
  if (self->spare == NULL && batch->capacity <= MAX_SPARE_CAPACITY)
    {
      self->spare = batch->calls;
      self->spare_capacity = batch->capacity;
    }
  else
    {
      g_free (batch->calls);
    }

  g_free (batch);
}

/*
 * Tells other threads that the loop is about to sleep and has to be woken.
 *
 * Returns: %FALSE if something was posted already, so that it must not sleep
 */
gboolean
loop_incoming_fall_asleep (LoopIncoming *self)
{
  __atomic_store_n (&self->is_asleep, 1, __ATOMIC_SEQ_CST);

  if (__atomic_load_n (&self->n_calls, __ATOMIC_SEQ_CST) > 0)
    {
      loop_incoming_wake_up (self);
      return FALSE;
    }

  return TRUE;
}

/* The mutex is never held by a thread that waits for the guard. */
void
loop_incoming_foreach (LoopIncoming *self, LoopIncomingFunc function, gpointer user_data)
{
  pthread_mutex_lock (&self->mutex);
  for (guint i = 0; i < self->n_calls; i++)
    {
      if (self->calls[i].callback != NULL || self->calls[i].handle->item.handle_state == LOOP_HANDLE_INCOMING)
        function (&self->calls[i], user_data);
    }
  pthread_mutex_unlock (&self->mutex);
}
