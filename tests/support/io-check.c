/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "io-check.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
io_prepare (void)
{
  g_type_class_unref (g_type_class_ref (G_TYPE_TASK));
}

Tcp
io_tcp_new (void)
{
  io_prepare ();

  return tcp_new_for_context (g_main_context_default ());
}

void
io_done (GObject *source, GAsyncResult *result, gpointer done)
{
  IODone *self = done;

  ck_assert_ptr_null (self->result);
  self->result = g_object_ref (result);
}

void
io_done_clear (IODone *self)
{
  g_clear_object (&self->result);
}

LoopIOStream *
io_stream_new (Tcp *tcp, int *fd)
{
  TcpPeer *peer = tcp_raw_pair (tcp, fd);
  LoopIOStream *stream = loop_io_stream_new (peer->transport);

  ck_assert_ptr_null (peer->protocol);
  g_clear_object (&peer->transport);

  return stream;
}

gboolean
io_is_lost (LoopIOStream *stream)
{
  g_autoptr (LoopTransport) transport = loop_io_stream_dup_transport (stream);

  return transport == NULL;
}

gssize
io_read (Tcp *tcp, GInputStream *stream, gpointer buffer, gsize size, GError **error)
{
  g_auto (IODone) done = { 0 };

  g_input_stream_read_async (stream, buffer, size, G_PRIORITY_DEFAULT, NULL, io_done, &done);
  io_wait (tcp, &done);

  return g_input_stream_read_finish (stream, done.result, error);
}

GBytes *
io_read_to_end (Tcp *tcp, GInputStream *stream, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autofree guint8 *buffer = g_malloc (100000);

  for (;;)
    {
      gssize n = io_read (tcp, stream, buffer, 100000, error);

      if (n < 0)
        return NULL;
      if (n == 0)
        return g_byte_array_free_to_bytes (g_steal_pointer (&bytes));
      g_byte_array_append (bytes, buffer, (guint) n);
    }
}

gboolean
io_write (Tcp *tcp, GOutputStream *stream, gconstpointer data, gsize size, GError **error)
{
  g_auto (IODone) done = { 0 };

  g_output_stream_write_all_async (stream, data, size, G_PRIORITY_DEFAULT, NULL, io_done, &done);
  io_wait (tcp, &done);

  return g_output_stream_write_all_finish (stream, done.result, NULL, error);
}

gboolean
io_flush (Tcp *tcp, GOutputStream *stream, GError **error)
{
  g_auto (IODone) done = { 0 };

  g_output_stream_flush_async (stream, G_PRIORITY_DEFAULT, NULL, io_done, &done);
  io_wait (tcp, &done);

  return g_output_stream_flush_finish (stream, done.result, error);
}

gboolean
io_close (Tcp *tcp, gpointer stream, GError **error)
{
  g_auto (IODone) done = { 0 };

  if (G_IS_IO_STREAM (stream))
    g_io_stream_close_async (stream, G_PRIORITY_DEFAULT, NULL, io_done, &done);
  else if (G_IS_INPUT_STREAM (stream))
    g_input_stream_close_async (stream, G_PRIORITY_DEFAULT, NULL, io_done, &done);
  else
    g_output_stream_close_async (stream, G_PRIORITY_DEFAULT, NULL, io_done, &done);
  io_wait (tcp, &done);

  if (G_IS_IO_STREAM (stream))
    return g_io_stream_close_finish (stream, done.result, error);

  return G_IS_INPUT_STREAM (stream) ? g_input_stream_close_finish (stream, done.result, error)
                                    : g_output_stream_close_finish (stream, done.result, error);
}

struct _IOFeed
{
  GThread *thread;
  GBytes *bytes;
  int fd;
};

static gpointer
feed (gpointer data)
{
  IOFeed *self = data;
  gsize length;
  const guint8 *bytes = g_bytes_get_data (self->bytes, &length);

  while (length > 0)
    {
      gssize n = write (self->fd, bytes, length);

      if (n <= 0)
        break;
      bytes += n;
      length -= (gsize) n;
    }
  shutdown (self->fd, SHUT_WR);

  return NULL;
}

IOFeed *
io_feed_new (int fd, GBytes *bytes)
{
  IOFeed *self = g_new (IOFeed, 1);

  self->fd = fd;
  self->bytes = g_bytes_ref (bytes);
  self->thread = g_thread_new ("feed", feed, self);

  return self;
}

void
io_feed_finish (IOFeed *self)
{
  g_thread_join (self->thread);
  g_bytes_unref (self->bytes);
  g_free (self);
}

gboolean
io_has_pool (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  const char *name;
  gboolean has_pool = FALSE;

  ck_assert_ptr_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", name, "comm", NULL);
      g_autofree char *comm = NULL;

      if (g_file_get_contents (path, &comm, NULL, NULL) && g_str_has_prefix (comm, "pool-"))
        has_pool = TRUE;
    }

  return has_pool;
}
