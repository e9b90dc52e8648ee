/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "unix-check.h"

#include "loop-unix-path-private.h"

#include <dlfcn.h>
#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

/* Paths of unix sockets: their addresses, and the files that binding makes, finds and removes. */

static int unlink_errno;

/* Of this program: fails on demand. */
int
unlink (const char *path)
{
  if (unlink_errno == 0)
    return ((int (*) (const char *)) dlsym (RTLD_NEXT, "unlink")) (path);

  errno = unlink_errno;

  return -1;
}

typedef struct
{
  UnixPlace place;
  const char *folder;
  const char *path;
  struct sockaddr_un address;
  socklen_t length;
} Place;

static Place
place_new (void)
{
  Place self = { .place = unix_place_new () };

  self.folder = self.place.folder;
  self.path = self.place.path;
  ck_assert (loop_unix_path_to_native (self.path, &self.address, &self.length, NULL));

  return self;
}

static void
place_clear (Place *self)
{
  unix_place_clear (&self->place);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Place, place_clear)

static int
new_socket (int type)
{
  int fd = socket (AF_UNIX, type | SOCK_CLOEXEC, 0);

  ck_assert_int_ge (fd, 0);

  return fd;
}

/* A file whose socket is gone. */
static void
leave_behind (const Place *place, int type)
{
  int fd = new_socket (type);

  ck_assert_int_eq (bind (fd, (const struct sockaddr *) &place->address, place->length), 0);
  close (fd);
  ck_assert (unix_exists (place->path));
}

/* Binds another socket of that type, which is to succeed, and removes its file. */
static void
check_binds (const Place *place, int type)
{
  g_auto (LoopUnixFile) file = { 0 };
  g_autoptr (GError) error = NULL;
  int fd = new_socket (type);

  ck_assert_msg (loop_unix_path_bind (fd, &place->address, place->length, &file, &error), "%s",
                 error != NULL ? error->message : "");
  ck_assert_str_eq (file.path, place->path);
  ck_assert (unix_exists (place->path));
  ck_assert (loop_unix_file_remove (&file, NULL));
  ck_assert (!unix_exists (place->path));
  close (fd);
}

static void
check_is_in_use (const Place *place, int type, const char *why)
{
  LoopUnixFile file = { .path = (char *) "to be cleared" };
  g_autoptr (GError) error = NULL;
  int fd = new_socket (type);

  ck_assert (!loop_unix_path_bind (fd, &place->address, place->length, &file, &error));
  ck_assert_msg (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE), "%s", error->message);
  ck_assert_ptr_nonnull (strstr (error->message, why));
  ck_assert_ptr_nonnull (strstr (error->message, place->path));
  ck_assert_ptr_null (file.path);
  ck_assert (unix_exists (place->path));
  close (fd);
}

START_TEST (test_address_of_file)
{
  struct sockaddr_un address;
  socklen_t length;
  g_autofree char *text = NULL;

  ck_assert (loop_unix_path_to_native ("/run/x", &address, &length, NULL));
  ck_assert_int_eq (address.sun_family, AF_UNIX);
  ck_assert_str_eq (address.sun_path, "/run/x");
  ck_assert_uint_eq (length, G_STRUCT_OFFSET (struct sockaddr_un, sun_path) + 7);
  text = loop_unix_path_to_string (&address, length);
  ck_assert_str_eq (text, "/run/x");
}
END_TEST

START_TEST (test_address_in_abstract_namespace)
{
  struct sockaddr_un address;
  socklen_t length;
  g_autofree char *text = NULL;

  ck_assert (loop_unix_path_to_native ("@name", &address, &length, NULL));
  ck_assert_mem_eq (address.sun_path, "\0name", 5);
  ck_assert_uint_eq (length, G_STRUCT_OFFSET (struct sockaddr_un, sun_path) + 5);
  text = loop_unix_path_to_string (&address, length);
  ck_assert_str_eq (text, "@name");
}
END_TEST

START_TEST (test_address_without_name)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_autofree char *text = loop_unix_path_to_string (&address, sizeof (sa_family_t));

  ck_assert_str_eq (text, "a socket without a name");
}
END_TEST

START_TEST (test_empty)
{
  g_autoptr (GError) error = NULL;
  struct sockaddr_un address;
  socklen_t length;

  ck_assert (!loop_unix_path_to_native ("", &address, &length, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT));
}
END_TEST

START_TEST (test_longest)
{
  const char *const first[] = { "/", "@" };

  for (guint i = 0; i < G_N_ELEMENTS (first); i++)
    {
      g_autoptr (GString) path = g_string_new (first[i]);
      g_autoptr (GError) error = NULL;
      struct sockaddr_un address;
      socklen_t length;

      while (path->len < 107)
        g_string_append_c (path, 'x');
      ck_assert (loop_unix_path_to_native (path->str, &address, &length, &error));
      ck_assert_int_eq (address.sun_path[106], 'x');
      ck_assert_int_eq (address.sun_path[107], '\0');

      g_string_append_c (path, 'x');
      ck_assert (!loop_unix_path_to_native (path->str, &address, &length, &error));
      ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG));
      ck_assert_ptr_nonnull (strstr (error->message, path->str));
    }
}
END_TEST

START_TEST (test_bind)
{
  g_auto (Place) place = place_new ();

  ck_assert (loop_unix_path_is_free (&place.address, place.length));
  check_binds (&place, SOCK_STREAM);
  check_binds (&place, SOCK_DGRAM);
}
END_TEST

START_TEST (test_stale)
{
  g_auto (Place) place = place_new ();
  const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    for (guint j = 0; j < G_N_ELEMENTS (types); j++)
      {
        leave_behind (&place, types[i]);
        check_binds (&place, types[j]);
      }
}
END_TEST

/* Also before it listens: a server that was made and has not started is no less alive. */
START_TEST (test_live)
{
  g_auto (Place) place = place_new ();
  const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_auto (LoopUnixFile) file = { 0 };
      int fd = new_socket (types[i]);

      ck_assert (loop_unix_path_bind (fd, &place.address, place.length, &file, NULL));
      ck_assert (!loop_unix_path_is_free (&place.address, place.length));
      check_is_in_use (&place, SOCK_STREAM, "Another socket is bound");
      check_is_in_use (&place, SOCK_DGRAM, "Another socket is bound");
      if (types[i] != SOCK_DGRAM)
        ck_assert_int_eq (listen (fd, 1), 0);
      check_is_in_use (&place, SOCK_STREAM, "Another socket is bound");

      /* Nor has the probe left a connection that would have to be accepted. */
      if (types[i] != SOCK_DGRAM)
        ck_assert_int_eq (poll (&(struct pollfd) { .fd = fd, .events = POLLIN }, 1, 0), 0);
      ck_assert (loop_unix_file_remove (&file, NULL));
      close (fd);
    }
}
END_TEST

START_TEST (test_not_a_socket)
{
  g_auto (Place) place = place_new ();

  ck_assert (g_file_set_contents (place.path, "precious", -1, NULL));
  check_is_in_use (&place, SOCK_STREAM, "is not a socket");
  ck_assert_int_eq (g_unlink (place.path), 0);

  /* Nor is a link to one. */
  ck_assert_int_eq (symlink ("elsewhere", place.path), 0);
  check_is_in_use (&place, SOCK_STREAM, "is not a socket");
  ck_assert_int_eq (g_unlink (place.path), 0);
}
END_TEST

START_TEST (test_no_folder)
{
  g_autoptr (GError) error = NULL;
  struct sockaddr_un address;
  socklen_t length;
  int fd = new_socket (SOCK_STREAM);

  ck_assert (loop_unix_path_to_native ("/nonexistent/socket", &address, &length, NULL));
  ck_assert (!loop_unix_path_bind (fd, &address, length, NULL, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
  ck_assert_ptr_nonnull (strstr (error->message, "/nonexistent/socket"));
  close (fd);
}
END_TEST

START_TEST (test_abstract)
{
  g_autofree char *path = g_strdup_printf ("@loop-test-unix-path-%d", getpid ());
  g_auto (LoopUnixFile) file = { 0 };
  g_autoptr (GError) error = NULL;
  struct sockaddr_un address;
  socklen_t length;
  int fd = new_socket (SOCK_STREAM);
  int other = new_socket (SOCK_STREAM);

  ck_assert (loop_unix_path_to_native (path, &address, &length, NULL));
  ck_assert (loop_unix_path_bind (fd, &address, length, &file, NULL));
  ck_assert_ptr_null (file.path);
  ck_assert (!loop_unix_path_bind (other, &address, length, &file, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE));
  ck_assert_ptr_nonnull (strstr (error->message, path));
  close (fd);
  ck_assert (loop_unix_path_bind (other, &address, length, &file, NULL));
  close (other);
}
END_TEST

/* The file was removed, and somebody else has the path now. */
START_TEST (test_replaced)
{
  g_auto (Place) place = place_new ();
  g_auto (LoopUnixFile) file = { 0 };
  int fd = new_socket (SOCK_STREAM);

  ck_assert (loop_unix_path_bind (fd, &place.address, place.length, &file, NULL));
  ck_assert_int_eq (g_unlink (place.path), 0);
  leave_behind (&place, SOCK_STREAM);
  ck_assert (loop_unix_file_remove (&file, NULL));
  ck_assert (unix_exists (place.path));
  ck_assert_int_eq (g_unlink (place.path), 0);
  close (fd);
}
END_TEST

START_TEST (test_child)
{
  g_auto (Place) place = place_new ();
  g_auto (LoopUnixFile) file = { 0 };
  int fd = new_socket (SOCK_STREAM);
  int status;
  pid_t pid;

  ck_assert (loop_unix_path_bind (fd, &place.address, place.length, &file, NULL));
  pid = fork ();
  if (pid == 0)
    {
      ck_assert (loop_unix_file_remove (&file, NULL));
      _exit (0);
    }
  ck_assert_int_eq (waitpid (pid, &status, 0), pid);
  ck_assert (unix_exists (place.path));
  ck_assert (loop_unix_file_remove (&file, NULL));
  close (fd);
}
END_TEST

/* The path is relative, and the process goes elsewhere. */
START_TEST (test_relative)
{
  g_auto (Place) place = place_new ();
  g_auto (LoopUnixFile) file = { 0 };
  struct sockaddr_un address;
  socklen_t length;
  int fd = new_socket (SOCK_STREAM);

  ck_assert_int_eq (chdir (place.folder), 0);
  leave_behind (&place, SOCK_STREAM);
  ck_assert (loop_unix_path_to_native ("socket", &address, &length, NULL));
  ck_assert (loop_unix_path_bind (fd, &address, length, &file, NULL));
  ck_assert_int_eq (chdir ("/"), 0);
  ck_assert (loop_unix_file_remove (&file, NULL));
  ck_assert (!unix_exists (place.path));
  close (fd);
}
END_TEST

START_TEST (test_not_removed)
{
  g_auto (Place) place = place_new ();
  g_auto (LoopUnixFile) file = { 0 };
  g_autoptr (GError) error = NULL;
  int fd = new_socket (SOCK_STREAM);

  ck_assert (loop_unix_path_bind (fd, &place.address, place.length, &file, NULL));

  /* Gone is gone. */
  ck_assert_int_eq (g_unlink (place.path), 0);
  ck_assert (loop_unix_file_remove (&file, NULL));
  close (fd);

  fd = new_socket (SOCK_STREAM);
  ck_assert (loop_unix_path_bind (fd, &place.address, place.length, &file, NULL));
  unlink_errno = EACCES;
  ck_assert (!loop_unix_file_remove (&file, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED));
  ck_assert_ptr_nonnull (strstr (error->message, place.path));
  unlink_errno = 0;
  ck_assert_int_eq (g_unlink (place.path), 0);
  close (fd);
}
END_TEST

/* Somebody else has the directory's lock, and does not give it back. */
START_TEST (test_locked)
{
  g_auto (Place) place = place_new ();
  int directory = open (place.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  ck_assert_int_eq (flock (directory, LOCK_EX), 0);

  /* What is free is bound, and what is not is left alone. */
  check_binds (&place, SOCK_STREAM);
  leave_behind (&place, SOCK_STREAM);
  check_is_in_use (&place, SOCK_STREAM, "Could not lock the directory");
  close (directory);
  check_binds (&place, SOCK_STREAM);
}
END_TEST

/*
 * Several processes begin at the same time where one has died. One of them wins, each time, and keeps the path: who
 * removes a file without a lock removes that of another.
 */
#define N_RIVALS 8

static G_NORETURN void
rival (const Place *place, int start, int result, int end)
{
  int fd = new_socket (SOCK_STREAM);
  char is_bound;
  char byte;

  /* At the end of file, all of them go; and nobody leaves before all have told. */
  (void) !read (start, &byte, 1);
  is_bound = loop_unix_path_bind (fd, &place->address, place->length, NULL, NULL);
  if (write (result, &is_bound, 1) == 1)
    (void) !read (end, &byte, 1);
  _exit (0);
}

static guint
count_winners (const Place *place)
{
  int start[2];
  int result[2];
  int end[2];
  guint n_bound = 0;

  ck_assert (pipe (start) == 0 && pipe (result) == 0 && pipe (end) == 0);
  for (guint i = 0; i < N_RIVALS; i++)
    {
      if (fork () == 0)
        {
          close (start[1]);
          close (end[1]);
          rival (place, start[0], result[1], end[0]);
        }
    }

  close (start[1]);
  for (guint i = 0; i < N_RIVALS; i++)
    {
      char is_bound;

      ck_assert_int_eq (read (result[0], &is_bound, 1), 1);
      n_bound += is_bound;
    }
  close (end[1]);
  while (wait (NULL) > 0)
    ;

  close (start[0]);
  close (result[0]);
  close (result[1]);
  close (end[0]);

  return n_bound;
}

START_TEST (test_rivals)
{
  g_auto (Place) place = place_new ();

  for (guint round = 0; round < 20; round++)
    {
      leave_behind (&place, SOCK_STREAM);
      ck_assert_uint_eq (count_winners (&place), 1);
      ck_assert_int_eq (g_unlink (place.path), 0);
    }
}
END_TEST

LOOP_TEST_MAIN ("unix-path",
                test_address_of_file,
                test_address_in_abstract_namespace,
                test_address_without_name,
                test_empty,
                test_longest,
                test_bind,
                test_stale,
                test_live,
                test_not_a_socket,
                test_no_folder,
                test_abstract,
                test_replaced,
                test_child,
                test_relative,
                test_not_removed,
                test_locked,
                test_rivals)
