/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-event-loop-private.h"
#include "loop-fd-watcher.h"
#include "loop-metrics.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors that cannot be watched are an error that names them, and never a spin. */

typedef gboolean (*AddFunc) (LoopEventLoop *, int, LoopCallback, gpointer, GDestroyNotify, GError **);

static void
check_refused (AddFunc add, int fd, int code, const char *text)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *number = g_strdup_printf ("%d", fd);

  ck_assert (!add (loop, fd, step_run, step_new ('a'), step_destroy, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, code));
  ck_assert_msg (strstr (error->message, number) != NULL, "%s", error->message);
  ck_assert_msg (strstr (error->message, text) != NULL, "%s", error->message);
  check_steps ("A");

  ck_assert (!loop_event_loop_remove_reader (loop, fd));
  ck_assert (!loop_event_loop_remove_writer (loop, fd));
  run_once (loop);
  check_steps ("");
}

START_TEST (test_negative)
{
  static const int fds[] = { -1, -2, G_MININT };

  for (gsize i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      check_refused (loop_event_loop_add_reader_full, fds[i], G_IO_ERROR_INVALID_ARGUMENT, "nvalid");
      check_refused (loop_event_loop_add_writer_full, fds[i], G_IO_ERROR_INVALID_ARGUMENT, "nvalid");
    }
}
END_TEST

START_TEST (test_not_open)
{
  /* Not a number that the loop itself would get. */
  int fd = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 500);

  ck_assert_int_ge (fd, 500);
  close (fd);
  check_refused (loop_event_loop_add_reader_full, fd, G_IO_ERROR_INVALID_ARGUMENT, "not open");
  check_refused (loop_event_loop_add_writer_full, fd, G_IO_ERROR_INVALID_ARGUMENT, "not open");
  check_refused (loop_event_loop_add_reader_full, 1000000, G_IO_ERROR_INVALID_ARGUMENT, "not open");
  check_refused (loop_event_loop_add_reader_full, G_MAXINT, G_IO_ERROR_INVALID_ARGUMENT, "not open");
}
END_TEST

START_TEST (test_regular_file_and_directory)
{
  g_autofree char *path = NULL;
  int fd = g_file_open_tmp ("loop-test-XXXXXX", &path, NULL);
  int dir = open ("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  ck_assert_int_ge (fd, 0);
  ck_assert_int_ge (dir, 0);
  g_unlink (path);

  check_refused (loop_event_loop_add_reader_full, fd, G_IO_ERROR_NOT_SUPPORTED, "regular file");
  check_refused (loop_event_loop_add_writer_full, fd, G_IO_ERROR_NOT_SUPPORTED, "regular file");
  check_refused (loop_event_loop_add_reader_full, dir, G_IO_ERROR_NOT_SUPPORTED, "directory");

  close (fd);
  close (dir);
}
END_TEST

START_TEST (test_plain_forms)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_check_expect_critical ("*add_reader*-1*");
  ck_assert (!loop_event_loop_add_reader (loop, -1, step_run, step_new ('a'), step_destroy));
  loop_check_expect_critical ("*add_writer*-1*");
  ck_assert (!loop_event_loop_add_writer (loop, -1, step_run, step_new ('b'), step_destroy));
  check_steps ("AB");
}
END_TEST

static char *reported;

static void
keep_report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  const GError *exception = loop_exception_context_get_exception (context);

  note_step ('!');
  ck_assert_ptr_nonnull (exception);
  g_free (reported);
  reported = g_strdup (exception->message);
}

/* Two ends whose numbers nothing else gets once they are closed: GLib makes descriptors when it likes. */
static void
make_socketpair (int fds[2])
{
  int low[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, low), 0);
  for (int i = 0; i < 2; i++)
    {
      fds[i] = fcntl (low[i], F_DUPFD_CLOEXEC, 500);
      ck_assert_int_ge (fds[i], 500);
      close (low[i]);
    }
}

/* A file that was closed while it was watched, of which only a change of interest tells. */
START_TEST (test_closed_while_watched)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree char *number = NULL;
  int fds[2];

  make_socketpair (fds);
  number = g_strdup_printf ("%d", fds[0]);
  loop_event_loop_set_exception_handler (loop, keep_report, NULL, NULL);

  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  ck_assert (loop_event_loop_add_writer (loop, fds[0], step_run, step_new ('w'), step_destroy));
  close (fds[0]);

  /* The kernel forgot it: there is no event, and no spin. */
  run_for (loop, 0.01);
  check_steps ("");

  /* What is left is told as an error, once, and let go. */
  ck_assert (loop_event_loop_remove_writer (loop, fds[0]));
  check_steps ("W");
  run_for (loop, 0.01);
  check_steps ("R!");
  ck_assert_msg (strstr (reported, number) != NULL, "%s", reported);
  ck_assert (!loop_event_loop_remove_reader (loop, fds[0]));

  g_clear_pointer (&reported, g_free);
  close (fds[1]);
}
END_TEST

/* Adding the other side of it is an error at once. */
START_TEST (test_add_to_closed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;
  int fds[2];

  make_socketpair (fds);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('r'), step_destroy));
  close (fds[0]);

  ck_assert (!loop_event_loop_add_writer_full (loop, fds[0], step_run, step_new ('w'), step_destroy, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT));
  check_steps ("W");
  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  check_steps ("R");
  run_for (loop, 0.005);
  check_steps ("");
  close (fds[1]);
}
END_TEST

/* What a transport or a server watches is not for others. */
static void
ignore_closed (LoopWatch *watch)
{
}

START_TEST (test_descriptor_in_use)
{
  static const LoopWatchClass klass = { .closed = ignore_closed };
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;
  LoopWatch watch;
  int fds[2];

  make_socketpair (fds);
  loop_watch_init (&watch, &klass, 1);
  ck_assert (loop_poller_add (&loop->poller, &watch, fds[0], LOOP_INTEREST_NONE, NULL));

  ck_assert (!loop_event_loop_add_reader_full (loop, fds[0], step_run, step_new ('r'), step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE));
  g_clear_error (&error);
  ck_assert (!loop_event_loop_add_writer_full (loop, fds[0], step_run, step_new ('w'), step_destroy, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE));
  check_steps ("RW");
  ck_assert (!loop_event_loop_remove_reader (loop, fds[0]));

  loop_poller_remove (&loop->poller, &watch);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], step_run, step_new ('n'), step_destroy));
  ck_assert (loop_event_loop_remove_reader (loop, fds[0]));
  check_steps ("N");
  close (fds[0]);
  close (fds[1]);
}
END_TEST

LOOP_TEST_MAIN ("watch-errors",
                test_negative,
                test_not_open,
                test_regular_file_and_directory,
                test_plain_forms,
                test_closed_while_watched,
                test_add_to_closed,
                test_descriptor_in_use)
