/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-incoming-private.h"

#include "loop-error-private.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define IDS_AT_A_TIME 256

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
      __atomic_store_n (&self->is_asleep, TRUE, __ATOMIC_RELAXED);
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
 * Makes room for a call, and gives it an id. finish_post() gives back the mutex.
 *
 * Returns: (nullable): the call to fill in; %NULL when the loop is closed
 */
static inline LoopIncomingCall *
begin_post (LoopIncoming *self)
{
  LoopIncomingCall *call;

  pthread_mutex_lock (&self->mutex);

  if (G_UNLIKELY (self->is_closed))
    {
      pthread_mutex_unlock (&self->mutex);
      return NULL;
    }

  if (G_UNLIKELY (self->n_calls == self->capacity))
    {
      self->capacity = MAX (64, self->capacity * 2);
      self->calls = g_renew (LoopIncomingCall, self->calls, self->capacity);
    }

  if (G_UNLIKELY (self->next_id == self->end_of_ids))
    {
      self->next_id = loop_id_reserve (IDS_AT_A_TIME);
      self->end_of_ids = self->next_id + IDS_AT_A_TIME;
    }

  call = &self->calls[self->n_calls];
  prefetch_for_writing (call + 8);
  call->id = self->next_id++;

  return call;
}

/* Wakes the loop if it may be asleep. */
static inline void
finish_post (LoopIncoming *self)
{
  gboolean was_asleep = __atomic_load_n (&self->is_asleep, __ATOMIC_RELAXED);

  __atomic_store_n (&self->n_calls, self->n_calls + 1, __ATOMIC_RELAXED);
  if (was_asleep)
    __atomic_store_n (&self->is_asleep, FALSE, __ATOMIC_RELAXED);

  pthread_mutex_unlock (&self->mutex);

  if (was_asleep)
    write_wakeup (self);
}

/*
 * Has @callback called by the loop. From any thread.
 *
 * Returns: %FALSE when the loop is closed; @user_data is then still the caller's
 */
gboolean
loop_incoming_post (LoopIncoming *self, LoopCallback callback, gpointer user_data, GDestroyNotify notify)
{
  LoopIncomingCall *call = begin_post (self);

  if (call == NULL)
    return FALSE;

  call->callback = callback;
  call->user_data = user_data;
  call->notify = notify;
  finish_post (self);

  return TRUE;
}

/* As loop_incoming_post(), with a handle that the caller has made, and which gets an id unless it has one. */
gboolean
loop_incoming_post_handle (LoopIncoming *self, LoopHandle *handle)
{
  LoopIncomingCall *call = begin_post (self);

  if (call == NULL)
    return FALSE;

  call->callback = NULL;
  call->handle = handle;
  if (handle->id == 0)
    handle->id = call->id;
  finish_post (self);

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
  gboolean is_empty;

  /* Under the mutex, so that posts need no barrier of their own. */
  pthread_mutex_lock (&self->mutex);
  is_empty = self->n_calls == 0;
  __atomic_store_n (&self->is_asleep, is_empty, __ATOMIC_RELAXED);
  pthread_mutex_unlock (&self->mutex);

  return is_empty;
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
