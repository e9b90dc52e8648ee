/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-incoming-private.h"

#include <poll.h>
#include <unistd.h>

/* The way in from other threads, by itself. */

static gboolean
is_wakeup_pending (LoopIncoming *incoming)
{
  struct pollfd fd = { .fd = incoming->wakeup_fd, .events = POLLIN };
  guint64 count;

  if (poll (&fd, 1, 0) == 0)
    return FALSE;

  ck_assert_int_eq (read (incoming->wakeup_fd, &count, sizeof count), sizeof count);

  return TRUE;
}

static void
call (gpointer data)
{
}

static gboolean
post (LoopIncoming *incoming, int number)
{
  return loop_incoming_post (incoming, call, GINT_TO_POINTER (number), g_free);
}

/* Takes the batch away, which has @n calls from @first on. */
static void
check_batch (LoopIncoming *incoming, LoopCallBatch *batch, int first, int n)
{
  guint64 last = 0;

  ck_assert_ptr_nonnull (batch);
  ck_assert_uint_eq (batch->n_calls, n);
  for (int i = 0; i < n; i++)
    {
      ck_assert (batch->calls[i].callback == call);
      ck_assert (batch->calls[i].notify == g_free);
      ck_assert_int_eq (GPOINTER_TO_INT (batch->calls[i].user_data), first + i);
      ck_assert_uint_gt (batch->calls[i].id, last);
      last = batch->calls[i].id;
    }
  loop_incoming_retire (incoming, batch);
}

START_TEST (test_oldest_first)
{
  g_autoptr (LoopIncoming) incoming = loop_incoming_new (NULL);

  ck_assert (loop_incoming_is_empty (incoming));
  ck_assert_ptr_null (loop_incoming_take (incoming));

  for (int n = 1; n < 50000; n *= 7)
    {
      for (int i = 0; i < n; i++)
        ck_assert (post (incoming, n + i));
      ck_assert (!loop_incoming_is_empty (incoming));
      check_batch (incoming, loop_incoming_take (incoming), n, n);
      ck_assert (loop_incoming_is_empty (incoming));
      ck_assert_ptr_null (loop_incoming_take (incoming));
    }
}
END_TEST

/* What is taken is not disturbed by what comes meanwhile. */
START_TEST (test_several_batches)
{
  g_autoptr (LoopIncoming) incoming = loop_incoming_new (NULL);
  LoopCallBatch *first;
  LoopCallBatch *second;

  for (int i = 0; i < 100; i++)
    ck_assert (post (incoming, i));
  first = loop_incoming_take (incoming);
  for (int i = 0; i < 100; i++)
    ck_assert (post (incoming, 1000 + i));
  second = loop_incoming_take (incoming);
  for (int i = 0; i < 10; i++)
    ck_assert (post (incoming, 2000 + i));

  check_batch (incoming, second, 1000, 100);
  check_batch (incoming, first, 0, 100);
  check_batch (incoming, loop_incoming_take (incoming), 2000, 10);
}
END_TEST

/* A call with a handle gives it the id. */
START_TEST (test_handle)
{
  g_autoptr (LoopIncoming) incoming = loop_incoming_new (NULL);
  LoopHandle handle = { 0 };
  LoopCallBatch *batch;

  ck_assert (loop_incoming_post_handle (incoming, &handle));
  ck_assert_uint_gt (handle.id, 0);
  batch = loop_incoming_take (incoming);
  ck_assert_uint_eq (batch->n_calls, 1);
  ck_assert_ptr_eq (batch->calls[0].handle, &handle);
  loop_incoming_retire (incoming, batch);
}
END_TEST

/* The eventfd is written only when the loop may be asleep, and once for each sleep. */
START_TEST (test_wakeup)
{
  g_autoptr (LoopIncoming) incoming = loop_incoming_new (NULL);

  ck_assert (post (incoming, 0));
  ck_assert (!is_wakeup_pending (incoming));

  /* It must not sleep on what is there already. */
  ck_assert (!loop_incoming_fall_asleep (incoming));
  check_batch (incoming, loop_incoming_take (incoming), 0, 1);

  ck_assert (loop_incoming_fall_asleep (incoming));
  ck_assert (post (incoming, 1));
  ck_assert (is_wakeup_pending (incoming));
  ck_assert (post (incoming, 2));
  ck_assert (!is_wakeup_pending (incoming));
  check_batch (incoming, loop_incoming_take (incoming), 1, 2);

  ck_assert (loop_incoming_fall_asleep (incoming));
  loop_incoming_wake_up (incoming);
  ck_assert (post (incoming, 3));
  ck_assert (!is_wakeup_pending (incoming));
  check_batch (incoming, loop_incoming_take (incoming), 3, 1);
}
END_TEST

START_TEST (test_close)
{
  g_autoptr (LoopIncoming) incoming = loop_incoming_new (NULL);

  ck_assert (post (incoming, 0));
  ck_assert (post (incoming, 1));
  check_batch (incoming, loop_incoming_close (incoming), 0, 2);

  ck_assert (!post (incoming, 2));
  ck_assert_ptr_null (loop_incoming_take (incoming));
  ck_assert_ptr_null (loop_incoming_close (incoming));
  ck_assert (!post (incoming, 3));
}
END_TEST

/* Whoever holds a reference may post after the loop has dropped its own. */
START_TEST (test_reference)
{
  LoopIncoming *incoming = loop_incoming_new (NULL);
  g_autoptr (LoopIncoming) held = loop_incoming_ref (incoming);

  ck_assert_ptr_null (loop_incoming_close (incoming));
  loop_incoming_unref (incoming);
  ck_assert (!post (held, 0));
}
END_TEST

static void
count_call (const LoopIncomingCall *waiting, gpointer data)
{
  ck_assert_uint_gt (waiting->callback != NULL ? waiting->id : waiting->handle->id, 0);
  ++*(int *) data;
}

/* For an inspector: those that wait, and none that was cancelled. */
START_TEST (test_foreach)
{
  g_autoptr (LoopIncoming) incoming = loop_incoming_new (NULL);
  LoopHandle waiting = { .item.handle_state = LOOP_HANDLE_INCOMING };
  LoopHandle cancelled = { .item.handle_state = LOOP_HANDLE_CANCELLED };
  int n = 0;

  ck_assert (post (incoming, 0));
  ck_assert (loop_incoming_post_handle (incoming, &waiting));
  ck_assert (loop_incoming_post_handle (incoming, &cancelled));
  ck_assert (post (incoming, 1));
  loop_incoming_foreach (incoming, count_call, &n);
  ck_assert_int_eq (n, 3);
  loop_incoming_retire (incoming, loop_incoming_take (incoming));
}
END_TEST

LOOP_TEST_MAIN ("incoming",
                test_oldest_first,
                test_several_batches,
                test_handle,
                test_wakeup,
                test_close,
                test_reference,
                test_foreach)
