/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-fd-watcher-private.h"
#include "loop-future-private.h"
#include "loop-sock.h"

#include <sys/socket.h>

G_BEGIN_DECLS

/*
 * One operation on a socket of the user's: a future, the watch that it needs while the socket
 * is not ready, and what becomes of both when it is cancelled.
 *
 *     self = loop_sock_future_new (loop, socket, &kind, data);  // checks what all of them check
 *     loop_sock_future_start (self);                            // tries at once, or waits
 *     return LOOP_FUTURE (self);
 *
 * Operations of one direction on one socket take their turns in the order in which they were
 * started. One that waits is kept by its queue, whoever drops the future. Once it is done, in
 * whatever way, nothing of it is left but the result: the watch is gone, and so is its data.
 */
typedef struct _LoopSockFuture LoopSockFuture;

typedef enum
{
  LOOP_SOCK_AGAIN,  /* the socket is not ready */
  LOOP_SOCK_LATER,  /* nor will it be: the kind sees to it that the operation is started again */
  LOOP_SOCK_DONE,   /* with what is in @result, if anything */
  LOOP_SOCK_FAILED, /* with @error */
} LoopSockProgress;

typedef struct
{
  const char *name;  /* of the function, static */
  guint8 interest;   /* LOOP_INTEREST_READ or LOOP_INTEREST_WRITE */
  gboolean is_blunt; /* not tried before the socket is ready, and then by one at a time */

  /* Does what can be done without waiting. It must neither run code of the user's nor finish the future. */
  LoopSockProgress (*attempt) (LoopSockFuture *self, GValue *result, GError **error);

  /* Or NULL: see LoopFutureClass. Of an operation that has a result. */
  void (*give_back) (LoopSockFuture *self);

  /* Or NULL: frees the data. Called once, after the operation has left its queue: it may run code of the user's. */
  void (*clear) (LoopSockFuture *self);
} LoopSockKind;

typedef struct _LoopSockQueue LoopSockQueue;

struct _LoopSockFuture
{
  LoopFuture parent_instance;

  const LoopSockKind *kind;
  GSocket *socket; /* or NULL: there is only a descriptor, which must stay open */
  int fd;
  gpointer data; /* the kind's, until it is done */
  gpointer kept; /* for give_back: the kind's, until the future is freed; with its function */
  GDestroyNotify unkeep;
  gboolean has_waited; /* was not done when it was started */

  LoopSockQueue *queue; /* or NULL */
  LoopSockFuture *next;
};

G_GNUC_INTERNAL
GType loop_sock_future_get_type (void);

/*
 * Takes @data, even if the check fails: then the future has failed, and loop_sock_future_start()
 * does nothing. The same is so of a future that was cancelled meanwhile.
 */
G_GNUC_INTERNAL
LoopSockFuture *loop_sock_future_new (LoopEventLoop *loop, GSocket *socket, const LoopSockKind *kind, gpointer data);
/* For a descriptor that is no GSocket's, and is left to the caller. */
G_GNUC_INTERNAL
LoopSockFuture *loop_sock_future_new_for_fd (LoopEventLoop *loop, int fd, const LoopSockKind *kind);
G_GNUC_INTERNAL
void loop_sock_future_start (LoopSockFuture *self);
/* Ends it with an error, which is taken, unless it is done; of an operation that is in no queue. */
G_GNUC_INTERNAL
void loop_sock_future_fail (LoopSockFuture *self, GError *error);

/* The usual end of an attempt: what a system call that returned -1 stands for. */
G_GNUC_INTERNAL
LoopSockProgress loop_sock_progress_from_errno (int saved_errno, GError **error, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/*
 * What was taken from a socket for somebody who did not want it any more, in the order of the
 * futures' ids: it is for the next operation that asks. The socket keeps it.
 */
typedef struct
{
  guint64 id;
  gpointer item;
  GDestroyNotify notify;
} LoopSockReturn;

G_GNUC_INTERNAL
void loop_sock_future_return (LoopSockFuture *self, gpointer item, GDestroyNotify notify);
/* Returns: (transfer full): the first one, or all NULL */
G_GNUC_INTERNAL
LoopSockReturn loop_sock_future_take_returned (LoopSockFuture *self);
/* What is left of it, before all others. */
G_GNUC_INTERNAL
void loop_sock_future_untake_returned (LoopSockFuture *self, LoopSockReturn taken);

/* The address that the kernel wrote down, or NULL if it has none. */
G_GNUC_INTERNAL
GSocketAddress *loop_sock_address_from_native (const struct sockaddr_storage *address, socklen_t length);

G_END_DECLS
