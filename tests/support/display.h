/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

/*
 * An X server without a screen, on a display that nobody uses, for what draws windows: GTK is told of
 * it by the environment. It ends with the process that started it, at the latest.
 */
gboolean display_start (GError **error);
void display_stop (void);
