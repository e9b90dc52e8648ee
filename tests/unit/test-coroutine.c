/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-coroutine.h"
#include "loop-lock.h"
#include "loop-task.h"

/* Coroutines that are not fibers: what another language implements. */

typedef struct
{
  GObject parent_instance;

  LoopFuture *first; /* what it waits for; NULL: for its next turn */
  int n_sent;
  int n_thrown;
  int n_closed;
} Sequence;

typedef struct
{
  GObjectClass parent_class;
} SequenceClass;

static GType sequence_get_type (void);
static void sequence_iface_init (LoopCoroutineInterface *iface);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Sequence, g_object_unref)

G_DEFINE_TYPE_WITH_CODE (Sequence,
                         sequence,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (LOOP_TYPE_COROUTINE, sequence_iface_init))

static LoopCoroutineStatus
sequence_send (LoopCoroutine *coroutine, LoopFuture **awaited, GValue *result, GError **error)
{
  Sequence *self = (Sequence *) coroutine;

  if (self->n_sent++ > 0)
    return LOOP_COROUTINE_RETURNED;

  *awaited = self->first != NULL ? g_object_ref (self->first) : NULL;

  return LOOP_COROUTINE_AWAITING;
}

static LoopCoroutineStatus
sequence_throw (LoopCoroutine *coroutine, const GError *exception, LoopFuture **awaited, GValue *result, GError **error)
{
  ((Sequence *) coroutine)->n_thrown++;
  g_propagate_error (error, g_error_copy (exception));

  return LOOP_COROUTINE_RAISED;
}

static void
sequence_close (LoopCoroutine *coroutine)
{
  ((Sequence *) coroutine)->n_closed++;
}

static const char *
sequence_get_name (LoopCoroutine *coroutine)
{
  return "sequence";
}

static void
sequence_iface_init (LoopCoroutineInterface *iface)
{
  iface->send = sequence_send;
  iface->throw_exception = sequence_throw;
  iface->close = sequence_close;
  iface->get_name = sequence_get_name;
}

static void
sequence_finalize (GObject *object)
{
  g_clear_object (&((Sequence *) object)->first);
  G_OBJECT_CLASS (sequence_parent_class)->finalize (object);
}

static void
sequence_class_init (SequenceClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = sequence_finalize;
}

static void
sequence_init (Sequence *self)
{
}

/* Takes @first. */
static Sequence *
sequence_new (LoopFuture *first)
{
  Sequence *self = g_object_new (sequence_get_type (), NULL);

  self->first = first;

  return self;
}

START_TEST (test_awaits_future)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (Sequence) sequence = sequence_new (g_object_ref (future));
  g_autoptr (LoopTask) task = loop_event_loop_create_task (loop, LOOP_COROUTINE (sequence));

  run_once (loop);
  run_once (loop);
  ck_assert_int_eq (sequence->n_sent, 1);
  set_int (future, 1);
  ck_assert (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (task), NULL, NULL));
  ck_assert_int_eq (sequence->n_sent, 2);
  ck_assert_int_eq (sequence->n_thrown + sequence->n_closed, 0);
}
END_TEST

START_TEST (test_awaits_its_turn)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (Sequence) sequence = sequence_new (NULL);
  g_autoptr (LoopTask) task = loop_event_loop_create_task (loop, LOOP_COROUTINE (sequence));

  run_once (loop);
  ck_assert_int_eq (sequence->n_sent, 1);
  run_once (loop);
  ck_assert_int_eq (sequence->n_sent, 2);
  ck_assert (loop_future_done (LOOP_FUTURE (task)));
}
END_TEST

START_TEST (test_cancel)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (Sequence) sequence = sequence_new (g_object_ref (future));
  g_autoptr (LoopTask) task = loop_event_loop_create_task (loop, LOOP_COROUTINE (sequence));

  /* Before it has begun: it is told nevertheless. */
  ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
  run_once (loop);
  ck_assert_int_eq (sequence->n_sent, 0);
  ck_assert_int_eq (sequence->n_thrown, 1);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
  ck_assert (!loop_future_done (future));
}
END_TEST

/* The lock was granted, but the coroutine is told that it was cancelled: so the next one gets the lock. */
START_TEST (test_lock_is_given_back)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopLock) lock = loop_lock_new (loop);
  g_autoptr (LoopFuture) held = loop_lock_acquire (lock);
  g_autoptr (Sequence) sequence = sequence_new (loop_lock_acquire (lock));
  g_autoptr (LoopTask) task = loop_event_loop_create_task (loop, LOOP_COROUTINE (sequence));
  g_autoptr (LoopFuture) next = loop_lock_acquire (lock);

  run_once (loop);
  ck_assert (loop_future_done (held));
  ck_assert (loop_lock_release (lock, NULL));
  ck_assert (loop_future_done (sequence->first));
  ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
  ck_assert (!loop_future_done (next));

  run_once (loop);
  ck_assert_int_eq (sequence->n_thrown, 1);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
  ck_assert (loop_future_done (next));
  ck_assert (loop_lock_release (lock, NULL));
  ck_assert (!loop_lock_locked (lock));
}
END_TEST

START_TEST (test_closed_with_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (Sequence) sequence = sequence_new (g_object_ref (future));
  g_autoptr (LoopTask) task = loop_event_loop_create_task (loop, LOOP_COROUTINE (sequence));

  run_once (loop);
  loop_check_expect_warning ("*Task-* (sequence) was destroyed but it is pending*");
  ck_assert (loop_event_loop_close (loop));
  ck_assert_int_eq (sequence->n_closed, 1);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
}
END_TEST

LOOP_TEST_MAIN ("coroutine",
                test_awaits_future,
                test_awaits_its_turn,
                test_cancel,
                test_lock_is_given_back,
                test_closed_with_loop)
