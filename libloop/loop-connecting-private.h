/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-future-private.h"
#include "loop-protocol.h"
#include "loop-transport.h"

G_BEGIN_DECLS

typedef struct _LoopConnecting LoopConnecting;

/*
 * What all have in common that make one connection: the first member of each. It lives until its future is done, by
 * whatever way: the future's done callback takes it apart, and cancels what is under way.
 */
struct _LoopConnecting
{
  guint ref_count; /* one more for whatever may still call back */
  LoopEventLoop *loop;
  LoopFuture *future;
  LoopCloseHook hook;
  /* Cancels what is under way, and frees what it needed. */
  void (*end) (LoopConnecting *self);

  LoopProtocolFactory factory;
  gpointer factory_data;
  GDestroyNotify factory_notify;

  LoopTransport *transport;
  gboolean is_in_factory;
  gboolean is_abandoned; /* while the factory is on the stack: it ran a main loop of its own, or closed the loop */
};

G_GNUC_INTERNAL
gpointer loop_connecting_new (gsize size,
                              LoopEventLoop *loop,
                              const char *name,
                              void (*end) (LoopConnecting *self),
                              LoopProtocolFactory factory,
                              gpointer factory_data,
                              GDestroyNotify factory_notify);
G_GNUC_INTERNAL
void loop_connecting_unref (gpointer self);
G_GNUC_INTERNAL
void loop_connecting_fail (LoopConnecting *self, GError *error);
G_GNUC_INTERNAL
void loop_connecting_take_fd (LoopConnecting *self, int fd);
G_GNUC_INTERNAL
void loop_connecting_set_socket (LoopConnecting *self, GSocket *socket);

G_END_DECLS
