/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-incoming-private.h"

#include "loop-error-private.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What `head` points to once the loop is closed. */
static LoopHandle closed_mark;

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

  g_assert (self->head == NULL || self->head == &closed_mark);

  close (self->wakeup_fd);
  g_free (self);
}

/*
 * Pushes @handle, which the loop owns from then on, and wakes the loop if it may be
 * asleep. From any thread.
 *
 * Returns: %FALSE when the loop is closed; @handle then still belongs to the caller
 */
gboolean
loop_incoming_post (LoopIncoming *self, LoopHandle *handle)
{
  LoopHandle *head = __atomic_load_n (&self->head, __ATOMIC_RELAXED);

  do
    {
      if (head == &closed_mark)
        return FALSE;
      handle->item.next = (LoopReadyItem *) head;
    }
  while (!__atomic_compare_exchange_n (&self->head, &head, handle, TRUE, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));

  /* Pairs with loop_incoming_fall_asleep(): either it sees our handle or we see it asleep. */
  if (__atomic_load_n (&self->asleep, __ATOMIC_SEQ_CST) && __atomic_exchange_n (&self->asleep, 0, __ATOMIC_SEQ_CST))
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
          __atomic_store_n (&self->asleep, 1, __ATOMIC_SEQ_CST);
        }
    }

  return TRUE;
}

static LoopHandle *
reverse (LoopHandle *head)
{
  LoopHandle *reversed = NULL;

  while (head != NULL)
    {
      LoopHandle *next = (LoopHandle *) head->item.next;

      head->item.next = (LoopReadyItem *) reversed;
      reversed = head;
      head = next;
    }

  return reversed;
}

/* Takes all that was posted, the oldest first, linked through `item.next`. Loop thread only. */
LoopHandle *
loop_incoming_take (LoopIncoming *self)
{
  if (self->head == &closed_mark)
    return NULL;

  return reverse (__atomic_exchange_n (&self->head, NULL, __ATOMIC_ACQUIRE));
}

/* As loop_incoming_take(), and refuses all posts from now on. */
LoopHandle *
loop_incoming_close (LoopIncoming *self)
{
  LoopHandle *head = __atomic_exchange_n (&self->head, &closed_mark, __ATOMIC_ACQ_REL);

  return head == &closed_mark ? NULL : reverse (head);
}

/*
 * Tells other threads that the loop is about to sleep and has to be woken.
 *
 * Returns: %FALSE if something was posted already, so that it must not sleep
 */
gboolean
loop_incoming_fall_asleep (LoopIncoming *self)
{
  __atomic_store_n (&self->asleep, 1, __ATOMIC_SEQ_CST);

  if (__atomic_load_n (&self->head, __ATOMIC_SEQ_CST) != NULL)
    {
      loop_incoming_wake_up (self);
      return FALSE;
    }

  return TRUE;
}

/* The newest handle, for an inspector that holds the guard: none of them can go away. */
LoopHandle *
loop_incoming_peek (LoopIncoming *self)
{
  LoopHandle *head = __atomic_load_n (&self->head, __ATOMIC_ACQUIRE);

  return head == &closed_mark ? NULL : head;
}
