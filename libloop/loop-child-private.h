/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-subprocess-options.h"

#include <sys/types.h>

G_BEGIN_DECLS

/* In the place of a descriptor, for the errors of a child: where its output goes. */
#define LOOP_CHILD_STDOUT -2
#define LOOP_CHILD_INHERIT -1

/*
 * A process that this one has started, until it is reaped. Its descriptor can be read once it
 * has ended. It is a pidfd, or, where the kernel has none, an eventfd that a thread writes to.
 */
typedef struct
{
  pid_t pid;
  pid_t owner; /* our own process: the child of a fork has no business with it */
  int fd;      /* or -1: there is none, or it was reaped */
  gboolean is_pidfd;
} LoopChild;

G_GNUC_INTERNAL
gboolean loop_child_spawn (LoopChild *self,
                           const char *const *argv,
                           LoopSubprocessOptions *options,
                           const int fds[3],
                           GError **error);
G_GNUC_INTERNAL
gboolean loop_child_watch (LoopChild *self, pid_t pid, int pidfd, GError **error);
G_GNUC_INTERNAL
gboolean loop_child_reap (LoopChild *self, int *returncode);
G_GNUC_INTERNAL
gboolean loop_child_signal (LoopChild *self, int signum, GError **error);
G_GNUC_INTERNAL
void loop_child_abandon (LoopChild *self);

G_END_DECLS
