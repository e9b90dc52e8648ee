/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

#define LOOP_TYPE_ASYNC_GENERATOR (loop_async_generator_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_INTERFACE (LoopAsyncGenerator, loop_async_generator, LOOP, ASYNC_GENERATOR, GObject)

/**
 * LoopAsyncGeneratorInterface:
 * @g_iface: the parent interface
 * @aclose: ends it, wherever it is
 *
 * What an asynchronous generator has to be able to do. See the methods of
 * [iface@AsyncGenerator].
 */
struct _LoopAsyncGeneratorInterface
{
  GTypeInterface g_iface;

  LoopFuture *(*aclose) (LoopAsyncGenerator *self);

  /*< private >*/
  gpointer padding[8];
};

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_async_generator_aclose (LoopAsyncGenerator *self);

LOOP_AVAILABLE_IN_1_0
void loop_event_loop_track_async_generator (LoopEventLoop *self, LoopAsyncGenerator *generator);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_shutdown_asyncgens (LoopEventLoop *self);

G_END_DECLS
