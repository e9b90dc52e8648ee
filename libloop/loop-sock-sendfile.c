/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-file-source-private.h"
#include "loop-sendfile.h"
#include "loop-sock-private.h"

#include <errno.h>

/*
 * The future of a sock_sendfile(). It sends by operations of the socket, which take their turns with
 * others: one for all that the kernel can do by itself, or one for each block that was read. What is
 * under way keeps it.
 */
typedef struct
{
  LoopFuture parent_instance;

  LoopFileSource source;
  LoopFileProgress progress; /* of the last turn of the kernel's */
  GSocket *socket;           /* or NULL: nothing is sent any more */
  LoopSockFuture *operation; /* or NULL: the source is waited for */
  guint64 operation_callback;
  GBytes *block;
  gsize n_of_block; /* that are sent already */
  gboolean may_fall_back;
  gboolean is_reading;
  LoopCloseHook hook;
} LoopSockSendfile;

typedef struct
{
  LoopFutureClass parent_class;
} LoopSockSendfileClass;

static GType loop_sock_sendfile_get_type (void);

G_DEFINE_FINAL_TYPE (LoopSockSendfile, loop_sock_sendfile, LOOP_TYPE_FUTURE)

static void go_on (LoopSockSendfile *self);

/* --- The end ---------------------------------------------------------------------------------- */

static void
drop_operation (LoopSockSendfile *self)
{
  LoopFuture *operation = (LoopFuture *) g_steal_pointer (&self->operation);

  if (operation == NULL)
    return;

  if (self->operation_callback != 0)
    loop_future_remove_done_callback (operation, self->operation_callback);
  self->operation_callback = 0;
  /* It may have failed meanwhile, which is of no interest any more. */
  operation->is_retrieved = TRUE;
  if (!operation->loop->is_closed)
    loop_future_cancel (operation);
  g_object_unref (operation);
}

static void
let_go (LoopSockSendfile *self)
{
  g_autoptr (GSocket) socket G_GNUC_UNUSED = g_steal_pointer (&self->socket);

  drop_operation (self);
  loop_close_hook_remove (&self->hook);
  loop_file_source_clear (&self->source);
  g_clear_pointer (&self->block, g_bytes_unref);
  g_object_unref (self);
}

static void
loop_closed (LoopCloseHook *hook)
{
  let_go ((LoopSockSendfile *) ((char *) hook - G_STRUCT_OFFSET (LoopSockSendfile, hook)));
}

static void
succeed (LoopSockSendfile *self)
{
  loop_file_source_fulfil (&self->source, &self->parent_instance);
  let_go (self);
}

/* Takes @error. */
static void
fail (LoopSockSendfile *self, GError *error)
{
  loop_future_fail (&self->parent_instance, error);
  let_go (self);
}

static gboolean
loop_sock_sendfile_cancel (LoopFuture *base, const char *message)
{
  LoopSockSendfile *self = (LoopSockSendfile *) base;

  if (!loop_future_is_pending (base))
    return FALSE;

  g_object_ref (self);
  loop_future_finish_cancelled (base, message);
  let_go (self);
  g_object_unref (self);

  return TRUE;
}

/* --- Operations of the socket ----------------------------------------------------------------- */

static LoopSockProgress
send_natively (LoopSockFuture *operation, GValue *result, GError **error)
{
  LoopSockSendfile *self = operation->data;
  gsize n_sent;

  self->progress = loop_file_source_send (&self->source, operation->fd, &n_sent, error);
  switch (self->progress)
    {
    case LOOP_FILE_AGAIN:
      return LOOP_SOCK_AGAIN;
    case LOOP_FILE_SOURCE_FAILED:
      return LOOP_SOCK_FAILED;
    case LOOP_FILE_SINK_FAILED:
      return loop_sock_progress_from_errno (errno, error, "Could not send the file to the socket");
    default:
      return LOOP_SOCK_DONE;
    }
}

static LoopSockProgress
send_block (LoopSockFuture *operation, GValue *result, GError **error)
{
  LoopSockSendfile *self = operation->data;
  gsize size;
  const guint8 *data = g_bytes_get_data (self->block, &size);
  gssize n;

  do
    n = send (operation->fd, data + self->n_of_block, size - self->n_of_block, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);

  if (n < 0)
    return loop_sock_progress_from_errno (errno, error, "Could not send the file to the socket");

  self->n_of_block += (gsize) n;
  loop_file_source_count (&self->source, n);

  return self->n_of_block == size ? LOOP_SOCK_DONE : LOOP_SOCK_AGAIN;
}

static const LoopSockKind native_kind = {
  .name = "sock_sendfile",
  .interest = LOOP_INTEREST_WRITE,
  .attempt = send_natively,
};

static const LoopSockKind block_kind = {
  .name = "sock_sendfile",
  .interest = LOOP_INTEREST_WRITE,
  .attempt = send_block,
};

/* After so many blocks it is the turn of others. */
static const LoopSockKind later_block_kind = {
  .name = "sock_sendfile",
  .interest = LOOP_INTEREST_WRITE,
  .is_blunt = TRUE,
  .attempt = send_block,
};

static void
operation_done (LoopFuture *operation, gpointer user_data)
{
  LoopSockSendfile *self = user_data;

  self->operation_callback = 0;
  go_on (self);
}

/* Returns: whether it is done at once */
static gboolean
start (LoopSockSendfile *self, const LoopSockKind *kind)
{
  self->operation = loop_sock_future_new (self->parent_instance.loop, self->socket, kind, self);
  loop_sock_future_start (self->operation);
  if (loop_future_done (&self->operation->parent_instance))
    return TRUE;

  self->operation_callback =
      loop_future_add_done_callback (&self->operation->parent_instance, operation_done, self, NULL);

  return FALSE;
}

/* Returns: %FALSE with the operation's error if it has failed */
static gboolean
take_operation (LoopSockSendfile *self, GError **error)
{
  g_autoptr (LoopFuture) operation = (LoopFuture *) g_steal_pointer (&self->operation);

  return loop_future_result (operation, NULL, error);
}

/* --- Sending ---------------------------------------------------------------------------------- */

/* Returns: whether to go on at once, with reading */
static gboolean
native_done (LoopSockSendfile *self)
{
  GError *error = NULL;

  switch (self->progress)
    {
    case LOOP_FILE_DONE:
      succeed (self);
      return FALSE;
    case LOOP_FILE_NOT_AVAILABLE:
      self->is_reading = self->may_fall_back;
      if (!self->may_fall_back)
        error = loop_file_source_make_not_available (&self->source);
      if (self->may_fall_back && loop_file_source_begin_reading (&self->source, &error))
        return TRUE;
      fail (self, error);
      return FALSE;
    default: /* the pipe is empty */
      return FALSE;
    }
}

/* Returns: whether there is a block to send */
static gboolean
read_block (LoopSockSendfile *self)
{
  GError *error = NULL;
  LoopFileProgress progress;

  g_clear_pointer (&self->block, g_bytes_unref);
  self->n_of_block = 0;
  progress = loop_file_source_read (&self->source, &self->block, &error);

  /* The stream may be one of the user's, whose code has ended it all. */
  if (self->socket == NULL)
    {
      g_clear_pointer (&self->block, g_bytes_unref);
      g_clear_error (&error);
      return FALSE;
    }

  if (progress == LOOP_FILE_DONE)
    succeed (self);
  else if (progress == LOOP_FILE_SOURCE_FAILED)
    fail (self, error);

  return progress == LOOP_FILE_BLOCK;
}

/* Returns: whether to go on at once */
static gboolean
go_on_once (LoopSockSendfile *self, gboolean is_over_time)
{
  GError *error = NULL;

  if (self->operation == NULL && !self->is_reading)
    return start (self, &native_kind);
  if (self->operation == NULL)
    return read_block (self) && start (self, is_over_time ? &later_block_kind : &block_kind);

  if (!take_operation (self, &error))
    {
      fail (self, error);
      return FALSE;
    }

  return self->is_reading || native_done (self);
}

static void
go_on (LoopSockSendfile *self)
{
  gint64 turn = self->source.n_sent + LOOP_FILE_TURN;

  g_object_ref (self);
  while (go_on_once (self, self->source.n_sent >= turn))
    ;
  g_object_unref (self);
}

static void
source_ready (LoopFileSource *source)
{
  go_on ((LoopSockSendfile *) ((char *) source - G_STRUCT_OFFSET (LoopSockSendfile, source)));
}

/* --- The beginning ---------------------------------------------------------------------------- */

static void
loop_sock_sendfile_finalize (GObject *object)
{
  g_assert (((LoopSockSendfile *) object)->socket == NULL);

  G_OBJECT_CLASS (loop_sock_sendfile_parent_class)->finalize (object);
}

static void
loop_sock_sendfile_class_init (LoopSockSendfileClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_sock_sendfile_finalize;
  klass->parent_class.cancel = loop_sock_sendfile_cancel;
}

static void
loop_sock_sendfile_init (LoopSockSendfile *self)
{
}

/**
 * loop_event_loop_sock_sendfile:
 * @self: an event loop
 * @socket: a connected stream socket, as for [method@EventLoop.sock_sendall]
 * @file: what to send
 * @offset: from which byte of @file on
 * @count: how many bytes, or -1 for all up to the end of @file; 0 sends nothing
 * @fallback: whether to read @file and to send what was read when the kernel cannot send it by
 *   itself
 *
 * As [method@EventLoop.sendfile], to a socket. Operations that send to the same socket take their
 * turns; what is read is sent in blocks, between which they may send.
 *
 * When it is over, in whatever way, the position in @file is behind the last byte that was sent, if
 * it has one. To give up, cancel the future.
 *
 * Returns: (transfer full): a future for the number of bytes, a #gint64; it fails with
 *   %LOOP_ERROR_SENDFILE_NOT_AVAILABLE if @fallback is %FALSE and the kernel cannot do it, with
 *   %G_IO_ERROR_INVALID_ARGUMENT if @socket is not a stream socket or for numbers that make no
 *   sense, with %G_IO_ERROR_NOT_SUPPORTED if @file cannot go to @offset, with the error of reading
 *   @file or, when all is sent, of setting its position, and otherwise as that of [method@EventLoop.sock_sendall]
 */
LoopFuture *
loop_event_loop_sock_sendfile (LoopEventLoop *self,
                               GSocket *socket,
                               GInputStream *file,
                               gint64 offset,
                               gint64 count,
                               gboolean fallback)
{
  LoopSockSendfile *future;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET (socket), NULL);
  g_return_val_if_fail (G_IS_INPUT_STREAM (file), NULL);

  future = g_object_new (loop_sock_sendfile_get_type (), NULL);
  loop_future_set_up (&future->parent_instance, self, "sock_sendfile");

  if (g_socket_get_socket_type (socket) != G_SOCKET_TYPE_STREAM)
    g_set_error_literal (&error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "A file can be sent to a stream socket only");
  else if (loop_event_loop_check_usable (self, &error))
    loop_file_source_init (&future->source, self, file, offset, count, source_ready, &error);

  if (error != NULL)
    {
      loop_future_fail (&future->parent_instance, error);
      return &future->parent_instance;
    }

  future->socket = g_object_ref (socket);
  future->may_fall_back = fallback;
  future->hook.closed = loop_closed;
  loop_event_loop_add_close_hook (self, &future->hook);
  g_object_ref (future);
  go_on (future);

  return &future->parent_instance;
}
