/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-file-source-private.h"

#include <errno.h>
#include <gio/gfiledescriptorbased.h>
#include <unistd.h>

/*
 * Reading a stream without blocking the loop: one that can be polled at once, any other in a thread.
 * Not by g_input_stream_read_async(): its GTask would be left in the context of a loop that is closed
 * meanwhile, and the context with it.
 */

#define MAX_THREADS 8
#define BLOCK_SIZE (256 * 1024)

struct _LoopFileRead
{
  gatomicrefcount ref_count;
  LoopIncoming *incoming; /* until a thread has taken it, or it is known that none will: atomic */
  LoopEventLoop *loop;
  GInputStream *stream; /* or NULL: it is not to be read any more */
  GCancellable *cancellable;

  /* Written by the thread before it posts, read by the loop afterwards. */
  guint8 *buffer;
  gsize size;
  gssize n;
  GError *error;

  /* The loop thread's, until its reference is gone. */
  LoopFileSource *source; /* or NULL: nobody wants it any more */
  gint64 position;        /* where to leave the stream then; or -1 */
  gboolean is_done;
};

/*
 * @stream may be at the end already, and that short of @position: then it stays there. Where it cannot
 * be moved, its beginning is where it is.
 */
gboolean
loop_file_set_position (GInputStream *stream, gint64 position, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  GSeekable *seekable;

  if (G_IS_FILE_DESCRIPTOR_BASED (stream))
    {
      int fd = g_file_descriptor_based_get_fd (G_FILE_DESCRIPTOR_BASED (stream));

      if (lseek (fd, position, SEEK_SET) >= 0 || (errno == ESPIPE && position == 0))
        return TRUE;

      loop_set_error_from_errno (error, errno, "Could not go to byte %" G_GINT64_FORMAT " of the file", position);
      return FALSE;
    }

  seekable = G_IS_SEEKABLE (stream) ? G_SEEKABLE (stream) : NULL;
  if (seekable == NULL || !g_seekable_can_seek (seekable))
    {
      if (position == 0)
        return TRUE;

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   "A stream of type %s cannot go to byte %" G_GINT64_FORMAT, G_OBJECT_TYPE_NAME (stream), position);
      return FALSE;
    }

  if (g_seekable_seek (seekable, position, G_SEEK_SET, NULL, &local_error))
    return TRUE;

  /* Past the end, which a file does not mind. */
  if (g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT) &&
      g_seekable_seek (seekable, 0, G_SEEK_END, NULL, NULL) && g_seekable_tell (seekable) < position)
    return TRUE;

  g_propagate_prefixed_error (error, g_steal_pointer (&local_error), "Could not go to byte %" G_GINT64_FORMAT ": ",
                              position);

  return FALSE;
}

/* --- In a thread ------------------------------------------------------------------------------ */

static LoopFileRead *
file_read_ref (LoopFileRead *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

static void
file_read_unref (gpointer data)
{
  LoopFileRead *self = data;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  if (self->position >= 0)
    loop_file_set_position (self->stream, self->position, NULL);

  g_clear_pointer (&self->incoming, loop_incoming_unref);
  g_clear_object (&self->stream);
  g_object_unref (self->cancellable);
  g_clear_error (&self->error);
  g_free (self->buffer);
  g_free (self);
}

static void
read_done (gpointer data)
{
  LoopFileRead *self = data;

  if (self->source == NULL)
    return;

  self->is_done = TRUE;
  self->source->wake (self->source);
}

static void
read_in_thread (gpointer data, gpointer user_data)
{
  LoopFileRead *self = data;
  LoopIncoming *incoming = g_atomic_pointer_exchange (&self->incoming, NULL);

  if (incoming == NULL)
    {
      file_read_unref (self);
      return;
    }

  self->n = g_input_stream_read (self->stream, self->buffer, self->size, self->cancellable, &self->error);

  /* The stream, too, is then the loop's to let go of. */
  if (!loop_incoming_post_callback (incoming, self->loop, read_done, self, file_read_unref, "sendfile", NULL))
    file_read_unref (self);

  loop_incoming_unref (incoming);
}

static GThreadPool *
get_thread_pool (void)
{
  static GThreadPool *pool;

  if (g_once_init_enter (&pool))
    g_once_init_leave (&pool, g_thread_pool_new (read_in_thread, NULL, MAX_THREADS, FALSE, NULL));

  return pool;
}

static gboolean
start_thread (LoopFileSource *self, gsize size, GError **error)
{
  LoopFileRead *read = g_new0 (LoopFileRead, 1);
  LoopIncoming *incoming;

  g_atomic_ref_count_init (&read->ref_count);
  read->incoming = loop_incoming_ref (self->loop->incoming);
  read->loop = self->loop;
  read->stream = g_object_ref (self->stream);
  read->cancellable = g_cancellable_new ();
  read->buffer = g_malloc (size);
  read->size = size;
  read->source = self;
  read->position = -1;
  self->read = read;

  if (g_thread_pool_push (get_thread_pool (), file_read_ref (read), error))
    return TRUE;

  /* GLib keeps it in its queue, perhaps for ever: without what it would keep open. If an earlier thread has taken it
   * meanwhile, all is well. */
  incoming = g_atomic_pointer_exchange (&read->incoming, NULL);
  if (incoming == NULL)
    {
      g_clear_error (error);
      return TRUE;
    }

  loop_incoming_unref (incoming);
  g_clear_object (&read->stream);
  file_read_unref (g_steal_pointer (&self->read));

  return FALSE;
}

/* Returns: whether somebody else sees to the position */
gboolean
loop_file_source_drop_read (LoopFileSource *self, gint64 position)
{
  LoopFileRead *read = g_steal_pointer (&self->read);
  gboolean is_under_way;

  if (read == NULL)
    return FALSE;

  is_under_way = !read->is_done;
  read->source = NULL;
  if (is_under_way)
    {
      read->position = position;
      g_cancellable_cancel (read->cancellable);
    }
  file_read_unref (read);

  return is_under_way;
}

static LoopFileProgress
take_from_thread (LoopFileSource *self, GBytes **block, GError **error)
{
  LoopFileRead *read = self->read;
  LoopFileProgress progress;

  if (!read->is_done)
    return LOOP_FILE_EMPTY;

  progress = read->n < 0 ? LOOP_FILE_SOURCE_FAILED : read->n == 0 ? LOOP_FILE_DONE : LOOP_FILE_BLOCK;
  if (progress == LOOP_FILE_SOURCE_FAILED)
    g_propagate_error (error, g_steal_pointer (&read->error));
  else if (progress == LOOP_FILE_BLOCK)
    *block = g_bytes_new_take (g_steal_pointer (&read->buffer), (gsize) read->n);
  loop_file_source_drop_read (self, -1);

  return progress;
}

/* --- At once ---------------------------------------------------------------------------------- */

static LoopFileProgress
read_now (LoopFileSource *self, gsize size, GBytes **block, GError **error)
{
  GPollableInputStream *pollable = G_POLLABLE_INPUT_STREAM (self->stream);
  g_autofree guint8 *buffer = g_malloc (size);
  g_autoptr (GError) local_error = NULL;
  gssize n = g_pollable_input_stream_read_nonblocking (pollable, buffer, size, NULL, &local_error);

  if (n > 0)
    {
      *block = g_bytes_new_take (g_steal_pointer (&buffer), (gsize) n);
      return LOOP_FILE_BLOCK;
    }

  if (n == 0)
    return LOOP_FILE_DONE;

  if (g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    {
      loop_file_source_wait (self);
      return LOOP_FILE_EMPTY;
    }

  g_propagate_error (error, g_steal_pointer (&local_error));

  return LOOP_FILE_SOURCE_FAILED;
}

/*
 * loop_file_source_read:
 * @block: (out): set with %LOOP_FILE_BLOCK
 *
 * Reads what comes next. A stream that somebody else has made may run code of the user's in here.
 */
LoopFileProgress
loop_file_source_read (LoopFileSource *self, GBytes **block, GError **error)
{
  gsize size = (gsize) MIN (self->remaining, BLOCK_SIZE);

  if (self->read != NULL)
    return take_from_thread (self, block, error);
  if (size == 0)
    return LOOP_FILE_DONE;

  if (loop_file_source_can_poll (self))
    return read_now (self, size, block, error);

  return start_thread (self, size, error) ? LOOP_FILE_EMPTY : LOOP_FILE_SOURCE_FAILED;
}
