/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-stream-reader-private.h"

#include "loop-read-buffer-private.h"
#include "loop-transport.h"

/**
 * LoopStreamReader:
 *
 * What a connection has received, to be read with futures: so many bytes, to a separator or to
 * the end. [func@open_connection] and [func@start_server] make readers.
 *
 * ```c
 * while (loop_await_result (loop_stream_reader_readline (reader), &line, &error))
 *   {
 *     handle (g_value_get_boxed (&line));
 *     g_value_unset (&line);
 *   }
 * ```
 *
 * Bytes wait in the reader until they are read. When more than twice the limit do, the
 * transport is paused. A read whose future is cancelled takes nothing; and what was given to
 * a fiber or a task that is cancelled before it has gone on is the next to be read again.
 *
 * One read at a time may wait. A reader is for its loop's thread.
 */
struct _LoopStreamReader
{
  GObject parent_instance;

  LoopEventLoop *loop;
  LoopTransport *transport; /* or NULL: there is none to pause */
  LoopReadBuffer buffer;
  LoopStreamRead *read; /* that waits; or NULL */
  GError *exception;
  GBytes *partial;
  gsize consumed;
  gsize limit;
  guint8 is_eof;
  guint8 is_paused; /* the transport, by us */
};

G_DEFINE_FINAL_TYPE (LoopStreamReader, loop_stream_reader, G_TYPE_OBJECT)

static void
bury_read (gpointer data)
{
  LoopStreamRead *read = data;

  loop_future_finish_cancelled (&read->parent_instance, "The reader was freed");
  g_object_unref (read);
}

static void
loop_stream_reader_dispose (GObject *object)
{
  LoopStreamReader *self = LOOP_STREAM_READER (object);

  if (self->read != NULL)
    {
      self->read->reader = NULL;
      loop_event_loop_bury (self->loop, g_steal_pointer (&self->read), bury_read);
    }
  g_clear_object (&self->transport);

  G_OBJECT_CLASS (loop_stream_reader_parent_class)->dispose (object);
}

static void
loop_stream_reader_finalize (GObject *object)
{
  LoopStreamReader *self = LOOP_STREAM_READER (object);

  loop_read_buffer_clear (&self->buffer);
  g_clear_error (&self->exception);
  g_clear_pointer (&self->partial, g_bytes_unref);
  g_clear_pointer (&self->loop, loop_event_loop_unref_anywhere);

  G_OBJECT_CLASS (loop_stream_reader_parent_class)->finalize (object);
}

static void
loop_stream_reader_class_init (LoopStreamReaderClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_stream_reader_dispose;
  G_OBJECT_CLASS (klass)->finalize = loop_stream_reader_finalize;
}

static void
loop_stream_reader_init (LoopStreamReader *self)
{
}

void
loop_stream_reader_forget (LoopStreamReader *self, LoopStreamRead *read)
{
  if (self->read != read)
    return;

  self->read = NULL;
  read->reader = NULL;
  g_object_unref (read);
}

const GError *
loop_stream_reader_peek_exception (LoopStreamReader *self)
{
  return self->exception;
}

/* --- The transport ------------------------------------------------------------------------------ */

/* Whether the read that waits needs more than there is, however much that is. */
static gboolean
is_insatiable (LoopStreamReader *self)
{
  return self->read != NULL && (self->read->kind == LOOP_READ_ALL || self->read->kind == LOOP_READ_EXACTLY);
}

static void
resume (LoopStreamReader *self)
{
  if (!self->is_paused)
    return;

  self->is_paused = FALSE;
  loop_transport_resume_reading (self->transport);
}

static void
adjust_reading (LoopStreamReader *self)
{
  gsize size = loop_read_buffer_get_size (&self->buffer);

  if (self->transport == NULL)
    return;

  if (is_insatiable (self) || size <= self->limit)
    {
      resume (self);
    }
  else if (!self->is_paused && !self->is_eof && size > 2 * self->limit)
    {
      self->is_paused = TRUE;
      loop_transport_pause_reading (self->transport);
    }
}

/* --- Reads -------------------------------------------------------------------------------------- */

static GError *
make_overrun (LoopStreamReader *self, gsize consumed, const char *message)
{
  self->consumed = consumed;

  return g_error_new_literal (LOOP_ERROR, LOOP_ERROR_LIMIT_OVERRUN, message);
}

static void
fail_incomplete (LoopStreamReader *self, LoopStreamRead *read)
{
  gsize size = loop_read_buffer_get_size (&self->buffer);
  g_autofree char *expected = read->kind == LOOP_READ_EXACTLY ? g_strdup_printf ("%" G_GSIZE_FORMAT, read->n)
                                                              : g_strdup ("an unknown number of");

  g_clear_pointer (&self->partial, g_bytes_unref);
  self->partial = loop_read_buffer_take (&self->buffer, size);
  loop_stream_read_give_partial (read, self->partial,
                                 g_error_new (LOOP_ERROR, LOOP_ERROR_INCOMPLETE_READ,
                                              "The stream ended after %" G_GSIZE_FORMAT " bytes of %s bytes expected",
                                              size, expected));
}

static void
give (LoopStreamReader *self, LoopStreamRead *read, gsize length)
{
  loop_stream_read_give (read, loop_read_buffer_take (&self->buffer, length));
}

/* A line that is too long is dropped, as far as it is there. */
static void
fail_overrun (LoopStreamReader *self, LoopStreamRead *read, gsize consumed, gsize dropped, const char *message)
{
  if (read->kind == LOOP_READ_LINE)
    loop_read_buffer_drop (&self->buffer, dropped);
  loop_future_fail (&read->parent_instance, make_overrun (self, consumed, message));
}

static gboolean
try_until (LoopStreamReader *self, LoopStreamRead *read)
{
  gsize size = loop_read_buffer_get_size (&self->buffer);
  gsize length;
  const guint8 *separator = loop_stream_read_get_separator (read, &length);
  gsize position = loop_read_buffer_find (&self->buffer, separator, length);

  if (position != LOOP_READ_BUFFER_NOT_FOUND)
    {
      loop_read_buffer_forget_search (&self->buffer);
      if (position > self->limit)
        fail_overrun (self, read, position, position + length,
                      "The separator was found, but what it ends is over the limit");
      else
        give (self, read, position + length);
      return TRUE;
    }

  if (size >= length && size - length + 1 > self->limit)
    {
      loop_read_buffer_forget_search (&self->buffer);
      fail_overrun (self, read, size - length + 1, size,
                    "The separator was not found, and what is there is over the limit");
      return TRUE;
    }

  if (!self->is_eof)
    return FALSE;

  if (read->kind == LOOP_READ_LINE)
    give (self, read, size);
  else
    fail_incomplete (self, read);

  return TRUE;
}

/* Ends the read, if that is possible with what is there. Returns: %FALSE if it has to wait */
static gboolean
try_read (LoopStreamReader *self, LoopStreamRead *read)
{
  gsize size = loop_read_buffer_get_size (&self->buffer);

  if (self->exception != NULL)
    {
      loop_future_fail (&read->parent_instance, g_error_copy (self->exception));
      return TRUE;
    }

  switch (read->kind)
    {
    case LOOP_READ_SOME:
      if (size == 0 && !self->is_eof && read->n > 0)
        return FALSE;
      give (self, read, MIN (size, read->n));
      return TRUE;

    case LOOP_READ_ALL:
      if (!self->is_eof)
        return FALSE;
      give (self, read, size);
      return TRUE;

    case LOOP_READ_EXACTLY:
      if (size >= read->n)
        give (self, read, read->n);
      else if (self->is_eof)
        fail_incomplete (self, read);
      else
        return FALSE;
      return TRUE;

    case LOOP_READ_UNTIL:
    case LOOP_READ_LINE:
      return try_until (self, read);

    default:
      g_assert_not_reached ();
    }
}

/* Something has changed: the read that waits may have waited for it. */
static void
serve (LoopStreamReader *self)
{
  LoopStreamRead *read = self->read;

  if (read == NULL)
    return;

  /* It ends without taking anything that nobody would see. */
  if (!loop_stream_read_is_awaited (read))
    loop_future_finish_cancelled (&read->parent_instance, NULL);
  else if (!try_read (self, read))
    return;

  self->read = NULL;
  loop_future_release (&read->parent_instance);
}

static LoopFuture *
begin_read (LoopStreamReader *self, LoopStreamRead *read)
{
  LoopFuture *future = &read->parent_instance;
  GError *error = NULL;

  if (self->read != NULL && !loop_stream_read_is_awaited (self->read))
    serve (self);

  if (!loop_event_loop_check_usable (self->loop, &error))
    {
      loop_future_fail (future, error);
    }
  else if (self->read != NULL)
    {
      loop_future_fail (future,
                        g_error_new (G_IO_ERROR, G_IO_ERROR_PENDING,
                                     "%s() was called while another one is waiting for data already", future->name));
    }
  else
    {
      loop_read_buffer_forget_search (&self->buffer);
      if (!try_read (self, read))
        self->read = g_object_ref (read);
      adjust_reading (self);
    }

  return future;
}

void
loop_stream_reader_put_back (LoopStreamReader *self, GBytes *bytes)
{
  gsize length;
  const guint8 *data = g_bytes_get_data (bytes, &length);

  loop_read_buffer_prepend (&self->buffer, data, length);
  serve (self);
  adjust_reading (self);
}

/* --- The public side ---------------------------------------------------------------------------- */

/**
 * loop_stream_reader_new:
 * @loop: an event loop
 * @limit: the limit in bytes; 0 or -1 for the default, 64 KiB
 *
 * Makes a reader without a connection. What it is fed can be read from it.
 *
 * The limit is that of a line and of what [method@StreamReader.readuntil] reads. Of more than
 * twice as much, the transport is paused.
 *
 * Returns: (transfer full): the reader
 */
LoopStreamReader *
loop_stream_reader_new (LoopEventLoop *loop, gssize limit)
{
  LoopStreamReader *self;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);

  self = g_object_new (LOOP_TYPE_STREAM_READER, NULL);
  self->loop = g_object_ref (loop);
  self->limit = limit > 0 ? (gsize) limit : LOOP_STREAM_LIMIT;

  return self;
}

/**
 * loop_stream_reader_get_loop:
 * @self: a reader
 *
 * Gets the loop that the reader belongs to.
 *
 * Returns: (transfer none): the loop
 */
LoopEventLoop *
loop_stream_reader_get_loop (LoopStreamReader *self)
{
  g_return_val_if_fail (LOOP_IS_STREAM_READER (self), NULL);

  return self->loop;
}

/**
 * loop_stream_reader_get_limit:
 * @self: a reader
 *
 * Gets the limit of the reader.
 *
 * Returns: bytes
 */
gsize
loop_stream_reader_get_limit (LoopStreamReader *self)
{
  g_return_val_if_fail (LOOP_IS_STREAM_READER (self), 0);

  return self->limit;
}

/**
 * loop_stream_reader_set_transport:
 * @self: a reader
 * @transport: (nullable): the transport whose data the reader is fed, or %NULL when there is
 *   none any more
 *
 * Tells the reader what to pause when too much waits to be read.
 */
void
loop_stream_reader_set_transport (LoopStreamReader *self, LoopTransport *transport)
{
  g_return_if_fail (LOOP_IS_STREAM_READER (self));
  g_return_if_fail (transport == NULL || LOOP_IS_TRANSPORT (transport));

  if (transport == self->transport)
    return;

  if (self->transport != NULL)
    resume (self);
  g_set_object (&self->transport, transport);
  adjust_reading (self);
}

/**
 * loop_stream_reader_feed_data:
 * @self: a reader
 * @data: (array length=length): bytes, which are copied
 * @length: their number
 *
 * Adds bytes to what can be read. It is an error to do that after
 * [method@StreamReader.feed_eof].
 */
void
loop_stream_reader_feed_data (LoopStreamReader *self, const guint8 *data, gsize length)
{
  g_return_if_fail (LOOP_IS_STREAM_READER (self));
  g_return_if_fail (data != NULL || length == 0);
  g_return_if_fail (!self->is_eof);

  if (length == 0)
    return;

  if (self->read != NULL && loop_read_buffer_get_size (&self->buffer) == 0)
    {
      loop_read_buffer_borrow (&self->buffer, data, length);
      serve (self);
      loop_read_buffer_keep (&self->buffer);
    }
  else
    {
      loop_read_buffer_append (&self->buffer, data, length);
      serve (self);
    }
  adjust_reading (self);
}

/**
 * loop_stream_reader_feed_eof:
 * @self: a reader
 *
 * Tells the reader that there will be no more bytes.
 */
void
loop_stream_reader_feed_eof (LoopStreamReader *self)
{
  g_return_if_fail (LOOP_IS_STREAM_READER (self));

  self->is_eof = TRUE;
  serve (self);
}

/**
 * loop_stream_reader_at_eof:
 * @self: a reader
 *
 * Tells whether all was read.
 *
 * Returns: %TRUE if nothing is left to be read, and nothing more will come
 */
gboolean
loop_stream_reader_at_eof (LoopStreamReader *self)
{
  g_return_val_if_fail (LOOP_IS_STREAM_READER (self), TRUE);

  return self->is_eof && loop_read_buffer_get_size (&self->buffer) == 0;
}

/**
 * loop_stream_reader_set_exception:
 * @self: a reader
 * @exception: an error
 *
 * Has the read that waits, and all that follow, fail.
 */
void
loop_stream_reader_set_exception (LoopStreamReader *self, const GError *exception)
{
  g_return_if_fail (LOOP_IS_STREAM_READER (self));
  g_return_if_fail (exception != NULL);

  g_clear_error (&self->exception);
  self->exception = g_error_copy (exception);
  serve (self);
}

/**
 * loop_stream_reader_exception:
 * @self: a reader
 *
 * Gets the error of the reader.
 *
 * Returns: (transfer full) (nullable): the error, or %NULL if it has none
 */
GError *
loop_stream_reader_exception (LoopStreamReader *self)
{
  g_return_val_if_fail (LOOP_IS_STREAM_READER (self), NULL);

  return self->exception != NULL ? g_error_copy (self->exception) : NULL;
}

/**
 * loop_stream_reader_read:
 * @self: a reader
 * @n: how many bytes, or -1 to read to the end
 *
 * Reads what is there, and waits if that is nothing.
 *
 * Returns: (transfer full): a future for a [struct@GLib.Bytes] of at most @n bytes, and of none
 *   at the end. It fails with the error of the reader, with %G_IO_ERROR_PENDING if another
 *   read waits, and with %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_stream_reader_read (LoopStreamReader *self, gssize n)
{
  g_return_val_if_fail (LOOP_IS_STREAM_READER (self), NULL);

  return begin_read (self, n < 0 ? loop_stream_read_new (self, self->loop, LOOP_READ_ALL, 0)
                                 : loop_stream_read_new (self, self->loop, LOOP_READ_SOME, (gsize) n));
}

/**
 * loop_stream_reader_readexactly:
 * @self: a reader
 * @n: how many bytes
 *
 * Reads so many bytes.
 *
 * Returns: (transfer full): a future for a [struct@GLib.Bytes] of @n bytes. It fails as that of
 *   [method@StreamReader.read], and with %LOOP_ERROR_INCOMPLETE_READ if the end comes before:
 *   [method@StreamReader.get_partial] has what there was
 */
LoopFuture *
loop_stream_reader_readexactly (LoopStreamReader *self, gsize n)
{
  g_return_val_if_fail (LOOP_IS_STREAM_READER (self), NULL);

  return begin_read (self, loop_stream_read_new (self, self->loop, LOOP_READ_EXACTLY, n));
}

/**
 * loop_stream_reader_readline:
 * @self: a reader
 *
 * Reads a line, which ends with a line feed.
 *
 * Returns: (transfer full): a future for a [struct@GLib.Bytes]: a line with its line feed; the
 *   last one may have none, and at the end there are no bytes. It fails as that of
 *   [method@StreamReader.read], and with %LOOP_ERROR_LIMIT_OVERRUN if the line is longer than
 *   the limit: what there is of it is dropped
 */
LoopFuture *
loop_stream_reader_readline (LoopStreamReader *self)
{
  g_return_val_if_fail (LOOP_IS_STREAM_READER (self), NULL);

  return begin_read (self, loop_stream_read_new (self, self->loop, LOOP_READ_LINE, 0));
}

/**
 * loop_stream_reader_readuntil:
 * @self: a reader
 * @separator: (array length=length): bytes, at least one
 * @length: their number
 *
 * Reads to a separator.
 *
 * Returns: (transfer full): a future for a [struct@GLib.Bytes] that ends with the separator. It
 *   fails as that of [method@StreamReader.read]; with %LOOP_ERROR_LIMIT_OVERRUN if there is
 *   more than the limit in front of the separator, all of which can still be read:
 *   [method@StreamReader.get_consumed] has how much it is; with %LOOP_ERROR_INCOMPLETE_READ if
 *   the end comes before: [method@StreamReader.get_partial] has what there was; and with
 *   %G_IO_ERROR_INVALID_ARGUMENT if the separator is empty
 */
LoopFuture *
loop_stream_reader_readuntil (LoopStreamReader *self, const guint8 *separator, gsize length)
{
  LoopStreamRead *read;

  g_return_val_if_fail (LOOP_IS_STREAM_READER (self), NULL);
  g_return_val_if_fail (separator != NULL || length == 0, NULL);

  if (length == 0)
    return loop_future_new_failed (
        self->loop, "readuntil",
        g_error_new_literal (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "A separator must have at least one byte"));

  read = loop_stream_read_new (self, self->loop, LOOP_READ_UNTIL, 0);
  read->separator = g_bytes_new (separator, length);

  return begin_read (self, read);
}

/**
 * loop_stream_reader_get_partial:
 * @self: a reader
 *
 * Gets what there was when a read failed with %LOOP_ERROR_INCOMPLETE_READ the last time.
 *
 * Returns: (transfer none) (nullable): the bytes, or %NULL if that was never
 */
GBytes *
loop_stream_reader_get_partial (LoopStreamReader *self)
{
  g_return_val_if_fail (LOOP_IS_STREAM_READER (self), NULL);

  return self->partial;
}

/**
 * loop_stream_reader_get_consumed:
 * @self: a reader
 *
 * Gets how many bytes there were for which no separator was found within the limit, when a
 * read failed with %LOOP_ERROR_LIMIT_OVERRUN the last time.
 *
 * Returns: bytes
 */
gsize
loop_stream_reader_get_consumed (LoopStreamReader *self)
{
  g_return_val_if_fail (LOOP_IS_STREAM_READER (self), 0);

  return self->consumed;
}
