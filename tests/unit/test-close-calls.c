/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-fd-watcher.h"
#include "loop-future.h"
#include "loop-metrics.h"

#include <unistd.h>

/*
 * Calls on a closed loop: the full forms have an error, the plain ones a critical message; what only
 * asks is answered.
 */

#define EXPECT_CLOSED(call)                                                                                            \
  do                                                                                                                   \
    {                                                                                                                  \
      g_autoptr (GError) error = NULL;                                                                                 \
      ck_assert (!(call));                                                                                             \
      ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));                                              \
      check_steps ("A");                                                                                               \
    }                                                                                                                  \
  while (0)

#define EXPECT_CRITICAL(call)                                                                                          \
  do                                                                                                                   \
    {                                                                                                                  \
      loop_check_expect_critical ("*closed*");                                                                         \
      ck_assert (!(call));                                                                                             \
      loop_check_assert_expected ();                                                                                   \
      check_steps ("A");                                                                                               \
    }                                                                                                                  \
  while (0)

START_TEST (test_full_forms)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopHandle *handle = NULL;
  int fds[2];

  ck_assert_int_eq (pipe (fds), 0);
  ck_assert (loop_event_loop_close (loop));

#define ARGS step_run, step_new ('a'), step_destroy
  EXPECT_CLOSED (loop_event_loop_call_soon_full (loop, ARGS, &error));
  EXPECT_CLOSED (loop_event_loop_call_later_full (loop, 0.0, ARGS, &error));
  EXPECT_CLOSED (loop_event_loop_call_at_full (loop, 0.0, ARGS, &error));
  EXPECT_CLOSED (loop_event_loop_call_soon_threadsafe (loop, ARGS, NULL, &error));
  EXPECT_CLOSED (loop_event_loop_call_soon_threadsafe (loop, ARGS, &handle, &error));
  EXPECT_CLOSED (loop_event_loop_add_reader_full (loop, fds[0], ARGS, &error));
  EXPECT_CLOSED (loop_event_loop_add_writer_full (loop, fds[1], ARGS, &error));
#undef ARGS
  ck_assert_ptr_null (handle);

  {
    g_autoptr (GError) error = NULL;
    ck_assert (!loop_event_loop_run_forever_full (loop, &error));
    ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
  }

  close (fds[0]);
  close (fds[1]);
}
END_TEST

START_TEST (test_plain_forms)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int fds[2];

  ck_assert_int_eq (pipe (fds), 0);
  ck_assert (loop_event_loop_close (loop));

#define ARGS step_run, step_new ('a'), step_destroy
  EXPECT_CRITICAL (loop_event_loop_call_soon (loop, ARGS));
  EXPECT_CRITICAL (loop_event_loop_call_later (loop, 0.0, ARGS));
  EXPECT_CRITICAL (loop_event_loop_call_at (loop, 0.0, ARGS));
  EXPECT_CRITICAL (loop_event_loop_add_reader (loop, fds[0], ARGS));
  EXPECT_CRITICAL (loop_event_loop_add_writer (loop, fds[1], ARGS));
#undef ARGS
  loop_check_expect_critical ("*closed*");
  ck_assert (!loop_event_loop_run_forever (loop));

  close (fds[0]);
  close (fds[1]);
}
END_TEST

START_TEST (test_harmless)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopMetrics) metrics = NULL;

  ck_assert (loop_event_loop_close (loop));
  ck_assert (!loop_event_loop_remove_reader (loop, 0));
  ck_assert (!loop_event_loop_remove_writer (loop, 0));
  loop_event_loop_stop (loop);
  ck_assert_double_gt (loop_event_loop_time (loop), 0.0);
  ck_assert_ptr_nonnull (loop_event_loop_get_context (loop));
  ck_assert_uint_gt (loop_event_loop_get_id (loop), 0);
  loop_event_loop_set_debug (loop, TRUE);
  ck_assert (loop_event_loop_get_debug (loop));
  metrics = loop_event_loop_get_metrics (loop);
  ck_assert_ptr_nonnull (metrics);
}
END_TEST

START_TEST (test_futures)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  ck_assert (loop_event_loop_close (loop));
  future = loop_event_loop_create_future (loop);
  ck_assert_ptr_nonnull (future);
  ck_assert (loop_future_set_result (future, NULL, NULL));
  ck_assert (!loop_event_loop_run_until_complete (loop, future, NULL, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
}
END_TEST

LOOP_TEST_MAIN ("close-calls", test_full_forms, test_plain_forms, test_harmless, test_futures)
