/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

#define LOOP_INSIDE

#include <libloop/loop-version.h>
#include <libloop/loop-visibility.h>

#include <libloop/loop-types.h>

#include <libloop/loop-address-info.h>
#include <libloop/loop-async-generator.h>
#include <libloop/loop-barrier.h>
#include <libloop/loop-buffered-protocol.h>
#include <libloop/loop-condition.h>
#include <libloop/loop-connect-io-stream.h>
#include <libloop/loop-connect-pipe.h>
#include <libloop/loop-connection-options.h>
#include <libloop/loop-connector.h>
#include <libloop/loop-coroutine.h>
#include <libloop/loop-datagram-endpoint.h>
#include <libloop/loop-datagram-options.h>
#include <libloop/loop-datagram-protocol.h>
#include <libloop/loop-datagram-transport.h>
#include <libloop/loop-error.h>
#include <libloop/loop-event-loop.h>
#include <libloop/loop-event.h>
#include <libloop/loop-exception-context.h>
#include <libloop/loop-executor.h>
#include <libloop/loop-fd-watcher.h>
#include <libloop/loop-fiber.h>
#include <libloop/loop-foreign-exception.h>
#include <libloop/loop-future.h>
#include <libloop/loop-gather.h>
#include <libloop/loop-handle.h>
#include <libloop/loop-inspector-interpreter.h>
#include <libloop/loop-inspector.h>
#include <libloop/loop-io-stream.h>
#include <libloop/loop-listen-fds.h>
#include <libloop/loop-interpreter-hooks.h>
#include <libloop/loop-lock.h>
#include <libloop/loop-make-socket-transport.h>
#include <libloop/loop-metrics.h>
#include <libloop/loop-process-pool-executor.h>
#include <libloop/loop-protocol.h>
#include <libloop/loop-queue.h>
#include <libloop/loop-semaphore.h>
#include <libloop/loop-sendfile.h>
#include <libloop/loop-server-options.h>
#include <libloop/loop-server.h>
#include <libloop/loop-shield.h>
#include <libloop/loop-signal-watcher.h>
#include <libloop/loop-sleep.h>
#include <libloop/loop-sock.h>
#include <libloop/loop-stream-reader-protocol.h>
#include <libloop/loop-stream-reader.h>
#include <libloop/loop-stream-result.h>
#include <libloop/loop-stream-writer.h>
#include <libloop/loop-stream.h>
#include <libloop/loop-subprocess-options.h>
#include <libloop/loop-subprocess-protocol.h>
#include <libloop/loop-subprocess-result.h>
#include <libloop/loop-subprocess-transport.h>
#include <libloop/loop-subprocess.h>
#include <libloop/loop-task-group.h>
#include <libloop/loop-task.h>
#include <libloop/loop-timeout.h>
#include <libloop/loop-thread-pool-executor.h>
#include <libloop/loop-timer-handle.h>
#include <libloop/loop-transport.h>
#include <libloop/loop-wait-for.h>
#include <libloop/loop-wait.h>

#undef LOOP_INSIDE
