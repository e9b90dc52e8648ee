/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-fd-watcher.h"
#include "loop-handle.h"

#include <math.h>
#include <unistd.h>

/* The data of a callback is destroyed exactly once, whatever becomes of the callback. */

static int n_runs;
static int n_destroyed;

static void
run (gpointer data)
{
  /* Still alive while it runs. */
  ck_assert_int_eq (*(int *) data, 42);
  n_runs++;
}

static void
destroy (gpointer data)
{
  ck_assert_int_eq (*(int *) data, 42);
  *(int *) data = 0;
  g_free (data);
  n_destroyed++;
}

static gpointer
data_new (void)
{
  int *data = g_new (int, 1);

  *data = 42;

  return data;
}

START_TEST (test_after_run)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, run, data_new (), destroy);
  loop_event_loop_call_later (loop, 0.0, run, data_new (), destroy);
  loop_event_loop_call_at (loop, 0.0, run, data_new (), destroy);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, run, data_new (), destroy, NULL, NULL));
  ck_assert_int_eq (n_destroyed, 0);

  run_once (loop);
  ck_assert_int_eq (n_runs, 4);
  ck_assert_int_eq (n_destroyed, 4);

  ck_assert (loop_event_loop_close (loop));
  ck_assert_int_eq (n_destroyed, 4);
}
END_TEST

START_TEST (test_on_cancel)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopHandle) posted = NULL;

  loop_handle_cancel (loop_event_loop_call_soon (loop, run, data_new (), destroy));
  loop_timer_handle_cancel (loop_event_loop_call_later (loop, 1.0, run, data_new (), destroy));
  ck_assert_int_eq (n_destroyed, 2);

  ck_assert (loop_event_loop_call_soon_threadsafe (loop, run, data_new (), destroy, &posted, NULL));
  loop_handle_cancel (posted);
  run_once (loop);
  ck_assert_int_eq (n_destroyed, 3);
  ck_assert_int_eq (n_runs, 0);
}
END_TEST

START_TEST (test_on_close)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, run, data_new (), destroy);
  loop_event_loop_call_later (loop, 0.0, run, data_new (), destroy);
  loop_event_loop_call_later (loop, INFINITY, run, data_new (), destroy);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, run, data_new (), destroy, NULL, NULL));

  ck_assert (loop_event_loop_close (loop));
  ck_assert_int_eq (n_runs, 0);
  ck_assert_int_eq (n_destroyed, 4);
}
END_TEST

START_TEST (test_on_last_unref)
{
  LoopEventLoop *loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, run, data_new (), destroy);
  loop_event_loop_call_later (loop, 10.0, run, data_new (), destroy);
  g_object_unref (loop);
  ck_assert_int_eq (n_runs, 0);
  ck_assert_int_eq (n_destroyed, 2);
}
END_TEST

/* Who gets no handle need not free what he gave. */
START_TEST (test_on_refusal)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int fds[2];

  ck_assert_int_eq (pipe (fds), 0);

  ck_assert_ptr_null (loop_event_loop_call_later_full (loop, NAN, run, data_new (), destroy, NULL));
  ck_assert_ptr_null (loop_event_loop_call_at_full (loop, NAN, run, data_new (), destroy, NULL));
  ck_assert (!loop_event_loop_add_reader_full (loop, -1, run, data_new (), destroy, NULL));
  ck_assert (!loop_event_loop_add_writer_full (loop, -1, run, data_new (), destroy, NULL));
  ck_assert_int_eq (n_destroyed, 4);

  ck_assert (loop_event_loop_close (loop));
  ck_assert_ptr_null (loop_event_loop_call_soon_full (loop, run, data_new (), destroy, NULL));
  ck_assert_ptr_null (loop_event_loop_call_later_full (loop, 0.0, run, data_new (), destroy, NULL));
  ck_assert_ptr_null (loop_event_loop_call_at_full (loop, 0.0, run, data_new (), destroy, NULL));
  ck_assert (!loop_event_loop_call_soon_threadsafe (loop, run, data_new (), destroy, NULL, NULL));
  ck_assert (!loop_event_loop_add_reader_full (loop, fds[0], run, data_new (), destroy, NULL));
  ck_assert (!loop_event_loop_add_writer_full (loop, fds[1], run, data_new (), destroy, NULL));
  ck_assert_int_eq (n_destroyed, 10);
  ck_assert_int_eq (n_runs, 0);

  close (fds[0]);
  close (fds[1]);
}
END_TEST

/* User code that runs while a loop is closed finds it closed, and may touch the other handles. */
typedef struct
{
  LoopEventLoop *loop;
  LoopHandle *sibling;
} Meddler;

static void
destroy_meddling (gpointer data)
{
  Meddler *self = data;
  g_autoptr (GError) error = NULL;

  n_destroyed++;
  ck_assert (loop_event_loop_is_closed (self->loop));
  ck_assert (loop_event_loop_close (self->loop));
  ck_assert_ptr_null (loop_event_loop_call_soon_full (self->loop, run, data_new (), destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
  if (self->sibling != NULL)
    loop_handle_cancel (self->sibling);
}

START_TEST (test_user_code_in_close)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopHandle) posted = NULL;
  Meddler first = { loop };
  Meddler timer = { loop };
  Meddler post = { loop };

  loop_event_loop_call_soon (loop, do_nothing, &first, destroy_meddling);
  first.sibling = loop_event_loop_call_soon (loop, run, data_new (), destroy);
  timer.sibling = (LoopHandle *) loop_event_loop_call_later (loop, 1.0, run, data_new (), destroy);
  loop_event_loop_call_later (loop, 1.0, do_nothing, &timer, destroy_meddling);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, do_nothing, &post, destroy_meddling, NULL, NULL));
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, run, data_new (), destroy, &posted, NULL));
  post.sibling = posted;

  ck_assert (loop_event_loop_close (loop));
  /* Six that were pending, and three that were refused meanwhile. */
  ck_assert_int_eq (n_destroyed, 9);
  ck_assert_int_eq (n_runs, 0);
}
END_TEST

LOOP_TEST_MAIN ("destroy-notify",
                test_after_run,
                test_on_cancel,
                test_on_close,
                test_on_last_unref,
                test_on_refusal,
                test_user_code_in_close)
