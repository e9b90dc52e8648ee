/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_SUBPROCESS_PROTOCOL (loop_subprocess_protocol_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_INTERFACE (LoopSubprocessProtocol, loop_subprocess_protocol, LOOP, SUBPROCESS_PROTOCOL, GObject)

/**
 * LoopSubprocessProtocolInterface:
 * @connection_made: the process runs: use the transport to write to it and to signal it
 * @connection_lost: the process has ended and its pipes are closed; called once, and
 *   nothing follows it
 * @pause_writing: the buffer of the process's standard input is over its high-water mark
 * @resume_writing: that buffer is at or below its low-water mark again
 * @pipe_data_received: the process has written to one of its descriptors; the bytes are
 *   valid during the call alone
 * @pipe_connection_lost: one of the pipes is closed
 * @process_exited: the process has ended
 *
 * What a protocol for a process may implement. The first call is `connection_made`, the
 * last one `connection_lost`, all on the loop's thread. What the process itself has
 * written comes before `process_exited`, unless its transport is paused; children that
 * it leaves behind may go on writing.
 */
struct _LoopSubprocessProtocolInterface
{
  GTypeInterface parent_iface;

  void (*connection_made) (LoopSubprocessProtocol *self, LoopSubprocessTransport *transport);
  void (*connection_lost) (LoopSubprocessProtocol *self, const GError *exception);
  void (*pause_writing) (LoopSubprocessProtocol *self);
  void (*resume_writing) (LoopSubprocessProtocol *self);
  void (*pipe_data_received) (LoopSubprocessProtocol *self, int fd, const guint8 *data, gsize length);
  void (*pipe_connection_lost) (LoopSubprocessProtocol *self, int fd, const GError *exception);
  void (*process_exited) (LoopSubprocessProtocol *self);
};

/**
 * LoopSubprocessProtocolVTable: (skip)
 * @connection_made: as in [iface@SubprocessProtocol]
 * @connection_lost: as in [iface@SubprocessProtocol]
 * @pause_writing: as in [iface@SubprocessProtocol]
 * @resume_writing: as in [iface@SubprocessProtocol]
 * @pipe_data_received: as in [iface@SubprocessProtocol]
 * @pipe_connection_lost: as in [iface@SubprocessProtocol]
 * @process_exited: as in [iface@SubprocessProtocol]
 *
 * The functions of a protocol in C that is not worth a type of its own. Any may be
 * %NULL.
 */
typedef struct
{
  void (*connection_made) (LoopSubprocessTransport *transport, gpointer user_data);
  void (*connection_lost) (LoopSubprocessTransport *transport, const GError *exception, gpointer user_data);
  void (*pause_writing) (LoopSubprocessTransport *transport, gpointer user_data);
  void (*resume_writing) (LoopSubprocessTransport *transport, gpointer user_data);
  void (*pipe_data_received) (LoopSubprocessTransport *transport,
                              int fd,
                              const guint8 *data,
                              gsize length,
                              gpointer user_data);
  void (*pipe_connection_lost) (LoopSubprocessTransport *transport,
                                int fd,
                                const GError *exception,
                                gpointer user_data);
  void (*process_exited) (LoopSubprocessTransport *transport, gpointer user_data);
} LoopSubprocessProtocolVTable;

LOOP_AVAILABLE_IN_1_0
LoopSubprocessProtocol *loop_subprocess_protocol_new (const LoopSubprocessProtocolVTable *vtable,
                                                      gpointer user_data,
                                                      GDestroyNotify notify);

LOOP_AVAILABLE_IN_1_0
void loop_subprocess_protocol_connection_made (LoopSubprocessProtocol *self, LoopSubprocessTransport *transport);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_protocol_connection_lost (LoopSubprocessProtocol *self, const GError *exception);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_protocol_pause_writing (LoopSubprocessProtocol *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_protocol_resume_writing (LoopSubprocessProtocol *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_protocol_pipe_data_received (LoopSubprocessProtocol *self,
                                                  int fd,
                                                  const guint8 *data,
                                                  gsize length);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_protocol_pipe_connection_lost (LoopSubprocessProtocol *self, int fd, const GError *exception);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_protocol_process_exited (LoopSubprocessProtocol *self);

G_END_DECLS
