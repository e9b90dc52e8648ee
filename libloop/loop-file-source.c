/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-file-source-private.h"
#include "loop-future-private.h"
#include "loop-sigpipe-private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gfiledescriptorbased.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

/* --- What it is ------------------------------------------------------------------------------- */

static void
look_at_file (LoopFileSource *self)
{
  struct stat status;

  self->kind = LOOP_FILE_STREAM;
  self->fd = -1;
  if (!G_IS_FILE_DESCRIPTOR_BASED (self->stream))
    return;

  self->fd = g_file_descriptor_based_get_fd (G_FILE_DESCRIPTOR_BASED (self->stream));
  if (fstat (self->fd, &status) < 0)
    return;

  if (S_ISREG (status.st_mode))
    {
      self->kind = LOOP_FILE_REGULAR;
      self->size = status.st_size;
    }
  else if (S_ISFIFO (status.st_mode) && loop_file_source_can_poll (self))
    {
      self->kind = LOOP_FILE_PIPE;
    }
}

static gboolean
check_arguments (gint64 offset, gint64 count, GError **error)
{
  if (offset >= 0 && count >= -1)
    return TRUE;

  if (offset < 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "The offset in a file must not be negative, as %" G_GINT64_FORMAT " is", offset);
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "The count of bytes must be a number, or -1 for all, not %" G_GINT64_FORMAT, count);

  return FALSE;
}

/*
 * loop_file_source_init:
 * @offset: where to begin; of a stream that cannot be moved, 0 is where it is
 * @count: how many bytes, or -1 for all
 * @wake: called after %LOOP_FILE_EMPTY, when it is worth another try
 *
 * Claims @stream, so that nobody uses or closes it meanwhile.
 */
gboolean
loop_file_source_init (LoopFileSource *self,
                       LoopEventLoop *loop,
                       GInputStream *stream,
                       gint64 offset,
                       gint64 count,
                       void (*wake) (LoopFileSource *self),
                       GError **error)
{
  if (!check_arguments (offset, count, error) || !g_input_stream_set_pending (stream, error))
    return FALSE;

  *self = (LoopFileSource) {
    .loop = loop,
    .stream = g_object_ref (stream),
    .wake = wake,
    .offset = offset,
    .remaining = count < 0 ? G_MAXINT64 : count,
    .is_claimed = TRUE,
  };
  look_at_file (self);

  if (self->kind == LOOP_FILE_PIPE && offset > 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "There is no offset in a pipe");
      loop_file_source_clear (self);
      return FALSE;
    }

  return TRUE;
}

static void
unclaim (LoopFileSource *self)
{
  if (self->is_claimed)
    g_input_stream_clear_pending (self->stream);
  self->is_claimed = FALSE;
}

static void
stop_waiting (LoopFileSource *self)
{
  if (self->poll_source == NULL)
    return;

  g_source_destroy (self->poll_source);
  g_clear_pointer (&self->poll_source, g_source_unref);
}

/* Leaves the file where the next byte that was not sent is: at once, or as soon as a thread has done with it. */
void
loop_file_source_clear (LoopFileSource *self)
{
  gint64 position = self->has_begun && self->kind != LOOP_FILE_PIPE ? self->offset + self->n_sent : -1;

  stop_waiting (self);
  unclaim (self);
  if (!loop_file_source_drop_read (self, position) && position >= 0)
    loop_file_set_position (self->stream, position, NULL);
  g_clear_object (&self->stream);
}

/* @n bytes were sent; or not, if negative, after all. */
void
loop_file_source_count (LoopFileSource *self, gssize n)
{
  self->n_sent += n;
  self->remaining -= n;
}

/*
 * All is sent. The kernel leaves the file where it was, while one that was read is where it should be.
 *
 * Returns: %FALSE if the file does not go there
 */
static gboolean
leave_behind_sent (LoopFileSource *self, GError **error)
{
  gboolean was_read = !self->is_claimed;

  if (self->kind == LOOP_FILE_PIPE || was_read)
    return TRUE;
  if (loop_file_set_position (self->stream, self->offset + self->n_sent, error))
    return TRUE;

  g_prefix_error (error, "After %" G_GINT64_FORMAT " bytes were sent: ", self->n_sent);

  return FALSE;
}

/* With the number of bytes that were sent. */
void
loop_file_source_fulfil (LoopFileSource *self, LoopFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;
  gboolean is_left;
  GError *error = NULL;

  is_left = leave_behind_sent (self, &error);
  self->has_begun = FALSE;
  if (!is_left)
    {
      loop_future_fail (future, error);
      return;
    }

  g_value_init (&value, G_TYPE_INT64);
  g_value_set_int64 (&value, self->n_sent);
  loop_future_fulfil_value (future, &value);
}

GError *
loop_file_source_make_not_available (LoopFileSource *self)
{
  return g_error_new (LOOP_ERROR, LOOP_ERROR_SENDFILE_NOT_AVAILABLE,
                      "The sendfile system call is not available for a stream of type %s and this connection",
                      G_OBJECT_TYPE_NAME (self->stream));
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static gboolean
stream_ready (GObject *stream, gpointer user_data)
{
  LoopFileSource *self = user_data;

  g_clear_pointer (&self->poll_source, g_source_unref);
  self->wake (self);

  return G_SOURCE_REMOVE;
}

/* For something to read in a stream that can be polled. */
void
loop_file_source_wait (LoopFileSource *self)
{
  if (self->poll_source != NULL)
    return;

  self->poll_source = g_pollable_input_stream_create_source (G_POLLABLE_INPUT_STREAM (self->stream), NULL);
  g_source_set_callback (self->poll_source, G_SOURCE_FUNC (stream_ready), self, NULL);
  g_source_set_name (self->poll_source, "libloop sendfile");
  g_source_attach (self->poll_source, self->loop->context);
}

/* --- By the kernel ---------------------------------------------------------------------------- */

static gboolean
is_readable (int fd)
{
  struct pollfd event = { .fd = fd, .events = POLLIN };

  return poll (&event, 1, 0) != 0;
}

/* How much to ask for. Asked for more than there is, some kernels hold back the last segment for what does not come. */
static gsize
get_next_size (LoopFileSource *self, gsize most)
{
  gint64 position = self->offset + self->n_sent;
  gint64 size = MIN (self->remaining, (gint64) most);

  if (self->kind == LOOP_FILE_REGULAR && position < self->size)
    size = MIN (size, self->size - position);

  return (gsize) size;
}

static gssize
send_once (LoopFileSource *self, int fd, gsize size)
{
  off_t offset = self->offset + self->n_sent;
  gssize n;

  do
    n = self->kind == LOOP_FILE_PIPE ? splice (self->fd, NULL, fd, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                                     : sendfile (fd, self->fd, &offset, size);
  while (n < 0 && errno == EINTR);

  return n;
}

/* What errno says of a call with two files. */
static LoopFileProgress
judge_errno (LoopFileSource *self, GError **error)
{
  switch (errno)
    {
    case EAGAIN:
      return self->kind == LOOP_FILE_PIPE && !is_readable (self->fd) ? LOOP_FILE_EMPTY : LOOP_FILE_AGAIN;

    case EINVAL:
    case ENOSYS:
    case EOPNOTSUPP:
    case ESPIPE:
      return LOOP_FILE_NOT_AVAILABLE;

    case ECONNABORTED:
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETRESET:
    case ENETUNREACH:
    case ENOBUFS:
    case ENOTCONN:
    case EPIPE:
    case ESHUTDOWN:
    case ETIMEDOUT:
      return LOOP_FILE_SINK_FAILED;

    default:
      loop_set_error_from_errno (error, errno, "Could not send the file");
      return LOOP_FILE_SOURCE_FAILED;
    }
}

/*
 * loop_file_source_send:
 * @fd: a non-blocking socket
 * @n_sent: (out): how many bytes were sent by this call, whatever came then
 *
 * Sends as much as can be sent at once, in one turn.
 */
LoopFileProgress
loop_file_source_send (LoopFileSource *self, int fd, gsize *n_sent, GError **error)
{
  LoopFileProgress progress = LOOP_FILE_AGAIN;
  gboolean is_short = FALSE;
  LoopSigpipe sigpipe;

  *n_sent = 0;
  if (self->kind == LOOP_FILE_STREAM)
    return LOOP_FILE_NOT_AVAILABLE;

  self->has_begun = TRUE;
  loop_sigpipe_hold (&sigpipe);
  while (progress == LOOP_FILE_AGAIN && *n_sent < LOOP_FILE_TURN && !is_short)
    {
      gsize size = get_next_size (self, LOOP_FILE_TURN - *n_sent);
      gssize n = size > 0 ? send_once (self, fd, size) : 0;

      if (n == 0)
        {
          progress = LOOP_FILE_DONE;
        }
      else if (n < 0)
        {
          progress = judge_errno (self, error);
          /* The socket is full, to no surprise. */
          if (progress == LOOP_FILE_AGAIN)
            break;
        }
      else
        {
          *n_sent += (gsize) n;
          loop_file_source_count (self, n);
          /* Of a pipe it may be all that there was. */
          is_short = (gsize) n < size && self->kind == LOOP_FILE_REGULAR;
          if (self->remaining == 0)
            progress = LOOP_FILE_DONE;
        }
    }
  loop_sigpipe_release (&sigpipe, progress == LOOP_FILE_SINK_FAILED && errno == EPIPE);

  if (progress == LOOP_FILE_EMPTY)
    loop_file_source_wait (self);

  return progress;
}

/* From now on by loop_file_source_read(), at the first byte that was not sent. */
gboolean
loop_file_source_begin_reading (LoopFileSource *self, GError **error)
{
  gint64 position = self->offset + self->n_sent;

  unclaim (self);
  if (self->kind == LOOP_FILE_PIPE)
    return TRUE;

  self->has_begun = TRUE;

  return loop_file_set_position (self->stream, position, error);
}
