/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-inspector-socket-private.h"

#include <dlfcn.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <sys/socket.h>

/* The socket's file when something goes wrong. The listen() of this program fails on demand. */

typedef int (*Listen) (int fd, int backlog);

static int fail_errno;
static const char *replaced; /* a folder, whose one file is replaced by an ordinary one before listen() fails */

static char *
get_only_file (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  char *path;

  ck_assert_ptr_nonnull (dir);
  name = g_dir_read_name (dir);
  path = name != NULL ? g_build_filename (folder, name, NULL) : NULL;
  ck_assert_ptr_null (g_dir_read_name (dir));

  return path;
}

int
listen (int fd, int backlog)
{
  if (fail_errno == 0)
    return ((Listen) dlsym (RTLD_NEXT, "listen")) (fd, backlog);

  if (replaced != NULL)
    {
      g_autofree char *path = get_only_file (replaced);

      ck_assert_int_eq (g_unlink (path), 0);
      ck_assert (g_file_set_contents (path, "", 0, NULL));
    }
  errno = fail_errno;

  return -1;
}

typedef struct
{
  char *runtime_dir;
  char *folder;
} Place;

static void
place_init (Place *self)
{
  self->runtime_dir = g_dir_make_tmp ("loop-inspector-XXXXXX", NULL);
  self->folder = g_build_filename (self->runtime_dir, "libloop", NULL);
  g_setenv ("XDG_RUNTIME_DIR", self->runtime_dir, TRUE);
}

static void
place_clear (Place *self)
{
  fail_errno = 0;
  ck_assert_int_eq (g_rmdir (self->folder), 0);
  ck_assert_int_eq (g_rmdir (self->runtime_dir), 0);
  g_free (self->folder);
  g_free (self->runtime_dir);
}

START_TEST (test_listen_fails)
{
  g_autoptr (GError) error = NULL;
  LoopInspectorSocket socket;
  Place place;

  place_init (&place);
  fail_errno = EADDRINUSE;
  ck_assert (!loop_inspector_socket_open (&socket, &error));
  ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE));
  ck_assert_int_eq (socket.fd, -1);
  ck_assert_ptr_null (socket.path);
  ck_assert_ptr_null (get_only_file (place.folder));

  /* The next try is none the worse for it. */
  fail_errno = 0;
  ck_assert (loop_inspector_socket_open (&socket, NULL));
  loop_inspector_socket_close (&socket);
  ck_assert_ptr_null (get_only_file (place.folder));
  place_clear (&place);
}
END_TEST

START_TEST (test_file_of_another_stays)
{
  g_autofree char *path = NULL;
  LoopInspectorSocket socket;
  Place place;

  place_init (&place);
  fail_errno = ENOBUFS;
  replaced = place.folder;
  ck_assert (!loop_inspector_socket_open (&socket, NULL));
  path = get_only_file (place.folder);
  ck_assert_ptr_nonnull (path);
  ck_assert (g_file_test (path, G_FILE_TEST_IS_REGULAR));
  ck_assert_int_eq (g_unlink (path), 0);
  place_clear (&place);
}
END_TEST

LOOP_TEST_MAIN ("inspector-socket", test_listen_fails, test_file_of_another_stays)
