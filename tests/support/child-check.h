/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "tcp-check.h"

G_BEGIN_DECLS

/* A process, and what its protocol was told: such as "made 1:data 1:lost exited lost". */
typedef struct
{
  LoopSubprocessTransport *transport; /* referenced, from connection_made on */
  GString *events;                    /* data once, however often it comes */
  GString *output[3];
  GError *error; /* of its standard input */
  guint n_exited, n_lost, n_paused, n_resumed;
  int returncode; /* when it has exited */

  void (*made) (LoopSubprocessTransport *transport);
} Child;

Child *child_new (void);
void child_free (Child *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Child, child_free)

GObject *child_factory (gpointer child);

/* Runs a shell command; to its end, when that is waited for with child_wait(). */
Child *child_shell (Tcp *tcp, const char *command, LoopSubprocessOptions *options);
void child_wait (Tcp *tcp, Child *self);

/* Whether this process has no child, not even a zombie. Nothing is reaped by that. */
gboolean child_has_none (void);

G_END_DECLS
