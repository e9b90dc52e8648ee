/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-check.h"
#include "tsan-gio.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Other users of child processes in the same process: C17. */

/* Whether the kernel tells how a process has ended that was reaped by somebody else. */
static gboolean
find_out_whether_kernel_remembers (void)
{
  struct
  {
    guint64 mask, cgroup;
    guint32 ids[12];
  } info = { .mask = 1 << 3 };
  pid_t pid = fork ();
  int fd;
  gboolean success;

  if (pid == 0)
    _exit (0);
  fd = (int) syscall (SYS_pidfd_open, pid, 0);
  waitpid (pid, NULL, 0);
  success = ioctl (fd, _IOWR (0xFF, 11, info), &info) == 0 && (info.mask & 1 << 3) != 0;
  close (fd);

  return success;
}

static void
check_lost (Tcp *tcp, gboolean kernel_remembers, const char *command, int returncode, void (*reap) (void))
{
  g_autoptr (Child) child = child_shell (tcp, command, NULL);

  if (!kernel_remembers)
    {
      loop_check_expect_warning ("*Unknown exit status*");
      returncode = 255;
    }
  loop_transport_write (loop_subprocess_transport_get_pipe_transport (child->transport, 0), (const guint8 *) "\n", 1);
  reap ();
  child_wait (tcp, child);
  ck_assert_int_eq (child->returncode, returncode);
}

static void
steal (void)
{
  int status;

  ck_assert_int_gt (waitpid (-1, &status, 0), 0);
}

static void
steal_nothing (void)
{
}

/* One waits for all children. */
START_TEST (test_stolen)
{
  gboolean kernel_remembers = find_out_whether_kernel_remembers ();
  g_auto (Tcp) tcp = tcp_new ();

  check_lost (&tcp, kernel_remembers, "read line; exit 9", 9, steal);
  check_lost (&tcp, kernel_remembers, "read line; kill -TERM $$", -SIGTERM, steal);
}
END_TEST

/* There are no zombies then, and so no exit status. */
START_TEST (test_sigchld_ignored)
{
  gboolean kernel_remembers = find_out_whether_kernel_remembers ();
  g_auto (Tcp) tcp = tcp_new ();

  signal (SIGCHLD, SIG_IGN);
  check_lost (&tcp, kernel_remembers, "read line; exit 9", 9, steal_nothing);
}
END_TEST

typedef struct
{
  int status;
  gboolean is_done;
} Watched;

static void
watched (GPid pid, int status, gpointer user_data)
{
  Watched *self = user_data;

  self->status = status;
  self->is_done = TRUE;
}

static GSubprocess *
spawn_theirs (void)
{
  return g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, NULL, "sh", "-c", "exit 2", NULL);
}

/* Takes it. */
static gboolean
finish_theirs (GSubprocess *theirs)
{
  gboolean success = g_subprocess_wait (theirs, NULL, NULL) && g_subprocess_get_exit_status (theirs) == 2;

  g_object_unref (theirs);

  return success;
}

/* GLib's watches, GSubprocess, and somebody's own waitpid(), each with a child. */
START_TEST (test_side_by_side)
{
  gboolean is_warm = finish_theirs (spawn_theirs ()); /* GLib keeps what it makes for that */
  g_auto (Tcp) tcp = tcp_new_for_context (g_main_context_default ());
  GSubprocess *theirs;
  g_autoptr (Child) child = NULL;
  Watched watch = { 0 };
  int status;
  pid_t own;
  pid_t glib;

  child = child_shell (&tcp, "read line; exit 1", NULL);
  theirs = spawn_theirs ();
  glib = fork ();
  if (glib == 0)
    _exit (3);
  own = fork ();
  if (own == 0)
    _exit (4);
  g_child_watch_add (glib, watched, &watch);
  child_wait (&tcp, child);
  ck_assert_int_eq (child->returncode, 1);
  tcp_run_until (tcp.loop, watch.is_done);
  ck_assert_int_eq (WEXITSTATUS (watch.status), 3);
  ck_assert (is_warm && finish_theirs (theirs));
  ck_assert_int_eq (waitpid (own, &status, 0), own);
  ck_assert_int_eq (WEXITSTATUS (status), 4);
  ck_assert (child_has_none ());
}
END_TEST

LOOP_TEST_MAIN ("subprocess-others", test_stolen, test_sigchld_ignored, test_side_by_side)
