/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-fd-watcher.h"
#include "loop-handle.h"

#include <unistd.h>

/*
 * A callback that runs a main loop of its own, as a modal dialog does: the rest of the batch runs in
 * there, and so does whatever is scheduled meanwhile.
 */

typedef struct
{
  LoopEventLoop *loop;
  GMainLoop *main_loop;
  int depth;
} Fixture;

static void
set_up (Fixture *f, gboolean is_foreign)
{
  g_autoptr (GMainContext) context = NULL;

  f->loop = new_loop (is_foreign, &context);
  f->main_loop = g_main_loop_new (context, FALSE);
  f->depth = 0;
}

static void
tear_down (Fixture *f)
{
  g_main_loop_unref (f->main_loop);
  g_object_unref (f->loop);
}

/* What is foreign is iterated by a main loop. */
static void
quit_outer (gpointer main_loop)
{
  g_main_loop_quit (main_loop);
}

static void
run (Fixture *f, gboolean is_foreign)
{
  if (is_foreign)
    {
      g_autoptr (GMainLoop) outer = g_main_loop_new (loop_event_loop_get_context (f->loop), FALSE);

      loop_event_loop_call_later (f->loop, 0.01, quit_outer, outer, NULL);
      g_main_loop_run (outer);
    }
  else
    {
      run_for (f->loop, 0.01);
    }
}

static void
run_main_loop (gpointer data)
{
  Fixture *f = data;

  note_step ('(');
  ck_assert_ptr_eq (loop_event_loop_get_running (), f->loop);
  g_main_loop_run (f->main_loop);
  ck_assert_ptr_eq (loop_event_loop_get_running (), f->loop);
  ck_assert (loop_event_loop_is_running (f->loop));
  note_step (')');
}

static void
note_end (gpointer data)
{
  note_step ('!');
}

static void
quit (gpointer data)
{
  Fixture *f = data;

  note_step ('q');
  ck_assert_ptr_eq (loop_event_loop_get_running (), f->loop);
  g_main_loop_quit (f->main_loop);
}

static void
check_rest_of_batch (gboolean is_foreign)
{
  Fixture f;

  set_up (&f, is_foreign);
  loop_event_loop_call_soon (f.loop, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_soon (f.loop, run_main_loop, &f, note_end);
  loop_event_loop_call_soon (f.loop, step_run, step_new ('b'), step_destroy);
  loop_event_loop_call_soon (f.loop, quit, &f, NULL);
  loop_event_loop_call_soon (f.loop, step_run, step_new ('c'), step_destroy);
  run (&f, is_foreign);
  check_steps ("aA(bBqcC)!");
  tear_down (&f);
}

static void
schedule_inside (gpointer data)
{
  Fixture *f = data;

  note_step ('s');
  loop_event_loop_call_soon (f->loop, step_run, step_new ('n'), step_destroy);
  loop_event_loop_call_later (f->loop, 0.001, quit, f, NULL);
}

static void
check_new_callbacks (gboolean is_foreign)
{
  Fixture f;

  set_up (&f, is_foreign);
  loop_event_loop_call_soon (f.loop, run_main_loop, &f, note_end);
  loop_event_loop_call_soon (f.loop, schedule_inside, &f, NULL);
  run (&f, is_foreign);
  check_steps ("(snNq)!");
  tear_down (&f);
}

/* Nothing is there to end it but what comes from outside: another thread, and then a descriptor. */
typedef struct
{
  Fixture *fixture;
  int fds[2];
} Outside;

static void
read_and_quit (gpointer data)
{
  Outside *self = data;

  ck_assert (loop_event_loop_remove_reader (self->fixture->loop, self->fds[0]));
  quit (self->fixture);
}

static void
write_byte (gpointer data)
{
  Outside *self = data;

  note_step ('w');
  ck_assert_int_eq (write (self->fds[1], "x", 1), 1);
}

static gpointer
post_from_thread (gpointer data)
{
  Outside *self = data;

  g_usleep (3000);
  ck_assert (loop_event_loop_call_soon_threadsafe (self->fixture->loop, write_byte, self, NULL, NULL, NULL));

  return NULL;
}

static void
check_events_and_threads (gboolean is_foreign)
{
  Fixture f;
  Outside outside = { &f };
  GThread *thread;

  set_up (&f, is_foreign);
  ck_assert_int_eq (pipe (outside.fds), 0);
  ck_assert (loop_event_loop_add_reader (f.loop, outside.fds[0], read_and_quit, &outside, NULL));
  loop_event_loop_call_soon (f.loop, run_main_loop, &f, note_end);
  thread = g_thread_new ("poster", post_from_thread, &outside);
  run (&f, is_foreign);
  check_steps ("(wq)!");
  g_thread_join (thread);
  close (outside.fds[0]);
  close (outside.fds[1]);
  tear_down (&f);
}

typedef struct
{
  Fixture *outer;
  Fixture *inner;
} TwoDeep;

/* The outer one has its turn when the inner one has ended, however late it is. */
static void
quit_in_order (gpointer data)
{
  TwoDeep *both = data;

  quit (both->inner);
  loop_event_loop_call_soon (both->outer->loop, quit, both->outer, NULL);
}

/* Two deep, and out again in order. */
static void
check_two_deep (gboolean is_foreign)
{
  Fixture f;
  Fixture inner;
  TwoDeep both = { &f, &inner };

  set_up (&f, is_foreign);
  inner.loop = f.loop;
  inner.main_loop = g_main_loop_new (loop_event_loop_get_context (f.loop), FALSE);
  loop_event_loop_call_soon (f.loop, run_main_loop, &f, note_end);
  loop_event_loop_call_soon (f.loop, run_main_loop, &inner, note_end);
  loop_event_loop_call_soon (f.loop, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_later (f.loop, 0.001, quit_in_order, &both, NULL);
  run (&f, is_foreign);
  check_steps ("((aAq)!q)!");
  g_main_loop_unref (inner.main_loop);
  tear_down (&f);
}

/* Stopped inside: that counts once the callback has returned. */
static void
stop_and_quit (gpointer data)
{
  Fixture *f = data;

  loop_event_loop_stop (f->loop);
  quit (f);
}

START_TEST (test_stopped_inside)
{
  Fixture f;

  set_up (&f, FALSE);
  loop_event_loop_call_soon (f.loop, run_main_loop, &f, note_end);
  loop_event_loop_call_later (f.loop, 0.001, stop_and_quit, &f, NULL);
  loop_event_loop_call_later (f.loop, 5.0, step_run, step_new ('x'), step_destroy);
  ck_assert (loop_event_loop_run_forever (f.loop));
  check_steps ("(q)!");
  tear_down (&f);
  check_steps ("X");
}
END_TEST

/* The handle of the callback that is under way cannot be cancelled from inside of it. */
static LoopHandle *under_way;

static void
cancel_under_way (gpointer data)
{
  loop_handle_cancel (under_way);
  quit (data);
}

static void
check_cancel_under_way (gboolean is_foreign)
{
  Fixture f;

  set_up (&f, is_foreign);
  under_way = loop_handle_ref (loop_event_loop_call_soon (f.loop, run_main_loop, &f, note_end));
  loop_event_loop_call_soon (f.loop, cancel_under_way, &f, NULL);
  run (&f, is_foreign);
  check_steps ("(q)!");
  ck_assert (!loop_handle_cancelled (under_way));
  loop_handle_unref (under_way);
  tear_down (&f);
}

/* Another loop may not run inside, but one may be used: it waits. */
static void
check_other_loop (gboolean is_foreign)
{
  g_autoptr (LoopEventLoop) other = loop_event_loop_new ();
  Fixture f;

  set_up (&f, is_foreign);
  loop_event_loop_call_soon (f.loop, run_main_loop, &f, note_end);
  loop_event_loop_call_soon (other, step_run, step_new ('o'), step_destroy);
  loop_event_loop_call_later (f.loop, 0.001, quit, &f, NULL);
  run (&f, is_foreign);
  check_steps ("(q)!");
  run_once (other);
  check_steps ("oO");
  tear_down (&f);
}

/* Each on a context of the loop's own and on a foreign one. */
#define BOTH(name)                                                                                                     \
  START_TEST (test_##name) { check_##name (FALSE); }                                                                   \
  END_TEST                                                                                                             \
  START_TEST (test_##name##_foreign) { check_##name (TRUE); }                                                          \
  END_TEST

BOTH (rest_of_batch)
BOTH (new_callbacks)
BOTH (events_and_threads)
BOTH (two_deep)
BOTH (cancel_under_way)
BOTH (other_loop)

LOOP_TEST_MAIN ("context-nested",
                test_rest_of_batch,
                test_rest_of_batch_foreign,
                test_new_callbacks,
                test_new_callbacks_foreign,
                test_events_and_threads,
                test_events_and_threads_foreign,
                test_two_deep,
                test_two_deep_foreign,
                test_stopped_inside,
                test_cancel_under_way,
                test_cancel_under_way_foreign,
                test_other_loop,
                test_other_loop_foreign)
