/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"
#include "loop-fd-watcher.h"

G_BEGIN_DECLS

/*
 * In the place of a callback of the user's: something of ours that waits for a descriptor of
 * the user's, and is neither replaced nor removed by add_reader() and the like.
 */
typedef struct
{
  const char *name; /* static, for an inspector */
  void (*ready) (gpointer owner);
  /* It is not watched any more: the file was closed, or the kernel refuses. */
  void (*failed) (gpointer owner, const GError *error);
  /* The loop was closed; nothing is watched any more. */
  void (*closed) (gpointer owner);
} LoopFdClaim;

/* A callback of add_reader or add_writer, or a claim. It may be replaced while it runs. */
typedef struct
{
  const LoopFdClaim *claim; /* or NULL */
  const char *name;         /* static, or NULL */
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

/* Of a loop that is open. A direction that a callback or another claim has is refused. */
G_GNUC_INTERNAL
gboolean loop_fd_watcher_claim (LoopEventLoop *self,
                                int fd,
                                guint8 interest,
                                const LoopFdClaim *claim,
                                gpointer owner,
                                GError **error);
/* Nothing of the claim is left afterwards, not in the kernel either. */
G_GNUC_INTERNAL
void loop_fd_watcher_unclaim (LoopEventLoop *self, int fd, guint8 interest);
/* Returns: (nullable): the owner of such a claim */
G_GNUC_INTERNAL
gpointer loop_fd_watcher_lookup_claim (LoopEventLoop *self, int fd, guint8 interest, const LoopFdClaim *claim);
/* Whether the descriptor is not that of a transport, a server, ... */
G_GNUC_INTERNAL
gboolean loop_fd_watcher_check_free (LoopEventLoop *self, int fd, GError **error);

G_END_DECLS
