/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

char *ctl_signal_get_name (int signum);
gboolean ctl_signal_parse (const char *text, int *signum, GError **error);

typedef void (*CtlSignalFunc) (const char *name, gpointer user_data);
void ctl_signal_foreach_name (gboolean can_be_caught, CtlSignalFunc function, gpointer user_data);

G_END_DECLS
