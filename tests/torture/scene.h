/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "torture.h"

#include <libloop/loop.h>

/*
 * What most scenarios need: a loop that runs as long as something is held, and that gives up what is left a while after
 * the first error. Futures are held until they are done, peers until their protocol is gone.
 */

typedef struct _Scene Scene;
typedef struct _ScenePeer ScenePeer;

typedef void (*SceneFunc) (Scene *self, gpointer user_data);
typedef void (*SceneFutureFunc) (Scene *self, const GValue *result, gpointer user_data);

struct _Scene
{
  LoopEventLoop *loop;
  GPtrArray *futures; /* pending */
  GPtrArray *peers;   /* borrowed, alive */
  LoopServer *server;
  guint n_held;
  gboolean is_giving_up;
  LoopTimerHandle *patience;
  SceneFunc give_up;
  gpointer give_up_data;
};

/* One side of a connection. All bytes that are sent are scene_byte()s, so that each receiver knows if they are right. */
struct _ScenePeer
{
  Scene *scene;
  LoopTransport *transport;
  gsize n_sent;
  gsize n_received;
  gsize n_expected; /* an end that comes earlier is an error that the user was told of */
  guint n_lost;
  gboolean has_eof;
  gboolean is_echo;
  gboolean keep_open; /* after the end of what is received */
  void (*made) (ScenePeer *self);
  void (*data) (ScenePeer *self);
  void (*eof) (ScenePeer *self);
  void (*paused) (ScenePeer *self);
  void (*resumed) (ScenePeer *self);
};

Scene *scene_new (void);
Scene *scene_new_for_context (GMainContext *context);
void scene_run (Scene *self);
void scene_end (Scene *self);

void scene_hold (Scene *self);
void scene_release (Scene *self);
void scene_give_up (Scene *self);
void scene_report (Scene *self, const char *what, const GError *error);
void scene_take_future (Scene *self, LoopFuture *future, SceneFutureFunc done, gpointer user_data);

guint8 scene_byte (gsize i);
ScenePeer *scene_peer_new (Scene *self);
GObject *scene_peer_take_protocol (ScenePeer *self);
void scene_peer_send (ScenePeer *self, gsize n);
void scene_peer_connect (ScenePeer *self, const char *host, guint16 port);
void scene_peer_connect_with (ScenePeer *self, const char *host, guint16 port, LoopConnectionOptions *options);
void scene_peer_connect_unix (ScenePeer *self, const char *path);
GObject *scene_accept_echo (gpointer scene);
void scene_serve (Scene *self, LoopProtocolFactory factory, SceneFutureFunc served);
void scene_serve_at (Scene *self, guint16 port, LoopProtocolFactory factory, SceneFutureFunc served);
void scene_serve_unix (Scene *self, const char *path, LoopProtocolFactory factory, SceneFutureFunc served);
guint16 scene_get_port (Scene *self);
