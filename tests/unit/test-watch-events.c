/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-fd-watcher.h"
#include "loop-metrics.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* What makes a descriptor ready: data, room, end of file, hang-up, error. */

static void
make_pipe (int fds[2])
{
  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC | O_NONBLOCK), 0);
}

static void
make_socketpair (int fds[2])
{
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
}

static void
close_pair (int fds[2])
{
  for (int i = 0; i < 2; i++)
    if (fds[i] >= 0)
      close (fds[i]);
}

START_TEST (test_pipe)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  char byte;
  int fds[2];

  make_pipe (fds);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  run_once (loop);
  check_steps ("");

  /* As long as there is something to read. */
  ck_assert_int_eq (write (fds[1], "x", 1), 1);
  run_once (loop);
  run_once (loop);
  check_steps ("rr");

  ck_assert_int_eq (read (fds[0], &byte, 1), 1);
  run_once (loop);
  check_steps ("");

  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  check_steps ("R");
  ck_assert_int_eq (write (fds[1], "x", 1), 1);
  run_once (loop);
  check_steps ("");
  close_pair (fds);
}
END_TEST

START_TEST (test_writer)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  char block[4096] = { 0 };
  int fds[2];

  make_pipe (fds);
  ck_assert (loop_event_loop_add_writer (loop, fds[1], step_run, step_new ('w'), step_destroy));
  run_once (loop);
  check_steps ("w");

  while (write (fds[1], block, sizeof block) > 0)
    ;
  run_once (loop);
  check_steps ("");

  for (int i = 0; i < 4; i++)
    ck_assert_int_gt (read (fds[0], block, sizeof block), 0);
  run_once (loop);
  check_steps ("w");

  ck_assert (loop_event_loop_remove_writer (loop, fds[1]));
  check_steps ("W");
  close_pair (fds);
}
END_TEST

START_TEST (test_both_on_socket)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  char byte;
  int fds[2];

  make_socketpair (fds);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  ck_assert (loop_event_loop_add_writer (loop, fds[0], step_run, step_new ('w'), step_destroy));
  run_once (loop);
  check_steps ("w");

  ck_assert_int_eq (write (fds[1], "x", 1), 1);
  run_once (loop);
  check_steps ("rw");

  ck_assert (loop_event_loop_remove_writer (loop, fds[0]));
  run_once (loop);
  check_steps ("Wr");

  ck_assert (loop_event_loop_add_writer (loop, fds[0], step_run, step_new ('v'), step_destroy));
  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  run_once (loop);
  check_steps ("Rv");

  ck_assert_int_eq (read (fds[0], &byte, 1), 1);
  ck_assert (loop_event_loop_remove_writer (loop, fds[0]));
  check_steps ("V");
  close_pair (fds);
}
END_TEST

/* The loop sleeps until there is an event, and not any longer. */
typedef struct
{
  LoopEventLoop *loop;
  int fd;
  double written;
  double latency;
} Delayed;

static void
delayed_run (gpointer data)
{
  Delayed *self = data;

  self->latency = loop_event_loop_time (self->loop) - self->written;
  ck_assert (loop_event_loop_remove_reader (self->loop, self->fd));
  loop_event_loop_stop (self->loop);
}

static gpointer
write_later (gpointer data)
{
  int *fd = data;

  g_usleep (10000);
  ck_assert_int_eq (write (*fd, "x", 1), 1);

  return NULL;
}

START_TEST (test_wakes_the_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopMetrics) metrics = NULL;
  Delayed delayed = { loop };
  GThread *thread;
  int fds[2];

  make_pipe (fds);
  delayed.fd = fds[0];
  delayed.written = loop_event_loop_time (loop) + 0.01;
  ck_assert (loop_event_loop_add_reader (loop, fds[0], delayed_run, &delayed, NULL));
  thread = g_thread_new ("writer", write_later, &fds[1]);
  ck_assert (loop_event_loop_run_forever (loop));
  g_thread_join (thread);

  ck_assert_double_lt (delayed.latency, 0.2);
  metrics = loop_event_loop_get_metrics (loop);
  ck_assert_uint_le (loop_metrics_get_iterations (metrics), 2);
  close_pair (fds);
}
END_TEST

START_TEST (test_hang_up_is_readable)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  char byte;
  int fds[2];

  /* The write end of an empty pipe goes: end of file. */
  make_pipe (fds);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  run_once (loop);
  check_steps ("");
  close (fds[1]);
  run_once (loop);
  check_steps ("r");
  ck_assert_int_eq (read (fds[0], &byte, 1), 0);
  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  check_steps ("R");

  /* Nobody is told of it any more, over and over as it is. */
  run_once (loop);
  check_steps ("");
  close (fds[0]);
}
END_TEST

START_TEST (test_socket_hang_up)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  char byte;
  int fds[2];

  make_socketpair (fds);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  ck_assert_int_eq (shutdown (fds[1], SHUT_WR), 0);
  run_once (loop);
  check_steps ("r");
  ck_assert_int_eq (read (fds[0], &byte, 1), 0);

  close (fds[1]);
  fds[1] = -1;
  run_once (loop);
  check_steps ("r");
  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  check_steps ("R");

  /* Who waits to write is told as well. */
  ck_assert (loop_event_loop_add_writer (loop, fds[0], step_run, step_new ('w'), step_destroy));
  run_once (loop);
  check_steps ("w");
  ck_assert (loop_event_loop_remove_writer (loop, fds[0]));
  check_steps ("W");
  close_pair (fds);
}
END_TEST

/* The write end of a pipe that nobody reads is in error: whoever watches it is told, either way. */
START_TEST (test_error)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  char block[4096] = { 0 };
  int fds[2];

  make_pipe (fds);
  while (write (fds[1], block, sizeof block) > 0)
    ;
  ck_assert (loop_event_loop_add_writer (loop, fds[1], step_run, step_new ('w'), step_destroy));
  run_once (loop);
  check_steps ("");
  close (fds[0]);
  run_once (loop);
  check_steps ("w");

  ck_assert (loop_event_loop_add_reader (loop, fds[1], step_run, step_new ('r'), step_destroy));
  run_once (loop);
  check_steps ("rw");
  ck_assert (loop_event_loop_remove_writer (loop, fds[1]));
  run_once (loop);
  check_steps ("Wr");
  ck_assert (loop_event_loop_remove_reader (loop, fds[1]));
  check_steps ("R");
  close (fds[1]);
}
END_TEST

START_TEST (test_other_kinds)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int event = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  guint64 one = 1;

  ck_assert (loop_event_loop_add_reader (loop, event, step_run, step_new ('e'), step_destroy));
  run_once (loop);
  check_steps ("");
  ck_assert_int_eq (write (event, &one, sizeof one), sizeof one);
  run_once (loop);
  check_steps ("e");
  ck_assert (loop_event_loop_remove_reader (loop, event));
  check_steps ("E");
  close (event);
}
END_TEST

/* More descriptors are ready than the kernel tells at once: each gets its turn. */
#define N_READY 700

START_TEST (test_many)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree int *counts = g_new0 (int, N_READY);
  g_autofree int *fds = g_new (int, N_READY);

  for (int i = 0; i < N_READY; i++)
    {
      fds[i] = eventfd (1, EFD_CLOEXEC | EFD_NONBLOCK);
      ck_assert_int_ge (fds[i], 0);
      ck_assert (loop_event_loop_add_reader (loop, fds[i], count_up, &counts[i], NULL));
    }

  for (int i = 0; i < 6; i++)
    run_once (loop);

  for (int i = 0; i < N_READY; i++)
    {
      ck_assert_int_ge (counts[i], 1);
      ck_assert_int_le (counts[i], 6);
      ck_assert (loop_event_loop_remove_reader (loop, fds[i]));
      close (fds[i]);
    }
}
END_TEST

/* Two loops may watch the two ends, or even the same descriptor. */
START_TEST (test_several_loops)
{
  g_autoptr (LoopEventLoop) a = loop_event_loop_new ();
  g_autoptr (LoopEventLoop) b = loop_event_loop_new ();
  int fds[2];

  make_pipe (fds);
  ck_assert (loop_event_loop_add_reader (a, fds[0], step_run, step_new ('a'), step_destroy));
  ck_assert (loop_event_loop_add_reader (b, fds[0], step_run, step_new ('b'), step_destroy));
  ck_assert (loop_event_loop_add_writer (b, fds[1], step_run, step_new ('w'), step_destroy));
  ck_assert_int_eq (write (fds[1], "x", 1), 1);
  run_once (a);
  check_steps ("a");
  run_once (b);
  {
    g_autofree char *steps = take_steps ();
    ck_assert (g_str_equal (steps, "bw") || g_str_equal (steps, "wb"));
  }

  ck_assert (loop_event_loop_remove_reader (a, fds[0]));
  check_steps ("A");
  run_once (a);
  check_steps ("");
  ck_assert (loop_event_loop_remove_writer (b, fds[1]));
  run_once (b);
  check_steps ("Wb");
  ck_assert (loop_event_loop_remove_reader (b, fds[0]));
  check_steps ("B");
  close_pair (fds);
}
END_TEST

START_TEST (test_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  int fds[2];

  make_pipe (fds);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  while (g_main_context_iteration (context, FALSE))
    ;
  check_steps ("");
  ck_assert_int_eq (write (fds[1], "x", 1), 1);
  ck_assert (g_main_context_pending (context));
  ck_assert (g_main_context_iteration (context, TRUE));
  check_steps ("r");
  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  check_steps ("R");
  close_pair (fds);
}
END_TEST

LOOP_TEST_MAIN ("watch-events",
                test_pipe,
                test_writer,
                test_both_on_socket,
                test_wakes_the_loop,
                test_hang_up_is_readable,
                test_socket_hang_up,
                test_error,
                test_other_kinds,
                test_many,
                test_several_loops,
                test_foreign_context)
