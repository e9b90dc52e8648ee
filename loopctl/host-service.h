/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "host.h"

G_BEGIN_DECLS

/* What each protocol of a service has: its connection, which can be written to as long as it lasts. On the loop's thread. */
typedef struct
{
  gatomicrefcount ref_count; /* what prints has a reference, on another thread */
  CtlHost *host;
  LoopTransport *transport; /* while it is connected */
  guint64 id;
} CtlService;

CtlService *ctl_service_new (CtlHost *host);
void ctl_service_unref (gpointer self);

void ctl_service_connected (CtlService *self, LoopTransport *transport);
void ctl_service_lost (CtlService *self);

/* Prints what was received: @from is the sender, after a blank, or empty. No more is read than is printed. */
void ctl_service_print (CtlService *self, const char *from, const guint8 *data, gsize length);

G_END_DECLS
