/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

/**
 * LoopCoroutineStatus:
 * @LOOP_COROUTINE_AWAITING: it waits for a future, or, without one, for its next turn
 * @LOOP_COROUTINE_RETURNED: it has ended, with a result
 * @LOOP_COROUTINE_RAISED: it has ended, with an error
 *
 * Where a coroutine has got to.
 */
typedef enum
{
  LOOP_COROUTINE_AWAITING,
  LOOP_COROUTINE_RETURNED,
  LOOP_COROUTINE_RAISED,
} LoopCoroutineStatus;

#define LOOP_TYPE_COROUTINE_STATUS (loop_coroutine_status_get_type ())
LOOP_AVAILABLE_IN_1_0
GType loop_coroutine_status_get_type (void) G_GNUC_CONST;

#define LOOP_TYPE_COROUTINE (loop_coroutine_get_type ())
LOOP_AVAILABLE_IN_1_0
G_DECLARE_INTERFACE (LoopCoroutine, loop_coroutine, LOOP, COROUTINE, GObject)

/**
 * LoopCoroutineInterface:
 * @g_iface: the parent interface
 * @send: goes on, from the beginning or from where it was left
 * @throw_exception: goes on as @send, but has what it waits for fail with an error
 * @close: ends it, wherever it is
 * @get_name: a name for messages; its own or a static string. Or %NULL: then it is the
 *   property `name`, if there is one of type string
 *
 * What a coroutine has to be able to do. See the methods of [iface@Coroutine].
 */
struct _LoopCoroutineInterface
{
  GTypeInterface g_iface;

  LoopCoroutineStatus (*send) (LoopCoroutine *self, LoopFuture **awaited, GValue *result, GError **error);
  LoopCoroutineStatus (*throw_exception) (LoopCoroutine *self,
                                          const GError *exception,
                                          LoopFuture **awaited,
                                          GValue *result,
                                          GError **error);
  void (*close) (LoopCoroutine *self);
  const char *(*get_name) (LoopCoroutine *self);

  /*< private >*/
  gpointer padding[8];
};

LOOP_AVAILABLE_IN_1_0
LoopCoroutineStatus loop_coroutine_send (LoopCoroutine *self, LoopFuture **awaited, GValue *result, GError **error);
LOOP_AVAILABLE_IN_1_0
LoopCoroutineStatus loop_coroutine_throw (LoopCoroutine *self,
                                          const GError *exception,
                                          LoopFuture **awaited,
                                          GValue *result,
                                          GError **error);
LOOP_AVAILABLE_IN_1_0
void loop_coroutine_close (LoopCoroutine *self);
LOOP_AVAILABLE_IN_1_0
const char *loop_coroutine_get_name (LoopCoroutine *self);

G_END_DECLS
