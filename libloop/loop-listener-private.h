/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"
#include "loop-server.h"
#include "loop-unix-path-private.h"

G_BEGIN_DECLS

/* One listening socket of a server. */
typedef struct
{
  LoopWatch watch;
  guint ref_count;
  LoopServer *server;
  GSocket *socket;
  LoopUnixFile file;      /* to be removed in the end, if there is one */
  LoopTimerHandle *retry; /* while accepting is paused for want of descriptors or memory */
  gboolean has_reported;
} LoopListener;

G_GNUC_INTERNAL
LoopListener *loop_listener_new (LoopServer *server, GSocket *socket, GError **error);
G_GNUC_INTERNAL
gboolean loop_listener_listen (LoopListener *self, GError **error);
G_GNUC_INTERNAL
void loop_listener_stop (LoopListener *self);
G_GNUC_INTERNAL
void loop_listener_close (gpointer self);

G_END_DECLS
