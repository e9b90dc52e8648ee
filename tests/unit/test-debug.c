/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-fd-watcher.h"
#include "loop-future.h"
#include "loop-handle-private.h"

#include <math.h>
#include <unistd.h>

/* Debug mode: slow callbacks are named, and calls from the wrong thread refused. */

START_TEST (test_switch)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  gboolean debug = TRUE;
  int n_notified = 0;

  ck_assert (!loop_event_loop_get_debug (loop));
  g_signal_connect_swapped (loop, "notify::debug", G_CALLBACK (count_up), &n_notified);
  g_object_get (loop, "debug", &debug, NULL);
  ck_assert (!debug);

  loop_event_loop_set_debug (loop, TRUE);
  ck_assert (loop_event_loop_get_debug (loop));
  loop_event_loop_set_debug (loop, 77);
  g_object_set (loop, "debug", FALSE, NULL);
  ck_assert (!loop_event_loop_get_debug (loop));
  ck_assert_int_eq (n_notified, 2);
}
END_TEST

START_TEST (test_environment)
{
  static const struct
  {
    const char *value;
    gboolean debug;
  } cases[] = { { NULL, FALSE }, { "", FALSE }, { "1", TRUE }, { "yes", TRUE } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (LoopEventLoop) loop = NULL;

      if (cases[i].value != NULL)
        g_setenv ("LOOP_DEBUG", cases[i].value, TRUE);
      else
        g_unsetenv ("LOOP_DEBUG");
      loop = loop_event_loop_new ();
      ck_assert_int_eq (loop_event_loop_get_debug (loop), cases[i].debug);
    }
}
END_TEST

START_TEST (test_slow_callback_duration)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  double value;

  ck_assert_double_eq (loop_event_loop_get_slow_callback_duration (loop), 0.1);
  loop_event_loop_set_slow_callback_duration (loop, 0.25);
  ck_assert_double_eq (loop_event_loop_get_slow_callback_duration (loop), 0.25);
  g_object_set (loop, "slow-callback-duration", 0.5, NULL);
  g_object_get (loop, "slow-callback-duration", &value, NULL);
  ck_assert_double_eq (value, 0.5);
  loop_event_loop_set_slow_callback_duration (loop, INFINITY);
  ck_assert_double_ge (loop_event_loop_get_slow_callback_duration (loop), 1e300);

  loop_check_expect_critical ("*seconds >= 0*");
  loop_event_loop_set_slow_callback_duration (loop, -1.0);
  loop_check_expect_critical ("*seconds >= 0*");
  loop_event_loop_set_slow_callback_duration (loop, NAN);
}
END_TEST

static void
sleep_20_ms (gpointer data)
{
  g_usleep (20000);
}

START_TEST (test_slow_callback_is_named)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopHandle *handle;
  g_autofree char *pattern = NULL;

  loop_event_loop_set_debug (loop, TRUE);
  loop_event_loop_set_slow_callback_duration (loop, 0.01);
  handle = loop_event_loop_call_soon (loop, sleep_20_ms, NULL, NULL);
  loop_handle_set_name (handle, "dawdle");

  pattern = g_strdup_printf ("*handle #%" G_GUINT64_FORMAT
                             " dawdle, created at * took 0.0?? seconds (0.00? of them on a CPU)*",
                             loop_handle_get_id (handle));
  loop_check_expect_warning (pattern);
  run_once (loop);
  loop_check_assert_expected ();

  /* Without a name, the function says as much as it can. */
  loop_check_expect_warning ("*handle #* took 0.0?? seconds*");
  loop_event_loop_call_soon (loop, sleep_20_ms, NULL, NULL);
  run_once (loop);
}
END_TEST

START_TEST (test_slow_timer_and_reader)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopTimerHandle *timer;
  g_autofree char *pattern = NULL;
  int fds[2];

  ck_assert_int_eq (pipe (fds), 0);
  ck_assert_int_eq (write (fds[1], "x", 1), 1);
  loop_event_loop_set_debug (loop, TRUE);
  loop_event_loop_set_slow_callback_duration (loop, 0.01);

  timer = loop_event_loop_call_later (loop, 0.0, sleep_20_ms, NULL, NULL);
  loop_timer_handle_set_name (timer, "nap");
  loop_check_expect_warning ("*timer #* nap, created at * took 0.0*");
  run_once (loop);
  loop_check_assert_expected ();

  pattern = g_strdup_printf ("*reader #*descriptor %d), created at * took 0.0*", fds[0]);
  loop_check_expect_warning (pattern);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], sleep_20_ms, NULL, NULL));
  run_once (loop);
  loop_check_assert_expected ();
  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));

  close (fds[0]);
  close (fds[1]);
}
END_TEST

START_TEST (test_function_is_named)
{
  g_autofree char *name = loop_describe_function ((gpointer) g_object_ref);
  g_autofree char *nothing = loop_describe_function (NULL);
  g_autofree char *hidden = loop_describe_function ((gpointer) sleep_20_ms);

  ck_assert_str_eq (name, "g_object_ref");
  ck_assert_str_eq (nothing, "?");
#ifdef HAVE_ELFUTILS_LIBDWFL_H
  ck_assert_str_eq (hidden, "sleep_20_ms");
#else
  /* What addr2line understands: module+offset. */
  ck_assert_msg (strstr (hidden, "test-debug+0x") != NULL, "%s", hidden);
#endif
}
END_TEST

static int n_warnings;

static void
count_message (const char *domain, GLogLevelFlags level, const char *message, gpointer user_data)
{
  n_warnings++;
}

START_TEST (test_no_warning)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  g_log_set_handler ("libloop", G_LOG_LEVEL_WARNING, count_message, NULL);

  /* Not slow enough. */
  loop_event_loop_set_debug (loop, TRUE);
  loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  run_once (loop);

  /* Nobody asked. */
  loop_event_loop_set_slow_callback_duration (loop, 0.001);
  loop_event_loop_set_debug (loop, FALSE);
  loop_event_loop_call_soon (loop, sleep_20_ms, NULL, NULL);
  run_once (loop);
  ck_assert_int_eq (n_warnings, 0);
}
END_TEST

static void
switch_on (gpointer loop)
{
  loop_event_loop_set_debug (loop, TRUE);
  loop_event_loop_set_slow_callback_duration (loop, 0.0);
  g_usleep (2000);
}

START_TEST (test_switched_in_callback)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, switch_on, loop, NULL);
  run_once (loop);
  ck_assert (loop_event_loop_get_debug (loop));
}
END_TEST

/* --- Wrong threads ---------------------------------------------------------------------------- */

typedef struct
{
  LoopEventLoop *loop;
  LoopHandle *handle;
  int fd;
} Intruder;

static gpointer
intrude (gpointer data)
{
  Intruder *self = data;
  g_autoptr (GError) error = NULL;

  ck_assert_ptr_null (loop_event_loop_call_soon_full (self->loop, step_run, step_new ('a'), step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_WRONG_THREAD));
  g_clear_error (&error);

  ck_assert_ptr_null (
      loop_event_loop_call_later_full (self->loop, 0.0, step_run, step_new ('b'), step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_WRONG_THREAD));
  g_clear_error (&error);

  ck_assert_ptr_null (loop_event_loop_call_at_full (self->loop, 0.0, step_run, step_new ('c'), step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_WRONG_THREAD));
  g_clear_error (&error);

  ck_assert (!loop_event_loop_add_reader_full (self->loop, self->fd, step_run, step_new ('d'), step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_WRONG_THREAD));
  g_clear_error (&error);
  check_steps ("ABCD");

  loop_check_expect_critical ("*call_soon*thread*intruder*");
  ck_assert_ptr_null (loop_event_loop_call_soon (self->loop, step_run, step_new ('e'), step_destroy));
  loop_check_expect_critical ("*cancel*thread*");
  loop_handle_cancel (self->handle);
  check_steps ("E");

  /* This one is allowed, of course. */
  ck_assert (loop_event_loop_call_soon_threadsafe (self->loop, stop_loop, self->loop, NULL, NULL, &error));

  return NULL;
}

/* The loop waits for the intruder, so that there is no race but the one that is forbidden. */
static void
let_intrude (gpointer data)
{
  g_thread_join (g_thread_new ("intruder", intrude, data));
}

START_TEST (test_wrong_thread)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Intruder intruder = { loop };
  int fds[2];

  ck_assert_int_eq (pipe (fds), 0);
  intruder.fd = fds[0];
  loop_event_loop_set_debug (loop, TRUE);
  loop_event_loop_set_slow_callback_duration (loop, 10.0);
  intruder.handle = loop_handle_ref ((LoopHandle *) loop_event_loop_call_later (loop, 100.0, do_nothing, NULL, NULL));
  loop_event_loop_call_soon (loop, let_intrude, &intruder, NULL);
  ck_assert (loop_event_loop_run_forever (loop));

  ck_assert (!loop_handle_cancelled (intruder.handle));
  loop_handle_cancel (intruder.handle);
  loop_handle_unref (intruder.handle);
  close (fds[0]);
  close (fds[1]);
}
END_TEST

static gpointer
intrude_on_future (gpointer future)
{
  g_autoptr (GError) exception = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");
  g_autoptr (GError) error = NULL;

  ck_assert (!loop_future_set_result (future, NULL, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_WRONG_THREAD));
  g_clear_error (&error);

  ck_assert (!loop_future_set_exception (future, exception, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_WRONG_THREAD));

  loop_check_expect_critical ("*loop_future_cancel*thread*");
  ck_assert (!loop_future_cancel (future));

  return NULL;
}

static void
let_intrude_on_future (gpointer future)
{
  g_thread_join (g_thread_new ("intruder", intrude_on_future, future));

  /* None of it has had an effect. */
  ck_assert (!loop_future_done (future));
  ck_assert (loop_future_set_result (future, NULL, NULL));
}

START_TEST (test_future_in_wrong_thread)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);

  loop_event_loop_set_debug (loop, TRUE);
  loop_event_loop_set_slow_callback_duration (loop, 10.0);
  loop_event_loop_call_soon (loop, let_intrude_on_future, future, NULL);
  ck_assert (loop_event_loop_run_until_complete (loop, future, NULL, NULL));
}
END_TEST

/* A loop that does not run may be used by any one thread, and futures of a closed one as well. */
static gpointer
use_idle_loop (gpointer loop)
{
  ck_assert_ptr_nonnull (loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy));

  return NULL;
}

static gpointer
cancel_future (gpointer future)
{
  ck_assert (loop_future_cancel (future));

  return NULL;
}

START_TEST (test_future_of_idle_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) first = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) second = loop_event_loop_create_future (loop);
  g_autoptr (LoopFuture) third = loop_event_loop_create_future (loop);

  loop_event_loop_set_debug (loop, TRUE);
  g_thread_join (g_thread_new ("user", cancel_future, first));
  ck_assert (loop_event_loop_close (loop));
  g_thread_join (g_thread_new ("user", cancel_future, second));
  ck_assert (loop_future_set_result (third, NULL, NULL));
}
END_TEST

START_TEST (test_idle_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_set_debug (loop, TRUE);
  g_thread_join (g_thread_new ("user", use_idle_loop, loop));
  run_once (loop);
  g_thread_join (g_thread_new ("user", use_idle_loop, loop));
  run_once (loop);
  check_steps ("aAaA");
}
END_TEST

LOOP_TEST_MAIN ("debug",
                test_switch,
                test_environment,
                test_slow_callback_duration,
                test_slow_callback_is_named,
                test_slow_timer_and_reader,
                test_function_is_named,
                test_no_warning,
                test_switched_in_callback,
                test_wrong_thread,
                test_future_in_wrong_thread,
                test_future_of_idle_loop,
                test_idle_loop)
