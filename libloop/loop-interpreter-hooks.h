/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

/**
 * LoopInterpreterHooks: (skip)
 * @before_wait: the loop is about to wait for events, perhaps for long
 * @after_wait: it has waited
 * @before_dispatch: callbacks are about to run while somebody iterates the loop's context
 * @after_dispatch: they have run
 *
 * What the interpreter of a language with a lock of its own has to be told. All are
 * called on the thread that runs the loop. A loop calls the first two in
 * [method@EventLoop.run_forever], so that a lock which the caller has can be let go for
 * as long as there is nothing to do, and the last two whenever its main context
 * dispatches it, for whoever iterates that may not have the lock.
 */
typedef struct
{
  void (*before_wait) (gpointer user_data);
  void (*after_wait) (gpointer user_data);
  void (*before_dispatch) (gpointer user_data);
  void (*after_dispatch) (gpointer user_data);
} LoopInterpreterHooks;

LOOP_AVAILABLE_IN_1_0
void loop_event_loop_set_interpreter_hooks (LoopEventLoop *self, const LoopInterpreterHooks *hooks, gpointer user_data);
LOOP_AVAILABLE_IN_1_0
const int *loop_interpreter_peek_observers (void);
LOOP_AVAILABLE_IN_1_0
guint64 loop_interpreter_reserve_id (void);
LOOP_AVAILABLE_IN_1_0
void loop_interpreter_record_traceback (LoopEventLoop *loop, guint64 id, const char *traceback);
LOOP_AVAILABLE_IN_1_0
void loop_interpreter_forget_traceback (guint64 id);

G_END_DECLS
