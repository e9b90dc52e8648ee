/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-handle-private.h"
#include "loop-interpreter-hooks.h"
#include "loop-traceback-private.h"

/* What an interpreter is told: that the loop waits, and that somebody else has it run callbacks. */

static GString *calls;

static void
before_wait (gpointer user_data)
{
  g_string_append (calls, "(");
}

static void
after_wait (gpointer user_data)
{
  g_string_append (calls, ")");
}

static void
before_dispatch (gpointer user_data)
{
  g_string_append (calls, "[");
}

static void
after_dispatch (gpointer user_data)
{
  g_string_append (calls, "]");
}

static const LoopInterpreterHooks hooks = { before_wait, after_wait, before_dispatch, after_dispatch };

static void
called (gpointer user_data)
{
  g_string_append (calls, user_data);
}

static void
stop (gpointer loop)
{
  loop_event_loop_stop (loop);
}

static void
begin (void)
{
  calls = g_string_new (NULL);
}

static void
end (const char *expected)
{
  ck_assert_str_eq (calls->str, expected);
  g_string_free (g_steal_pointer (&calls), TRUE);
}

/* What is ready is run without a word; only what may take long is told. */
START_TEST (test_run_forever)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  begin ();
  loop_event_loop_set_interpreter_hooks (loop, &hooks, NULL);
  loop_event_loop_call_soon (loop, called, (gpointer) "a", NULL);
  loop_event_loop_call_later (loop, 0.01, stop, loop, NULL);
  loop_event_loop_run_forever (loop);
  loop_event_loop_close (loop);
  /* GLib has its say in the first iterations, and the loop may be woken up before it is time. */
  ck_assert (g_str_has_prefix (calls->str, "[a]()") || g_str_has_prefix (calls->str, "a()"));
  ck_assert (g_str_has_suffix (calls->str, ")") || g_str_has_suffix (calls->str, "[]"));
  g_string_free (g_steal_pointer (&calls), TRUE);
}
END_TEST

START_TEST (test_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);

  begin ();
  loop_event_loop_set_interpreter_hooks (loop, &hooks, NULL);
  loop_event_loop_call_soon (loop, called, (gpointer) "a", NULL);
  loop_event_loop_call_soon (loop, called, (gpointer) "b", NULL);
  g_main_context_iteration (context, FALSE);
  loop_event_loop_close (loop);
  end ("[ab]");
}
END_TEST

static void
iterate (gpointer loop)
{
  g_string_append (calls, "<");
  loop_event_loop_call_soon (loop, called, (gpointer) "b", NULL);
  g_main_context_iteration (loop_event_loop_get_context (loop), FALSE);
  g_string_append (calls, ">");
}

START_TEST (test_nested)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  begin ();
  loop_event_loop_set_interpreter_hooks (loop, &hooks, NULL);
  loop_event_loop_call_soon (loop, iterate, loop, NULL);
  loop_event_loop_call_soon (loop, stop, loop, NULL);
  loop_event_loop_run_forever (loop);
  loop_event_loop_close (loop);
  /* The inner iteration goes on with the batch that the outer one has begun; "b" is for the next. */
  ck_assert_ptr_nonnull (strstr (calls->str, "<[]>"));
  g_string_free (g_steal_pointer (&calls), TRUE);
}
END_TEST

START_TEST (test_taken_away)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  begin ();
  loop_event_loop_set_interpreter_hooks (loop, &hooks, NULL);
  loop_event_loop_set_interpreter_hooks (loop, NULL, NULL);
  loop_event_loop_call_later (loop, 0.01, stop, loop, NULL);
  loop_event_loop_run_forever (loop);
  loop_event_loop_close (loop);
  end ("");
}
END_TEST

static void
take_long (gpointer unused)
{
  g_usleep (20000);
}

static gpointer
set_debug (gpointer loop)
{
  loop_event_loop_set_debug (loop, !loop_event_loop_get_debug (loop));

  return NULL;
}

/* The interpreter says what is slow; that it is debugged is known nevertheless. */
START_TEST (test_debug)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopHandle *handle;
  int n_notified = 0;

  begin ();
  g_signal_connect_swapped (loop, "notify::debug", G_CALLBACK (count_up), &n_notified);
  loop_event_loop_set_slow_callback_duration (loop, 0.01);
  loop_event_loop_set_interpreter_hooks (loop, &hooks, NULL);
  loop_event_loop_set_debug (loop, TRUE);
  ck_assert (loop_event_loop_get_debug (loop));
  handle = loop_event_loop_call_soon (loop, take_long, NULL, NULL);
  ck_assert_ptr_null (loop_traceback_get_origin (loop_handle_get_id (handle)));
  run_once (loop);
  g_thread_join (g_thread_new (NULL, set_debug, loop));
  ck_assert (!loop_event_loop_get_debug (loop));
  ck_assert_int_eq (n_notified, 2);
  g_thread_join (g_thread_new (NULL, set_debug, loop));
  ck_assert (loop_event_loop_get_debug (loop));

  /* Without it, that is libloop's task again. */
  loop_event_loop_set_interpreter_hooks (loop, NULL, NULL);
  ck_assert (loop_event_loop_get_debug (loop));
  loop_check_expect_warning ("Executing*take_long*");
  loop_event_loop_call_soon (loop, take_long, NULL, NULL);
  run_once (loop);

  loop_event_loop_set_interpreter_hooks (loop, &hooks, NULL);
  ck_assert (loop_event_loop_get_debug (loop));
  loop_event_loop_call_soon (loop, take_long, NULL, NULL);
  run_once (loop);
  loop_event_loop_set_debug (loop, FALSE);
  ck_assert_int_eq (n_notified, 4);
  loop_event_loop_close (loop);
  g_string_free (g_steal_pointer (&calls), TRUE);
}
END_TEST

LOOP_TEST_MAIN ("interpreter-hooks", test_run_forever, test_foreign_context, test_nested, test_taken_away, test_debug)
