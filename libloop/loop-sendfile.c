/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-sendfile.h"

#include "loop-file-source-private.h"
#include "loop-future-private.h"
#include "loop-transport-private.h"

#include <errno.h>

/* The future of a sendfile(). While the file is being sent, the transport's sender keeps it. */
typedef struct
{
  LoopFuture parent_instance;

  LoopTransportSender sender;
  LoopFileSource source;
  LoopTransport *transport; /* or NULL: nothing is sent any more */
  gsize n_handed_over;      /* of the block that the transport is about to take */
  gboolean may_fall_back;
  gboolean is_reading; /* blocks, as the kernel cannot do it */
} LoopSendfile;

typedef struct
{
  LoopFutureClass parent_class;
} LoopSendfileClass;

static GType loop_sendfile_get_type (void);

G_DEFINE_FINAL_TYPE (LoopSendfile, loop_sendfile, LOOP_TYPE_FUTURE)

/* --- The end ---------------------------------------------------------------------------------- */

/* Runs code of the user's, which the transport may have kept waiting. */
static void
let_go (LoopSendfile *self, gboolean is_lost)
{
  g_autoptr (LoopTransport) transport = g_steal_pointer (&self->transport);

  loop_file_source_clear (&self->source);
  if (!is_lost)
    LOOP_TRANSPORT_GET_CLASS (transport)->unset_sender (transport);
  g_object_unref (self);
}

static void
succeed (LoopSendfile *self)
{
  loop_file_source_fulfil (&self->source, &self->parent_instance);
  let_go (self, FALSE);
}

/* Takes @error. */
static void
fail (LoopSendfile *self, GError *error)
{
  loop_future_fail (&self->parent_instance, error);
  let_go (self, FALSE);
}

static gboolean
loop_sendfile_cancel (LoopFuture *base, const char *message)
{
  LoopSendfile *self = (LoopSendfile *) base;

  if (!loop_future_is_pending (base))
    return FALSE;

  g_object_ref (self);
  loop_future_finish_cancelled (base, message);
  let_go (self, FALSE);
  g_object_unref (self);

  return TRUE;
}

static LoopSendfile *
from_sender (LoopTransportSender *sender)
{
  return (LoopSendfile *) ((char *) sender - G_STRUCT_OFFSET (LoopSendfile, sender));
}

static void
sendfile_lost (LoopTransportSender *sender, const GError *error, gsize n_unsent)
{
  LoopSendfile *self = from_sender (sender);

  /* What was buffered before it began is not its own. */
  n_unsent = MAX (n_unsent, self->n_handed_over);
  loop_file_source_count (&self->source, -MIN ((gssize) n_unsent, self->source.n_sent));
  /* What is pending when the loop is closed stays so, as everywhere. */
  if (!self->parent_instance.loop->is_closed)
    loop_future_fail (&self->parent_instance, g_error_copy (error));
  let_go (self, TRUE);
}

/* --- Sending ---------------------------------------------------------------------------------- */

static void
begin_reading (LoopSendfile *self)
{
  GError *error = NULL;

  self->is_reading = TRUE;
  if (!loop_file_source_begin_reading (&self->source, &error))
    fail (self, error);
}

static void
send_natively (LoopSendfile *self)
{
  LoopTransportClass *klass = LOOP_TRANSPORT_GET_CLASS (self->transport);
  GError *error = NULL;
  gsize n_sent;
  LoopFileProgress progress =
      loop_file_source_send (&self->source, klass->get_sender_fd (self->transport), &n_sent, &error);
  int saved_errno = progress == LOOP_FILE_AGAIN ? EAGAIN : progress == LOOP_FILE_SINK_FAILED ? errno : 0;

  klass->report_sent (self->transport, n_sent, saved_errno);

  switch (progress)
    {
    case LOOP_FILE_DONE:
      succeed (self);
      break;
    case LOOP_FILE_NOT_AVAILABLE:
      if (self->may_fall_back)
        begin_reading (self);
      else
        fail (self, loop_file_source_make_not_available (&self->source));
      break;
    case LOOP_FILE_SOURCE_FAILED:
      fail (self, error);
      break;
    case LOOP_FILE_AGAIN:
    case LOOP_FILE_EMPTY:
    case LOOP_FILE_SINK_FAILED: /* and the transport has told so */
    default:
      break;
    }
}

static void
send_block (LoopSendfile *self, GBytes *block)
{
  self->n_handed_over = g_bytes_get_size (block);
  loop_file_source_count (&self->source, (gssize) self->n_handed_over);
  LOOP_TRANSPORT_GET_CLASS (self->transport)->send_bytes (self->transport, block);
  self->n_handed_over = 0;
}

/* Returns: whether to go on at once */
static gboolean
send_next_block (LoopSendfile *self)
{
  g_autoptr (GBytes) block = NULL;
  GError *error = NULL;
  LoopFileProgress progress = loop_file_source_read (&self->source, &block, &error);

  /* The stream may be one of the user's, whose code has ended it all. */
  if (self->transport == NULL)
    {
      g_clear_error (&error);
      return FALSE;
    }

  switch (progress)
    {
    case LOOP_FILE_DONE:
      succeed (self);
      return FALSE;
    case LOOP_FILE_BLOCK:
      send_block (self, block);
      return self->transport != NULL;
    case LOOP_FILE_EMPTY:
      return FALSE;
    default:
      fail (self, error);
      return FALSE;
    }
}

static void
send_blocks (LoopSendfile *self)
{
  LoopTransportClass *klass = LOOP_TRANSPORT_GET_CLASS (self->transport);
  gint64 turn = self->source.n_sent + LOOP_FILE_TURN;

  while (klass->get_write_buffer_size (self->transport) == 0)
    {
      if (self->source.n_sent >= turn)
        {
          klass->report_sent (self->transport, 0, EAGAIN);
          return;
        }
      if (!send_next_block (self))
        return;
    }
}

static void
go_on (LoopSendfile *self)
{
  g_object_ref (self);

  if (!self->is_reading)
    send_natively (self);
  if (self->transport != NULL && self->is_reading)
    send_blocks (self);

  g_object_unref (self);
}

static void
sendfile_ready (LoopTransportSender *sender)
{
  go_on (from_sender (sender));
}

static void
source_ready (LoopFileSource *source)
{
  go_on ((LoopSendfile *) ((char *) source - G_STRUCT_OFFSET (LoopSendfile, source)));
}

/* --- The beginning ---------------------------------------------------------------------------- */

static void
loop_sendfile_finalize (GObject *object)
{
  g_assert (((LoopSendfile *) object)->transport == NULL);

  G_OBJECT_CLASS (loop_sendfile_parent_class)->finalize (object);
}

static void
loop_sendfile_class_init (LoopSendfileClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_sendfile_finalize;
  klass->parent_class.cancel = loop_sendfile_cancel;
}

static void
loop_sendfile_init (LoopSendfile *self)
{
}

static gboolean
check_transport (LoopEventLoop *loop, LoopTransport *transport, GError **error)
{
  if (!loop_event_loop_check_usable (loop, error))
    return FALSE;

  if (transport->loop != loop)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The transport belongs to another loop");
  else if (loop_transport_is_closing (transport))
    g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_CLOSED, "The transport is closing");
  else if (LOOP_TRANSPORT_GET_CLASS (transport)->set_sender == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "No file can be sent to a transport of type %s",
                 G_OBJECT_TYPE_NAME (transport));
  else
    return TRUE;

  return FALSE;
}

/* Whether the kernel need not even be asked. */
static gboolean
is_native (LoopTransport *transport, LoopFileKind kind)
{
  LoopTransportClass *klass = LOOP_TRANSPORT_GET_CLASS (transport);

  return kind != LOOP_FILE_STREAM && klass->get_sender_fd != NULL && klass->get_sender_fd (transport) >= 0;
}

static gboolean
set_up (LoopSendfile *self, LoopTransport *transport, gboolean fallback, GError **error)
{
  gboolean is_reading = !is_native (transport, self->source.kind);

  if (is_reading && !fallback)
    {
      g_propagate_error (error, loop_file_source_make_not_available (&self->source));
      return FALSE;
    }

  self->is_reading = is_reading;
  self->may_fall_back = fallback;
  self->sender.ready = sendfile_ready;
  self->sender.lost = sendfile_lost;

  if (is_reading && !loop_file_source_begin_reading (&self->source, error))
    return FALSE;

  return LOOP_TRANSPORT_GET_CLASS (transport)->set_sender (transport, &self->sender, error);
}

/**
 * loop_event_loop_sendfile:
 * @self: an event loop
 * @transport: a transport of the loop, which must be able to write
 * @file: what to send
 * @offset: from which byte of @file on
 * @count: how many bytes, or -1 for all up to the end of @file; 0 sends nothing
 * @fallback: whether to read @file and to write what was read when the kernel cannot send it by
 *   itself
 *
 * Sends a file. What was written before goes first. From a file of the local file system to a
 * plain socket, the kernel copies it, with the sendfile system call; from a pipe, with splice.
 * Otherwise, as with a stream in memory or one that is converted, or to the write end of a
 * pipe or a transport of [method@EventLoop.connect_io_stream], libloop does, and reads what
 * may block in another thread.
 *
 * Meanwhile the transport takes nothing else to be written and receives nothing, unless
 * [method@Transport.resume_reading] is called; nobody else may use or close @file. Others of
 * the loop's connections have their turn after each mebibyte.
 *
 * When it is over, in whatever way, the position in @file is behind the last byte that was
 * sent, if it has one. A stream that cannot be moved is sent from where it is, and @offset
 * has to be 0. The future's result may be less than @count: it ends where @file does, even if
 * @file was cut meanwhile.
 *
 * To give up, cancel the future: the transport can be used then, and its peer has got, or
 * will get, as many bytes of @file as its position says, and what is written next after
 * them. When the connection is closed, the future fails with an error.
 *
 * Returns: (transfer full): a future for the number of bytes, a #gint64; it fails with
 *   %LOOP_ERROR_SENDFILE_NOT_AVAILABLE if @fallback is %FALSE and the kernel cannot do it, with
 *   %LOOP_ERROR_CLOSED if the transport is closing, with %LOOP_ERROR_INVALID_STATE if it is
 *   sending a file already or after `write_eof`, with %G_IO_ERROR_INVALID_ARGUMENT for numbers
 *   that make no sense, with %G_IO_ERROR_NOT_SUPPORTED if @file cannot go to @offset or the
 *   transport cannot write, with the error of the connection, with
 *   %G_IO_ERROR_CONNECTION_CLOSED when it is closed meanwhile, or with that of reading @file or,
 *   when all is sent, of setting its position, which leaves the connection as it is
 */
LoopFuture *
loop_event_loop_sendfile (LoopEventLoop *self,
                          LoopTransport *transport,
                          GInputStream *file,
                          gint64 offset,
                          gint64 count,
                          gboolean fallback)
{
  LoopSendfile *future;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (LOOP_IS_TRANSPORT (transport), NULL);
  g_return_val_if_fail (G_IS_INPUT_STREAM (file), NULL);

  if (!check_transport (self, transport, &error))
    return loop_future_new_failed (self, "sendfile", error);

  future = g_object_new (loop_sendfile_get_type (), NULL);
  loop_future_set_up (&future->parent_instance, self, "sendfile");

  if (!loop_file_source_init (&future->source, self, file, offset, count, source_ready, &error))
    {
      loop_future_fail (&future->parent_instance, error);
      return &future->parent_instance;
    }

  if (!set_up (future, transport, fallback, &error))
    {
      loop_file_source_clear (&future->source);
      loop_future_fail (&future->parent_instance, error);
      return &future->parent_instance;
    }

  future->transport = g_object_ref (transport);
  g_object_ref (future);
  if (loop_transport_get_write_buffer_size (transport) == 0)
    go_on (future);

  return &future->parent_instance;
}
