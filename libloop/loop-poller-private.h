/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-ready-queue-private.h"

#include <sys/epoll.h>

G_BEGIN_DECLS

typedef struct _LoopWatch LoopWatch;
typedef struct _LoopWatchClass LoopWatchClass;

typedef enum
{
  LOOP_INTEREST_NONE = 0,
  LOOP_INTEREST_READ = EPOLLIN,
  LOOP_INTEREST_WRITE = EPOLLOUT,
} LoopInterest;

struct _LoopWatchClass
{
  /* Readable, at end of file, hung up or in error: whatever a read would tell. */
  void (*readable) (LoopWatch *watch);
  void (*writable) (LoopWatch *watch);
  /* The kernel refused to watch the descriptor; the watch is not polled any more. */
  void (*failed) (LoopWatch *watch, GError *error);
  /* The loop was closed; the descriptor is not watched any more. */
  void (*closed) (LoopWatch *watch);
  /* Called after readable, writable and failed, when nothing of the loop points to the watch. */
  void (*done) (LoopWatch *watch);
  /* A watch without interest has left the kernel's set: its owner may forget it. Inside the guard. */
  void (*idle) (LoopWatch *watch);
  void (*describe) (const LoopWatch *watch, gboolean is_writer, LoopDescription *description);
};

/*
 * The interest in one file descriptor; a member of what is interested: a transport,
 * a server, or the callbacks of add_reader and add_writer. One watch for a descriptor.
 */
struct _LoopWatch
{
  LoopReadyItem reader;
  LoopReadyItem writer;
  const LoopWatchClass *klass;
  guint64 id;
  int fd;
  guint32 generation;
  int poll_errno;
  guint8 wanted;     /* what the owner asked for */
  guint8 registered; /* what the kernel was told */
  guint8 is_in_kernel;
  guint8 is_dirty;
};

static inline LoopWatch *
loop_watch_from_reader (const LoopReadyItem *item)
{
  return (LoopWatch *) ((char *) item - G_STRUCT_OFFSET (LoopWatch, reader));
}

static inline LoopWatch *
loop_watch_from_writer (const LoopReadyItem *item)
{
  return (LoopWatch *) ((char *) item - G_STRUCT_OFFSET (LoopWatch, writer));
}

G_GNUC_INTERNAL
void loop_watch_report_failure (LoopWatch *watch);

/*
 * One epoll set. Changes of interest are gathered and told to the kernel before the
 * next wait. An event carries the generation of its watch beside the descriptor, so
 * that one of an earlier file with the same number is known for what it is.
 */
typedef struct
{
  int epoll_fd;
  int timer_fd;
  gint64 timer_armed;
  LoopWatch **watches; /* by descriptor */
  guint n_slots;
  guint n_watches;
  GArray *dirty;    /* int: descriptors */
  GArray *internal; /* struct epoll_event: the loop's own descriptors */
  guint32 next_generation;
  gboolean has_pwait2;
  gboolean is_woken; /* a descriptor of the loop's own was ready */
  gboolean has_stale_events;
  int n_events;
  struct epoll_event *events;
} LoopPoller;

#define LOOP_POLLER_MAX_EVENTS 256

G_GNUC_INTERNAL
gboolean loop_poller_init (LoopPoller *self, GError **error);
G_GNUC_INTERNAL
void loop_poller_abandon (LoopPoller *self, int other_fd);
G_GNUC_INTERNAL
void loop_poller_clear (LoopPoller *self);
G_GNUC_INTERNAL
gboolean loop_poller_add_internal (LoopPoller *self, int fd, guint32 events, GError **error);

G_GNUC_INTERNAL
void loop_watch_init (LoopWatch *watch, const LoopWatchClass *klass, guint64 id);
G_GNUC_INTERNAL
LoopWatch *loop_poller_lookup (LoopPoller *self, int fd);
G_GNUC_INTERNAL
gboolean loop_poller_add (LoopPoller *self, LoopWatch *watch, int fd, guint8 interest, GError **error);
G_GNUC_INTERNAL
gboolean loop_poller_verify (LoopPoller *self,
                             LoopWatch *watch,
                             guint8 interest,
                             gboolean *is_other_file,
                             GError **error);
G_GNUC_INTERNAL
void loop_poller_set_interest (LoopPoller *self, LoopWatch *watch, guint8 interest);
G_GNUC_INTERNAL
void loop_poller_remove (LoopPoller *self, LoopWatch *watch);

G_GNUC_INTERNAL
void loop_poller_flush (LoopPoller *self, LoopReadyQueue *ready);
G_GNUC_INTERNAL
gboolean loop_poller_arm_timer (LoopPoller *self, gint64 deadline);
G_GNUC_INTERNAL
int loop_poller_wait (LoopPoller *self, gint64 timeout_ns);
G_GNUC_INTERNAL
void loop_poller_collect (LoopPoller *self, LoopReadyQueue *ready);

G_END_DECLS
