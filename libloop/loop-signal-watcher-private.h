/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"
#include "loop-signal-watcher.h"

#include <signal.h>

G_BEGIN_DECLS

/*
 * A callback of add_signal_handler. It is run as a watch is, but has no descriptor of its
 * own and is not in the poller. It may be removed or replaced while it runs.
 */
typedef struct
{
  LoopWatch watch;
  LoopEventLoop *loop;
  const char *name; /* interned: "SIGTERM" */
  int signum;
  LoopCallback callback;
  gpointer user_data;
  GDestroyNotify notify;
  guint ref_count;
  guint64 n_pending; /* caught and not yet run: the callback is queued while there are any */
  guint64 n_caught;
} LoopSignalHandler;

/*
 * The signals of one loop: made with its first handler, and kept until it is closed. The
 * eventfd, and with it a place in the poller, it has only while there are handlers.
 */
typedef struct _LoopSignalWatcher LoopSignalWatcher;
struct _LoopSignalWatcher
{
  LoopWatch watch; /* of the eventfd */
  LoopCloseHook hook;
  LoopEventLoop *loop;
  guint n_handlers;
  LoopSignalHandler *handlers[NSIG]; /* by number */
};

G_END_DECLS
