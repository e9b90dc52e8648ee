/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-futures.h"

#include "loop-sock.h"

G_BEGIN_DECLS

/*
 * A loop and two non-blocking unix sockets that are connected with each other. Declare it first in a
 * test, as g_auto (SockPair) pair = sock_pair_new (SOCK_STREAM): when it is cleared the loop is closed,
 * and the test fails if that leaves the loop or a descriptor behind.
 */
typedef struct
{
  LoopEventLoop *loop;
  GSocket *a;
  GSocket *b;
  guint n_fds;
} SockPair;

SockPair sock_pair_new (int type);
void sock_pair_clear (SockPair *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SockPair, sock_pair_clear)

/* A socket that listens on the loopback interface. */
GSocket *sock_listen (void);
/* Connected with that by the kernel, and perhaps not accepted. */
GSocket *sock_connect (GSocket *listener);
/* A non-blocking one, to which the descriptor belongs. */
GSocket *sock_wrap (int fd);
GSocket *sock_new (GSocketFamily family, GSocketType type);

/* Runs the loop until it is done; fails the test when that takes 10 seconds. */
void sock_finish (LoopFuture *future);
/* And then: what it has received, as text, or its number. */
char *sock_take_text (LoopFuture *future);
gint64 sock_take_number (LoopFuture *future);
void sock_take_nothing (LoopFuture *future);
GSocket *sock_take_accepted (LoopFuture *future);
/* That it has failed for this reason, with this in its message. */
void sock_take_error (LoopFuture *future, GQuark domain, int code, const char *part);

/* Through plain system calls. */
void sock_write (GSocket *socket, const char *text);
char *sock_read (GSocket *socket);

/* How many descriptors the loop watches. */
guint sock_count_watches (LoopEventLoop *loop);

G_END_DECLS
