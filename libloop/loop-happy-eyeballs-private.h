/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-future-private.h"

G_BEGIN_DECLS

typedef struct _LoopHappyEyeballs LoopHappyEyeballs;

/* Called once: with a connected socket, which is the callee's, or with -1 when all attempts have failed. */
typedef void (*LoopHappyEyeballsFunc) (int fd, gpointer user_data);

G_GNUC_INTERNAL
void loop_happy_eyeballs_interleave (GPtrArray *addresses, guint first_family_count);

G_GNUC_INTERNAL
LoopHappyEyeballs *loop_happy_eyeballs_new (LoopFuture *future,
                                            GPtrArray *addresses,
                                            GPtrArray *local_addresses,
                                            double delay,
                                            LoopHappyEyeballsFunc done,
                                            gpointer user_data);
G_GNUC_INTERNAL
void loop_happy_eyeballs_start (LoopHappyEyeballs *self);
G_GNUC_INTERNAL
GPtrArray *loop_happy_eyeballs_dup_errors (LoopHappyEyeballs *self);
G_GNUC_INTERNAL
void loop_happy_eyeballs_free (LoopHappyEyeballs *self);

G_END_DECLS
