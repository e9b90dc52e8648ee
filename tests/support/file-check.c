/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "file-check.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gfiledescriptorbased.h>
#include <gio/gunixinputstream.h>
#include <unistd.h>

const char *
file_kind_name (FileKind kind)
{
  static const char *const names[] = { "local", "unix", "pipe", "memory", "buffered", "converted", "slow" };

  return names[kind];
}

gboolean
file_can_move (FileKind kind)
{
  return kind != FILE_PIPE && kind < FILE_CONVERTED;
}

/* A regular file that nobody else sees. */
static int
make_file (GBytes *bytes, char **path)
{
  g_autoptr (GError) error = NULL;
  int fd = g_file_open_tmp ("loop-XXXXXX", path, &error);

  ck_assert_msg (fd >= 0, "%s", error != NULL ? error->message : "");
  ck_assert (g_file_set_contents_full (*path, g_bytes_get_data (bytes, NULL), (gssize) g_bytes_get_size (bytes),
                                       G_FILE_SET_CONTENTS_NONE, 0600, &error));

  return fd;
}

static GInputStream *
open_local (GBytes *bytes)
{
  g_autofree char *path = NULL;
  int fd = make_file (bytes, &path);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  GInputStream *stream = G_INPUT_STREAM (g_file_read (file, NULL, NULL));

  ck_assert_ptr_nonnull (stream);
  close (fd);
  unlink (path);

  return stream;
}

static GInputStream *
open_unix (GBytes *bytes)
{
  g_autofree char *path = NULL;
  int fd = make_file (bytes, &path);

  unlink (path);
  ck_assert_int_eq (ftruncate (fd, 0), 0);
  ck_assert_int_eq (write (fd, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes)),
                    (gssize) g_bytes_get_size (bytes));
  ck_assert_int_eq (lseek (fd, 0, SEEK_SET), 0);

  return g_unix_input_stream_new (fd, TRUE);
}

typedef struct
{
  GBytes *bytes;
  int fd;
} Feed;

/* Whoever reads may go away earlier. */
static gpointer
feed_pipe (gpointer data)
{
  Feed *feed = data;
  gsize length;
  const guint8 *bytes = g_bytes_get_data (feed->bytes, &length);
  sigset_t sigpipe;

  sigemptyset (&sigpipe);
  sigaddset (&sigpipe, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &sigpipe, NULL);

  while (length > 0)
    {
      gssize n = write (feed->fd, bytes, length);

      if (n < 0 && errno != EINTR)
        break;
      if (n > 0)
        {
          bytes += n;
          length -= (gsize) n;
        }
    }

  close (feed->fd);
  g_bytes_unref (feed->bytes);
  g_free (feed);

  return NULL;
}

static GInputStream *
open_pipe (GBytes *bytes)
{
  Feed *feed = g_new (Feed, 1);
  int fds[2];

  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
  feed->bytes = g_bytes_ref (bytes);
  feed->fd = fds[1];
  g_thread_unref (g_thread_new ("feed", feed_pipe, feed));

  return g_unix_input_stream_new (fds[0], TRUE);
}

static GBytes *
compress (GBytes *bytes)
{
  g_autoptr (GConverter) compressor = G_CONVERTER (g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_RAW, 1));
  g_autoptr (GOutputStream) target = g_memory_output_stream_new_resizable ();
  g_autoptr (GOutputStream) stream = g_converter_output_stream_new (target, compressor);

  ck_assert (
      g_output_stream_write_all (stream, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), NULL, NULL, NULL));
  ck_assert (g_output_stream_close (stream, NULL, NULL));

  return g_memory_output_stream_steal_as_bytes (G_MEMORY_OUTPUT_STREAM (target));
}

static GInputStream *
open_compressed (GBytes *bytes, GInputStream *(*open_packed) (GBytes *packed))
{
  g_autoptr (GConverter) decompressor = G_CONVERTER (g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_RAW));
  g_autoptr (GBytes) packed = compress (bytes);
  g_autoptr (GInputStream) base = open_packed (packed);

  return g_converter_input_stream_new (base, decompressor);
}

GInputStream *
file_open (FileKind kind, GBytes *bytes)
{
  g_autoptr (GInputStream) base = NULL;

  switch (kind)
    {
    case FILE_LOCAL:
      return open_local (bytes);
    case FILE_UNIX:
      return open_unix (bytes);
    case FILE_PIPE:
      return open_pipe (bytes);
    case FILE_MEMORY:
      return g_memory_input_stream_new_from_bytes (bytes);
    case FILE_BUFFERED:
      base = open_local (bytes);
      return g_buffered_input_stream_new (base);
    case FILE_CONVERTED:
      return open_compressed (bytes, g_memory_input_stream_new_from_bytes);
    case FILE_SLOW:
      return open_compressed (bytes, open_local);
    case FILE_N_KINDS:
    default:
      g_assert_not_reached ();
    }
}

gint64
file_tell (GInputStream *file)
{
  if (G_IS_FILE_DESCRIPTOR_BASED (file))
    return lseek (g_file_descriptor_based_get_fd (G_FILE_DESCRIPTOR_BASED (file)), 0, SEEK_CUR);

  return G_IS_SEEKABLE (file) && g_seekable_can_seek (G_SEEKABLE (file)) ? g_seekable_tell (G_SEEKABLE (file)) : -1;
}

gint64
file_take_sent (Tcp *tcp, LoopFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_event_loop_run_until_complete (tcp->loop, future, &value, &error), "%s",
                 error != NULL ? error->message : "");
  ck_assert (G_VALUE_HOLDS_INT64 (&value));

  return g_value_get_int64 (&value);
}
