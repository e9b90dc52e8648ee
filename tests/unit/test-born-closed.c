/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-fd-watcher.h"
#include "loop-future.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Where there are not enough descriptors for a loop, it is closed from the start. */

#define N_MAX 64

static int taken[N_MAX];
static int n_taken;

/* Leaves just @n_free descriptors. */
static void
exhaust (int n_free)
{
  struct rlimit limit;
  int fd;

  ck_assert_int_eq (getrlimit (RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = N_MAX;
  ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &limit), 0);

  n_taken = 0;
  while ((fd = open ("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    taken[n_taken++] = fd;
  ck_assert_int_gt (n_taken, n_free);
  while (n_free-- > 0)
    close (taken[--n_taken]);
}

static void
release (void)
{
  while (n_taken > 0)
    close (taken[--n_taken]);
}

static void
check_closed (LoopEventLoop *loop)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LoopFuture) future = NULL;

  ck_assert_ptr_nonnull (loop);
  ck_assert (loop_event_loop_is_closed (loop));
  ck_assert (!loop_event_loop_is_running (loop));

  ck_assert_ptr_null (loop_event_loop_call_soon_full (loop, step_run, step_new ('a'), step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
  g_clear_error (&error);

  ck_assert_ptr_null (loop_event_loop_call_later_full (loop, 0.0, step_run, step_new ('b'), step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
  g_clear_error (&error);

  ck_assert (!loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('c'), step_destroy, NULL, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
  g_clear_error (&error);

  ck_assert (!loop_event_loop_add_reader_full (loop, 0, step_run, step_new ('d'), step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
  g_clear_error (&error);

  ck_assert (!loop_event_loop_run_forever_full (loop, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
  g_clear_error (&error);
  check_steps ("ABCD");

  future = loop_event_loop_create_future (loop);
  ck_assert (loop_future_cancel (future));
  ck_assert (!loop_event_loop_remove_reader (loop, 0));
  loop_event_loop_stop (loop);
  ck_assert (loop_event_loop_close (loop));
}

/* Every number of free descriptors, from none to enough. */
START_TEST (test_private_context)
{
  gboolean succeeded = FALSE;

  for (int n_free = 0; n_free < 10 && !succeeded; n_free++)
    {
      g_autoptr (LoopEventLoop) loop = NULL;

      exhaust (n_free);
      /* How many it needs is its own affair; a loop in any process needs more than one. */
      if (n_free < 2)
        loop_check_expect_warning ("*Could not make an event loop*");
      loop = loop_event_loop_new ();
      release ();

      succeeded = !loop_event_loop_is_closed (loop);
      if (!succeeded)
        check_closed (loop);
    }

  ck_assert (succeeded);
}
END_TEST

START_TEST (test_foreign_context)
{
  gboolean succeeded = FALSE;

  for (int n_free = 0; n_free < 10 && !succeeded; n_free++)
    {
      g_autoptr (GMainContext) context = g_main_context_new ();
      g_autoptr (LoopEventLoop) loop = NULL;

      exhaust (n_free);
      if (n_free < 2)
        loop_check_expect_warning ("*Could not make an event loop*");
      loop = loop_event_loop_new_for_context (context);
      release ();

      succeeded = !loop_event_loop_is_closed (loop);
      if (!succeeded)
        {
          check_closed (loop);
          ck_assert_ptr_eq (loop_event_loop_get_context (loop), context);
        }
      else
        {
          loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
          run_once (loop);
          check_steps ("aA");
        }
    }

  ck_assert (succeeded);
}
END_TEST

/* A loop that exists already goes on without descriptors, its timers on a foreign context too. */
START_TEST (test_exhausted_later)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) foreign = loop_event_loop_new_for_context (context);
  double begun = loop_event_loop_time (loop);

  exhaust (0);
  loop_event_loop_call_later (loop, 0.005, stop_loop, loop, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  loop_event_loop_call_later (foreign, 0.005, (LoopCallback) g_main_loop_quit, main_loop, NULL);
  g_main_loop_run (main_loop);
  release ();

  ck_assert_double_ge (loop_event_loop_time (loop) - begun, 0.01);
}
END_TEST

LOOP_TEST_MAIN ("born-closed", test_private_context, test_foreign_context, test_exhausted_later)
