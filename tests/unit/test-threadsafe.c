/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-handle.h"

/* call_soon_threadsafe: it wakes the loop, keeps the order, and gives a handle of one's own. */

typedef struct
{
  LoopEventLoop *loop;
  GMainLoop *main_loop; /* or NULL */
  GThread *loop_thread;
  double posted;
  double latency;
} Wakeup;

static void
woken (gpointer data)
{
  Wakeup *self = data;

  self->latency = loop_event_loop_time (self->loop) - self->posted;
  ck_assert_ptr_eq (g_thread_self (), self->loop_thread);
  if (self->main_loop != NULL)
    g_main_loop_quit (self->main_loop);
  else
    loop_event_loop_stop (self->loop);
}

static gpointer
wake (gpointer data)
{
  Wakeup *self = data;

  /* Time enough for it to fall asleep. */
  g_usleep (20000);
  self->posted = loop_event_loop_time (self->loop);
  ck_assert (loop_event_loop_call_soon_threadsafe (self->loop, woken, self, NULL, NULL, NULL));

  return NULL;
}

static void
check_wakeup (LoopEventLoop *loop, GMainLoop *main_loop)
{
  double best = 1.0;

  for (int i = 0; i < 5; i++)
    {
      Wakeup wakeup = { loop, main_loop, g_thread_self () };
      GThread *thread = g_thread_new ("waker", wake, &wakeup);

      if (main_loop != NULL)
        g_main_loop_run (main_loop);
      else
        ck_assert (loop_event_loop_run_forever (loop));
      g_thread_join (thread);
      best = MIN (best, wakeup.latency);
    }

  ck_assert_double_lt (best, 0.005);
}

START_TEST (test_wakes_at_once)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  check_wakeup (loop, NULL);
  loop_event_loop_call_later (loop, 100.0, do_nothing, NULL, NULL);
  check_wakeup (loop, NULL);
}
END_TEST

static gboolean
go_on (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

START_TEST (test_wakes_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  g_autoptr (GSource) source = g_timeout_source_new (100000);

  check_wakeup (loop, main_loop);
  check_wakeup (loop, NULL);
  g_source_set_callback (source, go_on, NULL, NULL);
  g_source_attach (source, context);
  check_wakeup (loop, main_loop);
}
END_TEST

/* From one thread, all come in their order, whichever of the two calls was used. */
START_TEST (test_order_with_call_soon)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('b'), step_destroy, NULL, NULL));
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('c'), step_destroy, NULL, NULL));
  loop_event_loop_call_soon (loop, step_run, step_new ('d'), step_destroy);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('e'), step_destroy, NULL, NULL));
  run_once (loop);
  check_steps ("aAbBcCdDeE");
}
END_TEST

/* In a callback, it is for the next iteration, as call_soon is. */
static void
post_inner (gpointer loop)
{
  note_step ('o');
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('i'), step_destroy, NULL, NULL));
}

START_TEST (test_next_iteration)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  ck_assert (loop_event_loop_call_soon_threadsafe (loop, post_inner, loop, NULL, NULL, NULL));
  loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy);
  run_once (loop);
  check_steps ("obB");
  run_once (loop);
  check_steps ("iI");
}
END_TEST

START_TEST (test_handle)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopHandle) handle = NULL;
  g_autofree char *description = NULL;

  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('a'), step_destroy, &handle, NULL));
  ck_assert_ptr_nonnull (handle);
  ck_assert_uint_gt (loop_handle_get_id (handle), 0);
  loop_handle_set_name (handle, "posted");
  description = loop_handle_describe (handle);
  ck_assert (g_str_has_suffix (description, " posted"));
  ck_assert (!loop_handle_cancelled (handle));

  run_once (loop);
  check_steps ("aA");
  ck_assert (!loop_handle_cancelled (handle));
}
END_TEST

START_TEST (test_cancel_before_the_loop_knows)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopHandle) handle = NULL;

  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('a'), step_destroy, NULL, NULL));
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('b'), step_destroy, &handle, NULL));
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('c'), step_destroy, NULL, NULL));
  loop_handle_cancel (handle);
  loop_handle_cancel (handle);
  ck_assert (loop_handle_cancelled (handle));
  run_once (loop);

  {
    g_autofree char *steps = take_steps ();
    g_auto (GStrv) around = g_strsplit (steps, "B", -1);
    g_autofree char *others = g_strjoinv ("", around);

    /* When its data is destroyed is left open, but not how often. */
    ck_assert_uint_eq (g_strv_length (around), 2);
    ck_assert_str_eq (others, "aAcC");
  }
  ck_assert (loop_handle_cancelled (handle));
}
END_TEST

START_TEST (test_cancel_then_close)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopHandle) handle = NULL;

  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('a'), step_destroy, &handle, NULL));
  loop_handle_cancel (handle);
  ck_assert (loop_event_loop_close (loop));
  check_steps ("A");
  loop_handle_cancel (handle);
  ck_assert (loop_handle_cancelled (handle));
}
END_TEST

/* After the loop took it over, it is cancelled like any other: here by a sibling. */
static void
cancel_handle (gpointer data)
{
  note_step ('c');
  loop_handle_cancel (*(LoopHandle **) data);
}

START_TEST (test_cancel_in_the_batch)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopHandle) handle = NULL;

  ck_assert (loop_event_loop_call_soon_threadsafe (loop, cancel_handle, &handle, NULL, NULL, NULL));
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('a'), step_destroy, &handle, NULL));
  run_once (loop);
  check_steps ("cA");
}
END_TEST

/* The handle's last reference may go in any thread, before and after the callback. */
static gpointer
unref_handle (gpointer handle)
{
  loop_handle_unref (handle);

  return NULL;
}

START_TEST (test_unref_elsewhere)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopHandle *handle = NULL;

  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('a'), step_destroy, &handle, NULL));
  g_thread_join (g_thread_new ("unref", unref_handle, handle));
  run_once (loop);
  check_steps ("aA");

  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('b'), step_destroy, &handle, NULL));
  run_once (loop);
  g_thread_join (g_thread_new ("unref", unref_handle, handle));
  check_steps ("bB");
}
END_TEST

LOOP_TEST_MAIN ("threadsafe",
                test_wakes_at_once,
                test_wakes_foreign_context,
                test_order_with_call_soon,
                test_next_iteration,
                test_handle,
                test_cancel_before_the_loop_knows,
                test_cancel_then_close,
                test_cancel_in_the_batch,
                test_unref_elsewhere)
