/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-subprocess-protocol.h"

/**
 * LoopSubprocessProtocol:
 *
 * Receives what happens to a process: the application's side, whose other side is a
 * [class@SubprocessTransport].
 *
 * Implement the functions that matter; the others have defaults that do nothing. In C,
 * [func@SubprocessProtocol.new] makes a protocol of plain functions.
 */
G_DEFINE_INTERFACE (LoopSubprocessProtocol, loop_subprocess_protocol, G_TYPE_OBJECT)

static void
ignore (LoopSubprocessProtocol *self)
{
}

static void
ignore_connection_made (LoopSubprocessProtocol *self, LoopSubprocessTransport *transport)
{
}

static void
ignore_connection_lost (LoopSubprocessProtocol *self, const GError *exception)
{
}

static void
ignore_pipe_data_received (LoopSubprocessProtocol *self, int fd, const guint8 *data, gsize length)
{
}

static void
ignore_pipe_connection_lost (LoopSubprocessProtocol *self, int fd, const GError *exception)
{
}

static void
loop_subprocess_protocol_default_init (LoopSubprocessProtocolInterface *iface)
{
  iface->connection_made = ignore_connection_made;
  iface->connection_lost = ignore_connection_lost;
  iface->pause_writing = ignore;
  iface->resume_writing = ignore;
  iface->pipe_data_received = ignore_pipe_data_received;
  iface->pipe_connection_lost = ignore_pipe_connection_lost;
  iface->process_exited = ignore;
}

/**
 * loop_subprocess_protocol_connection_made:
 * @self: a protocol
 * @transport: the transport of the process
 *
 * Tells the protocol that the process runs.
 */
void
loop_subprocess_protocol_connection_made (LoopSubprocessProtocol *self, LoopSubprocessTransport *transport)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_PROTOCOL (self));

  LOOP_SUBPROCESS_PROTOCOL_GET_IFACE (self)->connection_made (self, transport);
}

/**
 * loop_subprocess_protocol_connection_lost:
 * @self: a protocol
 * @exception: (nullable): why, or %NULL
 *
 * Tells the protocol that the process has ended and its pipes are closed.
 */
void
loop_subprocess_protocol_connection_lost (LoopSubprocessProtocol *self, const GError *exception)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_PROTOCOL (self));

  LOOP_SUBPROCESS_PROTOCOL_GET_IFACE (self)->connection_lost (self, exception);
}

/**
 * loop_subprocess_protocol_pause_writing:
 * @self: a protocol
 *
 * Tells the protocol that the buffer of the process's standard input is over its high-water mark.
 */
void
loop_subprocess_protocol_pause_writing (LoopSubprocessProtocol *self)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_PROTOCOL (self));

  LOOP_SUBPROCESS_PROTOCOL_GET_IFACE (self)->pause_writing (self);
}

/**
 * loop_subprocess_protocol_resume_writing:
 * @self: a protocol
 *
 * Tells the protocol that that buffer is at or below its low-water mark again.
 */
void
loop_subprocess_protocol_resume_writing (LoopSubprocessProtocol *self)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_PROTOCOL (self));

  LOOP_SUBPROCESS_PROTOCOL_GET_IFACE (self)->resume_writing (self);
}

/**
 * loop_subprocess_protocol_pipe_data_received:
 * @self: a protocol
 * @fd: the descriptor that the process has written to
 * @data: (array length=length): the bytes, valid during the call alone
 * @length: their number
 *
 * Tells the protocol that the process has written.
 */
void
loop_subprocess_protocol_pipe_data_received (LoopSubprocessProtocol *self, int fd, const guint8 *data, gsize length)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_PROTOCOL (self));

  LOOP_SUBPROCESS_PROTOCOL_GET_IFACE (self)->pipe_data_received (self, fd, data, length);
}

/**
 * loop_subprocess_protocol_pipe_connection_lost:
 * @self: a protocol
 * @fd: the descriptor of the process
 * @exception: (nullable): why, or %NULL for an end of file or a close of one's own
 *
 * Tells the protocol that a pipe is closed.
 */
void
loop_subprocess_protocol_pipe_connection_lost (LoopSubprocessProtocol *self, int fd, const GError *exception)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_PROTOCOL (self));

  LOOP_SUBPROCESS_PROTOCOL_GET_IFACE (self)->pipe_connection_lost (self, fd, exception);
}

/**
 * loop_subprocess_protocol_process_exited:
 * @self: a protocol
 *
 * Tells the protocol that the process has ended.
 */
void
loop_subprocess_protocol_process_exited (LoopSubprocessProtocol *self)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_PROTOCOL (self));

  LOOP_SUBPROCESS_PROTOCOL_GET_IFACE (self)->process_exited (self);
}
