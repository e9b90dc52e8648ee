/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

/* Waiting for a future as GIO does, in any thread. */

typedef struct
{
  LoopEventLoop *loop;
  LoopFuture *future;
  GMainLoop *main_loop; /* of a thread that is not the loop's */
  GThread *called_in;
  gboolean success;
  int result;
  GError *error;
  int n_calls;
} Wait;

static void
wait_done (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Wait *self = user_data;
  GValue value = G_VALUE_INIT;

  self->n_calls++;
  self->called_in = g_thread_self ();
  self->success = loop_future_wait_finish (LOOP_FUTURE (source), result, &value, &self->error);
  if (self->success && G_VALUE_HOLDS_INT (&value))
    self->result = g_value_get_int (&value);
  if (G_IS_VALUE (&value))
    g_value_unset (&value);

  if (self->main_loop != NULL)
    g_main_loop_quit (self->main_loop);
  else
    loop_event_loop_stop (self->loop);
}

static void
begin (gpointer data)
{
  Wait *self = data;

  loop_future_wait_async (self->future, NULL, wait_done, self);
}

static void
check_wait_failed (Wait *self, GQuark domain, int code)
{
  ck_assert_int_eq (self->n_calls, 1);
  ck_assert (!self->success);
  ck_assert_msg (g_error_matches (self->error, domain, code), "%s", self->error->message);
  g_clear_error (&self->error);
}

START_TEST (test_result)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Wait wait = { .loop = loop, .future = future };

  loop_event_loop_call_soon (loop, begin, &wait, NULL);
  loop_event_loop_call_later (loop, 0.01, set_five, future, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  ck_assert_int_eq (wait.n_calls, 1);
  ck_assert (wait.success);
  ck_assert_int_eq (wait.result, 5);
  ck_assert_ptr_eq (wait.called_in, g_thread_self ());

  /* One that is done. */
  wait.result = 0;
  loop_event_loop_call_soon (loop, begin, &wait, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  ck_assert_int_eq (wait.n_calls, 2);
  ck_assert_int_eq (wait.result, 5);
}
END_TEST

START_TEST (test_failure)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) cancelled = loop_event_loop_create_future (loop);
  Wait wait = { .loop = loop, .future = future };
  Wait other = { .loop = loop, .future = cancelled };

  loop_event_loop_call_soon (loop, begin, &wait, NULL);
  run_once (loop);
  set_not_found (future);
  ck_assert (loop_event_loop_run_forever (loop));
  check_wait_failed (&wait, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);

  loop_event_loop_call_soon (loop, begin, &other, NULL);
  run_once (loop);
  loop_future_cancel (cancelled);
  ck_assert (loop_event_loop_run_forever (loop));
  check_wait_failed (&other, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}
END_TEST

typedef struct
{
  Wait *wait;
  GCancellable *cancellable;
} Cancellation;

static void
begin_cancellable (gpointer data)
{
  Cancellation *self = data;

  loop_future_wait_async (self->wait->future, self->cancellable, wait_done, self->wait);
}

static gpointer
cancel_in_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);

  return NULL;
}

static void
cancel_elsewhere (gpointer cancellable)
{
  g_thread_join (g_thread_new ("canceller", cancel_in_thread, cancellable));
}

/* Ends the wait; whoever else waits for the future is not concerned. */
START_TEST (test_cancellable)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);

  for (int i = 0; i < 3; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      Wait wait = { .loop = loop, .future = future };
      Cancellation cancellation = { &wait, cancellable };

      if (i == 0)
        g_cancellable_cancel (cancellable);
      loop_event_loop_call_soon (loop, begin_cancellable, &cancellation, NULL);
      if (i == 1)
        loop_event_loop_call_later (loop, 0.01, (LoopCallback) g_cancellable_cancel, cancellable, NULL);
      else if (i == 2)
        loop_event_loop_call_later (loop, 0.01, cancel_elsewhere, cancellable, NULL);

      ck_assert (loop_event_loop_run_forever (loop));
      check_wait_failed (&wait, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      ck_assert (!loop_future_done (future));
      ck_assert_uint_eq (G_OBJECT (cancellable)->ref_count, 1);
    }

  run_once (loop);
  ck_assert_uint_eq (G_OBJECT (future)->ref_count, 1);
}
END_TEST

/* The callback comes in the context of the thread that asked. */
static gpointer
wait_in_thread (gpointer data)
{
  Wait *self = data;
  g_autoptr (GMainContext) context = g_main_context_new ();

  g_main_context_push_thread_default (context);
  self->main_loop = g_main_loop_new (context, FALSE);
  loop_future_wait_async (self->future, NULL, wait_done, self);
  g_main_loop_run (self->main_loop);
  g_main_loop_unref (self->main_loop);
  g_main_context_pop_thread_default (context);
  loop_event_loop_call_soon_threadsafe (self->loop, (LoopCallback) loop_event_loop_stop, self->loop, NULL, NULL, NULL);

  return NULL;
}

static void
start_thread (gpointer data)
{
  Wait *self = data;

  self->called_in = g_thread_new ("waiter", wait_in_thread, self);
}

START_TEST (test_other_thread)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  Wait wait = { .loop = loop, .future = future };
  GThread *thread;

  loop_event_loop_call_soon (loop, start_thread, &wait, NULL);
  run_once (loop);
  thread = wait.called_in;
  loop_event_loop_call_later (loop, 0.02, set_five, future, NULL);
  ck_assert (loop_event_loop_run_forever (loop));

  g_thread_join (thread);
  ck_assert (wait.success);
  ck_assert_int_eq (wait.result, 5);
  ck_assert_ptr_eq (wait.called_in, thread);
}
END_TEST

/* Whoever waits is told, and nothing keeps the future. */
START_TEST (test_loop_closed)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = NULL;
  LoopFuture *future;
  Wait wait = { NULL };

  g_main_context_push_thread_default (context);
  wait.main_loop = g_main_loop_new (context, FALSE);
  loop = loop_event_loop_new ();
  future = loop_event_loop_create_future (loop);
  g_object_add_weak_pointer (G_OBJECT (future), (gpointer *) &future);

  wait.future = future;
  begin (&wait);
  g_object_unref (future);
  ck_assert_ptr_nonnull (future);
  ck_assert (loop_event_loop_close (loop));
  g_main_loop_run (wait.main_loop);
  check_wait_failed (&wait, LOOP_ERROR, LOOP_ERROR_CLOSED);
  g_main_context_iteration (context, FALSE);
  ck_assert_ptr_null (future);

  /* And whoever comes later. */
  future = loop_event_loop_create_future (loop);
  wait = (Wait) { .future = future, .main_loop = wait.main_loop };
  begin (&wait);
  g_main_loop_run (wait.main_loop);
  check_wait_failed (&wait, LOOP_ERROR, LOOP_ERROR_CLOSED);
  g_object_unref (future);

  g_main_context_pop_thread_default (context);
  g_main_loop_unref (wait.main_loop);
}
END_TEST

LOOP_TEST_MAIN ("future-wait", test_result, test_failure, test_cancellable, test_other_thread, test_loop_closed)
