/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"

#include <signal.h>

G_BEGIN_DECLS

/* The action of the process for a signal, which is one loop's at a time. */

G_GNUC_INTERNAL
const char *loop_signal_get_name (int signum);
G_GNUC_INTERNAL
gboolean loop_signal_check (int signum, GError **error);
G_GNUC_INTERNAL
gboolean loop_signal_claim (int signum, LoopEventLoop *owner, int fd, GError **error);
G_GNUC_INTERNAL
void loop_signal_release (int signum, LoopEventLoop *owner);
G_GNUC_INTERNAL
guint loop_signal_take (int signum);
G_GNUC_INTERNAL
void loop_signal_pass_on (int signum, const struct sigaction *previous, siginfo_t *info, void *context);

G_END_DECLS
