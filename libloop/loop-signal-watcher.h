/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_add_signal_handler (LoopEventLoop *self,
                                             int signum,
                                             LoopCallback callback,
                                             gpointer user_data,
                                             GDestroyNotify notify,
                                             GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_remove_signal_handler (LoopEventLoop *self, int signum);

G_END_DECLS
