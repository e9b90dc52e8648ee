/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-fd-watcher.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Adding, replacing and removing watches, most of it from inside their own callbacks. */

typedef struct
{
  LoopEventLoop *loop;
  int a[2];
  int b[2];
  int c[2];
} Fixture;

static void
make_readable (int fds[2])
{
  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC | O_NONBLOCK), 0);
  ck_assert_int_eq (write (fds[1], "x", 1), 1);
}

/* Three pipes that can be read. */
static void
set_up (Fixture *self)
{
  self->loop = loop_event_loop_new ();
  make_readable (self->a);
  make_readable (self->b);
  make_readable (self->c);
}

static void
tear_down (Fixture *self)
{
  g_object_unref (self->loop);
  for (int i = 0; i < 2; i++)
    {
      close (self->a[i]);
      close (self->b[i]);
      close (self->c[i]);
    }
}

START_TEST (test_replace)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], step_run, step_new ('a'), step_destroy));
  run_once (f.loop);
  check_steps ("a");

  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], step_run, step_new ('b'), step_destroy));
  check_steps ("A");
  run_once (f.loop);
  check_steps ("b");

  ck_assert (loop_event_loop_remove_reader (f.loop, f.a[0]));
  check_steps ("B");
  tear_down (&f);
}
END_TEST

START_TEST (test_replace_writer_keeps_reader)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_writer (f.loop, f.a[1], step_run, step_new ('v'), step_destroy));
  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], step_run, step_new ('r'), step_destroy));
  ck_assert (loop_event_loop_add_writer (f.loop, f.a[1], step_run, step_new ('w'), step_destroy));
  check_steps ("V");
  run_once (f.loop);
  {
    g_autofree char *steps = take_steps ();
    ck_assert (g_str_equal (steps, "rw") || g_str_equal (steps, "wr"));
  }
  ck_assert (loop_event_loop_remove_writer (f.loop, f.a[1]));
  ck_assert (loop_event_loop_remove_reader (f.loop, f.a[0]));
  check_steps ("WR");
  tear_down (&f);
}
END_TEST

START_TEST (test_remove_twice)
{
  Fixture f;

  set_up (&f);
  ck_assert (!loop_event_loop_remove_reader (f.loop, f.a[0]));
  ck_assert (!loop_event_loop_remove_writer (f.loop, f.a[1]));
  ck_assert (!loop_event_loop_remove_reader (f.loop, -1));
  ck_assert (!loop_event_loop_remove_writer (f.loop, -1));
  ck_assert (!loop_event_loop_remove_reader (f.loop, G_MAXINT));

  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], step_run, step_new ('a'), step_destroy));
  ck_assert (!loop_event_loop_remove_writer (f.loop, f.a[0]));
  ck_assert (loop_event_loop_remove_reader (f.loop, f.a[0]));
  ck_assert (!loop_event_loop_remove_reader (f.loop, f.a[0]));
  run_once (f.loop);
  ck_assert (!loop_event_loop_remove_reader (f.loop, f.a[0]));
  check_steps ("A");
  tear_down (&f);
}
END_TEST

static void
remove_a (gpointer data)
{
  Fixture *f = data;

  note_step ('a');
  ck_assert (loop_event_loop_remove_reader (f->loop, f->a[0]));
  ck_assert (!loop_event_loop_remove_reader (f->loop, f->a[0]));
  /* Its data stays for as long as it runs. */
  note_step ('e');
}

static void
destroyed (gpointer data)
{
  note_step ('D');
}

START_TEST (test_remove_itself)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], remove_a, &f, destroyed));
  run_once (f.loop);
  run_once (f.loop);
  check_steps ("aeD");
  tear_down (&f);
}
END_TEST

static void
remove_and_close_a (gpointer data)
{
  Fixture *f = data;

  remove_a (f);
  close (f->a[0]);
  f->a[0] = -1;
}

START_TEST (test_remove_and_close_itself)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], remove_and_close_a, &f, destroyed));
  run_once (f.loop);
  run_once (f.loop);
  check_steps ("aeD");
  tear_down (&f);
}
END_TEST

/* Whichever of the two comes first removes the other. */
static void
remove_b (gpointer data)
{
  Fixture *f = data;

  note_step ('x');
  ck_assert (loop_event_loop_remove_reader (f->loop, f->b[0]));
}

static void
remove_other_a (gpointer data)
{
  Fixture *f = data;

  note_step ('x');
  ck_assert (loop_event_loop_remove_reader (f->loop, f->a[0]));
}

START_TEST (test_remove_sibling_of_the_batch)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], remove_b, &f, destroyed));
  ck_assert (loop_event_loop_add_reader (f.loop, f.b[0], remove_other_a, &f, destroyed));
  run_once (f.loop);
  check_steps ("xD");
  tear_down (&f);
}
END_TEST

/* The reader of a socket removes its writer, which is ready, too. */
static void
remove_own_writer (gpointer data)
{
  Fixture *f = data;

  note_step ('r');
  ck_assert (loop_event_loop_remove_writer (f->loop, f->a[0]));
}

START_TEST (test_remove_own_writer)
{
  Fixture f;

  set_up (&f);
  close (f.a[0]);
  close (f.a[1]);
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f.a), 0);
  ck_assert_int_eq (write (f.a[1], "x", 1), 1);
  ck_assert (loop_event_loop_add_writer (f.loop, f.a[0], step_run, step_new ('w'), step_destroy));
  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], remove_own_writer, &f, NULL));
  run_once (f.loop);
  check_steps ("rW");
  tear_down (&f);
}
END_TEST

/* A callback that was scheduled before removes a reader whose event has come already. */
START_TEST (test_remove_before_its_turn)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.b[0], step_run, step_new ('b'), step_destroy));
  loop_event_loop_call_soon (f.loop, remove_b, &f, NULL);
  run_once (f.loop);
  check_steps ("xB");
  tear_down (&f);
}
END_TEST

/* Removed and added again before it has its turn: the event was not the new one's, who gets the next. */
static void
readd_b (gpointer data)
{
  Fixture *f = data;

  note_step ('x');
  ck_assert (loop_event_loop_remove_reader (f->loop, f->b[0]));
  ck_assert (loop_event_loop_add_reader (f->loop, f->b[0], step_run, step_new ('n'), step_destroy));
}

START_TEST (test_readd_before_its_turn)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.b[0], step_run, step_new ('b'), step_destroy));
  loop_event_loop_call_soon (f.loop, readd_b, &f, NULL);
  run_once (f.loop);
  check_steps ("xB");
  run_once (f.loop);
  check_steps ("n");
  ck_assert (loop_event_loop_remove_reader (f.loop, f.b[0]));
  check_steps ("N");
  tear_down (&f);
}
END_TEST

START_TEST (test_readd_at_once)
{
  Fixture f;

  set_up (&f);
  for (int i = 0; i < 3; i++)
    {
      ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], step_run, step_new ('a'), step_destroy));
      ck_assert (loop_event_loop_remove_reader (f.loop, f.a[0]));
    }
  check_steps ("AAA");
  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], step_run, step_new ('b'), step_destroy));
  run_once (f.loop);
  check_steps ("b");
  ck_assert (loop_event_loop_remove_reader (f.loop, f.a[0]));
  run_once (f.loop);
  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], step_run, step_new ('c'), step_destroy));
  run_once (f.loop);
  check_steps ("Bc");
  ck_assert (loop_event_loop_remove_reader (f.loop, f.a[0]));
  check_steps ("C");
  tear_down (&f);
}
END_TEST

static void
replace_itself (gpointer data)
{
  Fixture *f = data;

  note_step ('a');
  ck_assert (loop_event_loop_add_reader (f->loop, f->a[0], step_run, step_new ('n'), step_destroy));
  note_step ('e');
}

START_TEST (test_replace_itself)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], replace_itself, &f, destroyed));
  run_once (f.loop);
  check_steps ("aeD");
  run_once (f.loop);
  check_steps ("n");
  ck_assert (loop_event_loop_remove_reader (f.loop, f.a[0]));
  check_steps ("N");
  tear_down (&f);
}
END_TEST

/* A destroy notify that changes the watches again. */
static void
destroy_adding (gpointer data)
{
  Fixture *f = data;

  note_step ('D');
  ck_assert (loop_event_loop_add_reader (f->loop, f->a[0], step_run, step_new ('n'), step_destroy));
}

START_TEST (test_add_in_notify)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], do_nothing, &f, destroy_adding));
  ck_assert (loop_event_loop_remove_reader (f.loop, f.a[0]));
  check_steps ("D");
  run_once (f.loop);
  check_steps ("n");
  ck_assert (loop_event_loop_remove_reader (f.loop, f.a[0]));
  check_steps ("N");
  tear_down (&f);
}
END_TEST

/* A reader that runs a main loop of its own, in which it is removed. */
static void
remove_a_and_quit (gpointer data)
{
  Fixture *f = data;

  note_step ('q');
  ck_assert (loop_event_loop_remove_reader (f->loop, f->a[0]));
}

static void
iterate_inside (gpointer data)
{
  Fixture *f = data;

  note_step ('(');
  loop_event_loop_call_soon (f->loop, remove_a_and_quit, f, NULL);
  for (int i = 0; i < 3; i++)
    g_main_context_iteration (loop_event_loop_get_context (f->loop), FALSE);
  note_step (')');
}

START_TEST (test_removed_in_nested_main_loop)
{
  Fixture f;
  char byte;

  set_up (&f);
  ck_assert_int_eq (read (f.a[0], &byte, 1), 1);
  ck_assert (loop_event_loop_add_reader (f.loop, f.a[0], iterate_inside, &f, destroyed));
  run_once (f.loop);
  check_steps ("");

  close (f.a[1]);
  f.a[1] = -1;
  run_once (f.loop);
  {
    g_autofree char *steps = take_steps ();
    /* How often it nests is left open: it stays readable until it is removed. */
    ck_assert (g_str_has_prefix (steps, "("));
    ck_assert (g_str_has_suffix (steps, ")D"));
    ck_assert_ptr_nonnull (strchr (steps, 'q'));
  }
  run_once (f.loop);
  check_steps ("");
  tear_down (&f);
}
END_TEST

LOOP_TEST_MAIN ("watch-change",
                test_replace,
                test_replace_writer_keeps_reader,
                test_remove_twice,
                test_remove_itself,
                test_remove_and_close_itself,
                test_remove_sibling_of_the_batch,
                test_remove_own_writer,
                test_remove_before_its_turn,
                test_readd_before_its_turn,
                test_readd_at_once,
                test_replace_itself,
                test_add_in_notify,
                test_removed_in_nested_main_loop)
