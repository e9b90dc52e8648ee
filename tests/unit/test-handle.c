/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-handle.h"

/* What a handle tells of itself, and how long it lives. */

/* Exported, so that the dynamic linker knows its name. */
void exported_callback (gpointer data);

__attribute__ ((visibility ("default"))) void
exported_callback (gpointer data)
{
}

START_TEST (test_ids_are_unique_and_increase)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  guint64 last = 0;

  for (int i = 0; i < 2000; i++)
    {
      guint64 id;

      if (i % 3 == 0)
        id = loop_timer_handle_get_id (loop_event_loop_call_later (loop, 0.0, do_nothing, NULL, NULL));
      else
        id = loop_handle_get_id (loop_event_loop_call_soon (loop, do_nothing, NULL, NULL));

      ck_assert_uint_gt (id, last);
      last = id;

      /* The handles are reused meanwhile, their ids are not. */
      if (i % 7 == 0)
        run_once (loop);
    }
}
END_TEST

START_TEST (test_ids_are_unique_among_loops)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_autoptr (LoopEventLoop) a = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) b = loop_event_loop_new ();

  ck_assert_uint_ne (loop_event_loop_get_id (a), loop_event_loop_get_id (b));

  for (int i = 0; i < 1000; i++)
    {
      LoopEventLoop *loop = i % 2 == 0 ? a : b;
      g_autoptr (LoopHandle) posted = NULL;
      guint64 ids[2];

      ck_assert (loop_event_loop_call_soon_threadsafe (loop, do_nothing, NULL, NULL, &posted, NULL));
      ids[0] = loop_handle_get_id (posted);
      ids[1] = loop_handle_get_id (loop_event_loop_call_soon (loop, do_nothing, NULL, NULL));

      for (int j = 0; j < 2; j++)
        ck_assert (g_hash_table_add (seen, g_memdup2 (&ids[j], sizeof ids[j])));
    }
}
END_TEST

START_TEST (test_name)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopHandle *handle = loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  char name[] = "greet";

  ck_assert_ptr_null (loop_handle_get_name (handle));

  loop_handle_set_name (handle, name);
  name[0] = 'X';
  ck_assert_str_eq (loop_handle_get_name (handle), "greet");

  loop_handle_set_name (handle, NULL);
  ck_assert_ptr_null (loop_handle_get_name (handle));

  /* A reused handle does not inherit the name. */
  loop_handle_set_name (handle, "old");
  run_once (loop);
  ck_assert_ptr_null (loop_handle_get_name (loop_event_loop_call_soon (loop, do_nothing, NULL, NULL)));
}
END_TEST

START_TEST (test_describe)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopHandle *handle = loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  LoopTimerHandle *timer = loop_event_loop_call_later (loop, 1.0, exported_callback, NULL, NULL);
  g_autofree char *anonymous = loop_handle_describe (handle);
  g_autofree char *of_timer = loop_timer_handle_describe (timer);
  g_autofree char *prefix = g_strdup_printf ("handle #%" G_GUINT64_FORMAT " ", loop_handle_get_id (handle));
  g_autofree char *timer_prefix = g_strdup_printf ("timer #%" G_GUINT64_FORMAT " ", loop_timer_handle_get_id (timer));
  g_autofree char *named = NULL;
  g_autofree char *expected = g_strconcat (prefix, "greet", NULL);

  ck_assert (g_str_has_prefix (anonymous, prefix));
  ck_assert_uint_gt (strlen (anonymous), strlen (prefix));
  ck_assert (g_str_has_prefix (of_timer, timer_prefix));

  loop_handle_set_name (handle, "greet");
  named = loop_handle_describe (handle);
  ck_assert_str_eq (named, expected);
}
END_TEST

/* The loop owns a handle that nobody looks at. The sanitizers watch that nothing leaks. */
START_TEST (test_ignored)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  for (int i = 0; i < 100; i++)
    {
      loop_event_loop_call_soon (loop, do_nothing, g_strdup ("data"), g_free);
      loop_event_loop_call_later (loop, 0.0, do_nothing, g_strdup ("data"), g_free);
      loop_event_loop_call_later (loop, 1000.0, do_nothing, g_strdup ("data"), g_free);
    }
  run_once (loop);
}
END_TEST

START_TEST (test_outlives_its_call)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopHandle) handle = loop_handle_ref (loop_event_loop_call_soon (loop, do_nothing, NULL, NULL));
  guint64 id = loop_handle_get_id (handle);

  loop_handle_set_name (handle, "kept");
  run_once (loop);

  for (int i = 0; i < 100; i++)
    loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  run_once (loop);

  ck_assert_uint_eq (loop_handle_get_id (handle), id);
  ck_assert_str_eq (loop_handle_get_name (handle), "kept");
  ck_assert (!loop_handle_cancelled (handle));
  loop_handle_cancel (handle);
  ck_assert (!loop_handle_cancelled (handle));
}
END_TEST

START_TEST (test_outlives_its_loop)
{
  LoopEventLoop *loop = loop_event_loop_new ();
  g_autoptr (LoopHandle) run = loop_handle_ref (loop_event_loop_call_soon (loop, do_nothing, NULL, NULL));
  g_autoptr (LoopHandle) pending = NULL;
  g_autoptr (LoopHandle) posted = NULL;
  g_autoptr (LoopTimerHandle) timer = NULL;
  g_autofree char *description = NULL;

  run_once (loop);
  pending = loop_handle_ref (loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy));
  timer = loop_timer_handle_ref (loop_event_loop_call_later (loop, 5.0, step_run, step_new ('b'), step_destroy));
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('c'), step_destroy, &posted, NULL));
  g_object_unref (loop);

  {
    g_autofree char *steps = take_steps ();
    ck_assert_uint_eq (strlen (steps), 3);
    ck_assert (strchr (steps, 'A') != NULL && strchr (steps, 'B') != NULL && strchr (steps, 'C') != NULL);
  }

  ck_assert (!loop_handle_cancelled (run));
  ck_assert (loop_handle_cancelled (pending));
  ck_assert (loop_handle_cancelled (posted));
  ck_assert (loop_timer_handle_cancelled (timer));
  loop_handle_cancel (run);
  loop_handle_cancel (pending);
  loop_handle_cancel (posted);
  loop_timer_handle_cancel (timer);
  ck_assert_double_gt (loop_timer_handle_when (timer), 0.0);
  description = loop_handle_describe (pending);
  ck_assert_ptr_nonnull (description);
  check_steps ("");
}
END_TEST

START_TEST (test_boxed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopHandle *handle = loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  LoopTimerHandle *timer = loop_event_loop_call_later (loop, 0.0, do_nothing, NULL, NULL);
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) timer_value = G_VALUE_INIT;

  g_value_init (&value, LOOP_TYPE_HANDLE);
  g_value_set_boxed (&value, handle);
  ck_assert_ptr_eq (g_value_get_boxed (&value), handle);

  g_value_init (&timer_value, LOOP_TYPE_TIMER_HANDLE);
  g_value_set_boxed (&timer_value, timer);
  ck_assert_ptr_eq (g_value_get_boxed (&timer_value), timer);

  run_once (loop);
  ck_assert (!loop_handle_cancelled (g_value_get_boxed (&value)));
}
END_TEST

LOOP_TEST_MAIN ("handle",
                test_ids_are_unique_and_increase,
                test_ids_are_unique_among_loops,
                test_name,
                test_describe,
                test_ignored,
                test_outlives_its_call,
                test_outlives_its_loop,
                test_boxed)
