/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-metrics.h"

#include <glib-unix.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* While run_forever runs, GLib's own sources on the context of the loop are served as ever. */

typedef struct
{
  LoopEventLoop *loop;
  GMainContext *context;
} Fixture;

static void
set_up (Fixture *f, gboolean is_foreign)
{
  f->loop = new_loop (is_foreign, &f->context);
}

static void
tear_down (Fixture *f)
{
  g_object_unref (f->loop);
  g_main_context_unref (f->context);
}

static void
attach (Fixture *f, GSource *source, GSourceFunc function, gpointer data)
{
  g_source_set_callback (source, function, data, NULL);
  g_source_attach (source, f->context);
  g_source_unref (source);
}

/* With nothing to do for a while, it does nothing. */
static void
check_sleeps (LoopEventLoop *loop)
{
  g_autoptr (LoopMetrics) before = loop_event_loop_get_metrics (loop);
  g_autoptr (LoopMetrics) after = NULL;
  double begun = get_cpu_time ();

  run_for (loop, 0.05);
  ck_assert_double_lt (get_cpu_time () - begun, 0.02);
  after = loop_event_loop_get_metrics (loop);
  ck_assert_uint_le (loop_metrics_get_iterations (after) - loop_metrics_get_iterations (before), 4);
}

static gboolean
stop_in_source (gpointer loop)
{
  note_step ('s');
  loop_event_loop_stop (loop);

  return G_SOURCE_REMOVE;
}

static void
check_timeout (gboolean is_foreign)
{
  Fixture f;
  gint64 begun = g_get_monotonic_time ();

  set_up (&f, is_foreign);
  attach (&f, g_timeout_source_new (10), stop_in_source, f.loop);
  ck_assert (loop_event_loop_run_forever (f.loop));
  check_steps ("s");
  ck_assert_int_ge (g_get_monotonic_time () - begun, 9000);
  ck_assert_int_lt (g_get_monotonic_time () - begun, 1000000);
  tear_down (&f);
}

static gboolean
count_in_source (gpointer data)
{
  return ++*(int *) data < 50;
}

static void
check_timeout_repeats (gboolean is_foreign)
{
  Fixture f;
  int n_calls = 0;

  set_up (&f, is_foreign);
  attach (&f, g_timeout_source_new (1), count_in_source, &n_calls);
  loop_event_loop_call_later (f.loop, 0.3, stop_loop, f.loop, NULL);
  ck_assert (loop_event_loop_run_forever (f.loop));
  ck_assert_int_eq (n_calls, 50);
  tear_down (&f);
}

static void
check_idle (gboolean is_foreign)
{
  Fixture f;
  int n_calls = 0;

  set_up (&f, is_foreign);
  attach (&f, g_idle_source_new (), count_in_source, &n_calls);
  attach (&f, g_timeout_source_new (20), stop_in_source, f.loop);
  ck_assert (loop_event_loop_run_forever (f.loop));
  ck_assert_int_eq (n_calls, 50);
  check_steps ("s");
  tear_down (&f);
}

typedef struct
{
  LoopEventLoop *loop;
  int n_read;
} FdSource;

static gboolean
read_in_source (int fd, GIOCondition condition, gpointer data)
{
  FdSource *self = data;
  char byte;

  ck_assert (condition & G_IO_IN);
  ck_assert_int_eq (read (fd, &byte, 1), 1);
  if (++self->n_read == 100)
    loop_event_loop_stop (self->loop);

  return G_SOURCE_CONTINUE;
}

static void
write_more (gpointer data)
{
  int *fd = data;

  ck_assert_int_eq (write (*fd, "x", 1), 1);
  loop_event_loop_call_later (loop_event_loop_get_running (), 0.0001, write_more, fd, NULL);
}

static void
check_fd (gboolean is_foreign)
{
  Fixture f;
  FdSource reader = { 0 };
  GSource *source;
  int fds[2];

  set_up (&f, is_foreign);
  reader.loop = f.loop;
  ck_assert_int_eq (pipe (fds), 0);
  source = g_source_ref (g_unix_fd_source_new (fds[0], G_IO_IN));
  attach (&f, source, G_SOURCE_FUNC (read_in_source), &reader);
  loop_event_loop_call_soon (f.loop, write_more, &fds[1], NULL);
  ck_assert (loop_event_loop_run_forever (f.loop));
  ck_assert_int_eq (reader.n_read, 100);

  /* While it is there and not ready, the loop sleeps. */
  ck_assert (loop_event_loop_close (f.loop));
  g_object_unref (f.loop);
  f.loop = loop_event_loop_new_for_context (f.context);
  while (g_main_context_iteration (f.context, FALSE))
    ;
  check_sleeps (f.loop);

  g_source_destroy (source);
  g_source_unref (source);
  close (fds[0]);
  close (fds[1]);
  tear_down (&f);
}

/* A descriptor that is closed and given out again with the same events is GLib's affair, and works. */
static gboolean
note_fd (int fd, GIOCondition condition, gpointer data)
{
  char byte;

  ck_assert_int_eq (read (fd, &byte, 1), 1);
  note_step ('f');

  return G_SOURCE_CONTINUE;
}

static void
check_fd_reused (gboolean is_foreign)
{
  Fixture f;
  GSource *source;
  int fds[2];
  int others[2];

  set_up (&f, is_foreign);
  ck_assert_int_eq (pipe (fds), 0);
  ck_assert_int_eq (pipe (others), 0);
  source = g_source_ref (g_unix_fd_source_new (fds[0], G_IO_IN));
  attach (&f, source, G_SOURCE_FUNC (note_fd), NULL);
  run_for (f.loop, 0.002);

  /* The same number in the same source is another file now. */
  ck_assert_int_eq (dup2 (others[0], fds[0]), fds[0]);
  ck_assert_int_eq (write (others[1], "x", 1), 1);
  run_for (f.loop, 0.005);
  check_steps ("f");

  g_source_destroy (source);
  g_source_unref (source);
  close (fds[0]);
  close (fds[1]);
  close (others[0]);
  close (others[1]);
  tear_down (&f);
}

static gpointer
attach_from_thread (gpointer data)
{
  Fixture *f = data;

  g_usleep (10000);
  attach (f, g_idle_source_new (), stop_in_source, f->loop);

  return NULL;
}

static void
check_attached_from_another_thread (gboolean is_foreign)
{
  Fixture f;
  GThread *thread;
  gint64 begun = g_get_monotonic_time ();

  set_up (&f, is_foreign);
  thread = g_thread_new ("attacher", attach_from_thread, &f);
  ck_assert (loop_event_loop_run_forever (f.loop));
  g_thread_join (thread);
  check_steps ("s");
  ck_assert_int_lt (g_get_monotonic_time () - begun, 1000000);

  /* The context was woken, and knows it: it sleeps again. */
  check_sleeps (f.loop);
  tear_down (&f);
}

static gpointer
wake_context (gpointer data)
{
  for (int i = 0; i < 1000; i++)
    g_main_context_wakeup (data);

  return NULL;
}

static void
check_woken_for_nothing (gboolean is_foreign)
{
  Fixture f;
  GThread *thread;
  int n_calls = 0;

  set_up (&f, is_foreign);
  thread = g_thread_new ("waker", wake_context, f.context);
  loop_event_loop_call_later (f.loop, 0.02, count_up, &n_calls, NULL);
  run_for (f.loop, 0.03);
  g_thread_join (thread);
  ck_assert_int_eq (n_calls, 1);
  tear_down (&f);
}

/* A source that goes before the loop's, and is ready in each iteration. */
static gboolean
count_urgent (gpointer data)
{
  ++*(int *) data;

  return G_SOURCE_CONTINUE;
}

static void
check_urgent_source (gboolean is_foreign)
{
  Fixture f;
  GSource *source = g_idle_source_new ();
  int n_calls = 0;
  int n_urgent = 0;

  set_up (&f, is_foreign);
  g_source_set_priority (source, G_PRIORITY_HIGH);
  g_source_ref (source);
  attach (&f, source, count_urgent, &n_urgent);
  for (int i = 0; i < 10; i++)
    {
      loop_event_loop_call_soon (f.loop, count_up, &n_calls, NULL);
      run_once (f.loop);
      ck_assert_int_eq (n_calls, i + 1);
    }
  ck_assert_int_gt (n_urgent, 0);
  g_source_destroy (source);
  g_source_unref (source);
  tear_down (&f);
}

static void
child_exited (GPid pid, int status, gpointer loop)
{
  ck_assert (WIFEXITED (status));
  ck_assert_int_eq (WEXITSTATUS (status), 7);
  note_step ('c');
  loop_event_loop_stop (loop);
}

static void
check_child_watch (gboolean is_foreign)
{
  Fixture f;
  pid_t pid;

  set_up (&f, is_foreign);
  pid = fork ();
  if (pid == 0)
    {
      usleep (5000);
      _exit (7);
    }
  attach (&f, g_child_watch_source_new (pid), G_SOURCE_FUNC (child_exited), f.loop);
  ck_assert (loop_event_loop_run_forever (f.loop));
  check_steps ("c");
  tear_down (&f);
}

static void
check_unix_signal (gboolean is_foreign)
{
  Fixture f;

  set_up (&f, is_foreign);
  attach (&f, g_unix_signal_source_new (SIGUSR1), stop_in_source, f.loop);
  loop_event_loop_call_later (f.loop, 0.002, (LoopCallback) (gpointer) raise, GINT_TO_POINTER (SIGUSR1), NULL);
  ck_assert (loop_event_loop_run_forever (f.loop));
  check_steps ("s");
  tear_down (&f);
}

/* A GTask of the calling thread comes back to the context of the loop, which is the default one while it runs. */
static void
work (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_task_return_int (task, 42);
}

static void
worked (GObject *source, GAsyncResult *result, gpointer loop)
{
  ck_assert_int_eq (g_task_propagate_int (G_TASK (result), NULL), 42);
  ck_assert_ptr_eq (loop_event_loop_get_running (), loop);
  note_step ('w');
  loop_event_loop_stop (loop);
}

static void
start_task (gpointer loop)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, worked, loop);

  g_task_run_in_thread (task, work);
}

static void
check_task (gboolean is_foreign)
{
  Fixture f;

  set_up (&f, is_foreign);
  loop_event_loop_call_soon (f.loop, start_task, f.loop, NULL);
  ck_assert (loop_event_loop_run_forever (f.loop));
  check_steps ("w");
  tear_down (&f);
}

/* Each on a context of the loop's own and on a foreign one. */
#define BOTH(name)                                                                                                     \
  START_TEST (test_##name) { check_##name (FALSE); }                                                                   \
  END_TEST                                                                                                             \
  START_TEST (test_##name##_foreign) { check_##name (TRUE); }                                                          \
  END_TEST

BOTH (timeout)
BOTH (timeout_repeats)
BOTH (idle)
BOTH (fd)
BOTH (fd_reused)
BOTH (attached_from_another_thread)
BOTH (woken_for_nothing)
BOTH (urgent_source)
BOTH (child_watch)
BOTH (unix_signal)
BOTH (task)

LOOP_TEST_MAIN ("context-sources",
                test_timeout,
                test_timeout_foreign,
                test_timeout_repeats,
                test_timeout_repeats_foreign,
                test_idle,
                test_idle_foreign,
                test_fd,
                test_fd_foreign,
                test_fd_reused,
                test_fd_reused_foreign,
                test_attached_from_another_thread,
                test_attached_from_another_thread_foreign,
                test_woken_for_nothing,
                test_woken_for_nothing_foreign,
                test_urgent_source,
                test_urgent_source_foreign,
                test_child_watch,
                test_child_watch_foreign,
                test_unix_signal,
                test_unix_signal_foreign,
                test_task,
                test_task_foreign)
