/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-exception-context.h"
#include "loop-future.h"

/* An error that nobody asked for is reported, once; one that was seen is not. */

static int n_reports;
static LoopFuture *kept;

static void
report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  const GError *exception = loop_exception_context_get_exception (context);

  n_reports++;
  ck_assert (g_error_matches (exception, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  ck_assert_ptr_nonnull (strstr (loop_exception_context_get_message (context), "never retrieved"));
  ck_assert_ptr_nonnull (loop_exception_context_get_future (context));
  if (user_data != NULL)
    kept = g_object_ref (loop_exception_context_get_future (context));
}

static LoopEventLoop *
make_loop (void)
{
  LoopEventLoop *loop = loop_event_loop_new ();

  loop_event_loop_set_exception_handler (loop, report, NULL, NULL);

  return loop;
}

static LoopFuture *
make_failed (LoopEventLoop *loop)
{
  g_autoptr (GError) exception = g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");
  LoopFuture *future = loop_event_loop_create_future (loop);

  ck_assert (loop_future_set_exception (future, exception, NULL));

  return future;
}

START_TEST (test_reported)
{
  g_autoptr (LoopEventLoop) loop = make_loop ();
  LoopFuture *future = make_failed (loop);

  run_once (loop);
  ck_assert_int_eq (n_reports, 0);
  g_object_unref (future);
  ck_assert_int_eq (n_reports, 1);
  run_once (loop);
  ck_assert_int_eq (n_reports, 1);
}
END_TEST

START_TEST (test_default_handler)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_check_expect_warning ("*never retrieved*no space*LoopFuture*");
  g_object_unref (make_failed (loop));
}
END_TEST

START_TEST (test_retrieved)
{
  g_autoptr (LoopEventLoop) loop = make_loop ();
  LoopFuture *by_exception = make_failed (loop);
  LoopFuture *by_result = make_failed (loop);
  LoopFuture *by_loop = make_failed (loop);
  G_GNUC_UNUSED g_autoptr (GError) error = loop_future_exception (by_exception, NULL);

  ck_assert (!loop_future_result (by_result, NULL, NULL));
  ck_assert (!loop_event_loop_run_until_complete (loop, by_loop, NULL, NULL));
  g_object_unref (by_exception);
  g_object_unref (by_result);
  g_object_unref (by_loop);
  ck_assert_int_eq (n_reports, 0);
}
END_TEST

/* To be told that it is done is not to ask what became of it. */
static void
ignore (LoopFuture *future, gpointer data)
{
  ck_assert (loop_future_done (future));
}

START_TEST (test_done_callback_alone)
{
  g_autoptr (LoopEventLoop) loop = make_loop ();
  LoopFuture *future = make_failed (loop);

  loop_future_add_done_callback (future, ignore, NULL, NULL);
  g_object_unref (future);
  ck_assert_int_eq (n_reports, 0);
  run_once (loop);
  ck_assert_int_eq (n_reports, 1);
}
END_TEST

START_TEST (test_others_are_not)
{
  g_autoptr (LoopEventLoop) loop = make_loop ();
  LoopFuture *cancelled = loop_event_loop_create_future (loop);
  LoopFuture *fulfilled = loop_event_loop_create_future (loop);

  ck_assert (loop_future_cancel (cancelled));
  ck_assert (loop_future_set_result (fulfilled, NULL, NULL));
  g_object_unref (cancelled);
  g_object_unref (fulfilled);
  g_object_unref (loop_event_loop_create_future (loop));
  ck_assert_int_eq (n_reports, 0);
}
END_TEST

/* Who keeps the future that is reported has a future still. */
START_TEST (test_kept_by_handler)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;

  loop_event_loop_set_exception_handler (loop, report, loop, NULL);
  g_object_unref (make_failed (loop));
  ck_assert_int_eq (n_reports, 1);

  ck_assert (loop_future_done (kept));
  ck_assert (!loop_future_result (kept, NULL, &error));
  ck_assert (g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_object_unref (kept);
  ck_assert_int_eq (n_reports, 1);
}
END_TEST

/* The error of a future on a closed loop is no less of one. */
START_TEST (test_closed_loop)
{
  g_autoptr (LoopEventLoop) loop = make_loop ();
  LoopFuture *future = make_failed (loop);

  ck_assert (loop_event_loop_close (loop));
  g_object_unref (future);
  ck_assert_int_eq (n_reports, 1);
}
END_TEST

static void
report_later (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  ck_assert_ptr_null (loop_exception_context_get_future (context));
  ck_assert_ptr_eq (loop_event_loop_get_running (), loop);
  n_reports++;
}

static LoopEventLoop *
make_deferring_loop (void)
{
  LoopEventLoop *loop = loop_event_loop_new ();

  loop_event_loop_set_defer_finalization (loop, TRUE);
  loop_event_loop_set_exception_handler (loop, report_later, NULL, NULL);

  return loop;
}

/* As for a language that can call nothing while it collects garbage. */
START_TEST (test_deferred)
{
  g_autoptr (LoopEventLoop) loop = make_deferring_loop ();

  ck_assert (loop_event_loop_get_defer_finalization (loop));
  g_object_unref (make_failed (loop));
  ck_assert_int_eq (n_reports, 0);
  run_once (loop);
  ck_assert_int_eq (n_reports, 1);
  run_once (loop);
  ck_assert_int_eq (n_reports, 1);

  g_object_set (loop, "defer-finalization", FALSE, NULL);
  loop_event_loop_set_exception_handler (loop, report, NULL, NULL);
  g_object_unref (make_failed (loop));
  ck_assert_int_eq (n_reports, 2);
}
END_TEST

/* Then it is logged, whether the loop is closed, was closed or is freed as well. */
START_TEST (test_deferred_too_late)
{
  for (int way = 0; way < 3; way++)
    {
      g_autoptr (LoopEventLoop) loop = make_deferring_loop ();
      LoopFuture *future = make_failed (loop);

      loop_check_expect_warning ("*never retrieved*no space*");
      if (way == 0)
        ck_assert (loop_event_loop_close (loop));
      g_object_unref (future);
      if (way == 1)
        ck_assert (loop_event_loop_close (loop));
    }
  ck_assert_int_eq (n_reports, 0);
}
END_TEST

LOOP_TEST_MAIN ("future-unretrieved",
                test_reported,
                test_default_handler,
                test_retrieved,
                test_done_callback_alone,
                test_others_are_not,
                test_kept_by_handler,
                test_closed_loop,
                test_deferred,
                test_deferred_too_late)
