/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"

/* Which loop runs here, and that a second one does not start inside it. */

static void
check_running (gpointer loop)
{
  note_step ('c');
  ck_assert (loop_event_loop_is_running (loop));
  ck_assert_ptr_eq (loop_event_loop_get_running (), loop);
}

static void
check_running_at_the_end (gpointer loop)
{
  note_step ('d');
  ck_assert (loop_event_loop_is_running (loop));
  ck_assert_ptr_eq (loop_event_loop_get_running (), loop);
}

START_TEST (test_running)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  ck_assert (!loop_event_loop_is_running (loop));
  ck_assert_ptr_null (loop_event_loop_get_running ());

  loop_event_loop_call_soon (loop, check_running, loop, check_running_at_the_end);
  loop_event_loop_call_later (loop, 0.0, check_running, loop, NULL);
  run_once (loop);
  check_steps ("cdc");

  ck_assert (!loop_event_loop_is_running (loop));
  ck_assert_ptr_null (loop_event_loop_get_running ());
}
END_TEST

static gboolean
check_running_in_source (gpointer loop)
{
  check_running (loop);
  loop_event_loop_stop (loop);

  return G_SOURCE_REMOVE;
}

/* Other sources of the context run inside of run_forever, too. */
START_TEST (test_running_in_other_source)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_callback (source, check_running_in_source, loop, NULL);
  g_source_attach (source, loop_event_loop_get_context (loop));
  ck_assert (loop_event_loop_run_forever (loop));
  check_steps ("c");
}
END_TEST

static void
check_default_context (gpointer loop)
{
  ck_assert_ptr_eq (g_main_context_get_thread_default (), loop_event_loop_get_context (loop));
  note_step ('x');
}

START_TEST (test_thread_default_context)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, check_default_context, loop, NULL);
  run_once (loop);
  check_steps ("x");
  ck_assert_ptr_null (g_main_context_get_thread_default ());
}
END_TEST

static void
run_refused (gpointer loop)
{
  g_autoptr (GError) error = NULL;

  note_step ('r');
  ck_assert (!loop_event_loop_run_forever_full (loop, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_RUNNING));

  loop_check_expect_critical ("*running*");
  ck_assert (!loop_event_loop_run_forever (loop));
}

START_TEST (test_same_loop_refused)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, run_refused, loop, NULL);
  loop_event_loop_call_soon (loop, check_running, loop, NULL);
  run_once (loop);
  check_steps ("rc");
}
END_TEST

START_TEST (test_other_loop_refused)
{
  g_autoptr (LoopEventLoop) outer = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) inner = loop_event_loop_new ();

  loop_event_loop_call_soon (outer, run_refused, inner, NULL);
  loop_event_loop_call_soon (outer, check_running, outer, NULL);
  run_once (outer);
  check_steps ("rc");
  ck_assert (!loop_event_loop_is_running (inner));

  /* One after the other is fine. */
  loop_event_loop_call_soon (inner, check_running, inner, NULL);
  run_once (inner);
  check_steps ("c");
}
END_TEST

/* On somebody else's context a loop runs for as long as one of its callbacks does. */
START_TEST (test_refused_on_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  g_autoptr (LoopEventLoop) other = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, check_running, loop, NULL);
  loop_event_loop_call_soon (loop, run_refused, loop, NULL);
  loop_event_loop_call_soon (loop, run_refused, other, NULL);
  loop_event_loop_call_soon (loop, check_running, loop, NULL);
  while (g_main_context_pending (context))
    g_main_context_iteration (context, FALSE);
  check_steps ("crrc");

  ck_assert (!loop_event_loop_is_running (loop));
  ck_assert_ptr_null (loop_event_loop_get_running ());
}
END_TEST

static void
close_refused (gpointer loop)
{
  g_autoptr (GError) error = NULL;

  note_step ('x');
  ck_assert (!loop_event_loop_close_full (loop, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_RUNNING));
  loop_check_expect_critical ("*running*");
  ck_assert (!loop_event_loop_close (loop));
  ck_assert (!loop_event_loop_is_closed (loop));
}

START_TEST (test_close_refused)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) foreign = loop_event_loop_new_for_context (context);

  loop_event_loop_call_soon (loop, close_refused, loop, NULL);
  loop_event_loop_call_soon (loop, check_running, loop, NULL);
  run_once (loop);
  check_steps ("xc");
  ck_assert (loop_event_loop_close (loop));

  loop_event_loop_call_soon (foreign, close_refused, foreign, NULL);
  while (g_main_context_pending (context))
    g_main_context_iteration (context, FALSE);
  check_steps ("x");
  ck_assert (loop_event_loop_close (foreign));
}
END_TEST

/* A loop that is not running may be closed from another's callback. */
static void
close_other (gpointer loop)
{
  ck_assert (loop_event_loop_close (loop));
  note_step ('x');
}

START_TEST (test_close_another)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) other = loop_event_loop_new ();

  loop_event_loop_call_soon (other, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_soon (loop, close_other, other, NULL);
  run_once (loop);
  check_steps ("Ax");
}
END_TEST

typedef struct
{
  GMainContext *context;
  GMutex mutex;
  GCond cond;
  gboolean is_owned;
  gboolean is_over;
} Owner;

static gpointer
own_context (gpointer data)
{
  Owner *owner = data;

  ck_assert (g_main_context_acquire (owner->context));
  g_mutex_lock (&owner->mutex);
  owner->is_owned = TRUE;
  g_cond_signal (&owner->cond);
  while (!owner->is_over)
    g_cond_wait (&owner->cond, &owner->mutex);
  g_mutex_unlock (&owner->mutex);
  g_main_context_release (owner->context);

  return NULL;
}

START_TEST (test_context_of_another_thread)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  g_autoptr (GError) error = NULL;
  Owner owner = { context };
  GThread *thread;

  g_mutex_init (&owner.mutex);
  g_cond_init (&owner.cond);
  thread = g_thread_new ("owner", own_context, &owner);
  g_mutex_lock (&owner.mutex);
  while (!owner.is_owned)
    g_cond_wait (&owner.cond, &owner.mutex);
  g_mutex_unlock (&owner.mutex);

  ck_assert (!loop_event_loop_run_forever_full (loop, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_RUNNING));
  ck_assert (!loop_event_loop_is_running (loop));

  g_mutex_lock (&owner.mutex);
  owner.is_over = TRUE;
  g_cond_signal (&owner.cond);
  g_mutex_unlock (&owner.mutex);
  g_thread_join (thread);

  loop_event_loop_call_soon (loop, check_running, loop, NULL);
  run_once (loop);
  check_steps ("c");
  g_mutex_clear (&owner.mutex);
  g_cond_clear (&owner.cond);
}
END_TEST

LOOP_TEST_MAIN ("run-nested",
                test_running,
                test_running_in_other_source,
                test_thread_default_context,
                test_same_loop_refused,
                test_other_loop_refused,
                test_refused_on_foreign_context,
                test_close_refused,
                test_close_another,
                test_context_of_another_thread)
