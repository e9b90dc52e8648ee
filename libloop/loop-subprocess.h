/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_subprocess_exec (LoopEventLoop *self,
                                             const char *const *argv,
                                             LoopSubprocessOptions *options,
                                             LoopProtocolFactory factory,
                                             gpointer user_data,
                                             GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_subprocess_shell (LoopEventLoop *self,
                                              const char *command,
                                              LoopSubprocessOptions *options,
                                              LoopProtocolFactory factory,
                                              gpointer user_data,
                                              GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_subprocess_communicate (LoopEventLoop *self,
                                                    const char *const *argv,
                                                    LoopSubprocessOptions *options,
                                                    GBytes *input);

G_END_DECLS
