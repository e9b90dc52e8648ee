/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define CTL_PROCESS_PATH "/org/libloop/Process1"
#define CTL_PROCESS_INTERFACE "org.libloop.Process1"
#define CTL_LOOP_PATH "/org/libloop/Loop1"
#define CTL_LOOP_INTERFACE "org.libloop.Loop1"
#define CTL_CONTROL_INTERFACE "org.libloop.Control1"
#define CTL_HOST_INTERFACE "org.libloop.Host1"

/* Waits that end early when @interrupt is cancelled, and let the main context run meanwhile. */
void ctl_client_wait (double seconds, GCancellable *interrupt);
gboolean ctl_client_wait_readable (int fd, GCancellable *interrupt);

void ctl_client_connect_async (const char *path,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
GDBusConnection *ctl_client_connect_finish (GAsyncResult *result, GError **error);

GDBusConnection *ctl_client_connect (const char *path, double timeout, GCancellable *interrupt, GError **error);
GVariant *ctl_client_call (GDBusConnection *connection,
                           const char *object,
                           const char *interface,
                           const char *method,
                           GVariant *parameters,
                           const char *reply_type,
                           double timeout,
                           GCancellable *interrupt,
                           GError **error);

G_END_DECLS
