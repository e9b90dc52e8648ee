/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"
#include "loop-fd-watcher.h"

G_BEGIN_DECLS

/* A callback of add_reader or add_writer. It may be replaced while it runs. */
typedef struct
{
  LoopCallback callback;
  gpointer user_data;
  GDestroyNotify notify;
  guint ref_count;
} LoopFdCallback;

/* The callbacks for one file descriptor. */
typedef struct
{
  LoopWatch watch;
  LoopEventLoop *loop;
  LoopFdCallback *reader;
  LoopFdCallback *writer;
  guint ref_count;
} LoopFdWatch;

G_GNUC_INTERNAL
extern const LoopWatchClass loop_fd_watch_class;

G_GNUC_INTERNAL
void loop_fd_watcher_evict (LoopEventLoop *self, int fd);

G_END_DECLS
