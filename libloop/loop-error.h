/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

/**
 * LOOP_ERROR:
 *
 * Error domain for conditions of the loop itself. Conditions for which GIO has
 * a code (cancelled, timed out, address in use, …) are reported in %G_IO_ERROR.
 */
#define LOOP_ERROR (loop_error_quark ())

/**
 * LoopError:
 * @LOOP_ERROR_CLOSED: the loop, server or transport is closed
 * @LOOP_ERROR_RUNNING: the loop is running already, or another loop runs on this thread
 * @LOOP_ERROR_STOPPED: the loop was stopped before the future was done
 * @LOOP_ERROR_INVALID_STATE: the future is not, or is already, done; the lock is not held;
 *   the process has threads already
 * @LOOP_ERROR_WRONG_THREAD: the call came from a thread that does not run the loop
 * @LOOP_ERROR_DESCRIPTOR_IN_USE: the file descriptor belongs to a transport
 * @LOOP_ERROR_PROTOCOL_FACTORY: a protocol factory did not return a usable protocol
 * @LOOP_ERROR_SENDFILE_NOT_AVAILABLE: the sendfile system call cannot serve these files
 * @LOOP_ERROR_BROKEN_BARRIER: the barrier was aborted, or reset while it was waited at
 * @LOOP_ERROR_QUEUE_EMPTY: the queue has no item
 * @LOOP_ERROR_QUEUE_FULL: the queue has no room for another item
 * @LOOP_ERROR_QUEUE_SHUT_DOWN: the queue was shut down
 * @LOOP_ERROR_FORKED: the loop belongs to the parent process
 * @LOOP_ERROR_BROKEN_PROCESS_POOL: the process that ran the job, or was to run it, has ended
 * @LOOP_ERROR_NO_BUFFER: a buffered protocol gave no memory to read into
 * @LOOP_ERROR_INCOMPLETE_READ: the stream ended before all that was to be read had come
 * @LOOP_ERROR_LIMIT_OVERRUN: the separator was not found within the limit of the reader
 *
 * Error codes in the %LOOP_ERROR domain.
 */
typedef enum
{
  LOOP_ERROR_CLOSED,
  LOOP_ERROR_RUNNING,
  LOOP_ERROR_STOPPED,
  LOOP_ERROR_INVALID_STATE,
  LOOP_ERROR_WRONG_THREAD,
  LOOP_ERROR_DESCRIPTOR_IN_USE,
  LOOP_ERROR_PROTOCOL_FACTORY,
  LOOP_ERROR_SENDFILE_NOT_AVAILABLE,
  LOOP_ERROR_BROKEN_BARRIER,
  LOOP_ERROR_QUEUE_EMPTY,
  LOOP_ERROR_QUEUE_FULL,
  LOOP_ERROR_QUEUE_SHUT_DOWN,
  LOOP_ERROR_FORKED,
  LOOP_ERROR_BROKEN_PROCESS_POOL,
  LOOP_ERROR_NO_BUFFER,
  LOOP_ERROR_INCOMPLETE_READ,
  LOOP_ERROR_LIMIT_OVERRUN,
} LoopError;

LOOP_AVAILABLE_IN_1_0
GQuark loop_error_quark (void);

LOOP_AVAILABLE_IN_1_0
GType loop_error_get_type (void) G_GNUC_CONST;

#define LOOP_TYPE_ERROR (loop_error_get_type ())

G_END_DECLS
