/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "unix-check.h"

#include <glib/gstdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sockets from a service manager, which is played here. */

static void
check_environment_is_clean (void)
{
  ck_assert_ptr_null (g_getenv ("LISTEN_PID"));
  ck_assert_ptr_null (g_getenv ("LISTEN_FDS"));
  ck_assert_ptr_null (g_getenv ("LISTEN_FDNAMES"));
}

static void
set_environment (int pid, const char *n_fds)
{
  g_autofree char *text = g_strdup_printf ("%d", pid);

  g_setenv ("LISTEN_PID", text, TRUE);
  g_setenv ("LISTEN_FDS", n_fds, TRUE);
  g_setenv ("LISTEN_FDNAMES", "web", TRUE);
}

static void
check_none (void)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) names = NULL;
  g_autoptr (GPtrArray) sockets = loop_listen_fds (&names, &error);

  ck_assert_ptr_nonnull (sockets);
  ck_assert_uint_eq (sockets->len, 0);
  ck_assert_uint_eq (g_strv_length (names), 0);
  check_environment_is_clean ();
}

START_TEST (test_not_activated) { check_none (); }
END_TEST

START_TEST (test_for_another_process)
{
  set_environment (getppid (), "1");
  check_none ();
}
END_TEST

START_TEST (test_no_sockets)
{
  set_environment (getpid (), "0");
  check_none ();
}
END_TEST

static void
check_nonsense (const char *name)
{
  g_autoptr (GError) error = NULL;
  char **names = (char **) "to be cleared";

  ck_assert_ptr_null (loop_listen_fds (&names, &error));
  ck_assert_ptr_null (names);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  tcp_assert_contains (error->message, name);
  check_environment_is_clean ();
}

START_TEST (test_nonsense)
{
  const char *const numbers[] = { "", "x", "-1", "1x", "99999999999999999999", "2147483647" };

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      set_environment (getpid (), numbers[i]);
      check_nonsense ("LISTEN_FDS");
    }
  set_environment (getpid (), "1");
  g_setenv ("LISTEN_PID", "me", TRUE);
  check_nonsense ("LISTEN_PID");
}
END_TEST

/* --- A service of its own ------------------------------------------------------------------------ */

typedef struct
{
  GPid pid;
  int output;
} Service;

/* Descriptors from 3 on are the service's; -1 is none. */
static Service
start_service (const int *fds, int n_fds, const char *promised, const char *names, const char *n_connections)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = g_path_get_dirname (self);
  g_autofree char *program = g_build_filename (folder, "activated-service", NULL);
  g_auto (GStrv) environment = g_get_environ ();
  /* Only the process itself knows its number before it runs the program. */
  const char *const argv[] = { "/bin/sh", "-c", "LISTEN_PID=$$ exec \"$0\" \"$1\"", program, n_connections, NULL };
  const int targets[] = { 3, 4 };
  g_autoptr (GError) error = NULL;
  Service service;

  environment = g_environ_setenv (environment, "LISTEN_FDS", promised, TRUE);
  environment = g_environ_setenv (environment, "LISTEN_FDNAMES", names, TRUE);
  ck_assert_msg (g_spawn_async_with_pipes_and_fds (NULL, argv, (const char *const *) environment,
                                                   G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, -1, -1, -1, fds, targets,
                                                   (gsize) n_fds, &service.pid, NULL, &service.output, NULL, &error),
                 "%s", error != NULL ? error->message : "");

  return service;
}

/* Returns: what it printed */
static char *
end_service (Service *self, gboolean is_success)
{
  GString *text = g_string_new (NULL);
  char buffer[256];
  gssize n;
  int status;

  while ((n = read (self->output, buffer, sizeof buffer)) > 0)
    g_string_append_len (text, buffer, n);
  close (self->output);
  ck_assert_int_eq (waitpid (self->pid, &status, 0), self->pid);
  ck_assert_msg (g_spawn_check_wait_status (status, NULL) == is_success, "%s", text->str);

  return g_string_free (text, FALSE);
}

static void
check_echo (Tcp *tcp, int fd)
{
  g_autofree char *text = NULL;

  tcp_raw_send (fd, "hello");
  text = tcp_raw_receive (fd, 5);
  ck_assert_str_eq (text, "hello");
  tcp_raw_close (tcp, fd);
}

/* Whoever connects early is served once the service is there. */
START_TEST (test_activated)
{
  g_auto (UnixPlace) place = unix_place_new ();
  g_auto (Tcp) tcp = tcp_new ();
  guint16 port = 0;
  int fds[] = { tcp_raw_listen (&tcp, "127.0.0.1", 5, &port), unix_raw_listen (&tcp, place.path, 5) };
  int early = tcp_raw_connect (&tcp, port);
  Service service = start_service (fds, 2, "2", "web:", "2");
  g_autofree char *output = NULL;

  check_echo (&tcp, early);
  check_echo (&tcp, unix_raw_connect (&tcp, place.path));
  output = end_service (&service, TRUE);
  ck_assert_str_eq (output, "3 web close-on-exec\n4 unknown close-on-exec\n");

  /* The file is the activator's. */
  ck_assert (unix_exists (place.path));
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

START_TEST (test_missing)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint16 port = 0;
  int fd = tcp_raw_listen (&tcp, "127.0.0.1", 5, &port);
  Service service = start_service (&fd, 1, "2", "web", "0");
  g_autofree char *output = end_service (&service, FALSE);

  tcp_assert_contains (output, "Descriptor 4");
}
END_TEST

START_TEST (test_not_a_socket)
{
  int ends[2];
  Service service;
  g_autofree char *output = NULL;

  ck_assert_int_eq (pipe (ends), 0);
  service = start_service (ends, 1, "1", "web", "0");
  output = end_service (&service, FALSE);
  tcp_assert_contains (output, "Descriptor 3");
  tcp_assert_contains (output, "not a socket");
  close (ends[0]);
  close (ends[1]);
}
END_TEST

LOOP_TEST_MAIN ("listen-fds",
                test_not_activated,
                test_for_another_process,
                test_no_sockets,
                test_nonsense,
                test_activated,
                test_missing,
                test_not_a_socket)
