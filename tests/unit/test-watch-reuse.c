/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-exception-context.h"
#include "loop-fd-watcher.h"
#include "loop-metrics.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The number of a closed descriptor is given out again. An event of the old file must not reach the
 * callback of the new one, whether or not the old watch was removed, and the new watch has to work.
 */

/* Two ends whose numbers nothing else gets once they are closed: GLib makes descriptors when it likes. */
static void
make_socketpair (int fds[2])
{
  int low[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, low), 0);
  for (int i = 0; i < 2; i++)
    {
      fds[i] = fcntl (low[i], F_DUPFD_CLOEXEC, 500);
      ck_assert_int_ge (fds[i], 500);
      close (low[i]);
    }
}

static void
close_all (int fds[2])
{
  close (fds[0]);
  close (fds[1]);
}

/* Closes @fd and gives its number to @source. */
static void
give_number (int fd, int source)
{
  close (fd);
  ck_assert_int_eq (dup3 (source, fd, O_CLOEXEC), fd);
}

static void
keep_report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  ck_assert_ptr_nonnull (loop_exception_context_get_exception (context));
  note_step ('!');
}

static guint64
count_iterations (LoopEventLoop *loop)
{
  g_autoptr (LoopMetrics) metrics = loop_event_loop_get_metrics (loop);

  return loop_metrics_get_iterations (metrics);
}

/* Runs the loop for a while in which nothing ought to happen. */
static void
check_quiet (LoopEventLoop *loop)
{
  guint64 before = count_iterations (loop);
  double begun = get_cpu_time ();

  run_for (loop, 0.02);
  ck_assert_double_lt (get_cpu_time () - begun, 0.01);
  check_steps ("");
  /* The timer that ends it, and one or two in which the loop learns that it was woken in vain. */
  ck_assert_uint_le (count_iterations (loop) - before, 5);
}

typedef struct
{
  LoopEventLoop *loop;
  int old[2];
  int new[2];
  int duplicate;
} Fixture;

static void
set_up (Fixture *f)
{
  f->loop = loop_event_loop_new ();
  loop_event_loop_set_exception_handler (f->loop, keep_report, NULL, NULL);
  make_socketpair (f->old);
  make_socketpair (f->new);
  /* As a child process has one, perhaps: the file lives on in the epoll set without a number. */
  f->duplicate = dup (f->old[0]);
}

static void
tear_down (Fixture *f)
{
  g_object_unref (f->loop);
  close_all (f->old);
  close_all (f->new);
  if (f->duplicate >= 0)
    close (f->duplicate);
}

static void
write_byte (int fd)
{
  ck_assert_int_eq (write (fd, "x", 1), 1);
}

/* The new watch on the old number hears its own file, and not the old one. */
static void
check_new_watch (Fixture *f)
{
  check_quiet (f->loop);

  write_byte (f->old[1]);
  check_quiet (f->loop);

  write_byte (f->new[1]);
  run_once (f->loop);
  check_steps ("n");
  run_once (f->loop);
  check_steps ("n");

  ck_assert (loop_event_loop_remove_reader (f->loop, f->old[0]));
  check_steps ("N");
  check_quiet (f->loop);
}

START_TEST (test_removed_before)
{
  for (int with_iteration = 0; with_iteration < 2; with_iteration++)
    {
      Fixture f;

      set_up (&f);
      ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('o'), step_destroy));
      run_once (f.loop);
      ck_assert (loop_event_loop_remove_reader (f.loop, f.old[0]));
      check_steps ("O");
      if (with_iteration)
        run_once (f.loop);

      give_number (f.old[0], f.new[0]);
      ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('n'), step_destroy));
      check_new_watch (&f);
      tear_down (&f);
    }
}
END_TEST

START_TEST (test_not_removed)
{
  for (int with_iteration = 0; with_iteration < 2; with_iteration++)
    {
      Fixture f;

      set_up (&f);
      ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('o'), step_destroy));
      if (with_iteration)
        run_once (f.loop);

      give_number (f.old[0], f.new[0]);
      ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('n'), step_destroy));
      check_steps ("O");
      check_new_watch (&f);
      tear_down (&f);
    }
}
END_TEST

/* The same, with no other descriptor of the old file. */
START_TEST (test_without_duplicate)
{
  Fixture f;

  set_up (&f);
  close (f.duplicate);
  f.duplicate = -1;
  ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('o'), step_destroy));
  run_once (f.loop);
  give_number (f.old[0], f.new[0]);
  ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('n'), step_destroy));
  check_steps ("O");

  check_quiet (f.loop);
  write_byte (f.new[1]);
  run_once (f.loop);
  check_steps ("n");
  tear_down (&f);
  check_steps ("N");
}
END_TEST

/* An event of the old file that is in the queue already, when another callback of the batch reuses the number. */
static void
reuse_number (gpointer data)
{
  Fixture *f = data;

  note_step ('x');
  give_number (f->old[0], f->new[0]);
  ck_assert (loop_event_loop_add_reader (f->loop, f->old[0], step_run, step_new ('n'), step_destroy));
}

START_TEST (test_event_under_way)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('o'), step_destroy));
  write_byte (f.old[1]);
  loop_event_loop_call_soon (f.loop, reuse_number, &f, NULL);
  run_once (f.loop);
  check_steps ("xO");

  check_quiet (f.loop);
  write_byte (f.new[1]);
  run_once (f.loop);
  check_steps ("n");
  tear_down (&f);
  check_steps ("N");
}
END_TEST

/* The writer of the old file is not made one of the new file by the new reader: it is told, and goes. */
START_TEST (test_other_side)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('o'), step_destroy));
  ck_assert (loop_event_loop_add_writer (f.loop, f.old[0], step_run, step_new ('w'), step_destroy));
  give_number (f.old[0], f.new[0]);
  ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('n'), step_destroy));
  {
    g_autofree char *steps = take_steps ();

    run_once (f.loop);
    {
      g_autofree char *more = take_steps ();
      g_autofree char *all = g_strconcat (steps, more, NULL);

      ck_assert_ptr_nonnull (strchr (all, 'O'));
      ck_assert_ptr_nonnull (strchr (all, 'W'));
      ck_assert_ptr_nonnull (strchr (all, '!'));
      ck_assert_uint_eq (strlen (all), 3);
    }
  }
  ck_assert (!loop_event_loop_remove_writer (f.loop, f.old[0]));
  check_new_watch (&f);
  tear_down (&f);
}
END_TEST

/* Somebody else got the number, who has nothing to do with the loop. */
START_TEST (test_number_of_a_stranger)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('r'), step_destroy));
  ck_assert (loop_event_loop_add_writer (f.loop, f.old[0], step_run, step_new ('w'), step_destroy));
  give_number (f.old[0], f.new[0]);
  write_byte (f.new[1]);

  /* Taking back one of the two is no reason to watch the stranger with the other. */
  ck_assert (loop_event_loop_remove_writer (f.loop, f.old[0]));
  check_steps ("W");
  run_once (f.loop);
  run_once (f.loop);
  check_steps ("R!");
  ck_assert (!loop_event_loop_remove_reader (f.loop, f.old[0]));
  check_quiet (f.loop);
  tear_down (&f);
}
END_TEST

static void
reuse_as_writer (gpointer data)
{
  Fixture *f = data;

  note_step ('x');
  give_number (f->old[0], f->new[0]);
  ck_assert (loop_event_loop_add_writer (f->loop, f->old[0], step_run, step_new ('n'), step_destroy));
}

/*
 * A callback reuses the number when the loop has found out already that the file is closed, and has
 * not told yet: the new watch does not suffer for the old one.
 */
static void
check_failure_under_way (gboolean as_writer)
{
  Fixture f;

  set_up (&f);
  ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('r'), step_destroy));
  ck_assert (loop_event_loop_add_writer (f.loop, f.old[0], step_run, step_new ('w'), step_destroy));
  ck_assert (loop_event_loop_remove_writer (f.loop, f.old[0]));
  check_steps ("W");
  close (f.old[0]);
  loop_event_loop_call_soon (f.loop, as_writer ? reuse_as_writer : reuse_number, &f, NULL);
  run_once (f.loop);
  /* Who was replaced knows; who was not is told. */
  check_steps (as_writer ? "xR!" : "xR");

  if (as_writer)
    {
      run_once (f.loop);
      run_once (f.loop);
      check_steps ("nn");
      ck_assert (!loop_event_loop_remove_reader (f.loop, f.old[0]));
      ck_assert (loop_event_loop_remove_writer (f.loop, f.old[0]));
      check_steps ("N");
    }
  else
    {
      check_new_watch (&f);
    }
  tear_down (&f);
}

START_TEST (test_failure_under_way) { check_failure_under_way (FALSE); }
END_TEST

START_TEST (test_failure_under_way_writer) { check_failure_under_way (TRUE); }
END_TEST

/* A closed file that lives on elsewhere reports its events for ever: the loop gets rid of it, and does not spin. */
START_TEST (test_duplicate_lives_on)
{
  Fixture fixture;
  Fixture *f = &fixture;
  int other[2];
  int n_calls = 0;
  guint64 before;
  double begun;
  char byte;

  set_up (f);
  make_socketpair (other);
  ck_assert (loop_event_loop_add_reader (f->loop, other[0], step_run, step_new ('b'), step_destroy));
  ck_assert (loop_event_loop_add_reader (f->loop, f->old[0], step_run, step_new ('o'), step_destroy));
  run_once (f->loop);
  close (f->old[0]);
  ck_assert (loop_event_loop_remove_reader (f->loop, f->old[0]));
  check_steps ("O");
  write_byte (f->old[1]);

  before = count_iterations (f->loop);
  begun = get_cpu_time ();
  run_for (f->loop, 0.2);
  ck_assert_double_lt (get_cpu_time () - begun, 0.1);
  check_steps ("");
  ck_assert_uint_le (count_iterations (f->loop) - before, 5);

  /* The others work as before. */
  write_byte (other[1]);
  loop_event_loop_call_soon (f->loop, count_up, &n_calls, NULL);
  ck_assert (loop_event_loop_call_soon_threadsafe (f->loop, count_up, &n_calls, NULL, NULL, NULL));
  run_once (f->loop);
  check_steps ("b");
  ck_assert_int_eq (n_calls, 2);
  ck_assert_int_eq (read (other[0], &byte, 1), 1);
  ck_assert (loop_event_loop_add_writer (f->loop, other[0], step_run, step_new ('w'), step_destroy));
  run_once (f->loop);
  check_steps ("w");
  ck_assert (loop_event_loop_remove_writer (f->loop, other[0]));
  ck_assert (loop_event_loop_remove_reader (f->loop, other[0]));
  check_steps ("WB");
  close_all (other);
  tear_down (f);
}
END_TEST

/* The way in from other threads, and timers on a foreign context, outlive that, too. */
static gpointer
stop_from_thread (gpointer loop)
{
  g_usleep (5000);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, stop_loop, loop, NULL, NULL, NULL));

  return NULL;
}

START_TEST (test_rebuilt_on_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  Fixture f;
  GThread *thread;
  guint64 before;

  set_up (&f);
  g_object_unref (f.loop);
  f.loop = loop_event_loop_new_for_context (context);

  ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('o'), step_destroy));
  loop_event_loop_call_later (f.loop, 0.02, (LoopCallback) g_main_loop_quit, main_loop, NULL);
  while (g_main_context_iteration (context, FALSE))
    ;
  close (f.old[0]);
  ck_assert (loop_event_loop_remove_reader (f.loop, f.old[0]));
  check_steps ("O");
  write_byte (f.old[1]);

  before = count_iterations (f.loop);
  g_main_loop_run (main_loop);
  ck_assert_uint_le (count_iterations (f.loop) - before, 6);

  thread = g_thread_new ("stopper", stop_from_thread, f.loop);
  ck_assert (loop_event_loop_run_forever (f.loop));
  g_thread_join (thread);
  tear_down (&f);
}
END_TEST

/* Getting rid of it, the loop does not take up a stranger by the number of another closed file. */
START_TEST (test_rebuilt_with_stranger)
{
  Fixture f;
  int fds[2];
  int others[2];

  set_up (&f);
  make_socketpair (fds);
  make_socketpair (others);
  write_byte (others[1]);
  ck_assert (loop_event_loop_add_reader (f.loop, fds[0], step_run, step_new ('s'), step_destroy));
  ck_assert (loop_event_loop_add_reader (f.loop, f.old[0], step_run, step_new ('o'), step_destroy));
  ck_assert (loop_event_loop_add_reader (f.loop, f.new[0], step_run, step_new ('n'), step_destroy));
  run_once (f.loop);
  give_number (fds[0], others[0]);
  close (f.old[0]);
  ck_assert (loop_event_loop_remove_reader (f.loop, f.old[0]));
  check_steps ("O");

  write_byte (f.old[1]);
  for (int i = 0; i < 3; i++)
    run_once (f.loop);
  check_steps ("S!");
  ck_assert (!loop_event_loop_remove_reader (f.loop, fds[0]));
  check_quiet (f.loop);

  write_byte (f.new[1]);
  run_once (f.loop);
  check_steps ("n");
  close_all (fds);
  close_all (others);
  tear_down (&f);
  check_steps ("N");
}
END_TEST

/* Over and over, with a token that tells whose data it is. */
#define N_ROUNDS 2000

typedef struct
{
  int fd;
  int expected;
  int received;
} Reader;

static void
read_token (gpointer data)
{
  Reader *self = data;
  int token;

  ck_assert_int_eq (read (self->fd, &token, sizeof token), sizeof token);
  ck_assert_int_eq (token, self->expected);
  self->received++;
}

START_TEST (test_storm)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int duplicates[16];

  for (gsize i = 0; i < G_N_ELEMENTS (duplicates); i++)
    duplicates[i] = -1;

  for (int round = 0; round < N_ROUNDS; round++)
    {
      Reader reader = { .expected = round };
      int *duplicate = &duplicates[round % G_N_ELEMENTS (duplicates)];
      int fds[2];

      /* The numbers are the same in each round, but for those that are held. */
      ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
      reader.fd = fds[0];
      ck_assert (loop_event_loop_add_reader (loop, fds[0], read_token, &reader, NULL));
      run_once (loop);
      ck_assert_int_eq (write (fds[1], &round, sizeof round), sizeof round);
      run_once (loop);
      ck_assert_int_eq (reader.received, 1);

      if (*duplicate >= 0)
        close (*duplicate);
      *duplicate = round % 3 == 0 ? dup (fds[0]) : -1;

      /* One for the next to be confused by. */
      ck_assert_int_eq (write (fds[1], &round, sizeof round), sizeof round);
      if (round % 2 == 0)
        ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
      close (fds[0]);
      if (round % 2 == 1)
        ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
      close (fds[1]);
    }

  for (gsize i = 0; i < G_N_ELEMENTS (duplicates); i++)
    if (duplicates[i] >= 0)
      close (duplicates[i]);
}
END_TEST

LOOP_TEST_MAIN ("watch-reuse",
                test_removed_before,
                test_not_removed,
                test_without_duplicate,
                test_event_under_way,
                test_other_side,
                test_number_of_a_stranger,
                test_failure_under_way,
                test_failure_under_way_writer,
                test_duplicate_lives_on,
                test_rebuilt_on_foreign_context,
                test_rebuilt_with_stranger,
                test_storm)
